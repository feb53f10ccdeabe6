//! `replays`: recorded events that are sent to one sink again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::changes::{self, GivenBody, Nothing, NumberInPath};
use super::openapi::answers;
use super::openapi::parameters::Part;
use super::page::{Page, Place};
use super::parameters::Parameters;
use super::replay_count::Counting;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::delivery::ReplaySelection;
use crate::journal::{CLOCK_SLACK_MS, NewReplay, Offset, Replay};
use crate::moment::Moment;

/// How long the events of a replay that is to begin are counted at most.
const COUNTING_MAX: Duration = Duration::from_secs(1);

/// How many patterns of one kind a request may hold.
const PATTERNS_MAX: usize = 1000;

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replay)]
pub(crate) struct ReplayView {
    /// What it is called by.
    id: i64,
    /// The sink that is given the events.
    sink: String,
    /// What has become of it.
    state: ReplayState,
    /// Whether the sink is configured: without it, the replay waits.
    has_sink: bool,
    /// Which events.
    selection: Selection,
    /// How many they were when it was asked for; `null` where they were too many to count within a second.
    counted: Option<i64>,
    /// How many the sink took.
    done: i64,
    /// How many it refused for good. Each is in the journal still, and none becomes a dead letter.
    failed: i64,
    /// Once it is done: how many were pruned before their turn, if they were counted.
    missed: Option<i64>,
    /// Why the last one failed that did.
    last_reason: Option<String>,
    /// When it was asked for.
    created: Moment,
    /// When it ended.
    ended: Option<Moment>,
}

/// What has become of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReplayState {
    /// It waits or runs.
    Running,
    /// It has come to its end.
    Done,
    /// It was ended before that.
    Cancelled,
}

/// Which events, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplaySelection)]
struct Selection {
    /// Received then or later.
    since: Option<Moment>,
    /// Received before.
    until: Option<Moment>,
    /// Of these types.
    types: Vec<String>,
    /// Of these domains.
    domains: Vec<String>,
    /// Of these streams.
    streams: Vec<String>,
}

impl From<ReplaySelection> for Selection {
    fn from(selection: ReplaySelection) -> Selection {
        let ReplaySelection { since_ms, until_ms, types, domains, streams } = selection;
        Selection { since: since_ms.map(Moment), until: until_ms.map(Moment), types, domains, streams }
    }
}

impl ReplayView {
    fn new(replay: Replay, api: &Api) -> ReplayView {
        let NewReplay { sink, selection, counted, .. } = replay.order;
        let state = match (replay.ended_at_ms, replay.is_cancelled) {
            (None, _) => ReplayState::Running,
            (Some(_), true) => ReplayState::Cancelled,
            (Some(_), false) => ReplayState::Done,
        };
        let missed = counted.map(|counted| (counted - replay.done - replay.failed).max(0));
        ReplayView {
            id: replay.number,
            has_sink: api.sink(&sink).is_some(),
            sink,
            state,
            // One that cannot be read was written by another version, and is shown as if nothing was selected.
            selection: serde_json::from_str::<ReplaySelection>(&selection).unwrap_or_default().into(),
            counted,
            done: replay.done,
            failed: replay.failed,
            missed: missed.filter(|_| state == ReplayState::Done),
            last_reason: replay.last_reason,
            created: Moment(replay.created_at_ms),
            ended: replay.ended_at_ms.map(Moment),
        }
    }
}

/// List replays.
///
/// The newest first. Of those that have ended, the newest 100 are remembered.
#[utoipa::path(
    get,
    path = "/api/v1/replays",
    operation_id = "list_replays",
    tag = "deliveries",
    params(Part),
    responses(
        (status = 200, body = Page<ReplayView>, description = "A page of replays"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("replays", api.journal.generation());
    let limit = parameters.limit()?;
    let before = parameters.page(question)?.map_or(i64::MAX, |Place(number, _)| number);
    parameters.finish()?;
    let replays = api.readers.ask(move |reader| Ok(reader.journal.replays(before, limit + 1)?)).await?;
    let Page { items, next } = Page::cut(replays, limit, question, |replay| (replay.number, 0));
    let items = items.into_iter().map(|replay| ReplayView::new(replay, &api)).collect();
    Ok(json(text_of(&Page { items, next }), "application/json", None))
}

/// Read how far a replay is.
///
/// What is done is told in steps of some events.
#[utoipa::path(
    get,
    path = "/api/v1/replays/{number}",
    operation_id = "read_replay",
    tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = ReplayView, description = "The replay"),
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
    shown(&api, changes::number(number)?, StatusCode::OK).await
}

async fn shown(api: &Arc<Api>, number: i64, status: StatusCode) -> Result<Response<Body>, Problem> {
    let replay = api.readers.ask(move |reader| Ok(reader.journal.replay(number)?)).await?;
    let replay = replay.ok_or_else(|| Problem::not_found(format!("there is no replay {number}, or no longer")))?;
    let mut response = json(text_of(&ReplayView::new(replay, api)), "application/json", None);
    *response.status_mut() = status;
    Ok(response)
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ReplayRequest)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The sink to send to.
    sink: String,
    /// Received then or later, in the forms of the parameters.
    #[serde(default)]
    since: Option<String>,
    /// Received before.
    #[serde(default)]
    until: Option<String>,
    /// Of these types, by name or number.
    #[serde(default)]
    #[schema(max_items = 1000)]
    types: Vec<String>,
    /// Of these domains, or below them as in `*.example.com`.
    #[serde(default)]
    #[schema(max_items = 1000)]
    domains: Vec<String>,
    /// Of these streams, each `*` any characters.
    #[serde(default)]
    #[schema(max_items = 1000)]
    streams: Vec<String>,
    /// Whether they are only counted.
    #[serde(default)]
    dry_run: bool,
}

/// What a replay would send.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayDryRun)]
struct DryRun {
    /// The sink.
    sink: String,
    /// How many events.
    counted: i64,
}

/// Send recorded events to a sink again.
///
/// Those that the journal has when it is asked for, that are selected and that the filter of the sink passes, in their order. The cursor of
/// the sink stays where it is. With `dry_run` they are only counted, which takes its time where they are many.
#[utoipa::path(
    post,
    path = "/api/v1/replays",
    operation_id = "begin_replay",
    tag = "deliveries",
    request_body = Request,
    security(("token" = [])),
    responses(
        (status = 200, body = DryRun, description = "How many it would be"),
        (status = 202, body = ReplayView, description = "It has begun"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_such_sink`: the sink is not configured; `too_many_replays`: as many replays wait or run as may"),
        answers::BodyNotTaken,
        answers::Refused,
    )
)]
pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    body: GivenBody,
) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let Request { sink, since, until, types, domains, streams, dry_run } = changes::read(query.as_deref(), body)?;
    let status = api.configured(&sink)?;
    let (since_ms, until_ms) = changes::during(since.as_deref(), until.as_deref(), now_ms)?;
    let selection = ReplaySelection { since_ms, until_ms, types, domains, streams };
    if [&selection.types, &selection.domains, &selection.streams].iter().any(|list| list.len() > PATTERNS_MAX) {
        return Err(Problem::parameter("types", format!("no list may hold more than {PATTERNS_MAX}")));
    }
    let selected = selection.selection().map_err(|(member, rule)| Problem::parameter(member, rule))?;
    let kept = text_of(&selection);
    let last = api.journal.health().head;
    let first = match selection.since_ms {
        Some(since_ms) => api.readers.ask(move |reader| Ok(reader.journal.offset_before(since_ms)?)).await?,
        None => Offset::default(),
    };
    let ends_ms = selection.until_ms.map_or(i64::MAX, |until_ms| until_ms.saturating_add(CLOCK_SLACK_MS));
    let counting = Counting::new([selected, status.selection.clone()], first, last, ends_ms);
    if dry_run {
        // One at a time, since it goes on until it is done.
        let _counting = api.counting.lock().await;
        let counted = counting.run(&api.readers, None).await?.counted;
        return Ok(json(text_of(&DryRun { sink, counted }), "application/json", None));
    }

    let counting = counting.run(&api.readers, Some(Instant::now() + COUNTING_MAX)).await?;
    let counted = counting.is_done.then_some(counting.counted);
    let order = NewReplay { sink, selection: kept, first, last, counted };
    let begun = api.journal.begin_replay(order).await.map_err(changes::not_changed)?;
    let Some(number) = begun else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "too_many_replays",
            "as many replays wait or run as may: let some end, or cancel them",
        ));
    };
    tracing::info!(replay = number, events = counted, "a replay was asked for");
    shown(&api, number, StatusCode::ACCEPTED).await
}

/// End a replay.
///
/// One that has ended already stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/replays/{number}/cancel",
    operation_id = "cancel_replay",
    tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    request_body(content = Option<Nothing>, description = "None, or an empty object; its type must be told all the same"),
    security(("token" = [])),
    responses(
        (status = 200, body = ReplayView, description = "The replay as it is now"),
        answers::BodyNotTaken,
        answers::Refused,
        answers::NotFound,
    )
)]
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    number: NumberInPath,
    RawQuery(query): RawQuery,
    body: GivenBody,
) -> Result<Response<Body>, Problem> {
    changes::read_nothing(query.as_deref(), body)?;
    let number = changes::number(number)?;
    if api.journal.cancel_replay(number).await.map_err(changes::not_changed)? {
        tracing::info!(replay = number, "a replay was cancelled");
    }
    shown(&api, number, StatusCode::OK).await
}
