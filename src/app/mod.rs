//! The composition root: `start` opens every part of the service in order, and `stop` stops them in reverse.

mod limits;
mod ports;
mod standby;
mod start;
mod stop;
mod unready;
mod volume;
mod waiting;

pub use start::App;
