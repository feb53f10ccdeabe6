//! `stats`: how much of what there was, by hour.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::openapi::answers;
use super::openapi::parameters::During;
use super::parameters::Parameters;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::callback::ReasonCategory;
use crate::http::words;
use crate::index::HourCount;
use crate::moment::{HOUR_MS, Moment, hour_of};
use crate::receiver::ERRORS;
use crate::receiver::HourlyCounts;

/// How much time is told of when nothing else is asked for.
const HOURS_DEFAULT: i64 = 24;

/// How much time is told of at most.
const DAYS_MAX: i64 = 366;

/// What there was in a time, by hour. Hours in which there was nothing are left out.
#[derive(Debug, Serialize, ToSchema)]
struct Stats {
    /// The beginning of the first hour.
    since: Moment,
    /// Hours that begin before it are told, each as a whole.
    until: Moment,
    /// Events by the hour in which they were received; `null` where the index is switched off.
    events: Option<Vec<EventHour>>,
    /// Ends of sessions by the hour in which they ended; `null` where the index is switched off.
    ended: Option<Vec<EndHour>>,
    /// Callbacks by the hour in which they came, as far back as `callbacks_since`.
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
    /// The short name of the type; `unknown` for all that have none, which other lists call `event-<number>`.
    #[serde(rename = "type")]
    #[schema(examples("push"))]
    event_type: String,
    /// How many. One that was received again is not counted again.
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
    /// How many.
    count: i64,
}

/// How many callbacks came to an end in an hour.
#[derive(Debug, Serialize, ToSchema)]
struct CallbackHour {
    /// The beginning of the hour.
    hour: Moment,
    /// `stored`, `duplicate`, or the word under `error` of the answer.
    #[schema(value_type = CallbackOutcome, examples("stored", "signature_mismatch"))]
    outcome: &'static str,
    /// How many.
    count: u64,
}

/// What became of a callback, as the description of the API tells it.
struct CallbackOutcome;

impl ToSchema for CallbackOutcome {}

impl utoipa::PartialSchema for CallbackOutcome {
    fn schema() -> RefOr<Schema> {
        let outcomes = ["stored", "duplicate", "unavailable"].into_iter().chain(ERRORS);
        words(outcomes, "What became of a callback: it was stored, or the word of why not.")
    }
}

/// The sums over all hours, by what was counted.
#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    /// By type; `null` where the index is switched off.
    events: Option<BTreeMap<String, i64>>,
    /// By the category of the reason; `null` where the index is switched off.
    #[schema(value_type = Option<BTreeMap<ReasonCategory, i64>>)]
    ended: Option<BTreeMap<String, i64>>,
    /// By outcome.
    callbacks: BTreeMap<&'static str, u64>,
}

/// Count by hour.
///
/// Events by type, ends of sessions by reason, and callbacks by what became of them, in hours of UTC. `since` is taken back
/// to the beginning of its hour, and is 24 hours before `until` where it is not given; `until` is now where it is not given. At
/// most 366 days are told at once.
#[utoipa::path(
    get,
    path = "/api/v1/stats",
    operation_id = "read_stats",
    tag = "service",
    params(During),
    responses(
        (status = 200, body = Stats, description = "The counts"),
        answers::Refused,
    )
)]
pub(super) async fn get(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let (since_ms, until_ms) = window(&mut parameters, (api.clock)())?;
    parameters.finish()?;
    let hourly_counts = Arc::clone(&api.hourly_counts);
    let text = api.readers.ask(move |reader| {
        let counted = match &reader.index {
            Some(index) => Some((index.event_hours(since_ms, until_ms)?, index.end_hours(since_ms, until_ms)?)),
            None => None,
        };
        Ok(text_of(&Stats::of(since_ms, until_ms, counted, &hourly_counts)))
    });
    Ok(json(text.await?, "application/json", None))
}

impl Stats {
    /// Puts them together. `counted` is what the index has counted: events, and ends of sessions.
    fn of(
        since_ms: i64,
        until_ms: i64,
        counted: Option<(Vec<HourCount>, Vec<HourCount>)>,
        hourly_counts: &HourlyCounts,
    ) -> Stats {
        let (events, ended) = counted.unzip();
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

/// From the beginning of an hour to a moment, in Unix ms.
fn window(parameters: &mut Parameters, now_ms: i64) -> Result<(i64, i64), Problem> {
    let since_ms = parameters.moment("since", now_ms)?;
    let until_ms = parameters.moment("until", now_ms)?.unwrap_or(now_ms);
    let since_ms = since_ms.unwrap_or(until_ms.saturating_sub(HOURS_DEFAULT * HOUR_MS));
    if since_ms >= until_ms {
        return Err(Problem::parameter("since", "must be before `until`, which is now where it is not given"));
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
    use serde_json::json;

    use super::*;

    #[test]
    fn the_time_is_whole_hours_within_bounds() {
        let now_ms = 1_777_636_800_000 + 90_000; // 2026-05-01T12:01:30Z
        let read = |query: &str| {
            let mut parameters = Parameters::of(Some(query));
            let (since_ms, until_ms) = window(&mut parameters, now_ms)?;
            Ok::<_, Problem>(serde_json::to_value([Moment(since_ms), Moment(until_ms)]).unwrap())
        };
        assert_eq!(read("").unwrap(), json!(["2026-04-30T12:00:00Z", "2026-05-01T12:01:30Z"]));
        assert_eq!(read("since=30m").unwrap(), json!(["2026-05-01T11:00:00Z", "2026-05-01T12:01:30Z"]));
        assert_eq!(read("until=2026-04-01").unwrap(), json!(["2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"]));
        assert_eq!(read("since=366d").unwrap(), json!(["2025-04-30T12:00:00Z", "2026-05-01T12:01:30Z"]));
        for (query, said) in [
            ("since=367d", "at most 366 days before `until`"),
            ("since=0s", "must be before `until`"),
            ("since=1h&until=2h", "must be before `until`"),
            ("since=tomorrow", "give RFC 3339"),
        ] {
            let problem = serde_json::to_value(read(query).unwrap_err()).unwrap();
            assert_eq!(problem["parameter"], "since");
            assert!(problem["detail"].as_str().unwrap().contains(said), "{query}: {problem}");
        }
    }
}
