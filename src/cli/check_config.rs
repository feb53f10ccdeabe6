//! `livehook check-config`: checks the configuration before a deployment.

use std::process::ExitCode;
use std::time::Duration;

use super::args::ConfigArguments;
use super::render::{Output, talk};
use super::runtime::block_on;
use crate::clock::system_clock;
use crate::config::{SinkConfig, Summary};
use crate::sink::Failure;

/// The longest wait for a sink. It applies to all types of sinks.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// Check the configuration and print a summary
///
/// The command reads the same file, environment variables and flags as `serve`. It opens no port and no data. It reports all
/// mistakes at once, and the exit code is then 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook check-config --config config.toml
  livehook check-config --config config.toml --probe    connects to the sinks
  livehook check-config --key test                      defaults and a key")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Connect to every sink without sending an event. The exit code is 1 if a sink cannot be reached
    #[arg(long)]
    probe: bool,
}

/// Prints the summary of the configuration.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    for warning in &config.warnings {
        talk(format_args!("warning: {warning}"));
    }
    output.line(Summary(&config))?;
    if arguments.probe { probe(&config.sinks, output) } else { Ok(ExitCode::SUCCESS) }
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
