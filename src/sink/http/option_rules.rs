//! The rules for the keys of an HTTP sink.

use std::path::Path;

use reqwest::header::{HeaderName, HeaderValue};

use super::message_rules;
use super::option_files::take_files_and_variables;
use super::options::Options;
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::{Mistake, SecretSources};

/// The most secrets: the old one and the new one, during a rotation.
const SECRETS_MAX: usize = 2;

/// The largest concurrency limit. A larger one would only move the queue into the receiver.
const CONCURRENCY_MAX: usize = 256;

const BATCH_EVENTS_MAX: usize = 1000;

const BATCH_BYTES_MIN: usize = 1024;
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

const TIMEOUT_SECS_MAX: u64 = 3600;

const CONTENT_TYPE_RULE: &str = "must be a media type of one line, such as \"application/json\"";

impl Keys for Options {
    fn target(&self) -> Option<String> {
        Some(self.url.shown())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        // A sink without a valid name has no variables, and its files are not read.
        let is_elsewhere = self.url.is_missing() && self.url_file.is_some();
        if let Err(rule) = &self.url.url
            && !is_elsewhere
        {
            // A wrong URL may contain a password, so its text is not shown.
            mistakes.add("url", None, rule);
        }
        mistakes.check_range("timeout_secs", self.timeout_secs, 1..=TIMEOUT_SECS_MAX);
        mistakes.check_range("connect_timeout_secs", self.connect_timeout_secs, 1..=TIMEOUT_SECS_MAX);
        mistakes.check_range("concurrency", self.concurrency, 1..=CONCURRENCY_MAX);
        mistakes.check_range("batch_events_max", self.batch_events_max, 1..=BATCH_EVENTS_MAX);
        mistakes.check_range("batch_bytes_max", self.batch_bytes_max, BATCH_BYTES_MIN..=BATCH_BYTES_MAX);
        if let Some(text) = &self.content_type {
            mistakes.check(is_media_type(text), "content_type", format!("{text:?}"), CONTENT_TYPE_RULE);
        }
        if self.secrets.len() > SECRETS_MAX {
            let rule = format!(
                "are more than {SECRETS_MAX}; a rotation needs the old one and the new one: remove every other secret"
            );
            mistakes.add("secrets", None, &rule);
        }
        mistakes.extend(self.headers.mistakes(self.bearer_token_file.is_some()));
        message_rules::check(self, &mut mistakes);
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        // A chat tool verifies no signature of livehook.
        if self.secrets.is_empty() && !self.has_template() {
            warnings.push(
                "there is no secret, so requests are not signed and the receiver cannot know who sent them; \
                 `livehook keygen --webhook` makes one for `secrets`"
                    .to_owned(),
            );
        }
        if self.bearer_token_file.is_some() && self.url.url.as_ref().is_ok_and(|url| url.scheme() == "http") {
            warnings.push("`bearer_token_file` with an http URL: the token is sent unencrypted; use https".to_owned());
        }
        warnings
    }

    fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        let files = [
            ("url_file", &self.url_file),
            ("secrets_file", &self.secrets_file),
            ("bearer_token_file", &self.bearer_token_file),
            ("sign_secret_file", &self.sign_secret_file),
        ];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn read_files(&self) -> Vec<&Path> {
        let files = self.secret_files().into_iter().map(|(_, path)| path);
        files.chain(self.ca_file.as_deref()).chain(self.template_file.as_deref()).collect()
    }

    fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        take_files_and_variables(self, sources)
    }
}

/// Whether a text can be a media type: a type, a slash and a subtype, and parameters if it has any.
fn is_media_type(text: &str) -> bool {
    let mut parts = text.split(';').next().unwrap_or_default().trim_end().split('/');
    let is_name = |part: Option<&str>| part.is_some_and(|name| HeaderName::try_from(name).is_ok());
    is_name(parts.next()) && is_name(parts.next()) && parts.next().is_none() && HeaderValue::try_from(text).is_ok()
}

#[cfg(test)]
mod tests;
