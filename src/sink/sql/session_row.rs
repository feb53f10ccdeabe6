//! The row of a session, and the text from which the session is restored when more of its events come.

use serde::{Deserialize, Serialize};

use super::tables::{Row, time_text};
use crate::callback::EventId;
use crate::session::{ManualEnd, Push, Session, Stop, StreamKey};

/// The merged facts of a session, in JSON.
#[derive(Serialize, Deserialize)]
struct Facts {
    seen_ms: Option<(i64, i64)>,
    push: Option<(String, PushFacts)>,
    stop: Option<(String, StopFacts)>,
    manual_end: Option<(String, Option<String>)>,
}

#[derive(Serialize, Deserialize)]
struct PushFacts {
    appid: Option<i64>,
    node: Option<String>,
    user_address: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct StopFacts {
    #[serde(flatten)]
    push: PushFacts,
    push_duration_ms: Option<i64>,
    errcode: Option<i64>,
    errmsg: Option<String>,
}

/// Returns the text of the column `facts`.
pub(super) fn facts_text(session: &Session) -> String {
    let Session { push, stop, manual_end, seen_ms } = session.clone();
    let push = push.map(|(id, push)| (id.to_string(), PushFacts::of(push)));
    let stop = stop.map(|(id, Stop { push, push_duration_ms, errcode, errmsg })| {
        (id.to_string(), StopFacts { push: PushFacts::of(push), push_duration_ms, errcode, errmsg })
    });
    let manual_end = manual_end.map(|(id, end)| (id.to_string(), end.why));
    serde_json::to_string(&Facts { seen_ms, push, stop, manual_end }).unwrap_or_default()
}

/// Reads the text of the column `facts`. `None` if another program has changed it.
pub(super) fn session_of_facts(text: &str) -> Option<Session> {
    let Facts { seen_ms, push, stop, manual_end } = serde_json::from_str(text).ok()?;
    let mut session = Session { seen_ms, ..Session::default() };
    if let Some((id, push)) = push {
        session.push = Some((id.parse().ok()?, push.into_push()));
    }
    if let Some((id, StopFacts { push, push_duration_ms, errcode, errmsg })) = stop {
        let stop = Stop { push: push.into_push(), push_duration_ms, errcode, errmsg };
        session.stop = Some((id.parse().ok()?, stop));
    }
    if let Some((id, why)) = manual_end {
        session.manual_end = Some((id.parse().ok()?, ManualEnd { why }));
    }
    Some(session)
}

impl PushFacts {
    fn of(Push { appid, node, user_address, width, height }: Push) -> PushFacts {
        PushFacts { appid, node, user_address, width, height }
    }

    fn into_push(self) -> Push {
        let PushFacts { appid, node, user_address, width, height } = self;
        Push { appid, node, user_address, width, height }
    }
}

/// The row of a session.
pub(super) fn session_row(stream: &StreamKey, sequence: &str, session: &Session) -> Row {
    let reason = session.reason();
    let reason = reason.as_ref();
    let text = |text: &str| Some(text.to_owned());
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    fn id<T>(part: Option<&(EventId, T)>) -> Option<String> {
        part.map(|(id, _)| id.to_string())
    }
    vec![
        Some(stream.session(sequence).to_string()),
        text(&stream.domain()),
        text(&stream.app_name()),
        text(&stream.stream()),
        text(sequence),
        number(session.appid()),
        Some(time_text(session.started_ms())),
        session.ended_ms().map(time_text),
        number(session.duration_ms()),
        number(reason.and_then(|reason| reason.errcode)),
        number(reason.and_then(|reason| reason.sub)),
        reason.map(|reason| reason.category.to_string()),
        reason.and_then(|reason| text(reason.meaning)),
        reason.and_then(|reason| text(reason.actor)),
        reason.and_then(|reason| text(reason.advice)),
        // Both kinds of servers read it as true or false.
        reason.map(|reason| i32::from(reason.is_hint).to_string()),
        session.reason_text().and_then(text),
        session.user_address().and_then(text),
        session.node().and_then(text),
        number(session.size().map(|(width, _)| width)),
        number(session.size().map(|(_, height)| height)),
        Some(time_text(session.first_ms())),
        Some(time_text(session.last_ms())),
        id(session.push.as_ref()),
        id(session.stop.as_ref()),
        id(session.manual_end.as_ref()),
        Some(facts_text(session)),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kind::Kind;
    use super::super::tables::Table;
    use super::*;
    use crate::session::testing::{fold, history};

    proptest! {
        #[test]
        fn facts_restore_any_session(events in history()) {
            for ((stream, sequence), session) in fold(&events) {
                prop_assert_eq!(session_of_facts(&facts_text(&session)), Some(session.clone()));
                let columns = Table::of_sessions(Kind::MySql, "t").columns.len();
                prop_assert_eq!(session_row(&stream, &sequence, &session).len(), columns);
            }
        }
    }

    #[test]
    fn changed_facts_are_noticed() {
        for text in ["", "{}x", "[]", r#"{"push":["no id",{}]}"#] {
            assert_eq!(session_of_facts(text), None, "{text}");
        }
    }
}
