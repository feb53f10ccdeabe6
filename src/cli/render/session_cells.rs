//! The texts that streams, sessions and broadcasts have in common.

use super::text_cell::{TextCell, Tone};
use super::time;
use crate::moment::Moment;
use crate::session::State;

/// A state in its colour.
pub(crate) fn state_cell(state: State) -> TextCell {
    TextCell::new(state).toned(match state {
        State::Live => Tone::Good,
        State::Ended => Tone::Plain,
        State::Stale => Tone::Warning,
    })
}

/// A duration, such as `2m 8s`, or `live 2m 8s` up to `now_ms`; `-` if it is unknown.
pub(super) fn lasted_cell(state: State, started: Moment, duration_ms: Option<i64>, now_ms: i64) -> TextCell {
    match state {
        State::Live => TextCell::new(format_args!("live {}", time::duration(since(started, now_ms)))),
        State::Ended | State::Stale => TextCell::optional(duration_ms.map(time::duration)),
    }
}

/// The time since `started` in ms. It is 0 if the clock was set back to an earlier time.
pub(super) fn since(started: Moment, now_ms: i64) -> i64 {
    now_ms.saturating_sub(started.0).max(0)
}

/// The size of the picture in pixels, such as `1920x1080`.
pub(crate) fn size_cell(width: Option<i64>, height: Option<i64>) -> TextCell {
    TextCell::optional(width.zip(height).map(|(width, height)| format!("{width}x{height}")))
}

/// The number of anomalies that were reported.
pub(crate) fn anomalies_cell(count: i64) -> TextCell {
    warned(count, count > 0)
}

/// The address that a push comes from.
pub(super) fn address_cell(address: Option<&str>) -> TextCell {
    TextCell::name(address.unwrap_or_default())
}

/// A number that is coloured if it needs attention.
pub(super) fn warned(count: impl std::fmt::Display, is_warning: bool) -> TextCell {
    TextCell::new(count).toned(if is_warning { Tone::Warning } else { Tone::Plain })
}
