//! Listening sockets that the service manager has opened and passes on, by systemd's protocol (`LISTEN_FDS`). They stay open while
//! livehook restarts, so no connection is refused: it waits until livehook accepts it.

use std::env;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, bail, ensure};
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::config::Config;

/// The sockets by their names. `None` means that livehook opens the port itself.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    pub(super) receiver: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

impl InheritedSockets {
    /// Takes the sockets that were passed on to this process. Call it before the process has a second thread, because it changes the
    /// environment.
    ///
    /// # Errors
    /// A socket has a name that livehook doesn't know, or the name of another one, or doesn't listen for TCP connections.
    pub fn take() -> anyhow::Result<InheritedSockets> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = InheritedSockets::default();
        for position in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let place = match name {
                "receiver" => &mut sockets.receiver,
                "admin" => &mut sockets.admin,
                _ => bail!(
                    "the service manager passes a socket named `{}`; name it with `FileDescriptorName=receiver` or \
                     `FileDescriptorName=admin`",
                    name.escape_debug()
                ),
            };
            ensure!(place.is_none(), "the service manager passes two sockets named `{name}`; pass one");
            *place = Some(listener(&mut passed, position).with_context(|| {
                format!("the socket `{name}` of the service manager can't be used; it must be a `ListenStream=` with an IP address")
            })?);
        }
        Ok(sockets)
    }

    /// Returns their addresses.
    ///
    /// # Errors
    /// The system doesn't know an address.
    pub(super) fn addresses(&self) -> anyhow::Result<InheritedAddresses> {
        let address = |socket: &Option<TcpListener>| socket.as_ref().map(TcpListener::local_addr).transpose();
        Ok(InheritedAddresses { receiver: address(&self.receiver)?, admin: address(&self.admin)? })
    }
}

/// The addresses of the sockets. They count instead of the configured ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct InheritedAddresses {
    receiver: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl InheritedAddresses {
    /// Replaces the addresses of a configuration.
    pub(super) fn describe(self, config: &mut Config) {
        config.receiver.listen = self.receiver.unwrap_or(config.receiver.listen);
        config.admin.listen = self.admin.unwrap_or(config.admin.listen);
    }
}

fn listener(passed: &mut ListenFd, position: usize) -> anyhow::Result<TcpListener> {
    let socket = passed.take_tcp_listener(position)?.context("it was taken already")?;
    ensure!(socket_acceptconn(&socket)?, "it doesn't listen");
    // tokio waits for connections itself.
    socket.set_nonblocking(true)?;
    Ok(socket)
}
