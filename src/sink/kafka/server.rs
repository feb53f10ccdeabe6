//! The brokers, as messages show them.

use std::time::Duration;

use rskafka::client::error::{Error, ProtocolError};

use crate::printable::printable;
use crate::sink::Failure;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::tls_cure::tls_cure;

/// The characters of a broker's text that a reason shows.
const TEXT_CHARACTERS_MAX: usize = 300;

/// The brokers, as messages show them.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) shown: String,
    pub(super) secrets: OwnSecrets,
    pub(super) timeout: Duration,
}

impl Server {
    /// Returns the failure that an error of the client library stands for.
    pub(super) fn failed(&self, error: &Error) -> Failure {
        let (text, cure) = match error {
            Error::ServerError { protocol_error, .. } => (protocol_error.to_string(), cure(*protocol_error)),
            _ => (error.to_string(), cure_of_text(&error.to_string())),
        };
        let cure = cure.map(|cure| format!("; {cure}")).unwrap_or_default();
        let text = printable(&self.secrets.redact(&text), TEXT_CHARACTERS_MAX).to_string();
        Failure::outage(format!("{}: {text}{cure}", self.shown))
    }

    /// The brokers have not answered in time.
    pub(super) fn timed_out(&self) -> Failure {
        let seconds = self.timeout.as_secs();
        Failure::outage(format!(
            "{}: no answer within {seconds} s; do the brokers run, and can livehook reach the addresses that they advertise?",
            self.shown
        ))
    }
}

fn cure(error: ProtocolError) -> Option<&'static str> {
    match error {
        ProtocolError::UnknownTopicOrPartition => Some("create the topic"),
        ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed => {
            Some("let the user write to the topic and describe it")
        }
        ProtocolError::SaslAuthenticationFailed => Some(LOGIN),
        ProtocolError::UnsupportedSaslMechanism => Some("choose another `sasl.mechanism`"),
        ProtocolError::NotEnoughReplicas | ProtocolError::NotEnoughReplicasAfterAppend => {
            Some("too few replicas are in sync: bring the other brokers back, or lower min.insync.replicas")
        }
        ProtocolError::UnsupportedCompressionType => Some("choose another `compression`"),
        ProtocolError::KafkaStorageError => Some("look at the disk of the broker"),
        _ => None,
    }
}

const LOGIN: &str = "correct `sasl.user` and the password, and `sasl.mechanism`";

/// The library gives some causes as text alone.
fn cure_of_text(text: &str) -> Option<&'static str> {
    if text.contains("Sasl") || text.contains("SASL") {
        return Some(LOGIN);
    }
    tls_cure(text)
}
