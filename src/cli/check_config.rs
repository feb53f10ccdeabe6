//! `livehook check-config`: finds mistakes before a deployment does.

use std::process::ExitCode;

use super::config_arguments::ConfigArguments;
use super::output::{Output, talk};

/// Check the configuration and show what it amounts to, without touching a port or the data
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook check-config --config config.toml
  livehook check-config --key test              the defaults, with a key

All mistakes are told together, and the exit code is 1 then. Environment
variables count as they do for `serve`.")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

/// Prints the summary.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    for warning in &config.warnings {
        talk(format_args!("warning: {warning}"));
    }
    output.line(config.summary())?;
    Ok(ExitCode::SUCCESS)
}
