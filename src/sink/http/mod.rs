//! The sink `http`: POSTs each event, or a list of events, to the user's receiver.
//!
//! `connection` makes a request of events, `signature` signs it, and `answer` turns the answer into an outcome. `batch` decides
//! in which order the requests of a batch go out: several at once, but those of one stream one after another. It splits a list
//! that is refused or gets no answer until the event at fault stands alone, so that its neighbours pass.
//!
//! If the receiver seems to be down, the sink holds the rest of the batch. The delivery worker decides when to try again.

mod answer;
mod batch;
mod body;
mod client;
mod connection;
mod headers;
mod http_sink;
mod options;
mod request_secrets;
mod signature;
mod target_url;
#[cfg(test)]
mod testing;

pub use headers::Headers;
pub use http_sink::HttpSink;
pub use options::Options;
pub use signature::{SecretError, WebhookSecret};
pub use target_url::TargetUrl;
