//! `livehook sessions end`: ends a session whose stop was lost.
//!
//! Only one process writes the journal. If a service runs on the data directory, the service stores the end; otherwise this
//! process does.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::callback::{EndReason, Event, SessionEnd};
use crate::cli::args::{DataDirArguments, ServiceArguments, parse_moment};
use crate::cli::fresh_index;
use crate::cli::render::talk;
use crate::cli::runtime::block_on;
use crate::clock::system_clock;
use crate::config::DataConfig;
use crate::history::{EndDecision, EndRequest};
use crate::journal::{Appended, append_unserved_event};
use crate::moment::Moment;
use crate::session::SessionId;
use crate::storage::Lock;

/// How long the service may take for its answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// End a live session whose stop was lost
///
/// livehook stores an event of type `livehook.session.ended`, so sinks get it too. If the stop still arrives, its time and its
/// reason replace this end. Without a running service, this command stores the event itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook sessions end 2210464508206756938-5d0c1f7a --why 'the encoder lost power'
  livehook sessions end 2210464508206756938-5d0c1f7a --at 2h --why 'no picture since then'")]
pub(super) struct EndArguments {
    /// The id of the session, as `livehook sessions` shows it
    #[arg(value_name = "ID")]
    id: SessionId,
    /// When it ended, not before its start and not in the future: RFC 3339 (2026-05-01T12:00:00Z), a local time
    /// (2026-05-01 21:00), Unix seconds (1777636800), or a duration before now (15m, 2h) [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<i64>,
    /// Why, in at most 256 characters
    #[arg(long, value_name = "TEXT")]
    why: EndReason,
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

/// The answer of the service.
#[derive(Debug, Deserialize)]
struct Ended {
    event_id: String,
    is_new: bool,
}

/// Ends the session, and reports it.
pub(super) fn end(arguments: &EndArguments) -> anyhow::Result<ExitCode> {
    let EndArguments { id, at, why, data_dir, service } = arguments;
    // The service at a URL may run on another machine, so no local directory is touched for it.
    if !service.has_url() {
        let data = service.data(data_dir)?;
        // A running service holds the lock, and stores the end below.
        if !Lock::is_held(&data.data_dir)? {
            end_here(arguments, &data)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let service = service.connect(TIMEOUT)?;
    let body = json!({"at": at.map(Moment), "why": why.as_str()});
    let Ended { event_id, is_new } = block_on(service.post(&format!("sessions/{id}/end"), &body))??;
    match is_new {
        true => talk(format_args!("ended the session {id}; its event is {event_id}")),
        false => talk(format_args!("the same command ended the session {id} before; its event is {event_id}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the session in this process.
fn end_here(arguments: &EndArguments, data: &DataConfig) -> anyhow::Result<()> {
    let EndArguments { id, at, why, .. } = arguments;
    let now_ms = system_clock();
    let request = EndRequest { id: id.clone(), ended_ms: *at, reason: why.clone() };
    // Closed before the journal is written, because an open reader keeps its WAL from being emptied.
    let decision = {
        let fresh = fresh_index::open(&data.data_dir)?;
        request.decide(&fresh.index, &fresh.journal, now_ms)?
    };
    match decision {
        EndDecision::Store(end) if is_stored(&end, data, now_ms)? => talk(format_args!(
            "ended the session {id} in {}; the next start of the service takes the event {} into the index and to the sinks",
            data.data_dir.display(),
            end.id()
        )),
        EndDecision::Store(_) | EndDecision::Done { .. } => {
            talk(format_args!("the same command ended the session {id} before"));
        }
    }
    Ok(())
}

/// Stores the event of the end. Returns false if the journal has it already.
fn is_stored(end: &SessionEnd, data: &DataConfig, now_ms: i64) -> anyhow::Result<bool> {
    let event = Event::of_session_end(end, &data.name, now_ms);
    Ok(append_unserved_event(&data.data_dir, event, system_clock)? == Appended::Stored)
}
