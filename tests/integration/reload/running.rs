//! A service to reload, and senders that post to it at the same time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use tokio::task::JoinHandle;

use crate::client::{Client, KEY, id_of, members, now_secs, sign_by};
use crate::process::{FILE_SINK, Livehook, PROGRAM};

pub(super) const TOKEN: &str = "a-token-for-the-tests";
pub(super) const OTHER_KEY: &str = "another-key-for-the-tests";
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A running livehook with a token and a file sink.
pub(super) async fn running(more: &str) -> Livehook {
    Livehook::running("", &format!("token = \"{TOKEN}\"\n{more}\n{FILE_SINK}")).await
}

impl Livehook {
    /// Replaces a text in the configuration file.
    pub(super) fn edit(&self, from: &str, to: &str) {
        let path = self.path("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs a command with the configuration file.
    pub(super) fn command(&self, arguments: &[&str]) -> Output {
        let command = &mut Command::new(PROGRAM);
        let command = command.args(arguments).arg("--config").arg(self.path("config.toml"));
        command.current_dir(&self.directory).stdin(Stdio::null()).output().unwrap()
    }

    /// Reloads, and returns the changes that the command prints.
    pub(super) fn reload(&self) -> String {
        let output = self.command(&["reload"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) async fn metric(&self, name: &str) -> Option<String> {
        let metrics = Client::connect(self.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
    }

    /// Waits until the log has a text so many times.
    pub(super) async fn logs(&self, text: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(text).count() < count {
            assert!(Instant::now() < deadline, "{text} is not in {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The answer to a callback that a key has signed.
    pub(super) async fn answer_to(&self, key: &str, number: u64) -> u16 {
        let body = sign_by(key, &members(number), now_secs() + 600);
        Client::connect(self.receiver).await.unwrap().post(&body).await.unwrap().status
    }
}

/// Senders that post callbacks without a pause, each over its own connection.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    /// Whether they sign by the other key.
    pub(super) signs_by_other: Arc<AtomicBool>,
    pub(super) sent: Arc<AtomicU64>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins. Every callback must get a 200.
    pub(super) fn on(receiver: SocketAddr) -> Load {
        let (is_over, signs_by_other) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let sent = Arc::<AtomicU64>::default();
        let senders = (0..4).map(|_| {
            let (is_over, other, sent) = (Arc::clone(&is_over), Arc::clone(&signs_by_other), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut client = Client::connect(receiver).await.unwrap();
                while !is_over.load(Ordering::SeqCst) {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    let key = if other.load(Ordering::SeqCst) { OTHER_KEY } else { KEY };
                    let answer = client.post(&sign_by(key, &members(number), now_secs() + 600)).await.unwrap();
                    assert_eq!(answer.status, 200, "callback {number}: {answer:?}");
                }
            })
        });
        Load { senders: senders.collect(), is_over, signs_by_other, sent }
    }

    /// Waits until so many further callbacks were sent.
    pub(super) async fn more(&self, count: u64) {
        let wanted = self.sent.load(Ordering::SeqCst) + count;
        let deadline = Instant::now() + PATIENCE;
        while self.sent.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "the load has stopped");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends, and returns the number of callbacks.
    pub(super) async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        for sender in self.senders {
            sender.await.unwrap();
        }
        self.sent.load(Ordering::SeqCst)
    }
}

/// How often each event is in a list of lines.
pub(super) fn counts(lines: &[String]) -> HashMap<EventId, usize> {
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(id_of(line)).or_insert(0) += 1;
    }
    counts
}
