//! SIGKILL at random moments, under load: what got a 200 is in the journal once and in the file once, byte for byte.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use livehook::callback::{Callback, CallbackKey, EventId, KeyOptions, Options, Verifier};

use super::client::{Client, KEY, id_of, now_secs, signed};
use super::process::Livehook;

const CONNECTIONS: usize = 16;

fn rounds() -> u64 {
    std::env::var("LIVEHOOK_CRASH_ROUNDS").map_or(50, |rounds| rounds.parse().expect("LIVEHOOK_CRASH_ROUNDS is a number"))
}

/// The id that livehook must give to a callback.
fn expected_id(body: &str) -> EventId {
    let keys = vec![KeyOptions { key: CallbackKey::new(KEY).unwrap(), domains: Vec::new() }];
    let verifier = Verifier::new(Options { keys, ..Options::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), now_secs() * 1000).unwrap().id()
}

/// What a sender knows after it lost its connection.
#[derive(Default)]
struct Sent {
    answered: Vec<u64>,
    unanswered: Vec<u64>,
}

/// Sends without a pause until the connection breaks. What was not answered last time comes first, as CSS would.
async fn send_until_cut(livehook: std::net::SocketAddr, mut again: Vec<u64>, next: Arc<AtomicU64>) -> Sent {
    let mut sent = Sent::default();
    let Ok(mut client) = Client::connect(livehook).await else {
        sent.unanswered = again;
        return sent;
    };
    loop {
        let number = again.pop().unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
        match client.post(&signed(number, now_secs())).await {
            Ok(answer) if answer.status == 200 => sent.answered.push(number),
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => {
                sent.unanswered = again;
                sent.unanswered.push(number);
                return sent;
            }
        }
    }
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn what_was_answered_survives_every_kill_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let file = directory.path().join("events.jsonl");
    let mut livehook =
        Livehook::configure(directory.path(), "", &format!("[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"{}\"\n", file.display()));
    let next = Arc::new(AtomicU64::new(0));
    let mut answered = Vec::new();
    let mut unanswered: Vec<Vec<u64>> = vec![Vec::new(); CONNECTIONS];
    for round in 0..rounds() {
        // Some lives end before they have begun to serve: during recovery.
        for _ in 0..random.u64(0..3) {
            livehook.start();
            tokio::time::sleep(Duration::from_micros(random.u64(0..30_000))).await;
            livehook.kill();
        }
        livehook.start();
        livehook.ready().await;
        let senders: Vec<_> = unanswered
            .drain(..)
            .map(|again| tokio::spawn(send_until_cut(livehook.receiver, again, Arc::clone(&next))))
            .collect();
        tokio::time::sleep(Duration::from_millis(random.u64(1..300))).await;
        livehook.kill();
        for sender in senders {
            let sent = sender.await.unwrap();
            answered.extend(sent.answered);
            unanswered.push(sent.unanswered);
        }

        livehook.start();
        livehook.ready().await;
        let fresh = next.fetch_add(1, Ordering::Relaxed);
        let mut client = Client::connect(livehook.receiver).await.unwrap();
        assert_eq!(client.post(&signed(fresh, now_secs())).await.unwrap().status, 200);
        answered.push(fresh);
        wait_for(&livehook, fresh).await;
        check(&livehook, &answered, round);
        livehook.kill();
    }
    println!("{} rounds, {} events answered", rounds(), answered.len());
}

/// Until an event is the last line of the file, as it is the last one of the journal.
async fn wait_for(livehook: &Livehook, number: u64) {
    let id = expected_id(&signed(number, now_secs())).to_string();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let text = std::fs::read_to_string(livehook.path("events.jsonl")).unwrap_or_default();
        if text.ends_with('\n') && text.lines().next_back().is_some_and(|line| line.contains(&id)) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the new event does not arrive in the file: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn check(livehook: &Livehook, answered: &[u64], round: u64) {
    let journal = livehook.journal();
    let ids: HashSet<EventId> = journal.iter().map(|line| id_of(line)).collect();
    assert_eq!(ids.len(), journal.len(), "round {round}: an event is in the journal twice");
    // One signature a second is enough: the id does not depend on it.
    let now = now_secs();
    let missing: Vec<&u64> = answered.iter().filter(|number| !ids.contains(&expected_id(&signed(**number, now)))).collect();
    assert!(missing.is_empty(), "round {round}: answered and not in the journal: {missing:?}");
    let file = livehook.lines("events.jsonl");
    if let Some(at) = (0..journal.len().max(file.len())).find(|at| journal.get(*at) != file.get(*at)) {
        panic!(
            "round {round}: line {at} differs, of {} and {} lines\njournal: {:?}\nfile:    {:?}\n{}",
            journal.len(), file.len(), journal.get(at), file.get(at), livehook.log()
        );
    }
}
