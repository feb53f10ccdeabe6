//! The sink `http`: POSTs each event, or a list of events, to the user's receiver.
//!
//! `connection` makes a request of events, `signature` signs it, and `answer` turns the answer into an outcome. `batch` decides
//! in which order the requests of a batch go out: several at once, but those of one stream one after another. It splits a list
//! that is refused or gets no answer until the event at fault stands alone, so that its neighbours pass.
//!
//! With a template, `message` makes the body. With `min_interval_secs`, `digest` sends one message about all events that wait.
//! `answer_rule` finds the errors that chat tools put into an answer 200, and `chat_signature` signs for two of them.
//!
//! If the receiver seems to be down, the sink holds the rest of the batch. The delivery worker decides when to try again.

mod answer;
mod answer_rule;
mod batch;
mod body;
mod chat_signature;
mod client;
mod connection;
mod digest;
mod headers;
mod http_sink;
mod message;
mod message_rules;
mod option_files;
mod option_rules;
mod options;
mod request_secrets;
mod signature;
mod target_url;
#[cfg(test)]
mod testing;

pub use answer_rule::{AnswerRule, AnswerValue};
pub use chat_signature::{ChatSecret, ChatSignature};
pub use headers::Headers;
pub use http_sink::HttpSink;
pub use message::Escape;
pub use options::Options;
pub use signature::{SecretError, WebhookSecret};
pub use target_url::TargetUrl;
