//! The handshake of TLS at the start of a connection. It counts as a connection from its first moment, has the time of a head, and can
//! be evicted like an unfinished head.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rustls::Error;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::phase::Phase;
use super::socket::Socket;
use super::wire::{Begun, FIRST_BYTE, TlsSocket, Wire};

/// How a handshake ended.
pub(super) enum Handshake<S> {
    /// The client speaks TLS.
    Done(Wire<S>),
    /// The client began with something else, for example a request of plain HTTP.
    NotTls(Wire<S>),
    /// It failed.
    Failed(FailedHandshake),
    /// The client has sent nothing, or the connection was evicted.
    Cut,
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FailedHandshake {
    /// The reason in one word, as the metric has it.
    pub(super) reason: &'static str,
    pub(super) cause: String,
}

/// Does the handshake of a connection within `limit`.
pub(super) async fn shake_hands<S: Socket>(
    acceptor: TlsAcceptor,
    socket: S,
    connection: &Connection,
    limit: Duration,
) -> Handshake<S> {
    let mut exchange = pin!(timeout(limit, exchange(acceptor, socket, connection)));
    let end = poll_fn(|context| {
        connection.listen(context);
        match exchange.as_mut().poll(context) {
            Poll::Ready(end) => Poll::Ready(end.unwrap_or_else(|_| late(connection.phase()))),
            Poll::Pending if connection.is_evicted() => Poll::Ready(Handshake::Cut),
            // A client that has begun sends its request next, so it gets its answer.
            Poll::Pending if connection.is_draining() && connection.phase() == Phase::Accepted => {
                Poll::Ready(Handshake::Cut)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    connection.enter(Phase::Accepted);
    connection.stamp();
    end
}

async fn exchange<S: Socket>(acceptor: TlsAcceptor, socket: S, connection: &Connection) -> Handshake<S> {
    let begun = match Begun::read(socket).await {
        Ok((Some(FIRST_BYTE), begun)) => begun,
        Ok((Some(_), begun)) => return Handshake::NotTls(Wire::Plain(begun.into_rest())),
        Ok((None, _)) | Err(_) => return Handshake::Cut,
    };
    connection.enter(Phase::Handshaking);
    connection.stamp();
    match acceptor.accept(begun).await {
        Ok(stream) => Handshake::Done(Wire::Tls(Box::new(TlsSocket::new(stream)))),
        Err(error) => Handshake::Failed(FailedHandshake::of(&error)),
    }
}

/// The end of a handshake that took too long.
fn late<S>(phase: Phase) -> Handshake<S> {
    if phase == Phase::Accepted {
        return Handshake::Cut;
    }
    Handshake::Failed(FailedHandshake { reason: "timeout", cause: "the client took too long".to_owned() })
}

impl FailedHandshake {
    /// The reasons, as the metric has them.
    pub(super) const REASONS: [&'static str; 6] =
        ["closed", "incompatible", "malformed", "not_tls", "refused", "timeout"];

    fn of(error: &io::Error) -> FailedHandshake {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let reason = match tls {
            Some(Error::AlertReceived(_)) => "refused",
            Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => "incompatible",
            Some(_) => "malformed",
            None if error.kind() == ErrorKind::InvalidData => "malformed",
            None => "closed",
        };
        FailedHandshake { reason, cause: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
