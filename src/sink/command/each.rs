//! Mode `each`: one start of the program for each event, with the event on stdin. The exit code is the answer.

use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::options::Options;
use super::program::{Pipes, Program, timed_out};
use super::program_log::{InHand, Output, ProgramLog};
use crate::journal::Record;
use crate::sink::{Failure, Outcome};

#[cfg(test)]
mod tests;

/// The wait for the last output of a program that has ended: another process that it started may hold its pipes open.
const LAST_OUTPUT_WAIT: Duration = Duration::from_millis(200);

/// Starts the program for an event, and waits until it ends.
pub(super) async fn deliver(options: &Options, log: &ProgramLog, record: &Record) -> Outcome {
    let name = &log.name;
    let (mut program, pipes) = match Program::start(options, Some(&record.event)) {
        Ok(started) => started,
        Err(error) => return Failure::outage(error).into(),
    };
    let run = run(&mut program, pipes, log, record);
    match tokio::time::timeout(Duration::from_secs(options.timeout_secs), run).await {
        Ok(Ok((status, _))) if status.success() => Outcome::Delivered,
        Ok(Ok((status, last_line))) => failed(options, name, status, &last_line),
        Ok(Err(error)) => Failure::outage(format!("livehook cannot wait for {name} to end: {error}")).into(),
        Err(_) => Failure::outage(timed_out(name, options)).into(),
    }
}

/// The outcome of an exit code other than 0.
fn failed(options: &Options, name: &str, status: ExitStatus, last_line: &str) -> Outcome {
    let output = if last_line.is_empty() { String::new() } else { format!(": {last_line}") };
    let reason = format!("{name} ended with {status}{output}");
    // A program that a signal ended has no exit code. It said nothing about the event, so the event is tried again.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let is_rejected = code.is_some_and(|code| options.permanent_exit_codes.contains(&code));
    if is_rejected { Outcome::rejected(reason) } else { Failure::of_event(reason).into() }
}

/// Writes the event, logs the output of the program, and waits until it ends. Returns its status and the last line of stderr.
async fn run(
    program: &mut Program,
    pipes: Pipes,
    log: &ProgramLog,
    record: &Record,
) -> io::Result<(ExitStatus, String)> {
    let Pipes { mut stdin, stdout, stderr } = pipes;
    let (line, in_hand) = (record.event.line(), InHand::new(Some(record.event.id())));
    let writing = async move {
        // The write fails if the program doesn't read all of it. That is allowed, because the exit code alone is the answer.
        let _ = stdin.write_all(format!("{line}\n").as_bytes()).await;
    };
    let talk = async {
        tokio::join!(writing, log.take(stdout, Output::Stdout, &in_hand), log.take(stderr, Output::Stderr, &in_hand))
    };
    let mut talk = pin!(talk);
    let (status, talked) = tokio::select! {
        status = program.ended() => {
            // Whatever the program left running may hold the pipes open, and then `talk` would never end.
            program.kill();
            (status?, tokio::time::timeout(LAST_OUTPUT_WAIT, talk).await.ok())
        }
        talked = &mut talk => (program.ended().await?, Some(talked)),
    };
    // A program can close its pipes and leave processes behind without them.
    program.kill();
    Ok((status, talked.map(|(_, _, last_line)| last_line).unwrap_or_default()))
}
