//! The server, as messages show it.

use std::time::Duration;

use super::cure::cure;
use crate::printable::printable;
use crate::sink::Failure;
use crate::sink::own_secrets::OwnSecrets;

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
    /// Returns the reason for an answer of the server, with its cure.
    pub(super) fn answered(&self, text: &str) -> String {
        let cure = cure(text).map(|cure| format!("; {cure}")).unwrap_or_default();
        let text = printable(&self.secrets.redact(text), TEXT_CHARACTERS_MAX).to_string();
        format!("{} answered \"{text}\"{cure}", self.shown)
    }

    /// Returns the failure that an error of the client library stands for.
    pub(super) fn failed(&self, error: &lapin::Error) -> Failure {
        match error.kind() {
            lapin::ErrorKind::ProtocolError(error) => Failure::outage(self.answered(error.get_message().as_str())),
            _ => {
                let cause = printable(&self.secrets.redact(&error.to_string()), TEXT_CHARACTERS_MAX).to_string();
                Failure::outage(format!("{}: the connection broke: {cause}", self.shown))
            }
        }
    }

    /// The server has not answered in time. `is_blocked` is whether it has said that it takes no messages.
    pub(super) fn timed_out(&self, is_blocked: bool) -> Failure {
        if is_blocked {
            return Failure::outage(self.answered("the alarm of memory or disk is on, and no message is taken"));
        }
        Failure::outage(format!("{}: no answer within {} s", self.shown, self.timeout.as_secs()))
    }
}
