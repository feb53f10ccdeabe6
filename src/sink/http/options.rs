//! The keys of an HTTP sink, and their rules. No type here prints a secret.

use std::path::{Path, PathBuf};

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::headers::Headers;
use super::signature::{SecretError, WebhookSecret};
use super::target_url::TargetUrl;
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::url_source::url_elsewhere;
use crate::sink::{Format, Mistake, SecretSources};

/// The most secrets: the old one and the new one, during a rotation.
const SECRETS_MAX: usize = 2;

/// The largest concurrency limit. A larger one would only move the queue into the receiver.
const CONCURRENCY_MAX: usize = 256;

const BATCH_EVENTS_MAX: usize = 1000;

const BATCH_BYTES_MIN: usize = 1024;
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

const TIMEOUT_SECS_MAX: u64 = 3600;

pub(super) const CONTENT_TYPE_RULE: &str = "must be a media type of one line, such as \"application/json\"";

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
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.secrets.is_empty() {
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
        ];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn read_files(&self) -> Vec<&Path> {
        let files = self.secret_files().into_iter().map(|(_, path)| path);
        files.chain(self.ca_file.as_deref()).collect()
    }

    fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        let (url, mut mistakes) = url_elsewhere(!self.url.is_missing(), self.url_file.as_deref(), sources);
        if let Some(url) = url {
            self.url = TargetUrl::new(&url);
        }
        if let Some(path) = self.secrets_file.clone() {
            // The value is the path: the text of a secret must not get into a message.
            let mut mistake = |rule: String| {
                let value = sources.shown(&path).map(|shown| format!("{shown:?}"));
                mistakes.push(Mistake { key: "secrets_file".to_owned(), value, rule });
            };
            match sources.file(&path) {
                Ok(text) => {
                    for (position, line) in text.lines().map(str::trim).enumerate() {
                        if line.is_empty() || line.starts_with('#') {
                            continue;
                        }
                        if let Err(error) = self.add_secret(line) {
                            mistake(format!("line {}: {error}", position + 1));
                        }
                    }
                    if self.secrets.is_empty() {
                        mistake("contains no secret; `livehook keygen --webhook` makes one".to_owned());
                    }
                }
                Err(error) => mistake(format!(
                    "cannot be read: {error}; correct the path, or let the user that runs livehook read the file"
                )),
            }
        }
        if let Some((name, text)) = sources.variable("SECRETS") {
            for secret in text.split(',') {
                let Err(error) = self.add_secret(secret.trim()) else { continue };
                let mistake = Mistake { key: "secrets".to_owned(), value: None, rule: format!("{name}: {error}") };
                // The texts of secrets are not shown, so two mistakes can look the same.
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
        mistakes
    }
}

/// Whether a text can be a media type: a type, a slash and a subtype, and parameters if it has any.
fn is_media_type(text: &str) -> bool {
    let mut parts = text.split(';').next().unwrap_or_default().trim_end().split('/');
    let is_name = |part: Option<&str>| part.is_some_and(|name| HeaderName::try_from(name).is_ok());
    is_name(parts.next()) && is_name(parts.next()) && parts.next().is_none() && HeaderValue::try_from(text).is_ok()
}

impl Options {
    fn add_secret(&mut self, text: &str) -> Result<(), SecretError> {
        let secret = WebhookSecret::new(text)?;
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn options(toml: &str) -> Options {
        toml::from_str(toml).unwrap()
    }

    fn keys(options: &Options) -> Vec<String> {
        options.mistakes().into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn values_out_of_range_are_mistakes() {
        let wrong = "url = \"http://a\"\ntimeout_secs = 0\nconnect_timeout_secs = 3601\nconcurrency = 0\nbatch_events_max = 1001\nbatch_bytes_max = 1";
        assert_eq!(
            keys(&options(wrong)),
            ["timeout_secs", "connect_timeout_secs", "concurrency", "batch_events_max", "batch_bytes_max"]
        );
    }

    #[test]
    fn content_type_is_a_media_type() {
        for (text, is_right) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("", false),
            ("json", false),
            ("a/b/c", false),
            ("/json", false),
            ("text /plain", false),
            ("text/plain\nHost: b", false),
        ] {
            let wrong = keys(&options(&format!("url = \"http://a\"\ncontent_type = {text:?}")));
            assert_eq!(wrong.is_empty(), is_right, "{text}");
        }
    }

    #[test]
    fn unsigned_or_unencrypted_is_a_warning() {
        assert_eq!(options("url = \"http://a\"").warnings().len(), 1);
        assert_eq!(options("url = \"http://a\"\nbearer_token_file = \"t\"").warnings().len(), 2);
        let signed = format!("url = \"https://a\"\nsecrets = [\"{SECRET}\"]\nbearer_token_file = \"t\"");
        assert_eq!(options(&signed).warnings().len(), 0);
    }

    #[test]
    fn the_url_has_one_source() {
        let url = |toml: &str, file, variable| {
            let mut options = options(toml);
            let mistakes = options.take_secrets(&Given(file, variable));
            (mistakes.len() + options.mistakes().len(), options.url)
        };
        let at = |host: &str| TargetUrl::new(&format!("https://{host}/secret"));
        assert_eq!(url("url = \"https://a/secret\"", "", None), (0, at("a")));
        assert_eq!(url("url_file = \"there\"", "https://b/secret\n", None), (0, at("b")));
        assert_eq!(url("url = \"https://a/secret\"\nurl_file = \"there\"", "https://b/secret", None), (1, at("a")));
        for (toml, file) in [("", ""), ("url_file = \"there\"", " \n"), ("url_file = \"elsewhere\"", "")] {
            assert_eq!(url(toml, file, None), (1, TargetUrl::default()), "{toml}");
        }
        assert_eq!(url("url_file = \"there\"", "hunter2", None).0, 1);
        let mut by_variable = options("url = \"https://a/secret\"");
        assert_eq!(by_variable.take_secrets(&UrlVariable), []);
        assert_eq!(by_variable.url, at("c"));
    }

    struct UrlVariable;

    impl SecretSources for UrlVariable {
        fn variable(&self, purpose: &str) -> Option<(String, String)> {
            (purpose == "URL").then(|| ("LIVEHOOK_SINK_X_URL".to_owned(), "https://c/secret".to_owned()))
        }

        fn file(&self, _: &Path) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }

        fn shown(&self, _: &Path) -> Option<String> {
            None
        }
    }

    struct Given(&'static str, Option<&'static str>);

    impl SecretSources for Given {
        fn variable(&self, what: &str) -> Option<(String, String)> {
            self.1.filter(|_| what == "SECRETS").map(|text| (format!("LIVEHOOK_SINK_X_{what}"), text.to_owned()))
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            if path == Path::new("there") { Ok(self.0.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
        }

        fn shown(&self, path: &Path) -> Option<String> {
            (path == Path::new("there")).then(|| "there".to_owned())
        }
    }

    #[test]
    fn secrets_of_all_sources_add_up() {
        let other = WebhookSecret::from_bytes(&[3; 32]).unwrap();
        let text = format!("url = \"https://a\"\nsecrets = [\"{SECRET}\"]\nsecrets_file = \"there\"");
        let mut signed = options(&text);
        let file = format!("# old\n\n {SECRET}\n{}\n", other.reveal()).leak();
        assert_eq!(signed.take_secrets(&Given(file, Some(SECRET))), []);
        assert_eq!(signed.secrets, [WebhookSecret::new(SECRET).unwrap(), other]);
        assert_eq!(signed.mistakes(), []);
        signed.secrets.push(WebhookSecret::from_bytes(&[4; 32]).unwrap());
        assert_eq!(keys(&signed), ["secrets"]);
    }

    #[test]
    fn wrong_secrets_are_mistakes_unprinted() {
        for (file, path, variable, key) in [
            ("", "there", None, "secrets_file"),
            ("hunter2", "there", None, "secrets_file"),
            ("", "elsewhere", None, "secrets_file"),
            (SECRET, "there", Some("hunter2,"), "secrets"),
            (SECRET, "whsec_hunter2", None, "secrets_file"),
        ] {
            let mut unsigned = options(&format!("url = \"https://a\"\nsecrets_file = \"{path}\""));
            let mistakes = unsigned.take_secrets(&Given(file, variable));
            assert!(mistakes.iter().any(|mistake| mistake.key == key), "{mistakes:?}");
            assert!(key != "secrets" || mistakes.len() == 1, "reported once: {mistakes:?}");
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
        }
    }
}
