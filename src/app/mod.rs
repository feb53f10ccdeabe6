//! The composition root: `start` opens every part of the service in order, and `stop` stops them in reverse.

mod certificates;
mod inherited;
mod limits;
mod ports;
mod service_manager;
mod standby;
mod start;
mod stop;
mod unready;
mod volume;
mod waiting;

pub use inherited::InheritedSockets;
pub use start::App;
