//! `livehook healthcheck`: asks a running service whether it is ready. Container images without a shell use it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Url;

use super::client::{admin_url, client, no_answer, parse_url, read_body, shown};
use super::render::talk;
use super::runtime::block_on;
use crate::config::{Config, Process};
use crate::printable::printable;

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most characters that are shown of an answer.
const SHOWN_CHARACTERS_MAX: usize = 1000;

/// Check that a running service is ready
///
/// The exit code is 0 if the service is ready, and 1 if it isn't or doesn't answer within 5 seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook healthcheck
  livehook healthcheck --config config.toml
  livehook healthcheck --url http://127.0.0.1:9090/livez    is it alive?
  HEALTHCHECK CMD [\"livehook\", \"healthcheck\"]               in a Dockerfile")]
pub(super) struct Arguments {
    /// The URL to check [default: /readyz at the admin address of the service]
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<Url>,
    /// A PEM file with certificates. For https, trust only servers with a certificate from this file [default: with `admin.tls`,
    /// its `cert_file`]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The configuration file of the service (LIVEHOOK_CONFIG). The command reads `admin.listen` and `admin.tls` from it;
    /// LIVEHOOK_ADMIN_LISTEN overrides it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Checks the service. If it isn't ready, stderr says why.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (url, own) = match &arguments.url {
        Some(url) => (url.clone(), None),
        None => {
            let admin = Config::find_admin_listener(arguments.config.as_deref(), &Process)?;
            (admin_url(&admin)?.join("readyz")?, admin.tls.map(|files| files.cert_file))
        }
    };
    block_on(check(&url, arguments.ca.as_deref().or(own.as_deref())))?
}

async fn check(url: &Url, certificates: Option<&Path>) -> anyhow::Result<ExitCode> {
    let client = client(url, TIMEOUT, certificates)?;
    let response = client.get(url.clone()).send().await.map_err(|error| no_answer(url, TIMEOUT, error))?;
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(ExitCode::SUCCESS);
    }
    let body = read_body(url, TIMEOUT, response).await?;
    talk(format_args!("{}: answered {status} {}", shown(url), printable(body.trim(), SHOWN_CHARACTERS_MAX)));
    Ok(ExitCode::FAILURE)
}
