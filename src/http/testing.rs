//! A journal in memory, the log, and a client that sends the very bytes it is told, for the tests of this module alone.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

use crate::callback::Event;
use crate::journal::{AppendError, Appended, Change, Changed, Health, Journal, JournalError, Offset};

/// Keeps what it is given, refuses or dawdles when told to.
#[derive(Default)]
pub(crate) struct MemoryJournal {
    state: Mutex<State>,
    head: watch::Sender<Offset>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    refuses: Option<AppendError>,
    pause: Duration,
}

impl MemoryJournal {
    pub(crate) fn refuse(&self, refuses: Option<AppendError>) {
        self.state().refuses = refuses;
    }

    pub(crate) fn pause(&self, pause: Duration) {
        self.state().pause = pause;
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, event: Event) -> Result<Appended, AppendError> {
        let (answer, pause) = {
            let mut state = self.state();
            let is_known = state.events.iter().any(|known| known.id() == event.id());
            let answer = match &state.refuses {
                Some(error) => Err(error.clone()),
                None if is_known => Ok(Appended::Duplicate),
                None => Ok(Appended::Stored),
            };
            if answer == Ok(Appended::Stored) {
                state.events.push(event);
                self.head.send_replace(Offset(state.events.len() as i64));
            }
            (answer, state.pause)
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        answer
    }

    async fn change(&self, _: Change) -> Result<Changed, JournalError> {
        Err(JournalError::Closed)
    }

    fn health(&self) -> Health {
        let state = self.state();
        Health { refuses: state.refuses.clone(), unanswered: Duration::ZERO, head: Offset(state.events.len() as i64) }
    }

    fn generation(&self) -> &str {
        "5d0c1f7a9be2440d"
    }

    fn head(&self) -> watch::Receiver<Offset> {
        self.head.subscribe()
    }
}

/// The log of this thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

/// Wants no line, and is there for good: where one subscriber alone is known, whether a place in the code logs is decided
/// by the thread that comes there first, and a test beside has none.
static BYSTANDER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Lines {
    /// Takes the log until the guard is dropped.
    pub(crate) fn take() -> (Lines, DefaultGuard) {
        LazyLock::force(&BYSTANDER);
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection as a client holds it.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn has(&self, line: &str) -> bool {
        self.head.lines().any(|header| header.eq_ignore_ascii_case(line))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.head
            .lines()
            .any(|header| header.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name)))
    }

    /// The status and the word, for an answer that has the form of the contract.
    pub(crate) fn error(&self) -> (u16, String) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        assert!(self.has("content-type: application/json"), "{self:?}");
        assert_eq!(body["code"], self.status, "{self:?}");
        assert!(body["message"].as_str().is_some_and(|message| message.len() > 10), "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 3);
        (self.status, body["error"].as_str().unwrap().to_owned())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        Client { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Sends the bytes; false where the server closed before it had them all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads one answer.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("the connection was closed without an answer")
    }

    /// Reads one answer; `None` when the connection is closed first.
    pub(crate) async fn try_reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(self.unread[..end].to_vec()).unwrap();
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let total = end + 4 + length.unwrap_or(0);
                if self.unread.len() >= total {
                    let body = String::from_utf8(self.unread[end + 4..total].to_vec()).unwrap();
                    self.unread.drain(..total);
                    return Some(Reply { status, head, body });
                }
            }
            if !self.read_more().await {
                assert!(self.unread.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.unread));
                return None;
            }
        }
    }

    /// Reads up to a text and takes it all; false where the connection is closed first.
    pub(crate) async fn read_until(&mut self, text: &str) -> bool {
        loop {
            if let Some(start) = self.unread.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.unread.drain(..start + text.len());
                return true;
            }
            if !self.read_more().await {
                return false;
            }
        }
    }

    /// Waits until the server closes the connection; true if nothing more came before.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.read_more().await {}
        self.unread.is_empty()
    }

    /// Whether the connection stays open and silent for so long.
    pub(crate) async fn stays_open(&mut self, time: Duration) -> bool {
        let mut byte = [0];
        timeout(time, self.stream.peek(&mut byte)).await.is_err()
    }

    pub(crate) async fn close_own_side(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read =
            timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("the server neither answers nor closes");
        let read = read.unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..read]);
        read > 0
    }
}
