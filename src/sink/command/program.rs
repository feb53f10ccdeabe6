//! A running program: started without a shell, in a clean environment and a process group of its own, which is killed with
//! everything in it when the program is let go. And what it says, for the log.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::Options;
use crate::callback::Event;
use crate::printable::printable;

/// What is looked through for programs where livehook itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// So much of a line is logged, and kept.
const LINE_CHARACTERS_MAX: usize = 500;
const LINE_BYTES_MAX: usize = 4 * LINE_CHARACTERS_MAX;

/// So many lines of a program are logged in a minute.
const LINES_PER_MINUTE_MAX: usize = 100;

/// A program and all that it has started. Letting it go kills them.
pub(super) struct Program {
    child: Child,
    group: Option<Pid>,
}

/// The ends of its pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Program {
    /// Starts it; for one event, what it may want to know of that without reading it is in variables.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn start(options: &Options, event: Option<&Event>) -> io::Result<(Program, Pipes)> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let mut command = Command::new(absolute(&options.program));
        command.args(&options.arguments).env_clear().env("PATH", path).envs(&options.environment.0);
        if let Some(event) = event {
            command.env("LIVEHOOK_EVENT_ID", event.id().to_string());
            command.env("LIVEHOOK_EVENT_TYPE", event.event_type().cloud_event_type().to_string());
        }
        if let Some(directory) = &options.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                Ok((Program { child, group }, Pipes { stdin, stdout, stderr }))
            }
            _ => Err(io::Error::other("a pipe is missing")),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills whatever is left of it. Its number can be another's soon after it has ended, so this is done once.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // What is gone already need not be killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A path that does not depend on the directory that the program is started in; a name stays one.
fn absolute(program: &Path) -> PathBuf {
    match program.as_os_str().as_bytes().contains(&b'/') {
        true => std::path::absolute(program).unwrap_or_else(|_| program.to_owned()),
        false => program.to_owned(),
    }
}

/// Finds the program as it would be started.
///
/// # Errors
/// There is none, or it cannot be executed; in words.
pub(super) fn find(options: &Options) -> Result<PathBuf, String> {
    let program = absolute(&options.program);
    let is_executable = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let found = if program.is_absolute() {
        Some(program.clone()).filter(|program| is_executable(program))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        std::env::split_paths(&path).map(|directory| directory.join(&program)).find(|program| is_executable(program))
    };
    match (found, &options.directory) {
        (None, _) => Err(format!("{} is no program that can be executed; correct `program`", program.display())),
        (_, Some(directory)) if !directory.is_dir() => {
            Err(format!("{} is no directory; correct `directory`", directory.display()))
        }
        (Some(found), _) => Ok(found),
    }
}

/// Logs what a program says, line by line, until it says no more: stderr as warnings, stdout for debugging. Returns the last
/// line. Of lines that are too long or too many, the rest is left out; it is read all the same, so that the program is not
/// held up.
pub(super) async fn log_lines(output: impl AsyncRead + Unpin, program: &str, is_warning: bool) -> String {
    let mut output = output;
    let mut log =
        LineLog { program, is_warning, line: Vec::new(), last: String::new(), since: Instant::now(), lines: 0 };
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = output.read(&mut chunk).await {
        for byte in &chunk[..count] {
            match byte {
                b'\n' => log.finish_line(),
                byte if log.line.len() < LINE_BYTES_MAX => log.line.push(*byte),
                _ => {}
            }
        }
    }
    log.finish_line();
    log.last
}

struct LineLog<'p> {
    program: &'p str,
    is_warning: bool,
    line: Vec<u8>,
    last: String,
    since: Instant,
    /// Since then.
    lines: usize,
}

impl LineLog<'_> {
    fn finish_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if !text.is_empty() {
            self.last = printable(text, LINE_CHARACTERS_MAX).into_owned();
            self.say();
        }
        self.line.clear();
    }

    fn say(&mut self) {
        if self.since.elapsed() > Duration::from_secs(60) {
            (self.since, self.lines) = (Instant::now(), 0);
        }
        self.lines += 1;
        let (program, text) = (self.program, self.last.as_str());
        match (self.lines.cmp(&LINES_PER_MINUTE_MAX), self.is_warning) {
            (std::cmp::Ordering::Less, true) => tracing::warn!(program, text, "a program says"),
            (std::cmp::Ordering::Less, false) => tracing::debug!(program, text, "a program says"),
            (std::cmp::Ordering::Equal, _) => {
                tracing::warn!(program, "a program says too much: the rest of a minute is left out")
            }
            (std::cmp::Ordering::Greater, _) => {}
        }
    }
}
