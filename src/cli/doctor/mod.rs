//! `livehook doctor`: examines a service and its data, and says what to do. One file for each thing that it examines.

mod archives;
mod clock;
mod configuration;
mod dead_letters;
mod files;
mod index;
mod journal;
mod public_url;
mod repair;
mod report;
mod sync_cost;
mod tls;
mod volume;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reqwest::Url;

use self::report::Report;
use super::args::{ConfigArguments, usage_error};
use super::client::parse_url;
use super::render::{Output, OutputFormat};
use crate::config::Config;

/// Examine a service and its data, and say what to do about each fault
///
/// The command reads the configuration as `serve` does, and the data directory, while the service runs or not. It changes
/// nothing. Reading a large journal takes some minutes; --quick leaves that out. The exit code is 0 if all is well, 3 if there
/// are only warnings, and 1 if there are errors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook doctor --config config.toml
  livehook doctor --config config.toml --quick --output json
  livehook doctor --config config.toml --url https://hooks.example.com/callback
  livehook doctor --data-dir damaged --key any --repair repaired")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Read no whole file: leave out the pages and records of the journal, the index and the files of sinks
    #[arg(long)]
    quick: bool,
    /// Post a probe through this public URL of the receiver, and say who answers. The probe's signature has expired, so the
    /// receiver refuses it and stores no event
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<Url>,
    /// A PEM file with certificates. For an https URL, trust only servers with a certificate from this file
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// Save what is readable in a damaged journal into this new directory, and print each record that is lost. The service
    /// must not run. The damaged directory stays as it is
    #[arg(long, value_name = "DIR", conflicts_with_all = ["quick", "url", "ca"])]
    repair: Option<PathBuf>,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
}

/// Prints each finding, then a summary on stderr.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let data_dir = arguments.config.data_dir()?;
    if let Some(target) = &arguments.repair {
        if matches!(arguments.output, OutputFormat::Csv | OutputFormat::CsvBom) {
            return Err(usage_error("--repair prints a table or JSON"));
        }
        return repair::run(&data_dir, target, arguments.output, output);
    }
    let mut report = Report::new(output, arguments.output);
    let config = configuration::check(&arguments.config, &mut report)?;
    if let Some(config) = &config {
        tls::check(config, arguments.url.as_ref(), &mut report)?;
    }
    files::check(&data_dir, &mut report)?;
    volume::check(&data_dir, config.as_ref(), &mut report)?;
    sync_cost::check(&data_dir, &mut report)?;
    examine_data(&data_dir, config.as_ref(), arguments.quick, &mut report)?;
    if let Some(url) = &arguments.url {
        public_url::check(url, arguments.ca.as_deref(), config.as_ref(), &mut report)?;
    }
    report.finish()
}

/// Examines what needs the journal.
fn examine_data(
    data_dir: &Path,
    config: Option<&Config>,
    is_quick: bool,
    report: &mut Report<'_, '_>,
) -> anyhow::Result<()> {
    let reader = journal::open(data_dir, report)?;
    clock::check(reader.as_ref(), report)?;
    let Some(reader) = reader else { return Ok(()) };
    let places = journal::check_cursors(&reader, report)?;
    dead_letters::check(&reader, report)?;
    if is_quick {
        return report.note("journal", "its pages and records were not read", "--quick leaves that out");
    }
    if journal::check_records(data_dir, &reader, report)? {
        index::check(data_dir, &reader, report)?;
        archives::check(config, &places, &reader, report)?;
    }
    Ok(())
}
