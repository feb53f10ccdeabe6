//! A journal in memory, for tests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{AppendError, Appended, Change, Changed, Health, Journal, JournalError, Offset};
use crate::callback::Event;

/// Stores events in memory. A test can make it refuse them, or answer late.
#[derive(Default)]
pub(crate) struct MemoryJournal {
    state: Mutex<State>,
    head: watch::Sender<Offset>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    refuses: Option<AppendError>,
    pause: Duration,
}

impl MemoryJournal {
    /// Makes every append fail with `refuses`, or succeed again.
    pub(crate) fn refuse(&self, refuses: Option<AppendError>) {
        self.state().refuses = refuses;
    }

    /// Makes every append answer after `pause`.
    pub(crate) fn pause(&self, pause: Duration) {
        self.state().pause = pause;
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, event: Event) -> Result<Appended, AppendError> {
        let (answer, pause) = {
            let mut state = self.state();
            let is_known = state.events.iter().any(|known| known.id() == event.id());
            let answer = match &state.refuses {
                Some(error) => Err(error.clone()),
                None if is_known => Ok(Appended::Duplicate),
                None => Ok(Appended::Stored),
            };
            if answer == Ok(Appended::Stored) {
                state.events.push(event);
                self.head.send_replace(Offset(state.events.len() as i64));
            }
            (answer, state.pause)
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        answer
    }

    async fn change(&self, _: Change) -> Result<Changed, JournalError> {
        Err(JournalError::Closed)
    }

    fn health(&self) -> Health {
        let state = self.state();
        Health { refuses: state.refuses.clone(), unanswered: Duration::ZERO, head: Offset(state.events.len() as i64) }
    }

    fn generation(&self) -> &str {
        "5d0c1f7a9be2440d"
    }

    fn head(&self) -> watch::Receiver<Offset> {
        self.head.subscribe()
    }
}
