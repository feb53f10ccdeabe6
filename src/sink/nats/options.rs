//! The keys of a NATS sink, and their rules.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sink::broker::{Field, Template};
use crate::sink::format::Format;
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::server::{Access, Credentials, Limits, Password, ServerKeys, ServerUrl, TlsFiles};
use crate::sink::{Mistake, SecretSources};

/// The scheme without and with TLS.
const SCHEMES: [&str; 2] = ["nats", "tls"];

const URL_RULE: &str =
    "must be a URL that begins with nats://, or with tls:// for TLS, such as \"nats://nats.example.com:4222\"";

const SUBJECT_RULE: &str = "must be tokens with dots between them, without white space, * and >, and not begin with $";

/// The keys of a NATS sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The URL of a server. The variable `LIVEHOOK_SINK_<NAME>_URL` wins.
    #[serde(default)]
    pub url: ServerUrl,
    /// A file with the URL.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// Further servers of the cluster, as `host:port`. They are tried in turn.
    #[serde(default)]
    pub servers: Vec<String>,
    /// The user. Without a user, the password is a token. The variable `LIVEHOOK_SINK_<NAME>_USER` wins.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password. The variable `LIVEHOOK_SINK_<NAME>_PASSWORD` wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The password of the file or of the variable.
    #[serde(skip)]
    pub password: Option<Password>,
    /// A file with the credentials of a user: a JWT and a seed. It is read for every connection.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// A file with the seed of an NKey. It is read for every connection.
    #[serde(default)]
    pub nkey_file: Option<PathBuf>,
    /// A file of certificates (PEM). One of them must vouch for the server. Unset means the system's certificates.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with livehook's own certificate (PEM).
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// A file with the private key of that certificate (PEM).
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// The subject of an event.
    #[serde(default = "default_subject")]
    pub subject: Template,
    /// The stream that must store the events.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// Whether livehook creates the stream if there is none.
    #[serde(default)]
    pub create_stream: bool,
    /// The form of an event.
    #[serde(default)]
    pub format: Format,
    /// The time limit of a connection attempt, and of an acknowledgement, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The most events in flight.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
}

fn default_subject() -> Template {
    Template::new("livehook.{domain}.{app}.{stream}.{type}")
}

fn default_stream() -> String {
    "livehook".to_owned()
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

    fn check_subject(&self, mistakes: &mut Mistakes) {
        let text = self.subject.text();
        let fields = [Field::Domain, Field::App, Field::Stream, Field::Type];
        if let Some(rule) = self.subject.broken_rule(&fields) {
            mistakes.add("subject", Some(format!("{text:?}")), &rule);
            return;
        }
        let is_wrong =
            |character: char| character.is_whitespace() || character.is_control() || "*>".contains(character);
        let is_right =
            text.split('.').all(|token| !token.is_empty()) && !text.contains(is_wrong) && !text.starts_with('$');
        mistakes.check(is_right, "subject", format!("{text:?}"), SUBJECT_RULE);
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
        let mut files = self.server().secret_files();
        for (key, path) in [("credentials_file", &self.credentials_file), ("nkey_file", &self.nkey_file)] {
            files.extend(path.as_deref().map(|path| (key, path)));
        }
        files
    }

    fn read_files(&self) -> Vec<&Path> {
        let mut files = self.server().read_files();
        files.extend(self.credentials_file.as_deref().into_iter().chain(self.nkey_file.as_deref()));
        files
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        self.server().check(&mut mistakes);
        for server in &self.servers {
            let is_right = ServerUrl::new(&format!("nats://{server}")).shown() == format!("nats://{server}");
            let rule = "must be a list of host:port, such as [\"nats-2.example.com:4222\"]";
            mistakes.check(is_right, "servers", format!("{server:?}"), rule);
        }
        self.check_subject(&mut mistakes);
        let is_name =
            |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c));
        let rule = "must be the name of a stream: not empty, and without white space and the characters . * > / \\";
        mistakes.check(is_name(&self.stream), "stream", format!("{:?}", self.stream), rule);
        let logins = [
            ("nkey_file", self.nkey_file.is_some()),
            ("credentials_file", self.credentials_file.is_some()),
            ("password_file", self.password_file.is_some()),
        ];
        let mut set = logins.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key);
        if let (Some(key), Some(other)) = (set.next(), set.next()) {
            mistakes.add(key, None, &format!("is set together with `{other}`: keep one of the two"));
        }
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        let Credentials { user, password } = self.credentials();
        // A user without a password is a token.
        self.server().warning(password.is_some() || user.is_some()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_mistakes() {
        for (toml, keys) in [
            ("url = 'nats://a'", &[] as &[&str]),
            ("url = 'tls://me:hunter2@a:1'\nservers = ['b:4222', '[::1]:4222']\nca_file = 'c'", &[]),
            ("url = 'nats://a'\nsubject = 'css.x-{stream}'\nnkey_file = 'n'", &[]),
            ("", &["url"]),
            ("url = 'http://hunter2'", &["url"]),
            ("url = 'nats://a'\nservers = ['b:4222', 'nats://b', 'me:hunter2@b:1']", &["servers", "servers"]),
            ("url = 'nats://a'\nca_file = 'c'", &["ca_file"]),
            ("url = 'nats://a'\nsubject = 'css.{nobody}'", &["subject"]),
            ("url = 'nats://a'\nsubject = 'css..{type}'", &["subject"]),
            ("url = 'nats://a'\nsubject = 'css.>'", &["subject"]),
            ("url = 'nats://a'\nstream = 'a.b'\ntimeout_secs = 0", &["timeout_secs", "stream"]),
            ("url = 'nats://a'\nnkey_file = 'a'\ncredentials_file = 'b'", &["nkey_file"]),
        ] {
            let options: Options = toml::from_str(toml).unwrap();
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let options: Options = toml::from_str("url = 'nats://me:hunter2@nats.example.com'").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        assert_eq!(options.warnings().len(), 1);
        let token: Options = toml::from_str("url = 'nats://hunter2@nats.example.com'").unwrap();
        assert_eq!((token.warnings().len(), token.target().as_deref()), (1, Some("nats://nats.example.com")));
    }
}
