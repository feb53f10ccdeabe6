//! Delivers a batch over one connection: many streams at once, and of each stream one event after the answer to the one before.
//!
//! A broker may still store what an earlier connection sent. If that is at most one event of a stream, and the first that livehook
//! sends again, then no repetition changes the order.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::journal::Record;
use crate::sink::outage::OutageDetector;
use crate::sink::{Failure, Outcome};

/// What the broker says about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Answer {
    /// The broker has answered for this event.
    Of(Outcome),
    /// The connection is of no use any more.
    Broken(Failure),
}

/// A connection that carries one event after another, without waiting for the answers.
#[async_trait]
pub(in crate::sink) trait Carrier: Sync {
    /// Sends an event, and returns the future of its answer.
    ///
    /// # Errors
    /// The event can't be sent. This is its answer then.
    async fn send(&self, record: &Record) -> Result<BoxFuture<'_, Answer>, Answer>;

    /// Waits until the connection breaks. Without an end if the answers say so themselves.
    async fn broken(&self) -> Failure {
        std::future::pending().await
    }
}

/// The outcomes of a batch, and whether the connection can be used again.
pub(in crate::sink) struct InTurn {
    pub(in crate::sink) outcomes: Vec<Outcome>,
    pub(in crate::sink) is_sound: bool,
}

/// The events of a batch that wait for their turn.
struct Turns {
    /// The positions whose turn it is, in order.
    ready: VecDeque<usize>,
    /// The position of the next event of the same stream.
    next: Vec<Option<usize>>,
}

impl Turns {
    fn new(batch: &[Record]) -> Turns {
        let mut turns = Turns { ready: VecDeque::new(), next: vec![None; batch.len()] };
        let mut last = HashMap::new();
        for (position, record) in batch.iter().enumerate() {
            match last.insert(record.event.partition_key(), position) {
                Some(before) => turns.next[before] = Some(position),
                None => turns.ready.push_back(position),
            }
        }
        turns
    }

    /// The event at this position is finished, so the next of its stream may go.
    fn finish(&mut self, position: usize) {
        self.ready.extend(self.next[position]);
    }
}

/// Delivers a batch with at most `in_flight_max` events in flight.
pub(in crate::sink) async fn deliver_in_turn(batch: &[Record], in_flight_max: usize, carrier: &dyn Carrier) -> InTurn {
    let outages = OutageDetector::new(in_flight_max);
    let mut turns = Turns::new(batch);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
    let mut is_sent = vec![false; batch.len()];
    let mut in_flight = FuturesUnordered::new();
    let mut broken = pin!(carrier.broken());
    let failure = loop {
        let mut answered = None;
        while answered.is_none() && in_flight.len() < in_flight_max && !outages.is_down() {
            let Some(position) = turns.ready.pop_front() else { break };
            is_sent[position] = true;
            match carrier.send(&batch[position]).await {
                Ok(answer) => in_flight.push(async move { (position, answer.await) }),
                Err(answer) => answered = Some((position, answer)),
            }
        }
        let (position, answer) = match answered {
            Some(answered) => answered,
            None if in_flight.is_empty() => break None,
            None => tokio::select! {
                biased;
                Some(answered) = in_flight.next() => answered,
                failure = &mut broken => break Some(failure),
            },
        };
        match answer {
            Answer::Of(outcome) => {
                outages.note(&outcome);
                if !matches!(outcome, Outcome::Retry(_)) {
                    turns.finish(position);
                }
                outcomes[position] = Some(outcome);
            }
            Answer::Broken(failure) => break Some(failure),
        }
    };
    finished(outcomes, &is_sent, failure)
}

/// The outcomes after the last answer. The first event without one stands for the failure, and the others lose no attempt.
fn finished(mut outcomes: Vec<Option<Outcome>>, is_sent: &[bool], failure: Option<Failure>) -> InTurn {
    let is_sound = failure.is_none();
    let first = (0..outcomes.len()).find(|position| is_sent[*position] && outcomes[*position].is_none());
    if let (Some(failure), Some(first)) = (failure, first) {
        outcomes[first] = Some(failure.into());
    }
    InTurn { outcomes: outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Held)).collect(), is_sound }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::sink::testing::{names, records_of_streams};

    /// Answers by position, and stores the order of sending.
    struct Answering<F> {
        answer: F,
        sent: Mutex<Vec<usize>>,
    }

    #[async_trait]
    impl<F: Fn(usize) -> Answer + Sync> Carrier for Answering<F> {
        async fn send(&self, record: &Record) -> Result<BoxFuture<'_, Answer>, Answer> {
            let position = usize::try_from(record.offset.0).unwrap() - 1;
            self.sent.lock().unwrap().push(position);
            let answer = (self.answer)(position);
            Ok(Box::pin(async move { answer }))
        }
    }

    /// Delivers these streams. Returns the names of the outcomes, the order of sending, and whether the connection is sound.
    async fn deliver(
        streams: &[&str],
        answer: impl Fn(usize) -> Answer + Sync,
    ) -> (Vec<&'static str>, Vec<usize>, bool) {
        let batch = records_of_streams(streams);
        let carrier = Answering { answer, sent: Mutex::default() };
        let delivered = deliver_in_turn(&batch, 10, &carrier).await;
        (names(&delivered.outcomes), carrier.sent.into_inner().unwrap(), delivered.is_sound)
    }

    #[tokio::test]
    async fn a_failure_holds_its_own_stream() {
        let answer = |position| match position {
            1 => Answer::Of(Failure::of_event("not now").into()),
            2 => Answer::Of(Outcome::rejected("no")),
            _ => Answer::Of(Outcome::Delivered),
        };
        let (outcomes, sent, is_sound) = deliver(&["a", "b", "a", "b", "a"], answer).await;
        assert_eq!(outcomes, ["delivered", "retry", "rejected", "held", "delivered"]);
        assert_eq!(sent, [0, 1, 2, 4]);
        assert!(is_sound);
    }

    #[tokio::test]
    async fn a_broken_connection_costs_one_attempt() {
        let answer = |position| match position {
            0 => Answer::Of(Outcome::Delivered),
            _ => Answer::Broken(Failure::outage("away")),
        };
        let (outcomes, _, is_sound) = deliver(&["a", "b", "c", "a"], answer).await;
        assert_eq!(outcomes, ["delivered", "retry", "held", "held"]);
        assert!(!is_sound);
    }

    #[tokio::test]
    async fn outages_in_a_row_end_a_batch() {
        let streams: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
        let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
        let (outcomes, sent, _) = deliver(&streams, |_| Answer::Of(Failure::outage("no queue").into())).await;
        assert!(sent.len() <= 20, "{sent:?}");
        assert_eq!(outcomes[29], "held");
    }
}
