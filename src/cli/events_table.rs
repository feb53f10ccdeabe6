//! Events as a table for people: one line each, written as they come.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::output::{Output, OutputError};
use super::printable::printable;
use crate::callback::{Event, StreamEvent};

/// The most characters of a name that are shown.
const NAME_CHARACTERS_MAX: usize = 64;

/// A table that is aligned while it is written: columns have a least width, and what is wider pushes the rest aside.
#[derive(Debug, Default)]
pub(super) struct Table {
    has_head: bool,
}

impl Table {
    /// Writes an event, and before the first one the head.
    pub(super) fn row(&mut self, event: &Event, output: &mut Output<'_>) -> Result<(), OutputError> {
        if !self.has_head {
            self.has_head = true;
            line(output, "RECEIVED", "TYPE", "STREAM", "DETAIL", "ID")?;
        }
        line(
            output,
            &received(event.received_ms()),
            &event.event_type().to_string(),
            &stream(event),
            &detail(event),
            &event.id().to_string(),
        )
    }
}

fn line(
    output: &mut Output<'_>,
    received: &str,
    event_type: &str,
    stream: &str,
    detail: &str,
    id: &str,
) -> Result<(), OutputError> {
    output.line(format_args!("{received:<20}  {event_type:<9}  {stream:<36}  {detail:<26}  {id}"))
}

/// RFC 3339 in UTC, to the second, so that it can be given back to `--since`.
fn received(received_ms: i64) -> String {
    Timestamp::from_second(received_ms.div_euclid(1000)).map_or_else(|_| "?".to_owned(), |moment| moment.to_string())
}

/// Domain, app name and stream with `/` between, absent ones as `-`.
fn stream(event: &Event) -> String {
    let key = event.partition_key();
    let part = |text: Cow<'_, str>| match text.is_empty() {
        true => "-".to_owned(),
        false => printable(&text, NAME_CHARACTERS_MAX).into_owned(),
    };
    format!("{}/{}/{}", part(key.domain()), part(key.app_name()), part(key.stream()))
}

/// From where a push comes; how long it lasted and why it stopped.
fn detail(event: &Event) -> String {
    let Some(stream_event) = StreamEvent::of(event) else {
        return String::new();
    };
    let mut parts = Vec::new();
    if stream_event.is_stop {
        if let Some(duration_ms) = stream_event.push_duration_ms {
            parts.push(format!("after {:#}", SignedDuration::from_secs(duration_ms / 1000)));
        }
        if let Some(errcode) = stream_event.errcode {
            parts.push(format!("errcode {errcode}"));
        }
    } else if let Some(address) = stream_event.user_address {
        parts.push(format!("from {}", printable(&address, NAME_CHARACTERS_MAX)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{Callback, Options, Verifier};

    fn table(bodies: &[&str]) -> String {
        let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
        let mut written = Vec::new();
        let (mut table, mut output) = (Table::default(), Output::to(&mut written));
        for body in bodies {
            let event = verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 1_777_636_800_999).unwrap();
            table.row(&event, &mut output).unwrap();
        }
        drop(output);
        // The ids have tests of their own.
        let written = String::from_utf8(written).unwrap();
        written.lines().map(|line| line[..line.len() - 36.min(line.len())].trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn columns_line_up_under_one_head() {
        let table = table(&[
            r#"{"event_type":1,"app":"push.example.com","appname":"live","stream_id":"demo","user_ip":"2001:db8::1"}"#,
            r#"{"event_type":0,"app":"push.example.com","appname":"live","stream_id":"demo","push_duration":"128581","errcode":1}"#,
            r#"{"event_type":0,"stream_id":"demo"}"#,
            r#"{"event_type":777}"#,
        ]);
        let rows: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "2026-05-01T12:00:00Z  push       push.example.com/live/demo            from 2001:db8::1",
                "2026-05-01T12:00:00Z  stop       push.example.com/live/demo            after 2m 8s, errcode 1",
                "2026-05-01T12:00:00Z  stop       -/-/demo",
                "2026-05-01T12:00:00Z  event-777  -/-/-",
            ]
        );
    }

    #[test]
    fn hostile_names_stay_in_their_line() {
        let long = format!(r#"{{"event_type":1,"stream_id":"{}"}}"#, "x".repeat(10_000));
        let table = table(&[
            r#"{"event_type":1,"app":"a\n2026","appname":"\u001b[31m","stream_id":"\u202egnp","user_ip":"\u009b\r1"}"#,
            r#"{"event_type":0,"push_duration":9223372036854775807,"errcode":9223372036854775807}"#,
            &long,
        ]);
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains(r"a\n2026/\u{1b}[31m/\u{202e}gnp"), "{table}");
        assert!(table.contains(r"from \u{9b}\r1"), "{table}");
        assert!(!table.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\r']));
        assert!(table.lines().all(|line| line.chars().count() < 300));
    }
}
