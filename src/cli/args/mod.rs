//! The flags that several commands share.

mod callback_file;
mod config;
mod data_dir;
mod key;
mod limit;
mod local_time;
mod selection;
mod service;
mod stored_data;
mod time_range;
mod usage_error;

pub(crate) use callback_file::CallbackFile;
pub(crate) use config::ConfigArguments;
pub(crate) use data_dir::DataDirArguments;
pub(crate) use key::KeyArguments;
pub(crate) use limit::parse_limit;
pub(crate) use local_time::LocalTimeArguments;
pub(crate) use selection::{EventArguments, StreamArguments};
pub(crate) use service::ServiceArguments;
pub(crate) use stored_data::StoredDataArguments;
pub(crate) use time_range::{TimeRangeArguments, parse_moment};
pub(crate) use usage_error::{UsageError, usage_error};
