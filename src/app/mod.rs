//! The composition root: `start` opens every part of the service in order, and `stop` stops them in reverse.

mod allocator;
mod certificates;
mod endpoints;
mod inherited;
mod limits;
mod ports;
mod reload;
mod service_manager;
mod standby;
mod start;
mod stop;
mod take_over;
mod unready;
mod volume;
mod waiting;
mod workers;

pub use inherited::InheritedSockets;
pub use reload::ReloadSource;
pub use start::App;
