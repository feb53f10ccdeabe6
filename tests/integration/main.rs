//! The tests from outside, in one binary. They use the real program ([`process`]), or the service inside the test's own
//! process ([`test_app`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, but clippy does not take the functions that tests share for such"
)]

mod api;
mod client;
mod contract;
mod counts;
mod crash;
mod damaged_journal;
mod dead_letters;
mod doctor;
mod documents;
mod event_types;
mod feed;
mod flood;
mod full_disk;
mod idle;
mod kills;
mod kills_during_failures;
mod logs;
mod manual_ends;
#[cfg(feature = "jemalloc")]
mod memory;
mod open_files;
mod other_user;
mod process;
mod query_commands;
mod read_model;
mod recorded_data;
mod recorded_lines;
mod reload;
mod restore;
mod sender;
mod shutdown;
mod signed_copies;
mod sink_requests;
mod sinks;
mod standby;
mod structure;
mod subscriber;
mod sync;
mod test_app;
mod tls;
