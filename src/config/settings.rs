//! The settings as the file gives them, before the environment and the flags change them and before they are checked.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::admin;
use crate::callback::InstanceName;
use crate::index;
use crate::journal;
use crate::receiver;
use crate::telemetry::LogOptions;

/// The data directory if no source names one.
pub const DATA_DIR_DEFAULT: &str = "livehook-data";

/// The tables and keys at the top of the file, each with its default.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) name: InstanceName,
    pub(super) data_dir: PathBuf,
    pub(super) shutdown_grace_secs: u64,
    pub(super) receiver: receiver::Options,
    pub(super) admin: admin::Options,
    pub(super) journal: journal::Options,
    pub(super) index: index::Options,
    pub(super) log: LogOptions,
    // Serde cannot read the sinks here, because their keys depend on their type. The field only makes the name known.
    sinks: IgnoredAny,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: InstanceName::default(),
            data_dir: PathBuf::from(DATA_DIR_DEFAULT),
            // Docker kills a container after 10 s. The service must have stopped by itself before that.
            shutdown_grace_secs: 8,
            receiver: receiver::Options::default(),
            admin: admin::Options::default(),
            journal: journal::Options::default(),
            index: index::Options::default(),
            log: LogOptions::default(),
            sinks: IgnoredAny,
        }
    }
}
