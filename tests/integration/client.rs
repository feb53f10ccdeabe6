//! An HTTP client that signs callbacks as CSS does.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use livehook::callback::{Callback, CallbackKey, EventId, KeyOptions, Verifier, VerifierOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The key of all tests.
pub(crate) const KEY: &str = "a-key-for-the-tests-only";

/// The Unix time in seconds.
pub(crate) fn now_secs() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The members of a push, or of a stop if the number is odd. White space is between members only.
pub(crate) fn members(number: u64) -> String {
    let event_type = u8::from(number.is_multiple_of(2));
    format!(
        r#""app":"push.example.com","appid":12345678,"appname":"live","channel_id":"s{number}","errcode":0,"errmsg":"ok",
        "event_time":1703731478,"event_type":{event_type},"node":"100.121.160.92","sequence":"{sequence}",
        "stream_id":"s{number}","stream_param":"txSecret=5ECR37\u0026txTime=5C18E7D7","user_ip":"119.29.94.245""#,
        sequence = 6_674_468_118_806_000_000 + number,
    )
}

/// The callback of [`members`], with a signature that is valid for 600 s from `now_secs`.
pub(crate) fn signed(number: u64, now_secs: i64) -> String {
    sign(&members(number), now_secs + 600)
}

/// A JSON object of the given members, with `t` and its signature.
pub(crate) fn sign(members: &str, t: i64) -> String {
    sign_by(KEY, members, t)
}

/// The same, signed by another key.
pub(crate) fn sign_by(key: &str, members: &str, t: i64) -> String {
    let key = CallbackKey::new(key).unwrap();
    let sign = hex::encode(key.sign(&t.to_string()));
    format!(r#"{{{members},"sign":"{sign}","t":{t}}}"#)
}

/// The lines of a file that a process may still be writing, or that a kill cut. The last line counts only if it has its end.
pub(crate) fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole].lines()
}

/// Posts callbacks with these numbers over eight connections at once. Each must get a 200.
pub(crate) async fn post_all(
    receiver: SocketAddr,
    numbers: Range<u64>,
    callback: impl Fn(u64) -> String + Copy + Send + 'static,
) {
    let senders = (0..8).map(|sender| {
        let numbers = numbers.clone().filter(move |number| number % 8 == sender);
        tokio::spawn(async move {
            let mut client = Client::connect(receiver).await.unwrap();
            for number in numbers {
                assert_eq!(client.post(&callback(number)).await.unwrap().status, 200);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
}

/// The id of an event in its line.
pub(crate) fn id_of(line: &str) -> EventId {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["id"].as_str().unwrap().parse().unwrap()
}

/// The id that the event of a callback must have.
pub(crate) fn expected_id(body: &str) -> EventId {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
        let keys = vec![KeyOptions { key: CallbackKey::new(KEY).unwrap(), domains: None }];
        Verifier::new(VerifierOptions { keys, ..VerifierOptions::default() }).unwrap()
    });
    VERIFIER.verify(&Callback::parse(body.as_bytes()).unwrap(), now_secs() * 1000).unwrap().id()
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The word under `error`; empty for a 200.
    pub(crate) fn error(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["error"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection that is kept open.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Client {
    /// Connects over TLS, to a server for `localhost`.
    pub(crate) async fn connect_tls(address: SocketAddr, tls: &TlsConnector) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect("localhost".try_into().unwrap(), stream).await?;
        Ok(Client { stream: Box::new(stream), buffer: Vec::new() })
    }

    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream: Box::new(stream), buffer: Vec::new() })
    }

    /// Posts a body and waits for the response.
    pub(crate) async fn post(&mut self, body: &str) -> std::io::Result<Answer> {
        self.send(body).await?;
        self.receive().await
    }

    /// Posts a body to another path, and waits for the response.
    pub(crate) async fn post_to(&mut self, path: &str, body: &str) -> std::io::Result<Answer> {
        self.send_to(path, body).await?;
        self.receive().await
    }

    /// Posts a body without waiting for the response.
    pub(crate) async fn send(&mut self, body: &str) -> std::io::Result<()> {
        self.send_to("/callback?from=css", body).await
    }

    async fn send_to(&mut self, path: &str, body: &str) -> std::io::Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.raw(format!("{head}{body}").as_bytes()).await
    }

    /// Gets a path.
    pub(crate) async fn get(&mut self, path: &str, headers: &str) -> std::io::Result<Answer> {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await?;
        self.receive().await
    }

    /// Sends a request with another method, without a body.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str) -> std::io::Result<Answer> {
        self.raw(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await?;
        self.receive_in_time(method == "HEAD").await
    }

    /// Sends bytes unchanged.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads one response. If the connection ends before it, that is an error.
    pub(crate) async fn receive(&mut self) -> std::io::Result<Answer> {
        tokio::time::timeout(Duration::from_secs(30), self.receive_in_time(false)).await?
    }

    async fn receive_in_time(&mut self, is_head_alone: bool) -> std::io::Result<Answer> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.filter(|_| !is_head_alone).map_or(0, |text| text.parse().unwrap());
        while self.buffer.len() < end + 4 + length {
            self.fill().await?;
        }
        let body = String::from_utf8_lossy(&self.buffer[end + 4..end + 4 + length]).into_owned();
        self.buffer.drain(..end + 4 + length);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok(Answer { status, head, body })
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}
