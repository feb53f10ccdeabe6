//! The sink `command`: hands each event to a program of the user's own.
//!
//! `options` is what can be configured, `lookup` finds the program, `program` runs it, `log` logs what it says, `lines` talks to
//! one that keeps running. Here is the other mode: one start for each event, several at once, those of one stream one after the other.
//!
//! No shell is involved, and nothing of livehook's environment is passed on but `PATH`. Whatever way a delivery ends, in
//! time or not, answered or dropped, no process that it started is left behind.

mod lines;
mod log;
mod lookup;
mod options;
mod program;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;

use super::lanes::{self, Attempt, Outages, Walk};
use super::{DeliveryError, Outcome, Sink};
use crate::journal::Record;
use lines::Conversation;
use log::{Output, ProgramLog};
use program::{Pipes, Program};

pub use options::{Environment, Mode, Options};

/// How long the last words of a program are waited for when it has ended: something it started may hold its pipes open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Hands events to a program.
pub struct CommandSink {
    options: Options,
    log: Arc<ProgramLog>,
    /// The program of mode `lines`, between two events.
    conversation: Option<Conversation>,
}

impl CommandSink {
    /// Makes the sink. It starts nothing before it delivers.
    pub fn new(options: Options) -> CommandSink {
        let log = Arc::new(ProgramLog::new(options.program.display().to_string()));
        CommandSink { options, log, conversation: None }
    }
}

#[async_trait]
impl Sink for CommandSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let CommandSink { options, log, conversation } = self;
        let outages = Outages::new(options.concurrency);
        match options.mode {
            Mode::Each => {
                let walk = async |lane| {
                    let mut walk = Walk::new(batch, lane, &outages);
                    while let Some((position, record)) = walk.next() {
                        walk.note(position, deliver_one(options, log, record).await);
                    }
                    walk.finish()
                };
                let lanes = lanes::by_stream(batch, options.concurrency);
                lanes::run(batch, lanes, options.concurrency, walk).await
            }
            Mode::Lines => {
                let mut walk = Walk::new(batch, (0..batch.len()).collect(), &outages);
                while let Some((position, record)) = walk.next() {
                    walk.note(position, lines::deliver(options, log, conversation, record).await);
                }
                lanes::in_place(batch, walk.finish())
            }
        }
    }

    async fn probe(&mut self) -> Result<String, DeliveryError> {
        let found = lookup::find(&self.options).map_err(DeliveryError::transient)?;
        Ok(format!("{} can be started (and was not)", found.display()))
    }
}

/// Starts the program for an event, and waits for its end.
async fn deliver_one(options: &Options, log: &ProgramLog, record: &Record) -> Attempt {
    let name = &log.name;
    let (mut program, pipes) = match Program::start(options, Some(&record.event)) {
        Ok(started) => started,
        // Nothing else could be started either.
        Err(error) => return Attempt { outcome: Err(DeliveryError::transient(error)), is_outage: true },
    };
    let work = finish(&mut program, pipes, log, record.event.line());
    let reason = match tokio::time::timeout(Duration::from_secs(options.timeout_secs), work).await {
        Ok(Ok((status, _))) if status.success() => return Attempt { outcome: Ok(()), is_outage: false },
        Ok(Ok((status, last_words))) => {
            let said = if last_words.is_empty() { String::new() } else { format!(": {last_words}") };
            let reason = format!("{name} ended with {status}{said}");
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            let is_permanent = code.is_some_and(|code| options.permanent_exit_codes.contains(&code));
            let error = if is_permanent { DeliveryError::permanent(reason) } else { DeliveryError::refused(reason) };
            return Attempt { outcome: Err(error), is_outage: false };
        }
        Ok(Err(error)) => format!("{name}: its end cannot be waited for: {error}"),
        Err(_) => timed_out(name, options),
    };
    Attempt { outcome: Err(DeliveryError::transient(reason)), is_outage: true }
}

/// Writes the event, logs what the program says, and waits for its end: its status, and the last line of stderr.
async fn finish(
    program: &mut Program,
    pipes: Pipes,
    log: &ProgramLog,
    line: &str,
) -> io::Result<(std::process::ExitStatus, String)> {
    let Pipes { mut stdin, stdout, stderr } = pipes;
    let writing = async move {
        // Whether it reads the event is its own affair: its exit code tells whether it is done.
        let _ = stdin.write_all(format!("{line}\n").as_bytes()).await;
    };
    let talk = async { tokio::join!(writing, log.take(stdout, Output::Stdout), log.take(stderr, Output::Stderr)) };
    let mut talk = pin!(talk);
    let (status, talked) = tokio::select! {
        status = program.ended() => {
            program.kill();
            (status?, tokio::time::timeout(LAST_WORDS, talk).await.ok())
        }
        talked = &mut talk => (program.ended().await?, Some(talked)),
    };
    program.kill();
    Ok((status, talked.map(|(_, _, last)| last).unwrap_or_default()))
}

fn timed_out(name: &str, options: &Options) -> String {
    format!("{name} was not done within {} s, and was killed", options.timeout_secs)
}
