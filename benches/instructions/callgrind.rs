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
    let counts = fs::read_to_string(output)?;
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("callgrind wrote no total")?.trim().parse()?)
}
