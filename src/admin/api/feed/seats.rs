//! The places of subscribers. A reload changes how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The places of the subscribers of one feed.
pub(super) struct Seats {
    most: AtomicUsize,
    taken: Arc<Mutex<usize>>,
}

/// The place of one subscriber. It is free again when this is dropped.
pub(in crate::admin) struct Seat(Arc<Mutex<usize>>);

impl Seats {
    /// Makes this many places.
    pub(super) fn new(most: usize) -> Seats {
        Seats { most: AtomicUsize::new(most), taken: Arc::default() }
    }

    /// Changes the number of places. Subscribers beyond it stay.
    pub(super) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Returns how many are taken.
    pub(super) fn taken(&self) -> usize {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    ///
    /// # Errors
    /// All are taken. The error is their number.
    pub(super) fn take(&self) -> Result<Seat, usize> {
        let most = self.most.load(Ordering::Relaxed);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken >= most {
            return Err(most);
        }
        *taken += 1;
        Ok(Seat(Arc::clone(&self.taken)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_seats_changes() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().ok().unwrap(), seats.take().ok());
        assert_eq!(seats.take().err(), Some(2));
        seats.set_most(1);
        drop(first);
        assert_eq!((seats.take().err(), seats.taken()), (Some(1), 1));
        drop(second);
        assert!(seats.take().is_ok());
        seats.set_most(2);
        let both = (seats.take().ok().unwrap(), seats.take().ok().unwrap());
        assert_eq!(seats.taken(), 2);
        drop(both);
        assert_eq!(seats.taken(), 0);
    }
}
