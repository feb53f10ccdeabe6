//! `livehook check-config`: checks the configuration before a deployment.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::ConfigArguments;
use super::client::{Service, admin_url};
use super::reload;
use super::render::{Output, talk};
use super::runtime::block_on;
use crate::admin::Options;
use crate::clock::system_clock;
use crate::config::{Config, SinkConfig, Summary};
use crate::printable::printable;
use crate::sink::Failure;

/// The longest path that is shown whole, in characters.
const PATH_CHARACTERS_MAX: usize = 1000;

/// The longest wait for a sink. It applies to all types of sinks.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a running service may take to compare its configuration.
const COMPARISON_TIMEOUT: Duration = Duration::from_secs(30);

/// Check the configuration and print a summary
///
/// The command reads the same file, environment variables and flags as `serve`. It opens no port and no data. It reports all
/// mistakes at once, and the exit code is then 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook check-config --config config.toml
  livehook check-config --config config.toml --probe    connects to the sinks
  livehook check-config --config config.toml --against-running
  livehook check-config --key test                      defaults and a key")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Connect to every sink without sending an event. The exit code is 1 if a sink cannot be reached
    #[arg(long)]
    probe: bool,
    /// Print what a reload of the running service would change. The service reads its own file and environment for this. Its address
    /// and its admin token are the ones of this configuration
    #[arg(long)]
    against_running: bool,
}

/// Prints the summary of the configuration.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    for warning in &config.warnings {
        talk(format_args!("warning: {warning}"));
    }
    output.line(Summary(&config))?;
    let mut code = ExitCode::SUCCESS;
    if arguments.probe {
        code = probe(&config.sinks, output)?;
    }
    if arguments.against_running {
        compare(&config, output)?;
    }
    Ok(code)
}

/// Prints what a reload of the running service would change.
fn compare(config: &Config, output: &mut Output<'_>) -> anyhow::Result<()> {
    let Options { token, tls, .. } = &config.admin;
    let certificates = tls.as_ref().map(|files| files.cert_file.as_path());
    let service = Service::new(admin_url(&config.admin)?, COMPARISON_TIMEOUT, token.as_ref(), certificates)?;
    let reloaded = reload::request(&service, true)?;
    let checked = config.file.as_deref().map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let running = reloaded.file.as_deref().map(|path| Path::new(path).canonicalize().unwrap_or_else(|_| path.into()));
    if checked != running {
        let file = reloaded.file.as_deref().unwrap_or("no file");
        talk(format_args!(
            "warning: the running service reads another configuration: {}",
            printable(file, PATH_CHARACTERS_MAX)
        ));
    }
    let count = reloaded.changes.len();
    output.line(match count {
        0 => "a reload would change nothing",
        _ => "a reload would change:",
    })?;
    reload::print(&reloaded, output)
}

/// Connects to one sink after the other.
fn probe(sinks: &[SinkConfig], output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for sink in sinks {
        let result = block_on(async {
            tokio::time::timeout(PROBE_TIMEOUT, sink.sink.build(sink.name.as_str(), system_clock).probe())
                .await
                .unwrap_or_else(|_| Err(Failure::outage(format!("no answer within {} s", PROBE_TIMEOUT.as_secs()))))
        })?;
        match result {
            Ok(found) => output.line(format_args!("sink {}: {found}", sink.name))?,
            Err(error) => {
                talk(format_args!("error: sink {}: {error}", sink.name));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
