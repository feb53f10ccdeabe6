//! Parses the arguments, runs the command, sets the exit code.

use std::process::ExitCode;

/// The system's allocator keeps the memory of a flood of connections for good. This one returns it within seconds.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    livehook::cli::run(std::env::args_os())
}
