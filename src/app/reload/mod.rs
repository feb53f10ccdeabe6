//! Reloads the configuration: reads it again when someone asks for that or a secret has changed, and proposes it to the service.

mod proposal;
mod reloader;
mod secret_watch;
mod source;

pub(super) use proposal::Proposal;
pub(super) use reloader::Reloader;
pub use source::ReloadSource;
