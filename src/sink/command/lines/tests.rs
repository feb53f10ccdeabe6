//! Mode `lines` with real programs: scripts of `sh`, which the sink itself never uses.

use super::*;
use crate::sink::Sink;
use crate::sink::command::testing::{Scripted, is_gone, wait_until};
use crate::sink::testing::{all_delivered, lines, names, reason, records_of_streams};

/// The id of an event that the sink never gives.
const STRANGER: &str = "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42";

/// A sink that runs a script in mode `lines`. In the script, `next` reads an event into `$event` and its id into `$id`.
fn scripted(script: &str, more: &str) -> Scripted {
    let next = r#"next() { read -r event || exit 0; id=${event#*'"id":"'}; id=${id%%'"'*}; }"#;
    Scripted::new(&format!("{next}\n{script}"), &format!("mode = \"lines\"\n{more}"))
}

/// Waits until the script has made a file.
async fn is_made(scripted: &Scripted, name: &str) {
    wait_until(&format!("the script makes the file {name}"), || scripted.path(name).exists()).await;
}

#[tokio::test]
async fn a_kept_program_answers_each_event() {
    let script = "echo $$ >> ids; while next; do case $event in *poison*) echo permanent $id no good;; *broken*) echo error $id later;; *) echo \"$event\" >> in; echo ok $id;; esac; done";
    let mut scripted = scripted(script, "");
    let streams = ["a", "poison", "broken", "a", "broken"];
    let outcomes = scripted.deliver(&streams).await;
    assert_eq!(names(&outcomes), ["delivered", "rejected", "retry", "delivered", "held"]);
    assert_eq!((reason(&outcomes[1]), reason(&outcomes[2])), ("sh: no good".to_owned(), "sh: later".to_owned()));
    assert_eq!(names(&scripted.deliver(&["c"]).await), ["delivered"]);
    assert_eq!(scripted.text("ids").lines().count(), 1, "one program got all events");
    let batch = records_of_streams(&streams);
    assert!(scripted.text("in").starts_with(&lines(&[batch[0].clone(), batch[3].clone()])));
    let id = scripted.path("ids");
    drop(scripted.sink);
    is_gone(&id).await;
}

#[tokio::test]
async fn a_wrong_answer_is_a_retry() {
    let early = "event=$(dd bs=80 count=1 2> err); id=${event#*'\"id\":\"'}; id=${id%%'\"'*}; echo ok $id; sleep 100";
    let stranger = format!("next; echo ok {STRANGER}; sleep 100");
    for (script, expected) in [
        ("next; echo okay", "sh answered \"okay\"; with mode = \"lines\" it must answer each event"),
        ("next; printf 'ok %s' $id", "sh has ended without an answer: "),
        ("exit 0", "sh has ended without reading the event: "),
        ("next; head -c 100000 /dev/zero | tr '\\0' x", "sh gave an answer of more than 4096 bytes; with"),
        ("next; printf 'ok '; head -c 4093 /dev/zero | tr '\\0' x; sleep 100", "sh gave an answer of more than"),
        (early, "sh answered \"ok "),
        ("echo $$ > id; sleep 100", "sh did not finish within 1 s and was killed"),
        (&stranger, "sh did not finish within 1 s and was killed; its last answer, \"ok 0167c013-"),
    ] {
        let mut scripted = scripted(script, "timeout_secs = 1");
        let outcomes = scripted.deliver(&["a"]).await;
        assert_eq!(names(&outcomes), ["retry"], "{script}");
        let reason = reason(&outcomes[0]);
        assert!(reason.starts_with(expected), "{reason}");
        assert!(script != early || reason.contains(" before it had read the event; with"), "{reason}");
        if script.contains("> id") {
            is_gone(&scripted.path("id")).await;
        }
    }
}

// Before 0.1, an answer named no event. The message shows the new form, and the program is not waited for.
#[tokio::test]
async fn an_answer_without_an_id_is_a_retry() {
    let id = records_of_streams(&["a"])[0].event.id();
    for (answer, word) in
        [("ok", "ok"), ("error later", "error"), ("permanent no database", "permanent"), ("ok 17", "ok")]
    {
        for script in [format!("next; echo {answer}; sleep 100"), format!("echo {answer}; next; sleep 100")] {
            let outcomes = scripted(&script, "").deliver(&["a"]).await;
            assert_eq!(names(&outcomes), ["retry"]);
            let expected = format!(
                "sh answered \"{answer}\", which names no event: livehook wants `{word} <id>`, here `{word} {id}`; with"
            );
            assert!(reason(&outcomes[0]).starts_with(&expected), "{}", reason(&outcomes[0]));
        }
    }
}

#[tokio::test]
async fn an_event_that_ends_a_program_fails_alone() {
    let script = "while next; do case $event in *poison*) exit 1;; *) echo ok $id;; esac; done";
    let outcomes = scripted(script, "").deliver(&["a", "poison", "b", "poison", "c"]).await;
    assert_eq!(names(&outcomes), ["delivered", "retry", "delivered", "held", "delivered"]);
}

// Each event is answered twice, and the second answer differs. It comes while the next event is in hand, or before.
#[tokio::test]
async fn a_surplus_answer_counts_for_no_event() {
    let script = "echo $$ >> ids; while next; do case $event in *bad*) echo error $id no;; *) echo ok $id;; esac; echo permanent $id; echo ok 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42; done";
    let mut scripted = scripted(script, "");
    let outcomes = scripted.deliver(&["a", "b", "bad", "c", "d"]).await;
    assert_eq!(names(&outcomes), ["delivered", "delivered", "retry", "delivered", "delivered"]);
    assert_eq!(scripted.text("ids").lines().count(), 1, "it costs no program");
}

// The surplus answer names the same event, which is tried again. It was said before the new attempt, so it does not count.
#[tokio::test]
async fn a_surplus_answer_counts_for_no_retry() {
    let script = "next; echo error $id first; while [ ! -e go ]; do sleep 0.01; done; echo ok $id; touch said; next; echo error $id second; sleep 100";
    let mut scripted = scripted(script, "");
    assert_eq!(reason(&scripted.deliver(&["a"]).await[0]), "sh: first");
    std::fs::write(scripted.path("go"), "").unwrap();
    is_made(&scripted, "said").await;
    assert_eq!(reason(&scripted.deliver(&["a"]).await[0]), "sh: second");
}

// The first program gets no time to answer. The second one answers for the first event, which is too late.
#[tokio::test]
async fn a_late_answer_counts_for_no_other_event() {
    let script =
        "next; if [ -e late ]; then echo ok $(cat late); else echo $id > late.new; mv late.new late; fi; sleep 100";
    let mut scripted = scripted(script, "timeout_secs = 1");
    let batch = records_of_streams(&["a", "b"]);
    assert_eq!(names(&scripted.sink.deliver(&batch[..1]).await), ["retry"]);
    is_made(&scripted, "late").await;
    let outcomes = scripted.sink.deliver(&batch[1..]).await;
    assert_eq!(names(&outcomes), ["retry"]);
    let expected = format!("its last answer, \"ok {}\", names another event", batch[0].event.id());
    assert!(reason(&outcomes[0]).ends_with(&expected), "{}", reason(&outcomes[0]));
}

#[tokio::test]
async fn a_double_answer_delivers_nothing_unread() {
    let mut scripted = scripted("next; echo \"$event\" >> in; printf 'ok %s\\nok %s\\n' $id $id", "");
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
        let mut scripted = scripted(&format!("next; echo $$ >> ids; echo ok $id; {end}"), "");
        let batch = records_of_streams(&["a", "b", "a", "c", "d", "e"]);
        assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch), "{end}");
        assert_eq!(scripted.text("ids").lines().count(), batch.len());
    }
}
