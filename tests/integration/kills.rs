//! Senders for the tests that kill the program: they remember which callbacks got an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinHandle;

use super::client::Client;

/// How often a test kills the program.
pub(crate) fn rounds() -> u64 {
    std::env::var("LIVEHOOK_CRASH_ROUNDS")
        .map_or(50, |rounds| rounds.parse().expect("LIVEHOOK_CRASH_ROUNDS is a number"))
}

/// A generator for the moments of the kills. Its seed is printed, so that a failure can be repeated.
pub(crate) fn seeded() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    fastrand::Rng::with_seed(seed)
}

/// Several senders, one for each connection. They number their callbacks.
pub(crate) struct Senders {
    /// Makes the body of a callback from its number.
    body: fn(u64) -> String,
    /// The next new number.
    next: Arc<AtomicU64>,
    /// For each sender the numbers that got no answer.
    unanswered: Vec<Vec<u64>>,
    running: Vec<JoinHandle<Sent>>,
}

/// The numbers that a sender has sent when its connection breaks.
#[derive(Default)]
struct Sent {
    answered: Vec<u64>,
    unanswered: Vec<u64>,
}

impl Senders {
    pub(crate) fn new(connections: usize, body: fn(u64) -> String) -> Senders {
        let next = Arc::new(AtomicU64::new(0));
        Senders { body, next, unanswered: vec![Vec::new(); connections], running: Vec::new() }
    }

    /// Lets every sender send without a pause until its connection breaks.
    pub(crate) fn start(&mut self, receiver: SocketAddr) {
        for again in self.unanswered.drain(..) {
            let sending = send_until_cut(receiver, again, Arc::clone(&self.next), self.body);
            self.running.push(tokio::spawn(sending));
        }
    }

    /// Waits until all connections have broken, and returns the numbers that were answered with 200.
    pub(crate) async fn ended(&mut self) -> Vec<u64> {
        let mut answered = Vec::new();
        for sender in self.running.drain(..) {
            let sent = sender.await.unwrap();
            answered.extend(sent.answered);
            self.unanswered.push(sent.unanswered);
        }
        answered
    }

    /// Takes the next even number for a callback of the test's own.
    pub(crate) fn take_even(&self) -> u64 {
        self.next.fetch_add(2, Ordering::Relaxed).next_multiple_of(2)
    }
}

/// Sends the unanswered callbacks of last time first, then new ones. Sometimes it repeats an answered one, as CSS does after
/// a late answer.
async fn send_until_cut(
    receiver: SocketAddr,
    mut again: Vec<u64>,
    next: Arc<AtomicU64>,
    body: fn(u64) -> String,
) -> Sent {
    let mut sent = Sent::default();
    let Ok(mut client) = Client::connect(receiver).await else {
        return Sent { unanswered: again, ..sent };
    };
    loop {
        let number = again.pop().unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
        match client.post(&body(number)).await {
            Ok(answer) if answer.status == 200 => {
                sent.answered.push(number);
                if fastrand::u8(0..8) == 0 {
                    again.push(sent.answered[fastrand::usize(..sent.answered.len())]);
                }
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => {
                sent.unanswered = again;
                sent.unanswered.push(number);
                return sent;
            }
        }
    }
}
