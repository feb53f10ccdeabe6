//! The limits for clients of a listener: connections, bytes and time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::phase::Phase;

/// A time limit of the configuration, at most a year, so that no sum of times overflows.
pub fn limit_secs(secs: u64) -> Duration {
    Duration::from_secs(secs.min(365 * 86_400))
}

/// The limits for clients of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once. 0 counts as 1.
    pub connections_max: usize,
    /// The largest head of a request, in bytes.
    pub headers_bytes_max: usize,
    /// How long the head of a request may take, from its first byte.
    pub headers_timeout: Duration,
    /// How long a connection may be silent before its first request, and between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take to read an answer, or the part of it that there is so far.
    pub write_timeout: Duration,
}

impl Limits {
    /// How long a connection may stay in `phase`; `None` if the handler limits it.
    pub(super) fn timeout(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Accepted | Phase::Idle => Some(self.idle_timeout),
            Phase::ReadingHead => Some(self.headers_timeout),
            // The handshake measures its own time.
            Phase::Handshaking | Phase::ReadingBody | Phase::Handling | Phase::AwaitingMore | Phase::Closing => None,
            Phase::WritingAnswer => Some(self.write_timeout),
        }
    }

    /// The shortest timeout, at least 1 ms: a timer that is set again and again must not fire at once each time.
    pub(super) fn shortest_timeout(&self) -> Duration {
        self.idle_timeout.min(self.headers_timeout).min(self.write_timeout).max(Duration::from_millis(1))
    }
}

/// The limits of a listener, which may change while it serves. A connection keeps the limits of its beginning. Copies share them.
#[derive(Clone, Debug)]
pub struct SharedLimits(Arc<ArcSwap<Limits>>);

impl SharedLimits {
    /// Returns the present limits.
    pub(super) fn load(&self) -> Arc<Limits> {
        self.0.load_full()
    }

    /// Replaces them.
    pub fn replace(&self, limits: Limits) {
        self.0.store(Arc::new(limits));
    }
}

impl From<Limits> for SharedLimits {
    fn from(limits: Limits) -> SharedLimits {
        SharedLimits(Arc::new(ArcSwap::from_pointee(limits)))
    }
}

/// Raises the limit of open files of this process as far as the system allows. Returns the new limit; `None` if there
/// is no limit.
pub fn raise_open_files_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Only a privileged process may raise the hard limit.
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_limit_is_raised_to_the_most() {
        let raised = raise_open_files_limit();
        assert_eq!(raised, raise_open_files_limit());
        assert!(raised.is_none_or(|limit| limit >= 256));
    }
}
