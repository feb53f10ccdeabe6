//! The catalogue of event types: the name, number and meaning of each known type, and its members for stream and time.
//!
//! All look-ups of names, numbers and members read this one table. It reads no callback. To add a type, add a variant of
//! [`EventType`], a row here, a file in `tests/fixtures` and a row in docs/events.md. A test fails if one of them is missing.
//!
//! Source: the field tables and samples of the vendor's pages, one for each event type, of CSS and StreamLive.

use super::event_type::EventType::{self, *};

/// A row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownType {
    /// The type.
    pub event_type: EventType,
    /// The vendor's number, the member `event_type`.
    pub number: i64,
    /// livehook's name, such as `push-anomaly`, in lower case and with hyphens.
    pub name: &'static str,
    /// Its meaning, in a few words.
    pub meaning: &'static str,
    /// The members that name its stream.
    pub names: Names,
    /// The member with the event's time. `None` if the vendor's pages have no such member.
    pub time: Option<TimeMember>,
    /// Whether CSS signs it.
    pub signed: Signed,
}

/// The members that name the stream of an event. `None` if the vendor's pages have no such member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The push domain.
    pub domain: Option<&'static str>,
    /// The app name, the path of the push URL.
    pub app_name: Option<&'static str>,
    /// The stream name.
    pub stream: &'static str,
    /// The sequence, which pairs the events of one push.
    pub sequence: Option<&'static str>,
}

/// A member with a time since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeMember {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: TimeUnit,
}

/// The unit of a time member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl TimeUnit {
    /// The length of one unit, in ms.
    pub fn length_ms(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1000,
            TimeUnit::Milliseconds => 1,
        }
    }
}

/// Whether the vendor's newest sample of a type has `t` and `sign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It has.
    Yes,
    /// It has neither.
    No,
    /// The vendor shows no sample, or the sample contradicts the field table.
    Unclear,
}

// The vendor's pages use three pairs of names for domain and app name. Some types have neither.
const APP: Names = Names { domain: Some("app"), app_name: Some("appname"), stream: "stream_id", sequence: None };
const APP_SEQUENCE: Names = Names { sequence: Some("sequence"), ..APP };
// Only image moderation (317) writes its names in camel case.
const APP_CAMEL_CASE: Names = Names { stream: "streamId", ..APP };
const DOMAIN_APPNAME: Names = Names { domain: Some("domain"), ..APP };
const DOMAIN_PATH: Names = Names { domain: Some("domain"), app_name: Some("path"), ..APP };
const DOMAIN_PATH_SEQUENCE: Names = Names { sequence: Some("sequence"), ..DOMAIN_PATH };
const STREAM_ONLY: Names = Names { domain: None, app_name: None, ..APP };

const fn secs(name: &'static str) -> Option<TimeMember> {
    Some(TimeMember { name, unit: TimeUnit::Seconds })
}

const fn ms(name: &'static str) -> Option<TimeMember> {
    Some(TimeMember { name, unit: TimeUnit::Milliseconds })
}

const fn known(
    event_type: EventType,
    number: i64,
    name: &'static str,
    meaning: &'static str,
    names: Names,
    time: Option<TimeMember>,
    signed: Signed,
) -> KnownType {
    KnownType { event_type, number, name, meaning, names, time, signed }
}

/// In the order of the numbers, because look-ups by number use binary search. Formatted by hand, because one argument per line
/// would hide the table.
#[rustfmt::skip]
static KNOWN: [KnownType; 20] = [
    known(Stop, 0, "stop", "a push stopped, and why", APP_SEQUENCE, secs("event_time"), Signed::Yes),
    known(Push, 1, "push", "a push started", APP_SEQUENCE, secs("event_time"), Signed::Yes),
    known(Recording, 100, "recording", "a recording file is ready", APP, secs("end_time"), Signed::Yes),
    known(Screenshot, 200, "screenshot", "a screenshot was taken", APP, secs("create_time"), Signed::Yes),
    known(Relay, 314, "relay", "a relay task (pull to push) started, ended, changed its source or raised an alarm",
        STREAM_ONLY, secs("event_time"), Signed::No),
    known(AudioModeration, 315, "audio-moderation", "audio that moderation objects to",
        DOMAIN_PATH, None, Signed::Unclear),
    known(ImageModeration, 317, "image-moderation", "a picture and the verdict of its moderation",
        APP_CAMEL_CASE, secs("sendTime"), Signed::Yes),
    known(PushAnomaly, 321, "push-anomaly", "anomalies of a push, with their counts",
        DOMAIN_PATH_SEQUENCE, ms("data_time"), Signed::Yes),
    known(Monitoring, 328, "monitoring", "a stream broke or stutters, or text was recognized in its picture or sound",
        STREAM_ONLY, ms("event_time"), Signed::Unclear),
    known(StreamLivePush, 329, "streamlive-push", "StreamLive: the push to an input started",
        STREAM_ONLY, None, Signed::Yes),
    known(StreamLiveStop, 330, "streamlive-stop", "StreamLive: the push to an input was interrupted",
        STREAM_ONLY, None, Signed::Yes),
    known(RecordingStatus, 332, "recording-status", "a recording started, failed, paused, resumed or ended",
        DOMAIN_APPNAME, secs("event_time"), Signed::Yes),
    known(Subtitles, 338, "subtitles", "the spoken words, as text", STREAM_ONLY, None, Signed::Yes),
    known(RecordingAnomaly, 341, "recording-anomaly", "anomalies of a recording, with their counts",
        DOMAIN_PATH, secs("timestamp"), Signed::Yes),
    known(QualityInspection, 343, "quality-inspection", "the score of a quality inspection",
        DOMAIN_APPNAME, secs("event_time"), Signed::No),
    known(EvaluationThreshold, 344, "evaluation-threshold", "the score of an evaluation passed its threshold",
        DOMAIN_APPNAME, secs("event_time"), Signed::No),
    known(EvaluationAverage, 345, "evaluation-average", "the average score of an evaluation",
        DOMAIN_APPNAME, secs("event_time"), Signed::No),
    known(SmartErasing, 347, "smart-erasing", "parts that were erased from a stream, such as muted words",
        STREAM_ONLY, None, Signed::Yes),
    known(LiveSummary, 348, "live-summary", "a summary of a part of a stream", DOMAIN_PATH, None, Signed::No),
    known(Highlights, 349, "highlights", "highlight clips of a stream", DOMAIN_PATH, None, Signed::No),
];

impl KnownType {
    /// Every known type, in the order of the numbers.
    pub fn all() -> &'static [KnownType] {
        &KNOWN
    }

    /// The row of a type. `None` for an unknown type.
    pub fn of(event_type: EventType) -> Option<&'static KnownType> {
        KNOWN.iter().find(|known| known.event_type == event_type)
    }

    /// The type of the vendor's number.
    pub(super) fn of_number(number: i64) -> Option<&'static KnownType> {
        KNOWN.binary_search_by_key(&number, |known| known.number).ok().map(|position| &KNOWN[position])
    }

    /// The type of a name, such as `push`.
    pub(super) fn of_name(name: &str) -> Option<&'static KnownType> {
        KNOWN.iter().find(|known| known.name == name)
    }
}

#[cfg(test)]
mod tests;
