//! `--data-dir`: where the data of the service is.

use std::path::{Path, PathBuf};

use crate::config::DATA_DIR_DEFAULT;

/// Where the data is.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct DataDirArguments {
    /// The data directory of the service [default: livehook-data]
    #[arg(long, value_name = "DIR", env = "LIVEHOOK_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DataDirArguments {
    /// The directory for a command that reads no configuration.
    pub(crate) fn path(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR_DEFAULT))
    }
}
