//! Follows the journal: writes each new record to the index, and reports to the journal which records are durable there.
//!
//! The journal keeps all other records, so a crash or a damaged index loses nothing.

mod due_tasks;
mod follower;
mod gathering;
mod index_file;
mod live_rebuild;
#[cfg(test)]
mod testing;
mod worker;
mod writer_thread;

pub use worker::Worker;
