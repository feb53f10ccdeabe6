//! The data directory: its lock, its databases, and how their files become durable and are copied.
//!
//! Nothing here knows the tables. The journal and the index each describe their own database, and turn the errors here into
//! their own, with the cure that fits.

mod backup;
mod checkpoints;
mod checksums;
mod data_dir;
mod database;
mod disk_space;
pub(crate) mod durable_files;
mod error;
mod file;
mod file_space;
mod inspection;
mod large_sort;
mod layout;
mod lock;
mod lost;
pub(crate) mod meta;
pub(crate) mod own_file;
mod restore;
mod schema_check;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod volume;
pub(crate) mod wal;

pub use backup::Backup;
pub(crate) use checkpoints::Checkpoints;
pub(crate) use data_dir::make_data_dir;
pub(crate) use database::Database;
pub use error::StorageError;
pub(crate) use error::{is_damage, is_database_full};
pub(crate) use file::{Identity, resolved};
pub(crate) use file_space::{FileSpace, give_back};
pub(crate) use inspection::{Damaged, damages};
pub(crate) use large_sort::sort_in_files;
pub use lock::Lock;
pub use restore::Restore;
