//! The receiver: takes every request and answers 204. It parses as little as possible, so that the bench measures livehook.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

const HEAD_END: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"content-length: ";

/// A running receiver, on the core of the generator. Dropping it kills it.
pub(crate) struct Loopback(Child);

impl Loopback {
    /// Starts it as a process.
    pub(crate) fn start(address: SocketAddr) -> anyhow::Result<Loopback> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-loopback").arg(address.to_string()).stdin(Stdio::null());
        Ok(Loopback(command.spawn().context("the receiver cannot be started")?))
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            // Otherwise the kernel may hold back an answer, and the wait would count as the sink's.
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(answer_all(stream));
        }
    })
}

async fn answer_all(mut stream: TcpStream) -> anyhow::Result<()> {
    // Large enough for a list of 100 events.
    let mut buffer = Vec::with_capacity(256 * 1024);
    loop {
        while let Some(end) = request_end(&buffer) {
            buffer.drain(..end);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// The end of the first request in the buffer; `None` until the request is complete.
fn request_end(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(HEAD_END.len()).position(|window| window == HEAD_END)?;
    let length_at = buffer[..head].windows(LENGTH.len()).position(|window| window == LENGTH)? + LENGTH.len();
    let digits = buffer[length_at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let end = head + HEAD_END.len() + length;
    (buffer.len() >= end).then_some(end)
}
