//! The parameters that several questions have in common, as the description tells them. How they are read is the business of
//! [`super::super::parameters`]; that both agree is tested.

#![allow(dead_code, reason = "these are read by a macro and made by nobody")]

use utoipa::{IntoParams, ToSchema};

use crate::callback::{EventId, ReasonCategory};
use crate::index::{Order, Sort};
use crate::receiver::RefusalWord;
use crate::session::State;

/// Which streams are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct Chosen {
    /// A push domain, or `*.example.com` for every name below it; compared without case. Repeat it for several.
    #[param(required = false, example = json!(["*.example.com"]), max_items = 50)]
    domain: Vec<String>,
    /// A stream name, in which each `*` stands for any number of characters. Repeat it for several.
    #[param(required = false, example = json!(["room-*"]), max_items = 50)]
    stream: Vec<String>,
    /// An app name in full. Repeat it for several.
    #[param(required = false, example = json!(["live"]), max_items = 50)]
    app_name: Vec<String>,
}

/// Which part of a list is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct Part {
    /// How many items a page has at most.
    #[param(required = false, default = 100, minimum = 1, maximum = 1000)]
    limit: u32,
    /// `next` of the page before, with all other parameters as they were (`limit` may change).
    #[param(required = false, pattern = "^[0-9a-fA-F]{48}$")]
    page: String,
}

/// Of which time the items are. What that is for, the list says.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct During {
    /// Of this moment or later: RFC 3339, a date, Unix seconds, or a span back from now.
    #[param(required = false, example = "2h")]
    since: String,
    /// Before this moment, in the same forms.
    #[param(required = false, example = "2026-05-01T12:00:00Z")]
    until: String,
}

/// What a client has kept.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in super::super) struct Known {
    /// The `ETag` of the answer that the client has kept. While it holds, the answer is 304.
    #[param(required = false, rename = "If-None-Match")]
    if_none_match: String,
}

/// Which sessions are wanted, and in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct SessionParameters {
    /// In this state. Repeat it for several.
    #[param(required = false, inline, max_items = 50)]
    state: Vec<State>,
    /// Stopped for a reason of this category. Repeat it for several.
    #[param(required = false, inline, max_items = 50)]
    reason: Vec<ReasonCategory>,
    /// What they are sorted by. By end, those that have not ended come as if they ended last; by duration, those that are live are the longest.
    #[param(required = false, inline)]
    sort: Sort,
    /// Whether the largest or the smallest comes first.
    #[param(required = false, inline)]
    order: Order,
}

/// Which dead letters are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct LetterParameters {
    /// Those of this sink, also of one that is not configured.
    #[param(required = false)]
    sink: String,
    /// Those of this event. Repeat it for several.
    #[param(required = false, max_items = 50)]
    id: Vec<EventId>,
}

/// Which broadcasts are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct BroadcastParameters {
    /// In this state. Repeat it for several.
    #[param(required = false, inline, max_items = 50)]
    state: Vec<State>,
}

/// Which events are wanted, and in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct EventParameters {
    /// A type by its name, such as `push`, by its number, such as `321`, or in full, such as `tencent.css.push`. Repeat it for
    /// several.
    #[param(required = false, example = json!(["push", "stop"]), max_items = 50)]
    r#type: Vec<String>,
    /// Whether the newest or the oldest comes first.
    #[param(required = false, inline)]
    order: Order,
}

/// Which refused callbacks are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct RefusalParameters {
    /// Refused with this word. Repeat it for several.
    #[param(required = false, inline, max_items = 50)]
    error: Vec<RefusalWord>,
    /// From this address, or from one of this network. Repeat it for several.
    #[param(required = false, example = json!(["192.0.2.0/24"]), max_items = 50)]
    client: Vec<String>,
    /// Refused at this moment or later: RFC 3339, a date, Unix seconds, or a span back from now.
    #[param(required = false, example = "2h")]
    since: String,
}

/// Which messages of the feed are wanted, and from where on.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct FeedParameters {
    /// Messages of this kind. Repeat it for several; without it both come.
    #[param(required = false, inline, max_items = 50)]
    kind: Vec<FeedKind>,
    /// Events of this type, named as for the list of events. Sessions are told of all the same. Repeat it for several.
    #[param(required = false, example = json!(["push", "stop"]), max_items = 50)]
    r#type: Vec<String>,
    /// Begin with what was received at this moment or later: RFC 3339, a date, Unix seconds, or a span back from now. Of a moment
    /// to come, nothing is told before it. Who gives an `id` goes on from there in its place.
    #[param(required = false, example = "2h")]
    since: String,
    /// The same as the header `Last-Event-ID`, which goes before it.
    #[param(required = false, pattern = "^[0-9a-f]{16}-[0-9]+$", example = "5d0c1f7a9be2440d-4711")]
    last_event_id: String,
}

/// What a message of the feed tells of.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum FeedKind {
    /// What CSS has told.
    Event,
    /// What a session has become by it.
    Session,
}

/// How far a client that comes back has got.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in super::super) struct Resumed {
    /// The `id` that came last. What came after it follows.
    #[param(
        required = false,
        rename = "Last-Event-ID",
        pattern = "^[0-9a-f]{16}-[0-9]+$",
        example = "5d0c1f7a9be2440d-4711"
    )]
    last_event_id: String,
}
