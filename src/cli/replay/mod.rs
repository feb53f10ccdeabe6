//! `livehook replay`: begins, lists, watches and cancels replays of a running service.

mod row;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::row::Replay;
use super::args::{EventArguments, LocalTimeArguments, ServiceArguments};
use super::client::{NoAnswer, Service};
use super::render::{Output, OutputFormat, Progress, print_rows, talk};
use super::runtime::block_on;
use crate::callback::EventSelection;
use crate::moment::Moment;
use crate::printable::printable_again;

/// How long the service may take for one answer. It counts the events of a dry run, which takes long in a large journal.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The pause between two requests for the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// The number of replays that `--list` shows.
const LISTED: usize = 20;

/// The most characters that are shown of a failure.
const REASON_CHARACTERS_MAX: usize = 1000;

/// The flags of a new replay. They make no sense for one that exists already.
const NEW_REPLAY_FLAGS: [&str; 7] = ["since", "until", "types", "streams", "domains", "dry_run", "no_wait"];

/// Send events of the journal to one sink again
///
/// The service replays the events in the order of the journal, next to its normal deliveries. The filter of the sink applies,
/// its cursor stays, and every event keeps its id. --since and --until compare the time at which livehook received an event.
///
/// The command waits for the end of the replay. Ctrl-C ends the command, and neither Ctrl-C nor a restart of the service ends
/// the replay. The exit code is 1 if the sink rejected events, or if events were pruned before their turn.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook replay --sink archive --since 2h
  livehook replay --sink archive --type stop --domain '*.example.com' --dry-run
  livehook replay --list
  livehook replay --watch 7
  livehook replay --cancel 7")]
pub(super) struct Arguments {
    #[command(flatten)]
    action: Action,
    #[command(flatten)]
    selection: EventArguments,
    /// Send nothing, and print the number of events that a replay would send. This takes long in a large journal
    #[arg(long)]
    dry_run: bool,
    /// Start the replay and exit
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    #[command(flatten)]
    service: ServiceArguments,
    /// The output format of --list
    // `requires = "list"` is not enough: clap drops a requirement that conflicts with a flag that was given.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    #[arg(conflicts_with_all = ["sink", "watch", "cancel"])]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Action {
    /// Start a replay to this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// List the newest 20 replays
    #[arg(long, conflicts_with_all = NEW_REPLAY_FLAGS)]
    list: bool,
    /// Wait for the end of this replay
    #[arg(long, conflicts_with_all = NEW_REPLAY_FLAGS, value_name = "ID")]
    watch: Option<i64>,
    /// Cancel this replay
    #[arg(long, conflicts_with_all = NEW_REPLAY_FLAGS, value_name = "ID")]
    cancel: Option<i64>,
}

/// Starts, lists, watches or cancels replays.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    // Wrong usage is reported before the service is called.
    let selection = arguments.selection.selection()?;
    let service = arguments.service.connect(TIMEOUT)?;
    arguments.local_time.apply(output);
    block_on(async {
        match &arguments.action {
            Action { list: true, .. } => list(&service, arguments.output, output).await,
            Action { watch: Some(id), .. } => watch(&service, *id, interrupts()?).await,
            Action { cancel: Some(id), .. } => cancel(&service, *id).await,
            Action { .. } => start(&service, arguments, &selection, output).await,
        }
    })?
}

async fn start(
    service: &Service,
    arguments: &Arguments,
    selection: &EventSelection,
    output: &mut Output<'_>,
) -> anyhow::Result<ExitCode> {
    let body = json!({
        "sink": arguments.action.sink,
        "since": selection.received.since_ms.map(Moment),
        "until": selection.received.until_ms.map(Moment),
        "types": texts(&selection.types),
        "streams": texts(&selection.streams.names),
        "domains": texts(&selection.streams.domains),
        "dry_run": arguments.dry_run,
    });
    if arguments.dry_run {
        let answer: Value = service.post("replays", &body).await?;
        output.line(&answer["counted"])?;
        return Ok(ExitCode::SUCCESS);
    }
    // From here on, Ctrl-C must say that the replay has started.
    let mut interrupts = interrupts()?;
    let replay: Replay = tokio::select! {
        replay = service.post("replays", &body) => replay?,
        _ = interrupts.recv() => bail!("interrupted; `livehook replay --list` shows whether the replay has started"),
    };
    let events =
        replay.counted.map_or_else(|| "an uncounted number of events".to_owned(), |count| format!("{count} events"));
    talk(format_args!("replay {} has started: {events} to the sink `{}`", replay.id, replay.sink));
    if arguments.no_wait {
        talk(format_args!("`livehook replay --watch {}` waits for its end", replay.id));
        return Ok(ExitCode::SUCCESS);
    }
    watch(service, replay.id, interrupts).await
}

/// The texts that the API parses again.
fn texts(patterns: &[impl ToString]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

fn interrupts() -> anyhow::Result<Signal> {
    signal(SignalKind::interrupt()).context("cannot subscribe to SIGINT")
}

async fn list(service: &Service, format: OutputFormat, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Replay>,
    }
    let Page { items } = service.get(&format!("replays?limit={LISTED}")).await?;
    print_rows(&items, format, output)?;
    output.flush()?;
    if items.is_empty() {
        talk("no replay was ever started");
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the replay has ended, or until Ctrl-C.
async fn watch(service: &Service, id: i64, mut interrupts: Signal) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new("sent again");
    let replay = tokio::select! {
        replay = wait(service, id, &mut progress) => Some(replay),
        _ = interrupts.recv() => None,
    };
    progress.end();
    let Some(replay) = replay else {
        talk(format_args!(
            "replay {id} continues: `livehook replay --watch {id}` waits for it, `livehook replay --cancel {id}` cancels it"
        ));
        return Ok(ExitCode::SUCCESS);
    };
    report(&replay?)
}

async fn wait(service: &Service, id: i64, progress: &mut Progress) -> anyhow::Result<Replay> {
    let mut shown_reason = None;
    loop {
        let replay: Replay = service.get(&format!("replays/{id}")).await.map_err(|error| {
            // Only without an answer the user cannot know whether the replay goes on.
            if error.is::<NoAnswer>() {
                error.context(format!(
                    "replay {id} continues when the service runs again: `livehook replay --watch {id}` waits for it"
                ))
            } else {
                error
            }
        })?;
        progress.show(replay.done + replay.failed, replay.counted);
        if replay.ended.is_some() {
            return Ok(replay);
        }
        if replay.last_reason.is_some() && replay.last_reason != shown_reason {
            progress.end();
            let reason = replay.last_reason.as_deref().unwrap_or_default();
            let reason = printable_again(reason, REASON_CHARACTERS_MAX);
            talk(format_args!("the sink failed, and livehook tries again if that may help: {reason}"));
            shown_reason = replay.last_reason;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Says how a replay ended.
fn report(replay: &Replay) -> anyhow::Result<ExitCode> {
    if replay.is_cancelled() {
        bail!("replay {} was cancelled after {}", replay.id, replay.progress());
    }
    talk(format_args!("the sink `{}` accepted {}", replay.sink, replay.progress()));
    let missed = replay.missed.unwrap_or(0);
    if missed > 0 {
        talk(format_args!("{missed} events were pruned from the journal before their turn"));
    }
    if replay.failed > 0 {
        let reason = replay.last_reason.as_deref().unwrap_or("unknown reason");
        let reason = printable_again(reason, REASON_CHARACTERS_MAX);
        talk(format_args!("the sink rejected {} events, the last one: {reason}", replay.failed));
    }
    Ok(if replay.failed == 0 && missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn cancel(service: &Service, id: i64) -> anyhow::Result<ExitCode> {
    let replay: Replay = service.post(&format!("replays/{id}/cancel"), &json!({})).await?;
    if !replay.is_cancelled() {
        bail!("replay {id} had ended already");
    }
    talk(format_args!("replay {id} is cancelled; it sent {}", replay.progress()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
