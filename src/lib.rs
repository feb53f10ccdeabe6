//! livehook receives the callbacks of Tencent Cloud CSS (live streaming), stores each genuine one before it answers,
//! and delivers it to sinks.
//!
//! # The life of a callback
//!
//! [`http`] serves the connection and [`receiver`] reads the request. [`callback`] parses and verifies it, and
//! [`journal`] makes the event durable. Only then does the receiver answer 200. Afterwards [`delivery`] delivers the
//! event from the journal to each [`sink`], with one worker per sink, and [`index`] adds it to its [`session`].
//! [`admin`] shows all of this. [`app`] starts these parts from one validated [`config`], and [`cli`] holds the
//! commands.
//!
//! A module may use the modules below it, never one above it: see ARCHITECTURE.md.

pub mod admin;
pub mod app;
mod byte_order_mark;
pub mod callback;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod history;
pub mod http;
mod http_client;
pub mod index;
pub mod journal;
pub mod moment;
mod named_file;
mod printable;
pub mod receiver;
pub mod session;
pub mod sink;
pub mod storage;
pub mod telemetry;
mod tls;
