//! The part of the options that decides who may use the admin endpoint. A reload replaces it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Options, Token};

/// The token and the names that requests are checked by.
pub(super) struct Access {
    pub(super) token: Option<Token>,
    pub(super) allowed_hosts: Vec<String>,
}

/// The present [`Access`]. Everything that checks requests reads it once for each of them.
pub(super) type SharedAccess = Arc<ArcSwap<Access>>;

impl Access {
    /// Takes the part out of the options.
    pub(super) fn of(options: &Options) -> Access {
        Access { token: options.token.clone(), allowed_hosts: options.allowed_hosts.clone() }
    }

    /// The same, to share.
    pub(super) fn shared(options: &Options) -> SharedAccess {
        Arc::new(ArcSwap::from_pointee(Access::of(options)))
    }
}
