//! The admin endpoint of a running service, for the commands that have the service do something.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, Url};
use serde_json::Value;

use super::http;
use super::listen_address::reachable;
use super::printable::printable;
use crate::config::{Config, Process};
use crate::server::Token;

/// How long the service may take for one answer. Counting a large journal takes its time.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What may help where the token is refused.
pub(super) const WRONG_TOKEN_CURE: &str = "; is the token that of this service?";

/// How a running service is found.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct ServiceArguments {
    /// The configuration file of the service (LIVEHOOK_CONFIG), for its `admin.listen` and the token;
    /// LIVEHOOK_ADMIN_LISTEN and LIVEHOOK_ADMIN_TOKEN win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The admin endpoint of the service, here or elsewhere, such as http://127.0.0.1:9090
    #[arg(long, value_name = "URL", value_parser = http::parse_url)]
    url: Option<Url>,
}

impl ServiceArguments {
    /// Whether one service is meant and no other.
    pub(super) fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Finds out where the service is and what its token is, as the service itself does.
    ///
    /// # Errors
    /// Its address or its token is not known here.
    pub(super) fn find(self) -> anyhow::Result<Service> {
        Service::find(self.config.as_deref(), self.url, TIMEOUT, no_token)
    }
}

/// A running service.
pub(super) struct Service {
    url: Url,
    client: Client,
    authorization: HeaderValue,
}

impl Service {
    /// Finds out where the service is, unless a URL says so, and what its token is, as the service itself does. An answer may
    /// take as long as `timeout`; `no_token` says what to do where there is no token.
    ///
    /// # Errors
    /// Its address or its token is not known here.
    pub(super) fn find(
        config: Option<&Path>,
        url: Option<Url>,
        timeout: Duration,
        no_token: fn(&Url) -> anyhow::Error,
    ) -> anyhow::Result<Service> {
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
            client: http::client(&url, timeout, None)?,
            authorization: Token::authorization(token).context("the admin token cannot be sent")?,
            url,
        })
    }

    /// Asks for what is at a path of the API, such as `replays/7`.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.at(&format!("api/v1/{path}"))?;
        let response = self.send_get(&url).await;
        answer(&url, response).await
    }

    /// Has the service change something.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.at(&format!("api/v1/{path}"))?;
        let response = self.send_post(&url, body).await;
        answer(&url, response).await
    }

    /// The URL of a path of the admin endpoint.
    pub(super) fn at(&self, path: &str) -> anyhow::Result<Url> {
        let base = self.url.path().trim_end_matches('/');
        self.url.join(&format!("{base}/{path}")).map_err(|error| anyhow!("{}: {error}", http::shown(&self.url)))
    }

    /// Sends a GET, with the token.
    pub(super) async fn send_get(&self, url: &Url) -> reqwest::Result<Response> {
        self.client.get(url.clone()).header(AUTHORIZATION, self.authorization.clone()).send().await
    }

    /// Sends a POST, with the token.
    pub(super) async fn send_post(&self, url: &Url, body: &Value) -> reqwest::Result<Response> {
        let request = self.client.post(url.clone()).header(AUTHORIZATION, self.authorization.clone());
        request.header(CONTENT_TYPE, "application/json").body(body.to_string()).send().await
    }
}

/// What an answer says, or why it is none.
async fn answer(url: &Url, response: reqwest::Result<Response>) -> anyhow::Result<Value> {
    let response = response.map_err(|error| http::no_answer(url, TIMEOUT, error))?;
    let status = response.status().as_u16();
    let body = http::read_body(url, TIMEOUT, response).await?;
    if (200..300).contains(&status) {
        return serde_json::from_str(&body)
            .with_context(|| format!("{}: this is no answer of livehook", http::shown(url)));
    }
    let cure = if status == 401 { WRONG_TOKEN_CURE } else { "" };
    Err(refused(url, status, &body, cure))
}

/// An error for an answer that refuses. The API says why under the one name, the rest of the admin endpoint under the other.
pub(super) fn refused(url: &Url, status: u16, body: &str, cure: &str) -> anyhow::Error {
    let told = serde_json::from_str::<Value>(body).ok();
    let told = told.as_ref().and_then(|problem| problem["detail"].as_str().or(problem["message"].as_str()));
    let told = printable(told.unwrap_or(body).trim(), 1000);
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
