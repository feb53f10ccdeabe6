//! livehook receives the callbacks of Tencent Cloud CSS (live streaming), keeps each genuine one before it answers, and
//! hands it on.
//!
//! # The life of a callback
//!
//! [`server`] reads a request, [`callback`] parses and verifies it, [`journal`] makes it durable, and only then is it
//! answered with 200. From the journal, [`delivery`] takes it to each [`sink`], one worker a sink, and [`index`] puts it
//! together with the others of its [`session`]. [`app`] puts these together from one validated [`config`]; [`cli`] is the
//! commands.
//!
//! A module may use those below it, never one above: `cli`, `app`, `config`, `server`, `delivery`, `sink` and `index`,
//! `journal`, `telemetry`, `session`, `callback` and `moment`.

pub mod app;
pub mod callback;
pub mod cli;
pub mod config;
pub mod delivery;
mod directory;
mod http_client;
pub mod index;
pub mod journal;
pub mod moment;
mod printable;
pub mod server;
pub mod session;
pub mod sink;
pub mod telemetry;
