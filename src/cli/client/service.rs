//! The admin endpoint of a running service, for the commands that have the service do something.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http;
use super::listen_address::reachable;
use crate::admin::Token;
use crate::cli::args::DataDirArguments;
use crate::config::{Config, DataConfig, Mistakes, Process};
use crate::printable::printable;

/// How long the service may take for one answer. Counting a large journal takes its time.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How a running service is found.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct ServiceArguments {
    /// The configuration file of the service (LIVEHOOK_CONFIG), for its `data_dir`, its `admin.listen` and the token; flags
    /// and environment variables for these win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The admin endpoint of the service, here or elsewhere, such as http://127.0.0.1:9090
    #[arg(long, value_name = "URL", value_parser = http::parse_url)]
    url: Option<Url>,
}

impl ServiceArguments {
    /// Whether one service is meant and no other.
    pub(crate) fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Whether anything is said of the service.
    pub(crate) fn is_given(&self) -> bool {
        self.url.is_some() || self.config.is_some()
    }

    /// Finds out where the service has its data, as the service itself does, to do its work where it does not run.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub(crate) fn find_data(&self, data_dir: &DataDirArguments) -> Result<DataConfig, Mistakes> {
        Config::find_data(self.config.as_deref(), data_dir.data_dir.as_deref(), &Process)
    }

    /// Finds out where the service is and what its token is, as the service itself does.
    ///
    /// # Errors
    /// Its address or its token is not known here.
    pub(crate) fn find(self) -> anyhow::Result<Service> {
        self.find_within(TIMEOUT)
    }

    /// The same for a service that may take as long as `timeout` for one answer.
    ///
    /// # Errors
    /// Its address or its token is not known here.
    pub(crate) fn find_within(self, timeout: Duration) -> anyhow::Result<Service> {
        let admin = Config::find_admin(self.config.as_deref(), &Process)?;
        let url = match self.url {
            Some(url) => url,
            None if admin.listen.port() == 0 => {
                bail!("the admin address {} leaves the port to the system: give --url", admin.listen)
            }
            None => http::parse_url(&format!("http://{}/", reachable(admin.listen))).map_err(anyhow::Error::msg)?,
        };
        let token = admin.token.as_ref().ok_or_else(|| no_token(&url))?;
        Ok(Service {
            client: http::client(&url, timeout, None)?,
            timeout,
            authorization: Token::authorization(token).context("the admin token cannot be sent")?,
            url,
        })
    }
}

/// A running service.
pub(crate) struct Service {
    url: Url,
    client: Client,
    timeout: Duration,
    authorization: HeaderValue,
}

impl Service {
    /// Asks for what is at a path of the API, such as `replays/7`.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.at(&format!("api/v1/{path}"))?;
        self.answer(&url, self.client.get(url.clone())).await
    }

    /// Has the service change something.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.at(&format!("api/v1/{path}"))?;
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        self.answer(&url, request.body(body.to_string())).await
    }

    /// What `/readyz` tells of the service, also while it is not ready.
    ///
    /// # Errors
    /// The service does not answer.
    pub(crate) async fn readiness<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let url = self.at("readyz")?;
        let (_, body) = self.send(&url, self.client.get(url.clone())).await?;
        read(&url, &body)
    }

    /// The URL of a path of the admin endpoint.
    fn at(&self, path: &str) -> anyhow::Result<Url> {
        let base = self.url.path().trim_end_matches('/');
        self.url.join(&format!("{base}/{path}")).map_err(|error| anyhow!("{}: {error}", http::shown(&self.url)))
    }

    /// Sends a request with the token, and gives the answer's status and body.
    async fn send(&self, url: &Url, request: RequestBuilder) -> anyhow::Result<(u16, String)> {
        let no_answer = |error| http::no_answer(url, self.timeout, error);
        let response = request.header(AUTHORIZATION, self.authorization.clone()).send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        Ok((status, http::read_body(url, self.timeout, response).await?))
    }

    async fn answer(&self, url: &Url, request: RequestBuilder) -> anyhow::Result<Value> {
        let (status, body) = self.send(url, request).await?;
        if (200..300).contains(&status) { read(url, &body) } else { Err(refused(url, status, &body)) }
    }
}

fn read<T: DeserializeOwned>(url: &Url, body: &str) -> anyhow::Result<T> {
    serde_json::from_str(body).with_context(|| format!("{}: this is no answer of livehook", http::shown(url)))
}

/// An error for an answer that refuses. The API says why under the one name, the rest of the admin endpoint under the other.
fn refused(url: &Url, status: u16, body: &str) -> anyhow::Error {
    let told = serde_json::from_str::<Value>(body).unwrap_or_default();
    let detail = told["detail"].as_str();
    let cure = match status {
        401 => "; is the token that of this service?",
        404 | 405 if detail.is_none() => "; does --url lead to the admin endpoint?",
        _ => "",
    };
    let told = printable(detail.or(told["message"].as_str()).unwrap_or(body).trim(), 1000);
    anyhow!("{}: answered {status} {told}{cure}", http::shown(url))
}

fn no_token(url: &Url) -> anyhow::Error {
    anyhow!(
        "the service at {} does this only for who has its admin token, and none is configured here. Give the service's \
         configuration by --config, or the token as LIVEHOOK_ADMIN_TOKEN. If the service has none either, make one with \
         `livehook keygen`, set `admin.token`, and start the service anew",
        http::shown(url)
    )
}
