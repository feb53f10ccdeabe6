//! Mode `lines`: one program for many events. It is given a line of JSON for each, and answers each with one line:
//!
//! ```text
//! ok                  it is done with the event, for good
//! error TEXT          it is not, and another try may succeed
//! permanent TEXT      it is not, and no further try can succeed
//! ```
//!
//! The next event is written when the last one is answered, so an answer can belong to one event only, and what is not
//! answered is not delivered. Anything else that it says on stdout breaks the protocol, and so ends the program.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::Options;
use super::program::{Pipes, Program, log_lines};
use crate::journal::Record;
use crate::printable::printable;
use crate::sink::lanes::Attempt;
use crate::sink::{DeliveryError, Outcome};

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
    name: &str,
    kept: &mut Option<Conversation>,
    record: &Record,
) -> Attempt {
    let mut conversation = match kept.take().map_or_else(|| start(options, name), Ok) {
        Ok(conversation) => conversation,
        Err(error) => return super::not_started(name, &error),
    };
    let timeout = Duration::from_secs(options.timeout_secs);
    let answer = tokio::time::timeout(timeout, exchange(&mut conversation, record)).await;
    let reason = match answer {
        Ok(Ok(answer)) => match outcome(name, &answer) {
            Some(outcome) => {
                *kept = Some(conversation);
                return Attempt { outcome, is_outage: false };
            }
            None => format!(
                "{name} answered \"{}\"; with mode = \"lines\" it must answer each line with ok, error TEXT or permanent TEXT",
                printable(&answer, ANSWER_CHARACTERS_MAX)
            ),
        },
        Ok(Err(error)) => format!("{name} has ended without an answer: {error}"),
        Err(_) => super::timed_out(name, options),
    };
    Attempt { outcome: Err(DeliveryError::transient(reason)), is_outage: true }
}

fn start(options: &Options, name: &str) -> std::io::Result<Conversation> {
    let (program, Pipes { stdin, stdout, stderr }) = Program::start(options, None)?;
    let name = name.to_owned();
    let stderr = tokio::spawn(async move { log_lines(stderr, &name, true).await });
    Ok(Conversation { program, stdin, stdout: BufReader::new(stdout), stderr })
}

/// Writes the event and reads the line that answers it.
async fn exchange(conversation: &mut Conversation, record: &Record) -> std::io::Result<String> {
    let Conversation { stdin, stdout, .. } = conversation;
    let mut answer = Vec::new();
    let mut bounded = stdout.take(ANSWER_BYTES_MAX);
    let writing = async {
        stdin.write_all(format!("{}\n", record.event.line()).as_bytes()).await?;
        stdin.flush().await
    };
    // It may answer without reading the line to its end, or complain before it reads any.
    let (written, read) = tokio::join!(writing, bounded.read_until(b'\n', &mut answer));
    read?;
    match answer.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&answer).trim_end().to_owned()),
        Some(_) if answer.len() as u64 + 1 == ANSWER_BYTES_MAX => Ok(String::from_utf8_lossy(&answer).into_owned()),
        _ => {
            written?;
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// What an answer means; `None` where it is none.
fn outcome(name: &str, answer: &str) -> Option<Outcome> {
    let (word, text) = answer.split_once(' ').unwrap_or((answer, ""));
    let reason = || format!("{name}: {}", printable(text.trim(), ANSWER_CHARACTERS_MAX));
    match word {
        "ok" => Some(Ok(())),
        "error" => Some(Err(DeliveryError::refused(reason()))),
        "permanent" => Some(Err(DeliveryError::permanent(reason()))),
        _ => None,
    }
}
