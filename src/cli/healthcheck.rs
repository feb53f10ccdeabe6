//! `livehook healthcheck`: asks a running service whether it is ready, for images without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Url;

use super::http;
use super::output::talk;
use super::printable::printable;

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The variable in which the service finds the address of its admin endpoint.
const ADMIN_LISTEN: &str = "LIVEHOOK_ADMIN_LISTEN";

/// Ask a running service whether it is ready: exit code 0 when it is, 1 when not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook healthcheck
  livehook healthcheck --url http://127.0.0.1:9090/livez    whether it is alive, ready or not
  HEALTHCHECK CMD [\"livehook\", \"healthcheck\"]               in a Dockerfile")]
pub(super) struct Arguments {
    /// What to ask [default: /readyz at the address in LIVEHOOK_ADMIN_LISTEN, else http://127.0.0.1:9090/readyz]
    #[arg(long, value_name = "URL", value_parser = http::parse_url)]
    url: Option<Url>,
}

/// Asks, and says on stderr what is wrong.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => readiness_url(std::env::var(ADMIN_LISTEN).ok().as_deref())?,
    };
    super::block_on(ask(&url))?
}

async fn ask(url: &Url) -> anyhow::Result<ExitCode> {
    let client = http::client(url, TIMEOUT, None)?;
    let no_answer = |error| http::no_answer(url, TIMEOUT, error);
    let response = client.get(url.clone()).send().await.map_err(no_answer)?;
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(ExitCode::SUCCESS);
    }
    let body = http::read_body(response).await.map_err(no_answer)?;
    talk(format_args!("{}: answered {status} {}", http::shown(url), printable(body.trim(), 1000)));
    Ok(ExitCode::FAILURE)
}

/// Where a service with this admin address says whether it is ready. An address that stands for all is asked over
/// loopback.
fn readiness_url(listen: Option<&str>) -> anyhow::Result<Url> {
    let address: SocketAddr = match listen.filter(|listen| !listen.is_empty()) {
        None => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9090),
        Some(listen) => listen
            .parse()
            .with_context(|| format!("{ADMIN_LISTEN}={listen:?} is no address with a port, such as 127.0.0.1:9090"))?,
    };
    let host = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    if address.port() == 0 {
        bail!("{ADMIN_LISTEN}={address} leaves the port to the system: give --url");
    }
    let url = format!("http://{}/readyz", SocketAddr::new(host, address.port()));
    http::parse_url(&url).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_follows_the_admin_address() {
        for (listen, url) in [
            (None, "http://127.0.0.1:9090/readyz"),
            (Some(""), "http://127.0.0.1:9090/readyz"),
            (Some("0.0.0.0:9191"), "http://127.0.0.1:9191/readyz"),
            (Some("[::]:9090"), "http://[::1]:9090/readyz"),
            (Some("10.1.2.3:80"), "http://10.1.2.3/readyz"),
        ] {
            assert_eq!(readiness_url(listen).unwrap().as_str(), url, "{listen:?}");
        }
        for listen in ["9090", "localhost:9090", "0.0.0.0:0"] {
            assert!(readiness_url(Some(listen)).is_err(), "{listen}");
        }
    }
}
