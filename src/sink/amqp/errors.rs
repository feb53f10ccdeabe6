//! What the errors of a server and of the client library mean.

use super::cure::cure;
use crate::sink::Failure;
use crate::sink::server::ShownServer;

/// Returns the reason for an answer of the server, with its cure.
fn answered(server: &ShownServer, text: &str) -> String {
    server.answered(text, cure(text))
}

/// Returns the failure that an error of the client library stands for.
pub(super) fn failed(server: &ShownServer, error: &lapin::Error) -> Failure {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => Failure::outage(answered(server, error.get_message().as_str())),
        _ => server.broke(&error.to_string()),
    }
}

/// The server has not answered in time. `is_blocked` is whether it has said that it takes no messages.
pub(super) fn timed_out(server: &ShownServer, is_blocked: bool) -> Failure {
    if is_blocked {
        return Failure::outage(answered(server, "the alarm of memory or disk is on, and no message is taken"));
    }
    server.no_answer()
}
