//! Runs programs in valgrind's tool callgrind, and reads how many instructions they took.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// Runs this program with other arguments in callgrind, and returns the instructions of all its threads. `output` is a file for
/// the counts.
pub(crate) fn instructions(arguments: &[&str], output: &Path) -> anyhow::Result<u64> {
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .status()
        .context("valgrind is needed")?;
    if !status.success() {
        bail!("`{}` failed: {status}", arguments.join(" "));
    }
    total(output)
}

/// Returns the command line that runs a server in callgrind, without the server's own. Each of its threads gets a file, and
/// [`instructions_of_thread`] reads it.
pub(crate) fn server_runner(output: &Path) -> Vec<String> {
    let out_file = format!("--callgrind-out-file={}", output.display());
    // Without fair scheduling a thread that never waits would hold the others up.
    ["valgrind", "--tool=callgrind", "--quiet", "--fair-sched=yes", "--separate-threads=yes", &out_file]
        .map(str::to_owned)
        .to_vec()
}

/// Returns the instructions of a thread of a server that has ended. The first thread has the number 1.
pub(crate) fn instructions_of_thread(output: &Path, number: usize) -> anyhow::Result<u64> {
    let mut of_thread = output.as_os_str().to_owned();
    of_thread.push(format!("-{number:02}"));
    total(Path::new(&of_thread))
}

fn total(counts: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(counts).with_context(|| counts.display().to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("callgrind wrote no total")?.trim().parse()?)
}
