//! The admin endpoint of a running service.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::{self, shown};
use crate::admin::Token;
use crate::printable::printable;

/// The most characters that are shown of an answer that livehook did not send.
const SHOWN_CHARACTERS_MAX: usize = 1000;

/// A running service.
pub(crate) struct Service {
    url: Url,
    client: Client,
    timeout: Duration,
    /// `None` if the service asks for no token to read.
    authorization: Option<HeaderValue>,
}

impl Service {
    /// A service with its admin endpoint at `url`. `timeout` is for each answer. Without a token, the service can only be read.
    /// `certificates` names a PEM file; only a server with a certificate from it is trusted then.
    ///
    /// # Errors
    /// No HTTP client can be made, or the token is not a valid header value.
    pub(crate) fn new(
        url: Url,
        timeout: Duration,
        token: Option<&Token>,
        certificates: Option<&Path>,
    ) -> anyhow::Result<Service> {
        let client = http::client(&url, timeout, certificates)?;
        let authorization = token.map(Token::authorization).transpose();
        let authorization = authorization.context("the admin token is not a valid header value")?;
        Ok(Service { url, client, timeout, authorization })
    }

    /// Reads from a path of the API, such as `replays/7`.
    ///
    /// # Errors
    /// The service does not answer, or refuses, or its answer has another form.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = self.url_of(&format!("api/v1/{path}"))?;
        self.call(&url, self.client.get(url.clone())).await
    }

    /// Posts a JSON body to a path of the API.
    ///
    /// # Errors
    /// The service does not answer, or refuses, or its answer has another form.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let url = self.url_of(&format!("api/v1/{path}"))?;
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        self.call(&url, request.body(serde_json::to_string(body)?)).await
    }

    /// Reads `/readyz`, also while the service is not ready.
    ///
    /// # Errors
    /// The service does not answer, or its answer has another form.
    pub(crate) async fn readiness<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let url = self.url_of("readyz")?;
        let (_, body) = self.send(&url, self.client.get(url.clone())).await?;
        read(&url, &body)
    }

    /// The URL of a path of the admin endpoint, below the path of `--url`.
    fn url_of(&self, path: &str) -> anyhow::Result<Url> {
        // `join` alone would drop the last part of the path, such as the prefix of a proxy.
        let base = self.url.path().trim_end_matches('/');
        self.url.join(&format!("{base}/{path}")).map_err(|error| anyhow!("{}: {error}", shown(&self.url)))
    }

    /// Sends a request with the token. Returns the status and the body of the answer.
    async fn send(&self, url: &Url, request: RequestBuilder) -> anyhow::Result<(u16, String)> {
        let no_answer = |error| http::no_answer(url, self.timeout, error);
        let request = match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        };
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        Ok((status, http::read_body(url, self.timeout, response).await?))
    }

    async fn call<T: DeserializeOwned>(&self, url: &Url, request: RequestBuilder) -> anyhow::Result<T> {
        let (status, body) = self.send(url, request).await?;
        if (200..300).contains(&status) { read(url, &body) } else { Err(self.refused(url, status, &body)) }
    }

    /// An error for an answer that refuses. The API explains it in `detail`, the rest of the admin endpoint in `message`.
    fn refused(&self, url: &Url, status: u16, body: &str) -> anyhow::Error {
        // A proxy in front of the service may answer with HTML.
        let answer = serde_json::from_str::<Value>(body).unwrap_or_default();
        let detail = answer["detail"].as_str();
        let hint = match status {
            401 if self.authorization.is_none() => {
                "; use --config with the file of the service, or set LIVEHOOK_ADMIN_TOKEN"
            }
            401 => {
                "; is the token the one of this service? A token that was changed counts after a reload, for example by SIGHUP"
            }
            404 | 405 if detail.is_none() => "; is --url the admin endpoint?",
            _ => "",
        };
        let text = detail.or(answer["message"].as_str()).unwrap_or(body).trim();
        if answer["error"] == "bad_configuration" {
            return NotReloaded(text.lines().map(shown_line).collect::<Vec<_>>().join("\n")).into();
        }
        let text = printable(text, SHOWN_CHARACTERS_MAX);
        anyhow!("{}: answered {status} {text}{hint}", shown(url))
    }
}

/// The mistakes in the configuration of a service, each on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotReloaded(String);

fn shown_line(line: &str) -> String {
    printable(line, SHOWN_CHARACTERS_MAX).into_owned()
}

fn read<T: DeserializeOwned>(url: &Url, body: &str) -> anyhow::Result<T> {
    serde_json::from_str(body).with_context(|| format!("{}: the answer is not from livehook", shown(url)))
}
