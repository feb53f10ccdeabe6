//! The last refused callbacks, in memory. They help to find faults between CSS and livehook.
//!
//! Anybody may have sent them. So the list is bounded in number and in size, it holds no `sign`, no `t` and no secret,
//! and it is harmless wherever JSON is read. Callbacks that were accepted, or could not be stored, are not in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::answers::NotStored;
use super::refused_body::RefusedBody;
use crate::http::words;
use crate::moment::Moment;

/// How many refusals of each error word are kept. Anybody can cause a flood of one, for example by requests to wrong
/// paths, and it must not push out the others.
const KEPT_MAX: usize = 256;

/// The error words of all refusals.
pub(crate) const ERRORS: [&str; 13] = [
    "malformed",
    "signature_missing",
    "signature_mismatch",
    "signature_expired",
    "address_not_allowed",
    "appid_not_allowed",
    "domain_not_allowed",
    "not_found",
    "method_not_allowed",
    "timeout",
    "length_required",
    "body_too_large",
    "encoding_not_supported",
];

/// The OpenAPI schema of one of [`ERRORS`].
pub(crate) struct RefusalWord;

impl ToSchema for RefusalWord {}

impl PartialSchema for RefusalWord {
    fn schema() -> RefOr<Schema> {
        words(ERRORS, "Why a callback was refused, in one word.")
    }
}

/// The last refused callbacks since the service started.
#[derive(Debug)]
pub struct RecentRefusals {
    since: Moment,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the newest refusal. Numbers count from 1.
    last_number: i64,
    /// By error word, the oldest first.
    refusals: BTreeMap<&'static str, VecDeque<Arc<KeptRefusal>>>,
}

/// A callback that was answered with 4xx.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct KeptRefusal {
    /// The number of this refusal, unique until the service stops.
    #[serde(skip)]
    pub(crate) number: i64,
    /// When the callback was answered.
    pub(crate) received: Moment,
    /// The address of the sender. If a proxy hid it, the address of that proxy.
    #[schema(value_type = String, examples("192.0.2.1", "2001:db8::1"))]
    pub(crate) client: IpAddr,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The error word of the answer.
    #[schema(value_type = RefusalWord)]
    pub(crate) error: &'static str,
    /// The message of the answer, with more for the operator.
    message: String,
    /// The event type that the callback names: its short name, or `event-<number>` for a type without a name.
    #[schema(examples("push"))]
    event_type: Option<String>,
    #[serde(flatten)]
    body: RefusedBody,
}

impl KeptRefusal {
    /// The message of the answer, with more for the operator.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The short name of the event type that the callback names.
    pub(crate) fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    /// How many seconds after the expiry of its signature the callback came.
    pub(crate) fn late_secs(&self) -> Option<i64> {
        self.body.late_secs
    }

    /// The members of the callback as JSON, without secrets, if they are kept.
    pub(crate) fn members(&self) -> Option<&str> {
        self.body.members()
    }
}

impl RecentRefusals {
    /// An empty list that starts at `since_ms` (Unix ms).
    pub fn new(since_ms: i64) -> RecentRefusals {
        RecentRefusals { since: Moment(since_ms), kept: Mutex::default() }
    }

    /// When the service started.
    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// Adds a callback that `client` sent and that was refused at `now_ms` (Unix ms).
    pub(super) fn keep(&self, now_ms: i64, client: IpAddr, refused: NotStored) {
        let NotStored { answer, hint, event_type, body, .. } = refused;
        let body = body.map(|body| *body).unwrap_or_default();
        let mut refusal = KeptRefusal {
            number: 0,
            received: Moment(now_ms),
            client,
            status: answer.status().as_u16(),
            error: answer.word(),
            message: format!("{}{hint}", body.message(answer.message())),
            event_type: event_type.map(|event_type| event_type.to_string()),
            body,
        };
        let mut kept = self.lock();
        // Numbered under the lock, so that numbers grow in the order of the list.
        kept.last_number += 1;
        refusal.number = kept.last_number;
        let alike = kept.refusals.entry(refusal.error).or_default();
        let oldest = if alike.len() == KEPT_MAX { alike.pop_front() } else { None };
        alike.push_back(Arc::new(refusal));
        // Freeing the oldest takes time, and needs no lock.
        drop(kept);
        drop(oldest);
    }

    /// Returns the refusals for which `is_wanted` is true, newest first: at most `limit`, all older than number
    /// `before`.
    pub(crate) fn page(
        &self,
        is_wanted: impl Fn(&KeptRefusal) -> bool,
        before: Option<i64>,
        limit: usize,
    ) -> Vec<Arc<KeptRefusal>> {
        let kept = self.lock();
        let earlier = kept.refusals.values().flatten();
        let earlier = earlier.filter(|refusal| before.is_none_or(|before| refusal.number < before));
        // Only pointers are cloned under the lock, because each callback that is refused waits for it.
        let mut wanted: Vec<_> = earlier.filter(|refusal| is_wanted(refusal)).cloned().collect();
        drop(kept);
        wanted.sort_unstable_by_key(|refusal| Reverse(refusal.number));
        wanted.truncate(limit);
        wanted
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
