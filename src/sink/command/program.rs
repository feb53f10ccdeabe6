//! A running program: started without a shell, in a clean environment, as the leader of its own process group. Dropping it
//! kills the whole group.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::lookup::{self, LookupError, search_path};
use super::options::Options;
use crate::callback::Event;

/// Why a program didn't start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// There is no such program. A probe finds this too.
    #[error("{0}")]
    Missing(#[from] LookupError),
    /// The system refuses to start it.
    #[error("{name} cannot be started: {error}; may livehook's user execute it, and enter `directory`?")]
    Refused {
        /// The program, as messages name it.
        name: String,
        /// The error of the system.
        error: io::Error,
    },
}

/// A program, and every process in its group. Dropping it kills them.
pub(super) struct Program {
    child: Child,
    group: Option<Pid>,
}

/// livehook's ends of its pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Program {
    /// Starts the program. If it is started for one event, variables hold the event's id and type.
    ///
    /// # Errors
    /// There is no such program, or the system refuses to start it.
    pub(super) fn start(options: &Options, event: Option<&Event>) -> Result<(Program, Pipes), StartError> {
        let mut command = Command::new(lookup::find(options)?);
        if !lookup::has_slash(options.program.as_os_str()) {
            // Some programs have several names, and act according to the one they were called by.
            command.arg0(&options.program);
        }
        // livehook's own variables may hold callback keys and secrets.
        command.args(&options.arguments).env_clear().env("PATH", search_path(options)).envs(options.environment.all());
        if let Some(event) = event {
            command.env("LIVEHOOK_EVENT_ID", event.id().to_string());
            command.env("LIVEHOOK_EVENT_TYPE", event.event_type().cloud_event_type().to_string());
        }
        if let Some(directory) = &options.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let refused = |error| StartError::Refused { name: options.program.display().to_string(), error };
        // A group of its own, so that one signal reaches every process that the program starts.
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(refused)?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                Ok((Program { child, group }, Pipes { stdin, stdout, stderr }))
            }
            _ => Err(refused(io::Error::other("a pipe is missing"))),
        }
    }

    /// Waits until the program ends.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether the program has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills every process that is left in the group. Does so only once, because another group may get the same number soon
    /// after this one has ended.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // Fails if no process is left, which is fine.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The reason that a program was killed at its time limit.
pub(super) fn timed_out(name: &str, options: &Options) -> String {
    format!("{name} did not finish within {} s and was killed", options.timeout_secs)
}
