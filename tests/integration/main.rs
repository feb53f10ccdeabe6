//! Everything that is tested from outside, in one binary: the library through [`process`]'s real program, and through an
//! [`test_app`] on free ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "in a test, to panic is to fail, and helpers outside of test functions do so too"
)]

mod client;
mod contract;
mod crash;
mod event_types;
mod process;
mod sender;
mod shutdown;
mod sinks;
mod structure;
mod sync;
mod test_app;
