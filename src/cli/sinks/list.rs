//! `livehook sinks list`: shows how each sink does.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;

use super::row::SinkRow;
use crate::cli::args::{DataDirArguments, LocalTimeArguments, ServiceArguments};
use crate::cli::render::{Output, OutputFormat, print_rows, talk};
use crate::cli::runtime::block_on;
use crate::clock::system_clock;
use crate::config::SinkName;
use crate::journal::Reader;
use crate::storage::Lock;

/// How long the service may take for its answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Show how each sink does: its state, what it has not delivered, its last error and its last success
///
/// The running service answers. On a loopback address that needs no token. Without a running service, the command reads the data
/// directory: it then shows STATE as `stopped`, and knows neither type nor errors nor the last success. PENDING counts the events
/// that the journal has and the sink has not finished. OLDEST is the age of the first of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook sinks list
  livehook sinks list --data-dir /var/lib/livehook
  livehook sinks list --output json | jq 'select(.state != \"working\")'")]
pub(super) struct ListArguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    service: ServiceArguments,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// The answer of the service.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<SinkRow>,
}

/// Prints the sinks.
pub(super) fn run(arguments: &ListArguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.local_time.apply(output);
    let now_ms = system_clock();
    let mut rows = read(arguments)?;
    for row in &mut rows {
        row.complete(now_ms);
    }
    print_rows(&rows, arguments.output, output)?;
    if rows.is_empty() {
        output.flush()?;
        talk("the journal has no sink yet");
    }
    Ok(ExitCode::SUCCESS)
}

fn read(arguments: &ListArguments) -> anyhow::Result<Vec<SinkRow>> {
    let ListArguments { data_dir, service, .. } = arguments;
    // The service at a URL may run on another machine, so no local directory is read for it.
    if !service.has_url() {
        let data_dir = service.data_dir(data_dir)?;
        if !Lock::is_held(&data_dir)? {
            let consumers = Reader::open(&data_dir)?.consumers()?.into_iter();
            // The index is a consumer too, and has a name that no sink can have.
            let of_sinks = consumers.filter(|consumer| !consumer.is_retired && SinkName::new(&consumer.name).is_ok());
            return Ok(of_sinks.map(SinkRow::of_consumer).collect());
        }
    }
    let service = service.connect_to_read(TIMEOUT)?;
    let Page { items } = block_on(service.get("sinks"))??;
    Ok(items)
}
