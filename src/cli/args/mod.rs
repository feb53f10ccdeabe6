//! Flags that several commands share, and how their values are read.

pub(crate) mod config;
mod data_dir;
pub(crate) mod input;
pub(crate) mod key;
pub(crate) mod moment;
pub(crate) mod selection;
mod usage_error;

pub(crate) use data_dir::DataDirArguments;
pub(crate) use usage_error::{UsageError, usage_error};
