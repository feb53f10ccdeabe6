//! The keys of an HTTP sink. No type here prints a secret.

use std::path::PathBuf;

use serde::Deserialize;

use super::answer_rule::AnswerRule;
use super::chat_signature::{ChatSecret, ChatSignature};
use super::headers::Headers;
use super::message::{Escape, TemplateOptions};
use super::signature::WebhookSecret;
use super::target_url::TargetUrl;
use crate::sink::Format;

/// The keys of an HTTP sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The URL that events are posted to. The variable `LIVEHOOK_SINK_<NAME>_URL` wins.
    #[serde(default)]
    pub url: TargetUrl,
    /// A file with the URL.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The secrets to sign with, at most two. Secrets of the file and of the variable are added. Without a secret, requests are
    /// unsigned.
    #[serde(default)]
    pub secrets: Vec<WebhookSecret>,
    /// A file with secrets, one per line. Blank lines and lines that begin with `#` are skipped.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: Headers,
    /// A file whose text is sent as `Authorization: Bearer`. The sink reads it again for each batch, so that a new token needs
    /// no restart.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// The form of an event in a body.
    #[serde(default)]
    pub format: Format,
    /// The header `Content-Type` of every request. Unset means the one of the body.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The template of the body.
    #[serde(default)]
    pub template: Option<String>,
    /// A file with the template.
    #[serde(default)]
    pub template_file: Option<PathBuf>,
    /// The template of the file.
    #[serde(skip)]
    pub template_of_file: Option<String>,
    /// How the template writes text of an event.
    #[serde(default)]
    pub escape: Escape,
    /// The URL of the dashboard, for `session_url` in the template.
    #[serde(default)]
    pub dashboard_url: Option<String>,
    /// The least time between two messages, in seconds. Events that come in between share the next message. Unset means a message
    /// for each event.
    #[serde(default)]
    pub min_interval_secs: Option<u64>,
    /// Which answers with status 2xx are a success. Unset means all.
    #[serde(default)]
    pub answer: Option<AnswerRule>,
    /// The signature that a chat tool demands.
    #[serde(default)]
    pub sign: Option<ChatSignature>,
    /// A file with the secret of that signature. The variable `LIVEHOOK_SINK_<NAME>_SIGN_SECRET` wins.
    #[serde(default)]
    pub sign_secret_file: Option<PathBuf>,
    /// The secret of the file or of the variable.
    #[serde(skip)]
    pub sign_secret: Option<ChatSecret>,
    /// A file of certificates (PEM). One of them must vouch for the server. Unset means the system's certificates.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The time limit of a request, from its beginning to the end of its answer, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The time limit of a connection attempt, in seconds.
    #[serde(default = "default_connect_timeout_secs")]
    pub connect_timeout_secs: u64,
    /// The number of requests that may be in flight at once. Events of one stream still go out one after another.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// The most events in one request. With 1, the body is an object, otherwise a list.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
    /// The largest body of a request with several events, in bytes.
    #[serde(default = "default_batch_bytes_max")]
    pub batch_bytes_max: usize,
}

fn default_timeout_secs() -> u64 {
    15
}

fn default_connect_timeout_secs() -> u64 {
    5
}

fn default_concurrency() -> usize {
    4
}

fn default_batch_events_max() -> usize {
    1
}

fn default_batch_bytes_max() -> usize {
    1024 * 1024
}

impl Options {
    /// The template and its key; `None` if there is none, or if its file was not read.
    pub(super) fn template(&self) -> Option<(&'static str, TemplateOptions<'_>)> {
        let (key, text) = match (&self.template, &self.template_of_file) {
            (Some(text), _) => ("template", text),
            (None, Some(text)) => ("template_file", text),
            (None, None) => return None,
        };
        let content_type = self.content_type.as_deref().unwrap_or(Format::Data.content_type());
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = essence.ends_with("/json") || essence.ends_with("+json");
        let dashboard_url = self.dashboard_url.as_deref();
        Some((key, TemplateOptions { text, escape: self.escape, is_json, dashboard_url }))
    }

    /// Whether the configuration has a template, also if its file was not read.
    pub(super) fn has_template(&self) -> bool {
        self.template.is_some() || self.template_file.is_some()
    }
}
