//! The HTTP client of one sink. A new one takes its place regularly, so that the sink follows changes of the receiver's address.
//!
//! A client resolves the host only for a new connection, and under steady traffic it never makes one.

use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::Mutex;

use super::options::Options;
use crate::clock::Clock;
use crate::http_client::{self, innermost};
use crate::sink::Failure;
use crate::sink::blocking::blocking;

const USER_AGENT: &str = concat!("livehook/", env!("CARGO_PKG_VERSION"));

/// The age at which a new client takes the place of the present one, in ms.
const AGE_MS_MAX: u64 = 30_000;

/// The time after which the sink closes an idle connection. It is shorter than the 5 s of Node, the shortest default that is
/// common among servers: a request that crosses the server's close gets no answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The parts that every client of the sink has.
#[derive(Clone)]
struct Settings {
    url: Url,
    /// The content of `ca_file`, with its path.
    certificates: Option<(String, Vec<u8>)>,
    timeout: Duration,
    connect_timeout: Duration,
    concurrency: usize,
}

/// A client that is never older than [`AGE_MS_MAX`] when a request begins.
pub(super) struct FreshClient {
    settings: Settings,
    clock: Clock,
    current: Mutex<Dated>,
}

struct Dated {
    client: Client,
    made_at_ms: i64,
}

impl FreshClient {
    /// Makes the first client. It connects with its first request.
    ///
    /// # Errors
    /// The certificates can't be used.
    pub(super) async fn new(
        url: &Url,
        certificates: Option<Vec<u8>>,
        options: &Options,
        clock: Clock,
    ) -> Result<FreshClient, Failure> {
        let path = options.ca_file.as_deref().unwrap_or("".as_ref()).display().to_string();
        let settings = Settings {
            url: url.clone(),
            certificates: certificates.map(|content| (path, content)),
            timeout: Duration::from_secs(options.timeout_secs),
            connect_timeout: Duration::from_secs(options.connect_timeout_secs),
            concurrency: options.concurrency,
        };
        let current = Mutex::new(Dated { client: make(settings.clone()).await?, made_at_ms: clock() });
        Ok(FreshClient { settings, clock, current })
    }

    /// Returns the client for the next request.
    pub(super) async fn get(&self) -> Client {
        let mut current = self.current.lock().await;
        let now_ms = (self.clock)();
        // The difference is large as well if the clock was set back.
        if now_ms.abs_diff(current.made_at_ms) >= AGE_MS_MAX {
            current.made_at_ms = now_ms;
            // Requests under way keep the old client and its connections until they end.
            match make(self.settings.clone()).await {
                Ok(client) => current.client = client,
                Err(failure) => tracing::warn!(%failure, "no new HTTP client can be made: livehook keeps the old one"),
            }
        }
        current.client.clone()
    }
}

async fn make(settings: Settings) -> Result<Client, Failure> {
    // Without `ca_file`, this reads the certificates of the system.
    blocking(move || {
        let content = settings.certificates.as_ref().map(|(_, content)| content.as_slice());
        let builder = http_client::builder(&settings.url, content).map_err(|error| {
            let path = settings.certificates.as_ref().map_or("", |(path, _)| path);
            Failure::outage(format!("`ca_file` names {path}, which cannot be used: {error}"))
        })?;
        builder
            .user_agent(USER_AGENT)
            // Covers the body of the answer too, so that a slow receiver can't hold a delivery for longer.
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            // One for each delivery that may run at once, so that the next batch needs no new connections.
            .pool_max_idle_per_host(settings.concurrency)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Failure::outage(format!("no HTTP client can be made: {}", innermost(&error))))
    })
    .await?
}
