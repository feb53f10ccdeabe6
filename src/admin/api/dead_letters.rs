//! `dead-letters`: the events that sinks gave up on, and the requests that redrive or drop them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::body::{JsonBody, time_range};
use super::json::{Answer, answer, json, raws};
use super::page::{Page, PageParameters, Place};
use super::parameters::TimeParameters;
use super::path::{Number, PathParameter};
use super::query::{Query, values};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::journal::{ChangedDeadLetters, DeadLetter, DeadLetterAction, DeadLetterSelection};
use crate::moment::Moment;

/// How many numbers and ids a request can name.
const NAMED_MAX: usize = 1000;

/// A dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct DeadLetterView<'a> {
    /// Its number.
    number: i64,
    /// The sink that gave up on the event.
    sink: &'a str,
    /// Whether that sink is configured.
    has_sink: bool,
    /// How many attempts there were.
    attempts: u32,
    /// Why the last attempt failed.
    reason: &'a str,
    /// When the last attempt failed.
    failed: Moment,
    /// When it was redriven; `null` if it is not waiting to be sent again.
    redriven: Option<Moment>,
    /// The event's id.
    id: EventId,
    /// When the event was received.
    received: Moment,
    /// The event, as every sink gets it. Only a request for a single dead letter shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = responses::Event, required = false)]
    event: Option<&'a RawValue>,
}

impl DeadLetterView<'_> {
    fn new<'a>(dead_letter: &'a DeadLetter, api: &Api) -> DeadLetterView<'a> {
        DeadLetterView {
            number: dead_letter.number,
            sink: &dead_letter.sink,
            has_sink: api.sink(&dead_letter.sink).is_some(),
            attempts: dead_letter.attempts,
            reason: &dead_letter.failure,
            failed: Moment(dead_letter.failed_at_ms),
            redriven: dead_letter.redriven_at_ms.map(Moment),
            id: dead_letter.event.id(),
            received: Moment(dead_letter.event.received_ms()),
            event: None,
        }
    }
}

type DeadLettersQuery = Query<(DeadLetterParameters, TimeParameters, PageParameters)>;

/// Only these dead letters.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadLetterParameters {
    /// Dead letters of this sink, which need not be configured.
    #[param(value_type = String, required = false)]
    sink: Option<String>,
    /// Dead letters of the event with this id. Repeat the parameter for several events.
    #[serde(deserialize_with = "values")]
    #[param(required = false, max_items = 50)]
    id: Vec<EventId>,
}

/// List dead letters.
///
/// The events that sinks gave up on, by number. Newer dead letters have larger numbers. `since` and `until` apply to `failed`.
#[utoipa::path(
    get, path = "/dead-letters", tag = "deliveries", params(DeadLettersQuery),
    responses(
        (status = 200, body = Page<DeadLetterView>, description = "A page of dead letters, without their events"),
    )
)]
pub(super) async fn list_dead_letters(State(api): State<Arc<Api>>, query: DeadLettersQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (dead_letters, time, page) = query.parameters;
    let failed = time.range((api.clock)())?;
    let page = page.request(digest)?;
    let after = page.after.map_or(0, |Place(number, _)| number);
    let selection = DeadLetterSelection { sink: dead_letters.sink, numbers: Vec::new(), ids: dead_letters.id, failed };
    let found = api.readers.run(move |reader| Ok(reader.journal.dead_letters(&selection, after, page.limit)?)).await?;
    let views = found.dead_letters.iter().map(|dead_letter| DeadLetterView::new(dead_letter, &api)).collect();
    Ok(answer(json(&page.page(views, found.next.map(|number| Place(number, 0))))))
}

/// Read a dead letter.
///
/// The dead letter with its event.
#[utoipa::path(
    get, path = "/dead-letters/{number}", tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    responses((status = 200, body = DeadLetterView, description = "The dead letter"), responses::NotFound)
)]
pub(super) async fn read_dead_letter(
    State(api): State<Arc<Api>>,
    PathParameter(Number(number)): PathParameter<Number>,
) -> Answer {
    let shared = Arc::clone(&api);
    api.answer(move |reader| {
        let dead_letter = reader.journal.dead_letter(number)?;
        let dead_letter = dead_letter.ok_or_else(|| {
            Problem::not_found(format!("there is no dead letter {number}; it may have been delivered or dropped"))
        })?;
        let event = raws([&dead_letter.event]).pop();
        Ok(json(&DeadLetterView { event, ..DeadLetterView::new(&dead_letter, &shared) }))
    })
    .await
}

/// Selects the dead letters to change. A dead letter must match every member. `numbers` and `ids` count as one member, so it must
/// match one of either.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeadLetterRequest)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DeadLetterRequest {
    /// True for all dead letters. No other member is allowed then.
    all: bool,
    /// Dead letters of this sink.
    sink: Option<String>,
    /// Dead letters with these numbers; with `ids` at most 1000.
    #[schema(max_items = 1000)]
    numbers: Vec<i64>,
    /// Dead letters of the events with these ids.
    #[schema(max_items = 1000)]
    ids: Vec<String>,
    /// Dead letters that failed last at this moment or later, in the forms of the parameters.
    since: Option<String>,
    /// Dead letters that failed last before this moment.
    until: Option<String>,
}

impl DeadLetterRequest {
    fn selection(self, now_ms: i64) -> Result<DeadLetterSelection, Problem> {
        if self.numbers.len() + self.ids.len() > NAMED_MAX {
            return Err(Problem::parameter(
                "numbers",
                format!("more than {NAMED_MAX} numbers and ids: split the request into several"),
            ));
        }
        let ids = self.ids.iter().map(|id| id.parse().map_err(|error| Problem::parameter("ids", error)));
        let failed = time_range(self.since.as_deref(), self.until.as_deref(), now_ms)?;
        let selection =
            DeadLetterSelection { sink: self.sink, numbers: self.numbers, ids: ids.collect::<Result<_, _>>()?, failed };
        // An empty object must not redrive or drop everything by accident.
        match (self.all, selection == DeadLetterSelection::default()) {
            (false, true) => Err(Problem::parameter(
                "all",
                "nothing is selected: send sink, numbers, ids, since or until, or {\"all\": true}",
            )),
            (true, false) => Err(Problem::parameter(
                "all",
                "cannot be combined with other members: send `all` alone, or leave it out",
            )),
            _ => Ok(selection),
        }
    }
}

/// The result of a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedDeadLetters)]
struct ChangedView {
    /// How many dead letters were redriven or dropped.
    count: u64,
    /// How many dead letters were not redriven because their sink is not configured, by sink.
    without_sink: BTreeMap<String, u64>,
}

/// Redrive dead letters.
///
/// Each is sent to its own sink again, with the same event id, and is removed after it was delivered. One that fails again stays.
#[utoipa::path(
    post, path = "/dead-letters/redrive", tag = "deliveries", request_body = DeadLetterRequest,
    responses(
        (status = 200, body = ChangedView, description = "How many were redriven"),
        (status = 409, body = Problem, content_type = "application/problem+json",
         description = "`no_such_sink`: the sink is not configured"),
    )
)]
pub(super) async fn redrive_dead_letters(
    State(api): State<Arc<Api>>,
    JsonBody(request): JsonBody<DeadLetterRequest>,
) -> Answer {
    let selection = request.selection((api.clock)())?;
    selection.sink.as_deref().map(|sink| api.configured_sink(sink)).transpose()?;
    change(&api, DeadLetterAction::Redrive, selection).await
}

/// Drop dead letters.
///
/// They are removed for good, including redriven ones that have not been delivered yet.
#[utoipa::path(
    post, path = "/dead-letters/drop", tag = "deliveries", request_body = DeadLetterRequest,
    responses((status = 200, body = ChangedView, description = "How many were dropped"))
)]
pub(super) async fn drop_dead_letters(
    State(api): State<Arc<Api>>,
    JsonBody(request): JsonBody<DeadLetterRequest>,
) -> Answer {
    let selection = request.selection((api.clock)())?;
    change(&api, DeadLetterAction::Drop, selection).await
}

async fn change(api: &Api, action: DeadLetterAction, selection: DeadLetterSelection) -> Answer {
    let ChangedDeadLetters { count, without_sink } = api.change_dead_letters(action, selection).await?;
    Ok(answer(json(&ChangedView { count, without_sink })))
}
