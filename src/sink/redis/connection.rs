//! One connection to the server: logs in, calls scripts, and explains why a call failed.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError, ScriptInvocation};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;

use super::cure::cure;
use super::options::Options;
use crate::sink::Failure;
use crate::sink::server::{Credentials, ShownServer, connect};

const PORT: u16 = 6379;

/// A connection that is logged in.
pub(super) struct Connection {
    redis: MultiplexedConnection,
    /// Moves the bytes of the connection.
    driver: JoinHandle<()>,
    server: ShownServer,
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
        let server = ShownServer { shown: options.url.shown(), secrets: options.credentials().own_secrets(), timeout };
        match tokio::time::timeout(timeout, log_in(options, server.clone())).await {
            Ok(connection) => connection,
            Err(_) => Err(server.no_connection()),
        }
    }

    /// Calls a script, and returns its result.
    ///
    /// # Errors
    /// The server returned an error, or no answer in time. Don't use the connection again.
    pub(super) async fn call<T: FromRedisValue>(&mut self, script: &ScriptInvocation<'_>) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.server.timeout, script.invoke_async(&mut self.redis)).await;
        result(&self.server, answer)
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
        result(&self.server, answer)
    }

    /// Returns the failure that an error inside a script stands for.
    pub(super) fn failure(&self, error: &str) -> Failure {
        refused(&self.server, error)
    }
}

async fn log_in(options: &Options, server: ShownServer) -> Result<Connection, Failure> {
    let tls = if options.is_tls() { Some(options.tls_files().config().await?) } else { None };
    let stream = connect(&options.url, PORT, tls).await?;
    // Every call has a time limit of its own.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let made = MultiplexedConnection::new_with_config(&settings, stream, config).await;
    let (redis, driver) = made.map_err(|error| failed(&server, &error))?;
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

/// Returns the value of an answer, or the failure that its error or its absence stands for.
fn result<T>(server: &ShownServer, answer: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Failure> {
    match answer {
        Ok(answer) => answer.map_err(|error| failed(server, &error)),
        Err(_) => Err(server.no_answer()),
    }
}

fn failed(server: &ShownServer, error: &RedisError) -> Failure {
    match error.code() {
        Some(code) => refused(server, format!("{code} {}", error.detail().unwrap_or_default()).trim()),
        None => server.broke(&error.to_string()),
    }
}

/// The server has answered with an error. No event passes until its cause is gone, so it's an outage.
fn refused(server: &ShownServer, error: &str) -> Failure {
    Failure::outage(server.answered(error, cure(error)))
}
