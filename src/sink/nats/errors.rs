//! What the errors of a server and of the client library mean.

use std::error::Error;

use async_nats::{ConnectError, ConnectErrorKind};

use super::cure::cure;
use crate::sink::Failure;
use crate::sink::server::{ShownServer, after};
use crate::sink::tls_cure::tls_cure;

/// Returns the reason for an error of the server, with its cure.
pub(super) fn refused(server: &ShownServer, error: &str) -> String {
    server.answered(error, cure(error))
}

/// The server has not acknowledged an event in time.
pub(super) fn timed_out(server: &ShownServer) -> Failure {
    Failure::outage(format!(
        "{}: no acknowledgement within {} s; does the server run, and may the user subscribe to _INBOX.>?",
        server.shown,
        server.timeout.as_secs()
    ))
}

/// The connection has broken for this reason.
pub(super) fn broke(server: &ShownServer, reason: &str) -> Failure {
    Failure::outage(format!("{}{}", server.says(reason), after(cure(reason))))
}

/// Returns why there is no connection.
pub(super) fn no_connection(server: &ShownServer, error: &ConnectError) -> Failure {
    let cause = cause(error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            Failure::outage(refused(server, "authorization violation"))
        }
        ConnectErrorKind::TimedOut => server.no_connection(),
        _ => {
            let cure = cure(&cause).or_else(|| tls_cure(&cause));
            let cure = cure.unwrap_or("does the server run, and does it listen at `url`?");
            Failure::outage(server.says(&format!("no connection: {cause}; {cure}")))
        }
    }
}

/// JetStream has not answered, because of this error.
pub(super) fn no_jetstream(server: &ShownServer, error: &(dyn Error + 'static)) -> Failure {
    let cure = "enable JetStream on the server and for the account, and let the user send requests to $JS.API.>";
    Failure::outage(server.says(&format!("JetStream does not answer: {}; {cure}", cause(error))))
}

/// The innermost cause of an error. The outer ones only name the step that failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
