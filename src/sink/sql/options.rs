//! The keys of a sink of a database, and their rules.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::kind::Kind;
use super::tables::Table;
use super::tls_mode::{PARAMETERS_RULE, TlsMode};
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::server::{Access, Credentials, Limits, Password, ServerUrl, TlsFiles, read_files, secret_files};
use crate::sink::{Mistake, SecretSources};

const POSTGRES_URL_RULE: &str =
    "must be a URL that begins with postgres://, such as \"postgres://livehook@db.example.com/live\"";

const MYSQL_URL_RULE: &str =
    "must be a URL that begins with mysql://, such as \"mysql://livehook@db.example.com/live\"";

/// The keys of a sink of a database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The kind of the server, from `type`.
    #[serde(skip)]
    pub kind: Kind,
    /// The URL of the database. The variable `LIVEHOOK_SINK_<NAME>_URL` wins.
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
    /// A file of certificates (PEM) of CAs that may have signed the server's certificate, in addition to the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with livehook's own certificate (PEM).
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// A file with the private key of that certificate (PEM).
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// Whether the sink makes the tables if they are missing.
    #[serde(default = "default_true")]
    pub create_tables: bool,
    /// The table of events. A dot separates a schema from it.
    #[serde(default = "default_table")]
    pub table: String,
    /// Whether the sink keeps a table of sessions.
    #[serde(default = "default_true")]
    pub sessions: bool,
    /// The table of sessions.
    #[serde(default = "default_sessions_table")]
    pub sessions_table: String,
    /// The time limit of a connection attempt, and of a transaction, in seconds.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The most events in one transaction.
    #[serde(default = "default_batch_events_max")]
    pub batch_events_max: usize,
}

fn default_true() -> bool {
    true
}

fn default_table() -> String {
    "livehook_events".to_owned()
}

fn default_sessions_table() -> String {
    "livehook_sessions".to_owned()
}

fn default_timeout_secs() -> u64 {
    15
}

fn default_batch_events_max() -> usize {
    500
}

impl Options {
    /// These options for a server of another kind.
    pub fn of_kind(self, kind: Kind) -> Options {
        Options { kind, ..self }
    }

    /// The name of the database.
    pub(super) fn database(&self) -> String {
        percent_decode_str(self.url.path()).decode_utf8_lossy().into_owned()
    }

    /// The user and the password.
    pub(super) fn credentials(&self) -> Credentials {
        Credentials::of(&self.url, self.user.as_deref(), self.password.as_ref())
    }

    /// How the connection uses TLS.
    pub(super) fn tls_mode(&self) -> TlsMode {
        TlsMode::of(&self.url).unwrap_or(TlsMode::Full)
    }

    /// The files of TLS.
    pub(super) fn tls_files(&self) -> TlsFiles<'_> {
        TlsFiles {
            ca_file: self.ca_file.as_deref(),
            client_certificate_file: self.client_certificate_file.as_deref(),
            client_key_file: self.client_key_file.as_deref(),
        }
    }

    /// The limits of a transaction.
    pub(super) fn limits(&self) -> Limits {
        Limits { timeout_secs: self.timeout_secs, batch_events_max: self.batch_events_max }
    }

    /// The table of events.
    pub(super) fn events(&self) -> Table {
        Table::of_events(self.kind, &self.table)
    }

    /// The table of sessions, if the sink keeps one.
    pub(super) fn sessions(&self) -> Option<Table> {
        self.sessions.then(|| Table::of_sessions(self.kind, &self.sessions_table))
    }

    fn check_table(&self, key: &str, name: &str, mistakes: &mut Mistakes) {
        let characters_max = self.kind.name_characters_max();
        let parts: Vec<&str> = name.split('.').collect();
        let is_name = |part: &&str| (1..=characters_max).contains(&part.chars().count()) && !part.contains('\0');
        let rule = format!(
            "must be the name of a table of at most {characters_max} characters, or a schema, a dot and a table, such as \
             \"public.livehook_events\""
        );
        mistakes.check(parts.len() <= 2 && parts.iter().all(is_name), key, format!("{name:?}"), &rule);
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
        secret_files(self.url_file.as_deref(), self.password_file.as_deref(), self.tls_files())
    }

    fn read_files(&self) -> Vec<&Path> {
        read_files(self.url_file.as_deref(), self.password_file.as_deref(), self.tls_files())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        // A sink without a valid name has no variables, and its files are not read.
        let is_elsewhere = self.url.is_missing() && self.url_file.is_some();
        let rule = match self.kind {
            Kind::Postgres => POSTGRES_URL_RULE,
            Kind::MySql => MYSQL_URL_RULE,
        };
        let broken = self.url.broken_rule(self.kind.schemes(), rule).filter(|_| !is_elsewhere);
        // A wrong URL may contain a password, so its text is not shown.
        broken.into_iter().for_each(|rule| mistakes.add("url", None, rule));
        if broken.is_none() && !is_elsewhere {
            if self.database().is_empty() {
                mistakes.add("url", None, "must end with the name of a database, such as /live");
            }
            if TlsMode::of(&self.url).is_none() {
                mistakes.add("url", None, PARAMETERS_RULE);
            }
            if self.credentials().user.is_none() {
                mistakes.add("user", None, "is missing: set it, put it into `url`, or set LIVEHOOK_SINK_<NAME>_USER");
            }
        }
        let is_tls = self.tls_mode() != TlsMode::Off;
        self.tls_files().check_switch(is_tls || is_elsewhere, "add ?sslmode=verify-full to the URL", &mut mistakes);
        self.limits().check(&mut mistakes);
        self.check_table("table", &self.table, &mut mistakes);
        self.check_table("sessions_table", &self.sessions_table, &mut mistakes);
        let is_same = self.sessions && self.table == self.sessions_table;
        mistakes.check(!is_same, "sessions_table", format!("{:?}", self.sessions_table), "must differ from `table`");
        mistakes.into_list()
    }

    fn warnings(&self) -> Vec<String> {
        let has_password = self.credentials().password.is_some() && !self.url.is_loopback();
        let warning = match self.tls_mode() {
            TlsMode::Off => "the password and the events are sent unencrypted; add ?sslmode=verify-full to the URL",
            TlsMode::Unchecked => "livehook doesn't check which server it talks to; use sslmode=verify-full",
            TlsMode::Authority | TlsMode::Full => return Vec::new(),
        };
        has_password.then(|| warning.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(kind: Kind, toml: &str) -> Options {
        toml::from_str::<Options>(toml).unwrap().of_kind(kind)
    }

    #[test]
    fn impossible_options_are_mistakes() {
        for (kind, toml, keys) in [
            (Kind::Postgres, "url = 'postgres://me@a/b'", &[] as &[&str]),
            (Kind::Postgres, "url = 'postgresql://me:hunter2@a/b'\ntable = 'public.events'", &[]),
            (Kind::Postgres, "url = 'postgres://me@a/b?sslmode=verify-full'\nca_file = 'c'", &[]),
            (Kind::MySql, "url = 'mysql://a/b?ssl-mode=VERIFY_CA'\nuser = 'me'\nca_file = 'c'", &[]),
            (Kind::MySql, "", &["url"]),
            (Kind::MySql, "url = 'postgres://me@a/b'", &["url"]),
            (Kind::Postgres, "url = 'mysql://me@a/b'", &["url"]),
            (Kind::Postgres, "url = 'postgres://me@a'", &["url"]),
            (Kind::Postgres, "url = 'postgres://a/b'", &["user"]),
            (Kind::Postgres, "url = 'postgres://me@a/b?password=hunter2'", &["url"]),
            (Kind::Postgres, "url = 'postgres://me@a/b'\nca_file = 'c'", &["ca_file"]),
            (
                Kind::Postgres,
                "url = 'postgres://me@a/b'\ntable = 'a.b.c'\nsessions_table = ''",
                &["table", "sessions_table"],
            ),
            (Kind::MySql, "url = 'mysql://me@a/b'\ntable = 'livehook_sessions'", &["sessions_table"]),
            (
                Kind::MySql,
                "url = 'mysql://me@a/b'\ntimeout_secs = 0\nbatch_events_max = 0",
                &["timeout_secs", "batch_events_max"],
            ),
        ] {
            let options = options(kind, toml);
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
            assert!(!format!("{mistakes:?}{options:?}").contains("hunter2"), "{mistakes:?}");
        }
    }

    #[test]
    fn password_in_the_clear_is_a_warning() {
        let warnings = |url: &str| options(Kind::Postgres, &format!("url = '{url}'")).warnings().len();
        assert_eq!(warnings("postgres://me:x@db.example.com/b"), 1);
        assert_eq!(warnings("postgres://me:x@db.example.com/b?sslmode=require"), 1);
        assert_eq!(warnings("postgres://me:x@db.example.com/b?sslmode=verify-full"), 0);
        assert_eq!(warnings("postgres://me:x@127.0.0.1/b") + warnings("postgres://me@db.example.com/b"), 0);
    }
}
