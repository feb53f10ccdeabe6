//! Streams, sessions and broadcasts as rows of a listing.

use serde::Serialize;

use super::cell::{Cell, Tone};
use super::human;
use super::listing::Row;
use super::table::Column;
use crate::cli::explain::category_tone;
use crate::index::{BroadcastView, ReasonView, SessionView, StreamView};
use crate::moment::Moment;
use crate::session::State;

/// A stream that is live, as it is at a moment.
#[derive(Serialize)]
pub(crate) struct StreamRow {
    #[serde(flatten)]
    pub(crate) view: StreamView,
    #[serde(skip)]
    pub(crate) now_ms: i64,
}

impl Row for StreamRow {
    const COLUMNS: &'static [Column] = &[
        Column::left("SINCE"),
        Column::right("FOR"),
        Column::left("STREAM"),
        Column::left("FROM"),
        Column::left("SIZE"),
        Column::right("PUSHES"),
        Column::right("ANOMALIES"),
        Column::left("SESSION"),
    ];
    const CSV_MEMBERS: &'static [&'static str] = &[
        "domain",
        "app_name",
        "stream",
        "live_since",
        "pushes",
        "session",
        "user_address",
        "node",
        "width",
        "height",
        "last_event",
        "anomalies",
    ];

    fn cells(&self) -> Vec<Cell> {
        let view = &self.view;
        let since_ms = view.live_since.0;
        // More than one push of a stream may be a backup, or an encoder that nobody has thought of.
        let pushes = Cell::new(view.pushes).toned(if view.pushes > 1 { Tone::Warning } else { Tone::Plain });
        vec![
            Cell::new(human::moment(since_ms)),
            Cell::new(human::duration(self.now_ms.saturating_sub(since_ms).max(0))),
            Cell::stream(&view.domain, &view.app_name, &view.stream),
            address(view.user_address.as_deref()),
            size(view.width, view.height),
            pushes,
            anomalies(view.anomalies),
            Cell::new(&view.session),
        ]
    }
}

/// A session, as it is at a moment.
#[derive(Serialize)]
pub(crate) struct SessionRow {
    #[serde(flatten)]
    pub(crate) view: SessionView,
    #[serde(skip)]
    pub(crate) now_ms: i64,
}

impl Row for SessionRow {
    const COLUMNS: &'static [Column] = &[
        Column::left("STARTED"),
        Column::left("LASTED"),
        Column::left("STATE"),
        Column::left("STREAM"),
        Column::left("REASON"),
        Column::left("FROM"),
        Column::right("ANOMALIES"),
        Column::left("ID"),
    ];
    const CSV_MEMBERS: &'static [&'static str] = &[
        "id",
        "state",
        "domain",
        "app_name",
        "stream",
        "sequence",
        "appid",
        "started",
        "ended",
        "duration_ms",
        "reason.errcode",
        "reason.sub",
        "reason.category",
        "reason.meaning",
        "reason.actor",
        "reason.advice",
        "reason.is_hint",
        "reason.errmsg",
        "user_address",
        "node",
        "width",
        "height",
        "first_event",
        "last_event",
        "push_event_id",
        "stop_event_id",
        "anomalies",
        "recordings",
        "screenshots",
    ];

    fn cells(&self) -> Vec<Cell> {
        let view = &self.view;
        vec![
            Cell::new(human::moment(view.started.0)),
            self.lasted(),
            state(view.state),
            Cell::stream(&view.domain, &view.app_name, &view.stream),
            reason(view.reason.as_ref()),
            address(view.user_address.as_deref()),
            anomalies(view.anomalies),
            Cell::new(&view.id),
        ]
    }
}

impl SessionRow {
    /// How long it lasted, or has lasted so far; not known of one that is stale.
    pub(crate) fn lasted(&self) -> Cell {
        let view = &self.view;
        lasted(view.state, view.started, view.duration_ms, self.now_ms)
    }
}

/// A broadcast, as it is at a moment.
#[derive(Serialize)]
pub(crate) struct BroadcastRow {
    #[serde(flatten)]
    pub(crate) view: BroadcastView,
    #[serde(skip)]
    pub(crate) now_ms: i64,
}

impl Row for BroadcastRow {
    const COLUMNS: &'static [Column] = &[
        Column::left("STARTED"),
        Column::left("LASTED"),
        Column::left("STATE"),
        Column::left("STREAM"),
        Column::right("SESSIONS"),
        Column::right("INTERRUPTIONS"),
        Column::right("LONGEST GAP"),
        Column::left("FIRST SESSION"),
    ];
    const CSV_MEMBERS: &'static [&'static str] = &[
        "domain",
        "app_name",
        "stream",
        "state",
        "started",
        "ended",
        "duration_ms",
        "sessions",
        "interruptions",
        "longest_gap_ms",
        "gaps_ms",
        "first_session",
        "last_session",
    ];

    fn cells(&self) -> Vec<Cell> {
        let view = &self.view;
        let gap = (view.interruptions > 0).then(|| human::duration(view.longest_gap_ms));
        vec![
            Cell::new(human::moment(view.started.0)),
            lasted(view.state, view.started, view.duration_ms, self.now_ms),
            state(view.state),
            Cell::stream(&view.domain, &view.app_name, &view.stream),
            Cell::new(view.sessions),
            Cell::new(view.interruptions).toned(if view.interruptions > 0 { Tone::Warning } else { Tone::Plain }),
            Cell::optional(gap),
            Cell::new(&view.first_session),
        ]
    }
}

fn lasted(state: State, started: Moment, duration_ms: Option<i64>, now_ms: i64) -> Cell {
    match state {
        State::Live => {
            let lasted_ms = now_ms.saturating_sub(started.0).max(0);
            Cell::new(format_args!("live {}", human::duration(lasted_ms)))
        }
        State::Ended | State::Stale => Cell::optional(duration_ms.map(human::duration)),
    }
}

/// Whether it is on.
pub(crate) fn state(state: State) -> Cell {
    Cell::new(state).toned(match state {
        State::Live => Tone::Good,
        State::Ended => Tone::Plain,
        State::Stale => Tone::Warning,
    })
}

/// Why it stopped: the category, and the vendor's code where there is one.
pub(crate) fn reason(reason: Option<&ReasonView>) -> Cell {
    let Some(ReasonView { reason, .. }) = reason else { return Cell::new("") };
    let code = reason.errcode.map(|errcode| format!(" {errcode}")).unwrap_or_default();
    Cell::new(format_args!("{}{code}", reason.category)).toned(category_tone(reason.category))
}

/// The size of the picture in pixels.
pub(crate) fn size(width: Option<i64>, height: Option<i64>) -> Cell {
    Cell::optional(width.zip(height).map(|(width, height)| format!("{width}x{height}")))
}

/// How many anomalies were reported.
pub(crate) fn anomalies(count: i64) -> Cell {
    Cell::new(count).toned(if count > 0 { Tone::Warning } else { Tone::Plain })
}

fn address(address: Option<&str>) -> Cell {
    Cell::name(address.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::cell;
    use super::super::listing::{self, Form};
    use super::super::output::Output;
    use super::*;
    use crate::callback::{Reason, ReasonCategory};
    use crate::session::StreamKey;

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

    fn shown<R: Row>(rows: &[R], form: Form) -> String {
        let mut written = Vec::new();
        listing::show(rows, form, &mut Output::to(&mut written)).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn tables_tell_what_matters_within_the_width_of_a_screen() {
        let mut backed_up = stream("demo-with-a-backup");
        (backed_up.view.pushes, backed_up.view.width, backed_up.view.user_address) = (2, None, None);
        let table = shown(&[stream("demo"), backed_up], Form::Table);
        let lines = [
            "SINCE                    FOR  STREAM                                    FROM           SIZE       PUSHES  ANOMALIES  SESSION",
            "2026-05-01T11:56:40Z  3m 20s  push.example.com/live/demo                119.29.94.245  1920x1080       1          0  2210464508206756938-",
            "2026-05-01T11:56:40Z  3m 20s  push.example.com/live/demo-with-a-backup  -              -               2          0  2210464508206756938-",
        ];
        for (line, expected) in table.lines().zip(lines) {
            assert!(line.starts_with(expected), "{line}\n{expected}");
        }
        let table = shown(&[State::Ended, State::Live, State::Stale].map(|state| session("demo", state)), Form::Table);
        let lines = [
            "STARTED               LASTED       STATE  STREAM                      REASON      FROM                                  ANOMALIES  ID",
            "2026-05-01T11:56:40Z  3m 19s       ended  push.example.com/live/demo  network 12  2001:db8:85a3:8d3:1319:8a2e:370:7348          3  221",
            "2026-05-01T11:56:40Z  live 3m 20s  live   push.example.com/live/demo  -           2001:db8:85a3:8d3:1319:8a2e:370:7348          3  221",
            "2026-05-01T11:56:40Z  -            stale  push.example.com/live/demo  -           2001:db8:85a3:8d3:1319:8a2e:370:7348          3  221",
        ];
        for (line, expected) in table.lines().zip(lines) {
            assert!(line.starts_with(expected), "{line}\n{expected}");
        }
        let table =
            shown(&[broadcast(State::Ended, 1), broadcast(State::Live, 0), broadcast(State::Stale, 0)], Form::Table);
        let lines = [
            "STARTED               LASTED   STATE  STREAM                      SESSIONS  INTERRUPTIONS  LONGEST GAP  FIRST SESSION",
            "2026-05-01T10:00:00Z  2h       ended  push.example.com/live/demo         2              1        1m 5s  2210464508206756938-",
            "2026-05-01T10:00:00Z  live 2h  live   push.example.com/live/demo         1              0            -  2210464508206756938-",
            "2026-05-01T10:00:00Z  -        stale  push.example.com/live/demo         1              0            -  2210464508206756938-",
        ];
        for (line, expected) in table.lines().zip(lines) {
            assert!(line.starts_with(expected), "{line}\n{expected}");
        }
        for line in shown(&[stream("demo")], Form::Table).lines() {
            assert!(cell::width(line) <= 140, "{line}");
        }
    }

    #[test]
    fn csv_has_every_member_of_json() {
        fn check<R: Row>(row: R) {
            let json: Value = serde_json::from_str(&shown(std::slice::from_ref(&row), Form::Json)).unwrap();
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
    fn hostile_names_stay_in_their_row_in_every_form() {
        let hostile = "\u{1b}[2J\u{202e}\r\n=1+1\u{2028}";
        let mut row = session(hostile, State::Ended);
        row.view.user_address = Some("\u{9b}31m".to_owned());
        row.view.reason.as_mut().unwrap().errmsg = Some("@SUM(A1)\u{1b}]0;x\u{7}".to_owned());
        for form in [Form::Table, Form::Json, Form::Csv] {
            let written = shown(std::slice::from_ref(&row), form);
            let harmful = ['\u{1b}', '\u{9b}', '\u{7}', '\u{2028}'];
            assert!(!written.contains(harmful), "{written:?}");
        }
        assert_eq!(shown(std::slice::from_ref(&row), Form::Json).lines().count(), 1);
        assert_eq!(shown(std::slice::from_ref(&row), Form::Table).lines().count(), 2);
        assert!(shown(&[row], Form::Csv).contains("'@SUM(A1)"));
        let long = shown(&[stream(&"x".repeat(10_000))], Form::Table);
        assert!(long.lines().all(|line| cell::width(line) < 250));
    }

    #[test]
    fn a_reason_without_a_code_is_its_category() {
        let of = |errcode| reason(Some(&ReasonView { reason: Reason::of(errcode, None), errmsg: None }));
        assert_eq!((of(Some(1)).text(), of(None).text(), reason(None).text()), ("client 1", "unknown", "-"));
        assert_eq!(category_tone(ReasonCategory::Idle), Tone::Bad);
    }
}
