//! The admin endpoint: health, metrics and the API, on a listener of its own.

mod api;
mod guard;
mod options;
mod problem;
mod routes;
mod token;

pub use options::Options;
pub use routes::{Admin, Sources};
pub use token::Token;
