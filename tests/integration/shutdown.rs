//! The real program: how it stops, and how it copes with full disks, blocked pipes and a missing data directory.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::client::{Client, expected_id, id_of, members, now_secs, sign, signed};
use super::process::{FILE_SINK, Livehook, Mounted, PROGRAM};

const LOG_SINK: &str = "[[sinks]]\nname = \"out\"\ntype = \"log\"\n";

/// Posts this many callbacks, and each must get a 200.
async fn post_many(livehook: &Livehook, count: u64) {
    for number in 0..count {
        assert_eq!(post(livehook, number).await, 200);
    }
}

/// Starts the program with this stdout.
async fn start_with_stdout(livehook: &mut Livehook, stdout: impl Into<Stdio>) {
    let log = std::fs::File::create(livehook.path("stderr.log")).unwrap();
    livehook.spawn(Command::new(PROGRAM).stdout(stdout).stderr(log));
    livehook.ready().await;
}

async fn post(livehook: &Livehook, number: u64) -> u16 {
    Client::connect(livehook.receiver).await.unwrap().post(&signed(number, now_secs())).await.unwrap().status
}

/// Waits until the file sink has written `count` lines.
async fn wait_for_lines(livehook: &Livehook, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(livehook.path("events.jsonl")).unwrap_or_default().lines().count() < count {
        assert!(Instant::now() < deadline, "the file sink does not go on: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn sigterm_drains_every_answered_event() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut livehook = Livehook::configured("", "");
        livehook.start();
        livehook.ready().await;
        let address = livehook.receiver;
        let senders: Vec<_> = (0..8u64)
            .map(|sender| {
                tokio::spawn(async move {
                    let mut answered = 0;
                    let Ok(mut client) = Client::connect(address).await else { return 0 };
                    while let Ok(answer) = client.post(&signed(sender * 1_000_000 + answered, now_secs())).await {
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        livehook.signal(signal);
        assert!(livehook.ended(Duration::from_secs(8)).await.success());
        let mut answered = 0;
        for sender in senders {
            answered += sender.await.unwrap();
        }
        assert!(answered > 0);
        let stored = livehook.journal().len() as u64;
        assert!(stored >= answered && stored <= answered + 8, "{stored} stored, {answered} answered");
    }
}

#[tokio::test]
async fn drain_finishes_requests_in_flight() {
    for grace in ["", "shutdown_grace_secs = 1"] {
        let mut livehook = Livehook::configured(grace, "");
        livehook.start();
        livehook.ready().await;
        let body = signed(1, now_secs());
        let mut slow = Client::connect(livehook.receiver).await.unwrap();
        let head = "POST /callback HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
        slow.raw(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
        assert_eq!(slow.receive().await.unwrap().status, 100, "it waits for the body");
        livehook.signal("TERM");
        let deadline = Instant::now() + Duration::from_secs(4);
        while livehook.readiness().await != 503 || Client::connect(livehook.receiver).await.is_ok() {
            assert!(Instant::now() < deadline, "readiness turns, and no new connections are taken");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slow.raw(body.as_bytes()).await.unwrap();
        assert_eq!(slow.receive().await.unwrap().status, 200);
        assert!(livehook.ended(Duration::from_secs(8)).await.success());
        assert_eq!(livehook.journal().len(), 1);
    }
}

#[tokio::test]
async fn sink_outage_delays_no_200_and_no_stop() {
    let mut livehook = Livehook::configured("", FILE_SINK);
    let obstacle = livehook.path("events.jsonl");
    std::fs::create_dir(&obstacle).unwrap();
    livehook.start();
    livehook.ready().await;
    assert_eq!(post(&livehook, 1).await, 200);
    let began = Instant::now();
    livehook.stop().await;
    assert!(began.elapsed() < Duration::from_secs(8));

    std::fs::remove_dir(&obstacle).unwrap();
    livehook.start();
    livehook.ready().await;
    assert_eq!(post(&livehook, 2).await, 200);
    livehook.stop().await;
    assert_eq!(livehook.lines("events.jsonl"), livehook.journal());
}

#[tokio::test]
async fn blocked_stdout_stops_only_its_sink() {
    let mut livehook = Livehook::configured("shutdown_grace_secs = 3", &format!("{LOG_SINK}{FILE_SINK}"));
    let (unread, stdout) = std::io::pipe().unwrap();
    start_with_stdout(&mut livehook, OwnedFd::from(stdout)).await;
    post_many(&livehook, 300).await;
    wait_for_lines(&livehook, 300).await;
    let began = Instant::now();
    livehook.signal("TERM");
    assert!(livehook.ended(Duration::from_secs(6)).await.success());
    assert!(began.elapsed() >= Duration::from_secs(1), "it waited for the sink as long as it may");
    drop(unread);
}

#[tokio::test]
async fn second_signal_cuts_the_drain_short() {
    let mut livehook = Livehook::configured("shutdown_grace_secs = 60", "");
    let (unread, stdout) = std::io::pipe().unwrap();
    start_with_stdout(&mut livehook, OwnedFd::from(stdout)).await;
    post_many(&livehook, 300).await;
    livehook.signal("TERM");
    livehook.signal("TERM");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(livehook.readiness().await, 503, "two signals at once are one order, and the drain goes on");
    livehook.signal("TERM");
    assert!(livehook.ended(Duration::from_secs(5)).await.success());
    drop(unread);
}

#[tokio::test]
async fn other_signals_change_nothing() {
    let mut livehook = Livehook::running("", "").await;
    for (number, signal) in (0..).zip(["HUP", "USR1", "USR2"]) {
        livehook.signal(signal);
        assert_eq!(post(&livehook, number).await, 200);
    }
    livehook.stop().await;
    for signal in ["SIGHUP", "SIGUSR1", "SIGUSR2"] {
        assert!(livehook.log().contains(&format!("received {signal}")), "{}", livehook.log());
    }
}

/// A balancer may need seconds to see that the service stops, so callbacks still come.
#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn hanging_sink_closes_no_port() {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = format!(
        "[[sinks]]\nname = \"hanging\"\ntype = \"http\"\nurl = \"http://{}/\"\n{FILE_SINK}",
        hanging.local_addr().unwrap()
    );
    let mut livehook = Livehook::running("shutdown_grace_secs = 4", &sink).await;
    assert_eq!(post(&livehook, 0).await, 200);
    let began = Instant::now();
    livehook.signal("TERM");
    let mut sent = 1;
    while began.elapsed() < Duration::from_millis(1500) {
        assert_eq!(post(&livehook, sent).await, 200, "new connections too");
        sent += 1;
    }
    assert_eq!(livehook.readiness().await, 503);
    assert!(livehook.ended(Duration::from_secs(5)).await.success(), "{}", livehook.log());
    assert!(began.elapsed() < Duration::from_millis(4500), "it ended after {:?}", began.elapsed());
    assert_eq!(livehook.journal().len() as u64, sent);

    livehook.start();
    livehook.ready().await;
    wait_for_lines(&livehook, sent as usize).await;
    livehook.stop().await;
    assert_eq!(livehook.lines("events.jsonl"), livehook.journal());
}

#[tokio::test]
async fn file_size_limit_answers_503() {
    let mut livehook = Livehook::configured("", FILE_SINK);
    // `ulimit -f` counts blocks of 512 bytes: this is 1 MiB.
    livehook.start_limited("-f 2048").await;
    let mut answered = 0;
    while post(&livehook, answered).await == 200 {
        answered += 1;
        assert!(answered < 5_000, "the limit must be reached");
    }
    assert!(answered > 10, "only {answered} were taken");
    assert_eq!(livehook.readiness().await, 503);
    livehook.stop().await;
    let stored = livehook.journal();
    assert!(stored.len() as u64 >= answered, "{} stored, {answered} answered", stored.len());
    livehook.start();
    livehook.ready().await;
    assert_eq!(post(&livehook, answered).await, 200, "without the limit it goes on");
    livehook.stop().await;
    assert_eq!(livehook.lines("events.jsonl"), livehook.journal());
}

#[tokio::test]
async fn closed_stdout_stops_only_its_sink() {
    let mut livehook = Livehook::configured("", &format!("{LOG_SINK}{FILE_SINK}"));
    let (unread, stdout) = std::io::pipe().unwrap();
    drop(unread);
    start_with_stdout(&mut livehook, OwnedFd::from(stdout)).await;
    post_many(&livehook, 10).await;
    wait_for_lines(&livehook, 10).await;
    assert!(livehook.log().contains("the sink fails"), "{}", livehook.log());
    assert_eq!(post(&livehook, 10).await, 200);
    wait_for_lines(&livehook, 11).await;
    assert_eq!(livehook.readiness().await, 200);
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 11);
    assert_eq!(livehook.lines("events.jsonl"), livehook.journal());
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn full_journal_recovers_with_its_sink() {
    let mut livehook = Livehook::configured("", &format!("[journal]\nsize_bytes_max = 16777216\n{FILE_SINK}"));
    let obstacle = livehook.path("events.jsonl");
    std::fs::create_dir(&obstacle).unwrap();
    livehook.start();
    livehook.ready().await;
    let body = |number: u64| {
        let padding = "x".repeat(200_000);
        sign(&format!(r#"{},"padding":"{padding}""#, members(number)), now_secs() + 600)
    };
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let mut answered = 0;
    let refused = loop {
        let answer = client.post(&body(answered)).await.unwrap();
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered < 200, "200 events of 200 kB do not fit into 16 MiB");
    };
    assert_eq!((refused.status, refused.error().as_str()), (503, "unavailable"));
    assert!(answered > 40, "only {answered} were taken");
    assert_eq!(livehook.readiness().await, 503);
    assert_eq!(client.post(&body(0)).await.unwrap().status, 200, "a duplicate needs no room");
    assert_eq!(livehook.readiness().await, 503, "nor does it make any");
    assert_eq!(client.post(&body(answered)).await.unwrap().status, 503, "it stays full");
    assert!(livehook.log().contains("journal.size_bytes_max"), "{}", livehook.log());
    assert_eq!(livehook.journal().len() as u64, answered, "nothing is pruned that the sink has not taken");

    std::fs::remove_dir(&obstacle).unwrap();
    wait_for_lines(&livehook, answered as usize).await;
    livehook.ready().await;
    assert_eq!(client.post(&body(answered)).await.unwrap().status, 200);
    livehook.stop().await;
    let arrived: Vec<_> = livehook.lines("events.jsonl").iter().map(|line| id_of(line)).collect();
    let sent: Vec<_> = (0..=answered).map(|number| expected_id(&body(number))).collect();
    assert!(arrived == sent, "{} of {} arrived", arrived.len(), sent.len());
}

#[tokio::test]
async fn size_limit_prunes_delivered_records_first() {
    let mut livehook = Livehook::running("", &format!("[journal]\nsize_bytes_max = 16777216\n{FILE_SINK}")).await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let padding = "x".repeat(200_000);
    for number in 0..200 {
        let body = sign(&format!(r#"{},"padding":"{padding}""#, members(number)), now_secs() + 600);
        // On a busy machine the index falls behind, and its records can't be pruned. The sender tries again then, as CSS does.
        let deadline = Instant::now() + Duration::from_secs(20);
        while client.post(&body).await.unwrap().status != 200 {
            assert!(Instant::now() < deadline, "event {number}: {}", livehook.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    livehook.stop().await;
    assert!(livehook.journal().len() > 40, "only {} are left", livehook.journal().len());
}

#[tokio::test]
async fn missing_data_dir_answers_503_until_it_is_back() {
    let mut livehook = Livehook::running("", "").await;
    assert_eq!(post(&livehook, 0).await, 200);
    let (data, away) = (livehook.path("data"), livehook.path("away"));
    std::fs::rename(&data, &away).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while livehook.readiness().await == 200 {
        assert!(Instant::now() < deadline, "it is not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(post(&livehook, 1).await, 503);
    assert!(livehook.log().contains("data/journal.db: this file was removed or replaced"), "{}", livehook.log());
    assert!(!data.exists(), "nothing is made anew");
    std::fs::rename(&away, &data).unwrap();
    livehook.ready().await;
    assert_eq!(post(&livehook, 1).await, 200);
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 2);
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn hanging_disk_turns_readiness_off() {
    let mut livehook = Livehook::running("", "[index]\nenabled = false\n").await;
    // The writer waits for this lock just as it would wait for a sync that hangs.
    let other = rusqlite::Connection::open(livehook.path("data/journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let address = livehook.receiver;
    let waiting = tokio::spawn(async move {
        Client::connect(address).await.unwrap().post(&signed(1, now_secs())).await.unwrap().status
    });
    let began = Instant::now();
    while livehook.readiness().await == 200 {
        assert!(began.elapsed() < Duration::from_secs(8), "it is not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(4), "a slow disk is given time");
    let mut admin = Client::connect(livehook.admin).await.unwrap();
    let body = admin.get("/readyz", "").await.unwrap().body;
    assert!(body.contains("the disk has not finished a commit for"), "{body}");
    assert_eq!(post(&livehook, 2).await, 503, "and at once");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(waiting.await.unwrap(), 200);
    livehook.ready().await;
    assert_eq!(post(&livehook, 2).await, 200);
    livehook.stop().await;
}

#[tokio::test]
async fn taken_port_ends_the_start() {
    let mut livehook = Livehook::configured("", "");
    let _taken = std::net::TcpListener::bind(livehook.receiver).unwrap();
    livehook.start();
    let status = livehook.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(1), "{}", livehook.log());
    assert!(livehook.log().contains(&livehook.receiver.to_string()), "{}", livehook.log());
    assert!(!livehook.path("data").exists());
}

/// Starts the program with this stderr, at a log level that writes one line for each callback.
async fn start_with_stderr(livehook: &mut Livehook, stderr: impl Into<Stdio>) {
    livehook.spawn(Command::new(PROGRAM).env("LIVEHOOK_LOG_LEVEL", "trace").stdout(Stdio::null()).stderr(stderr));
    livehook.ready().await;
}

#[tokio::test]
async fn failing_stderr_changes_nothing() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    let unread = || std::io::pipe().unwrap().1.into();
    for stderr in [full as fn() -> OwnedFd, unread] {
        let mut livehook = Livehook::configured("", "");
        start_with_stderr(&mut livehook, stderr()).await;
        post_many(&livehook, 10).await;
        livehook.stop().await;
        assert_eq!(livehook.journal().len(), 10);
    }
}

#[tokio::test]
async fn blocked_stderr_changes_nothing() {
    let mut livehook = Livehook::configured("", "");
    let (unread, stderr) = std::io::pipe().unwrap();
    start_with_stderr(&mut livehook, full(stderr)).await;
    post_many(&livehook, 300).await;
    livehook.signal("TERM");
    assert!(livehook.ended(Duration::from_secs(5)).await.success());
    drop(unread);
}

/// Fills a pipe and returns its writing end: the next write blocks.
fn full(end: std::io::PipeWriter) -> OwnedFd {
    let filling = end.try_clone().unwrap();
    let (sender, filled) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // The last write blocks until the reader closes the pipe. Then it fails, and the thread ends.
        while std::io::Write::write(&mut &filling, &[b'.'; 4096]).is_ok_and(|_| sender.send(()).is_ok()) {}
    });
    while filled.recv_timeout(Duration::from_millis(500)).is_ok() {}
    end.into()
}

#[tokio::test]
async fn last_log_lines_reach_stderr() {
    let mut livehook = Livehook::running("", "").await;
    assert_eq!(post(&livehook, 1).await, 200);
    livehook.stop().await;
    assert!(livehook.log().trim_end().ends_with("stopped"), "{}", livehook.log());
    assert!(!livehook.path("data/journal.db-wal").exists(), "the journal is closed before the end");
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn full_disk_answers_503_and_loses_nothing() {
    let mut livehook = Livehook::configured("", "");
    let data = livehook.path("data");
    std::fs::create_dir(&data).unwrap();
    let _mounted = Mounted::tmpfs(&data, "size=6m");
    livehook.start();
    livehook.ready().await;
    assert_eq!(post(&livehook, 0).await, 200);
    let ballast = data.join("ballast");
    let mut room = 6 << 20;
    while room > 0 && std::fs::write(&ballast, vec![0; room]).is_err() {
        room -= 64 << 10;
    }
    let mut answered = vec![0];
    let mut number = 1;
    let refused = loop {
        match post(&livehook, number).await {
            200 => answered.push(number),
            status => break status,
        }
        number += 1;
        assert!(number < 20_000, "the disk must fill up");
    };
    assert_eq!(refused, 503);
    assert_eq!(livehook.readiness().await, 503);
    std::fs::remove_file(&ballast).unwrap();
    livehook.ready().await;
    for again in [0, number, number + 1] {
        assert_eq!(post(&livehook, again).await, 200, "{}", livehook.log());
    }
    livehook.stop().await;
    let expected = answered.len() + 2;
    let stored = livehook.journal();
    let ids: std::collections::HashSet<_> = stored.iter().map(|line| id_of(line)).collect();
    assert_eq!((stored.len(), ids.len()), (expected, expected));
}

#[tokio::test]
async fn api_queries_leave_no_file_open() {
    let mut livehook = Livehook::running("", "").await;
    assert_eq!(post(&livehook, 1).await, 200);
    let mut client = Client::connect(livehook.admin).await.unwrap();
    for path in ["events", "sessions", "streams"] {
        assert_eq!(client.get(&format!("/api/v1/{path}"), "").await.unwrap().status, 200);
    }
    livehook.signal("TERM");
    assert!(livehook.ended(Duration::from_secs(8)).await.success());
    for left in ["journal.db-wal", "journal.db-shm", "index.db-wal", "index.db-shm"] {
        assert!(!livehook.path("data").join(left).exists(), "{left} is left");
    }
    assert!(livehook.path("data").join("journal.db").exists());
}
