//! Held streams: their records wait in the journal, because an earlier one of the stream has failed. In memory there is only the
//! place from which on they wait, so a stream that always fails keeps neither memory nor other streams busy.

use std::collections::HashMap;

use crate::callback::PartitionKey;
use crate::journal::{Offset, Record};

/// The most streams that may be held. The journal stores them with each progress.
const STREAMS_MAX: usize = 1000;

/// The most bytes of their partition keys.
const KEYS_BYTES_MAX: usize = 256 * 1024;

/// The held streams of one sink.
#[derive(Debug, Default)]
pub(super) struct HeldStreams {
    /// By partition key: the offset from which on every record of the stream waits, up to the last one that the worker has read.
    from: HashMap<String, Offset>,
}

impl HeldStreams {
    /// The held streams as the journal stores them.
    pub(super) fn new(stored: Vec<(String, Offset)>) -> HeldStreams {
        HeldStreams { from: stored.into_iter().collect() }
    }

    /// Returns the held streams to store, in the order of their keys.
    pub(super) fn stored(&self) -> Vec<(String, Offset)> {
        let mut stored: Vec<(String, Offset)> = self.from.iter().map(|(key, from)| (key.clone(), *from)).collect();
        stored.sort();
        stored
    }

    pub(super) fn len(&self) -> usize {
        self.from.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    pub(super) fn has(&self, key: PartitionKey<'_>) -> bool {
        self.from.contains_key(key.as_str())
    }

    /// Whether this record waits.
    pub(super) fn waits(&self, offset: Offset, key: PartitionKey<'_>) -> bool {
        self.from.get(key.as_str()).is_some_and(|from| *from <= offset)
    }

    /// The place of the first record that waits, among the wanted streams. Records of other streams may lie there.
    pub(super) fn first(&self, is_wanted: impl Fn(PartitionKey<'_>) -> bool) -> Option<Offset> {
        let wanted = self.from.iter().filter(|(key, _)| is_wanted(PartitionKey::from_text(key)));
        wanted.map(|(_, from)| *from).min()
    }

    /// Holds a stream from this record on. Returns false if there are too many held streams.
    pub(super) fn hold(&mut self, key: PartitionKey<'_>, offset: Offset) -> bool {
        if let Some(from) = self.from.get_mut(key.as_str()) {
            *from = offset.min(*from);
            return true;
        }
        let keys_bytes: usize = self.from.keys().map(String::len).sum();
        let has_place = self.from.len() < STREAMS_MAX && keys_bytes + key.as_str().len() <= KEYS_BYTES_MAX;
        if has_place {
            self.from.insert(key.as_str().to_owned(), offset);
        }
        has_place
    }

    /// Takes at most `count_max` waiting records of the wanted streams. `records` are the journal's records from
    /// [`HeldStreams::first`] on, as far as they were read; records after `position` never wait here. A stream without further
    /// waiting records is not held any longer.
    pub(super) fn take(
        &mut self,
        records: Vec<Record>,
        position: Offset,
        count_max: usize,
        is_wanted: impl Fn(PartitionKey<'_>) -> bool,
    ) -> Vec<Record> {
        let mut taken = Vec::new();
        // The last record that was looked at. Without any, the rest was pruned.
        let mut end = records.last().map_or(position, |record| record.offset).min(position);
        for record in records {
            let key = record.event.partition_key();
            if record.offset > position {
                break;
            }
            if is_wanted(key) && self.waits(record.offset, key) {
                if taken.len() == count_max {
                    end = record.offset.before();
                    break;
                }
                taken.push(record);
            }
        }
        self.from.retain(|key, from| {
            if is_wanted(PartitionKey::from_text(key)) && *from <= end {
                *from = end.next();
            }
            *from <= position
        });
        taken
    }
}
