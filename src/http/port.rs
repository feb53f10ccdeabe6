//! A listening socket, and the TLS that its clients speak.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::socket::Listen;

/// A listening socket. Its clients speak HTTPS if it has the settings of TLS, and otherwise HTTP.
pub struct Port {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Port {
    /// A port for HTTPS if there are settings of TLS, and otherwise for HTTP.
    pub fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Port {
        Port { listener, tls }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// The error of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Another one on the same socket, for the runtime of the caller. The port stays open until both are dropped.
    ///
    /// # Errors
    /// The error of the system, for example because no file can be opened.
    pub fn duplicate(&self) -> io::Result<Port> {
        let copy = self.listener.as_fd().try_clone_to_owned()?;
        Ok(Port { listener: TcpListener::from_std(std::net::TcpListener::from(copy))?, tls: self.tls.clone() })
    }
}

impl Listen for Port {
    type Socket = TcpStream;

    fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone().map(TlsAcceptor::from)
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        Listen::accept(&mut self.listener).await
    }
}
