//! The status of every sink. A reload replaces the list while others read it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::status::Status;

/// The status of every sink, in the order of the configuration. Copies share one list.
#[derive(Clone, Debug, Default)]
pub struct Statuses(Arc<ArcSwap<Vec<Arc<Status>>>>);

impl Statuses {
    /// Makes a list.
    pub fn new(statuses: Vec<Arc<Status>>) -> Statuses {
        Statuses(Arc::new(ArcSwap::from_pointee(statuses)))
    }

    /// Returns the present list.
    pub fn all(&self) -> Arc<Vec<Arc<Status>>> {
        self.0.load_full()
    }

    /// Returns the status of a sink; `None` if no sink of this name is configured.
    pub fn find(&self, sink: &str) -> Option<Arc<Status>> {
        self.0.load().iter().find(|status| status.sink == sink).cloned()
    }

    /// Replaces the list, for every copy.
    pub fn replace(&self, statuses: Vec<Arc<Status>>) {
        self.0.store(Arc::new(statuses));
    }
}
