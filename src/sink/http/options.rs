//! The keys of an HTTP sink, and their rules. Nothing of what may be a secret can be printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};

use super::signature::WebhookSecret;
use crate::http_client;
use crate::sink::{Mistake, SecretSources, member_path};

/// So many secrets at once: the old one and the new, while they change.
const SECRETS_MAX: usize = 2;

/// More at once would only move the queue into the receiver.
const CONCURRENCY_MAX: usize = 256;

const BATCH_EVENTS_MAX: usize = 1000;

const BATCH_BYTES_MIN: usize = 1024;
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

const TIMEOUT_SECS_MAX: u64 = 3600;

/// Headers that the sink or the protocol sets.
const RESERVED: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Headers of which every one that begins so is reserved.
const RESERVED_PREFIXES: [&str; 2] = ["webhook-", "proxy-"];

/// The keys of an HTTP sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// Where events are posted.
    pub url: TargetUrl,
    /// The secrets to sign with, at most two; none sends unsigned. Those of the file and of the variable add up with them.
    #[serde(default)]
    pub secrets: Vec<WebhookSecret>,
    /// A file with secrets, one a line; blank lines and those that begin with `#` are skipped.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: Headers,
    /// A file whose text is sent as `Authorization: Bearer`. It is read again for each batch of records, so that a new token
    /// is taken up by itself.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// A file of certificates (PEM), of which one must vouch for the server; unset is those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long a request may take from its beginning to the end of its answer, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// How long a connection may take, in seconds.
    #[serde(default = "default_connect_timeout_secs")]
    pub connect_timeout_secs: u64,
    /// How many requests may be under way at once. Events of one stream still go one after the other.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// How many events one request may have; with 1 it is an object, else a list.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
    /// How large the body of a request with several events may be, in bytes.
    #[serde(default = "default_batch_bytes_max")]
    pub batch_bytes_max: usize,
    /// Try again where the receiver refuses with 3xx or 4xx, instead of making a dead letter at once.
    #[serde(default)]
    pub client_errors_are_transient: bool,
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
    /// Every rule that these options break.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Err(rule) = &self.url.url {
            mistakes.push(Mistake { key: "url".to_owned(), value: None, rule: (*rule).to_owned() });
        }
        let mut range = |key: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                let rule = format!("must be from {least} to {most}");
                mistakes.push(Mistake { key: key.to_owned(), value: Some(value.to_string()), rule });
            }
        };
        range("timeout_secs", self.timeout_secs, 1, TIMEOUT_SECS_MAX);
        range("connect_timeout_secs", self.connect_timeout_secs, 1, TIMEOUT_SECS_MAX);
        range("concurrency", self.concurrency as u64, 1, CONCURRENCY_MAX as u64);
        range("batch_events_max", self.batch_events_max as u64, 1, BATCH_EVENTS_MAX as u64);
        range("batch_bytes_max", self.batch_bytes_max as u64, BATCH_BYTES_MIN as u64, BATCH_BYTES_MAX as u64);
        if self.secrets.len() > SECRETS_MAX {
            let rule =
                format!("are more than {SECRETS_MAX}, the old one and the new: leave out those that no receiver knows");
            mistakes.push(Mistake { key: "secrets".to_owned(), value: None, rule });
        }
        mistakes.extend(self.headers.mistakes(self.bearer_token_file.is_some()));
        mistakes
    }

    /// What is allowed and yet worth a look.
    pub fn warnings(&self) -> Vec<String> {
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

    /// Adds the secrets of the file and of the variable.
    pub(in crate::sink) fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Some(path) = self.secrets_file.clone() {
            let mut mistake = |rule: String| {
                let value = Some(format!("{:?}", path.to_string_lossy()));
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
                        mistake("holds no secret; `livehook keygen --webhook` makes one".to_owned());
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
                // Secrets are not shown, so that several would be told as the same.
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
        mistakes
    }

    fn add_secret(&mut self, text: &str) -> Result<(), super::signature::SecretError> {
        let secret = WebhookSecret::new(text)?;
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
        Ok(())
    }
}

/// Where events are posted. What is no such URL is kept as the rule that it breaks, without its text, since that may hold a
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUrl {
    pub(super) url: Result<Url, &'static str>,
}

impl TargetUrl {
    /// Reads the URL.
    pub fn new(text: &str) -> TargetUrl {
        let url = match Url::parse(text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("holds a user name or a password, which others could come to see: put a token into \
                 `bearer_token_file`, or an Authorization into `headers`")
            }
            Ok(mut url) if http_client::is_callable(&url) => {
                url.set_fragment(None);
                Ok(url)
            }
            _ => Err("must be a URL that begins with http:// or https://, such as \"https://example.com/events\""),
        };
        TargetUrl { url }
    }

    /// The URL without its query, which may hold a secret.
    pub fn shown(&self) -> String {
        self.url.as_ref().map_or_else(|_| "no URL".to_owned(), http_client::shown)
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TargetUrl({})", self.shown())
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TargetUrl, D::Error> {
        Ok(TargetUrl::new(&String::deserialize(deserializer)?))
    }
}

/// Headers of every request. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The headers as they are sent. Those that are none are left out: they are mistakes.
    pub(super) fn map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.0 {
            if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                value.set_sensitive(true);
                map.insert(name, value);
            }
        }
        map
    }

    fn mistakes(&self, has_token: bool) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in &self.0 {
            let lower = name.to_ascii_lowercase();
            let rule = if HeaderName::try_from(name).is_err() {
                "is no name of an HTTP header"
            } else if HeaderValue::try_from(value).is_err() {
                "must be a text of one line"
            } else if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|with| lower.starts_with(with))
            {
                "is set by livehook or by HTTP itself: remove it"
            } else if has_token && lower == "authorization" {
                "is set by `bearer_token_file` too: keep one of the two"
            } else if seen.contains(&lower) {
                "is there twice: the case of letters makes no difference"
            } else {
                seen.push(lower);
                continue;
            };
            mistakes.push(Mistake { key: member_path("headers", name), value: None, rule: rule.to_owned() });
        }
        mistakes
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn options(toml: &str) -> Options {
        toml::from_str(toml).unwrap()
    }

    fn keys(options: &Options) -> Vec<String> {
        options.mistakes().into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn urls_that_are_none_or_hold_a_password_are_refused_and_not_shown() {
        for text in [
            "",
            "example.com",
            "ftp://a/b",
            "http://",
            "https://user:hunter2@example.com/",
            "http://:hunter2@a/",
            "http://hunter2@a",
        ] {
            let options = options(&format!("url = {text:?}"));
            let mistakes = options.mistakes();
            assert_eq!(mistakes.len(), 1, "{text}");
            assert!(!format!("{mistakes:?}{options:?}").contains("hunter2"));
        }
        let good = options("url = \"https://example.com:8443/hook?token=hunter2#part\"");
        assert_eq!(keys(&good), [""; 0]);
        assert_eq!(good.url.shown(), "https://example.com:8443/hook");
        assert!(!format!("{good:?}").contains("hunter2"));
        assert_eq!(good.url.url.unwrap().as_str(), "https://example.com:8443/hook?token=hunter2");
    }

    #[test]
    fn bounds_are_kept() {
        let wrong = "url = \"http://a\"\ntimeout_secs = 0\nconnect_timeout_secs = 3601\nconcurrency = 0\nbatch_events_max = 1001\nbatch_bytes_max = 1";
        assert_eq!(
            keys(&options(wrong)),
            ["timeout_secs", "connect_timeout_secs", "concurrency", "batch_events_max", "batch_bytes_max"]
        );
    }

    #[test]
    fn headers_that_are_ours_or_none_are_refused_and_no_value_is_printed() {
        for name in ["Content-Type", "HOST", "webhook-id", "Webhook-Anything", "Proxy-Authorization", "a b", "", "ä"] {
            let options = options(&format!("url = \"http://a\"\nheaders = {{ {name:?} = \"hunter2\" }}"));
            assert_eq!(options.mistakes().len(), 1, "{name}");
            assert!(!format!("{options:?}{:?}", options.mistakes()).contains("hunter2"));
        }
        for (headers, count) in [
            ("{ Authorization = \"Basic eDp5\", X-Team = \"live\" }", 0),
            ("{ X-Team = \"a\", x-team = \"b\" }", 1),
            ("{ X-Team = \"a\\nHost: b\" }", 1),
        ] {
            assert_eq!(keys(&options(&format!("url = \"http://a\"\nheaders = {headers}"))).len(), count, "{headers}");
        }
        let both = "url = \"http://a\"\nheaders = { Authorization = \"x\" }\nbearer_token_file = \"t\"";
        assert_eq!(keys(&options(both)), ["headers.Authorization"]);
    }

    #[test]
    fn what_is_unsigned_or_unencrypted_is_warned_of() {
        assert_eq!(options("url = \"http://a\"").warnings().len(), 1);
        assert_eq!(options("url = \"http://a\"\nbearer_token_file = \"t\"").warnings().len(), 2);
        let signed = format!("url = \"https://a\"\nsecrets = [\"{SECRET}\"]\nbearer_token_file = \"t\"");
        assert_eq!(options(&signed).warnings().len(), 0);
    }

    struct Given(&'static str, Option<&'static str>);

    impl SecretSources for Given {
        fn variable(&self, what: &str) -> Option<(String, String)> {
            self.1.map(|text| (format!("LIVEHOOK_SINK_X_{what}"), text.to_owned()))
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            if path == Path::new("there") { Ok(self.0.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
        }
    }

    #[test]
    fn secrets_of_all_sources_add_up_without_repetition() {
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
    fn a_source_without_a_good_secret_is_a_mistake_that_does_not_repeat_it() {
        for (file, path, variable, key) in [
            ("", "there", None, "secrets_file"),
            ("hunter2", "there", None, "secrets_file"),
            ("", "elsewhere", None, "secrets_file"),
            (SECRET, "there", Some("hunter2,"), "secrets"),
        ] {
            let mut unsigned = options(&format!("url = \"https://a\"\nsecrets_file = \"{path}\""));
            let mistakes = unsigned.take_secrets(&Given(file, variable));
            assert!(mistakes.iter().any(|mistake| mistake.key == key), "{mistakes:?}");
            assert!(key != "secrets" || mistakes.len() == 1, "told once: {mistakes:?}");
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
        }
    }
}
