//! Journals for the tests of commands: real ones, made in a data directory.

use std::path::Path;

use crate::callback::{Callback, Event, Options as VerifierOptions, Verifier};

/// The Unix time of the tests, in seconds.
pub(super) const EPOCH_SECS: i64 = 1_777_636_800; // 2026-05-01T12:00:00Z

/// Writes journals.
pub(super) struct Journal;

impl Journal {
    /// Adds events to the journal of a data directory, in order, and closes it.
    pub(super) fn write(data_dir: &Path, events: impl IntoIterator<Item = Event>) {
        crate::history::testing::write_journal(data_dir, events);
    }
}

/// The event of a callback, received at a Unix time in seconds.
pub(super) fn event(body: &str, received_secs: i64) -> Event {
    let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..Default::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), received_secs * 1000).unwrap()
}

/// A push of a stream; `number` is its sequence and the second at which it started.
pub(super) fn push(stream: &str, number: i64) -> Event {
    let time = EPOCH_SECS + number;
    let body = format!(
        r#"{{"event_type":1,"app":"Push.example.com","appname":"live","stream_id":"{stream}","event_time":{time},"sequence":"{number}","user_ip":"203.0.113.7","width":1920,"height":1080}}"#
    );
    event(&body, time)
}

/// Its stop after so many seconds.
pub(super) fn stop(stream: &str, number: i64, lasted_secs: i64, errcode: i64) -> Event {
    let time = EPOCH_SECS + number + lasted_secs;
    let body = format!(
        r#"{{"event_type":0,"app":"push.example.com","appname":"live","stream_id":"{stream}","event_time":{time},"sequence":"{number}","errcode":{errcode},"errmsg":"m","push_duration":"{}"}}"#,
        lasted_secs * 1000
    );
    event(&body, time)
}

/// Whether a command ends with exit code 2.
pub(super) fn is_usage_error(error: &anyhow::Error) -> bool {
    error.is::<super::args::UsageError>()
        || error.downcast_ref::<clap::Error>().is_some_and(|error| error.exit_code() == 2)
}
