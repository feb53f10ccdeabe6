//! Events as a table for people: one line each, written as they come.

use crate::callback::Event;
use crate::cli::render::cell::{Cell, NAME_CHARACTERS_MAX, padded};
use crate::cli::render::output::{Output, OutputError};
use crate::cli::render::{event_detail, human};

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
        let key = event.partition_key();
        let stream = Cell::stream(&key.domain(), &key.app_name(), &key.stream());
        line(
            output,
            &human::moment(event.received_ms()),
            &event.event_type().to_string(),
            stream.text(),
            Cell::told(&event_detail::told(event), NAME_CHARACTERS_MAX).text(),
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
    let (stream, detail) = (padded(stream, 36), padded(detail, 26));
    // The longest type that has a name takes 20 columns.
    output.line(format_args!("{received:<20}  {event_type:<20}  {stream}  {detail}  {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{Callback, EventType, Options, Verifier};

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
            r#"{"event_type":344,"stream_id":"demo"}"#,
            r#"{"event_type":100,"stream_id":"demo","video_url":"https://vod.example.com/recordings/2026/05/01/demo-120000-a-long-name.mp4"}"#,
            r#"{"event_type":0,"app":"直播","appname":"live","stream_id":"一号","errcode":1}"#,
        ]);
        let rows: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "2026-05-01T12:00:00Z  push                  push.example.com/live/demo            from 2001:db8::1",
                "2026-05-01T12:00:00Z  stop                  push.example.com/live/demo            after 2m 8s, errcode 1",
                "2026-05-01T12:00:00Z  stop                  -/-/demo                              -",
                "2026-05-01T12:00:00Z  event-777             -/-/-                                 -",
                "2026-05-01T12:00:00Z  evaluation-threshold  -/-/demo                              -",
                "2026-05-01T12:00:00Z  recording             -/-/demo                              https://vod.example.com/recordings/2026/05/01/demo-120000-a-long…",
                "2026-05-01T12:00:00Z  stop                  直播/live/一号                        errcode 1",
            ]
        );
    }

    #[test]
    fn no_name_of_a_type_is_wider_than_its_column() {
        let longest = EventType::known().map(|event_type| event_type.to_string().len()).max();
        assert_eq!(longest, Some(20));
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
