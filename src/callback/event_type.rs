//! The types of events. The names, numbers and members of the vendor's types are in the catalogue.
//!
//! Source: the vendor's "Event Message Notification" pages of CSS and StreamLive. The vendor adds numbers every year, so livehook
//! accepts and delivers unknown ones too.

/// The type of an event, after the vendor's member `event_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    /// 1: a push started.
    Push,
    /// 0: a push stopped.
    Stop,
    /// 100: a recording file is ready.
    Recording,
    /// 200: a screenshot was taken.
    Screenshot,
    /// 314: a relay task changed.
    Relay,
    /// 315: audio moderation.
    AudioModeration,
    /// 317: image moderation.
    ImageModeration,
    /// 321: anomalies of a push.
    PushAnomaly,
    /// 328: real-time monitoring.
    Monitoring,
    /// 329: StreamLive, an input's push started.
    StreamLivePush,
    /// 330: StreamLive, an input's push was interrupted.
    StreamLiveStop,
    /// 332: status of a recording.
    RecordingStatus,
    /// 338: live subtitles.
    Subtitles,
    /// 341: anomalies of a recording.
    RecordingAnomaly,
    /// 343: quality inspection.
    QualityInspection,
    /// 344: an evaluation passed its threshold.
    EvaluationThreshold,
    /// 345: average of an evaluation.
    EvaluationAverage,
    /// 347: smart erasing.
    SmartErasing,
    /// 348: summary of a live stream.
    LiveSummary,
    /// 349: highlight clips.
    Highlights,
    /// livehook's own: a person ended a session whose stop did not arrive. No callback has this type.
    SessionEnded,
    /// Any other number. Such events are accepted and delivered.
    Unknown(i64),
}

impl EventType {
    /// Whether it is a push or a stop of a stream, whose members are those of [`super::StreamEvent`].
    pub fn is_push_or_stop(self) -> bool {
        matches!(self, EventType::Push | EventType::Stop)
    }
}
