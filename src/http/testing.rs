//! A client that sends exactly the bytes it is given, a listener in memory, and the log, for tests.
//!
//! tokio's paused clock runs ahead while a test waits for a real socket. So tests of timeouts connect in memory.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::Context;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

use super::{Listen, Socket};

/// The address of a client in memory, unless a test gives another.
pub(crate) const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 4711);

/// How many bytes each direction of a connection in memory holds.
const BUFFER_BYTES: usize = 64 * 1024;

/// A listener in memory.
pub(crate) struct MemoryListener {
    accepted: UnboundedReceiver<(DuplexStream, SocketAddr)>,
    tls: Option<TlsAcceptor>,
}

/// Connects to a [`MemoryListener`].
#[derive(Clone)]
pub(crate) struct Connector(UnboundedSender<(DuplexStream, SocketAddr)>);

impl MemoryListener {
    pub(crate) fn new() -> (Connector, MemoryListener) {
        let (sender, receiver) = unbounded_channel();
        (Connector(sender), MemoryListener { accepted: receiver, tls: None })
    }

    /// The same, for clients that speak TLS.
    pub(crate) fn with_tls(self, tls: TlsAcceptor) -> MemoryListener {
        MemoryListener { tls: Some(tls), ..self }
    }
}

impl Listen for MemoryListener {
    type Socket = DuplexStream;

    fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.accepted.recv().await {
            Some(accepted) => Ok(accepted),
            None => std::future::pending().await,
        }
    }
}

impl Socket for DuplexStream {
    /// Always false, because a stream in memory cannot be read ahead.
    fn is_closed_by_client(&mut self, _: &mut Context<'_>) -> bool {
        false
    }

    /// Always false, because a read from memory misses nothing.
    fn has_unread(&self) -> bool {
        false
    }
}

impl Connector {
    /// Connects a client; `None` if the listener is gone.
    pub(crate) fn connect(&self) -> Option<Client> {
        self.connect_from(SocketAddr::from(PEER))
    }

    /// Connects a client with this address; `None` if the listener is gone.
    pub(crate) fn connect_from(&self, peer: SocketAddr) -> Option<Client> {
        let (ours, theirs) = duplex(BUFFER_BYTES);
        self.0.send((theirs, peer)).ok()?;
        Some(Client::new(ours))
    }

    /// Connects a client that speaks TLS with `localhost`. It panics if the handshake fails.
    pub(crate) async fn connect_tls(&self, tls: &TlsConnector) -> Client {
        let (ours, theirs) = duplex(BUFFER_BYTES);
        self.0.send((theirs, SocketAddr::from(PEER))).unwrap();
        Client::new(tls.connect("localhost".try_into().unwrap(), ours).await.unwrap())
    }

    /// Sends a request on a connection of its own, and returns the reply.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().expect("the server has stopped");
        client.send(request).await;
        client.reply().await
    }
}

/// The log of this thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

/// A second subscriber, which wants no line and is never dropped. With a single one, the thread that reaches a log call
/// first decides for all threads whether it is logged, and another test's thread has no subscriber.
static BYSTANDER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Lines {
    /// Keeps the log until the guard is dropped.
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
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
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

/// A client's end of a connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An answer as it arrived.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Whether the head has this line, in upper or lower case.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.head.lines().any(|header| header.eq_ignore_ascii_case(line))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.head
            .lines()
            .any(|header| header.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name)))
    }

    /// The names of the headers, in their order.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        self.head.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect()
    }

    /// The status and the word of an error. It must have the form that every error has.
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
    fn new(stream: impl Stream + 'static) -> Client {
        Client { stream: Box::new(stream), unread: Vec::new() }
    }

    /// Connects over TCP.
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        Client::new(TcpStream::connect(address).await.unwrap())
    }

    /// Sends the bytes. Returns false if the server closed before it had them all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads one answer.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("the connection was closed without an answer")
    }

    /// Reads one answer; `None` if the connection is closed first.
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

    /// Reads up to the end of `text`. Returns false if the connection is closed first.
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

    /// Reads until the server closes the connection, and returns everything.
    pub(crate) async fn read_to_end(&mut self) -> String {
        while self.read_more().await {}
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    /// Reads until the server closes the connection, whatever it sends.
    pub(crate) async fn read_to_end_of_bytes(&mut self) {
        while self.read_more().await {}
        self.unread.clear();
    }

    /// Waits until the server closes the connection. Returns whether nothing more arrived before.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.read_more().await {}
        self.unread.is_empty()
    }

    /// Whether the connection stays open and silent for `time`.
    pub(crate) async fn stays_open(&mut self, time: Duration) -> bool {
        timeout(time, self.read_more()).await.is_err()
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
