//! Turns an answer into an outcome: pure rules.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

use super::answer_rule::Verdict;
use crate::printable::printable;
use crate::sink::{Failure, Outcome};

/// The characters of an answer's body that a reason shows.
const EXCERPT_CHARACTERS_MAX: usize = 200;

/// The longest wait that an answer can ask for: the most that `retry.wait_ms_max` allows.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait after a value that asks for a later try. The limits of chat tools are per minute.
const ASKED_WAIT: Duration = Duration::from_secs(60);

/// A number with as many digits is a time or an id.
const DIGITS_MAX: usize = 8;

/// An answer whose body was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The value of `Retry-After`.
    pub(super) retry_after: Option<String>,
    /// The target of a redirect, without secrets.
    pub(super) location: Option<String>,
    /// What `answer` makes of the body; `None` if it says nothing about it.
    pub(super) verdict: Option<Verdict>,
    /// The beginning of the body, without secrets; empty after a success.
    pub(super) body: String,
}

impl Answer {
    /// Returns the outcome of the request. `url` names the receiver in the reason.
    pub(super) fn outcome(&self, url: &str, now_ms: i64) -> Outcome {
        let status = self.status;
        let meaning = match &self.verdict {
            None | Some(Verdict::Delivered) if status.is_success() => return Outcome::Delivered,
            Some(Verdict::Retry(_)) => Meaning::Outage,
            Some(Verdict::Rejected) => Meaning::Rejected,
            Some(Verdict::Unknown) => Meaning::Doubtful,
            _ => Meaning::of(status),
        };
        let retry_after = self.retry_after.as_deref().and_then(|text| wait(text, now_ms));
        let mut reason = format!("{url} answered {status}");
        if let Some(Verdict::Retry(value)) = &self.verdict {
            reason.push_str(&format!(" and {value}, which asks for a later try"));
        }
        if let Some(location) = &self.location {
            reason.push_str(&format!(", to {}", printable(location, EXCERPT_CHARACTERS_MAX)));
        }
        // A status that means an outage comes from a proxy: its text says nothing about the receiver, and often differs each time.
        // A body that `answer` understands comes from the receiver.
        let is_of_receiver = self.verdict.is_some() || meaning != Meaning::Outage;
        if is_of_receiver && !self.body.trim().is_empty() {
            let body = if self.verdict.is_some() { without_numbers(&self.body) } else { self.body.clone() };
            reason.push_str(&format!(": \"{}\"", printable(body.trim(), EXCERPT_CHARACTERS_MAX)));
        }
        if self.verdict == Some(Verdict::Unknown) {
            reason.push_str("; `answer` has no such value: is `url` right, and does the other end accept its message?");
        }
        if let Some(cure) = cure(status) {
            reason.push_str(&format!("; {cure}"));
        }
        let failure = match meaning {
            Meaning::Rejected => return Outcome::Rejected { reason },
            Meaning::Outage => Failure::outage(reason),
            Meaning::Doubtful => Failure { is_doubtful: true, ..Failure::outage(reason) },
            Meaning::Retry => Failure::of_event(reason),
        };
        let is_asked = matches!(self.verdict, Some(Verdict::Retry(_)));
        Outcome::Retry(Failure { retry_after: retry_after.or(is_asked.then_some(ASKED_WAIT)), ..failure })
    }
}

/// The meaning of a status other than 2xx.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The receiver refuses this event for good.
    Rejected,
    /// The receiver takes no event now.
    Outage,
    /// The receiver may be set up wrongly, or may not be meant by the configuration. If other events pass, this one is at fault.
    Doubtful,
    /// The receiver doesn't take this event now.
    Retry,
}

impl Meaning {
    fn of(status: StatusCode) -> Meaning {
        match status.as_u16() {
            // These are about the event: its form, its state, its size.
            400 | 409 | 410 | 413 | 422 => Meaning::Rejected,
            // 429 asks for fewer requests, and 502 to 504 usually come from a proxy that reaches no receiver.
            429 | 502..=504 => Meaning::Outage,
            408 | 423 | 425 => Meaning::Retry,
            // A wrong token, path or method, or a redirect to a login: mostly every event gets the same answer.
            300..=499 => Meaning::Doubtful,
            // HTTP gives 600 and more no meaning, so they are errors of the receiver.
            _ => Meaning::Retry,
        }
    }
}

/// Returns a body with `#` for each long number. Some chat tools add the time or an id to an error, and the log would repeat it.
fn without_numbers(body: &str) -> String {
    let mut text = String::new();
    for part in body.split_inclusive(|character: char| !character.is_ascii_digit()) {
        let number = part.trim_end_matches(|character: char| !character.is_ascii_digit());
        text.push_str(if number.len() > DIGITS_MAX { "#" } else { number });
        text.push_str(&part[number.len()..]);
    }
    text
}

/// Returns the wait that `Retry-After` asks for, at most [`WAIT_MAX`]: seconds (`120`), or one of the three forms of an HTTP date
/// (`Sun, 06 Nov 1994 08:49:37 GMT`). Also reads what servers send although HTTP has no such form: fractions, negative numbers,
/// `120s`, UTC for GMT, and RFC 3339. A time that has passed is no wait.
fn wait(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic() || character == ' ');
    let unit = &text[number.len()..];
    if matches!(unit.trim(), "" | "s" | "sec" | "secs" | "second" | "seconds")
        && let Ok(secs) = number.parse::<f64>()
    {
        // Rounded up, because the receiver may count from the start of the second. An infinite number is a long wait too.
        let secs = secs.ceil().clamp(0.0, WAIT_MAX.as_secs_f64());
        return Some(Duration::from_secs_f64(secs));
    }
    let now = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    Some(date(text)?.saturating_sub(now).min(WAIT_MAX))
}

/// Returns a date as the time since 1970. A date before that is 1970.
fn date(text: &str) -> Option<Duration> {
    let as_gmt = [" UTC", " UT", " Z", " +0000", " -0000"].iter().find_map(|zone| text.strip_suffix(zone));
    let date = match as_gmt {
        Some(date) => httpdate::parse_http_date(&format!("{date} GMT")),
        None => httpdate::parse_http_date(text),
    };
    match date {
        Ok(date) => Some(date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        Err(_) => {
            let timestamp: jiff::Timestamp = text.parse().ok()?;
            Some(Duration::from_secs(u64::try_from(timestamp.as_second()).unwrap_or(0)))
        }
    }
}

/// Returns a cure, if the status alone shows the cause.
fn cure(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        300 => Some("the receiver offers a choice of addresses: set `url` to the one that takes the events"),
        304 => Some(
            "304 is an answer from a cache, and no event was taken: set `url` to the receiver, without a cache in between",
        ),
        301..=399 => Some("livehook does not follow redirects: set `url` to the address that takes the events"),
        401 | 403 => Some("does the receiver know this sink's secret or token?"),
        404 | 405 => Some("is `url` the address at which the receiver takes events?"),
        413 => Some("raise the limit of the receiver, or lower `batch_events_max`"),
        415 => Some("set `content_type` to one that the receiver takes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::reason;

    fn outcome(status: u16) -> Outcome {
        answer(status, None).outcome("http://r/x", 0)
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(str::to_owned),
            location: None,
            verdict: None,
            body: String::new(),
        }
    }

    #[test]
    fn only_2xx_is_delivered() {
        for status in 200..=999 {
            let name = match outcome(status) {
                Outcome::Delivered => "delivered",
                Outcome::Retry(Failure { is_doubtful: true, is_outage: true, .. }) => "doubtful",
                Outcome::Retry(Failure { is_outage: true, .. }) => "outage",
                Outcome::Retry(_) => "retry",
                Outcome::Rejected { .. } => "rejected",
                Outcome::Held => "held",
            };
            let expected = match status {
                200..=299 => "delivered",
                429 | 502..=504 => "outage",
                400 | 409 | 410 | 413 | 422 => "rejected",
                408 | 423 | 425 | 500.. => "retry",
                _ => "doubtful",
            };
            assert_eq!(name, expected, "{status}");
        }
    }

    #[test]
    fn verdicts_decide_a_success() {
        let body = r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [16869031683154971621]"}"#;
        let judged = |status, verdict| {
            let answer = Answer { verdict, body: body.to_owned(), ..answer(status, None) };
            answer.outcome("http://r", 0)
        };
        assert_eq!(judged(200, Some(Verdict::Delivered)), Outcome::Delivered);
        let Outcome::Retry(later) = judged(200, Some(Verdict::Retry("/errcode 45009".to_owned()))) else { panic!() };
        assert_eq!((later.is_outage, later.is_doubtful, later.retry_after), (true, false, Some(ASKED_WAIT)));
        // A tool may give one code to a message that comes too soon and to one that it can't read. Its words tell them apart.
        assert_eq!(
            later.reason.split_once(": ").map(|(asked, words)| (asked, words.contains("hint: [#]"))),
            Some(("http://r answered 200 OK and /errcode 45009, which asks for a later try", true))
        );
        let Outcome::Retry(unknown) = judged(200, Some(Verdict::Unknown)) else { panic!() };
        assert!(unknown.is_doubtful && unknown.reason.contains("hint: [#]"), "{}", unknown.reason);
        assert!(matches!(judged(200, Some(Verdict::Rejected)), Outcome::Rejected { .. }));
        let Outcome::Retry(later) = judged(400, Some(Verdict::Retry("/code 9499".to_owned()))) else { panic!() };
        assert_eq!((later.is_outage, later.retry_after), (true, Some(ASKED_WAIT)));
        assert!(matches!(judged(503, Some(Verdict::Rejected)), Outcome::Rejected { .. }));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now_ms = 784_111_777_000;
        for (text, secs) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 UTC", Some(60)),
            ("Sun, 06 Nov 1994 08:50:37 +0000", Some(60)),
            ("1994-11-06T08:50:37Z", Some(60)),
            ("1994-11-06T09:50:37+01:00", Some(60)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
            ("86401", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("1e300", Some(86_400)),
            ("-1", Some(0)),
            ("-0.5", Some(0)),
            ("+5", Some(5)),
            ("1.5", Some(2)),
            ("0.001", Some(1)),
            ("120s", Some(120)),
            ("120 seconds", Some(120)),
            ("120 minutes", None),
            ("nan", None),
            ("soon", None),
            ("1, 2", None),
            ("1,5", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now_ms), secs.map(Duration::from_secs), "{text}");
        }
        let Outcome::Retry(failure) = answer(503, Some("7")).outcome("http://r/x", now_ms) else { panic!() };
        assert_eq!((failure.retry_after, failure.is_outage), (Some(Duration::from_secs(7)), true));
    }

    #[test]
    fn only_redirects_are_called_so() {
        for (status, said) in [
            (300, "a choice of addresses"),
            (302, "does not follow redirects"),
            (304, "an answer from a cache"),
            (308, "does not follow redirects"),
        ] {
            let reason = reason(&outcome(status));
            assert!(reason.contains(said), "{reason}");
        }
    }

    #[test]
    fn a_reason_shows_the_body_and_the_cure() {
        let body = format!("\u{1b}[31mno\n{}", "x".repeat(1000));
        let refused = Answer { body, location: Some("http://r/\u{202e}y".to_owned()), ..answer(308, None) };
        let reason = reason(&refused.outcome("http://r/x", 0));
        assert!(
            reason
                .starts_with("http://r/x answered 308 Permanent Redirect, to http://r/\\u{202e}y: \"\\u{1b}[31mno\\n")
        );
        assert!(
            reason.ends_with("…\"; livehook does not follow redirects: set `url` to the address that takes the events"),
            "{reason}"
        );
        assert!(reason.len() < 500);
    }
}
