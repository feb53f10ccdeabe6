//! The answers that several routes share, and the event, as the OpenAPI document describes them.

#![allow(dead_code, reason = "macros read the fields, and no code makes the values")]

use utoipa::{IntoResponses, ToSchema};

use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::http::ErrorBody;
use crate::moment::Moment;

/// The errors of every route.
#[derive(IntoResponses)]
pub(super) enum Refused {
    /// A parameter is unknown, repeated or of a wrong form: `parameter` names it, and `detail` says which values are valid. Or the
    /// body is invalid. Or the request does not have exactly one `Host` header.
    #[response(status = 400, content_type = "application/problem+json")]
    BadParameter(Problem),
    /// The token is missing or wrong. It is needed if the listener is not bound to a loopback address, and for every request that
    /// changes something.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The listener is bound to a loopback address and the `Host` header names another host. Or a web page of another site made a
    /// browser send the request.
    #[response(status = 403, content_type = "application/problem+json")]
    HostNotAllowed(Problem),
    /// No answer is possible now; `error` has the reason. `busy`: there are too many requests at once. `too_expensive`: the answer
    /// takes too long to find; ask for less. `unavailable`: livehook is stopping, or the journal cannot be changed now.
    /// `no_index`: this route needs the index, which is switched off (`index.enabled = false`).
    #[response(status = 503, content_type = "application/problem+json", headers(
        ("Retry-After" = u16, description = "With `busy` and `unavailable`: after how many seconds to try again"),
    ))]
    Unavailable(Problem),
    /// The head of the request is too large, or has too many headers. This is answered before the path is known.
    #[response(status = 431, content_type = "application/json")]
    HeadersTooLarge(ErrorBody),
    /// livehook could not read its data. Its log has the cause.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
}

/// Further errors of a request that changes something.
#[derive(IntoResponses)]
pub(super) enum BodyNotTaken {
    /// The body took longer than 10 seconds to arrive.
    #[response(status = 408, content_type = "application/problem+json")]
    BodyTooSlow(Problem),
    /// The body is larger than 256 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    BodyTooLarge(Problem),
    /// The `Content-Type` is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// It does not exist, or it was removed.
#[derive(IntoResponses)]
#[response(status = 404, content_type = "application/problem+json")]
pub(super) struct NotFound(Problem);

/// The configuration has mistakes, and nothing was changed. `detail` has a line for each.
#[derive(IntoResponses)]
#[response(status = 422, content_type = "application/problem+json")]
pub(super) struct InvalidConfiguration(Problem);

/// The copy of the client is still valid.
#[derive(IntoResponses)]
#[response(status = 304, headers(
    ("ETag" = String, description = "The tag of the copy"),
    ("Cache-Control" = String, description = "How long the copy can be used without a new request"),
))]
pub(super) struct Unchanged;

/// An event: one callback of CSS, or the end of a session that a person set, as every sink and every answer has it. It is a
/// CloudEvents 1.0 object.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct Event {
    /// The version of CloudEvents.
    #[schema(examples("1.0"))]
    specversion: String,
    /// The same for every retry and on every instance, so that you can recognise duplicates.
    id: EventId,
    /// `/tencent-css/<appid>/<domain>/<app name>`, each part percent-encoded, and empty if the callback has none. `/livehook/<name>`
    /// for an event that livehook makes itself.
    #[schema(format = "uri-reference", examples("/tencent-css/12345678/push.example.com/live"))]
    source: String,
    /// `tencent.css.` or `tencent.streamlive.` and the name of the type; `event-<number>` for a type without a name. Or
    /// `livehook.session.ended`, livehook's own.
    #[schema(
        rename = "type",
        pattern = "^(livehook\\.session\\.ended|tencent\\.(css|streamlive)\\.[a-z0-9-]+)$",
        examples("tencent.css.push")
    )]
    event_type: String,
    /// The stream name. Absent if the callback has none.
    #[schema(required = false)]
    subject: String,
    /// When it happened. Absent if the callback does not say.
    #[schema(required = false)]
    time: Moment,
    /// The media type of `data`.
    #[schema(examples("application/json"))]
    datacontenttype: String,
    /// The vendor's number of the push, which is the same in a push and its stop. Absent if the callback has none.
    #[schema(required = false)]
    pushsequence: String,
    /// Domain, app name and stream, each part percent-encoded, and empty if the callback has none. Events with the same key stay
    /// in order.
    #[schema(examples("push.example.com/live/room-1"))]
    partitionkey: String,
    /// Whether the signature was verified; false for a type that is accepted without one.
    verified: bool,
    /// When livehook received the callback.
    receivedtime: Moment,
    /// The members of the callback as received, without `sign` and `t`, and with secrets redacted.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}
