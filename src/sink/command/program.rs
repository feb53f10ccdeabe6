//! A running program: started without a shell, in a clean environment and a process group of its own, which is killed with
//! everything in it when the program is let go. Which file that is, is in `lookup`.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::Options;
use super::lookup::{self, LookupError, search_path};
use crate::callback::Event;

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// There is none, which a probe finds too.
    #[error("{0}")]
    Missing(#[from] LookupError),
    /// The system does not start it.
    #[error("{name} cannot be started: {error}; may livehook's user execute it, and enter `directory`?")]
    Refused {
        /// What it is called in messages.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

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
    /// There is no such program, or the system does not start it.
    pub(super) fn start(options: &Options, event: Option<&Event>) -> Result<(Program, Pipes), StartError> {
        let mut command = Command::new(lookup::find(options)?);
        if !lookup::has_slash(options.program.as_os_str()) {
            // A program that goes by several names does what it is called.
            command.arg0(&options.program);
        }
        command.args(&options.arguments).env_clear().env("PATH", search_path(options)).envs(&options.environment.0);
        if let Some(event) = event {
            command.env("LIVEHOOK_EVENT_ID", event.id().to_string());
            command.env("LIVEHOOK_EVENT_TYPE", event.event_type().cloud_event_type().to_string());
        }
        if let Some(directory) = &options.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let refused = |error| StartError::Refused { name: options.program.display().to_string(), error };
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(refused)?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                Ok((Program { child, group }, Pipes { stdin, stdout, stderr }))
            }
            _ => Err(refused(io::Error::other("a pipe is missing"))),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether it has ended already.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
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
