//! A lane as SVG: the bars of a stream, its broadcasts, and the words of each bar.

use maud::{Markup, html};

use super::bars::{Bar, Bars};
use super::kinds::Kind;
use super::scale::{Scale, percent};
use crate::admin::pages::format::duration;
use crate::admin::pages::numbers::count;
use crate::admin::pages::view::View;
use crate::index::{Lane, LanePage, LaneSession};
use crate::moment::Moment;
use crate::printable::printable;
use crate::session::{Broadcast, SessionId, State};

/// The height of a row and the space around it, in pixels.
const ROW_HEIGHT: i64 = 20;
const ROW_SPACE: i64 = 6;

/// How many bars a page draws, about. Above that, narrow ones share a bar earlier.
const BARS_MAX: usize = 1500;

/// A bar at least this wide, in hundredths of a percent, has a mark.
const MARKED_MIN: i64 = 240;

/// On a narrow window, a bar at least this wide has a mark, in hundredths of a percent.
const MARKED_ON_PHONES_MIN: i64 = 700;

/// The width of a bar that would be narrower, in hundredths of a percent.
const BAR_MIN: i64 = 20;

/// Draws lanes on a scale.
pub(in crate::admin::pages) struct Drawing<'v> {
    pub(super) view: &'v View,
    pub(super) scale: Scale,
    pub(super) bridge_gap_ms: i64,
    /// Bars narrower than this can share one, in hundredths of a percent.
    pub(super) narrow: i64,
    /// The session whose page has the drawing.
    pub(super) current: Option<&'v SessionId>,
}

impl<'v> Drawing<'v> {
    /// Returns a drawing on which narrow bars share one so early that the page stays small.
    pub(super) fn fitting(view: &'v View, scale: Scale, page: &LanePage) -> Drawing<'v> {
        let mut drawing = Drawing { view, scale, bridge_gap_ms: page.bridge_gap_ms, narrow: 25, current: None };
        let bars = |drawing: &Drawing<'_>| page.lanes.iter().map(|lane| drawing.bars(lane).bars.len()).sum::<usize>();
        while drawing.narrow < 1000 && bars(&drawing) > BARS_MAX {
            drawing.narrow *= 2;
        }
        drawing
    }

    /// Draws the bars of a lane.
    pub(in crate::admin::pages) fn lane(&self, lane: &Lane) -> Markup {
        let bars = self.bars(lane);
        let height = count(bars.rows) * (ROW_HEIGHT + ROW_SPACE) + ROW_SPACE;
        let label = printable(&lane.stream, 120);
        html! {
            svg.lane-bars height=(height) role="group" aria-label=(label) {
                @if let Some(complete_from_ms) = lane.complete_from_ms {
                    rect.unread width=(percent(self.scale.place(complete_from_ms))) height="100%" {
                        title { (self.view.text("lane-unread")) }
                    }
                }
                @for broadcast in &bars.broadcasts { (self.broadcast(broadcast, height)) }
                @for bar in &bars.bars { (self.bar(lane, bar)) }
            }
        }
    }

    pub(super) fn bars<'l>(&self, lane: &'l Lane) -> Bars<'l> {
        Bars::of(&lane.sessions, self.scale, self.narrow, self.bridge_gap_ms, self.view.now_ms)
    }

    /// A frame around the sessions that viewers saw as one broadcast. Its gaps stay visible within.
    fn broadcast(&self, broadcast: &Broadcast, height: i64) -> Markup {
        let (start, end) =
            (self.scale.place(broadcast.started_ms), self.scale.place(broadcast.until_ms.min(self.view.now_ms)));
        let words = self.view.text_with(
            "lane-broadcast",
            &[
                ("sessions", count(broadcast.count).into()),
                ("gaps", count(broadcast.interruptions).into()),
                ("longest", duration(self.view.texts, broadcast.longest_gap_ms).into()),
            ],
        );
        html! {
            rect.broadcast x=(percent(start)) y="2" width=(percent((end - start).max(BAR_MIN))) height=(height - 4) rx="5" {
                title { (words) }
            }
        }
    }

    fn bar(&self, lane: &Lane, bar: &Bar<'_>) -> Markup {
        let kind = bar.kind();
        let y = ROW_SPACE + count(bar.row) * (ROW_HEIGHT + ROW_SPACE);
        let width = (bar.end - bar.start).max(BAR_MIN);
        let start = bar.start.min(10_000 - width);
        let (only, state) = match bar.sessions.as_slice() {
            [only] => (Some(*only), only.state),
            _ => (None, if kind == Kind::Live { State::Live } else { State::Ended }),
        };
        let address = match only {
            Some(session) => format!("/sessions/{}", session.id),
            None => self.closer(lane, bar),
        };
        let words = match only {
            Some(session) => self.words(session),
            None => self.shared_words(bar, kind),
        };
        let word = kind.word();
        html! {
            a class={ "lane-bar kind-" (word) } href=(address) aria-label=(words) data-state=(state.label())
                data-session=[only.map(|session| session.id.to_string())] data-kind=(word)
                aria-current=[only.filter(|session| self.current == Some(&session.id)).map(|_| "true")] {
                rect x=(percent(start)) y=(y) width=(percent(width)) height=(ROW_HEIGHT) rx="3" fill=(kind.fill()) {
                    title { (words) }
                }
                @if width >= MARKED_MIN {
                    text.wide-only[width < MARKED_ON_PHONES_MIN] x=(percent(start)) y=(y + 14) dx="6" aria-hidden="true" {
                        (kind.mark(self.view)) @if only.is_none() { "×" (bar.sessions.len()) }
                    }
                }
            }
        }
    }

    /// The address of the page with a closer look at sessions that share a bar.
    fn closer(&self, lane: &Lane, bar: &Bar<'_>) -> String {
        let starts = bar.sessions.iter().map(|session| session.started_ms);
        let ends = bar.sessions.iter().map(|session| session.until_ms.min(self.view.now_ms));
        let (from_ms, to_ms) = (starts.min().unwrap_or(0), ends.max().unwrap_or(0));
        // With some space around, so that the ends are visible.
        let space_ms = ((to_ms - from_ms) / 10).max(10_000);
        let (from, to) = (Moment(from_ms - space_ms).to_string(), Moment(to_ms + space_ms).to_string());
        let name = format!("{}/{}/{}", lane.domain, lane.app_name, lane.stream);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("stream", &name)
            .append_pair("from", &from)
            .append_pair("to", &to)
            .finish();
        format!("/timeline?{query}")
    }

    fn words(&self, session: &LaneSession) -> String {
        let view = self.view;
        let mut words = match (&session.reason, Kind::of(session)) {
            (Some(reason), kind) => {
                let code = reason.errcode.map(|errcode| format!(" ({errcode})")).unwrap_or_default();
                format!("{}: {}{code}", kind.name(view), view.meaning(reason))
            }
            (None, kind) => kind.name(view),
        };
        let until_ms = session.until_ms.min(view.now_ms).max(session.started_ms);
        words.push_str(&format!(
            "\n{} {} – {}, {}",
            view.zone.day(session.started_ms),
            view.zone.clock(session.started_ms),
            if session.state == State::Live { view.text("now").into_owned() } else { view.zone.clock(until_ms) },
            duration(view.texts, until_ms - session.started_ms),
        ));
        if let Some(address) = &session.user_address {
            words.push_str(&format!("\n{}", printable(address, 60)));
        }
        words
    }

    fn shared_words(&self, bar: &Bar<'_>, kind: Kind) -> String {
        let arguments = [("count", count(bar.sessions.len()).into()), ("kind", kind.name(self.view).into())];
        self.view.text_with("lane-shared-bar", &arguments).into_owned()
    }
}
