//! Says what the answer to a published event means: a stored event, an error of the server, or a broken connection.

use std::error::Error;

use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};

use super::errors::{refused, timed_out};
use crate::sink::broker::Answer;
use crate::sink::server::ShownServer;
use crate::sink::{Failure, Outcome};

/// Returns what an error says about the event that was published to `subject`.
pub(super) fn answer(error: &PublishError, server: &ShownServer, subject: &str) -> Answer {
    let error_of_stream = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match (error.kind(), error_of_stream) {
        (PublishErrorKind::StreamNotFound, _) => Answer::Of(no_stream(server, subject)),
        (PublishErrorKind::MaxPayloadExceeded, _) => {
            Answer::Of(Outcome::rejected(server.says(&format!("the event is too large: {error}"))))
        }
        (PublishErrorKind::TimedOut, _) => Answer::Broken(timed_out(server)),
        (_, Some(error)) => Answer::Of(answered(error, server)),
        _ => Answer::Broken(Failure::outage(server.says(&format!("the connection broke: {error}")))),
    }
}

fn no_stream(server: &ShownServer, subject: &str) -> Outcome {
    Failure::outage(server.says(&format!(
        "no stream takes the subject {subject}; create the stream or set `create_stream`, and enable JetStream if it's off"
    )))
    .into()
}

fn answered(error: &jetstream::Error, server: &ShownServer) -> Outcome {
    let reason = refused(server, &error.to_string());
    match error.error_code() {
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
            Outcome::Rejected { reason }
        }
        // An earlier copy of the event isn't committed yet, so nobody knows whether it will be.
        ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT => Failure::of_event(reason).into(),
        // The subject is full, and not the stream.
        _ if reason.contains("per subject") => Failure::of_event(reason).into(),
        _ => Failure::outage(reason).into(),
    }
}
