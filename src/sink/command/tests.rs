//! The sink with real programs: scripts of `sh`, which the sink itself never uses.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::sink::fixture::{all_delivered, lines as lines_of, records_of_streams};

/// No test waits longer than this for anything: far less than the programs here would live on for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sink that runs a script in a directory of its own, where the script leaves its traces.
struct Scripted {
    directory: tempfile::TempDir,
    sink: CommandSink,
}

impl Scripted {
    fn new(script: &str, more: &str) -> Scripted {
        let directory = tempfile::tempdir().unwrap();
        let text =
            format!("program = \"sh\"\narguments = [\"-c\", {script:?}]\ndirectory = {:?}\n{more}", directory.path());
        let options: Options = toml::from_str(&text).unwrap();
        assert_eq!(options.mistakes(), []);
        Scripted { directory, sink: CommandSink::new(options) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    async fn deliver(&mut self, streams: &[&str]) -> Vec<Outcome> {
        self.sink.deliver(&records_of_streams(streams)).await
    }
}

fn names(outcomes: &[Outcome]) -> Vec<&'static str> {
    let name = |outcome: &Outcome| match outcome {
        Ok(()) => "ok",
        Err(DeliveryError::Transient { .. }) => "transient",
        Err(DeliveryError::Held) => "held",
        Err(DeliveryError::Permanent { .. }) => "permanent",
    };
    outcomes.iter().map(name).collect()
}

fn reason(outcome: &Outcome) -> String {
    outcome.as_ref().unwrap_err().to_string()
}

/// Waits until the process whose number stands in a file is gone.
async fn is_gone(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    let id = loop {
        match std::fs::read_to_string(path) {
            Ok(id) if id.ends_with('\n') => break id,
            _ => assert!(Instant::now() < deadline, "no process left its number"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let stat = format!("/proc/{}/stat", id.trim());
    // One that nobody has waited for yet is dead even so.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the process {id} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn each_event_is_a_start_with_the_event_on_stdin_and_a_clean_environment() {
    let mut scripted = Scripted::new("cat >> in; /usr/bin/env > env; pwd >> env", "environment = { TEAM = \"live\" }");
    let batch = records_of_streams(&["a", "a", "b"]);
    assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch));
    assert_eq!(scripted.text("in"), lines_of(&batch));
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
    assert_eq!(names(&outcomes), ["ok", "permanent", "transient", "ok", "permanent", "held"]);
    assert_eq!(reason(&outcomes[1]), "sh ended with exit status: 65: no good");
    assert_eq!(reason(&outcomes[2]), "sh ended with exit status: 3");
    let outcomes = Scripted::new("kill -TERM $$", "").deliver(&["a"]).await;
    assert!(names(&outcomes) == ["transient"] && reason(&outcomes[0]).contains("signal: 15"), "{outcomes:?}");
}

#[tokio::test]
async fn an_input_that_is_not_read_and_an_output_that_is_long_hold_nothing_up() {
    let mut scripted = Scripted::new(
        "head -c 3000000 /dev/zero | tr '\\0' x; yes | head -c 300000 >&2; printf '\\033[2J' >&2; exit 1",
        "timeout_secs = 20",
    );
    let outcomes = scripted.deliver(&["a"]).await;
    assert_eq!(reason(&outcomes[0]), "sh ended with exit status: 1: \\u{1b}[2J");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
    let mut scripted = Scripted::new("sleep 100 & echo $! > child; sleep 100", "timeout_secs = 1");
    let began = Instant::now();
    let outcomes = scripted.deliver(&["a", "b", "c"]).await;
    assert_eq!(names(&outcomes), ["transient", "transient", "held"], "it is not waited for a third time");
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(reason(&outcomes[0]), "sh was not done within 1 s, and was killed");
    is_gone(&scripted.path("child")).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed_and_not_waited_for() {
    let mut scripted = Scripted::new("sleep 100 & echo $! > child", "");
    let began = Instant::now();
    assert_eq!(names(&scripted.deliver(&["a"]).await), ["ok"]);
    assert!(began.elapsed() < PATIENCE);
    is_gone(&scripted.path("child")).await;
}

#[tokio::test]
async fn a_delivery_that_is_dropped_leaves_no_process_and_a_sink_that_delivers() {
    for mode in ["each", "lines"] {
        let script = "if [ -e child ]; then read event; echo ok; exit 0; fi; sleep 100 & echo $! > number; mv number child; wait";
        let mut scripted = Scripted::new(script, &format!("mode = \"{mode}\""));
        let path = scripted.path("child");
        tokio::select! {
            _ = scripted.deliver(&["a"]) => panic!("it is not done"),
            () = async { while !path.exists() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
        }
        is_gone(&path).await;
        assert_eq!(names(&scripted.deliver(&["a"]).await), ["ok"]);
    }
}

#[tokio::test]
async fn streams_run_side_by_side_and_each_in_order() {
    // Each waits for the other to have begun.
    let script = "read e; n=${LIVEHOOK_EVENT_ID}; touch began-$n; while [ $(ls began-* | wc -l) -lt 2 ]; do sleep 0.01; done; echo \"$e\" >> in";
    let mut scripted = Scripted::new(script, "concurrency = 2\ntimeout_secs = 10");
    let batch = records_of_streams(&["a", "b", "a", "b"]);
    assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch));
    let text = scripted.text("in");
    let place = |position: usize| text.find(batch[position].event.line()).unwrap();
    assert!(place(0) < place(2) && place(1) < place(3));
}

#[tokio::test]
async fn a_program_that_is_kept_answers_each_line_with_one() {
    let script = "echo $$ >> ids; while read -r event; do case $event in *poison*) echo permanent no good;; *broken*) echo error later;; *) echo \"$event\" >> in; echo ok;; esac; done";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    let streams = ["a", "poison", "broken", "a", "broken"];
    let outcomes = scripted.deliver(&streams).await;
    assert_eq!(names(&outcomes), ["ok", "permanent", "transient", "ok", "held"]);
    assert_eq!((reason(&outcomes[1]), reason(&outcomes[2])), ("sh: no good".to_owned(), "sh: later".to_owned()));
    assert_eq!(names(&scripted.deliver(&["c"]).await), ["ok"]);
    assert_eq!(scripted.text("ids").lines().count(), 1, "it is one and the same");
    let batch = records_of_streams(&streams);
    assert!(scripted.text("in").starts_with(&lines_of(&[batch[0].clone(), batch[3].clone()])));
    let id = scripted.path("ids");
    drop(scripted.sink);
    is_gone(&id).await;
}

#[tokio::test]
async fn what_is_no_answer_ends_the_program_and_is_no_success() {
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
        assert_eq!(names(&outcomes), ["transient"]);
        assert!(reason(&outcomes[0]).starts_with(expected), "{}", reason(&outcomes[0]));
        if script.contains("id") {
            is_gone(&scripted.path("id")).await;
        }
    }
}

#[tokio::test]
async fn an_event_at_which_a_kept_program_dies_does_not_keep_others_from_being_tried() {
    let script = "while read -r event; do case $event in *poison*) exit 1;; *) echo ok;; esac; done";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    let outcomes = scripted.deliver(&["a", "poison", "b", "poison", "c"]).await;
    assert_eq!(names(&outcomes), ["ok", "transient", "ok", "held", "ok"]);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_also_by_a_probe() {
    for mode in ["each", "lines"] {
        let options = format!("program = \"/nowhere/notify\"\nmode = \"{mode}\"");
        let mut sink = CommandSink::new(toml::from_str(&options).unwrap());
        let outcomes = sink.deliver(&records_of_streams(&["a", "b", "c"])).await;
        assert_eq!(names(&outcomes), ["transient", "transient", "held"]);
        let told = reason(&outcomes[0]);
        assert_eq!(
            told,
            "`program` names /nowhere/notify, which is no program that can be executed; correct `program`"
        );
        assert_eq!(sink.probe().await.unwrap_err().to_string(), told);
    }
    let found = Scripted::new("touch started", "").sink.probe().await.unwrap();
    assert!(found.starts_with('/') && found.ends_with("/sh can be started (and was not)"), "{found}");
    let mut elsewhere = CommandSink::new(toml::from_str("program = \"sh\"\ndirectory = \"/nowhere\"").unwrap());
    let told = elsewhere.probe().await.unwrap_err().to_string();
    assert!(told.starts_with("`directory` names /nowhere, which is no directory"), "{told}");
    assert_eq!(reason(&elsewhere.deliver(&records_of_streams(&["a"])).await[0]), told);
}

#[tokio::test]
async fn what_is_said_beyond_an_answer_counts_for_no_later_event() {
    // It answers once more when it is told to, with no event to answer.
    let script = "read -r event; echo ok; while [ ! -e go ]; do sleep 0.01; done; echo ok; touch said; read -r event; echo \"$event\" >> in; echo ok; sleep 100";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    assert_eq!(names(&scripted.deliver(&["a"]).await), ["ok"]);
    std::fs::write(scripted.path("go"), "").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !scripted.path("said").exists() {
        assert!(Instant::now() < deadline, "it says nothing more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let outcomes = scripted.deliver(&["b"]).await;
    assert_eq!(names(&outcomes), ["transient"]);
    assert!(reason(&outcomes[0]).starts_with("sh answered more than it was asked; with"), "{}", reason(&outcomes[0]));
    assert_eq!(scripted.text("in"), "", "it is not given an event that it may have answered");
}

#[tokio::test]
async fn a_program_that_answers_twice_and_ends_delivers_nothing_that_it_has_not_read() {
    let script = "read -r event; echo \"$event\" >> in; printf 'ok\\nok\\n'";
    let mut scripted = Scripted::new(script, "mode = \"lines\"");
    for _ in 0..5 {
        let batch = records_of_streams(&["a", "b", "c"]);
        let outcomes = scripted.sink.deliver(&batch).await;
        for (record, outcome) in batch.iter().zip(outcomes) {
            assert!(outcome.is_err() || scripted.text("in").contains(record.event.line()));
        }
    }
}

#[tokio::test]
async fn a_program_that_ends_after_an_answer_costs_the_next_event_no_attempt() {
    for end in ["", "exec >&-; sleep 0.05", "exec <&-; sleep 0.05"] {
        let mut scripted = Scripted::new(&format!("read -r event; echo $$ >> ids; echo ok; {end}"), "mode = \"lines\"");
        let batch = records_of_streams(&["a", "b", "a", "c", "d", "e"]);
        assert!(all_delivered(&scripted.sink.deliver(&batch).await, &batch), "{end}");
        assert_eq!(scripted.text("ids").lines().count(), batch.len());
    }
}
