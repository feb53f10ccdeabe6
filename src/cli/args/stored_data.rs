//! `--config` and `--data-dir` of the commands that only read the data of a service.

use std::path::PathBuf;

use super::data_dir::DataDirArguments;
use crate::config::{Config, Mistakes, Process};

/// The data of a service.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct StoredDataArguments {
    /// The configuration file of the service (LIVEHOOK_CONFIG). The command reads only `data_dir` from it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data_dir: DataDirArguments,
}

impl StoredDataArguments {
    /// The same flags, as another group of arguments has them.
    pub(crate) fn new(config: Option<PathBuf>, data_dir: DataDirArguments) -> StoredDataArguments {
        StoredDataArguments { config, data_dir }
    }

    /// Returns the data directory: `--data-dir`, LIVEHOOK_DATA_DIR, the one of the configuration file, or the default one.
    ///
    /// # Errors
    /// The configuration file cannot be read, or its `data_dir` has a mistake.
    pub(crate) fn path(&self) -> Result<PathBuf, Mistakes> {
        match (&self.config, &self.data_dir.data_dir) {
            // Perhaps only the service can read the file that LIVEHOOK_CONFIG names.
            (None, Some(data_dir)) => Ok(data_dir.clone()),
            (config, data_dir) => Config::find_data_dir(config.as_deref(), data_dir.as_deref(), &Process),
        }
    }
}
