//! `livehook rebuild-index`: rebuilds the index from the journal.
//!
//! Only one process writes the index. If a service runs on the data directory, the service rebuilds it; otherwise this process
//! does.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::args::{DataDirArguments, ServiceArguments};
use super::client::Service;
use super::render::{Progress, talk};
use super::runtime::block_on;
use crate::config::DataConfig;
use crate::index::{self, IndexError, Rebuilt};
use crate::printable::printable;
use crate::storage::StorageError;

/// How long the service may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between two requests for the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The most characters that are shown of an error of the service.
const ERROR_CHARACTERS_MAX: usize = 1000;

const PROGRESS_WORDS: &str = "of the journal read";

/// Rebuild the index from the journal
///
/// The commands `streams`, `sessions` and `session` read the index. Rebuild it if it is damaged, or if it belongs to another
/// journal. A running service rebuilds its own index; without one, this command does it. Sessions older than the journal are
/// kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook rebuild-index --config config.toml
  livehook rebuild-index --data-dir /var/lib/livehook
  livehook rebuild-index --url http://10.0.0.5:9090    a service elsewhere")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) data_dir: DataDirArguments,
    #[command(flatten)]
    pub(super) service: ServiceArguments,
}

/// Rebuilds the index. With `--url`, the service at that URL does it in any case.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { data_dir, service } = arguments;
    // The service at a URL may run on another machine, so no local directory is touched for it.
    if !service.has_url() {
        let DataConfig { data_dir, index, .. } = service.data(data_dir)?;
        match rebuild_here(&data_dir, index) {
            // A running service holds the lock, and rebuilds the index below.
            Err(IndexError::Storage(StorageError::Locked(_))) => {}
            Err(error) => return Err(error.into()),
            Ok(rebuilt) => {
                if let Some(old_path) = rebuilt.old_path {
                    talk(format_args!(
                        "the old index could not be used; it is now {}. Remove it if you miss no session older than the journal",
                        old_path.display()
                    ));
                }
                talk(format_args!("rebuilt the index in {}", data_dir.display()));
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let service = service.connect(TIMEOUT)?;
    block_on(async {
        let started: anyhow::Result<IgnoredAny> = service.post("index/rebuild", &json!({})).await;
        started.context("the service that owns the index cannot rebuild it; --config or --url names that service")?;
        wait(&service).await
    })??;
    talk("the service rebuilt the index");
    Ok(ExitCode::SUCCESS)
}

/// Rebuilds the index in this process. An existing index keeps its settings if there is no configuration file.
fn rebuild_here(data_dir: &Path, options: Option<index::Options>) -> Result<Rebuilt, IndexError> {
    let is_new = options.is_none() && matches!(index::Reader::open(data_dir), Err(IndexError::Absent(_)));
    let mut progress = Progress::new(PROGRESS_WORDS);
    let options = options.unwrap_or_default();
    let result = index::rebuild(data_dir, &options, |done, all| progress.show(count(done), count(all)));
    progress.end();
    if is_new && result.is_ok() {
        talk(
            "without --config, the new index has the default `index.stale_after_secs` and `index.bridge_gap_secs`; the next \
             start of the service sets the configured ones",
        );
    }
    result
}

/// The parts of `/readyz` that show the progress.
#[derive(Debug, Deserialize)]
struct Readiness {
    index: Option<IndexStatus>,
    journal: Option<JournalStatus>,
}

#[derive(Debug, Deserialize)]
struct IndexStatus {
    cursor: i64,
    rebuilding: bool,
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct JournalStatus {
    head: i64,
}

/// Shows the progress until the service has rebuilt the index.
async fn wait(service: &Service) -> anyhow::Result<()> {
    let mut progress = Progress::new(PROGRESS_WORDS);
    let mut shown_error = None;
    loop {
        let readiness = service.readiness().await;
        let Readiness { index: Some(index), journal: Some(JournalStatus { head }) } =
            readiness.context("the service no longer answers; it continues after its next start")?
        else {
            bail!("the service reports no progress of its index; is --url the admin endpoint?");
        };
        if !index.rebuilding {
            progress.end();
            return Ok(());
        }
        progress.show(count(index.cursor), count(head));
        // The service repeats its last error, and the user reads it once.
        if let Some(error) = index.last_error.filter(|error| shown_error.as_ref() != Some(error)) {
            progress.end();
            talk(format_args!("the service failed and tries again: {}", printable(&error, ERROR_CHARACTERS_MAX)));
            shown_error = Some(error);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn count(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
