//! The sockets below a connection. They are traits, so that tests can serve HTTP in memory, with tokio's clock paused.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many connections may wait until they are accepted. The system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 1024;

/// Listens on an address. With `send_buffer_bytes`, the system keeps about this much of answers that a client doesn't
/// read.
///
/// # Errors
/// The address is in use, or this process may not or cannot listen on it.
pub fn listen(address: SocketAddr, send_buffer_bytes: Option<u32>) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Otherwise a restart fails for a minute, because connections of the run before are still closing.
    socket.set_reuseaddr(true)?;
    if let Some(bytes) = send_buffer_bytes {
        // Accepted connections inherit it.
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections.
pub trait Listen: Send {
    /// The socket of an accepted connection.
    type Socket: Socket;

    /// Waits for the next connection, and returns its socket and the address of the client.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// The server's end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Whether the client has closed its side, or the connection is broken. It takes nothing that a read would return.
    fn is_closed_by_client(&self, context: &mut Context<'_>) -> bool;
}

impl Listen for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // Otherwise an answer may wait until the client acknowledges the one before. It fails only on a closed socket.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl Socket for TcpStream {
    fn is_closed_by_client(&self, context: &mut Context<'_>) -> bool {
        // A peek that returns no byte means that the client has closed its side. It leaves other bytes for the next
        // read.
        let mut byte = [0];
        matches!(self.poll_peek(context, &mut ReadBuf::new(&mut byte)), Poll::Ready(Ok(0) | Err(_)))
    }
}
