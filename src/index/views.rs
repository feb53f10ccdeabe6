//! Streams, sessions and broadcasts as the API and the commands return them. The comments of members are shown in the API's
//! description.

use serde::Serialize;
use utoipa::ToSchema;

use crate::callback::{EventId, Reason};
use crate::moment::Moment;
use crate::session::{SessionId, State};

/// A live stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveStream)]
pub struct StreamView {
    /// The push domain, in lower case.
    pub domain: String,
    /// The app name.
    pub app_name: String,
    /// The stream name.
    pub stream: String,
    /// When the oldest of its live sessions started.
    pub live_since: Moment,
    /// How many of its pushes are live: more than one if there is a backup push.
    pub pushes: usize,
    /// The live session that started last.
    pub session: SessionId,
    /// The pusher's address in that session.
    pub user_address: Option<String>,
    /// The ingest node of that session.
    pub node: Option<String>,
    /// The width of that session's picture in pixels.
    pub width: Option<i64>,
    /// The height of that session's picture in pixels.
    pub height: Option<i64>,
    /// The latest event of its live sessions.
    pub last_event: Moment,
    /// How many anomalies CSS reported for its live sessions.
    pub anomalies: i64,
    /// Its place in the list, for the next page.
    #[serde(skip)]
    pub place: i64,
}

/// A page of live streams for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePage {
    /// How many streams are live.
    pub live: usize,
    /// How many of them match the query.
    pub matching: usize,
    /// The streams of the page.
    pub streams: Vec<StreamView>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The session's id.
    pub id: SessionId,
    /// Whether it is live, ended or stale.
    pub state: State,
    /// The push domain, in lower case.
    pub domain: String,
    /// The app name.
    pub app_name: String,
    /// The stream name.
    pub stream: String,
    /// The vendor's number of the push.
    pub sequence: String,
    /// The account's APPID.
    pub appid: Option<i64>,
    /// When it started.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How long it lasted, in ms; `null` while it is live.
    pub duration_ms: Option<i64>,
    /// Why it ended.
    pub reason: Option<ReasonView>,
    /// The pusher's address.
    pub user_address: Option<String>,
    /// The ingest node.
    pub node: Option<String>,
    /// Width of the picture in pixels.
    pub width: Option<i64>,
    /// Height of the picture in pixels.
    pub height: Option<i64>,
    /// Its earliest event.
    pub first_event: Moment,
    /// Its latest event.
    pub last_event: Moment,
    /// The push event; `null` if none has come.
    pub push_event_id: Option<EventId>,
    /// The stop event; `null` if none has come.
    pub stop_event_id: Option<EventId>,
    /// The event `livehook.session.ended` of a person; `null` without one.
    pub manual_end_event_id: Option<EventId>,
    /// How many anomalies CSS reported for it.
    pub anomalies: i64,
    /// How many recordings of its stream overlap its time.
    pub recordings: i64,
    /// How many screenshots of its stream were taken in its time.
    pub screenshots: i64,
    /// Its place in the list, for the next page.
    #[serde(skip)]
    pub place: (i64, i64),
}

/// Why a session stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SessionReason)]
pub struct ReasonView {
    /// The meaning of the vendor's code.
    #[serde(flatten)]
    pub reason: Reason,
    /// The vendor's message, or the words of the person who ended the session.
    pub errmsg: Option<String>,
}

/// Sessions of one stream with no more than a short gap between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Broadcast)]
pub struct BroadcastView {
    /// The push domain, in lower case.
    pub domain: String,
    /// The app name.
    pub app_name: String,
    /// The stream name.
    pub stream: String,
    /// Live while one of its sessions is live; otherwise ended, or stale if its latest event is in a stale session.
    pub state: State,
    /// When its first session started.
    pub started: Moment,
    /// When its last session ended; for a stale broadcast, its latest event.
    pub ended: Option<Moment>,
    /// From its start to its end, in ms; `null` unless it has ended.
    pub duration_ms: Option<i64>,
    /// How many sessions it has.
    pub sessions: usize,
    /// How many gaps there are between its sessions.
    pub interruptions: usize,
    /// The longest gap, in ms.
    pub longest_gap_ms: i64,
    /// The sum of the gaps, in ms.
    pub gaps_ms: i64,
    /// Its first session.
    pub first_session: SessionId,
    /// Its last session.
    pub last_session: SessionId,
    /// Its place in the list, for the next page.
    #[serde(skip)]
    pub place: (i64, i64),
}
