//! The socket of a connection below HTTP: plain, or with TLS.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::socket::Socket;

/// The first byte of a handshake of TLS. No request of HTTP begins with it.
pub(super) const FIRST_BYTE: u8 = 0x16;

/// A plain socket, or one with TLS. One type for both keeps the code of HTTP from being compiled twice.
#[derive(Debug)]
pub(super) enum Wire<S> {
    Plain(S),
    Tls(Box<TlsSocket<S>>),
}

/// A socket whose first byte was read to see what the client speaks.
#[derive(Debug)]
pub(super) struct Begun<S> {
    first: Option<u8>,
    socket: S,
}

/// A socket with TLS.
#[derive(Debug)]
pub(super) struct TlsSocket<S> {
    stream: TlsStream<Begun<S>>,
    /// A byte that the search for the client's end has read.
    ahead: Option<u8>,
}

impl<S: Socket> Begun<S> {
    /// Reads the first byte. The next read returns it again. `None` means that the client has closed its side.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) async fn read(mut socket: S) -> io::Result<(Option<u8>, Begun<S>)> {
        let mut byte = [0];
        let first = if socket.read(&mut byte).await? == 0 { None } else { Some(byte[0]) };
        Ok((first, Begun { first, socket }))
    }

    /// Returns the socket without the first byte.
    pub(super) fn into_rest(self) -> S {
        self.socket
    }
}

impl<S> TlsSocket<S> {
    /// The socket after the handshake.
    pub(super) fn new(stream: TlsStream<Begun<S>>) -> TlsSocket<S> {
        TlsSocket { stream, ahead: None }
    }
}

impl<S: Socket> Socket for Wire<S> {
    fn is_closed_by_client(&mut self, context: &mut Context<'_>) -> bool {
        match self {
            Wire::Plain(socket) => socket.is_closed_by_client(context),
            Wire::Tls(tls) => tls.is_closed_by_client(context),
        }
    }

    fn has_unread(&self) -> bool {
        match self {
            Wire::Plain(socket) => socket.has_unread(),
            Wire::Tls(tls) => tls.ahead.is_some() || tls.stream.get_ref().0.socket.has_unread(),
        }
    }
}

impl<S: Socket> TlsSocket<S> {
    /// The end of a client is a message within TLS, so only a read finds it.
    fn is_closed_by_client(&mut self, context: &mut Context<'_>) -> bool {
        if self.ahead.is_some() {
            return false;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.ahead = buffer.filled().first().copied();
                self.ahead.is_none()
            }
            Poll::Ready(Err(_)) => true,
        }
    }
}

impl<S: Socket> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Wire::Tls(tls) => Pin::new(&mut **tls).poll_read(context, buffer),
        }
    }
}

impl<S: Socket> AsyncRead for TlsSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(byte) = self.ahead.take() {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            // Many clients close without the message that TLS has for it. HTTP knows by itself whether a request is whole.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

impl<S: Socket> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Wire::Tls(tls) => Pin::new(&mut tls.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(context),
            Wire::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Wire::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(context),
        }
    }
}

impl<S: Socket> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(byte) = self.first.take() {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: Socket> AsyncWrite for Begun<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
