//! Says what the answer to a published event means: a stored event, an event without a queue, or a closed channel.

use lapin::{Confirmation, Error};

use super::errors::failed;
use crate::sink::broker::Answer;
use crate::sink::server::ShownServer;
use crate::sink::{Failure, Outcome};

/// A part of the error about an event that is larger than the server allows. The server closes the channel then.
const TOO_LARGE: &str = "larger than configured max size";

/// Returns what a confirm says about the event with this routing key. `is_alone` is whether no other event was in flight.
pub(super) fn answer(
    confirmation: Result<Confirmation, Error>,
    server: &ShownServer,
    routing_key: &str,
    is_alone: bool,
) -> Answer {
    match confirmation {
        Ok(Confirmation::Ack(None)) => Answer::Of(Outcome::Delivered),
        // The server has no queue for the event, and confirms that it dropped it.
        Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => Answer::Of(
            Failure::outage(format!(
                "{}: no queue takes the routing key {routing_key}: bind one to the exchange",
                server.shown
            ))
            .into(),
        ),
        Ok(Confirmation::Nack(None)) => {
            Answer::Of(Failure::of_event(format!("{}: a queue refuses the event: is it full?", server.shown)).into())
        }
        Ok(Confirmation::NotRequested) => {
            Answer::Broken(Failure::outage(format!("{}: the server confirms nothing", server.shown)))
        }
        Err(error) if is_alone && is_too_large(&error.to_string()) => {
            Answer::Of(Outcome::Rejected { reason: failed(server, &error).reason })
        }
        Err(error) => Answer::Broken(failed(server, &error)),
    }
}

/// Whether an error of the server says that an event is too large.
pub(super) fn is_too_large(error: &str) -> bool {
    error.contains(TOO_LARGE)
}
