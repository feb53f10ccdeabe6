//! Opens the listening sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::http;

/// How much of the receiver's answers the system keeps for a client. They are small, so a client that leaves this many
/// unread is soon noticed.
const RECEIVER_SEND_BUFFER_BYTES: u32 = 16 * 1024;

/// How long an ended process may take to close its ports after it has given up its lock, and how often that is tried.
const CLOSING_MAX: Duration = Duration::from_secs(5);
const CLOSING_INTERVAL: Duration = Duration::from_millis(20);

/// The listening sockets.
pub(super) struct Ports {
    pub(super) receiver: TcpListener,
    pub(super) admin: TcpListener,
    pub(super) receiver_address: SocketAddr,
    pub(super) admin_address: SocketAddr,
}

impl Ports {
    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// An address cannot be used. The error names its key and the cure.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Ports> {
        let (receiver, admin) = (Address::receiver(config), Address::admin(config));
        Ports::new(receiver.listen().map_err(receiver.explain())?, admin.listen().map_err(admin.explain())?)
    }

    /// Like [`Ports::bind`], after the wait for a process that has the same ports. It may need a moment to close them.
    /// `admin` is the admin listener, if it is open already.
    ///
    /// # Errors
    /// An address cannot be used, or another program uses it.
    pub(super) async fn bind_after_wait(config: &Config, admin: Option<TcpListener>) -> anyhow::Result<Ports> {
        let receiver = Address::receiver(config).listen_when_free().await?;
        let admin = match admin {
            Some(admin) => admin,
            None => Address::admin(config).listen_when_free().await?,
        };
        Ports::new(receiver, admin)
    }

    /// Opens the port of the admin endpoint alone. Returns `None` if another process uses it.
    ///
    /// # Errors
    /// One of the two addresses can never be used.
    pub(super) fn bind_admin(config: &Config) -> anyhow::Result<Option<TcpListener>> {
        let (receiver, admin) = (Address::receiver(config), Address::admin(config));
        unless_in_use(http::check_address(receiver.address)).map_err(receiver.explain())?;
        unless_in_use(admin.listen()).map_err(admin.explain())
    }

    fn new(receiver: TcpListener, admin: TcpListener) -> anyhow::Result<Ports> {
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

/// A configured address.
struct Address {
    address: SocketAddr,
    send_buffer_bytes: Option<u32>,
    key: &'static str,
}

impl Address {
    fn receiver(config: &Config) -> Address {
        let send_buffer_bytes = Some(RECEIVER_SEND_BUFFER_BYTES);
        Address { address: config.receiver.listen, send_buffer_bytes, key: "receiver.listen" }
    }

    fn admin(config: &Config) -> Address {
        Address { address: config.admin.listen, send_buffer_bytes: None, key: "admin.listen" }
    }

    fn listen(&self) -> io::Result<TcpListener> {
        http::listen(self.address, self.send_buffer_bytes)
    }

    async fn listen_when_free(&self) -> anyhow::Result<TcpListener> {
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
