//! The keys of a Redis sink, and their rules.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sink::format::Format;
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::server::{Access, Credentials, Limits, Password, ServerKeys, ServerUrl, TlsFiles};
use crate::sink::{Mistake, SecretSources};

/// The scheme without and with TLS.
const SCHEMES: [&str; 2] = ["redis", "rediss"];

const URL_RULE: &str =
    "must be a URL that begins with redis://, or with rediss:// for TLS, such as \"redis://redis.example.com:6379/0\"";

/// The keys of a Redis sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The URL of the server. The variable `LIVEHOOK_SINK_<NAME>_URL` wins.
    #[serde(default)]
    pub url: ServerUrl,
    /// A file with the URL.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The user, for servers with an ACL. The variable `LIVEHOOK_SINK_<NAME>_USER` wins.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password. The variable `LIVEHOOK_SINK_<NAME>_PASSWORD` wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The password of the file or of the variable.
    #[serde(skip)]
    pub password: Option<Password>,
    /// A file of certificates (PEM). One of them must vouch for the server. Unset means the system's certificates.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with livehook's own certificate (PEM).
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// A file with the private key of that certificate (PEM).
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// The form of an event in a stream.
    #[serde(default)]
    pub format: Format,
    /// What the sink writes.
    #[serde(default)]
    pub mode: Mode,
    /// The key of the stream, in mode `stream`.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// The approximate number of entries that the stream keeps, in mode `stream`. Unset keeps all.
    #[serde(default)]
    pub maxlen: Option<NonZeroU64>,
    /// How every key begins, in mode `live`.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Whether each change is published, in mode `live`.
    #[serde(default)]
    pub publish: bool,
    /// The time limit of a connection attempt, and of a call, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The most events in one call.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
}

/// What the sink writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every event, as an entry of a stream.
    #[default]
    Stream,
    /// The live streams, as fields of a hash.
    Live,
}

fn default_stream() -> String {
    "livehook:events".to_owned()
}

fn default_prefix() -> String {
    "livehook:".to_owned()
}

fn default_timeout_secs() -> u64 {
    15
}

fn default_batch_events_max() -> usize {
    500
}

impl Options {
    /// Whether the connection is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.server().is_tls()
    }

    /// The number of the database; `None` if the path of the URL is no number.
    pub(super) fn database(&self) -> Option<u32> {
        if self.url.path().is_empty() { Some(0) } else { self.url.path().parse().ok() }
    }

    /// The user and the password.
    pub(super) fn credentials(&self) -> Credentials {
        Credentials::of(&self.url, self.user.as_deref(), self.password.as_ref())
    }

    /// The files of TLS.
    pub(super) fn tls_files(&self) -> TlsFiles<'_> {
        TlsFiles {
            ca_file: self.ca_file.as_deref(),
            client_certificate_file: self.client_certificate_file.as_deref(),
            client_key_file: self.client_key_file.as_deref(),
        }
    }

    /// The limits of a call.
    pub(super) fn limits(&self) -> Limits {
        Limits { timeout_secs: self.timeout_secs, batch_events_max: self.batch_events_max }
    }

    fn server(&self) -> ServerKeys<'_> {
        ServerKeys {
            url: &self.url,
            url_file: self.url_file.as_deref(),
            password_file: self.password_file.as_deref(),
            tls: self.tls_files(),
            limits: self.limits(),
            schemes: SCHEMES,
            url_rule: URL_RULE,
        }
    }
}

impl Keys for Options {
    fn target(&self) -> Option<String> {
        Some(self.url.shown())
    }

    fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        let access = Access {
            url: &mut self.url,
            url_file: self.url_file.as_deref(),
            user: &mut self.user,
            password: &mut self.password,
            password_file: self.password_file.as_deref(),
        };
        access.take_secrets(sources)
    }

    fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        self.server().secret_files()
    }

    fn read_files(&self) -> Vec<&Path> {
        self.server().read_files()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        if self.server().check(&mut mistakes) && self.database().is_none() {
            mistakes.add("url", None, "must end with the number of a database, such as /0, or without a path");
        }
        let quoted = |text: &str| format!("{text:?}");
        mistakes.check(!self.stream.is_empty(), "stream", quoted(&self.stream), "must not be empty");
        let is_live = self.mode == Mode::Live;
        for (key, is_set, value) in [
            ("maxlen", self.maxlen.is_some() && is_live, self.maxlen.map_or(0, NonZeroU64::get).to_string()),
            ("format", self.format == Format::Data && is_live, quoted("data")),
        ] {
            mistakes.check(!is_set, key, value, "has no effect with mode = \"live\": remove it");
        }
        let is_unused = self.publish && !is_live;
        mistakes.check(!is_unused, "publish", true, "has no effect without mode = \"live\": remove it");
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        self.server().warning(self.credentials().password.is_some()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_mistakes() {
        for (toml, keys) in [
            ("url = 'redis://a'", &[] as &[&str]),
            (
                "url = 'rediss://me:hunter2@a:1/3'\nca_file = 'c'\nclient_certificate_file = 'd'\nclient_key_file = 'e'",
                &[],
            ),
            ("url = 'redis://a'\nmode = 'live'\npublish = true\nprefix = ''", &[]),
            ("", &["url"]),
            ("url = 'http://hunter2'", &["url"]),
            ("url = 'redis://a/hunter2'", &["url"]),
            ("url = 'redis://a'\nca_file = 'c'", &["ca_file"]),
            ("url = 'rediss://a'\nclient_key_file = 'c'", &["client_key_file"]),
            ("url = 'redis://a'\ntimeout_secs = 0\nbatch_events_max = 0", &["timeout_secs", "batch_events_max"]),
            ("url = 'redis://a'\nstream = ''\npublish = true", &["stream", "publish"]),
            ("url = 'redis://a'\nmode = 'live'\nmaxlen = 3\nformat = 'data'", &["maxlen", "format"]),
        ] {
            let options: Options = toml::from_str(toml).unwrap();
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
            assert!(!format!("{mistakes:?}{options:?}").contains("hunter2") || toml.contains("http"), "{mistakes:?}");
        }
    }

    #[test]
    fn password_in_the_clear_is_a_warning() {
        let warnings = |url: &str| toml::from_str::<Options>(&format!("url = '{url}'")).unwrap().warnings().len();
        assert_eq!(warnings("redis://:x@cache.example.com"), 1);
        assert_eq!(warnings("rediss://:x@cache.example.com") + warnings("redis://:x@127.0.0.1"), 0);
        assert_eq!(warnings("redis://:x@localhost") + warnings("redis://cache.example.com"), 0);
    }
}
