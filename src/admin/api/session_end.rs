//! `sessions/{id}/end`: the request of a person who ends a session whose stop did not arrive.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::JsonBody;
use super::json::{Answer, answer, json};
use super::path::PathParameter;
use super::readers::{Failure, Reader};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::{Event, EventId, SessionEnd};
use crate::history::{EndDecision, EndError, EndRequest};
use crate::journal::Appended;
use crate::moment::{self, Moment};
use crate::session::SessionId;

/// When the session ended, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SessionEndRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionEndRequest {
    /// When it ended, in the forms of the parameters: not before its start, and not in the future. By default it is now.
    #[serde(default)]
    #[schema(examples("2026-05-01T12:00:00Z", "2h"))]
    at: Option<String>,
    /// Why: one line of 1 to 256 visible characters.
    #[schema(examples("the encoder lost power"))]
    why: String,
}

/// The end of a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEnd)]
struct SessionEndView {
    /// The session's id.
    session: SessionId,
    /// The event `livehook.session.ended`.
    event_id: EventId,
    /// When the session ended.
    ended: Moment,
    /// False if the same request had ended it before.
    is_new: bool,
}

/// End a session.
///
/// For a live session whose stop was lost. livehook stores an event `livehook.session.ended`, which sinks and the feed get too. If the
/// stop still arrives, its time and its reason replace this end. The same request again changes nothing.
#[utoipa::path(
    post, path = "/sessions/{id}/end", tag = "streams",
    params(("id" = SessionId, Path, description = "The session's `id`")), request_body = SessionEndRequest,
    responses(
        (status = 200, body = SessionEndView, description = "The session has ended"), responses::NotFound,
        (status = 409, body = Problem, content_type = "application/problem+json",
         description = "`session_not_live`: the session has ended already, or is stale"),
    )
)]
pub(super) async fn end_session(
    State(api): State<Arc<Api>>,
    PathParameter(id): PathParameter<SessionId>,
    JsonBody(request): JsonBody<SessionEndRequest>,
) -> Answer {
    let now_ms = (api.clock)();
    let at = request.at.map(|at| moment::parse(&at, now_ms)).transpose();
    let ended_ms = at.map_err(|rule| Problem::parameter("at", rule))?;
    let reason = request.why.parse().map_err(|rule| Problem::parameter("why", rule))?;
    let wish = EndRequest { id: id.clone(), ended_ms, reason };
    api.wait_for_index().await;
    let view = match api.readers.run(move |reader| decide(wish, reader, now_ms)).await? {
        EndDecision::Store(end) => {
            let is_new = store(&api, &end, now_ms).await?;
            SessionEndView { session: id, event_id: end.id(), ended: Moment(end.ended_ms()), is_new }
        }
        EndDecision::Done { event_id, ended_ms } => {
            SessionEndView { session: id, event_id, ended: Moment(ended_ms), is_new: false }
        }
    };
    Ok(answer(json(&view)))
}

fn decide(wish: EndRequest, reader: &Reader, now_ms: i64) -> Result<EndDecision, Failure> {
    wish.decide(reader.index()?, &reader.journal, now_ms).map_err(|error| match error {
        EndError::Absent(_) => Problem::not_found(error.to_string()).into(),
        EndError::NotLive { .. } => Problem::new(StatusCode::CONFLICT, "session_not_live", error.to_string()).into(),
        EndError::Time(rule) => Problem::parameter("at", rule).into(),
        EndError::Index(error) => error.into(),
    })
}

/// Stores the event of the end. Returns false if the journal has it already.
async fn store(api: &Api, end: &SessionEnd, now_ms: i64) -> Result<bool, Problem> {
    let event = Event::of_session_end(end, &api.instance, now_ms);
    match api.journal.append(event).await {
        Ok(Appended::Stored) => {
            tracing::info!(event = %end.id(), "a request to the API ended a session");
            Ok(true)
        }
        Ok(Appended::Duplicate) => Ok(false),
        Err(error) => {
            tracing::error!("the journal could not store the end of a session: {error}");
            Err(Problem::unavailable(
                "unavailable",
                "the journal cannot store the end of the session now: try again later",
            ))
        }
    }
}
