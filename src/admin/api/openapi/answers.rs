//! The answers that several questions have in common, and the event, as the description tells them.

#![allow(dead_code, reason = "these are read by a macro and made by nobody")]

use utoipa::{IntoResponses, ToSchema};

use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::http::ErrorBody;
use crate::index::SessionView;
use crate::moment::Moment;

/// What every question may be answered with.
#[derive(IntoResponses)]
pub(in super::super) enum Refused {
    /// A parameter is unknown, given more than once, or of a wrong form: `parameter` names it, `detail` says what it takes. Or the
    /// body is not as it must be, or the request has not one `Host` header.
    #[response(status = 400, content_type = "application/problem+json")]
    BadParameter(Problem),
    /// The token is missing or wrong, and needed: the listener is not bound to a loopback address, or something would change.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The listener is bound to a loopback address, and the `Host` header names something else; or a web page of another site
    /// had a browser ask.
    #[response(status = 403, content_type = "application/problem+json")]
    HostNotAllowed(Problem),
    /// There is no answer now, for the reason in `error`. `busy`: too much is asked at once; `too_expensive`: the answer takes
    /// too long to find, ask for less; `unavailable`: livehook is stopping, or the journal cannot be changed now; `no_index`: the index is switched off
    /// (`index.enabled = false`), and this needs it.
    #[response(status = 503, content_type = "application/problem+json", headers(
        ("Retry-After" = u16, description = "With `busy` and `unavailable`: after how many seconds to try again"),
    ))]
    Unavailable(Problem),
    /// The head of the request is larger than is taken, or has too many headers. Answered before the path is looked at.
    #[response(status = 431, content_type = "application/json")]
    HeadersTooLarge(ErrorBody),
    /// livehook could not read its data; its log has the cause.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
}

/// What may be wrong besides with a request that changes something.
#[derive(IntoResponses)]
pub(in super::super) enum BodyNotTaken {
    /// The body is larger than 256 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    BodyTooLarge(Problem),
    /// The `Content-Type` is not `application/json`
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// There is nothing of that name, or no longer.
#[derive(IntoResponses)]
#[response(status = 404, content_type = "application/problem+json")]
pub(in super::super) struct NotFound(Problem);

/// What the client has kept still holds.
#[derive(IntoResponses)]
#[response(status = 304, headers(
    ("ETag" = String, description = "The tag that still holds"),
    ("Cache-Control" = String, description = "How long it may be kept unasked"),
))]
pub(in super::super) struct Unchanged;

/// An event: one callback of CSS, as every sink and every answer gives it. A CloudEvents 1.0 object.
#[derive(serde::Serialize, ToSchema)]
pub(in super::super) struct Event {
    /// The version of CloudEvents.
    #[schema(examples("1.0"))]
    specversion: String,
    /// The same for every retry and every instance: what tells duplicates.
    id: EventId,
    /// `/tencent-css/<appid>/<domain>/<app name>`, each percent-encoded, an absent one empty.
    #[schema(format = "uri-reference", examples("/tencent-css/12345678/push.example.com/live"))]
    source: String,
    /// `tencent.css.` or `tencent.streamlive.` and the name of the type, `event-<number>` for a type without a name.
    #[schema(rename = "type", pattern = "^tencent\\.(css|streamlive)\\.[a-z0-9-]+$", examples("tencent.css.push"))]
    event_type: String,
    /// The stream name. Left out where the callback has none.
    #[schema(required = false)]
    subject: String,
    /// When it happened. Left out where the callback does not say.
    #[schema(required = false)]
    time: Moment,
    /// What `data` is.
    #[schema(examples("application/json"))]
    datacontenttype: String,
    /// The vendor's number of the push, which pairs a push with its stop. Left out where the callback has none.
    #[schema(required = false)]
    pushsequence: String,
    /// Domain, app name and stream, each percent-encoded, an absent one empty. Events of one key stay in order.
    #[schema(examples("push.example.com/live/room-1"))]
    partitionkey: String,
    /// Whether its signature was verified; false for a type that is accepted without one.
    verified: bool,
    /// When livehook received it.
    receivedtime: Moment,
    /// The members of the callback as received, less `sign` and `t`, secrets redacted.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// A session, and its events that the journal still has.
#[derive(serde::Serialize, ToSchema)]
pub(in super::super) struct SessionDetail {
    #[serde(flatten)]
    session: SessionView,
    /// In the order of their times.
    events: Vec<Event>,
    /// How many more there are, for which the answer has no room.
    events_left_out: u64,
}
