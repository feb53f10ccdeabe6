//! One connection to the server: logs in, calls scripts, and explains why a call failed.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError, ScriptInvocation};
use tokio::task::JoinHandle;

use super::cure::cure;
use super::options::Options;
use crate::printable::printable;
use crate::sink::Failure;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::server::{Credentials, connect};

const PORT: u16 = 6379;

/// The characters of the server's text that a reason shows.
const TEXT_CHARACTERS_MAX: usize = 300;

/// A connection that is logged in.
pub(super) struct Connection {
    redis: MultiplexedConnection,
    /// Moves the bytes of the connection.
    driver: JoinHandle<()>,
    server: Server,
}

/// The server, as messages show it.
#[derive(Clone)]
struct Server {
    shown: String,
    secrets: OwnSecrets,
    timeout: Duration,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The connection would live on until the server has answered every call.
        self.driver.abort();
    }
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The server can't be reached, or refuses the login.
    pub(super) async fn open(options: &Options) -> Result<Connection, Failure> {
        let timeout = options.limits().timeout();
        let server = Server { shown: options.url.shown(), secrets: options.credentials().own_secrets(), timeout };
        match tokio::time::timeout(timeout, log_in(options, server.clone())).await {
            Ok(connection) => connection,
            Err(_) => Err(Failure::outage(format!(
                "{}: no connection within {} s; does its host answer, and does a firewall let livehook out?",
                server.shown,
                timeout.as_secs()
            ))),
        }
    }

    /// Calls a script, and returns its result.
    ///
    /// # Errors
    /// The server returned an error, or no answer in time. Don't use the connection again.
    pub(super) async fn call<T: FromRedisValue>(&mut self, script: &ScriptInvocation<'_>) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.server.timeout, script.invoke_async(&mut self.redis)).await;
        self.server.result(answer)
    }

    /// Returns the type of a key, for example `stream`; `none` if there is no such key.
    ///
    /// # Errors
    /// The server returned an error, or no answer in time.
    pub(super) async fn type_of(&mut self, key: &str) -> Result<String, Failure> {
        self.run(redis::cmd("TYPE").arg(key)).await
    }

    async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.server.timeout, command.query_async(&mut self.redis)).await;
        self.server.result(answer)
    }

    /// Returns the failure that an error inside a script stands for.
    pub(super) fn failure(&self, error: &str) -> Failure {
        self.server.refused(error)
    }
}

async fn log_in(options: &Options, server: Server) -> Result<Connection, Failure> {
    let tls = if options.is_tls() { Some(options.tls_files().config().await?) } else { None };
    let stream = connect(&options.url, PORT, tls).await?;
    // Every call has a time limit of its own.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let made = MultiplexedConnection::new_with_config(&settings, stream, config).await;
    let (redis, driver) = made.map_err(|error| server.failed(&error))?;
    let mut connection = Connection { redis, driver: tokio::spawn(driver), server };
    // The library would log in too, but it hides the code of an error.
    let Credentials { user, password } = options.credentials();
    if let Some(password) = password {
        let mut command = redis::cmd("AUTH");
        connection.run::<()>(command.arg(user).arg(password.reveal())).await?;
    }
    if let Some(database @ 1..) = options.database() {
        connection.run::<()>(redis::cmd("SELECT").arg(database)).await?;
    }
    Ok(connection)
}

impl Server {
    fn result<T>(&self, answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>) -> Result<T, Failure> {
        match answer {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_) => Err(Failure::outage(format!("{}: no answer within {} s", self.shown, self.timeout.as_secs()))),
        }
    }

    fn failed(&self, error: &RedisError) -> Failure {
        match error.code() {
            Some(code) => self.refused(format!("{code} {}", error.detail().unwrap_or_default()).trim()),
            None => {
                let cause = printable(&self.secrets.redact(&error.to_string()), TEXT_CHARACTERS_MAX).to_string();
                Failure::outage(format!("{}: the connection broke: {cause}", self.shown))
            }
        }
    }

    /// The server has answered with an error. No event passes until its cause is gone, so it's an outage.
    fn refused(&self, error: &str) -> Failure {
        let cure = cure(error).map(|cure| format!("; {cure}")).unwrap_or_default();
        let error = printable(&self.secrets.redact(error), TEXT_CHARACTERS_MAX).to_string();
        Failure::outage(format!("{} answered \"{error}\"{cure}", self.shown))
    }
}
