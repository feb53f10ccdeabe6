//! `livehook sessions --rebuild`: has the index made anew, by the service where one runs, since it is the one that writes
//! it; else in this process.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::Url;
use serde::Deserialize;

use super::http;
use super::output::talk;
use super::printable::printable;
use super::progress::Progress;
use super::service::{Service, WRONG_TOKEN_CURE, refused};
use crate::index::{self, IndexError};
use crate::journal::JournalError;

/// How long the service may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the service is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Has the index made anew. With a URL, the service there is asked in any case.
pub(super) fn run(data_dir: &Path, config: Option<&Path>, url: Option<Url>) -> anyhow::Result<ExitCode> {
    if url.is_none() {
        match rebuild_here(data_dir) {
            Err(IndexError::Journal(JournalError::Locked(_))) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                talk("the index has been made anew");
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let service = Service::find(config, url, TIMEOUT, no_token)?;
    let asked = async {
        ask(&service).await?;
        wait(&service).await
    };
    super::block_on(asked)??;
    talk("the service has made the index anew");
    Ok(ExitCode::SUCCESS)
}

fn rebuild_here(data_dir: &Path) -> Result<(), IndexError> {
    let mut progress = Progress::new("of the journal taken in");
    let count = |records: i64| u64::try_from(records).unwrap_or(0);
    let result =
        index::rebuild(data_dir, &index::Options::default(), |done, all| progress.show(count(done), count(all)));
    progress.end();
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

/// Asks the service for the rebuild.
async fn ask(service: &Service) -> anyhow::Result<()> {
    let url = service.at("api/v1/index/rebuild")?;
    let response = service.send_post(&url, &serde_json::json!({})).await.map_err(|error| no_answer(&url, error))?;
    let status = response.status().as_u16();
    if status == 202 {
        return Ok(());
    }
    let body = http::read_body(&url, TIMEOUT, response).await.unwrap_or_default();
    let cure = match status {
        401 => WRONG_TOKEN_CURE,
        404 | 405 => "; does --url lead to the admin endpoint?",
        _ => "",
    };
    Err(refused(&url, status, &body, cure))
}

/// Waits until the rebuild is done, and shows how far it is.
async fn wait(service: &Service) -> anyhow::Result<()> {
    let url = service.at("readyz")?;
    let mut progress = Progress::new("of the journal taken in");
    let mut told = None;
    loop {
        let index = readiness(service, &url).await?;
        let Readiness { index: Some(index), journal: Some(Journal { head }) } = index else {
            bail!("{}: does not tell how far the index is; does --url lead to the admin endpoint?", http::shown(&url));
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

async fn readiness(service: &Service, url: &Url) -> anyhow::Result<Readiness> {
    let gone =
        |error| no_answer(url, error).context("the service was asked, and is gone: it goes on after its next start");
    let response = service.send_get(url).await.map_err(gone)?;
    // A service that is not ready for callbacks tells how far it is, too.
    let body = http::read_body(url, TIMEOUT, response).await?;
    serde_json::from_str(&body).with_context(|| format!("{}: this is no answer of livehook", http::shown(url)))
}

fn no_token(url: &Url) -> anyhow::Error {
    anyhow!(
        "the service at {} makes its index anew only for who has its admin token, and none is configured here. Give \
         the service's configuration by --config, or the token as LIVEHOOK_ADMIN_TOKEN. If the service has none either, make one \
         with `livehook keygen`, set `admin.token`, and start the service anew; or stop the service and run this again",
        http::shown(url)
    )
}

fn no_answer(url: &Url, error: reqwest::Error) -> anyhow::Error {
    http::no_answer(url, TIMEOUT, error).context(
        "the service that writes the index is not found at its admin endpoint: --config or --url say where that is",
    )
}
