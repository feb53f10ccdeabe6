//! Opens the listening sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::anyhow;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::http;

/// How much of the receiver's answers the system keeps for a client. They are small, so a client that leaves this many
/// unread is soon noticed.
const RECEIVER_SEND_BUFFER_BYTES: u32 = 16 * 1024;

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
        let receiver = bind(config.receiver.listen, Some(RECEIVER_SEND_BUFFER_BYTES), "receiver.listen")?;
        let admin = bind(config.admin.listen, None, "admin.listen")?;
        let (receiver_address, admin_address) = (receiver.local_addr()?, admin.local_addr()?);
        Ok(Ports { receiver, admin, receiver_address, admin_address })
    }
}

fn bind(address: SocketAddr, send_buffer_bytes: Option<u32>, key: &str) -> anyhow::Result<TcpListener> {
    http::listen(address, send_buffer_bytes).map_err(|error| {
        let cure = match error.kind() {
            ErrorKind::AddrInUse => "; stop the program that uses this port, or choose another port",
            ErrorKind::AddrNotAvailable => "; this machine does not have this address",
            ErrorKind::PermissionDenied => "; choose a port above 1023, or give livehook CAP_NET_BIND_SERVICE",
            _ => "",
        };
        anyhow!("{key} = \"{address}\": livehook cannot listen on this address: {error}{cure}")
    })
}
