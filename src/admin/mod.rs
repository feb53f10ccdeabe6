//! The admin endpoint: the pages, the API, health and metrics, on a listener of its own.

mod accept;
mod access;
mod api;
mod cookies;
mod event_stream;
mod guard;
mod health;
mod html;
mod lag_history;
mod logins;
mod metrics;
mod options;
mod pages;
mod problem;
mod reload;
mod routes;
mod sources;
mod to_login;
mod token;
mod unready;
mod updates;

pub use options::Options;
pub use reload::{NotReloaded, ReloadRequest, Reloaded, Reloads, SettingChange};
pub use routes::Admin;
pub use sources::{ReceiverSummary, Sources};
pub use token::Token;
pub use unready::Unready;
