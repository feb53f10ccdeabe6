//! `dead-letters`: what sinks gave up on, and what is to be done with it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::changes::{self, GivenBody, NumberInPath};
use super::openapi::answers;
use super::openapi::parameters::{During, LetterParameters, Part};
use super::page::{Page, Place};
use super::parameters::Parameters;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::journal::{DeadLetter, DeadLetterAction, DeadLetterSelection};
use crate::moment::Moment;

/// How many numbers and ids one request may name.
const NAMED_MAX: usize = 1000;

/// A dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct LetterView {
    /// What it is called by.
    number: i64,
    /// The sink that gave it up.
    sink: String,
    /// Whether that sink is configured.
    has_sink: bool,
    /// How often it was tried, in all.
    attempts: u32,
    /// Why it was given up last.
    reason: String,
    /// When it was given up last.
    failed: Moment,
    /// When it was put back, to be sent again; `null` while it is not.
    redriven: Option<Moment>,
    /// The event's id.
    id: EventId,
    /// When the event was received.
    received: Moment,
    /// The event, as every sink gets it; only where one dead letter is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = answers::Event, required = false)]
    event: Option<Box<RawValue>>,
}

impl LetterView {
    fn new(letter: DeadLetter, api: &Api) -> LetterView {
        LetterView {
            number: letter.number,
            has_sink: api.sink(&letter.sink).is_some(),
            sink: letter.sink,
            attempts: letter.attempts,
            reason: letter.failure,
            failed: Moment(letter.failed_at_ms),
            redriven: letter.redriven_at_ms.map(Moment),
            id: letter.event.id(),
            received: Moment(letter.event.received_ms()),
            event: None,
        }
    }
}

/// List dead letters.
///
/// What sinks gave up on, by number, which is the order in which they became dead letters. The moments are those of the last failure.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    operation_id = "list_dead_letters",
    tag = "deliveries",
    params(LetterParameters, During, Part),
    responses(
        (status = 200, body = Page<LetterView>, description = "A page of dead letters, without their events"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("dead-letters", api.journal.generation());
    let text = |text: &str| Ok::<_, String>(text.to_owned());
    let (since_ms, until_ms) = parameters.during(now_ms)?;
    let selection = DeadLetterSelection {
        sink: parameters.one("sink", text)?,
        numbers: Vec::new(),
        ids: parameters.list("id", str::parse::<EventId>)?,
        since_ms,
        until_ms,
    };
    let limit = parameters.limit()?;
    let after = parameters.page(question)?.map_or(0, |Place(number, _)| number);
    parameters.finish()?;
    let page = api.readers.ask(move |reader| Ok(reader.journal.dead_letters(&selection, after, limit)?)).await?;
    let items = page.dead_letters.into_iter().map(|letter| LetterView::new(letter, &api)).collect();
    let next = page.next.map(|number| Place(number, 0).token(question));
    Ok(json(text_of(&Page { items, next }), "application/json", None))
}

/// Read a dead letter.
///
/// With its event.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters/{number}",
    operation_id = "read_dead_letter",
    tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = LetterView, description = "The dead letter"),
        answers::Refused,
        answers::NotFound,
    )
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    number: NumberInPath,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let number = changes::number(number)?;
    let letter = api.readers.ask(move |reader| Ok(reader.journal.dead_letter(number)?)).await?;
    let letter = letter.ok_or_else(|| Problem::not_found(format!("there is no dead letter {number}, or no longer")))?;
    // What is stored is JSON: it was written by livehook.
    let event = RawValue::from_string(letter.event.line().to_owned()).ok();
    let view = LetterView { event, ..LetterView::new(letter, &api) };
    Ok(json(text_of(&view), "application/json", None))
}

/// Which dead letters a change is for: those that are all of what is given; `numbers` and `ids` are one choice together.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeadLetterRequest)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Selection {
    /// All of them; must be said, and beside nothing else.
    all: bool,
    /// Those of this sink.
    sink: Option<String>,
    /// Those of these numbers; with `ids` 1000 at most.
    #[schema(max_items = 1000)]
    numbers: Vec<i64>,
    /// Those of these events.
    #[schema(max_items = 1000)]
    ids: Vec<String>,
    /// Those that failed last then or later, in the forms of the parameters.
    since: Option<String>,
    /// Those that failed last before.
    until: Option<String>,
}

impl Selection {
    fn selection(self, now_ms: i64) -> Result<DeadLetterSelection, Problem> {
        if self.numbers.len() + self.ids.len() > NAMED_MAX {
            return Err(Problem::parameter(
                "numbers",
                format!("with `ids` there may be {NAMED_MAX} at most: ask more than once"),
            ));
        }
        let ids = self.ids.iter().map(|id| id.parse().map_err(|error| Problem::parameter("ids", error)));
        let (since_ms, until_ms) = changes::during(self.since.as_deref(), self.until.as_deref(), now_ms)?;
        let selection = DeadLetterSelection {
            sink: self.sink,
            numbers: self.numbers,
            ids: ids.collect::<Result<_, _>>()?,
            since_ms,
            until_ms,
        };
        match (self.all, selection == DeadLetterSelection::default()) {
            (false, true) => Err(Problem::parameter(
                "all",
                "nothing is selected: give sink, numbers, ids, since or until, or say {\"all\": true}",
            )),
            (true, false) => {
                Err(Problem::parameter("all", "cannot be said beside what selects: leave one of them out"))
            }
            _ => Ok(selection),
        }
    }
}

/// What a change did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedDeadLetters)]
struct ChangedView {
    /// How many were put back, or dropped.
    count: u64,
    /// How many were not, since their sink is not configured, by sink.
    without_sink: std::collections::BTreeMap<String, u64>,
}

/// Put dead letters back.
///
/// Each is sent to its own sink again, with the id that it has, and goes away once it has arrived. One that fails again stays.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/redrive",
    operation_id = "redrive_dead_letters",
    tag = "deliveries",
    request_body = Selection,
    security(("token" = [])),
    responses(
        (status = 200, body = ChangedView, description = "How many were put back"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_such_sink`: the sink is not configured"),
        answers::BodyNotTaken,
        answers::Refused,
    )
)]
pub(super) async fn redrive(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    body: GivenBody,
) -> Result<Response<Body>, Problem> {
    let selection = changes::read::<Selection>(query.as_deref(), body)?.selection((api.clock)())?;
    selection.sink.as_deref().map(|sink| api.configured(sink)).transpose()?;
    change(&api, DeadLetterAction::Redrive, selection).await
}

/// Remove dead letters for good.
///
/// Also those that are put back and have not been delivered yet.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/drop",
    operation_id = "drop_dead_letters",
    tag = "deliveries",
    request_body = Selection,
    security(("token" = [])),
    responses(
        (status = 200, body = ChangedView, description = "How many were dropped"),
        answers::BodyNotTaken,
        answers::Refused,
    )
)]
pub(super) async fn drop(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    body: GivenBody,
) -> Result<Response<Body>, Problem> {
    let selection = changes::read::<Selection>(query.as_deref(), body)?.selection((api.clock)())?;
    change(&api, DeadLetterAction::Drop, selection).await
}

async fn change(
    api: &Api,
    action: DeadLetterAction,
    selection: DeadLetterSelection,
) -> Result<Response<Body>, Problem> {
    let changed = api.journal.change_dead_letters(action, selection).await.map_err(changes::not_changed)?;
    let count = changed.count;
    match action {
        DeadLetterAction::Redrive => tracing::info!(count, "dead letters were put back, to be sent again"),
        DeadLetterAction::Drop => tracing::warn!(count, "dead letters were dropped by a request to the admin endpoint"),
    }
    let view = ChangedView { count, without_sink: changed.without_sink };
    Ok(json(text_of(&view), "application/json", None))
}
