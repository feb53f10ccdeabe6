//! The command line: one file or folder per command.
//!
//! A command prints data to stdout and messages to stderr. Only this module reads arguments, starts async runtimes and
//! handles signals.

mod args;
mod backup;
mod bounded_file;
mod check_config;
mod client;
mod command_line;
mod completions;
mod dead_letters;
mod doctor;
mod error_text;
mod events;
mod explain;
mod fresh_index;
mod healthcheck;
mod keygen;
mod rebuild_index;
mod reload;
mod render;
mod replay;
mod restore;
mod runtime;
mod send;
mod serve;
mod session;
mod sessions;
mod sign;
mod sinks;
mod streams;
#[cfg(test)]
mod testing;

pub use command_line::run;
