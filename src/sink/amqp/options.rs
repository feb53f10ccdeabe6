//! The keys of an AMQP sink, and their rules.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::sink::broker::{Field, MessageFormat, Template};
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::server::{Access, Credentials, Limits, Password, ServerKeys, ServerUrl, TlsFiles};
use crate::sink::{Mistake, SecretSources};

/// The scheme without and with TLS.
const SCHEMES: [&str; 2] = ["amqp", "amqps"];

const URL_RULE: &str = "must be a URL that begins with amqp://, or with amqps:// for TLS, such as \"amqp://rabbit.example.com:5672/vhost\"";

/// The longest name that AMQP allows, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// The keys of an AMQP sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The URL of a server. The variable `LIVEHOOK_SINK_<NAME>_URL` wins.
    #[serde(default)]
    pub url: ServerUrl,
    /// A file with the URL.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The user. The variable `LIVEHOOK_SINK_<NAME>_USER` wins.
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
    /// The exchange. Empty means the default exchange, whose routing keys are names of queues.
    #[serde(default = "default_exchange")]
    pub exchange: String,
    /// The routing key of an event.
    #[serde(default = "default_routing_key")]
    pub routing_key: Template,
    /// Whether livehook declares the exchange: a durable one of type `topic`.
    #[serde(default)]
    pub declare: bool,
    /// The form of an event.
    #[serde(default)]
    pub format: MessageFormat,
    /// The time limit of a connection attempt, and of a confirm, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The most events in flight.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
}

fn default_exchange() -> String {
    "livehook".to_owned()
}

fn default_routing_key() -> Template {
    Template::new("{domain}.{app}.{stream}.{type}")
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

    /// The limits of a request.
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

    /// The virtual host: the path of the URL, decoded. Without a path it's `/`.
    pub(super) fn virtual_host(&self) -> String {
        let path = percent_decode_str(self.url.path()).decode_utf8_lossy();
        if path.is_empty() { "/".to_owned() } else { path.into_owned() }
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
        self.server().check(&mut mistakes);
        let fits = self.exchange.len() <= NAME_BYTES_MAX && !self.exchange.contains(char::is_control);
        let rule = "must be the name of an exchange, or empty for the default exchange";
        mistakes.check(fits, "exchange", format!("{:?}", self.exchange), rule);
        let is_pointless = self.declare && self.exchange.is_empty();
        mistakes.check(!is_pointless, "declare", true, "needs the name of an exchange: the default one always exists");
        let routing_key = format!("{:?}", self.routing_key.text());
        let fields = [Field::Domain, Field::App, Field::Stream, Field::Type];
        match self.routing_key.broken_rule(&fields) {
            Some(rule) => mistakes.add("routing_key", Some(routing_key), &rule),
            None => {
                let fits = self.routing_key.text().len() <= NAME_BYTES_MAX;
                mistakes.check(fits, "routing_key", routing_key, "must have at most 255 bytes");
            }
        }
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
            ("url = 'amqp://a'", &[] as &[&str]),
            ("url = 'amqps://me:hunter2@a:1/css'\nca_file = 'c'\ndeclare = true\nformat = 'binary'", &[]),
            ("url = 'amqp://a'\nexchange = ''\nrouting_key = 'events'", &[]),
            ("", &["url"]),
            ("url = 'http://hunter2'", &["url"]),
            ("url = 'amqp://a'\nca_file = 'c'", &["ca_file"]),
            ("url = 'amqp://a'\nexchange = ''\ndeclare = true", &["declare"]),
            ("url = 'amqp://a'\nrouting_key = '{nobody}'", &["routing_key"]),
            ("url = 'amqp://a'\ntimeout_secs = 0\nbatch_events_max = 0", &["timeout_secs", "batch_events_max"]),
        ] {
            let options: Options = toml::from_str(toml).unwrap();
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
            assert!(!format!("{options:?}").contains("hunter2") || toml.contains("http"));
        }
    }

    #[test]
    fn path_names_the_virtual_host() {
        for (url, name) in [("amqp://a", "/"), ("amqp://a/", "/"), ("amqp://a/%2F", "/"), ("amqp://a/css", "css")] {
            let options: Options = toml::from_str(&format!("url = '{url}'")).unwrap();
            assert_eq!(options.virtual_host(), name);
        }
    }
}
