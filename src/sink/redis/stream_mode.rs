//! Mode `stream`: an entry for each event, with the fields `id`, `type` and `event`.
//!
//! The id of an entry is `<generation>-<offset>`. The generation is a time in ms that the sink stores next to its cursor. So an
//! event that is tried again meets its own entry, and isn't added twice.
//!
//! Ids must ascend. So a new generation begins if an event is sent that is confirmed already, as in a replay, and if another
//! program has written a larger id.

use redis::Script;

use super::connection::Connection;
use super::options::Options;
use crate::journal::{Offset, Record};
use crate::sink::Failure;

/// How often an event gets another generation, because another program may write to the stream at the same time.
const TRIES_MAX: usize = 5;

/// The start of the error of an id that isn't larger than all others.
const SMALLER: &str = "ERR The ID specified in XADD is equal or smaller";

/// Writes to a stream.
pub(super) struct StreamMode {
    script: Script,
    /// The generation of the next entry, in Unix ms.
    generation_ms: i64,
    /// The last event that the server has confirmed in this generation.
    confirmed: Offset,
}

impl StreamMode {
    /// Continues with the stored state after `cursor`, or begins a generation now.
    pub(super) fn new(state: Option<&[u8]>, cursor: Offset, now_ms: i64) -> StreamMode {
        let stored = state.and_then(|state| str::from_utf8(state).ok()?.parse().ok());
        let script = Script::new(include_str!("stream.lua"));
        StreamMode { script, generation_ms: stored.unwrap_or(now_ms), confirmed: cursor }
    }

    /// The state to store next to the cursor.
    pub(super) fn state(&self) -> Vec<u8> {
        self.generation_ms.to_string().into_bytes()
    }

    /// Adds events, oldest first. Returns how many are in the stream, and why the next one isn't.
    pub(super) async fn send(
        &mut self,
        connection: &mut Connection,
        options: &Options,
        events: &[Record],
        now_ms: i64,
    ) -> (usize, Option<Failure>) {
        let (mut done, mut tries) = (0, 0);
        while done < events.len() {
            if events[done].offset <= self.confirmed {
                self.begin_generation(self.generation_ms, now_ms);
            }
            let ascending = events[done..].windows(2).take_while(|pair| pair[0].offset < pair[1].offset).count() + 1;
            let (count, error, last_id) = match self.call(connection, options, &events[done..done + ascending]).await {
                Ok(answer) => answer,
                Err(failure) => return (done, Some(failure)),
            };
            let count = count.min(ascending);
            if count > 0 {
                self.confirmed = events[done + count - 1].offset;
                (done, tries) = (done + count, 0);
            }
            if count < ascending {
                tries += 1;
                if !error.starts_with(SMALLER) || tries > TRIES_MAX {
                    return (done, Some(connection.failure(&error)));
                }
                let last_ms = last_id.split('-').next().and_then(|text| text.parse().ok());
                self.begin_generation(last_ms.unwrap_or(self.generation_ms), now_ms);
            }
        }
        (done, None)
    }

    /// Begins a generation after `last_ms`.
    fn begin_generation(&mut self, last_ms: i64, now_ms: i64) {
        self.generation_ms = now_ms.max(last_ms.saturating_add(1));
        self.confirmed = Offset(0);
    }

    async fn call(
        &self,
        connection: &mut Connection,
        options: &Options,
        events: &[Record],
    ) -> Result<(usize, String, String), Failure> {
        let mut call = self.script.key(&options.stream);
        call.arg(self.generation_ms);
        call.arg(options.maxlen.map(|maxlen| maxlen.to_string()).unwrap_or_default());
        for Record { offset, event } in events {
            call.arg(offset.0).arg(event.id().to_string());
            call.arg(event.event_type().cloud_event_type().to_string()).arg(options.format.text(event));
        }
        connection.call(&call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_keeps_the_generation() {
        let first = StreamMode::new(None, Offset(0), 1_700_000_000_000);
        assert_eq!(StreamMode::new(Some(&first.state()), Offset(0), 5).generation_ms, 1_700_000_000_000);
        assert_eq!(StreamMode::new(Some(b"?"), Offset(0), 5).generation_ms, 5);
    }

    #[test]
    fn generations_ascend_if_the_clock_does_not() {
        let mut mode = StreamMode::new(None, Offset(9), 1000);
        mode.begin_generation(1000, 7);
        assert_eq!((mode.generation_ms, mode.confirmed), (1001, Offset(0)));
        mode.begin_generation(1001, 5000);
        assert_eq!(mode.generation_ms, 5000);
    }
}
