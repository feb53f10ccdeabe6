//! Why a stream stopped, for people.

use super::details::Detail;
use super::text_cell::{TextCell, Tone};
use crate::callback::{Reason, ReasonCategory};

/// A category in its colour: green for a stop that the client wanted, red for a stop that somebody has to fix.
pub(crate) fn category_cell(category: ReasonCategory) -> TextCell {
    TextCell::new(category).toned(tone(category))
}

/// A category with the vendor's code, such as `network 12`; `-` without a reason.
pub(crate) fn reason_cell(reason: Option<&Reason>) -> TextCell {
    let Some(reason) = reason else { return TextCell::new("") };
    let code = reason.errcode.map(|errcode| format!(" {errcode}")).unwrap_or_default();
    TextCell::new(format_args!("{}{code}", reason.category)).toned(tone(reason.category))
}

/// The sub-code, the meaning and the advice. livehook guesses a sub-code from the vendor's message, and marks a guess.
pub(crate) fn reason_details(reason: &Reason) -> Vec<Detail> {
    let sub = match (reason.sub, reason.is_hint) {
        (Some(sub), true) => Some(format!("{sub}, guessed from the message")),
        (None, true) => Some("one of several, guessed from the message".to_owned()),
        (Some(sub), false) => Some(sub.to_string()),
        (None, false) => None,
    };
    let sub = sub.map(|sub| ("sub-code", TextCell::new(sub)));
    let texts = [
        ("meaning", TextCell::new(reason.meaning)),
        ("who acts", TextCell::new(reason.actor)),
        ("what to do", TextCell::new(reason.advice)),
    ];
    sub.into_iter().chain(texts).collect()
}

fn tone(category: ReasonCategory) -> Tone {
    match category {
        ReasonCategory::Client => Tone::Good,
        ReasonCategory::Operator | ReasonCategory::Replaced | ReasonCategory::Manual | ReasonCategory::Unknown => {
            Tone::Warning
        }
        ReasonCategory::Network
        | ReasonCategory::Content
        | ReasonCategory::Idle
        | ReasonCategory::Internal
        | ReasonCategory::Rejected => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_with_and_without_code() {
        let text = |errcode| reason_cell(Some(&Reason::of(errcode, None))).text().to_owned();
        assert_eq!((text(Some(1)).as_str(), text(None).as_str()), ("client 1", "unknown"));
        assert_eq!(reason_cell(None).text(), "-");
    }
}
