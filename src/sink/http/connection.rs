//! One request and its answer: how events are put into a request, and what becomes of one that gets no answer.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Url};

use super::answer::{Answer, Verdict};
use super::signature::{self, WebhookSecret};
use super::{Options, TargetUrl};
use crate::http_client::{self, AnswerError, CERTIFICATES_BYTES_MAX, innermost};
use crate::journal::Record;
use crate::sink::{DeliveryError, blocking};

const USER_AGENT: &str = concat!("livehook/", env!("CARGO_PKG_VERSION"));

/// The media types of CloudEvents 1.0 for a single event and for a list.
const SINGLE: HeaderValue = HeaderValue::from_static("application/cloudevents+json");
const BATCH: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json");

/// How long a connection is kept without use. Servers close theirs after some time, of which Node's 5 s are the shortest
/// that is common: a request that crosses such a close gets no answer, and would be a failure for nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// So much of an answer's body is kept, in bytes: more is not told.
const ANSWER_BYTES_KEPT: usize = 4 * 1024;

/// The most that an answer may hold, in bytes. All of it is read, since only its end proves that it is whole.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What some editors put before a text, and what is no part of it.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// A client for one receiver, with all that its requests have in common.
pub(super) struct Connection {
    client: Client,
    url: Url,
    /// The URL as it is told.
    shown: String,
    timeout: Duration,
    headers: HeaderMap,
    secrets: Vec<WebhookSecret>,
    token_file: Option<PathBuf>,
    is_batching: bool,
    is_lenient: bool,
}

impl Connection {
    /// Makes the client. It connects with its first request.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub(super) async fn new(options: &Options) -> Result<Connection, DeliveryError> {
        let TargetUrl { url } = &options.url;
        let url = url.clone().map_err(|rule| DeliveryError::transient(format!("url: {rule}")))?;
        let content = match &options.ca_file {
            Some(path) => Some(read("ca_file", path, CERTIFICATES_BYTES_MAX as u64).await?),
            None => None,
        };
        let builder = http_client::builder(&url, content.as_deref()).map_err(|error| {
            let path = options.ca_file.as_deref().unwrap_or(Path::new(""));
            DeliveryError::transient(format!("`ca_file` names {}, which cannot be used: {error}", path.display()))
        })?;
        let timeout = Duration::from_secs(options.timeout_secs);
        let client = builder
            .user_agent(USER_AGENT)
            .timeout(timeout)
            .connect_timeout(Duration::from_secs(options.connect_timeout_secs))
            .pool_max_idle_per_host(options.concurrency)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| DeliveryError::transient(format!("no HTTP client can be made: {}", innermost(&error))))?;
        Ok(Connection {
            client,
            shown: options.url.shown(),
            url,
            timeout,
            headers: options.headers.map(),
            secrets: options.secrets.clone(),
            token_file: options.bearer_token_file.clone(),
            is_batching: options.batch_events_max > 1,
            is_lenient: options.client_errors_are_transient,
        })
    }

    /// The headers of requests for the next while, with the token as its file has it now.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token.
    pub(super) async fn headers(&self) -> Result<HeaderMap, DeliveryError> {
        let mut headers = self.headers.clone();
        if let Some(path) = &self.token_file {
            headers.insert(AUTHORIZATION, bearer(path).await?);
        }
        headers.insert(CONTENT_TYPE, if self.is_batching { BATCH } else { SINGLE });
        Ok(headers)
    }

    /// Posts these events in one request.
    pub(super) async fn post(&self, headers: &HeaderMap, records: &[&Record]) -> Verdict {
        let body = if self.is_batching { list(records) } else { records.iter().map(|one| one.event.line()).collect() };
        let mut headers = headers.clone();
        if !self.secrets.is_empty() {
            let id = signature::message_id(records);
            let timestamp = jiff::Timestamp::now().as_second().to_string();
            let signatures = signature::signatures(&self.secrets, &id, &timestamp, body.as_bytes());
            for (name, value) in
                [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)]
            {
                // All three are made of plain letters and digits.
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.insert(name, value);
                }
            }
        }
        match self.answer(self.client.post(self.url.clone()).headers(headers).body(body)).await {
            Ok(answer) => answer.verdict(&self.shown, self.is_lenient, SystemTime::now()),
            Err(error) => Verdict::Outage(self.no_answer(&error)),
        }
    }

    /// Asks for nothing, to see whether there is an answer. Returns it in a few words.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn probe(&self) -> Result<String, DeliveryError> {
        let headers = self.headers().await?;
        let answer = self.answer(self.client.head(self.url.clone()).headers(headers)).await;
        let answer = answer.map_err(|error| self.no_answer(&error))?;
        Ok(format!("{} can be reached (it answered {} to a HEAD, and was sent no event)", self.shown, answer.status))
    }

    /// Only a complete answer is one: a status whose body breaks off may have come from anything on the way.
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

    fn no_answer(&self, error: &AnswerError) -> DeliveryError {
        let shown = &self.shown;
        let error = match error {
            AnswerError::Broken(error) => error,
            AnswerError::TooLarge(_) => {
                let cure = "have the receiver answer in few words, such as 204 with none";
                return DeliveryError::transient(format!("{shown}: {error}, so it was not read to its end; {cure}"));
            }
        };
        DeliveryError::transient(if error.is_connect() && error.is_timeout() {
            format!("{shown}: no connection in time; does its host answer, and does a firewall let livehook out?")
        } else if error.is_timeout() {
            format!("{shown}: no answer within {} s", self.timeout.as_secs())
        } else if error.is_connect() {
            let hint = match self.url.scheme() {
                "https" => {
                    "does the receiver run there, and is its certificate one that this machine or `ca_file` vouches for?"
                }
                _ => "does the receiver run, and is `url` where it listens?",
            };
            format!("{shown}: no connection: {}; {hint}", innermost(error))
        } else {
            format!("{shown}: the connection broke before the answer was complete: {}", innermost(error))
        })
    }
}

/// How many bytes a list of events of these lengths has.
pub(super) fn list_bytes(bytes: usize, events: usize) -> usize {
    bytes + events + 1
}

fn list(records: &[&Record]) -> String {
    let bytes = records.iter().map(|record| record.event.line().len()).sum();
    let mut body = String::with_capacity(list_bytes(bytes, records.len()));
    for (position, record) in records.iter().enumerate() {
        body.push(if position == 0 { '[' } else { ',' });
        body.push_str(record.event.line());
    }
    body.push(']');
    body
}

async fn bearer(path: &Path) -> Result<HeaderValue, DeliveryError> {
    let content = read("bearer_token_file", path, TOKEN_BYTES_MAX).await?;
    let token = content.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(&content).trim_ascii();
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
    match value {
        Ok(mut value) if !token.is_empty() => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err(DeliveryError::transient(format!(
            "`bearer_token_file` names {}, which must hold a token, in one line; put it there",
            path.display()
        ))),
    }
}

/// Reads the file that a key names.
async fn read(key: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, DeliveryError> {
    let owned = path.to_owned();
    let reading = move || {
        let mut content = Vec::new();
        File::open(owned)?.take(bytes_max + 1).read_to_end(&mut content).map(|_| content)
    };
    let shown = path.display();
    let content = blocking(reading).await?.map_err(|error| {
        DeliveryError::transient(format!(
            "`{key}` names {shown}, which cannot be read: {error}; correct the path, or let the user that runs livehook read the file"
        ))
    })?;
    if content.len() as u64 > bytes_max {
        let rule = format!("`{key}` names {shown}, which is larger than {bytes_max} bytes; correct the path");
        return Err(DeliveryError::transient(rule));
    }
    Ok(content)
}
