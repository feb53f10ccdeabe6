//! One connection to a server: logs in, publishes, and notices when the connection breaks.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind, PublishError};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Info, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{ConnectOptions, Event};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::answer::answer;
use super::errors::{broke, no_connection, no_jetstream, refused};
use super::options::Options;
use super::stream_subjects::pattern;
use crate::sink::broker::Answer;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::server::{Credentials, ServerUrl, ShownServer};
use crate::sink::small_file::SmallFile;
use crate::sink::{Failure, Outcome};

const PORT: u16 = 4222;

/// The most bytes of a file with credentials.
const CREDENTIALS_BYTES_MAX: u64 = 64 * 1024;

/// How often the client asks a silent server whether it's there. After two questions without an answer it gives up.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The commands that wait for a server that reads nothing.
const WAITING_COMMANDS_MAX: usize = 64;

/// How long a new stream recognizes a copy of an event.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// A connection that is logged in.
pub(super) struct Connection {
    context: Context,
    /// The reason why the connection is of no use any more.
    broken: watch::Receiver<Option<String>>,
    server: ShownServer,
}

impl Connection {
    /// Connects to the server of this number and logs in: 0 is the one of `url`, and the servers of `servers` follow.
    ///
    /// # Errors
    /// The server can't be reached, or refuses the login.
    pub(super) async fn open(options: &Options, number: usize) -> Result<Connection, Failure> {
        let further = number.checked_sub(1).and_then(|further| options.servers.get(further));
        let url = further.map_or_else(|| options.url.clone(), |server| ServerUrl::new(&server_url(options, server)));
        let server = ShownServer { shown: url.shown(), secrets: secrets(options), timeout: options.limits().timeout() };
        let (sender, broken) = watch::channel(None);
        let settings = settings(options, server.timeout).await?.event_callback(move |event| {
            if let Some(reason) = broken_by(&event) {
                sender.send_if_modified(|first| first.is_none() && first.insert(reason.clone()) == &reason);
            }
            async {}
        });
        let host = if url.host().contains(':') { format!("[{}]", url.host()) } else { url.host().to_owned() };
        let address = format!("{}://{host}:{}", url.scheme(), url.port(PORT));
        let connected = tokio::time::timeout(server.timeout, async_nats::connect_with_options(address, settings)).await;
        let client = match connected {
            Ok(client) => client.map_err(|error| no_connection(&server, &error))?,
            Err(_) => return Err(server.no_connection()),
        };
        let context = ContextBuilder::new().timeout(server.timeout).ack_timeout(Duration::from_millis(1)).build(client);
        Ok(Connection { context, broken, server })
    }

    /// Sends an event, and returns the future of the answer.
    ///
    /// # Errors
    /// The client can't send it.
    pub(super) async fn publish(
        &self,
        subject: String,
        message: PublishMessage,
    ) -> Result<BoxFuture<'_, Answer>, Answer> {
        let sent = self.context.send_publish(subject.clone(), message).await;
        let acknowledgement = sent.map_err(|error| self.answer(&error, &subject))?;
        Ok(Box::pin(async move {
            match acknowledgement.await {
                Ok(_) => Answer::Of(Outcome::Delivered),
                Err(error) => self.answer(&error, &subject),
            }
        }))
    }

    fn answer(&self, error: &PublishError, subject: &str) -> Answer {
        match (answer(error, &self.server, subject), self.failure()) {
            // The reason of the server says more than a lost answer does.
            (Answer::Broken(_), Some(failure)) => Answer::Broken(failure),
            (answer, _) => answer,
        }
    }

    /// Waits until the connection is of no use any more, and returns why.
    pub(super) async fn broken(&self) -> Failure {
        let mut broken = self.broken.clone();
        let reason = match broken.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the connection broke".to_owned(),
        };
        broke(&self.server, &reason)
    }

    /// Returns the failure of a connection that has broken since its last use.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.broken.borrow().as_ref().map(|reason| broke(&self.server, reason))
    }

    /// Returns the configuration of the stream; `None` if there is no such stream.
    ///
    /// # Errors
    /// The server returned an error, or no answer in time.
    pub(super) async fn stream(&self, options: &Options) -> Result<Option<Config>, Failure> {
        let found = self.context.get_stream(&options.stream).await;
        match found {
            Ok(stream) => {
                let Info { config, .. } = stream.cached_info();
                Ok(Some(config.clone()))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                GetStreamErrorKind::JetStream(error) => Err(Failure::outage(refused(&self.server, &error.to_string()))),
                _ => Err(self.failure().unwrap_or_else(|| no_jetstream(&self.server, &error))),
            },
        }
    }

    /// Creates the stream unless it exists.
    ///
    /// # Errors
    /// The server returned an error, or no answer in time.
    pub(super) async fn create_stream(&self, options: &Options) -> Result<(), Failure> {
        if self.stream(options).await?.is_some() {
            return Ok(());
        }
        let config = Config {
            name: options.stream.clone(),
            subjects: vec![pattern(options.subject.text())],
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let created = self.context.create_stream(config).await;
        created.map(drop).map_err(|error| {
            let reason = refused(&self.server, &error.to_string());
            Failure::outage(format!("{reason}; livehook could not create the stream `{}`", options.stream))
        })
    }
}

fn server_url(options: &Options, server: &str) -> String {
    format!("{}://{server}", options.url.scheme())
}

fn secrets(options: &Options) -> OwnSecrets {
    let credentials = options.credentials();
    let mut secrets = credentials.own_secrets();
    if let Credentials { user: Some(token), password: None } = &credentials {
        secrets.add(token);
    }
    secrets
}

async fn settings(options: &Options, timeout: Duration) -> Result<ConnectOptions, Failure> {
    let mut settings = ConnectOptions::new()
        .name("livehook")
        .connection_timeout(timeout)
        .request_timeout(Some(timeout))
        .ping_interval(PING_INTERVAL)
        .client_capacity(WAITING_COMMANDS_MAX)
        // The sink itself makes the next connection. The library needs one try to end.
        .max_reconnects(1)
        .ignore_discovered_servers();
    settings = match options.credentials() {
        Credentials { user: Some(user), password: Some(password) } => {
            settings.user_and_password(user, password.reveal().to_owned())
        }
        Credentials { user: None, password: Some(token) } => settings.token(token.reveal().to_owned()),
        Credentials { user: Some(token), password: None } => settings.token(token),
        Credentials { user: None, password: None } => settings,
    };
    if let Some(path) = &options.credentials_file {
        let rule = "credentials_file";
        let text = text_of(rule, path).await?;
        settings =
            settings.credentials(&text).map_err(|_| unusable(rule, path, "a user's JWT and seed, as nsc writes"))?;
    }
    if let Some(path) = &options.nkey_file {
        let text = text_of("nkey_file", path).await?;
        let seed = text.trim().to_owned();
        if !nkey_is_right(&seed) {
            return Err(unusable("nkey_file", path, "the seed of a user, such as SU..."));
        }
        settings = settings.nkey(seed);
    }
    if options.is_tls() {
        let config = options.tls_files().config().await?;
        settings = settings.require_tls(true).tls_client_config((*config).clone());
    }
    Ok(settings)
}

fn nkey_is_right(seed: &str) -> bool {
    seed.starts_with("SU") && seed.len() == 58 && seed.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

async fn text_of(key: &'static str, path: &Path) -> Result<String, Failure> {
    let bytes = SmallFile::new(key, path, CREDENTIALS_BYTES_MAX).read().await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unusable(key: &str, path: &Path, rule: &str) -> Failure {
    Failure::outage(format!("`{key}` names {}, which must contain {rule}", path.display()))
}

/// The reason why the connection is of no use any more after this event; `None` if it still is.
fn broken_by(event: &Event) -> Option<String> {
    match event {
        Event::Disconnected | Event::Closed => Some("the connection broke".to_owned()),
        Event::LameDuckMode => Some("the server is about to stop".to_owned()),
        // The library writes the text of the server after its own name.
        Event::ServerError(error) => Some(error.to_string().trim_start_matches("nats: ").to_owned()),
        Event::Connected | Event::Draining | Event::SlowConsumer(_) | Event::ClientError(_) => None,
    }
}
