//! The admin endpoint: health, metrics and the API, on a listener of its own.

mod accept;
mod api;
mod guard;
mod health;
mod metrics;
mod options;
mod problem;
mod routes;
mod sources;
mod token;

pub use options::Options;
pub use routes::Admin;
pub use sources::Sources;
pub use token::Token;
