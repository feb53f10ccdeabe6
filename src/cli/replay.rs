//! `livehook replay`: has a running service send recorded events to one of its sinks again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::moment::During;
use super::client::http::NoAnswer;
use super::client::service::{Service, ServiceArguments};
use super::render::cell::{Cell, NAME_CHARACTERS_MAX};
use super::render::listing::{self, Form, Row};
use super::render::output::{Output, talk};
use super::render::progress::Progress;
use super::render::table::Column;
use crate::callback::{DomainPattern, EventType, NamePattern};
use crate::moment::Moment;
use crate::printable::printable_again;

/// How often the service is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// How many replays `--list` shows.
const LISTED: usize = 20;

/// The options that say what to send, and how: of no use for a replay that has begun.
const OF_SENDING: [&str; 7] = ["since", "until", "types", "streams", "domains", "dry_run", "no_wait"];

/// Send recorded events to one sink again
///
/// The service does it beside its other work, through the sink that it has, in the order of the journal. The sink's cursor
/// stays where it is, its filter holds, and every event keeps its id; --since and --until go by when livehook received it. A replay survives a restart of the service. The
/// command waits for it; interrupted, it leaves the replay to go on. What the sink refuses for good is counted, and the exit
/// code is 1 then.
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
    what: What,
    #[command(flatten)]
    during: During,
    /// Only this event type: a name (push, stop, recording), or a number; repeat it for more
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<EventType>,
    /// Only this stream, each `*` any characters; repeat it for more
    #[arg(long = "stream", value_name = "STREAM", value_parser = NamePattern::new)]
    streams: Vec<NamePattern>,
    /// Only this domain, or those below it as in `*.example.com`; repeat it for more
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = DomainPattern::new)]
    domains: Vec<DomainPattern>,
    /// Count what would be sent, and send nothing; the number goes to stdout. That takes its time where it is much
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    #[command(flatten)]
    service: ServiceArguments,
    /// How --list shows them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table, requires = "list")]
    output: Form,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The sink to send to
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// List the newest replays
    #[arg(long, conflicts_with_all = OF_SENDING)]
    list: bool,
    /// Wait for the end of a replay
    #[arg(long, conflicts_with_all = OF_SENDING, value_name = "ID")]
    watch: Option<i64>,
    /// End a replay
    #[arg(long, conflicts_with_all = OF_SENDING, value_name = "ID")]
    cancel: Option<i64>,
}

/// Does what is asked for.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.during.check()?;
    let service = arguments.service.clone().find()?;
    super::runtime::block_on(async {
        match &arguments.what {
            What { list: true, .. } => list(&service, arguments.output, output).await,
            What { watch: Some(id), .. } => watch(&service, *id, interrupts()?).await,
            What { cancel: Some(id), .. } => cancel(&service, *id).await,
            What { .. } => begin(&service, &arguments, output).await,
        }
    })?
}

/// A replay as the service tells it.
#[derive(Debug, Deserialize, serde::Serialize)]
struct Replay {
    id: i64,
    sink: String,
    state: String,
    has_sink: bool,
    selection: Value,
    counted: Option<u64>,
    done: u64,
    failed: u64,
    missed: Option<u64>,
    last_reason: Option<String>,
    created: String,
    ended: Option<String>,
}

impl Replay {
    /// How many events are done, of how many if that is known.
    fn share(&self) -> String {
        match self.counted {
            Some(counted) => format!("{} of {counted} events", self.done),
            None => format!("{} events", self.done),
        }
    }
}

impl Row for Replay {
    const COLUMNS: &'static [Column] = &[
        Column::right("ID"),
        Column::left("SINK"),
        Column::left("STATE"),
        Column::right("EVENTS"),
        Column::right("DONE"),
        Column::right("FAILED"),
        Column::left("CREATED"),
        Column::left("LAST FAILURE"),
    ];

    const CSV_MEMBERS: &'static [&'static str] =
        &["id", "sink", "state", "counted", "done", "failed", "missed", "last_reason", "created", "ended"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.id),
            Cell::new(&self.sink),
            Cell::new(&self.state),
            Cell::new(self.counted.map(|counted| counted.to_string()).unwrap_or_default()),
            Cell::new(self.done),
            Cell::new(self.failed),
            Cell::new(&self.created),
            Cell::told(self.last_reason.as_deref().unwrap_or_default(), NAME_CHARACTERS_MAX),
        ]
    }
}

/// Patterns as the service reads them.
fn texts(patterns: &[impl ToString]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}

fn read(answer: Value) -> anyhow::Result<Replay> {
    serde_json::from_value(answer).context("this is no answer of livehook")
}

async fn begin(service: &Service, arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let body = json!({
        "sink": arguments.what.sink,
        "since": arguments.during.since.map(Moment),
        "until": arguments.during.until.map(Moment),
        "types": texts(&arguments.types),
        "streams": texts(&arguments.streams),
        "domains": texts(&arguments.domains),
        "dry_run": arguments.dry_run,
    });
    if arguments.dry_run {
        output.line(&service.post("replays", &body).await?["counted"])?;
        return Ok(ExitCode::SUCCESS);
    }
    // From here on, who interrupts is to be told of a replay that has begun.
    let mut interrupts = interrupts()?;
    let answer = tokio::select! {
        answer = service.post("replays", &body) => answer?,
        _ = interrupts.recv() => {
            bail!("interrupted before the service answered: `livehook replay --list` shows whether the replay has begun")
        }
    };
    let replay = read(answer)?;
    let events =
        replay.counted.map_or_else(|| "events, too many to count first,".to_owned(), |count| format!("{count} events"));
    talk(format_args!("replay {} has begun: {events} go to the sink `{}`", replay.id, replay.sink));
    if arguments.no_wait {
        talk(format_args!("`livehook replay --watch {}` waits for its end", replay.id));
        return Ok(ExitCode::SUCCESS);
    }
    watch(service, replay.id, interrupts).await
}

fn interrupts() -> anyhow::Result<Signal> {
    signal(SignalKind::interrupt()).context("SIGINT cannot be subscribed to")
}

async fn list(service: &Service, form: Form, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let answer = service.get(&format!("replays?limit={LISTED}")).await?;
    let replays: Vec<Replay> =
        serde_json::from_value(answer["items"].clone()).context("this is no answer of livehook")?;
    listing::show(&replays, form, output)?;
    output.flush()?;
    if replays.is_empty() {
        talk("there was no replay");
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until a replay has ended, or until the command is interrupted.
async fn watch(service: &Service, id: i64, mut interrupts: Signal) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new("sent again");
    let ended = tokio::select! {
        ended = wait(service, id, &mut progress) => Some(ended),
        _ = interrupts.recv() => None,
    };
    progress.end();
    let Some(ended) = ended else {
        talk(format_args!(
            "the replay {id} goes on: `livehook replay --watch {id}` waits for it, `livehook replay --cancel {id}` ends it"
        ));
        return Ok(ExitCode::SUCCESS);
    };
    tell(&ended?)
}

async fn wait(service: &Service, id: i64, progress: &mut Progress) -> anyhow::Result<Replay> {
    let mut told = None;
    loop {
        let answer = service.get(&format!("replays/{id}")).await.map_err(|error| {
            let is_unanswered = error.is::<NoAnswer>();
            let goes_on = || {
                format!(
                    "the replay {id} goes on when the service runs: `livehook replay --watch {id}` shows how far it is"
                )
            };
            if is_unanswered { error.context(goes_on()) } else { error }
        });
        let replay = read(answer?)?;
        progress.show(replay.done + replay.failed, replay.counted);
        if replay.ended.is_some() {
            return Ok(replay);
        }
        if replay.last_reason.is_some() && replay.last_reason != told {
            progress.end();
            let reason = replay.last_reason.as_deref().unwrap_or_default();
            talk(format_args!(
                "the sink fails, and is tried again where that can help: {}",
                printable_again(reason, 1000)
            ));
            told = replay.last_reason;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Says how a replay ended.
fn tell(replay: &Replay) -> anyhow::Result<ExitCode> {
    let Replay { id, sink, state, failed, missed, last_reason, .. } = replay;
    if state == "cancelled" {
        bail!("the replay {id} was cancelled, after {}", replay.share());
    }
    talk(format_args!("the sink `{sink}` took {}", replay.share()));
    let missed = missed.unwrap_or(0);
    if missed > 0 {
        talk(format_args!("{missed} were pruned from the journal before their turn"));
    }
    if *failed > 0 {
        let reason = last_reason.as_deref().unwrap_or("for no known reason");
        talk(format_args!("it refused {failed}, the last one: {}", printable_again(reason, 1000)));
    }
    Ok(if *failed == 0 && missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn cancel(service: &Service, id: i64) -> anyhow::Result<ExitCode> {
    let replay = read(service.post(&format!("replays/{id}/cancel"), &json!({})).await?)?;
    if replay.state != "cancelled" {
        bail!("the replay {id} had come to its end before");
    }
    talk(format_args!("the replay {id} is cancelled: {} were sent", replay.share()));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parse(line: &[&str]) -> Result<(), clap::Error> {
        let line = ["livehook", "replay"].iter().chain(line).copied();
        super::super::Arguments::try_parse_from(line).map(|_| ())
    }

    #[test]
    fn one_thing_is_asked_for_at_a_time() {
        for line in
            [&["--sink", "a", "--since", "2h", "--dry-run"][..], &["--list", "--output", "json"], &["--watch", "7"]]
        {
            parse(line).unwrap();
        }
        for line in [
            &[][..],
            &["--sink", "a", "--list"],
            &["--watch", "7", "--cancel", "7"],
            &["--list", "--since", "2h"],
            &["--since", "2h"],
            &["--watch", "x"],
            &["--sink", "a", "--type", "pushed"],
            &["--sink", "a", "--dry-run", "--no-wait"],
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }

    fn replay(failed: u64, missed: u64) -> Replay {
        Replay {
            id: 1,
            sink: "a".to_owned(),
            state: "done".to_owned(),
            has_sink: true,
            selection: Value::Null,
            counted: Some(9),
            done: 9 - failed - missed,
            failed,
            missed: Some(missed),
            last_reason: None,
            created: String::new(),
            ended: Some(String::new()),
        }
    }

    #[test]
    fn what_the_service_has_escaped_is_not_escaped_again() {
        let replay = Replay { last_reason: Some(r"answered 400 \u{1b}[31mno".to_owned()), ..replay(1, 0) };
        assert_eq!(replay.cells().last().unwrap().text(), r"answered 400 \u{1b}[31mno");
    }

    #[test]
    fn a_replay_of_which_something_did_not_arrive_has_failed() {
        assert_eq!(tell(&replay(0, 0)).unwrap(), ExitCode::SUCCESS);
        assert_eq!(tell(&replay(1, 0)).unwrap(), ExitCode::FAILURE);
        assert_eq!(tell(&replay(0, 1)).unwrap(), ExitCode::FAILURE);
        assert_eq!(tell(&Replay { counted: None, missed: None, ..replay(0, 0) }).unwrap(), ExitCode::SUCCESS);
        assert!(tell(&Replay { state: "cancelled".to_owned(), ..replay(0, 0) }).is_err());
    }
}
