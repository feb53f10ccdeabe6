//! What clients of a listener may take: connections, bytes and time.

use std::time::Duration;

use super::connection::Phase;

/// A time limit of the configuration. A year is as good as without end, and no sum of times overflows.
pub fn limit_secs(secs: u64) -> Duration {
    Duration::from_secs(secs.min(365 * 86_400))
}

/// What clients of a listener may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once; at least one.
    pub connections_max: usize,
    /// The largest head of a request, in bytes.
    pub headers_bytes_max: usize,
    /// How long the head of a request may take, from its first byte.
    pub headers_timeout: Duration,
    /// How long a connection may be silent, between requests or before the first.
    pub idle_timeout: Duration,
    /// How long a client may take to read an answer, or as much as there is of it.
    pub write_timeout: Duration,
}

impl Limits {
    /// How long a connection may be in a phase; `None` where the handler sees to it.
    pub(super) fn timeout(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Idle => Some(self.idle_timeout),
            Phase::Head => Some(self.headers_timeout),
            Phase::Body | Phase::Request | Phase::Feed => None,
            Phase::Answer => Some(self.write_timeout),
        }
    }

    /// The shortest of the timeouts, but not zero: a timer set to it must not fire at once, again and again.
    pub(super) fn shortest(&self) -> Duration {
        self.idle_timeout.min(self.headers_timeout).min(self.write_timeout).max(Duration::from_millis(1))
    }
}

/// Raises the limit of open files as far as the system allows, and returns what it is then; `None` where there is none.
pub fn raise_open_files_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}
