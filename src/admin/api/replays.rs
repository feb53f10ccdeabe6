//! `replays`: journal records that are sent to one sink again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{EmptyBody, JsonBody, Nothing, time_range};
use super::json::{Answer, answer, json};
use super::page::{Page, PageParameters, Place};
use super::path::{Number, PathParameter};
use super::query::Query;
use super::replay_count::Counting;
use super::responses;
use super::state::{Api, not_changed};
use crate::admin::problem::Problem;
use crate::delivery::ReplaySelection;
use crate::journal::{CLOCK_SLACK_MS, NewReplay, Offset, Replay};
use crate::moment::{Moment, TimeRange};

/// How long the events of a new replay are counted.
const COUNTING_MAX: Duration = Duration::from_secs(1);

/// How many patterns of one kind a request can have.
const PATTERNS_MAX: usize = 1000;

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replay)]
struct ReplayView {
    /// Its number.
    id: i64,
    /// The sink that gets the events.
    sink: String,
    /// Its state.
    state: ReplayState,
    /// Whether the sink is configured. Without its sink a replay waits.
    has_sink: bool,
    /// Which events it sends.
    selection: SelectionView,
    /// How many events were selected when it began; `null` if they could not be counted within a second.
    counted: Option<i64>,
    /// How many events the sink accepted.
    done: i64,
    /// How many events the sink rejected for good. They stay in the journal, and do not become dead letters.
    failed: i64,
    /// How many events were pruned before they were sent, once the replay is done and if they were counted.
    missed: Option<i64>,
    /// Why the sink rejected the last event that it rejected.
    last_reason: Option<String>,
    /// When it was requested.
    created: Moment,
    /// When it ended.
    ended: Option<Moment>,
}

/// The state of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReplayState {
    /// It waits or sends.
    Running,
    /// It has sent everything.
    Done,
    /// It was cancelled before it was done.
    Cancelled,
}

/// The events of a replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplaySelection)]
struct SelectionView {
    /// Received at this moment or later.
    since: Option<Moment>,
    /// Received before this moment.
    until: Option<Moment>,
    /// Only events of these types; empty for all types.
    types: Vec<String>,
    /// Only events of these domains; empty for all domains.
    domains: Vec<String>,
    /// Only events of these streams; empty for all streams.
    streams: Vec<String>,
}

impl From<ReplaySelection> for SelectionView {
    fn from(selection: ReplaySelection) -> SelectionView {
        let ReplaySelection { since_ms, until_ms, types, domains, streams } = selection;
        SelectionView { since: since_ms.map(Moment), until: until_ms.map(Moment), types, domains, streams }
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
            // A selection that another version wrote may be unreadable. It must not hide the replay.
            selection: serde_json::from_str::<ReplaySelection>(&selection).unwrap_or_default().into(),
            counted,
            done: replay.done,
            failed: replay.failed,
            // Before the end, events that are not sent yet would look like missed ones.
            missed: missed.filter(|_| state == ReplayState::Done),
            last_reason: replay.last_reason,
            created: Moment(replay.created_at_ms),
            ended: replay.ended_at_ms.map(Moment),
        }
    }
}

type ReplaysQuery = Query<(PageParameters,)>;

/// List replays.
///
/// The newest comes first. All running replays are listed, and the newest 100 of the others.
#[utoipa::path(
    get, path = "/replays", tag = "deliveries", params(ReplaysQuery),
    responses((status = 200, body = Page<ReplayView>, description = "A page of replays"))
)]
pub(super) async fn list_replays(State(api): State<Arc<Api>>, query: ReplaysQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (page,) = query.parameters;
    let page = page.request(digest)?;
    let before = page.after.map_or(i64::MAX, |Place(number, _)| number);
    let replays = api.readers.run(move |reader| Ok(reader.journal.replays(before, page.limit + 1)?)).await?;
    let replays = page.cut(replays, |replay| Place(replay.number, 0));
    Ok(answer(json(&replays.map(|replay| ReplayView::new(replay, &api)))))
}

/// Read a replay.
///
/// Its numbers grow in steps, because its progress is stored once for several events.
#[utoipa::path(
    get, path = "/replays/{number}", tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    responses((status = 200, body = ReplayView, description = "The replay"), responses::NotFound)
)]
pub(super) async fn read_replay(
    State(api): State<Arc<Api>>,
    PathParameter(Number(number)): PathParameter<Number>,
) -> Answer {
    show(&api, number, StatusCode::OK).await
}

async fn show(api: &Api, number: i64, status: StatusCode) -> Answer {
    let replay = api.readers.run(move |reader| Ok(reader.journal.replay(number)?)).await?;
    let replay = replay.ok_or_else(|| {
        Problem::not_found(format!("there is no replay {number}; only the newest 100 that have ended are kept"))
    })?;
    Ok((status, answer(json(&ReplayView::new(replay, api)))).into_response())
}

/// A request for a replay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// The sink to send to.
    sink: String,
    /// Events received at this moment or later, in the forms of the parameters.
    #[serde(default)]
    since: Option<String>,
    /// Events received before this moment.
    #[serde(default)]
    until: Option<String>,
    /// Events of these types, by name or number.
    #[serde(default)]
    #[schema(max_items = 1000)]
    types: Vec<String>,
    /// Events of these domains. `*.example.com` stands for every name below it.
    #[serde(default)]
    #[schema(max_items = 1000)]
    domains: Vec<String>,
    /// Events of these streams. Each `*` stands for any number of characters.
    #[serde(default)]
    #[schema(max_items = 1000)]
    streams: Vec<String>,
    /// True to count the events and send none.
    #[serde(default)]
    dry_run: bool,
}

/// The number of events that a replay would send.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayDryRun)]
struct DryRun {
    /// The sink.
    sink: String,
    /// How many events it would get.
    counted: i64,
}

/// Begin a replay.
///
/// It sends the events that are in the journal now, that are selected, and that the sink's own filter passes, in their
/// order. The sink's cursor does not move. With `dry_run` the events are only counted, which takes a while if there are many.
#[utoipa::path(
    post, path = "/replays", tag = "deliveries", request_body = ReplayRequest,
    responses(
        (status = 200, body = DryRun, description = "The result of a dry run"),
        (status = 202, body = ReplayView, description = "The replay has begun"),
        (status = 409, body = Problem, content_type = "application/problem+json",
         description = "`no_such_sink`: the sink is not configured. `too_many_replays`: too many replays wait or run"),
    )
)]
pub(super) async fn begin_replay(State(api): State<Arc<Api>>, JsonBody(request): JsonBody<ReplayRequest>) -> Answer {
    let ReplayRequest { sink, since, until, types, domains, streams, dry_run } = request;
    let status = api.configured_sink(&sink)?;
    let TimeRange { since_ms, until_ms } = time_range(since.as_deref(), until.as_deref(), (api.clock)())?;
    let selection = ReplaySelection { since_ms, until_ms, types, domains, streams };
    for (member, list) in
        [("types", &selection.types), ("domains", &selection.domains), ("streams", &selection.streams)]
    {
        if list.len() > PATTERNS_MAX {
            return Err(Problem::parameter(member, format!("must not have more than {PATTERNS_MAX} items")));
        }
    }
    let selected = selection.selection().map_err(|(member, rule)| Problem::parameter(member, rule))?;
    // Later events belong to the normal deliveries.
    let last = api.journal.health().head;
    let first = match since_ms {
        Some(since_ms) => api.readers.run(move |reader| Ok(reader.journal.offset_before(since_ms)?)).await?,
        None => Offset::default(),
    };
    // If the clock was set back, records from before `until` can follow later ones.
    let ends_ms = until_ms.map_or(i64::MAX, |until_ms| until_ms.saturating_add(CLOCK_SLACK_MS));
    let counting = Counting::new([selected, status.selection.clone()], first, last, ends_ms);
    if dry_run {
        // A dry run reads the whole journal, and two would slow down each other and all queries.
        let _one_at_a_time = api.dry_run.lock().await;
        let counted = counting.run(&api.readers, None).await?.counted;
        return Ok(answer(json(&DryRun { sink, counted })));
    }

    let counting = counting.run(&api.readers, Some(Instant::now() + COUNTING_MAX)).await?;
    let counted = counting.is_done.then_some(counting.counted);
    let order = NewReplay { sink, selection: json(&selection), first, last, counted };
    let Some(number) = api.journal.begin_replay(order).await.map_err(not_changed)? else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "too_many_replays",
            "too many replays wait or run: wait until some have ended, or cancel them",
        ));
    };
    tracing::info!(replay = number, events = counted, "a request to the API started a replay");
    show(&api, number, StatusCode::ACCEPTED).await
}

/// Cancel a replay.
///
/// A replay that has already ended stays as it is.
#[utoipa::path(
    post, path = "/replays/{number}/cancel", tag = "deliveries",
    params(("number" = i64, Path, description = "Its number")),
    request_body(content = Option<Nothing>, description = "Empty, or an empty object. `Content-Type` is needed in any case"),
    responses((status = 200, body = ReplayView, description = "The replay as it is now"), responses::NotFound)
)]
pub(super) async fn cancel_replay(
    State(api): State<Arc<Api>>,
    PathParameter(Number(number)): PathParameter<Number>,
    _: EmptyBody,
) -> Answer {
    api.cancel_replay(number).await?;
    show(&api, number, StatusCode::OK).await
}
