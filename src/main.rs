//! Parses the arguments, runs the command, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    livehook::cli::run(std::env::args_os())
}
