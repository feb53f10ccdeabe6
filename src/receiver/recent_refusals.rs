//! The last refused callbacks, in memory: for whoever looks for what is wrong between CSS and livehook.
//!
//! What stands in them was sent by anybody at all. So they are bounded in number and in size, never have `sign` and `t`, are
//! redacted as events are, and are harmless wherever JSON is read. What was accepted, or could not be stored, is not here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::callback::{Callback, EventType, Malformed, Verifier};
use crate::http::{ErrorBody, words};
use crate::moment::Moment;

/// How many are kept of each word: a flood of one, such as requests to wrong paths, which anybody may send, must not hide
/// the others.
const KEPT_MAX: usize = 256;

/// The members of a callback that take more than this are not kept.
const MEMBERS_BYTES_MAX: usize = 4096;

/// The words under `error` of every answer that is a refusal.
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

/// One of [`ERRORS`], as the description of the API tells it.
pub(crate) struct RefusalWord;

impl ToSchema for RefusalWord {}

impl PartialSchema for RefusalWord {
    fn schema() -> RefOr<Schema> {
        words(ERRORS, "Why a callback was refused, in one word.")
    }
}

/// The last refused callbacks. They are gone when the service stops.
#[derive(Debug)]
pub struct RecentRefusals {
    since: Moment,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the newest, counted from 1 and never used again.
    last_number: i64,
    /// By word, the oldest first.
    refusals: BTreeMap<&'static str, VecDeque<Arc<Refusal>>>,
}

/// A callback that was answered with 4xx.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// Tells it from all others of this service's life.
    #[serde(skip)]
    pub(crate) number: i64,
    /// When it was answered.
    pub(crate) received: Moment,
    /// The sender's address, as far as it is known.
    #[schema(value_type = String, examples("192.0.2.1", "2001:db8::1"))]
    pub(crate) client: IpAddr,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The word of the answer.
    #[schema(value_type = RefusalWord)]
    pub(crate) error: &'static str,
    /// What the sender was told, and what that means here.
    message: String,
    /// The kind of event that the sender named: its short name, `event-<number>` for a type without a name.
    #[schema(examples("push"))]
    event_type: Option<String>,
    /// What is known of its body.
    #[serde(flatten)]
    body: Seen,
}

/// What is kept of the body of a refused callback. Of one that was not read whole, nothing is.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = RefusedBody)]
pub(crate) struct Seen {
    /// By how many seconds its signature had expired.
    pub(crate) late_secs: Option<i64>,
    /// The length of the body.
    body_bytes: Option<usize>,
    /// What is wrong with it, where the answer quotes it: what is kept does not.
    #[serde(skip)]
    fault_told: Option<&'static str>,
    /// Where it is not what it should be, if that is at one place.
    fault: Option<Fault>,
    /// The length of its members as JSON without white space.
    members_bytes: Option<usize>,
    /// Its members as received, less `sign` and `t`, secrets redacted, and so are members of these two names in another case or
    /// further down, and signatures within strings. `null` where they take more than 4096 bytes, or where
    /// many programs could not read them (half of a surrogate pair, a number larger than all floats).
    #[schema(value_type = Option<Object>)]
    members: Option<Box<RawValue>>,
}

/// Where a body is not what it should be.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BodyFault)]
enum Fault {
    /// It is not UTF-8.
    Byte {
        /// Counted from 0.
        byte: usize,
    },
    /// It is not JSON, or no object.
    Place {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 is the end of the line before.
        column: usize,
    },
}

impl Seen {
    /// Of a body that is no callback, only how long it is and where its fault.
    pub(crate) fn malformed(malformed: &Malformed, body_bytes: usize) -> Seen {
        let fault = match malformed {
            Malformed::NotUtf8 { position } => Some(Fault::Byte { byte: *position }),
            Malformed::NotAnObject { line, column } => Some(Fault::Place { line: *line, column: *column }),
            _ => None,
        };
        let is_twice = matches!(malformed, Malformed::Twice { .. });
        let fault_told = is_twice.then_some("a member is there twice");
        Seen { body_bytes: Some(body_bytes), fault, fault_told, ..Seen::default() }
    }

    /// Of a callback, its members. The verifier knows what to redact.
    pub(crate) fn parsed(callback: &Callback<'_>, verifier: &Verifier, body_bytes: usize) -> Seen {
        let members_bytes = callback.members_bytes();
        // Length is looked at first, so that a flood of large bodies is refused at little cost.
        let members = (members_bytes <= MEMBERS_BYTES_MAX).then(|| verifier.redacted_members(callback));
        let members = members.filter(|members| members.len() <= MEMBERS_BYTES_MAX && is_readable(members));
        Seen {
            body_bytes: Some(body_bytes),
            members_bytes: Some(members_bytes),
            members: members.and_then(|members| RawValue::from_string(members).ok()),
            ..Seen::default()
        }
    }
}

/// Whether it can be read without care: a lone surrogate or a number beyond all floats, which anybody may send, would make
/// the whole answer unreadable for many.
fn is_readable(json: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(json).is_ok()
}

impl RecentRefusals {
    /// None yet, at `since_ms` (Unix ms).
    pub fn new(since_ms: i64) -> RecentRefusals {
        RecentRefusals { since: Moment(since_ms), kept: Mutex::default() }
    }

    /// When the service started.
    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// Keeps what is known of a refused callback. `hint` is for the operator alone.
    pub(crate) fn note(
        &self,
        now_ms: i64,
        client: IpAddr,
        answer: &ErrorBody,
        hint: &str,
        event_type: Option<EventType>,
        body: Seen,
    ) {
        let mut refusal = Refusal {
            number: 0,
            received: Moment(now_ms),
            client,
            status: answer.status().as_u16(),
            error: answer.word(),
            message: format!("{}{hint}", body.fault_told.unwrap_or(answer.message())),
            event_type: event_type.map(|event_type| event_type.to_string()),
            body,
        };
        let mut kept = self.lock();
        kept.last_number += 1;
        refusal.number = kept.last_number;
        let alike = kept.refusals.entry(refusal.error).or_default();
        let oldest = if alike.len() == KEPT_MAX { alike.pop_front() } else { None };
        alike.push_back(Arc::new(refusal));
        // What takes time goes on without the lock.
        drop(kept);
        drop(oldest);
    }

    /// Those that are wanted, newest first, and of these at most `limit` that came before the one numbered `before`.
    pub(crate) fn page(
        &self,
        is_wanted: impl Fn(&Refusal) -> bool,
        before: Option<i64>,
        limit: usize,
    ) -> Vec<Arc<Refusal>> {
        let kept = self.lock();
        let earlier = kept.refusals.values().flatten();
        let earlier = earlier.filter(|refusal| before.is_none_or(|before| refusal.number < before));
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
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::{Value, json};

    use super::*;
    use crate::callback::Options;

    fn verifier() -> Verifier {
        let redact_parameters = vec!["token".to_owned()];
        Verifier::new(Options { allow_unsigned: true, redact_parameters, ..Options::default() }).unwrap()
    }

    fn seen(body: &str) -> Value {
        let seen = match Callback::parse(body.as_bytes()) {
            Ok(callback) => Seen::parsed(&callback, &verifier(), body.len()),
            Err(malformed) => Seen::malformed(&malformed, body.len()),
        };
        serde_json::to_value(seen).unwrap()
    }

    fn note(refusals: &RecentRefusals, body: Seen) {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        refusals.note(
            7000,
            client,
            &super::super::answers::BODY_TOO_SLOW,
            "; a hint",
            Some(EventType::Unknown(777)),
            body,
        );
    }

    #[test]
    fn members_are_shown_without_sign_t_and_secrets() {
        let seen = seen(
            r#"{"t": 1545030873, "event_type": 1, "sign": "ca3e25e5dc17a6f9909a9ae7281e300d", "stream_param": "txSecret=5ECR37&token=abc&x=1", "n": 1.50}"#,
        );
        assert_eq!(
            seen["members"],
            json!({"event_type": 1, "stream_param": "txSecret=REDACTED&token=REDACTED&x=1", "n": 1.50})
        );
        assert_eq!(seen["body_bytes"], 138);
        let text = seen.to_string();
        for secret in ["1545030873", "ca3e25e5", "5ECR37", "abc"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }

    #[test]
    fn credentials_in_the_wrong_place_or_case_are_not_shown() {
        let seen = seen(
            r#"{"event_type":1,"Sign":"5ECR37","T":5337,"b":{"sign":"5ECR37","\u0074":[5337,{"a":1}],"sig":"x"},"c":"t"}"#,
        );
        let expected = json!({"event_type": 1, "Sign": "REDACTED", "T": "REDACTED",
            "b": {"sign": "REDACTED", "t": "REDACTED", "sig": "x"}, "c": "t"});
        assert_eq!(seen["members"], expected);
    }

    #[test]
    fn signatures_within_strings_and_under_like_names_are_not_shown() {
        for member in [
            r#""nested":"{\"sign\":\"5ECR37\",\"t\":5337}""#,
            r#""nested":"{\"p\":\"{\\\"SIGN\\\": \\\"5ECR37\\\"}\"}""#,
            r#""q":"a=1&sign=5ECR37&t=5337""#,
            r#""q":"a%3D1%26sign%3D5ECR37""#,
            r#""q":"\u0073ign\u003d5ECR37""#,
            r#""sign ":"5ECR37""#,
            r#"" sign":"5ECR37""#,
            r#""signature":"5ECR37""#,
            r#""x":[{"Signature":["5ECR37"]}]"#,
        ] {
            let seen = seen(&format!(r#"{{"event_type":1,{member},"node":"kept"}}"#));
            let text = seen["members"].to_string();
            assert!(!text.contains("5ECR37") && text.contains("REDACTED"), "{member}: {text}");
            assert_eq!(seen["members"]["node"], "kept", "{member}");
        }
        assert_eq!(
            seen(r#"{"event_type":1," T ":5337,"start":5}"#)["members"],
            json!({"event_type": 1, " T ": "REDACTED", "start": 5})
        );
    }

    #[test]
    fn a_flood_of_one_word_hides_no_other_and_names_of_malformed_bodies_are_not_kept() {
        let refusals = RecentRefusals::new(0);
        let malformed = Callback::parse(br#"{"5ECR37":1,"5ECR37":2}"#).unwrap_err();
        let seen = Seen::malformed(&malformed, 9);
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        refusals.note(1, client, &super::super::answers::refusal(&malformed.into()), "", None, seen);
        for _ in 0..10_000 {
            refusals.note(2, client, &ErrorBody::not_found("/wp-login.php"), "", None, Seen::default());
        }
        let kept = refusals.page(|_| true, None, 10_000);
        assert_eq!((kept.len(), kept[256].error), (257, "malformed"));
        assert_eq!(kept[256].message, "a member is there twice");
    }

    #[test]
    fn members_that_are_too_long_are_left_out_as_a_whole() {
        let of_length = |length: usize| format!(r#"{{"event_type":1,"a":"{}"}}"#, "x".repeat(length));
        let fits = seen(&of_length(MEMBERS_BYTES_MAX - 40));
        assert!(fits["members"].is_object());
        let long = of_length(MEMBERS_BYTES_MAX);
        let seen_of_long = seen(&long);
        assert_eq!(seen_of_long["members"], Value::Null);
        assert!(
            (MEMBERS_BYTES_MAX..MEMBERS_BYTES_MAX + 40)
                .contains(&(seen_of_long["members_bytes"].as_u64().unwrap() as usize))
        );
        assert_eq!(seen_of_long["body_bytes"], long.len());
        let grows = format!(r#"{{"event_type":1,"a":"{}"}}"#, "token=x&".repeat(450));
        assert_eq!(seen(&grows)["members"], Value::Null, "what stands for secrets counts");
    }

    #[test]
    fn what_many_readers_of_json_fail_on_is_left_out() {
        for member in [r#""\ud800""#, "1e999", r#"{"a":[-1e400]}"#] {
            let seen = seen(&format!(r#"{{"event_type":1,"x":{member}}}"#));
            assert_eq!(seen["members"], Value::Null, "{member}");
            assert!(seen["members_bytes"].as_u64().unwrap() > 20);
        }
        let hostile = "{\"event_type\":1,\"\u{7f}\u{9b}31m\u{202e}</script>\\u001b\\n\":\"\u{2028}\\u0000</script>\"}";
        let text = seen(hostile).to_string();
        assert!(text.contains("script"), "{text}");
        let refusals = RecentRefusals::new(0);
        let callback = Callback::parse(hostile.as_bytes()).unwrap();
        note(&refusals, Seen::parsed(&callback, &verifier(), hostile.len()));
        let text = serde_json::to_string(refusals.page(|_| true, None, 1)[0].as_ref()).unwrap();
        assert!(!text.contains(|character: char| character.is_control() || character == '\u{2028}'), "{text:?}");
    }

    #[test]
    fn of_malformed_bodies_only_length_and_place_are_kept() {
        let body = "{\"event_type\": 1,\n \"secret\": oops}";
        let fault = json!({"line": 2, "column": 12});
        let expected = json!({"late_secs": null, "body_bytes": body.len(), "fault": fault, "members_bytes": null, "members": null});
        assert_eq!(seen(body), expected);
        assert_eq!(seen(r#"{"a":1,"a":2}"#)["fault"], Value::Null);
        let malformed = Callback::parse(b"{\"a\":\"\xff\"}").unwrap_err();
        let seen = serde_json::to_value(Seen::malformed(&malformed, 9)).unwrap();
        assert_eq!((&seen["fault"], &seen["body_bytes"]), (&json!({"byte": 6}), &json!(9)));
    }

    #[test]
    fn the_newest_are_kept_and_found_after_a_place() {
        let refusals = RecentRefusals::new(5);
        for _ in 0..300 {
            note(&refusals, Seen::default());
        }
        let numbers = |refusals: Vec<Arc<Refusal>>| refusals.iter().map(|refusal| refusal.number).collect::<Vec<_>>();
        assert_eq!(numbers(refusals.page(|_| true, None, 1000)), (45..=300).rev().collect::<Vec<_>>());
        assert_eq!(numbers(refusals.page(|refusal| refusal.number % 2 == 0, Some(100), 3)), [98, 96, 94]);
        assert_eq!(numbers(refusals.page(|_| true, Some(45), 3)), [0; 0]);
        let newest = serde_json::to_value(refusals.page(|_| true, None, 1)[0].as_ref()).unwrap();
        let expected = json!({"received": "1970-01-01T00:00:07Z", "client": "127.0.0.1", "status": 408, "error": "timeout",
            "message": "the body of the request took too long to arrive; a hint", "event_type": "event-777",
            "late_secs": null, "body_bytes": null, "fault": null, "members_bytes": null, "members": null});
        assert_eq!(newest, expected);
    }
}
