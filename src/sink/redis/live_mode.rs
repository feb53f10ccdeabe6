//! Mode `live`: a hash of the live streams, and a set of them for each domain. One script keeps both right: it depends on the set
//! of the events, and not on their order or repetition.
//!
//! The script remembers the last sessions that have ended, so that a push that comes after its stop doesn't count as live.

use redis::Script;
use serde::Serialize;

use super::connection::Connection;
use super::options::Options;
use crate::journal::Record;
use crate::moment::Moment;
use crate::session::{Fact, Kind, Push, SessionId};
use crate::sink::Failure;

/// Keeps the live streams.
pub(super) struct LiveMode {
    script: Script,
}

/// A live session. Its members have the names of `livehook sessions --output json`.
#[derive(Serialize)]
struct LiveSession<'f> {
    id: SessionId,
    domain: &'f str,
    app_name: &'f str,
    stream: &'f str,
    sequence: &'f str,
    appid: Option<i64>,
    started: Moment,
    user_address: Option<&'f str>,
    node: Option<&'f str>,
    width: Option<i64>,
    height: Option<i64>,
}

impl LiveMode {
    /// Makes the mode.
    pub(super) fn new() -> LiveMode {
        LiveMode { script: Script::new(include_str!("live.lua")) }
    }

    /// The key of the hash.
    pub(super) fn key(options: &Options) -> String {
        format!("{}live", options.prefix)
    }

    /// Merges events into the live streams. An event that belongs to no session changes nothing.
    ///
    /// # Errors
    /// The server returned an error, or no answer.
    pub(super) async fn send(
        &self,
        connection: &mut Connection,
        options: &Options,
        events: &[Record],
    ) -> Result<(), Failure> {
        let prefix = &options.prefix;
        let mut call = self.script.key(LiveMode::key(options));
        call.arg(if options.publish { format!("{prefix}changes") } else { String::new() });
        let facts: Vec<Fact> = events.iter().filter_map(|record| Fact::of(&record.event)).collect();
        for fact in &facts {
            let stream = fact.stream.as_str();
            call.key(format!("{prefix}live:{}", fact.stream.domain()));
            call.key(format!("{prefix}sessions:{stream}")).key(format!("{prefix}ended:{stream}"));
            let kind = match &fact.kind {
                Kind::Push(_) => "push",
                Kind::Anomaly => "anomaly",
                Kind::Stop(_) | Kind::ManualEnd(_) => "end",
            };
            call.arg(stream).arg(&fact.sequence).arg(kind).arg(fact.id.to_string()).arg(fact.id.time_ms());
            call.arg(session(fact));
        }
        if facts.is_empty() { Ok(()) } else { connection.call::<i64>(&call).await.map(drop) }
    }
}

/// The session of a push or an anomaly as JSON.
fn session(fact: &Fact) -> String {
    let nothing = Push::default();
    let (push, started_ms) = match &fact.kind {
        Kind::Push(push) => (push, fact.id.time_ms()),
        _ => (&nothing, fact.seen_ms),
    };
    let stream = &fact.stream;
    let session = LiveSession {
        id: stream.session(&fact.sequence),
        domain: &stream.domain(),
        app_name: &stream.app_name(),
        stream: &stream.stream(),
        sequence: &fact.sequence,
        appid: push.appid,
        started: Moment(started_ms),
        user_address: push.user_address.as_deref(),
        node: push.node.as_deref(),
        width: push.width,
        height: push.height,
    };
    serde_json::to_string(&session).unwrap_or_default()
}
