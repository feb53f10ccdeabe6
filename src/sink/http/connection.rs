//! One request and its answer: puts events into a request, and explains why a request got no answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Url};

use super::answer::Answer;
use super::answer_rule::{AnswerRule, Verdict};
use super::body::BodyForm;
use super::chat_signature::{self, ChatSecret, ChatSignature};
use super::client::FreshClient;
use super::options::Options;
use super::request_secrets::own_secrets;
use super::signature::{self, WebhookSecret};
use super::target_url::{TargetUrl, shown};
use crate::byte_order_mark::without_mark_bytes;
use crate::clock::Clock;
use crate::http_client::{self, AnswerError, innermost};
use crate::journal::Record;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::small_file::SmallFile;
use crate::sink::tls_cure::tls_cure;
use crate::sink::{Failure, Outcome};
use crate::tls::CERTIFICATES_BYTES_MAX;

#[cfg(test)]
mod tests;

/// The bytes of an answer's body that are kept for the reason.
const ANSWER_BYTES_KEPT: usize = 4 * 1024;

/// The bytes of an answer's body that a rule judges.
const JUDGED_BYTES_MAX: usize = 64 * 1024;

/// The longest body of an answer, in bytes. The sink reads all of it, because only its end proves that it is whole.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// The scheme of a token, which the file may hold too.
const BEARER: &str = "Bearer ";

/// A client for one receiver, with the parts that all its requests share.
pub(super) struct Connection {
    clock: Clock,
    client: FreshClient,
    url: Url,
    /// The URL as messages show it: scheme and host.
    shown: String,
    timeout: Duration,
    headers: HeaderMap,
    secrets: Vec<WebhookSecret>,
    /// The secrets that no text may show, without the token of `token_file`.
    own_secrets: OwnSecrets,
    token_file: Option<SmallFile>,
    body_form: BodyForm,
    content_type: HeaderValue,
    chat_signature: Option<(ChatSignature, ChatSecret)>,
    answer_rule: Option<AnswerRule>,
}

impl Connection {
    /// Makes the client. It connects with its first request.
    ///
    /// # Errors
    /// The URL is wrong, or the certificates can't be read.
    pub(super) async fn new(options: &Options, clock: Clock) -> Result<Connection, Failure> {
        let TargetUrl { url } = &options.url;
        let url = url.clone().map_err(|rule| Failure::outage(format!("url: {rule}")))?;
        let certificates = match &options.ca_file {
            Some(path) => Some(SmallFile::new("ca_file", path, CERTIFICATES_BYTES_MAX as u64).read().await?),
            None => None,
        };
        let body_form = BodyForm::new(options)?;
        let token_file = options.bearer_token_file.as_deref();
        Ok(Connection {
            clock,
            client: FreshClient::new(&url, certificates, options, clock).await?,
            shown: options.url.shown(),
            url,
            timeout: Duration::from_secs(options.timeout_secs),
            headers: options.headers.map(),
            secrets: options.secrets.clone(),
            own_secrets: own_secrets(options),
            token_file: token_file.map(|path| SmallFile::new("bearer_token_file", path, TOKEN_BYTES_MAX)),
            content_type: content_type(options, &body_form)?,
            body_form,
            chat_signature: options.sign.zip(options.sign_secret.clone()),
            answer_rule: options.answer.clone(),
        })
    }

    /// Returns the headers of the next requests, with the token that its file holds now.
    ///
    /// # Errors
    /// The file can't be read, or holds no token.
    pub(super) async fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = self.headers.clone();
        if let Some(file) = &self.token_file {
            // Read for each batch, so that a new token needs no restart.
            let token = token(file).await?;
            // `token` has checked the characters, so the conversion never fails.
            if let Ok(mut value) = HeaderValue::try_from(format!("{BEARER}{token}")) {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        Ok(headers)
    }

    /// Posts these events in one request, and returns its outcome.
    pub(super) async fn post(&self, headers: &HeaderMap, records: &[&Record]) -> Outcome {
        match self.body(records) {
            Ok(body) => self.send(headers, records, body).await,
            Err(reason) => Outcome::rejected(reason),
        }
    }

    /// Returns the body of a request with these events.
    ///
    /// # Errors
    /// The template fails for one of them.
    pub(super) fn body(&self, records: &[&Record]) -> Result<String, String> {
        self.body_form.body(records)
    }

    /// Posts the body of these events, and returns its outcome.
    pub(super) async fn send(&self, headers: &HeaderMap, records: &[&Record], body: String) -> Outcome {
        let now_ms = (self.clock)();
        let (url, body) = match &self.chat_signature {
            None => (self.url.clone(), body),
            Some((ChatSignature::DingTalk, secret)) => (chat_signature::with_query(&self.url, secret, now_ms), body),
            Some((ChatSignature::Feishu, secret)) => {
                (self.url.clone(), chat_signature::with_members(body, secret, now_ms))
            }
        };
        let mut signed = headers.clone();
        if !self.secrets.is_empty() {
            let id = signature::message_id(records);
            let timestamp = now_ms.div_euclid(1000).to_string();
            let signatures = signature::signatures(&self.secrets, &id, &timestamp, body.as_bytes());
            for (name, value) in
                [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)]
            {
                // These values are plain ASCII, so the conversion never fails.
                if let Ok(value) = HeaderValue::try_from(value) {
                    signed.insert(name, value);
                }
            }
        }
        let request = self.client.get().await.post(url).headers(signed).body(body);
        match self.answer(request, headers).await {
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
        let request = self.client.get().await.head(self.url.clone()).headers(headers.clone());
        let answer = self.answer(request, &headers).await;
        let answer = answer.map_err(|error| self.no_answer(&error))?;
        Ok(format!(
            "{} can be reached (it answered {} to a HEAD request; livehook sent no event)",
            self.shown, answer.status
        ))
    }

    /// Sends a request with these headers, and returns its complete answer. A status alone doesn't count: a proxy may have
    /// sent it, and then the body breaks off. Of a failure with a very long body, the beginning is enough.
    async fn answer(&self, request: RequestBuilder, headers: &HeaderMap) -> Result<Answer, AnswerError> {
        let response = request.send().await?;
        let status = response.status();
        let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let location = text(LOCATION).and_then(|location| self.url.join(location).ok());
        let retry_after = text(RETRY_AFTER).map(str::to_owned);
        let location = location.as_ref().map(shown).filter(|_| status.is_redirection());
        let rule = self.answer_rule.as_ref().filter(|_| !status.is_redirection());
        let kept_bytes = if rule.is_some() { JUDGED_BYTES_MAX } else { ANSWER_BYTES_KEPT };
        let body = match http_client::read_body(response, kept_bytes, ANSWER_BYTES_MAX).await {
            // Only a success must be proven by its end. Otherwise a refusal with a long page would be retried for ever.
            Err(AnswerError::TooLarge { kept, .. }) if !status.is_success() => kept,
            body => body?,
        };
        let verdict =
            rule.map(|rule| rule.verdict(&body)).filter(|verdict| status.is_success() || verdict.is_of_failure());
        // Only the reason of a failure quotes the body, and a search for every form of every secret takes time.
        let is_quoted = verdict.as_ref().map_or(!status.is_success(), |verdict| *verdict != Verdict::Delivered);
        let beginning = &body[..body.floor_char_boundary(ANSWER_BYTES_KEPT)];
        let body = if is_quoted { self.without_secrets(beginning, headers) } else { String::new() };
        Ok(Answer { status, retry_after, location, verdict, body })
    }

    /// Returns a text of the receiver without the secrets of the sink, also without the token in the headers.
    fn without_secrets(&self, text: &str, headers: &HeaderMap) -> String {
        let mut own_secrets = self.own_secrets.clone();
        if let Some(authorization) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            own_secrets.add(authorization.strip_prefix(BEARER).unwrap_or(authorization));
        }
        own_secrets.redact(text)
    }

    fn no_answer(&self, error: &AnswerError) -> Failure {
        let shown = &self.shown;
        let error = match error {
            AnswerError::Broken(error) => error,
            AnswerError::TooLarge { .. } => {
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
            let cause = innermost(error);
            let hint = tls_cure(&cause).unwrap_or("does the receiver run, and does it listen at `url`?");
            format!("{shown}: no connection: {cause}; {hint}")
        } else {
            format!("{shown}: the connection broke before the answer was complete: {}", innermost(error))
        })
    }
}

/// The content type of every request.
fn content_type(options: &Options, body_form: &BodyForm) -> Result<HeaderValue, Failure> {
    let text = options.content_type.as_deref().unwrap_or(body_form.content_type());
    HeaderValue::try_from(text).map_err(|error| Failure::outage(format!("content_type: {error}")))
}

/// Returns the token in the file, without a `Bearer` before it.
async fn token(file: &SmallFile) -> Result<String, Failure> {
    let content = file.read().await?;
    let text = String::from_utf8_lossy(without_mark_bytes(&content));
    let text = text.trim();
    // Many tools write a token with its scheme, in any case.
    let token = match text.get(..BEARER.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(BEARER) => text[BEARER.len()..].trim_start(),
        _ => text,
    };
    if token.is_empty() || token.eq_ignore_ascii_case(BEARER.trim()) || HeaderValue::try_from(token).is_err() {
        return Err(Failure::outage(format!("{file} must contain a token on one line; put the token there")));
    }
    Ok(token.to_owned())
}
