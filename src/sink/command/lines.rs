//! Mode `lines`: one program for many events. It reads a line of JSON for each event, and answers with one line that names the
//! event by its id:
//!
//! ```text
//! ok 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42                    the event is delivered
//! error 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42 TEXT            try again
//! permanent 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42 TEXT        the event is rejected for good
//! ```
//!
//! The program gets one event at a time. An answer counts only if it names the event in hand, and if the program has read the
//! event's whole line, which the pipe shows. So no answer can count for another event:
//!
//! - An answer with another id, for example a second answer to the event before or an id that no event has, is ignored and
//!   logged. The sink goes on waiting for the right answer, until the time limit.
//! - After the time limit, the program is killed. Its late answer is lost, because the next program has new pipes.
//! - An answer without its line end is incomplete and doesn't count.
//!
//! Any other line on stdout is a mistake of the program, for example an answer without an id. The program is killed, and the
//! event is tried again.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustix::io::ioctl_fionread;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::options::Options;
use super::program::{Pipes, Program, StartError, timed_out};
use super::program_log::{InHand, Output, ProgramLog};
use crate::callback::EventId;
use crate::journal::Record;
use crate::sink::{Failure, Outcome};

#[cfg(test)]
mod tests;

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// A program that waits for its next event.
pub(super) struct Conversation {
    program: Program,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    in_hand: Arc<InHand>,
    /// Reads stderr between events too, and ends with the program.
    stderr: JoinHandle<String>,
}

/// Why the program gave no valid answer. It gets no further event.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(
        "answered \"{answer}\", which names no event: livehook wants `{word} <id>`, here `{word} {id}`; \
         with mode = \"lines\" an answer names the event that it is for"
    )]
    NoId { answer: String, word: &'static str, id: EventId },
    #[error("answered \"{0}\"{RULE}")]
    Form(String),
    #[error("gave an answer of more than {ANSWER_BYTES_MAX} bytes{RULE}")]
    Long,
    #[error("answered \"{0}\" before it had read the event{RULE}")]
    Early(String),
    #[error("has ended without an answer: {0}")]
    Ended(io::Error),
    /// It had ended before it read any byte of the event.
    #[error("has ended without reading the event: {0}")]
    Gone(io::Error),
}

/// The rule that most mistakes break.
const RULE: &str = "; with mode = \"lines\" it must answer each event, after it has read it, with one line: `ok <id>`, \
                    `error <id> TEXT` or `permanent <id> TEXT`, and write nothing else to stdout";

impl Drop for Conversation {
    fn drop(&mut self) {
        self.program.kill();
        // A process that left the group may hold stderr open, and the task would wait for it.
        self.stderr.abort();
    }
}

/// Gives an event to the program, and starts the program if it isn't running.
///
/// The program keeps running in `kept` unless something goes wrong. It is taken out of `kept` until the answer is there, so a
/// delivery that is dropped kills it.
pub(super) async fn deliver(
    options: &Options,
    log: &Arc<ProgramLog>,
    kept: &mut Option<Conversation>,
    record: &Record,
) -> Outcome {
    // Outlives the conversation, because the time limit drops that and the message still shows the answer.
    let mut ignored = None;
    let talk = talk(options, log, kept.take(), record, &mut ignored);
    let reason = match tokio::time::timeout(Duration::from_secs(options.timeout_secs), talk).await {
        Ok(Ok((conversation, outcome))) => {
            *kept = Some(conversation);
            return outcome;
        }
        Ok(Err(reason)) => reason,
        Err(_) => timed_out(&log.name, options),
    };
    let hint =
        ignored.map(|answer| format!("; its last answer, \"{answer}\", names another event")).unwrap_or_default();
    Failure::outage(reason + &hint).into()
}

/// Gives an event to the running program. If that has ended before it read the event, gives the event to a new one, and the
/// event loses no attempt.
///
/// # Errors
/// The program can't be started, or gave no valid answer. The text is the reason.
async fn talk(
    options: &Options,
    log: &Arc<ProgramLog>,
    kept: Option<Conversation>,
    record: &Record,
    ignored: &mut Option<String>,
) -> Result<(Conversation, Outcome), String> {
    let explain = |broken: Broken| format!("{} {broken}", log.name);
    let running = kept.and_then(|mut kept| (!kept.program.has_ended()).then_some(kept));
    if let Some(mut conversation) = running {
        match conversation.ask(record, log, ignored).await {
            // The program read nothing of the event, so a second start can't do its work twice.
            Err(Broken::Gone(_)) => {}
            answered => return answered.map(|outcome| (conversation, outcome)).map_err(explain),
        }
    }
    let mut conversation = Conversation::start(options, log).map_err(|error| error.to_string())?;
    let outcome = conversation.ask(record, log, ignored).await.map_err(explain)?;
    Ok((conversation, outcome))
}

impl Conversation {
    fn start(options: &Options, log: &Arc<ProgramLog>) -> Result<Conversation, StartError> {
        // No variable names an event, because the program gets many.
        let (program, Pipes { stdin, stdout, stderr }) = Program::start(options, None)?;
        let (log, in_hand) = (Arc::clone(log), Arc::new(InHand::default()));
        let shared = Arc::clone(&in_hand);
        let stderr = tokio::spawn(async move { log.take(stderr, Output::Stderr, &shared).await });
        Ok(Conversation { program, stdin, stdout: BufReader::new(stdout), in_hand, stderr })
    }

    /// Writes the event, and reads lines until one answers it. Stores the last answer to another event in `ignored`.
    async fn ask(
        &mut self,
        record: &Record,
        log: &ProgramLog,
        ignored: &mut Option<String>,
    ) -> Result<Outcome, Broken> {
        let id = record.event.id();
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        let mut ignore = |line: &str| {
            let line = log.shown(line);
            log.log_ignored_answer(&line, id);
            *ignored = Some(line);
        };
        // No event is in hand yet, so an answer that is there already can't be for this one.
        while has_more(&self.stdout) {
            let line = read_line(&mut self.stdout).await?;
            parse(&line, id, log)?;
            ignore(&line);
        }

        let line = format!("{}\n", record.event.line());
        let (stdin, stdout) = (&mut self.stdin, &mut self.stdout);
        let mut written = 0;
        let writing = async {
            // Not `write_all`: if the program ends, it matters how much of the event it may have read.
            while written < line.len() {
                written += stdin.write(&line.as_bytes()[written..]).await?;
            }
            io::Result::Ok(())
        };
        let reading = async {
            loop {
                let line = read_line(stdout).await?;
                let answer = parse(&line, id, log)?;
                if answer.id == id {
                    return Ok::<_, Broken>((answer.outcome(log), line));
                }
                ignore(&line);
            }
        };
        // Both at once, because a program may answer and end before it reads the whole line.
        let (wrote, answered) = tokio::join!(writing, reading);
        // The program can't have read the event while bytes of it wait in the pipe.
        let unread = waiting_bytes(&self.stdin);
        match answered {
            Ok((_, line)) if written < record.event.line().len() + 1 || unread > 0 => {
                Err(Broken::Early(log.shown(&line)))
            }
            Ok((outcome, _)) => Ok(outcome),
            Err(Broken::Ended(error)) => {
                let error = wrote.err().unwrap_or(error);
                Err(if unread == written as u64 { Broken::Gone(error) } else { Broken::Ended(error) })
            }
            Err(broken) => Err(broken),
        }
    }
}

/// Whether the program has written bytes that were not read.
fn has_more(stdout: &BufReader<ChildStdout>) -> bool {
    !stdout.buffer().is_empty() || waiting_bytes(stdout.get_ref()) > 0
}

/// Reads a line, without its line end.
async fn read_line(stdout: &mut BufReader<ChildStdout>) -> Result<String, Broken> {
    let mut line = Vec::new();
    let read = stdout.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line).await;
    // Without its line end, a line may be only the beginning of an answer.
    match (read, line.last()) {
        (Err(error), _) => Err(Broken::Ended(error)),
        (Ok(_), Some(b'\n')) => Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
        (Ok(_), Some(_)) if line.len() as u64 == ANSWER_BYTES_MAX => Err(Broken::Long),
        _ => Err(Broken::Ended(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// An answer to this event or to another.
struct Answer<'l> {
    word: &'static str,
    id: EventId,
    text: &'l str,
}

/// Parses an answer. If it has no id, the error shows the id of the event in hand as an example.
fn parse<'l>(line: &'l str, in_hand: EventId, log: &ProgramLog) -> Result<Answer<'l>, Broken> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let word = ["ok", "error", "permanent"].into_iter().find(|word| *word == first);
    let word = word.ok_or_else(|| Broken::Form(log.shown(line)))?;
    let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let id = id.parse().map_err(|_| Broken::NoId { answer: log.shown(line), word, id: in_hand })?;
    Ok(Answer { word, id, text: text.trim() })
}

impl Answer<'_> {
    /// The outcome that the answer reports.
    fn outcome(&self, log: &ProgramLog) -> Outcome {
        let reason = || format!("{}: {}", log.name, log.shown(self.text));
        match self.word {
            "ok" => Outcome::Delivered,
            "error" => Failure::of_event(reason()).into(),
            _ => Outcome::rejected(reason()),
        }
    }
}

/// The number of bytes in a pipe; 0 if the system doesn't say.
fn waiting_bytes(pipe: &impl std::os::fd::AsFd) -> u64 {
    ioctl_fionread(pipe).unwrap_or(0)
}
