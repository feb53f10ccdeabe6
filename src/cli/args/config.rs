//! `--config`, and the flags that override the configuration file.

use std::path::PathBuf;

use crate::config::{Config, Mistakes, Overrides, Process, SecretText, Surroundings};
use crate::telemetry::LogOptions;

/// The configuration of the service.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct ConfigArguments {
    /// The configuration file in TOML (LIVEHOOK_CONFIG) [default: none, every setting has its default]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory for the journal and the index, on a local disk (LIVEHOOK_DATA_DIR) [default: livehook-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address and port for callbacks (LIVEHOOK_LISTEN) [default: port 8080 of every address]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The address and port for health, metrics and the API (LIVEHOOK_ADMIN_LISTEN) [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// A callback key, added to the keys of the file and the environment. Repeat the flag for more keys
    ///
    /// Other users of this machine can see it in the process list. To hide it, use LIVEHOOK_KEYS (keys separated by commas),
    /// or a file with one key per line (LIVEHOOK_KEYS_FILE, `receiver.keys_file`).
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<SecretText>,
    /// The least severe log level that is written to stderr (LIVEHOOK_LOG_LEVEL) [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log_level: Option<String>,
    /// The log format (LIVEHOOK_LOG_FORMAT) [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
}

impl ConfigArguments {
    /// Returns the data directory alone, also if another part of the configuration has a mistake.
    ///
    /// # Errors
    /// The file cannot be read, or its `data_dir` has a mistake.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, Mistakes> {
        let from_variable = || Process.variable("LIVEHOOK_DATA_DIR").map(PathBuf::from);
        let data_dir = self.data_dir.clone().or_else(from_variable);
        Config::find_data_dir(self.config.as_deref(), data_dir.as_deref(), &Process)
    }

    /// Loads the configuration from the file, the environment and these flags.
    ///
    /// # Errors
    /// All mistakes in the configuration.
    pub(crate) fn load(self) -> Result<Config, Mistakes> {
        let (config, overrides) = self.split();
        Config::find(config.as_deref(), &overrides, &Process)
    }

    /// Returns the level and the format of the log, also if the configuration has mistakes.
    pub(crate) fn log_options(self) -> LogOptions {
        let (config, overrides) = self.split();
        Config::find_log(config.as_deref(), &overrides, &Process)
    }

    fn split(self) -> (Option<PathBuf>, Overrides) {
        let ConfigArguments { config, data_dir, listen, admin_listen, keys, log_level, log_format } = self;
        (config, Overrides { data_dir, listen, admin_listen, keys, log_level, log_format })
    }
}
