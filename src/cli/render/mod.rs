//! What a command prints: tables for people, JSON and CSV for programs.

pub(crate) mod cell;
pub(crate) mod event_detail;
pub(crate) mod human;
pub(crate) mod listing;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod session_rows;
pub(crate) mod table;
