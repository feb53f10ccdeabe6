//! Everything that is tested from outside, in one binary: the library through [`process`]'s real program, and through an
//! [`test_app`] on free ports.

mod client;
mod contract;
mod crash;
mod open_files;
mod process;
mod sender;
mod shutdown;
mod sinks;
mod test_app;
