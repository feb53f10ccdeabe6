//! The keys of a Kafka sink, and their rules.

use std::path::{Path, PathBuf};

use rskafka::client::partition;
use serde::Deserialize;

use super::record::{TOPIC_BYTES_MAX, is_of_topic};
use crate::sink::broker::{Field, MessageFormat, Template};
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::server::{Limits, Login, Password, ServerUrl, TlsFiles};
use crate::sink::{Mistake, SecretSources};

/// The keys of a Kafka sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// Some brokers of the cluster, as `host:port`. They name the others.
    pub brokers: Vec<String>,
    /// The topic of an event.
    #[serde(default = "default_topic")]
    pub topic: Template,
    /// How livehook logs in. Unset means without a login.
    #[serde(default)]
    pub sasl: Option<Sasl>,
    /// Whether connections are encrypted.
    #[serde(default)]
    pub tls: bool,
    /// A file of certificates (PEM). One of them must vouch for the brokers. Unset means the system's certificates.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with livehook's own certificate (PEM).
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// A file with the private key of that certificate (PEM).
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// The form of an event.
    #[serde(default)]
    pub format: MessageFormat,
    /// How requests are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The time limit of connecting and of a request, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The most events in one request.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
}

/// `sasl`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    /// The mechanism.
    #[serde(default)]
    pub mechanism: Mechanism,
    /// The user. The variable `LIVEHOOK_SINK_<NAME>_USER` wins.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password. The variable `LIVEHOOK_SINK_<NAME>_PASSWORD` wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The password of the file or of the variable.
    #[serde(skip)]
    pub password: Option<Password>,
}

/// `sasl.mechanism`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Mechanism {
    /// The password as it is, so use TLS.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof of the password, with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// A proof of the password, with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// `compression`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip
    Gzip,
    /// Snappy
    Snappy,
    /// LZ4
    Lz4,
    /// Zstandard
    Zstd,
}

impl Compression {
    /// The value of the client library.
    pub(super) fn of_library(self) -> partition::Compression {
        match self {
            Compression::None => partition::Compression::NoCompression,
            Compression::Gzip => partition::Compression::Gzip,
            Compression::Snappy => partition::Compression::Snappy,
            Compression::Lz4 => partition::Compression::Lz4,
            Compression::Zstd => partition::Compression::Zstd,
        }
    }
}

fn default_topic() -> Template {
    Template::new("livehook")
}

fn default_timeout_secs() -> u64 {
    15
}

fn default_batch_events_max() -> usize {
    500
}

impl Options {
    /// The files of TLS.
    pub(super) fn tls_files(&self) -> TlsFiles<'_> {
        TlsFiles {
            ca_file: self.ca_file.as_deref(),
            client_certificate_file: self.client_certificate_file.as_deref(),
            client_key_file: self.client_key_file.as_deref(),
        }
    }

    /// The limits of a request.
    pub(super) fn limits(&self) -> Limits {
        Limits { timeout_secs: self.timeout_secs, batch_events_max: self.batch_events_max }
    }

    /// The brokers, as messages show them.
    pub(super) fn shown(&self) -> String {
        self.brokers.join(",")
    }

    /// The secrets that no message may show.
    pub(super) fn own_secrets(&self) -> OwnSecrets {
        let mut secrets = OwnSecrets::default();
        let password = self.sasl.as_ref().and_then(|sasl| sasl.password.as_ref());
        password.into_iter().for_each(|password| secrets.add(password.reveal()));
        secrets
    }

    fn check_topic(&self, mistakes: &mut Mistakes) {
        let text = self.topic.text();
        let shown = format!("{text:?}");
        if let Some(rule) = self.topic.broken_rule(&[Field::Type, Field::Domain]) {
            mistakes.add("topic", Some(shown), &rule);
            return;
        }
        let is_right = text.bytes().all(|byte| is_of_topic(byte) || b"{}".contains(&byte));
        let fits = !text.is_empty() && text.len() <= TOPIC_BYTES_MAX && text != "." && text != "..";
        let rule = "must be 1 to 249 of the characters A-Z, a-z, 0-9, . _ and -, with {type} and {domain}";
        mistakes.check(is_right && fits, "topic", shown, rule);
    }
}

impl Keys for Options {
    fn target(&self) -> Option<String> {
        Some(self.shown())
    }

    fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        if let Some(Sasl { user, password, password_file, .. }) = &mut self.sasl {
            let login = Login { user, password, password_file: password_file.as_deref() };
            login.take_secrets("sasl.", sources, &mut mistakes);
        }
        mistakes.into_list()
    }

    fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        let password_file = self.sasl.as_ref().and_then(|sasl| sasl.password_file.as_deref());
        let files = [("sasl.password_file", password_file), ("client_key_file", self.client_key_file.as_deref())];
        files.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
    }

    fn read_files(&self) -> Vec<&Path> {
        let files = self.secret_files().into_iter().map(|(_, path)| path);
        files.chain(self.ca_file.as_deref()).chain(self.client_certificate_file.as_deref()).collect()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        let rule = "must be a list of host:port, such as [\"kafka-1.example.com:9092\"]";
        mistakes.check(!self.brokers.is_empty(), "brokers", "[]", rule);
        for broker in &self.brokers {
            let url = ServerUrl::new(&format!("kafka://{broker}"));
            let is_right = url.shown() == format!("kafka://{broker}") && url.port(0) != 0;
            // A wrong broker may contain a password, so its text is not shown.
            if !is_right {
                mistakes.add("brokers", None, rule);
            }
        }
        self.check_topic(&mut mistakes);
        self.limits().check(&mut mistakes);
        self.tls_files().check_switch(self.tls, "set `tls`", &mut mistakes);
        if let Some(sasl) = &self.sasl
            && (sasl.user.is_none() || sasl.password.is_none() && sasl.password_file.is_none())
        {
            let rule = "needs `user` and `password_file`, or the variables LIVEHOOK_SINK_<NAME>_USER and _PASSWORD";
            mistakes.add("sasl", None, rule);
        }
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        let is_plain = self.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::Plain);
        let is_near =
            |broker: &String| ["127.0.0.1:", "localhost:", "[::1]:"].iter().any(|near| broker.starts_with(near));
        let is_open = is_plain && !self.tls && !self.brokers.iter().all(is_near);
        let warning = "the password is sent unencrypted; set `tls` if the brokers have it, or use SCRAM";
        is_open.then(|| warning.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_mistakes() {
        for (toml, keys) in [
            ("brokers = ['a:1', '[::1]:9092']", &[] as &[&str]),
            (
                "brokers = ['a:1']\ntls = true\nca_file = 'c'\nsasl = { user = 'u', password_file = 'p', mechanism = 'SCRAM-SHA-512' }",
                &[],
            ),
            ("brokers = ['a:1']\ntopic = 'css.{domain}-{type}_x'\ncompression = 'zstd'\nformat = 'binary'", &[]),
            ("brokers = []", &["brokers"]),
            ("brokers = ['a', 'me:hunter2@a:1', 'kafka://a:1']", &["brokers", "brokers", "brokers"]),
            ("brokers = ['a:1']\ntopic = '{stream}'", &["topic"]),
            ("brokers = ['a:1']\ntopic = 'a b'", &["topic"]),
            ("brokers = ['a:1']\ntopic = ''\ntimeout_secs = 0", &["topic", "timeout_secs"]),
            ("brokers = ['a:1']\nca_file = 'c'", &["ca_file"]),
            ("brokers = ['a:1']\nsasl = { user = 'u' }", &["sasl"]),
        ] {
            let options: Options = toml::from_str(toml).unwrap();
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
            assert!(!format!("{mistakes:?}").contains("hunter2"));
        }
    }

    #[test]
    fn password_in_the_clear_is_a_warning() {
        let warnings = |keys: &str| {
            let toml = format!("{keys}\nsasl = {{ user = 'u', password_file = 'p' }}");
            toml::from_str::<Options>(&toml).unwrap().warnings().len()
        };
        assert_eq!(warnings("brokers = ['kafka.example.com:9092']"), 1);
        assert_eq!(warnings("brokers = ['kafka.example.com:9092']\ntls = true"), 0);
        assert_eq!(warnings("brokers = ['127.0.0.1:9092']"), 0);
    }
}
