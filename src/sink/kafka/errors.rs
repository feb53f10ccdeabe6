//! What the errors of the brokers and of the client library mean.

use rskafka::client::error::{Error, ProtocolError};

use crate::sink::Failure;
use crate::sink::server::{ShownServer, after};
use crate::sink::tls_cure::tls_cure;

/// Returns the failure that an error of the client library stands for.
pub(super) fn failed(server: &ShownServer, error: &Error) -> Failure {
    let (text, cure) = match error {
        Error::ServerError { protocol_error, .. } => (protocol_error.to_string(), cure(*protocol_error)),
        _ => (error.to_string(), cure_of_text(&error.to_string())),
    };
    Failure::outage(format!("{}{}", server.says(&text), after(cure)))
}

/// The brokers have not answered in time.
pub(super) fn timed_out(server: &ShownServer) -> Failure {
    let seconds = server.timeout.as_secs();
    Failure::outage(format!(
        "{}: no answer within {seconds} s; do the brokers run, and can livehook reach the addresses that they advertise?",
        server.shown
    ))
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
