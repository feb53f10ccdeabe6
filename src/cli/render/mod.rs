//! Prints the results of commands: tables for people, JSON and CSV for programs.

mod broadcast_row;
mod csv;
mod details;
pub(crate) mod event_summary;
mod json;
mod output;
mod progress;
mod reason;
mod rows;
mod session_cells;
mod session_row;
mod stream_row;
mod table;
mod text_cell;
pub(crate) mod time;
mod timed;

pub(crate) use broadcast_row::BroadcastRow;
pub(crate) use details::{Detail, print_details};
pub(crate) use json::write_json_line;
pub(crate) use output::{Output, OutputError, talk};
pub(crate) use progress::Progress;
pub(crate) use reason::{category_cell, reason_cell, reason_details};
pub(crate) use rows::{OutputFormat, Row, print_page, print_rows};
pub(crate) use session_cells::{anomalies_cell, size_cell, state_cell};
pub(crate) use session_row::SessionRow;
pub(crate) use stream_row::StreamRow;
pub(crate) use table::Column;
pub(crate) use text_cell::{NAME_CHARACTERS_MAX, TextCell, Tone, padded};

#[cfg(test)]
mod tests;
