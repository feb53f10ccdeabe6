//! `livehook sinks`: shows how the sinks do, and lets one try again at once or give up on events.

mod list;
mod row;

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::args::ServiceArguments;
use super::render::{Output, talk};
use super::runtime::block_on;
use crate::callback::{EventId, NamePattern};
use crate::config::SinkName;

/// How long the service may take for its answer. A sink in the middle of a delivery ends that first.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Show how the sinks do, let one try again now, or give up on events
///
/// `list` also works without a running service. The others need one. After a failure, a sink waits before it tries again. `retry` ends the wait, for example when its destination works again.
/// An event that always fails holds up the later events of its stream. `skip` makes a dead letter of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook sinks list
  livehook sinks retry backend --config config.toml
  livehook sinks skip backend --event 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42
  livehook sinks skip backend --stream room-7")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::ListArguments),
    Retry(RetryArguments),
    Skip(SkipArguments),
}

/// Let a sink try its pending events now
#[derive(Debug, clap::Args)]
struct RetryArguments {
    /// The name of the sink
    #[arg(value_name = "NAME", value_parser = SinkName::new)]
    sink: SinkName,
    #[command(flatten)]
    service: ServiceArguments,
}

/// Make dead letters of events that a sink has read and not delivered
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("selection").required(true).multiple(true))]
struct SkipArguments {
    /// The name of the sink
    #[arg(value_name = "NAME", value_parser = SinkName::new)]
    sink: SinkName,
    /// The event with this id. Repeat the flag for several events
    #[arg(long = "event", value_name = "ID", group = "selection")]
    ids: Vec<EventId>,
    /// The events of this stream. * stands for any characters
    #[arg(long = "stream", value_name = "NAME", value_parser = NamePattern::new, group = "selection")]
    streams: Vec<NamePattern>,
    #[command(flatten)]
    service: ServiceArguments,
}

/// The answer of the service.
#[derive(Debug, Deserialize)]
struct Skipped {
    count: u64,
}

/// Prints the sinks, or sends the request to the service.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments, output),
        Command::Retry(RetryArguments { sink, service }) => {
            let service = service.connect(TIMEOUT)?;
            let _: IgnoredAny = block_on(service.post(&format!("sinks/{sink}/retry"), &json!({})))??;
            talk(format_args!("the sink {sink} tries again"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Skip(SkipArguments { sink, ids, streams, service }) => {
            let service = service.connect(TIMEOUT)?;
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let streams: Vec<String> = streams.iter().map(ToString::to_string).collect();
            let body = json!({ "ids": ids, "streams": streams });
            let Skipped { count } = block_on(service.post(&format!("sinks/{sink}/skip"), &body))??;
            if count == 0 {
                // The user probably named another event.
                talk(format_args!("no event that the sink {sink} has read and not delivered matches"));
                return Ok(ExitCode::FAILURE);
            }
            talk(format_args!("{count} events of the sink {sink} are dead letters now"));
            Ok(ExitCode::SUCCESS)
        }
    }
}
