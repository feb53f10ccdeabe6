//! Mode `lines`: one program for many events. It is given a line of JSON for each, and answers each with one line:
//!
//! ```text
//! ok                  it is done with the event, for good
//! error TEXT          it is not, and another try may succeed
//! permanent TEXT      it is not, and no further try can succeed
//! ```
//!
//! An answer has no name on it: it belongs to an event by its place alone. So it counts only where no other place is possible:
//!
//! - Before an event is written, and after it is answered, nothing more has been said.
//! - When it is answered, the whole line has been read, which the pipe tells. Who answers before that, answers something else.
//! - It ends with its line: what is cut off, by the end of the program or at the bound, is none.
//!
//! Whatever else is on stdout breaks the protocol; the event is not delivered, and the program is killed. What remains out
//! of sight is a second answer that comes so late that the next event has been read by then. A program must not say one:
//! nothing here could tell it from the answer to that event.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::ioctl_fionread;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::options::Options;
use super::program::{Pipes, Program, StartError, timed_out};
use super::program_log::{Output, ProgramLog};
use crate::journal::Record;
use crate::printable::printable;
use crate::sink::{Failure, Outcome};

#[cfg(test)]
mod tests;

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

const ANSWER_CHARACTERS_MAX: usize = 500;

/// A program that waits for its next event.
pub(super) struct Conversation {
    program: Program,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Reads stderr also while there is no event, and ends with the program.
    stderr: JoinHandle<String>,
}

/// Why an event has no answer. The program cannot be given another.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("answered more than it was asked")]
    Surplus,
    #[error("answered \"{0}\" before it had read the event")]
    Ahead(String),
    #[error("answered \"{0}\"")]
    Form(String),
    #[error("gave an answer of more than {ANSWER_BYTES_MAX} bytes")]
    Long,
    #[error("has ended without an answer: {0}")]
    Ended(io::Error),
    /// It had ended before it read anything of the event.
    #[error("has ended without reading the event: {0}")]
    Gone(io::Error),
}

impl Broken {
    /// What went wrong, and how it is to be.
    fn told(&self, name: &str) -> String {
        let rule = match self {
            Broken::Ended(_) | Broken::Gone(_) => "",
            _ => {
                "; with mode = \"lines\" it must answer each line, once it has read it, with one of its own: ok, error TEXT \
                 or permanent TEXT, and say nothing else on stdout"
            }
        };
        format!("{name} {self}{rule}")
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.program.kill();
        self.stderr.abort();
    }
}

/// Gives an event to the program, which is started if it does not run. It keeps running unless something goes wrong; so
/// it is out of `kept` meanwhile, and a delivery that is dropped ends it with its half-finished exchange.
pub(super) async fn deliver(
    options: &Options,
    log: &Arc<ProgramLog>,
    kept: &mut Option<Conversation>,
    record: &Record,
) -> Outcome {
    let name = &log.name;
    let talk = talk(options, log, kept.take(), record.event.line());
    let reason = match tokio::time::timeout(Duration::from_secs(options.timeout_secs), talk).await {
        Ok(Ok(Ok((conversation, outcome)))) => {
            *kept = Some(conversation);
            return outcome;
        }
        Ok(Ok(Err(broken))) => broken.told(name),
        Ok(Err(error)) => error.to_string(),
        Err(_) => timed_out(name, options),
    };
    Failure::outage(reason).into()
}

/// Asks the program that runs. One that ends after an answer may do so before it has seen the next event, which is no
/// failure of that event: a new one is asked.
async fn talk(
    options: &Options,
    log: &Arc<ProgramLog>,
    kept: Option<Conversation>,
    line: &str,
) -> Result<Result<(Conversation, Outcome), Broken>, StartError> {
    let running = kept.and_then(|mut kept| (!kept.program.has_ended()).then_some(kept));
    if let Some(mut conversation) = running {
        match conversation.ask(line, &log.name).await {
            Err(Broken::Gone(_)) => {}
            answer => return Ok(answer.map(|outcome| (conversation, outcome))),
        }
    }
    let mut conversation = Conversation::start(options, log)?;
    let answer = conversation.ask(line, &log.name).await;
    Ok(answer.map(|outcome| (conversation, outcome)))
}

impl Conversation {
    fn start(options: &Options, log: &Arc<ProgramLog>) -> Result<Conversation, StartError> {
        let (program, Pipes { stdin, stdout, stderr }) = Program::start(options, None)?;
        let log = Arc::clone(log);
        let stderr = tokio::spawn(async move { log.take(stderr, Output::Stderr).await });
        Ok(Conversation { program, stdin, stdout: BufReader::new(stdout), stderr })
    }

    /// Gives it an event and takes the answer.
    async fn ask(&mut self, line: &str, name: &str) -> Result<Outcome, Broken> {
        if self.has_more() {
            return Err(Broken::Surplus);
        }
        let answer = self.exchange(format!("{line}\n").as_bytes()).await?;
        if self.has_more() {
            return Err(Broken::Surplus);
        }
        outcome(name, &answer).ok_or_else(|| Broken::Form(shown(&answer)))
    }

    /// Whether it has said something that was not read.
    fn has_more(&self) -> bool {
        !self.stdout.buffer().is_empty() || waiting_bytes(self.stdout.get_ref()) > 0
    }

    /// Writes the event and reads the line that answers it.
    async fn exchange(&mut self, line: &[u8]) -> Result<String, Broken> {
        let mut answer = Vec::new();
        let mut written = 0;
        let mut bounded = (&mut self.stdout).take(ANSWER_BYTES_MAX);
        let writing = async {
            while written < line.len() {
                written += self.stdin.write(&line[written..]).await?;
            }
            io::Result::Ok(())
        };
        // It may complain and end before it reads anything.
        let (wrote, read) = tokio::join!(writing, bounded.read_until(b'\n', &mut answer));
        let unread = waiting_bytes(&self.stdin);
        let ended = |error| if unread == written as u64 { Broken::Gone(error) } else { Broken::Ended(error) };
        let said = || String::from_utf8_lossy(&answer).trim_end().to_owned();
        match (read, answer.last()) {
            (Err(error), _) => Err(ended(error)),
            (Ok(_), Some(b'\n')) if written < line.len() || unread > 0 => Err(Broken::Ahead(shown(&said()))),
            (Ok(_), Some(b'\n')) => Ok(said()),
            (Ok(_), Some(_)) if answer.len() as u64 == ANSWER_BYTES_MAX => Err(Broken::Long),
            _ => Err(ended(wrote.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))),
        }
    }
}

/// How many bytes are in a pipe. Where a system does not tell, none are seen.
fn waiting_bytes(pipe: &impl std::os::fd::AsFd) -> u64 {
    ioctl_fionread(pipe).unwrap_or(0)
}

fn shown(answer: &str) -> String {
    printable(answer, ANSWER_CHARACTERS_MAX).into_owned()
}

/// What an answer means; `None` where it is none.
fn outcome(name: &str, answer: &str) -> Option<Outcome> {
    let (word, text) = answer.split_once(' ').unwrap_or((answer, ""));
    let reason = || format!("{name}: {}", shown(text.trim()));
    match word {
        "ok" => Some(Outcome::Delivered),
        "error" => Some(Failure::of_event(reason()).into()),
        "permanent" => Some(Outcome::rejected(reason())),
        _ => None,
    }
}
