//! The log sink with real pipes and files in place of stdout.

use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::*;
use crate::callback::testing::{RECEIVED_MS, event_of};
use crate::sink::testing::{all_delivered, lines, reason, records};

fn piped() -> (PipeReader, LogSink) {
    let (reader, writer) = pipe().unwrap();
    (reader, LogSink::with_target(File::from(OwnedFd::from(writer))))
}

/// Reads on its own thread until the other end is closed.
fn read_all(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

/// More records than fit into a pipe.
fn many() -> Vec<Record> {
    records(1000)
}

async fn times_out(sink: &mut LogSink, batch: &[Record]) -> bool {
    tokio::time::timeout(Duration::from_millis(50), sink.deliver(batch)).await.is_err()
}

#[tokio::test]
async fn an_event_is_a_line() {
    let (reader, mut sink) = piped();
    let batch = records(3);
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert!(sink.deliver(&[]).await.is_empty());
    drop(sink);
    assert_eq!(read_all(reader).join().unwrap(), lines(&batch));
}

// A reader that stops reading holds up this sink alone, and the delivery that was dropped in the middle of a line leaves no
// torn line behind.
#[tokio::test]
async fn a_dropped_delivery_leaves_whole_lines() {
    let (reader, mut sink) = piped();
    let batch = many();
    assert!(times_out(&mut sink, &batch).await, "the pipe took more than a pipe holds");
    let read = read_all(reader);
    let next = records(1001).split_off(1000);
    assert!(all_delivered(&sink.deliver(&next).await, &next));
    drop(sink);
    assert_eq!(read.join().unwrap(), lines(&batch) + &lines(&next));
}

#[tokio::test]
async fn a_closed_reader_is_a_retry() {
    let (reader, mut sink) = piped();
    drop(reader);
    let outcomes = sink.deliver(&records(2)).await;
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        assert!(matches!(outcome, Outcome::Retry(_)));
        let reason = reason(&outcome);
        assert!(reason.starts_with("stdout is closed, because its reader has ended: "), "{reason}");
    }
}

#[tokio::test]
async fn a_non_blocking_stdout_is_waited_for() {
    let (reader, writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut sink = LogSink::with_target(File::from(OwnedFd::from(writer)));
    let batch = many();
    assert!(times_out(&mut sink, &batch).await);
    let read = read_all(reader);
    assert!(all_delivered(&sink.deliver(&batch[..1]).await, &batch[..1]));
    drop(sink);
    assert_eq!(read.join().unwrap(), lines(&batch) + &lines(&batch[..1]));
}

#[tokio::test]
async fn a_torn_line_is_finished_and_not_repeated() {
    let batch = records(3);
    let expected = lines(&batch);
    let scratch = tempfile::NamedTempFile::new().unwrap();
    for written in 0..=expected.len() {
        // The state after a write that failed after this many bytes.
        let mut output = Output::new(scratch.reopen().unwrap());
        output.fill(&batch);
        output.written = written;
        output.keep_rest();
        let done = batch.iter().filter(|record| output.has_written(record.offset)).count();
        assert_eq!(done, expected[..written].matches('\n').count());

        // A second failure before any byte is written changes nothing.
        output.fill(&batch[done..]);
        output.keep_rest();

        output.file.set_len(0).unwrap();
        output.file.write_all(&expected.as_bytes()[..written]).unwrap();
        let mut sink = LogSink { output: Some(output), running: None };
        assert!(all_delivered(&sink.deliver(&batch[done..]).await, &batch[done..]));
        assert_eq!(std::fs::read_to_string(scratch.path()).unwrap(), expected, "{written}");
    }
}

#[tokio::test]
async fn a_torn_line_ends_before_other_events() {
    let batch = records(3);
    let scratch = tempfile::NamedTempFile::new().unwrap();
    let mut output = Output::new(scratch.reopen().unwrap());
    output.fill(&batch[..1]);
    output.written = 10;
    output.keep_rest();
    output.file.write_all(&lines(&batch).as_bytes()[..10]).unwrap();
    let mut sink = LogSink { output: Some(output), running: None };
    assert!(all_delivered(&sink.deliver(&batch[1..]).await, &batch[1..]));
    assert_eq!(std::fs::read_to_string(scratch.path()).unwrap(), lines(&batch));
}

#[tokio::test]
async fn a_full_disk_behind_stdout_is_a_retry() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let outcome = LogSink::with_target(full).deliver(&records(1)).await.remove(0);
    assert!(matches!(outcome, Outcome::Retry(_)));
    assert!(reason(&outcome).starts_with("stdout cannot be written: "), "{outcome:?}");
}

#[tokio::test]
async fn hostile_names_inject_no_line_or_escape() {
    let hostile = "\\u001b[31m\\n{}\\r\\u2028\\u0085\\u009b2J\\u0000\\u007f\u{2028}\u{85}\u{9b}\u{7f}";
    let body = format!(r#"{{"event_type":1,"stream_id":"{hostile}","app":"{hostile}","{hostile}":["{hostile}"]}}"#);
    let (reader, mut sink) = piped();
    let batch = [Record { offset: Offset(1), event: event_of(&body, RECEIVED_MS) }];
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    drop(sink);
    let text = read_all(reader).join().unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(|character: char| character.is_control() || character == '\u{2028}'), "{line:?}");
}
