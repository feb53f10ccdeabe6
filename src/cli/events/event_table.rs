//! Prints events as a table, one by one as they are read.

use jiff::tz::TimeZone;

use crate::callback::Event;
use crate::cli::render::{NAME_CHARACTERS_MAX, Output, OutputError, TextCell, event_summary, padded, time};

const STREAM_COLUMNS: usize = 36;
const DETAIL_COLUMNS: usize = 26;

/// The columns of `2026-05-01T12:00:00Z`.
const UTC_COLUMNS: usize = 20;

/// The columns of `2026-05-01T20:00:00+08:00`.
const LOCAL_COLUMNS: usize = 25;

/// A table with columns of a fixed least width, because the next events are unknown. A wider text pushes the rest of its
/// line to the right.
#[derive(Debug, Default)]
pub(super) struct EventTable {
    has_head: bool,
}

impl EventTable {
    /// Prints an event, with the head before the first one.
    pub(super) fn print(&mut self, event: &Event, output: &mut Output<'_>) -> Result<(), OutputError> {
        if !self.has_head {
            self.has_head = true;
            print_line(["RECEIVED", "TYPE", "STREAM", "DETAIL", "ID"], output)?;
        }
        let key = event.partition_key();
        let stream = TextCell::stream(&key.domain(), &key.app_name(), &key.stream());
        let summary = TextCell::already_escaped(&event_summary::of(event), NAME_CHARACTERS_MAX);
        let texts = [
            &time::moment(event.received_ms(), output.zone()),
            &event.event_type().to_string(),
            stream.text(),
            summary.text(),
            &event.id().to_string(),
        ];
        print_line(texts, output)
    }
}

fn print_line(texts: [&str; 5], output: &mut Output<'_>) -> Result<(), OutputError> {
    let [received, event_type, stream, detail, id] = texts;
    let (stream, detail) = (padded(stream, STREAM_COLUMNS), padded(detail, DETAIL_COLUMNS));
    let received_columns = if *output.zone() == TimeZone::UTC { UTC_COLUMNS } else { LOCAL_COLUMNS };
    // The longest name of a type has 20 characters.
    output.line(format_args!("{received:<received_columns$}  {event_type:<20}  {stream}  {detail}  {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::EventType;
    use crate::callback::testing::event_of;

    fn table(bodies: &[&str]) -> String {
        let mut written = Vec::new();
        let (mut table, mut output) = (EventTable::default(), Output::to(&mut written));
        for body in bodies {
            table.print(&event_of(body, 1_777_636_800_999), &mut output).unwrap();
        }
        drop(output);
        // Without the ids, which change with their encoding.
        let written = String::from_utf8(written).unwrap();
        written.lines().map(|line| line[..line.len() - 36.min(line.len())].trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn columns_aligned() {
        let table = table(&[
            r#"{"event_type":1,"app":"push.example.com","appname":"live","stream_id":"demo","user_ip":"2001:db8::1"}"#,
            r#"{"event_type":0,"app":"push.example.com","appname":"live","stream_id":"demo","push_duration":"128581","errcode":1}"#,
            r#"{"event_type":0,"stream_id":"demo"}"#,
            r#"{"event_type":777}"#,
            r#"{"event_type":344,"stream_id":"demo"}"#,
            r#"{"event_type":100,"stream_id":"demo","video_url":"https://vod.example.com/recordings/2026/05/01/demo-120000-a-long-name.mp4"}"#,
            r#"{"event_type":0,"app":"直播","appname":"live","stream_id":"一号","errcode":1}"#,
        ]);
        insta::assert_snapshot!(table);
    }

    #[test]
    fn type_column_wide_enough() {
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
