//! The server, as messages show it.

use std::time::Duration;

use crate::printable::printable;
use crate::sink::Failure;
use crate::sink::own_secrets::OwnSecrets;

/// The characters of the server's text that a message shows.
const TEXT_CHARACTERS_MAX: usize = 300;

/// The server, as messages show it.
#[derive(Clone)]
pub(in crate::sink) struct ShownServer {
    /// Scheme, host and port.
    pub(in crate::sink) shown: String,
    /// The secrets that no message may show.
    pub(in crate::sink) secrets: OwnSecrets,
    /// How long a request may take.
    pub(in crate::sink) timeout: Duration,
}

impl ShownServer {
    /// Returns a text of the server or of its client library: printable, short, and without secrets.
    pub(in crate::sink) fn printable(&self, text: &str) -> String {
        printable(&self.secrets.redact(text), TEXT_CHARACTERS_MAX).to_string()
    }

    /// Returns a text about the server, printable and without secrets.
    pub(in crate::sink) fn says(&self, text: &str) -> String {
        format!("{}: {}", self.shown, self.printable(text))
    }

    /// Returns the reason for an answer of the server. `cure` says what to do about it.
    pub(in crate::sink) fn answered(&self, text: &str, cure: Option<&str>) -> String {
        format!("{} answered \"{}\"{}", self.shown, self.printable(text), after(cure))
    }

    /// The connection broke, for a cause that the client library names.
    pub(in crate::sink) fn broke(&self, cause: &str) -> Failure {
        Failure::outage(format!("{}: the connection broke: {}", self.shown, self.printable(cause)))
    }

    /// There was no connection in time.
    pub(in crate::sink) fn no_connection(&self) -> Failure {
        Failure::outage(format!(
            "{}: no connection within {} s; does its host answer, and does a firewall let livehook out?",
            self.shown,
            self.timeout.as_secs()
        ))
    }

    /// There was no answer in time.
    pub(in crate::sink) fn no_answer(&self) -> Failure {
        Failure::outage(format!("{}: no answer within {} s", self.shown, self.timeout.as_secs()))
    }
}

/// Returns a cure as the end of a message; empty without one.
pub(in crate::sink) fn after(cure: Option<&str>) -> String {
    cure.map(|cure| format!("; {cure}")).unwrap_or_default()
}
