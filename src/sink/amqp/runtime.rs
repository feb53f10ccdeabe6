//! The runtime that the client library runs on: tokio, with connections that livehook itself has made.
//!
//! So this sink resolves names, checks certificates and reports errors as every other sink does.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use tokio_util::compat::Compat;

use crate::sink::server::ServerStream;

/// A connection in the form that the library wants.
pub(super) type Connected = Compat<Box<dyn ServerStream>>;

/// Tokio, except that it opens no connection.
#[derive(Clone, Debug)]
pub(super) struct OwnConnections(Tokio);

/// Returns the runtime of the current task.
pub(super) fn current() -> Runtime<OwnConnections> {
    Runtime::new(OwnConnections(Tokio::current()))
}

impl RuntimeKit for OwnConnections {}

impl Executor for OwnConnections {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, future: F) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, work: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for OwnConnections {
    type TcpStream = Connected;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Connected>> + Send + 'static {
        std::future::ready(Err(io::Error::from(io::ErrorKind::Unsupported)))
    }
}
