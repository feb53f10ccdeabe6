//! The parts that every bench uses: the command line, the generator of callbacks, the servers and the tables.

pub(crate) mod arguments;
pub(crate) mod bare;
pub(crate) mod generator;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod round;

use std::path::Path;

use tempfile::TempDir;

/// Starts the bench `name`: keeps this process on core 0, prints the machine, and makes a directory in `parent` for the data.
/// The directory is removed when dropped.
pub(crate) fn start(name: &str, parent: &Path) -> anyhow::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(parent)?;
    // Before any thread starts, because only later threads inherit the core. The servers get core 1.
    process::pin_self("0")?;
    report::machine(directory.path())?;
    Ok(directory)
}
