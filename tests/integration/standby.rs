//! Two real programs on one data directory: the second one waits, and takes over when the first one ends.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::client::{self, Client, expected_id, id_of, now_secs, sign, signed};
use super::kills::{Senders, rounds, seeded};
use super::process::{FILE_SINK, Livehook, PROGRAM, free_port};

async fn post(livehook: &Livehook, number: u64) -> u16 {
    Client::connect(livehook.receiver).await.unwrap().post(&signed(number, now_secs())).await.unwrap().status
}

/// Waits until this text has been logged `count` times. Both programs write one log.
async fn logged(livehook: &Livehook, text: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while livehook.log().matches(text).count() < count {
        assert!(Instant::now() < deadline, "no {text:?}: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Gives a standby its own ports, as in a container of its own, and starts it.
async fn start_elsewhere(standby: &mut Livehook) {
    (standby.receiver, standby.admin) = (free_port(), free_port());
    let log = std::fs::OpenOptions::new().append(true).open(standby.path("stderr.log")).unwrap();
    let (receiver, admin) = (standby.receiver.to_string(), standby.admin.to_string());
    let mut command = Command::new(PROGRAM);
    command.env("LIVEHOOK_LISTEN", receiver).env("LIVEHOOK_ADMIN_LISTEN", admin);
    standby.spawn(command.stdout(Stdio::null()).stderr(log));
    logged(standby, "until then", 1).await;
}

#[tokio::test]
async fn standby_is_alive_and_not_ready() {
    let mut active = Livehook::running("", FILE_SINK).await;
    assert_eq!(post(&active, 0).await, 200);
    let mut standby = active.standby();
    start_elsewhere(&mut standby).await;
    assert!(Client::connect(standby.receiver).await.is_err(), "the port for callbacks is closed");
    let mut admin = Client::connect(standby.admin).await.unwrap();
    assert_eq!(admin.get("/livez", "").await.unwrap().status, 200);
    let shown = Client::connect(standby.admin).await.unwrap().get("/metrics", "").await.unwrap();
    assert!(shown.status == 200 && shown.body.contains("livehook_unready{reason=\"standby\"} 1"), "{}", shown.body);
    for path in ["/readyz", "/api/v1/events"] {
        let mut admin = Client::connect(standby.admin).await.unwrap();
        let answer = admin.get(path, "").await.unwrap();
        assert_eq!((answer.status, answer.error().as_str()), (503, "standby"), "{path}");
    }
    // A client that sends half a request must not delay the take-over.
    let mut slow = Client::connect(standby.admin).await.unwrap();
    slow.raw(b"GET /readyz HTTP/1.1\r\n").await.unwrap();

    let began = Instant::now();
    active.stop().await;
    standby.ready().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(post(&standby, 0).await, 200, "a duplicate");
    assert_eq!(post(&standby, 1).await, 200);
    standby.stop().await;
    assert_eq!(active.journal().len(), 2);
    assert_eq!(active.lines("events.jsonl"), active.journal());
}

#[tokio::test]
async fn sigterm_ends_the_wait() {
    let mut active = Livehook::running("", "").await;
    let mut standby = active.standby();
    standby.start();
    logged(&standby, "until then nothing answers", 1).await;
    standby.stop().await;
    assert_eq!(active.readiness().await, 200);
    active.stop().await;
    assert!(!active.log().contains("taking over"), "{}", active.log());
}

// A standby has nothing to reload yet, and must not forget that it was asked to.
#[tokio::test]
async fn reload_during_the_wait_counts() {
    let mut active = Livehook::running("", "").await;
    let mut standby = active.standby();
    start_elsewhere(&mut standby).await;
    let config = std::fs::read_to_string(active.path("config.toml")).unwrap();
    std::fs::write(active.path("config.toml"), config.replace("keys = [", "leeway_secs = 600\nkeys = [")).unwrap();
    for _ in 0..2 {
        standby.signal("HUP");
    }
    let late = sign(&client::members(1), now_secs() - 300);
    let status =
        async |livehook: &Livehook| Client::connect(livehook.receiver).await.unwrap().post(&late).await.unwrap().status;
    assert_eq!(status(&active).await, 401, "the other one was not asked");
    active.stop().await;
    logged(&standby, "the configuration was reloaded: receiver.leeway_secs: 0 -> 600", 1).await;
    assert_eq!(status(&standby).await, 200);
    standby.stop().await;
}

// With the same ports, as two services of one machine have.
#[tokio::test]
async fn one_of_two_standbys_takes_over() {
    let mut active = Livehook::running("", "").await;
    let mut standbys = [active.standby(), active.standby()];
    for standby in &mut standbys {
        standby.start();
    }
    logged(&active, "waiting until it ends", 2).await;
    active.kill();
    logged(&active, "taking over", 1).await;
    logged(&active, "receiving callbacks", 2).await;
    assert_eq!(post(&active, 1).await, 200);
    assert_eq!(active.log().matches("taking over").count(), 1, "the other one waits on");
    for standby in &mut standbys {
        standby.signal("TERM");
        assert!(standby.ended(Duration::from_secs(20)).await.success());
    }
}

#[tokio::test]
async fn standby_finds_mistakes_at_once() {
    let mut active = Livehook::running("", "").await;
    let mut standby = active.standby();
    let log = std::fs::OpenOptions::new().append(true).open(active.path("stderr.log")).unwrap();
    // The address of a documentation network, which this machine does not have.
    let mut command = Command::new(PROGRAM);
    command.env("LIVEHOOK_LISTEN", "192.0.2.1:8080").stdout(Stdio::null()).stderr(log);
    standby.spawn(&mut command);
    assert_eq!(standby.ended(Duration::from_secs(10)).await.code(), Some(1));
    assert!(active.log().contains("receiver.listen = \"192.0.2.1:8080\""), "{}", active.log());
    active.stop().await;
}

fn body(number: u64) -> String {
    sign(&client::members(number), now_secs() + 600)
}

// The two take turns: one is killed under load, the other takes over at once, and the killed one waits for it.
#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn takeover_loses_and_repeats_nothing() {
    let mut random = seeded();
    let mut active = Livehook::running("", FILE_SINK).await;
    let mut standby = active.standby();
    let mut senders = Senders::new(16, body);
    let mut answered = Vec::new();
    let mut longest = Duration::ZERO;
    for round in 0..rounds() {
        standby.start();
        // Some kills come before the standby waits.
        if random.u8(0..4) != 0 {
            logged(&active, "waiting until it ends", 1).await;
        }
        senders.start(active.receiver);
        tokio::time::sleep(Duration::from_millis(random.u64(1..200))).await;
        let is_killed = random.u8(0..4) != 0;
        let killed_at = Instant::now();
        if is_killed {
            active.kill();
        } else {
            active.stop().await;
        }
        answered.extend(senders.ended().await);
        standby.ready().await;
        if is_killed {
            longest = longest.max(killed_at.elapsed());
        }
        std::fs::write(active.path("stderr.log"), "").unwrap();
        assert_eq!(post(&standby, round).await, 200);
        std::mem::swap(&mut active, &mut standby);
    }
    active.stop().await;
    let journal = active.journal();
    let ids: HashSet<_> = journal.iter().map(|line| id_of(line)).collect();
    assert_eq!(ids.len(), journal.len(), "no event is stored twice");
    let missing: Vec<_> = answered.iter().filter(|number| !ids.contains(&expected_id(&body(**number)))).collect();
    assert!(missing.is_empty(), "answered and not in the journal: {missing:?}");
    assert!(active.lines("events.jsonl") == journal, "the file has each event once, in order");
    println!("{} rounds, {} events, ready after {longest:?} at most", rounds(), journal.len());
}
