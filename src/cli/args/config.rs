//! The configuration as the command line gives it: a file, and flags that override it.

use std::path::PathBuf;

use crate::config::{Config, Mistakes, Overrides, Process, SecretText};

/// Where the configuration is, and what overrides it.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct ConfigArguments {
    /// The configuration file, TOML (LIVEHOOK_CONFIG); the defaults hold without one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the journal is kept, on a local disk (LIVEHOOK_DATA_DIR) [default: livehook-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address that takes callbacks (LIVEHOOK_LISTEN) [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The address of health and metrics (LIVEHOOK_ADMIN_LISTEN) [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// A callback key, in addition to those of other sources; repeat it for more
    ///
    /// Others on this machine can see it in the list of processes: LIVEHOOK_KEYS (with commas between them) and files
    /// (`receiver.keys_file`, LIVEHOOK_KEYS_FILE, one a line) hide it.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<SecretText>,
    /// How much is said on stderr (LIVEHOOK_LOG_LEVEL) [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log_level: Option<String>,
    /// How it is said (LIVEHOOK_LOG_FORMAT) [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
}

impl ConfigArguments {
    /// Loads the configuration of this process.
    ///
    /// # Errors
    /// Every mistake in it.
    pub(crate) fn load(self) -> Result<Config, Mistakes> {
        let ConfigArguments { config, data_dir, listen, admin_listen, keys, log_level, log_format } = self;
        let overrides = Overrides { data_dir, listen, admin_listen, keys, log_level, log_format };
        Config::find(config.as_deref(), &overrides, &Process)
    }
}
