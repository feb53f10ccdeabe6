//! Draws how far a sink was behind in the last three hours.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::format::duration;
use super::view::View;
use crate::admin::lag_history::{LagSample, SPAN_MS};

const WIDTH: i64 = 720;
const HEIGHT: i64 = 100;

/// Draws how many events a sink was behind.
pub(super) fn records_chart(view: &View, samples: &[LagSample]) -> Markup {
    let points = samples.iter().map(|sample| (sample.moment_ms, sample.records)).collect::<Vec<_>>();
    let most = most(&points);
    chart(view, &points, &view.text_with("sink-chart-behind", &[("most", most.into())]))
}

/// Draws for how long the oldest pending event of a sink had waited.
pub(super) fn age_chart(view: &View, samples: &[LagSample]) -> Markup {
    let points = samples.iter().map(|sample| (sample.moment_ms, sample.age_ms)).collect::<Vec<_>>();
    let most = duration(view.texts, most(&points));
    chart(view, &points, &view.text_with("sink-chart-age", &[("most", most.into())]))
}

fn most(points: &[(i64, i64)]) -> i64 {
    points.iter().map(|(_, value)| *value).max().unwrap_or(0)
}

/// `points` are moments in Unix ms with their values, the newest at last.
fn chart(view: &View, points: &[(i64, i64)], label: &str) -> Markup {
    let line = line(points);
    html! {
        figure.lag {
            figcaption { (label) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 2) } preserveAspectRatio="none" role="img" aria-label=(label) {
                line x1="0" y1=(HEIGHT + 1) x2=(WIDTH) y2=(HEIGHT + 1) {}
                @if let Some((begin, end, line)) = &line {
                    path.area d={ "M" (begin) " " (HEIGHT + 1) " L" (line) " L" (end) " " (HEIGHT + 1) "Z" } {}
                    path.line d={ "M" (line) } {}
                }
            }
            p.ends aria-hidden="true" {
                span { (view.text("sink-chart-begin")) } span { (view.text("sink-chart-now")) }
            }
        }
    }
}

/// Returns the first and the last place from the left, and the points between as the data of a path; `None` without points.
fn line(points: &[(i64, i64)]) -> Option<(i64, i64, String)> {
    let begin_ms = points.last()?.0 - SPAN_MS;
    let most = most(points).max(1);
    let x = |moment_ms: i64| (moment_ms - begin_ms).clamp(0, SPAN_MS) * WIDTH / SPAN_MS;
    let mut line = String::new();
    for (moment_ms, value) in points {
        let y = HEIGHT - (i128::from(*value) * i128::from(HEIGHT) / i128::from(most)) as i64;
        let separator = if line.is_empty() { "" } else { " " };
        // Writing to a string never fails.
        let _ = write!(line, "{separator}{} {}", x(*moment_ms), y + 1);
    }
    Some((x(points.first()?.0), WIDTH, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_now() {
        let now_ms = 10 * SPAN_MS;
        assert_eq!(line(&[]), None);
        assert_eq!(line(&[(now_ms, 0)]), Some((WIDTH, WIDTH, "720 101".to_owned())));
        let points = [(now_ms - SPAN_MS / 2, i64::MAX), (now_ms, i64::MAX / 2)];
        assert_eq!(line(&points), Some((360, WIDTH, "360 1 720 52".to_owned())));
    }
}
