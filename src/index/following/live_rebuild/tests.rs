//! Rebuilds, one step of the worker at a time.

use crate::index::following::testing::{Running, STREAM, history};
use crate::index::testing::{events, expected};
use crate::journal::Step;
use crate::session::testing::push;
use crate::telemetry::TextFormat;

/// The lines of the metric that counts the ends of sessions.
fn ends(running: &Running) -> Vec<String> {
    let metrics = running.metrics.encode(TextFormat::Classic);
    metrics.lines().filter(|line| line.starts_with("livehook_sessions_ended_total")).map(str::to_owned).collect()
}

#[tokio::test]
async fn rebuild_runs_while_events_arrive() {
    let mut all = history();
    let mut running = Running::with(&all).await;
    let before = ends(&running);
    running.change_index("UPDATE sessions SET stop_errcode = 99, push_node = 'spoilt'");
    assert_ne!(running.sessions(), expected(&all));
    running.status.request_rebuild();
    assert!(running.status.view().is_rebuilding, "from the request on");
    for number in 0..20 {
        let late = events(&[push(STREAM, &format!("late-{number}"), number)]);
        running.append(&late).await;
        all.extend(late);
        assert!(!matches!(running.step().await, Step::Wait(_)));
    }
    running.step_until_idle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(running.sessions(), expected(&all));
    assert_eq!(ends(&running), before, "each end is reported once");
    // Two requests at once, without new records.
    running.status.request_rebuild();
    running.status.request_rebuild();
    running.step_until_idle().await;
    assert!(!running.status.view().is_rebuilding);
    assert_eq!(running.sessions(), expected(&all));
    running.stop().await;
}

#[tokio::test]
async fn rebuild_continues_after_a_restart() {
    let history = history();
    let mut running = Running::with(&history).await;
    for steps in 1..4 {
        running.status.request_rebuild();
        for _ in 0..steps {
            running.step().await;
        }
        running = running.restart().await;
    }
    running.step_until_idle().await;
    assert_eq!(running.sessions(), expected(&history));
    running.stop().await;
}
