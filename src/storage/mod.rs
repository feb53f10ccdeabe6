//! The data directory: what makes a file in it durable.

pub(crate) mod durable_files;
