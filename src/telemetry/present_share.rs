//! The share of requests that the access log has at this moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::access_options::{AccessOptions, Share};

/// The share of successful requests that the access log has. Its copies share one value, which a reload replaces.
#[derive(Clone, Debug)]
pub struct PresentShare {
    per_million: Arc<AtomicU32>,
}

impl PresentShare {
    /// Stands for no access log. No share is above a million.
    const NONE: u32 = u32::MAX;

    /// Starts with these options. `None` switches the access log off.
    pub fn new(options: Option<AccessOptions>) -> PresentShare {
        let share = PresentShare { per_million: Arc::default() };
        share.replace(options);
        share
    }

    /// Takes other options for every later request.
    pub fn replace(&self, options: Option<AccessOptions>) {
        let per_million = options.map_or(PresentShare::NONE, |options| options.sample.per_million);
        self.per_million.store(per_million, Ordering::Relaxed);
    }

    /// Returns the share that the access log has, or `None` if there is no access log.
    pub fn get(&self) -> Option<Share> {
        let per_million = self.per_million.load(Ordering::Relaxed);
        (per_million != PresentShare::NONE).then_some(Share { per_million })
    }
}
