//! Streams, sessions and broadcasts in each format.

use serde_json::Value;

use super::text_cell::width;
use super::*;
use crate::callback::Reason;
use crate::index::{BroadcastView, ReasonView, SessionView, StreamView};
use crate::moment::Moment;
use crate::session::{State, StreamKey};

const NOW_MS: i64 = 1_777_636_800_000; // 2026-05-01T12:00:00Z

fn stream(name: &str) -> StreamRow {
    let view = StreamView {
        place: 0,
        domain: "push.example.com".to_owned(),
        app_name: "live".to_owned(),
        stream: name.to_owned(),
        live_since: Moment(NOW_MS - 200_000),
        pushes: 1,
        session: StreamKey::from_text("push.example.com/live/demo").session("2210464508206756938"),
        user_address: Some("119.29.94.245".to_owned()),
        node: None,
        width: Some(1920),
        height: Some(1080),
        last_event: Moment(NOW_MS),
        anomalies: 0,
    };
    StreamRow { view, now_ms: NOW_MS }
}

fn session(name: &str, state: State) -> SessionRow {
    let has_ended = state == State::Ended;
    let reason = ReasonView { reason: Reason::of(Some(12), None), errmsg: Some("m".to_owned()) };
    let view = SessionView {
        id: StreamKey::from_text("push.example.com/live/demo").session("2210464508206756938"),
        state,
        domain: "push.example.com".to_owned(),
        app_name: "live".to_owned(),
        stream: name.to_owned(),
        sequence: "2210464508206756938".to_owned(),
        appid: Some(1),
        started: Moment(NOW_MS - 200_000),
        ended: has_ended.then_some(Moment(NOW_MS)),
        duration_ms: has_ended.then_some(199_500),
        reason: has_ended.then_some(reason),
        user_address: Some("2001:db8:85a3:8d3:1319:8a2e:370:7348".to_owned()),
        node: None,
        width: None,
        height: None,
        first_event: Moment(NOW_MS - 200_000),
        last_event: Moment(NOW_MS),
        push_event_id: None,
        stop_event_id: None,
        manual_end_event_id: None,
        anomalies: 3,
        recordings: 1,
        screenshots: 2,
        place: (0, 0),
    };
    SessionRow { view, now_ms: NOW_MS }
}

fn broadcast(state: State, interruptions: usize) -> BroadcastRow {
    let first_session = StreamKey::from_text("push.example.com/live/demo").session("2210464508206756938");
    let view = BroadcastView {
        domain: "push.example.com".to_owned(),
        app_name: "live".to_owned(),
        stream: "demo".to_owned(),
        state,
        started: Moment(NOW_MS - 7_200_000),
        ended: (state != State::Live).then_some(Moment(NOW_MS)),
        duration_ms: (state == State::Ended).then_some(7_200_000),
        sessions: interruptions + 1,
        interruptions,
        longest_gap_ms: 65_000,
        gaps_ms: 65_000,
        last_session: first_session.clone(),
        first_session,
        place: (0, 0),
    };
    BroadcastRow { view, now_ms: NOW_MS }
}

fn printed<R: Row>(rows: &[R], format: OutputFormat) -> String {
    let mut written = Vec::new();
    print_rows(rows, format, &mut Output::to(&mut written)).unwrap();
    String::from_utf8(written).unwrap()
}

#[test]
fn table_of_streams() {
    let mut backed_up = stream("demo-with-a-backup");
    (backed_up.view.pushes, backed_up.view.width, backed_up.view.user_address) = (2, None, None);
    let table = printed(&[stream("demo"), backed_up], OutputFormat::Table);
    insta::assert_snapshot!(table);
    assert!(table.lines().all(|line| width(line) <= 150), "{table}");
}

#[test]
fn table_of_sessions() {
    let rows = [State::Ended, State::Live, State::Stale].map(|state| session("demo", state));
    insta::assert_snapshot!(printed(&rows, OutputFormat::Table));
}

#[test]
fn table_of_broadcasts() {
    let rows = [broadcast(State::Ended, 1), broadcast(State::Live, 0), broadcast(State::Stale, 0)];
    insta::assert_snapshot!(printed(&rows, OutputFormat::Table));
}

#[test]
fn csv_with_every_member_of_json() {
    fn check<R: Row>(row: R) {
        let json: Value = serde_json::from_str(&printed(std::slice::from_ref(&row), OutputFormat::Json)).unwrap();
        let mut members = Vec::new();
        for (name, value) in json.as_object().unwrap() {
            match value.as_object() {
                Some(inner) => members.extend(inner.keys().map(|inner| format!("{name}.{inner}"))),
                None => members.push(name.clone()),
            }
        }
        members.sort();
        let mut columns = R::CSV_MEMBERS.to_vec();
        columns.sort_unstable();
        assert_eq!(members, columns);
    }
    check(stream("a"));
    check(session("a", State::Ended));
    check(broadcast(State::Live, 0));
}

#[test]
fn hostile_texts_stay_in_their_row() {
    let hostile = "\u{1b}[2J\u{202e}\r\n=1+1\u{2028}";
    let mut row = session(hostile, State::Ended);
    row.view.user_address = Some("\u{9b}31m".to_owned());
    row.view.reason.as_mut().unwrap().errmsg = Some("@SUM(A1)\u{1b}]0;x\u{7}".to_owned());
    for format in [OutputFormat::Table, OutputFormat::Json, OutputFormat::Csv] {
        let written = printed(std::slice::from_ref(&row), format);
        let harmful = ['\u{1b}', '\u{9b}', '\u{7}', '\u{2028}'];
        assert!(!written.contains(harmful), "{written:?}");
    }
    assert_eq!(printed(std::slice::from_ref(&row), OutputFormat::Json).lines().count(), 1);
    assert_eq!(printed(std::slice::from_ref(&row), OutputFormat::Table).lines().count(), 2);
    assert!(printed(&[row], OutputFormat::Csv).contains("'@SUM(A1)"));
    let long = printed(&[stream(&"x".repeat(10_000))], OutputFormat::Table);
    assert!(long.lines().all(|line| width(line) < 250));
}
