//! What an answer means: pure rules.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

use crate::printable::printable;
use crate::sink::DeliveryError;

/// So much of an answer's body is told.
const EXCERPT_CHARACTERS_MAX: usize = 200;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has it.
    Delivered,
    /// The receiver does not take this: others may pass.
    Refused(DeliveryError),
    /// The receiver takes nothing now, whatever it is.
    Outage(DeliveryError),
}

/// A complete answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The header `Retry-After`.
    pub(super) retry_after: Option<String>,
    /// Where a redirect leads, without secrets.
    pub(super) location: Option<String>,
    /// The body, or the beginning of it.
    pub(super) body: String,
}

impl Answer {
    /// Judges. `url` is how the receiver is shown; with `is_lenient`, what would be permanent is transient.
    pub(super) fn verdict(&self, url: &str, is_lenient: bool, now: SystemTime) -> Verdict {
        let status = self.status;
        if status.is_success() {
            return Verdict::Delivered;
        }
        let retry_after = self.retry_after.as_deref().and_then(|text| wait(text, now));
        let is_outage = matches!(status.as_u16(), 429 | 502..=504);
        let may_pass = is_lenient || matches!(status.as_u16(), 408 | 425 | 429 | 500..=599);
        let mut reason = format!("{url} answered {status}");
        if let Some(location) = &self.location {
            reason.push_str(&format!(", to {}", printable(location, EXCERPT_CHARACTERS_MAX)));
        }
        // In an outage it is a proxy that speaks, of nothing but itself, and often with another text each time.
        if !is_outage && !self.body.trim().is_empty() {
            reason.push_str(&format!(": \"{}\"", printable(self.body.trim(), EXCERPT_CHARACTERS_MAX)));
        }
        if let Some(cure) = cure(status) {
            reason.push_str(&format!("; {cure}"));
        }
        match (may_pass, is_outage) {
            (true, true) => Verdict::Outage(DeliveryError::Transient { reason, retry_after, is_outage }),
            (true, false) => Verdict::Refused(DeliveryError::Transient { reason, retry_after, is_outage }),
            (false, _) => Verdict::Refused(DeliveryError::Permanent { reason }),
        }
    }
}

/// How long `Retry-After` asks for: seconds, or an HTTP date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number can have are a long time too.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(now).unwrap_or_default())
}

/// What helps where the status alone tells what is wrong.
fn cure(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        300..=399 => Some("redirects are not followed: set `url` to where events are taken"),
        401 | 403 => Some("does the receiver know this sink's secret or token?"),
        404 | 405 => Some("is `url` the one at which the receiver takes events?"),
        413 => Some("raise what the receiver takes, or lower `batch_events_max`"),
        415 => Some(
            "the receiver must take application/cloudevents+json, or application/cloudevents-batch+json for batches",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, is_lenient: bool) -> Verdict {
        answer(status, None).verdict("http://r/x", is_lenient, SystemTime::UNIX_EPOCH)
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(str::to_owned),
            location: None,
            body: String::new(),
        }
    }

    #[test]
    fn only_2xx_is_success_and_the_rest_is_told_apart() {
        for status in 200..=999 {
            let (verdict, lenient) = (judged(status, false), judged(status, true));
            let name = match &verdict {
                Verdict::Delivered => "delivered",
                Verdict::Outage(DeliveryError::Transient { .. }) => "outage",
                Verdict::Refused(DeliveryError::Transient { .. }) => "transient",
                Verdict::Refused(DeliveryError::Permanent { .. }) => "permanent",
                other => panic!("{other:?}"),
            };
            let expected = match status {
                200..=299 => "delivered",
                429 | 502..=504 => "outage",
                408 | 425 | 500..=599 => "transient",
                _ => "permanent",
            };
            assert_eq!(name, expected, "{status}");
            let is_permanent = |verdict: &Verdict| matches!(verdict, Verdict::Refused(DeliveryError::Permanent { .. }));
            assert!(!is_permanent(&lenient), "{status}");
            assert!(is_permanent(&verdict) || lenient == verdict, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, secs) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now), secs.map(Duration::from_secs), "{text}");
        }
        let Verdict::Outage(error) = answer(503, Some("7")).verdict("http://r/x", false, now) else { panic!() };
        assert!(matches!(error, DeliveryError::Transient { retry_after: Some(wait), .. } if wait.as_secs() == 7));
    }

    #[test]
    fn the_reason_has_the_body_escaped_and_short_and_says_what_helps() {
        let body = format!("\u{1b}[31mno\n{}", "x".repeat(1000));
        let refused = Answer { body, location: Some("http://r/\u{202e}y".to_owned()), ..answer(308, None) };
        let Verdict::Refused(error) = refused.verdict("http://r/x", false, SystemTime::UNIX_EPOCH) else { panic!() };
        let reason = error.to_string();
        assert!(
            reason
                .starts_with("http://r/x answered 308 Permanent Redirect, to http://r/\\u{202e}y: \"\\u{1b}[31mno\\n")
        );
        assert!(reason.ends_with("…\"; redirects are not followed: set `url` to where events are taken"), "{reason}");
        assert!(reason.len() < 500);
    }
}
