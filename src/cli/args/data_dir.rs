//! `--data-dir`.

use std::path::PathBuf;

/// The data directory of the service.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct DataDirArguments {
    /// The data directory of the service [default: livehook-data]
    #[arg(long, value_name = "DIR", env = "LIVEHOOK_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
}
