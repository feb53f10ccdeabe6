//! Mode `each` with real programs: scripts of `sh`, which the sink itself never uses.

use std::time::Instant;

use crate::sink::Sink;
use crate::sink::command::testing::{PATIENCE, Scripted, is_gone};
use crate::sink::testing::{all_delivered, lines, names, reason, records_of_streams};

#[tokio::test]
async fn each_event_starts_a_clean_program() {
    let mut scripted = Scripted::new("cat >> in; /usr/bin/env > env; pwd >> env", "environment = { TEAM = \"live\" }");
    let batch = records_of_streams(&["a", "a", "b"]);
    assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch));
    assert_eq!(scripted.text("in"), lines(&batch));
    let environment = scripted.text("env");
    let known = [
        "PATH=",
        "TEAM=live",
        "LIVEHOOK_EVENT_ID=",
        "LIVEHOOK_EVENT_TYPE=tencent.css.push",
        "PWD=",
        "_=",
        "SHLVL=",
        "OLDPWD=",
        "/",
    ];
    for line in environment.lines() {
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
    }
    assert!(environment.contains(&format!("LIVEHOOK_EVENT_ID={}", batch[2].event.id())), "{environment}");
    assert!(environment.contains("TEAM=live\n"));
}

#[tokio::test]
async fn the_exit_code_decides() {
    let script = "read event; case $event in *poison*) echo no good >&2; exit 65;; *broken*) exit 3;; *) exit 0;; esac";
    let mut scripted = Scripted::new(script, "");
    let outcomes = scripted.deliver(&["a", "poison", "broken", "a", "poison", "broken"]).await;
    assert_eq!(names(&outcomes), ["delivered", "rejected", "retry", "delivered", "rejected", "held"]);
    assert_eq!(reason(&outcomes[1]), "sh ended with exit status: 65: no good");
    assert_eq!(reason(&outcomes[2]), "sh ended with exit status: 3");
    let outcomes = Scripted::new("kill -TERM $$", "").deliver(&["a"]).await;
    assert!(names(&outcomes) == ["retry"] && reason(&outcomes[0]).contains("signal: 15"), "{outcomes:?}");
}

#[tokio::test]
async fn unread_or_long_pipes_block_nothing() {
    let mut scripted = Scripted::new(
        "head -c 3000000 /dev/zero | tr '\\0' x; yes | head -c 300000 >&2; printf '\\033[2J' >&2; exit 1",
        "timeout_secs = 20",
    );
    let outcomes = scripted.deliver(&["a"]).await;
    assert_eq!(reason(&outcomes[0]), "sh ended with exit status: 1: \\u{1b}[2J");
}

#[tokio::test]
async fn a_timeout_kills_the_whole_group() {
    let mut scripted = Scripted::new("sleep 100 & echo $! > child; sleep 100", "timeout_secs = 1");
    let began = Instant::now();
    let outcomes = scripted.deliver(&["a", "b", "c"]).await;
    assert_eq!(names(&outcomes), ["retry", "retry", "held"], "it is not waited for a third time");
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(reason(&outcomes[0]), "sh did not finish within 1 s and was killed");
    is_gone(&scripted.path("child")).await;
}

#[tokio::test]
async fn left_processes_are_killed_at_once() {
    let mut scripted = Scripted::new("sleep 100 & echo $! > child", "");
    let began = Instant::now();
    assert_eq!(names(&scripted.deliver(&["a"]).await), ["delivered"]);
    assert!(began.elapsed() < PATIENCE);
    is_gone(&scripted.path("child")).await;
}

#[tokio::test]
async fn streams_run_at_once_and_in_order() {
    // Each waits for the other to have begun.
    let script = "read e; n=${LIVEHOOK_EVENT_ID}; touch began-$n; while [ $(ls began-* | wc -l) -lt 2 ]; do sleep 0.01; done; echo \"$e\" >> in";
    let mut scripted = Scripted::new(script, "concurrency = 2\ntimeout_secs = 10");
    let batch = records_of_streams(&["a", "b", "a", "b"]);
    assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch));
    let text = scripted.text("in");
    let place = |position: usize| text.find(batch[position].event.line()).unwrap();
    assert!(place(0) < place(2) && place(1) < place(3));
}
