//! A running service takes over another configuration, under load: no callback is refused, and no event is lost or repeated.

mod paths;
mod running;
mod secrets;
mod settings;
mod sinks;
