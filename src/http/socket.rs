//! The sockets below a connection. They are traits, so that tests can serve HTTP in memory, with tokio's clock paused.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How many connections may wait until they are accepted. The system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 1024;

/// Listens on an address. `[::]` takes IPv4 clients too, and means `0.0.0.0` on a machine without IPv6. With
/// `send_buffer_bytes`, the system keeps about this much of answers that a client doesn't read.
///
/// # Errors
/// The address is in use, or this process may not or cannot listen on it.
pub fn listen(address: SocketAddr, send_buffer_bytes: Option<u32>) -> io::Result<TcpListener> {
    let socket = bind(address)?;
    if let Some(bytes) = send_buffer_bytes {
        // Accepted connections inherit it.
        socket.set_send_buffer_size(bytes)?;
    }
    socket.listen(BACKLOG)
}

/// Checks that [`listen`] can use an address. No client can connect because of this check.
///
/// # Errors
/// The same as of [`listen`].
pub fn check_address(address: SocketAddr) -> io::Result<()> {
    bind(address).map(drop)
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    match bind_to(address) {
        Err(error) if is_every_address(address) && is_without_ipv6(&error) => {
            bind_to(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if is_every_address(address) {
        // The system's default (`net.ipv6.bindv6only`) can shut IPv4 clients out.
        set_ipv6_v6only(&socket, false)?;
    }
    // Otherwise a restart fails for a minute, because connections of the run before are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn is_every_address(address: SocketAddr) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
}

/// Whether the system has no IPv6, or it is switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    let missing = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| missing.contains(&number))
}

/// Accepts connections.
pub trait Listen: Send {
    /// The socket of an accepted connection.
    type Socket: Socket;

    /// Returns the TLS that the clients speak; `None` if they speak HTTP without it.
    fn tls(&self) -> Option<TlsAcceptor> {
        None
    }

    /// Waits for the next connection, and returns its socket and the address of the client.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// The server's end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Whether the client has closed its side, or the connection is broken. It takes nothing that a read would return.
    fn is_closed_by_client(&mut self, context: &mut Context<'_>) -> bool;

    /// Whether the system has bytes of the client that were not read. It asks the system itself, because the runtime
    /// reports bytes only in its next turn.
    fn has_unread(&self) -> bool;
}

impl Listen for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // Otherwise an answer may wait until the client acknowledges the one before. It fails only on a closed socket.
        let _ = stream.set_nodelay(true);
        // A listener on `[::]` shows IPv4 clients as `::ffff:192.0.2.1`.
        Ok((stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())))
    }
}

impl Socket for TcpStream {
    fn is_closed_by_client(&mut self, context: &mut Context<'_>) -> bool {
        // A peek that returns no byte means that the client has closed its side. It leaves other bytes for the next
        // read.
        let mut byte = [0];
        matches!(self.poll_peek(context, &mut ReadBuf::new(&mut byte)), Poll::Ready(Ok(0) | Err(_)))
    }

    fn has_unread(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(self, &mut [0_u8; 1], flags).is_ok_and(|(read, _)| read > 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn unread_bytes_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(!stream.has_unread());
        io::Write::write_all(&mut client, b"P").unwrap();
        assert!(stream.has_unread());
        drop(client);
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 1);
        assert!(!stream.has_unread(), "the end is no byte");
    }

    #[tokio::test]
    async fn every_address_takes_ipv4() {
        let mut listener = listen("[::]:0".parse().unwrap(), None).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let (_socket, peer) = Listen::accept(&mut listener).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap(), "an IPv4 address is shown as one");
        let taken = listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), None).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn machine_without_ipv6_is_known_by_its_errors() {
        for (error, expected) in [(Errno::AFNOSUPPORT, true), (Errno::ADDRNOTAVAIL, true), (Errno::ADDRINUSE, false)] {
            assert_eq!(is_without_ipv6(&error.into()), expected, "{error}");
        }
    }
}
