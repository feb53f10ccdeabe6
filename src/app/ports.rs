//! Opens the listening sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::certificates::{Certificates, ListenerCertificate};
use super::inherited::InheritedSockets;
use crate::config::Config;
use crate::http::{self, Port};

/// How much of the receiver's answers the system keeps for a client. They are small, so a client that leaves this many
/// unread is soon noticed.
const RECEIVER_SEND_BUFFER_BYTES: u32 = 16 * 1024;

/// How long an ended process may take to close its ports after it has given up its lock, and how often that is tried.
const CLOSING_MAX: Duration = Duration::from_secs(5);
const CLOSING_INTERVAL: Duration = Duration::from_millis(20);

/// The listening sockets.
pub(super) struct Ports {
    pub(super) receiver: Port,
    pub(super) admin: Port,
    pub(super) receiver_address: SocketAddr,
    pub(super) admin_address: SocketAddr,
}

impl Ports {
    /// Listens on the configured addresses, unless there is a socket already.
    ///
    /// # Errors
    /// An address cannot be used. The error names its key and the cure.
    pub(super) fn bind(
        config: &Config,
        sockets: &InheritedSockets,
        certificates: &Certificates,
    ) -> anyhow::Result<Ports> {
        let (receiver, admin) = addresses(config, sockets, certificates);
        Ports::new(receiver.listen().map_err(receiver.explain())?, admin.listen().map_err(admin.explain())?)
    }

    /// Like [`Ports::bind`], after the wait for a process that has the same ports. It may need a moment to close them.
    /// `admin` is the admin listener, if it is open already.
    ///
    /// # Errors
    /// An address cannot be used, or another program uses it.
    pub(super) async fn bind_after_wait(
        config: &Config,
        sockets: &InheritedSockets,
        certificates: &Certificates,
        admin: Option<Port>,
    ) -> anyhow::Result<Ports> {
        let (receiver_address, admin_address) = addresses(config, sockets, certificates);
        let receiver = receiver_address.listen_when_free().await?;
        let admin = match admin {
            Some(admin) => admin,
            None => admin_address.listen_when_free().await?,
        };
        Ports::new(receiver, admin)
    }

    /// Opens the port of the admin endpoint alone. Returns `None` if another process uses it.
    ///
    /// # Errors
    /// One of the two addresses can never be used.
    pub(super) fn bind_admin(
        config: &Config,
        sockets: &InheritedSockets,
        certificates: &Certificates,
    ) -> anyhow::Result<Option<Port>> {
        let (receiver, admin) = addresses(config, sockets, certificates);
        unless_in_use(receiver.check()).map_err(receiver.explain())?;
        unless_in_use(admin.listen()).map_err(admin.explain())
    }

    fn new(receiver: Port, admin: Port) -> anyhow::Result<Ports> {
        let (receiver_address, admin_address) = (receiver.local_addr()?, admin.local_addr()?);
        Ok(Ports { receiver, admin, receiver_address, admin_address })
    }
}

fn unless_in_use<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
        result => result.map(Some),
    }
}

/// A configured address, or the socket of the service manager in its place.
struct Address<'a> {
    address: SocketAddr,
    send_buffer_bytes: Option<u32>,
    key: &'static str,
    socket: Option<&'a std::net::TcpListener>,
    tls: Option<Arc<ServerConfig>>,
}

/// The addresses of the receiver and of the admin endpoint.
fn addresses<'a>(
    config: &Config,
    sockets: &'a InheritedSockets,
    certificates: &Certificates,
) -> (Address<'a>, Address<'a>) {
    let tls = |certificate: &Option<ListenerCertificate>| certificate.as_ref().map(ListenerCertificate::server_config);
    let receiver = Address {
        address: config.receiver.listen,
        send_buffer_bytes: Some(RECEIVER_SEND_BUFFER_BYTES),
        key: "receiver.listen",
        socket: sockets.receiver.as_ref(),
        tls: tls(&certificates.receiver),
    };
    let admin = Address {
        address: config.admin.listen,
        send_buffer_bytes: None,
        key: "admin.listen",
        socket: sockets.admin.as_ref(),
        tls: tls(&certificates.admin),
    };
    (receiver, admin)
}

impl Address<'_> {
    fn listen(&self) -> io::Result<Port> {
        Ok(Port::new(self.listener()?, self.tls.clone()))
    }

    fn listener(&self) -> io::Result<TcpListener> {
        let Some(socket) = self.socket else { return http::listen(self.address, self.send_buffer_bytes) };
        if let Some(bytes) = self.send_buffer_bytes {
            set_socket_send_buffer_size(socket, bytes as usize)?;
        }
        TcpListener::from_std(std::net::TcpListener::from(socket.as_fd().try_clone_to_owned()?))
    }

    /// Checks that [`Address::listen`] can succeed.
    fn check(&self) -> io::Result<()> {
        if self.socket.is_some() { Ok(()) } else { http::check_address(self.address) }
    }

    async fn listen_when_free(&self) -> anyhow::Result<Port> {
        let deadline = Instant::now() + CLOSING_MAX;
        loop {
            match self.listen() {
                Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                    sleep(CLOSING_INTERVAL).await;
                }
                result => return result.map_err(self.explain()),
            }
        }
    }

    /// Adds the key, the address and the cure to an error.
    fn explain(&self) -> impl Fn(io::Error) -> anyhow::Error {
        let Address { address, key, .. } = self;
        move |error| {
            let cure = match error.kind() {
                ErrorKind::AddrInUse => "; stop the program that uses this port, or choose another port",
                ErrorKind::AddrNotAvailable => "; this machine does not have this address",
                ErrorKind::PermissionDenied => "; choose a port above 1023, or give livehook CAP_NET_BIND_SERVICE",
                _ => "",
            };
            anyhow!("{key} = \"{address}\": livehook cannot listen on this address: {error}{cure}")
        }
    }
}
