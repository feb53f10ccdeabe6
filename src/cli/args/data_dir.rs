//! `--data-dir`.

use std::path::{Path, PathBuf};

use crate::config::DATA_DIR_DEFAULT;

/// The data directory of the service.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct DataDirArguments {
    /// The data directory of the service [default: livehook-data]
    #[arg(long, value_name = "DIR", env = "LIVEHOOK_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DataDirArguments {
    /// Returns the directory, or the default one. For commands that read no configuration file.
    pub(crate) fn path(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR_DEFAULT))
    }
}
