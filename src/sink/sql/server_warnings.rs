//! Catches the warnings of a PostgreSQL server. The library shows them only as events of `tracing`.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The target of the library's events.
const TARGET: &str = "sqlx::postgres::notice";

/// The warnings of one connection.
pub(super) struct ServerWarnings {
    last: Arc<Mutex<Option<String>>>,
    dispatch: Dispatch,
}

struct Catcher {
    last: Arc<Mutex<Option<String>>>,
}

impl ServerWarnings {
    /// Catches none yet.
    pub(super) fn new() -> ServerWarnings {
        let last = Arc::default();
        let dispatch = Dispatch::new(Catcher { last: Arc::clone(&last) });
        ServerWarnings { last, dispatch }
    }

    /// Runs `statement`, and returns its result with the last warning that came before its end.
    pub(super) async fn catch<T>(&self, statement: impl Future<Output = T>) -> (T, Option<String>) {
        let result = statement.with_subscriber(self.dispatch.clone()).await;
        (result, self.last.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl Subscriber for Catcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The field `message` of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string can't fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_warnings_of_the_server_are_caught() {
        let warnings = ServerWarnings::new();
        let (_, none) = warnings.catch(async { tracing::error!(target: "another", "no") }).await;
        assert_eq!(none, None);
        let statement = async {
            tracing::info!(target: "sqlx::postgres::notice", "no warning");
            tracing::warn!(target: "sqlx::postgres::notice", message = "a warning");
            7
        };
        assert_eq!(warnings.catch(statement).await, (7, Some("a warning".to_owned())));
        assert_eq!(warnings.catch(async {}).await.1, None);
    }
}
