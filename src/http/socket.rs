//! The sockets below a connection. They are traits, so that tests can serve HTTP in memory, with tokio's clock paused.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

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
