//! `livehook healthcheck`: asks a running service whether it is ready, for images without a shell.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use reqwest::Url;

use super::client::http;
use super::client::listen_address::reachable;
use super::render::output::talk;
use crate::config::{Config, Process};
use crate::printable::printable;

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Ask a running service whether it is ready: exit code 0 when it is, 1 when not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook healthcheck
  livehook healthcheck --config config.toml
  livehook healthcheck --url http://127.0.0.1:9090/livez    alive, ready or not
  HEALTHCHECK CMD [\"livehook\", \"healthcheck\"]             in a Dockerfile")]
pub(super) struct Arguments {
    /// What to ask [default: /readyz at the service's own admin address]
    #[arg(long, value_name = "URL", value_parser = http::parse_url)]
    url: Option<Url>,
    /// The configuration file of the service (LIVEHOOK_CONFIG), for its `admin.listen`; LIVEHOOK_ADMIN_LISTEN wins over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Asks, and says on stderr what is wrong.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => readiness_url(Config::find_admin_listen(arguments.config.as_deref(), &Process)?)?,
    };
    super::runtime::block_on(ask(&url))?
}

async fn ask(url: &Url) -> anyhow::Result<ExitCode> {
    let client = http::client(url, TIMEOUT, None)?;
    let response = client.get(url.clone()).send().await.map_err(|error| http::no_answer(url, TIMEOUT, error))?;
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(ExitCode::SUCCESS);
    }
    let body = http::read_body(url, TIMEOUT, response).await?;
    talk(format_args!("{}: answered {status} {}", http::shown(url), printable(body.trim(), 1000)));
    Ok(ExitCode::FAILURE)
}

/// Where a service with this admin address says whether it is ready.
fn readiness_url(listen: SocketAddr) -> anyhow::Result<Url> {
    if listen.port() == 0 {
        bail!("the admin address {listen} leaves the port to the system: give --url");
    }
    let url = format!("http://{}/readyz", reachable(listen));
    http::parse_url(&url).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_follows_the_admin_address() {
        for (listen, url) in [
            ("0.0.0.0:9191", "http://127.0.0.1:9191/readyz"),
            ("[::]:9090", "http://[::1]:9090/readyz"),
            ("10.1.2.3:80", "http://10.1.2.3/readyz"),
        ] {
            assert_eq!(readiness_url(listen.parse().unwrap()).unwrap().as_str(), url, "{listen}");
        }
        assert!(readiness_url("0.0.0.0:0".parse().unwrap()).is_err());
    }
}
