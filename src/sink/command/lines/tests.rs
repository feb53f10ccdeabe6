//! Mode `lines` with real programs: scripts of `sh`, which the sink itself never uses.

use std::time::Instant;

use super::*;
use crate::sink::Sink;
use crate::sink::command::testing::{PATIENCE, Scripted, is_gone};
use crate::sink::testing::{all_delivered, lines, names, reason, records_of_streams};

#[tokio::test]
async fn a_kept_program_answers_each_event() {
    let script = "echo $$ >> ids; while read -r event; do case $event in *poison*) echo permanent no good;; *broken*) echo error later;; *) echo \"$event\" >> in; echo ok;; esac; done";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    let streams = ["a", "poison", "broken", "a", "broken"];
    let outcomes = scripted.deliver(&streams).await;
    assert_eq!(names(&outcomes), ["delivered", "rejected", "retry", "delivered", "held"]);
    assert_eq!((reason(&outcomes[1]), reason(&outcomes[2])), ("sh: no good".to_owned(), "sh: later".to_owned()));
    assert_eq!(names(&scripted.deliver(&["c"]).await), ["delivered"]);
    assert_eq!(scripted.text("ids").lines().count(), 1, "it is one and the same");
    let batch = records_of_streams(&streams);
    assert!(scripted.text("in").starts_with(&lines(&[batch[0].clone(), batch[3].clone()])));
    let id = scripted.path("ids");
    drop(scripted.sink);
    is_gone(&id).await;
}

#[tokio::test]
async fn a_wrong_answer_is_a_retry() {
    for (script, expected) in [
        ("read event; echo okay", "sh answered \"okay\"; with mode = \"lines\" it must answer"),
        ("read event; printf ok", "sh has ended without an answer: "),
        ("exit 0", "sh has ended without reading the event: "),
        ("read event; head -c 100000 /dev/zero | tr '\\0' x", "sh gave an answer of more than 4096 bytes; with"),
        ("read event; printf 'ok '; head -c 4093 /dev/zero | tr '\\0' x; sleep 100", "sh gave an answer of more than"),
        ("dd bs=1 count=1 of=dev 2> err; echo ok; sleep 100", "sh answered \"ok\" before it had read the event; with"),
        (
            "dd bs=1 count=1 of=dev 2> err; echo permanent no database; sleep 100",
            "sh answered \"permanent no database\" before it had read",
        ),
        ("echo ok; sleep 100", "sh answered "),
        ("read event; printf 'ok\\nok\\n'", "sh answered more than it was asked; with"),
        ("read event; printf 'ok\\npermanent no\\n'; sleep 100", "sh answered more than it was asked; with"),
        ("echo $$ > id; sleep 100", "sh was not done within 1 s, and was killed"),
    ] {
        let mut scripted = Scripted::new(script, "mode = \"lines\"\ntimeout_secs = 1");
        let outcomes = scripted.deliver(&["a"]).await;
        assert_eq!(names(&outcomes), ["retry"]);
        assert!(reason(&outcomes[0]).starts_with(expected), "{}", reason(&outcomes[0]));
        if script.contains("id") {
            is_gone(&scripted.path("id")).await;
        }
    }
}

#[tokio::test]
async fn an_event_that_ends_a_program_lets_others_pass() {
    let script = "while read -r event; do case $event in *poison*) exit 1;; *) echo ok;; esac; done";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    let outcomes = scripted.deliver(&["a", "poison", "b", "poison", "c"]).await;
    assert_eq!(names(&outcomes), ["delivered", "retry", "delivered", "held", "delivered"]);
}

#[tokio::test]
async fn a_surplus_answer_counts_for_no_event() {
    // It answers once more when it is told to, with no event to answer.
    let script = "read -r event; echo ok; while [ ! -e go ]; do sleep 0.01; done; echo ok; touch said; read -r event; echo \"$event\" >> in; echo ok; sleep 100";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    assert_eq!(names(&scripted.deliver(&["a"]).await), ["delivered"]);
    std::fs::write(scripted.path("go"), "").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !scripted.path("said").exists() {
        assert!(Instant::now() < deadline, "it says nothing more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let outcomes = scripted.deliver(&["b"]).await;
    assert_eq!(names(&outcomes), ["retry"]);
    assert!(reason(&outcomes[0]).starts_with("sh answered more than it was asked; with"), "{}", reason(&outcomes[0]));
    assert_eq!(scripted.text("in"), "", "it is not given an event that it may have answered");
}

#[tokio::test]
async fn a_double_answer_delivers_nothing_unread() {
    let script = "read -r event; echo \"$event\" >> in; printf 'ok\\nok\\n'";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    for _ in 0..5 {
        let batch = records_of_streams(&["a", "b", "c"]);
        let outcomes = scripted.sink.deliver(&batch).await;
        for (record, outcome) in batch.iter().zip(outcomes) {
            assert!(outcome != Outcome::Delivered || scripted.text("in").contains(record.event.line()));
        }
    }
}

#[tokio::test]
async fn a_program_may_end_after_an_answer() {
    for end in ["", "exec >&-; sleep 0.05", "exec <&-; sleep 0.05"] {
        let mut scripted = Scripted::new(&format!("read -r event; echo $$ >> ids; echo ok; {end}"), "mode = \"lines\"");
        let batch = records_of_streams(&["a", "b", "a", "c", "d", "e"]);
        assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch), "{end}");
        assert_eq!(scripted.text("ids").lines().count(), batch.len());
    }
}
