//! The server, as messages show it.

use std::error::Error;
use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind};

use super::cure::cure;
use crate::printable::printable;
use crate::sink::Failure;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::tls_cure::tls_cure;

/// The characters of the server's text that a reason shows.
const TEXT_CHARACTERS_MAX: usize = 300;

/// The server, as messages show it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) shown: String,
    pub(super) secrets: OwnSecrets,
    pub(super) timeout: Duration,
}

impl Server {
    /// Returns a text about the server, printable and without secrets.
    pub(super) fn says(&self, text: &str) -> String {
        let text = printable(&self.secrets.redact(text), TEXT_CHARACTERS_MAX).to_string();
        format!("{}: {text}", self.shown)
    }

    /// Returns the reason for an error of the server, with its cure.
    pub(super) fn refused(&self, error: &str) -> String {
        let cure = cure(error).map(|cure| format!("; {cure}")).unwrap_or_default();
        let error = printable(&self.secrets.redact(error), TEXT_CHARACTERS_MAX).to_string();
        format!("{} answered \"{error}\"{cure}", self.shown)
    }

    /// The server has not answered in time.
    pub(super) fn timed_out(&self) -> Failure {
        Failure::outage(format!(
            "{}: no acknowledgement within {} s; does the server run, and may the user subscribe to _INBOX.>?",
            self.shown,
            self.timeout.as_secs()
        ))
    }

    pub(super) fn broken(&self, reason: &str) -> Failure {
        let cure = cure(reason).map(|cure| format!("; {cure}")).unwrap_or_default();
        Failure::outage(format!("{}{cure}", self.says(reason)))
    }

    pub(super) fn unreachable(&self) -> Failure {
        Failure::outage(format!(
            "{}: no connection within {} s; does its host answer, and does a firewall let livehook out?",
            self.shown,
            self.timeout.as_secs()
        ))
    }

    pub(super) fn no_connection(&self, error: &ConnectError) -> Failure {
        let cause = cause(error);
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                Failure::outage(self.refused("authorization violation"))
            }
            ConnectErrorKind::TimedOut => self.unreachable(),
            _ => {
                let cure = cure(&cause).or_else(|| tls_cure(&cause));
                let cure = cure.unwrap_or("does the server run, and does it listen at `url`?");
                Failure::outage(self.says(&format!("no connection: {cause}; {cure}")))
            }
        }
    }

    pub(super) fn no_jetstream(&self, error: &(dyn Error + 'static)) -> Failure {
        let cure = "enable JetStream on the server and for the account, and let the user send requests to $JS.API.>";
        Failure::outage(self.says(&format!("JetStream does not answer: {}; {cure}", cause(error))))
    }
}

/// The innermost cause of an error. The outer ones only name the step that failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
