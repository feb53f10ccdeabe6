//! `livehook sessions --rebuild`: has the index made anew, by the service where one runs, since it is the one that writes
//! it; else in this process.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, Url};
use serde::Deserialize;

use super::http;
use super::listen_address::reachable;
use super::output::talk;
use super::printable::printable;
use super::progress::Progress;
use crate::config::{Config, Process};
use crate::index::{self, IndexError};
use crate::journal::JournalError;
use crate::server::Token;

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
    let service = Service::find(config, url)?;
    let asked = async {
        service.ask().await?;
        service.wait().await
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

/// The admin endpoint of a running service.
struct Service {
    url: Url,
    client: Client,
    authorization: HeaderValue,
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

impl Service {
    /// Finds out where the service is and what its token is, as the service itself does.
    fn find(config: Option<&Path>, url: Option<Url>) -> anyhow::Result<Service> {
        let admin = Config::find_admin(config, &Process)?;
        let url = match url {
            Some(url) => url,
            None if admin.listen.port() == 0 => {
                bail!("the admin address {} leaves the port to the system: give --url", admin.listen)
            }
            None => http::parse_url(&format!("http://{}/", reachable(admin.listen))).map_err(anyhow::Error::msg)?,
        };
        let token = admin.token.as_ref().ok_or_else(|| no_token(&url))?;
        Ok(Service {
            client: http::client(&url, TIMEOUT, None)?,
            authorization: Token::authorization(token).context("the admin token cannot be sent")?,
            url,
        })
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url.set_query(None);
        url
    }

    /// Asks for the rebuild.
    async fn ask(&self) -> anyhow::Result<()> {
        let url = self.at("api/v1/index/rebuild");
        let request = self.client.post(url.clone()).header(AUTHORIZATION, self.authorization.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body("{}");
        let response = request.send().await.map_err(|error| no_answer(&url, error))?;
        if response.status().as_u16() == 202 { Ok(()) } else { Err(refused(&url, response).await) }
    }

    /// Waits until the rebuild is done, and shows how far it is.
    async fn wait(&self) -> anyhow::Result<()> {
        let url = self.at("readyz");
        let mut progress = Progress::new("of the journal taken in");
        let mut told = None;
        loop {
            let index = self.readiness(&url).await?;
            let Readiness { index: Some(index), journal: Some(Journal { head }) } = index else {
                bail!(
                    "{}: does not tell how far the index is; does --url lead to the admin endpoint?",
                    http::shown(&url)
                );
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

    async fn readiness(&self, url: &Url) -> anyhow::Result<Readiness> {
        let gone = |error| {
            no_answer(url, error).context("the service was asked, and is gone: it goes on after its next start")
        };
        let request = self.client.get(url.clone()).header(AUTHORIZATION, self.authorization.clone());
        let response = request.send().await.map_err(gone)?;
        // A service that is not ready for callbacks tells how far it is, too.
        let body = http::read_body(response).await.map_err(gone)?;
        serde_json::from_str(&body).with_context(|| format!("{}: this is no answer of livehook", http::shown(url)))
    }
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

/// Why the service does not do it.
async fn refused(url: &Url, response: Response) -> anyhow::Error {
    let status = response.status().as_u16();
    let body = http::read_body(response).await.unwrap_or_default();
    let message = serde_json::from_str::<serde_json::Value>(&body)
        .ok()
        // The API says it under the one name, the rest of the admin endpoint under the other.
        .and_then(|body| Some(body["detail"].as_str().or(body["message"].as_str())?.to_owned()));
    let message = message.unwrap_or(body);
    let cure = match status {
        401 => "; is the token that of this service?",
        404 | 405 => "; does --url lead to the admin endpoint?",
        _ => "",
    };
    anyhow!("{}: answered {status} {}{cure}", http::shown(url), printable(message.trim(), 1000))
}
