//! Whether the journal takes events.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::AppendError;

/// How often the log says at most that the journal is full.
const FULL_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Why no event can be stored now. The writer sets it, and everything that appends or reports health reads it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Availability(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    error: Option<AppendError>,
    /// When the log said last that the journal is full.
    full_logged: Option<Instant>,
}

impl Availability {
    /// Why no event can be stored; `None` if one can.
    pub(in super::super) fn error(&self) -> Option<AppendError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error.clone()
    }

    pub(super) fn set(&self, error: Option<AppendError>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Not each time, because a slow sink makes room for a few events again and again.
        if known.error != error && error == Some(AppendError::Full) && known.is_log_due() {
            tracing::error!("{}", AppendError::Full);
            known.full_logged = Some(Instant::now());
        }
        known.error = error;
    }
}

impl Known {
    fn is_log_due(&self) -> bool {
        self.full_logged.is_none_or(|logged| logged.elapsed() >= FULL_LOG_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_journal_is_logged_once_a_minute() {
        let availability = Availability::default();
        let become_full = || {
            availability.set(None);
            availability.set(Some(AppendError::Full));
            availability.0.lock().unwrap().full_logged
        };
        let first = become_full().unwrap();
        assert_eq!(become_full(), Some(first));
        availability.0.lock().unwrap().full_logged = first.checked_sub(FULL_LOG_INTERVAL);
        assert!(become_full().unwrap() >= first);
        assert_eq!(availability.error(), Some(AppendError::Full));
    }
}
