//! A client of the feed. It reads server-sent events and remembers its position.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test waits longer than this for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message, other than a heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) data: Value,
    /// The data, unchanged.
    pub(crate) text: String,
    pub(crate) id: Option<String>,
}

/// A subscription.
pub(crate) struct Subscriber {
    stream: TcpStream,
    /// The head of the answer.
    pub(crate) head: String,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// The last id that came.
    pub(crate) last_id: Option<String>,
    /// How long to wait before a reconnect, in ms.
    pub(crate) retry_ms: Option<u64>,
}

impl Subscriber {
    /// Subscribes with a query and header lines, each with its line end. Fails if the connection breaks before the head of
    /// the answer arrives. The head says whether the service takes the subscription.
    pub(crate) async fn try_connect(admin: SocketAddr, query: &str, headers: &str) -> std::io::Result<Subscriber> {
        let mut stream = TcpStream::connect(admin).await?;
        let request = format!("GET /api/v1/feed{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let (head, raw) = (String::new(), Vec::new());
        let mut subscriber = Subscriber { stream, head, raw, text: Vec::new(), last_id: None, retry_ms: None };
        let end = loop {
            if let Some(end) = subscriber.raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            subscriber.fill().await?;
        };
        subscriber.head = String::from_utf8(subscriber.raw[..end].to_vec()).unwrap().to_ascii_lowercase();
        subscriber.raw.drain(..end + 4);
        Ok(subscriber)
    }

    /// Subscribes. The service must take the subscription.
    pub(crate) async fn connect(admin: SocketAddr, query: &str, headers: &str) -> Subscriber {
        let mut subscriber = Subscriber::try_connect(admin, query, headers).await.unwrap();
        assert!(subscriber.head.starts_with("http/1.1 200"), "{}", subscriber.head);
        while subscriber.retry_ms.is_none() {
            assert_eq!(subscriber.block().await.unwrap(), None, "what comes first says nothing but where it begins");
        }
        subscriber
    }

    /// Subscribes again at the position of an earlier subscription.
    pub(crate) async fn resume(admin: SocketAddr, query: &str, last_id: &str) -> std::io::Result<Subscriber> {
        let headers = format!("Last-Event-ID: {last_id}\r\n");
        let mut subscriber = Subscriber::try_connect(admin, query, &headers).await?;
        subscriber.last_id = Some(last_id.to_owned());
        Ok(subscriber)
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Message {
        self.try_next().await.unwrap()
    }

    /// The next message, or the end of the connection.
    pub(crate) async fn try_next(&mut self) -> std::io::Result<Message> {
        let next = async {
            loop {
                if let Some(message) = self.block().await? {
                    return Ok(message);
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("no message comes")
    }

    /// Whether no message comes for a while.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.try_next()).await.is_err()
    }

    /// Reads up to the next empty line. Returns `None` if this is not a message.
    async fn block(&mut self) -> std::io::Result<Option<Message>> {
        let end = loop {
            if let Some(end) = self.text.windows(2).position(|window| window == b"\n\n") {
                break end;
            }
            self.chunk().await?;
        };
        let block = String::from_utf8(self.text.drain(..end + 2).collect()).unwrap();
        let (mut kind, mut data, mut id) = (None, None, None);
        for line in block.trim_end().lines() {
            match line.split_once(": ").unwrap() {
                ("", _) => {}
                ("event", value) => kind = Some(value.to_owned()),
                ("data", value) => assert_eq!(data.replace(value.to_owned()), None, "{block}"),
                ("id", value) => id = Some(value.to_owned()),
                ("retry", value) => self.retry_ms = Some(value.parse().unwrap()),
                _ => panic!("{block}"),
            }
        }
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        Ok(data.map(|text| Message { kind: kind.unwrap(), data: serde_json::from_str(&text).unwrap(), text, id }))
    }

    /// Reads one chunk of the answer. The end of the answer or of the connection is an error.
    async fn chunk(&mut self) -> std::io::Result<()> {
        let (start, length) = loop {
            if let Some(end) = self.raw.windows(2).position(|window| window == b"\r\n") {
                let length = std::str::from_utf8(&self.raw[..end]).unwrap();
                break (end + 2, usize::from_str_radix(length, 16).unwrap());
            }
            self.fill().await?;
        };
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        while self.raw.len() < start + length + 2 {
            self.fill().await?;
        }
        self.text.extend_from_slice(&self.raw[start..start + length]);
        self.raw.drain(..start + length + 2);
        Ok(())
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.raw.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
