//! `livehook sessions --rebuild`: has the index made anew, by the service where one runs, since it is the one that writes
//! it; else in this process.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::args::DataDirArguments;
use super::client::service::{Service, ServiceArguments};
use super::render::output::talk;
use super::render::progress::Progress;
use crate::config::DataConfig;
use crate::index::{self, IndexError};
use crate::printable::printable;
use crate::storage::StorageError;

/// How long the service may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the service is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Has the index made anew. With a URL, the service there is asked in any case.
pub(super) fn run(data_dir: &DataDirArguments, service: ServiceArguments) -> anyhow::Result<ExitCode> {
    if !service.is_named() {
        let DataConfig { data_dir, index } = service.find_data(data_dir)?;
        match rebuild_here(&data_dir, index) {
            Err(IndexError::Storage(StorageError::Locked(_))) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                talk(format_args!("the index in {} has been made anew", data_dir.display()));
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let service = service.find_within(TIMEOUT)?;
    super::runtime::block_on(async {
        let asked = service.post("index/rebuild", &serde_json::json!({})).await;
        asked.context(
            "the service that writes the index does not make it anew; --config or --url say which service that is",
        )?;
        wait(&service).await
    })??;
    talk("the service has made the index anew");
    Ok(ExitCode::SUCCESS)
}

/// Makes the index anew in this process. One that is there keeps its settings.
fn rebuild_here(data_dir: &Path, options: Option<index::Options>) -> Result<(), IndexError> {
    let is_unset = options.is_none() && matches!(index::Reader::open(data_dir), Err(IndexError::Absent(_)));
    let mut progress = Progress::new("of the journal taken in");
    let count = |records: i64| u64::try_from(records).unwrap_or(0);
    let options = options.unwrap_or_default();
    let result = index::rebuild(data_dir, &options, |done, all| progress.show(count(done), count(all)));
    progress.end();
    if is_unset && result.is_ok() {
        talk(
            "there was no index and no --config: it has the defaults of `index.stale_after_secs` and \
             `index.bridge_gap_secs` until the service starts",
        );
    }
    result
}

/// What is told of a service by its `/readyz`.
#[derive(Debug, Deserialize)]
struct Readiness {
    index: Option<Index>,
    journal: Option<Journal>,
}

#[derive(Debug, Deserialize)]
struct Index {
    cursor: i64,
    rebuilding: bool,
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Journal {
    head: i64,
}

/// Waits until the rebuild is done, and shows how far it is.
async fn wait(service: &Service) -> anyhow::Result<()> {
    let mut progress = Progress::new("of the journal taken in");
    let mut told = None;
    loop {
        let readiness = service.readiness().await;
        let Readiness { index: Some(index), journal: Some(Journal { head }) } =
            readiness.context("the service was asked, and is gone: it goes on after its next start")?
        else {
            bail!("the service does not tell how far the index is; does --url lead to the admin endpoint?");
        };
        if !index.rebuilding {
            progress.end();
            return Ok(());
        }
        let count = |records: i64| u64::try_from(records).unwrap_or(0);
        progress.show(count(index.cursor), count(head));
        if let Some(error) = index.last_error.filter(|error| told.as_ref() != Some(error)) {
            progress.end();
            talk(format_args!("the service cannot go on and tries again: {}", printable(&error, 1000)));
            told = Some(error);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
