//! One request and its answer: puts events into a request, and explains why a request got no answer.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Url};

use super::answer::Answer;
use super::options::Options;
use super::signature::{self, WebhookSecret};
use super::target_url::TargetUrl;
use crate::clock::Clock;
use crate::http_client::{self, AnswerError, CERTIFICATES_BYTES_MAX, innermost};
use crate::journal::Record;
use crate::sink::blocking::blocking;
use crate::sink::{Failure, Outcome, shown_path};

#[cfg(test)]
mod tests;

const USER_AGENT: &str = concat!("livehook/", env!("CARGO_PKG_VERSION"));

/// The media type of CloudEvents 1.0 for a single event.
const SINGLE: HeaderValue = HeaderValue::from_static("application/cloudevents+json");

/// The media type of CloudEvents 1.0 for a list of events.
const BATCH: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json");

/// The time after which the sink closes an idle connection. It is shorter than the 5 s of Node, the shortest default that is
/// common among servers: a request that crosses the server's close gets no answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The bytes of an answer's body that are kept for the reason.
const ANSWER_BYTES_KEPT: usize = 4 * 1024;

/// The longest body of an answer, in bytes. The sink reads all of it, because only its end proves that it is whole.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Some editors write it at the start of a file. It isn't part of the token.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// A client for one receiver, with the parts that all its requests share.
pub(super) struct Connection {
    clock: Clock,
    client: Client,
    url: Url,
    /// The URL as messages show it, without its query.
    shown: String,
    timeout: Duration,
    headers: HeaderMap,
    secrets: Vec<WebhookSecret>,
    token_file: Option<PathBuf>,
    is_batching: bool,
}

impl Connection {
    /// Makes the client. It connects with its first request.
    ///
    /// # Errors
    /// The URL is wrong, or the certificates can't be read.
    pub(super) async fn new(options: &Options, clock: Clock) -> Result<Connection, Failure> {
        let TargetUrl { url } = &options.url;
        let url = url.clone().map_err(|rule| Failure::outage(format!("url: {rule}")))?;
        let content = match &options.ca_file {
            Some(path) => Some(read("ca_file", path, CERTIFICATES_BYTES_MAX as u64).await?),
            None => None,
        };
        let builder = http_client::builder(&url, content.as_deref()).map_err(|error| {
            let path = options.ca_file.as_deref().unwrap_or(Path::new(""));
            Failure::outage(format!("`ca_file` names {}, which cannot be used: {error}", path.display()))
        })?;
        let timeout = Duration::from_secs(options.timeout_secs);
        let client = builder
            .user_agent(USER_AGENT)
            // Covers the body of the answer too, so that a slow receiver can't hold a delivery for longer.
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(options.connect_timeout_secs))
            // One for each delivery that may run at once, so that the next batch needs no new connections.
            .pool_max_idle_per_host(options.concurrency)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Failure::outage(format!("no HTTP client can be made: {}", innermost(&error))))?;
        Ok(Connection {
            clock,
            client,
            shown: options.url.shown(),
            url,
            timeout,
            headers: options.headers.map(),
            secrets: options.secrets.clone(),
            token_file: options.bearer_token_file.clone(),
            is_batching: options.batch_events_max > 1,
        })
    }

    /// Returns the headers of the next requests, with the token that its file holds now.
    ///
    /// # Errors
    /// The file can't be read, or holds no token.
    pub(super) async fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = self.headers.clone();
        if let Some(path) = &self.token_file {
            // Read for each batch, so that a new token needs no restart.
            headers.insert(AUTHORIZATION, bearer(path).await?);
        }
        headers.insert(CONTENT_TYPE, if self.is_batching { BATCH } else { SINGLE });
        Ok(headers)
    }

    /// Posts these events in one request, and returns its outcome.
    pub(super) async fn post(&self, headers: &HeaderMap, records: &[&Record]) -> Outcome {
        let body = if self.is_batching { list(records) } else { records.iter().map(|one| one.event.line()).collect() };
        let mut headers = headers.clone();
        if !self.secrets.is_empty() {
            let id = signature::message_id(records);
            let timestamp = (self.clock)().div_euclid(1000).to_string();
            let signatures = signature::signatures(&self.secrets, &id, &timestamp, body.as_bytes());
            for (name, value) in
                [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)]
            {
                // These values are plain ASCII, so the conversion never fails.
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.insert(name, value);
                }
            }
        }
        match self.answer(self.client.post(self.url.clone()).headers(headers).body(body)).await {
            // The clock is read after the answer, because a date in `Retry-After` counts from there.
            Ok(answer) => answer.outcome(&self.shown, (self.clock)()),
            Err(error) => Outcome::Retry(self.no_answer(&error)),
        }
    }

    /// Sends a HEAD request without an event. Returns a short description of the answer.
    ///
    /// # Errors
    /// The receiver doesn't answer.
    pub(super) async fn probe(&self) -> Result<String, Failure> {
        let headers = self.headers().await?;
        let answer = self.answer(self.client.head(self.url.clone()).headers(headers)).await;
        let answer = answer.map_err(|error| self.no_answer(&error))?;
        Ok(format!(
            "{} can be reached (it answered {} to a HEAD request; livehook sent no event)",
            self.shown, answer.status
        ))
    }

    /// Sends a request, and returns its complete answer. A status alone doesn't count: a proxy may
    /// have sent it, and then the body breaks off.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Answer, AnswerError> {
        let response = request.send().await?;
        let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let location = text(LOCATION).and_then(|location| self.url.join(location).ok());
        Ok(Answer {
            status: response.status(),
            retry_after: text(RETRY_AFTER).map(str::to_owned),
            location: location.as_ref().map(http_client::shown).filter(|_| response.status().is_redirection()),
            body: http_client::read_body(response, ANSWER_BYTES_KEPT, ANSWER_BYTES_MAX).await?,
        })
    }

    fn no_answer(&self, error: &AnswerError) -> Failure {
        let shown = &self.shown;
        let error = match error {
            AnswerError::Broken(error) => error,
            AnswerError::TooLarge(_) => {
                let cure = "let the receiver send a short answer, such as 204 without a body";
                return Failure::outage(format!("{shown}: {error}, so livehook did not read it to its end; {cure}"));
            }
        };
        // A timeout while connecting counts as both kinds.
        Failure::outage(if error.is_connect() && error.is_timeout() {
            format!("{shown}: no connection in time; does its host answer, and does a firewall let livehook out?")
        } else if error.is_timeout() {
            format!("{shown}: no answer within {} s", self.timeout.as_secs())
        } else if error.is_connect() {
            let hint = match self.url.scheme() {
                "https" => "does the receiver run there, and does this machine or `ca_file` trust its certificate?",
                _ => "does the receiver run, and does it listen at `url`?",
            };
            format!("{shown}: no connection: {}; {hint}", innermost(error))
        } else {
            format!("{shown}: the connection broke before the answer was complete: {}", innermost(error))
        })
    }
}

/// The length of a list of `events` whose lines have `bytes` in total: brackets and commas included.
pub(super) fn list_bytes(bytes: usize, events: usize) -> usize {
    bytes + events + 1
}

fn list(records: &[&Record]) -> String {
    // The lines are JSON already. Joined as they are, they give the receiver the same bytes as single events.
    let bytes = records.iter().map(|record| record.event.line().len()).sum();
    let mut body = String::with_capacity(list_bytes(bytes, records.len()));
    for (position, record) in records.iter().enumerate() {
        body.push(if position == 0 { '[' } else { ',' });
        body.push_str(record.event.line());
    }
    body.push(']');
    body
}

async fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let content = read("bearer_token_file", path, TOKEN_BYTES_MAX).await?;
    let token = content.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(&content).trim_ascii();
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
    match value {
        Ok(mut value) if !token.is_empty() => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err(Failure::outage(format!(
            "`bearer_token_file` names {}, which must contain a token on one line; put the token there",
            path.display()
        ))),
    }
}

/// Reads the file that a key of the sink's table names.
async fn read(key: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let owned = path.to_owned();
    let reading = move || {
        let mut content = Vec::new();
        // One byte more than allowed shows that the file is too large.
        File::open(owned)?.take(bytes_max + 1).read_to_end(&mut content).map(|_| content)
    };
    // The message goes into the log and the API.
    let shown = shown_path(path, Path::exists).unwrap_or_else(|| "a path that may be the secret itself".to_owned());
    let content = blocking(reading).await?.map_err(|error| {
        Failure::outage(format!(
            "`{key}` names {shown}, which cannot be read: {error}; correct the path, or let the user that runs livehook read the file"
        ))
    })?;
    if content.len() as u64 > bytes_max {
        let rule = format!("`{key}` names {shown}, which is larger than {bytes_max} bytes; correct the path");
        return Err(Failure::outage(rule));
    }
    Ok(content)
}
