//! An invented past: the callbacks of many streams' pushes, in the order of time.
//!
//! Each session has five events: push, an anomaly (321), a screenshot, the stop, and a recording or its status. A few
//! streams have many of the sessions, as real ones do. The same seed makes the same past.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::Context;
use livehook::callback::{Callback, Event, Verifier, VerifierOptions};

/// The number of streams.
const STREAMS: f64 = 50_000.0;

/// The duration of sessions, in ms: 36 minutes on average.
const DURATIONS_MS: std::ops::Range<i64> = 60_000..72 * 60_000;

/// The number of events of a session.
pub(crate) const EVENTS_PER_SESSION: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Push,
    Anomaly,
    Screenshot,
    Stop,
    Recording,
}

/// A future event. Sorted by its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    at_ms: i64,
    session: u64,
    kind: Kind,
    stream: u32,
    began_ms: i64,
    ends_ms: i64,
}

/// An endless sequence of events, the oldest first.
pub(crate) struct Mix {
    random: fastrand::Rng,
    verifier: Verifier,
    upcoming: BinaryHeap<Reverse<Planned>>,
    sessions: u64,
    /// When the next session begins, in Unix ms.
    next_ms: i64,
    /// The time between the starts of two sessions, in ms.
    interval_ms: i64,
}

impl Mix {
    /// A past that begins at `first_ms` (Unix ms), with a new session every `interval_ms`.
    pub(crate) fn new(seed: u64, first_ms: i64, interval_ms: i64) -> anyhow::Result<Mix> {
        let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() })?;
        let random = fastrand::Rng::with_seed(seed);
        // Another seed makes other sequences.
        let sessions = seed << 32;
        Ok(Mix { random, verifier, upcoming: BinaryHeap::new(), sessions, next_ms: first_ms, interval_ms })
    }

    /// The next event.
    pub(crate) fn next_event(&mut self) -> anyhow::Result<Event> {
        while self.upcoming.peek().is_none_or(|Reverse(next)| next.at_ms >= self.next_ms) {
            self.begin_session();
        }
        // Every session that begins before this event is planned by now, so no earlier event can follow.
        let Reverse(next) = self.upcoming.pop().context("there is always a next event")?;
        let body = body(&next);
        Ok(self.verifier.verify(&Callback::parse(body.as_bytes())?, next.at_ms + 200)?)
    }

    fn begin_session(&mut self) {
        let (began_ms, session) = (self.next_ms, self.sessions);
        self.next_ms += self.interval_ms;
        self.sessions += 1;
        let ends_ms = began_ms + self.random.i64(DURATIONS_MS);
        // The square makes the first streams hot: the hottest has 4,500 of a million sessions.
        let stream = (self.random.f64().powi(2) * STREAMS) as u32;
        let mut plan = |kind, at_ms| {
            self.upcoming.push(Reverse(Planned { at_ms, session, kind, stream, began_ms, ends_ms }));
        };
        plan(Kind::Push, began_ms);
        plan(Kind::Anomaly, began_ms + (ends_ms - began_ms) / 3);
        plan(Kind::Screenshot, began_ms + (ends_ms - began_ms) / 2);
        plan(Kind::Stop, ends_ms);
        plan(Kind::Recording, ends_ms + 5000);
    }
}

/// The callback of an event, with the members that CSS sends.
fn body(event: &Planned) -> String {
    let Planned { at_ms, session, kind, stream, began_ms, ends_ms } = *event;
    let (at_secs, began_secs, ends_secs) = (at_ms / 1000, began_ms / 1000, ends_ms / 1000);
    // 19 digits without order, as in real callbacks. Because the factor is odd, no sequence occurs twice.
    let sequence = 1_000_000_000_000_000_000 + (session.wrapping_mul(0x9e37_79b9_7f4a_7c15) & (u64::MAX >> 2));
    let duration_ms = ends_ms - began_ms;
    let common = format!(
        r#""app":"push.example.com","appid":1250000000,"appname":"live","channel_id":"room-{stream:05}","stream_id":"room-{stream:05}","stream_param":"txSecret=0123456789abcdef0123456789abcdef&txTime=6A1B2C3D&user={stream}&device=7f3a9c52&app=example&version=8.12.0""#
    );
    let pushed = format!(
        r#"{common},"event_time":{at_secs},"idc_id":46,"node":"203.0.113.{}","sequence":"{sequence}","set_id":2,"user_ip":"198.51.100.{}","width":1920,"height":1080"#,
        session % 200,
        stream % 250
    );
    match kind {
        Kind::Push => format!(r#"{{"event_type":1,{pushed},"errcode":0,"errmsg":"ok"}}"#),
        Kind::Stop => {
            let errcode = [1, 2, 3, 8, 12, 18, 21][session as usize % 7];
            format!(
                r#"{{"event_type":0,{pushed},"errcode":{errcode},"errmsg":"The push client actively stopped the push","push_duration":"{duration_ms}"}}"#
            )
        }
        Kind::Anomaly => format!(
            r#"{{"event_type":321,"appid":1250000000,"user_ip":"198.51.100.{}","domain":"push.example.com","path":"live","stream_id":"room-{stream:05}","stream_param":"","sequence":"{sequence}","data_time":{at_ms},"report_interval":5000,"timeout":2000,"interface":"general_callback","abnormal_event":[{{"type":5,"count":1,"detail":[{{"desc":"timestamp jump","occur_time":{at_ms}}}],"customer_visible":"1","event_key":"TimestampJump","type_desc_en":"Timestamp jump"}}]}}"#,
            stream % 250
        ),
        Kind::Screenshot => format!(
            r#"{{"event_type":200,{common},"create_time":{at_secs},"file_size":120394,"width":1920,"height":1080,"pic_url":"/{at_secs}/room-{stream:05}-{session}.jpg","pic_full_url":"https://pictures.example.com/{at_secs}/room-{stream:05}-{session}.jpg"}}"#
        ),
        Kind::Recording if session % 2 == 0 => format!(
            r#"{{"event_type":100,{common},"start_time":{began_secs},"end_time":{ends_secs},"start_time_usec":1,"end_time_usec":2,"duration":{},"file_id":"{session}","record_file_id":"{session}","file_format":"mp4","file_size":90210394,"media_start_time":0,"record_bps":0,"video_url":"https://recordings.example.com/{session}/playlist.mp4","callback_ext":"{{\"video_codec\":\"h264\",\"resolution\":\"1920x1080\"}}"}}"#,
            duration_ms / 1000
        ),
        Kind::Recording => format!(
            r#"{{"event_type":332,"appid":1250000000,"appname":"live","domain":"push.example.com","stream_id":"room-{stream:05}","session_id":"{session}","seq":"1","task_id":"","record_event":"record_ended","event_time":{at_secs},"record_detail":"{{\"file_format\":3,\"start_model\":1}}"}}"#
        ),
    }
}
