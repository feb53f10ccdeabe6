//! Clients that keep a connection as long as they can, at the least cost. Each ends when the server closes the connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::tls::trusting_all;

/// The head of a callback, without the header of its length.
const HEAD: &str = "POST /callback HTTP/1.1\r\nHost: h\r\n";

/// What a client of a flood does with its connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    /// It sends the first byte of a head.
    FirstByte,
    /// It begins a handshake of TLS, and never finishes it.
    HalfHandshake,
    /// It sends a head, one byte every 50 ms.
    SlowHead,
    /// It announces a body and sends none of it.
    NoBody,
    /// It sends a body, one byte every 50 ms.
    SlowBody,
    /// It sends a large chunk of a body, and not the end.
    EndlessChunks,
    /// It closes its side within a head.
    HalfHead,
    /// It closes its side within a body.
    HalfBody,
    /// It sends requests and reads no answer.
    UnreadAnswers,
}

impl Attack {
    pub(super) const ALL: [Attack; 8] = [
        Attack::FirstByte,
        Attack::SlowHead,
        Attack::NoBody,
        Attack::SlowBody,
        Attack::EndlessChunks,
        Attack::HalfHead,
        Attack::HalfBody,
        Attack::UnreadAnswers,
    ];

    /// Runs the attack until the server closes the connection.
    pub(super) async fn run(self, mut stream: TcpStream) -> std::io::Result<()> {
        let slowly = Duration::from_millis(50);
        match self {
            Attack::FirstByte => stream.write_all(b"P").await?,
            Attack::HalfHandshake => stream.write_all(&client_hello()).await?,
            Attack::SlowHead => drip(&mut stream, HEAD.as_bytes(), slowly).await?,
            Attack::NoBody => stream.write_all(format!("{HEAD}Content-Length: 900\r\n\r\n").as_bytes()).await?,
            Attack::SlowBody => {
                stream.write_all(format!("{HEAD}Content-Length: 900\r\n\r\n").as_bytes()).await?;
                drip(&mut stream, &[b'x'; 800], slowly).await?;
            }
            Attack::EndlessChunks => {
                stream.write_all(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n40000\r\n").as_bytes()).await?;
                stream.write_all(&[b'x'; 0x4_0000]).await?;
            }
            Attack::HalfHead => {
                stream.write_all(HEAD.as_bytes()).await?;
                stream.shutdown().await?;
            }
            Attack::HalfBody => {
                stream.write_all(format!("{HEAD}Content-Length: 900\r\n\r\n{{").as_bytes()).await?;
                stream.shutdown().await?;
            }
            Attack::UnreadAnswers => {
                let requests = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500);
                loop {
                    stream.write_all(requests.as_bytes()).await?;
                }
            }
        }
        // An answer comes only after the server has given the connection up.
        let mut scratch = [0; 256];
        stream.read(&mut scratch).await.map(drop)
    }
}

/// The first message of a client of TLS.
fn client_hello() -> Vec<u8> {
    let mut client = rustls::ClientConnection::new(trusting_all(), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// Sends the bytes one by one.
async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        sleep(pause).await;
    }
    Ok(())
}
