//! `stats`: counts of events, ended sessions and callbacks by hour.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::json::{Answer, json};
use super::parameters::{TimeParameters, url_moment};
use super::query::Query;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::ReasonCategory;
use crate::http::words;
use crate::index::HourCount;
use crate::moment::{HOUR_MS, Moment, hour_of};
use crate::receiver::{ERRORS, HourlyCounts};

/// How many hours are counted by default.
const HOURS_DEFAULT: i64 = 24;

/// How many days can be counted at once.
const DAYS_MAX: i64 = 366;

/// Counts by hour. An hour without anything to count is absent.
#[derive(Debug, Serialize, ToSchema)]
struct Stats {
    /// The beginning of the first hour.
    since: Moment,
    /// The last hour begins before this moment. It is counted as a whole.
    until: Moment,
    /// Events by the hour in which they were received; `null` if the index is switched off.
    events: Option<Vec<EventHour>>,
    /// Ended sessions by the hour in which they ended; `null` if the index is switched off.
    ended: Option<Vec<EndHour>>,
    /// Callbacks by the hour in which they arrived, from `callbacks_since` on.
    callbacks: Vec<CallbackHour>,
    /// Since when callbacks are counted: not before the service started.
    callbacks_since: Moment,
    /// The sums over all hours.
    totals: Totals,
}

/// How many events of a type were received in an hour.
#[derive(Debug, Serialize, ToSchema)]
struct EventHour {
    /// The beginning of the hour.
    hour: Moment,
    /// The short name of the type. `unknown` stands for all types without a name, which lists show as `event-<number>`.
    #[serde(rename = "type")]
    #[schema(examples("push"))]
    event_type: String,
    /// How many events. An event that was received again is not counted again.
    count: i64,
}

/// How many sessions ended in an hour for a reason.
#[derive(Debug, Serialize, ToSchema)]
struct EndHour {
    /// The beginning of the hour.
    hour: Moment,
    /// The category of the reason.
    #[schema(value_type = ReasonCategory)]
    reason_category: String,
    /// How many sessions.
    count: i64,
}

/// How many callbacks of an hour had an outcome.
#[derive(Debug, Serialize, ToSchema)]
struct CallbackHour {
    /// The beginning of the hour.
    hour: Moment,
    /// `stored`, `duplicate`, or the `error` of the answer.
    #[schema(value_type = CallbackOutcome, examples("stored", "signature_mismatch"))]
    outcome: &'static str,
    /// How many callbacks.
    count: u64,
}

/// The outcomes of callbacks, for the OpenAPI document.
struct CallbackOutcome;

impl ToSchema for CallbackOutcome {}

impl utoipa::PartialSchema for CallbackOutcome {
    fn schema() -> RefOr<Schema> {
        let outcomes = ["stored", "duplicate", "displaced", "unavailable"].into_iter().chain(ERRORS);
        words(outcomes, "The outcome of a callback: it was stored, it was a duplicate, or the word of the error.")
    }
}

/// The sums over all hours.
#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    /// Events by type; `null` if the index is switched off.
    events: Option<BTreeMap<String, i64>>,
    /// Ended sessions by the category of the reason; `null` if the index is switched off.
    #[schema(value_type = Option<BTreeMap<ReasonCategory, i64>>)]
    ended: Option<BTreeMap<String, i64>>,
    /// Callbacks by outcome.
    callbacks: BTreeMap<&'static str, u64>,
}

type StatsQuery = Query<(TimeParameters,)>;

/// Count by hour.
///
/// Events by type, ended sessions by reason, and callbacks by outcome, in hours of UTC. Each hour is counted as a whole, so
/// `since` moves back to the beginning of its hour. The default of `until` is now, and of `since` 24 hours before `until`. At most
/// 366 days are counted at once.
#[utoipa::path(
    get, path = "/stats", tag = "service", params(StatsQuery),
    responses((status = 200, body = Stats, description = "The counts"))
)]
pub(super) async fn read_stats(State(api): State<Arc<Api>>, query: StatsQuery) -> Answer {
    let (since_ms, until_ms) = hours(&query.parameters.0, (api.clock)())?;
    // The receiver counts in memory, because the index never sees a refused callback.
    let hourly_counts = Arc::clone(&api.hourly_counts);
    api.answer_from_index(move |reader| {
        let counts = match &reader.index {
            Some(index) => Some((index.event_hours(since_ms, until_ms)?, index.end_hours(since_ms, until_ms)?)),
            None => None,
        };
        Ok(json(&Stats::of(since_ms, until_ms, counts, &hourly_counts)))
    })
    .await
}

impl Stats {
    /// Combines the index's counts of events and ended sessions with the receiver's counts of callbacks.
    fn of(
        since_ms: i64,
        until_ms: i64,
        counts: Option<(Vec<HourCount>, Vec<HourCount>)>,
        hourly_counts: &HourlyCounts,
    ) -> Stats {
        let (events, ended) = counts.unzip();
        let callbacks = hourly_counts.hours(since_ms, until_ms);
        let totals = Totals {
            events: events.as_ref().map(|hours| totals(hours.iter().map(|hour| (hour.label.clone(), hour.count)))),
            ended: ended.as_ref().map(|hours| totals(hours.iter().map(|hour| (hour.label.clone(), hour.count)))),
            callbacks: totals(callbacks.iter().map(|(_, outcome, count)| (*outcome, *count))),
        };
        let event_hour =
            |hour: HourCount| EventHour { hour: Moment(hour.hour_ms), event_type: hour.label, count: hour.count };
        let end_hour =
            |hour: HourCount| EndHour { hour: Moment(hour.hour_ms), reason_category: hour.label, count: hour.count };
        let callback_hour = |(hour_ms, outcome, count)| CallbackHour { hour: Moment(hour_ms), outcome, count };
        Stats {
            since: Moment(since_ms),
            until: Moment(until_ms),
            events: events.map(|hours| hours.into_iter().map(event_hour).collect()),
            ended: ended.map(|hours| hours.into_iter().map(end_hour).collect()),
            callbacks: callbacks.into_iter().map(callback_hour).collect(),
            callbacks_since: Moment(hourly_counts.since_ms()),
            totals,
        }
    }
}

/// Returns the time to count, from the beginning of an hour to a moment, in Unix ms.
fn hours(time: &TimeParameters, now_ms: i64) -> Result<(i64, i64), Problem> {
    let since_ms = url_moment("since", time.since.as_deref(), now_ms)?;
    let until_ms = url_moment("until", time.until.as_deref(), now_ms)?.unwrap_or(now_ms);
    let since_ms = since_ms.unwrap_or(until_ms.saturating_sub(HOURS_DEFAULT * HOUR_MS));
    if since_ms >= until_ms {
        return Err(Problem::parameter("since", "must be before `until`, which is now by default"));
    }
    if until_ms - since_ms > DAYS_MAX * 24 * HOUR_MS {
        return Err(Problem::parameter("since", format!("must be at most {DAYS_MAX} days before `until`")));
    }
    Ok((hour_of(since_ms), until_ms))
}

fn totals<L: Ord, C: AddAssign + Default>(counts: impl Iterator<Item = (L, C)>) -> BTreeMap<L, C> {
    let mut totals = BTreeMap::new();
    for (label, count) in counts {
        *totals.entry(label).or_default() += count;
    }
    totals
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn time_is_whole_hours_within_bounds() {
        let now_ms = 1_777_636_800_000 + 90_000; // 2026-05-01T12:01:30Z
        let read = |query: &str| {
            let query = StatsQuery::read("/stats", query)?;
            let (since_ms, until_ms) = hours(&query.parameters.0, now_ms)?;
            Ok::<Value, Problem>(serde_json::to_value([Moment(since_ms), Moment(until_ms)]).unwrap())
        };
        assert_eq!(read("").unwrap(), json!(["2026-04-30T12:00:00Z", "2026-05-01T12:01:30Z"]));
        assert_eq!(read("since=30m").unwrap(), json!(["2026-05-01T11:00:00Z", "2026-05-01T12:01:30Z"]));
        assert_eq!(read("until=2026-04-01").unwrap(), json!(["2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"]));
        assert_eq!(read("since=366d").unwrap(), json!(["2025-04-30T12:00:00Z", "2026-05-01T12:01:30Z"]));
        for (query, expected) in [
            ("since=367d", "at most 366 days before `until`"),
            ("since=0s", "must be before `until`"),
            ("since=1h&until=2h", "must be before `until`"),
            ("since=tomorrow", "give RFC 3339"),
        ] {
            let problem = serde_json::to_value(read(query).unwrap_err()).unwrap();
            assert_eq!(problem["parameter"], "since");
            assert!(problem["detail"].as_str().unwrap().contains(expected), "{query}: {problem}");
        }
    }
}
