//! `livehook check-config`: finds mistakes before a deployment does.

use std::process::ExitCode;
use std::time::Duration;

use super::args::config::ConfigArguments;
use super::render::output::{Output, talk};
use crate::config::SinkConfig;
use crate::sink::Failure;

/// How long a sink is waited for, whatever its own limits.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// Check the configuration and show what it amounts to, without touching a port or the data
///
/// With --probe, also whether the other end of each sink is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook check-config --config config.toml
  livehook check-config --key test              the defaults, with a key
  livehook check-config --config config.toml --probe    connect to the sinks

All mistakes are told together, and the exit code is 1 then. Environment
variables count as they do for `serve`.")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Connect to every sink, without sending an event, and say what is wrong; the exit code is 1 if one cannot be reached
    #[arg(long)]
    probe: bool,
}

/// Prints the summary.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    for warning in &config.warnings {
        talk(format_args!("warning: {warning}"));
    }
    output.line(config.summary())?;
    if arguments.probe { probe(&config.sinks, output) } else { Ok(ExitCode::SUCCESS) }
}

/// Looks at every sink, one after the other.
fn probe(sinks: &[SinkConfig], output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for sink in sinks {
        let found = super::runtime::block_on(async {
            tokio::time::timeout(PROBE_TIMEOUT, sink.sink.build().probe()).await.unwrap_or_else(|_| {
                Err(Failure::outage(format!("nothing was heard for {} s", PROBE_TIMEOUT.as_secs())))
            })
        })?;
        match found {
            Ok(found) => output.line(format_args!("sink {}: {found}", sink.name))?,
            Err(error) => {
                talk(format_args!("error: sink {}: {error}", sink.name));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
