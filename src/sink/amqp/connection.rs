//! One connection to the server, with one channel that confirms what it stores.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::tcp::AsyncTcpStream;
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{BasicProperties, Channel, ConnectionProperties, ExchangeKind};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::answer::{answer, is_too_large};
use super::errors::{failed, timed_out};
use super::options::Options;
use super::runtime;
use crate::sink::Failure;
use crate::sink::broker::Answer;
use crate::sink::server::{ShownServer, connect};

const PORT: u16 = 5672;
const PORT_OF_TLS: u16 = 5671;

/// How long both sides may be silent, in seconds. A thread of a connection to a stopped server lives twice as long.
const HEARTBEAT_SECS: u16 = 20;

/// The login of a server that was not configured, which RabbitMQ takes from its own machine only.
const GUEST: &str = "guest";

/// A connection that is logged in.
pub(super) struct Connection {
    lapin: lapin::Connection,
    channel: Channel,
    server: ShownServer,
}

impl Connection {
    /// Connects, logs in, and opens the channel.
    ///
    /// # Errors
    /// The server can't be reached, or refuses the login.
    pub(super) async fn open(options: &Options) -> Result<Connection, Failure> {
        let timeout = options.limits().timeout();
        let secrets = options.credentials().own_secrets();
        let server = ShownServer { shown: options.url.shown(), secrets, timeout };
        match tokio::time::timeout(timeout, log_in(options, server.clone())).await {
            Ok(connection) => connection,
            Err(_) => Err(server.no_connection()),
        }
    }

    /// Publishes an event, and returns the future of the answer. `is_alone` is whether no other event is in flight.
    ///
    /// # Errors
    /// The client can't send it.
    pub(super) async fn publish(
        &self,
        options: &Options,
        routing_key: String,
        body: &str,
        properties: BasicProperties,
        is_alone: bool,
    ) -> Result<BoxFuture<'_, Answer>, Answer> {
        let settings = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let exchange = options.exchange.as_str().into();
        let sent =
            self.channel.basic_publish(exchange, routing_key.as_str().into(), settings, body.as_bytes(), properties);
        let confirm = match tokio::time::timeout(self.server.timeout, sent).await {
            Ok(confirm) => confirm.map_err(|error| Answer::Broken(failed(&self.server, &error)))?,
            Err(_) => return Err(Answer::Broken(self.timed_out())),
        };
        Ok(Box::pin(async move {
            match tokio::time::timeout(self.server.timeout, confirm).await {
                Ok(confirmation) => answer(confirmation, &self.server, &routing_key, is_alone),
                Err(_) => Answer::Broken(self.timed_out()),
            }
        }))
    }

    /// Whether the exchange, or the queue of the default exchange, is there.
    ///
    /// # Errors
    /// It isn't, or the server gave no answer in time.
    pub(super) async fn check(&self, options: &Options) -> Result<(), Failure> {
        if options.exchange.is_empty() {
            let settings = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let name = options.routing_key.text().into();
            let found = self.channel.queue_declare(name, settings, FieldTable::default());
            return self.within_timeout(found).await.map(drop);
        }
        let settings = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let exchange = options.exchange.as_str().into();
        let found = self.channel.exchange_declare(exchange, ExchangeKind::Topic, settings, FieldTable::default());
        self.within_timeout(found).await
    }

    /// Whether a failure means that one of the events in flight is too large.
    pub(super) fn is_size_at_fault(failure: &Failure) -> bool {
        is_too_large(&failure.reason)
    }

    fn timed_out(&self) -> Failure {
        timed_out(&self.server, self.lapin.status().blocked())
    }

    async fn within_timeout<T>(&self, call: impl Future<Output = lapin::Result<T>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.server.timeout, call).await {
            Ok(answer) => answer.map_err(|error| failed(&self.server, &error)),
            Err(_) => Err(self.timed_out()),
        }
    }
}

async fn log_in(options: &Options, server: ShownServer) -> Result<Connection, Failure> {
    let tls = if options.is_tls() { Some(options.tls_files().config().await?) } else { None };
    let port = if options.is_tls() { PORT_OF_TLS } else { PORT };
    let stream = Mutex::new(Some(connect(&options.url, port, tls).await?.compat()));
    let properties = ConnectionProperties::default().with_connection_name("livehook".into());
    // The library asks for the one connection there is. It gets no second one.
    let take = async move |_, _| match stream.lock().ok().and_then(|mut stream| stream.take()) {
        Some(stream) => Ok(AsyncTcpStream::Plain(stream)),
        None => Err(lapin::Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))),
    };
    let lapin = lapin::Connection::connector(uri(options, port), runtime::current(), take, properties).await;
    let lapin = lapin.map_err(|error| failed(&server, &error))?;
    let channel = lapin.create_channel().await.map_err(|error| failed(&server, &error))?;
    if options.declare {
        let settings = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = options.exchange.as_str().into();
        let declared = channel.exchange_declare(exchange, ExchangeKind::Topic, settings, FieldTable::default()).await;
        declared.map_err(|error| failed(&server, &error))?;
    }
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| failed(&server, &error))?;
    Ok(Connection { lapin, channel, server })
}

fn uri(options: &Options, port: u16) -> AMQPUri {
    let credentials = options.credentials();
    // A certificate names the user, unless another one is configured.
    let is_external = options.client_certificate_file.is_some() && credentials.user.is_none();
    let mechanism = if is_external { SASLMechanism::External } else { SASLMechanism::Plain };
    let password = credentials.password.map(|password| password.reveal().to_owned());
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: credentials.user.unwrap_or_else(|| GUEST.to_owned()),
                password: password.unwrap_or_else(|| GUEST.to_owned()),
            },
            host: options.url.host().to_owned(),
            port: options.url.port(port),
        },
        vhost: options.virtual_host(),
        query: AMQPQueryString {
            heartbeat: Some(HEARTBEAT_SECS),
            auth_mechanism: Some(mechanism),
            ..AMQPQueryString::default()
        },
    }
}
