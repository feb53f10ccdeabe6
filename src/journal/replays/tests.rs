//! Replays: their progress is durable, and their number is bounded.

use super::super::testing::{FAILED_AT_MS, Running};
use super::super::{Journal, Offset, Progress};
use super::*;

fn replay_of(sink: &str) -> NewReplay {
    NewReplay { sink: sink.to_owned(), selection: "{}".to_owned(), first: Offset(2), last: Offset(9), counted: Some(7) }
}

impl Running {
    async fn begin(&self, sink: &str) -> Option<i64> {
        self.journal.begin_replay(replay_of(sink)).await.unwrap()
    }

    async fn cancel(&self, number: i64) -> bool {
        self.journal.cancel_replay(number).await.unwrap()
    }

    fn replay(&self, number: i64) -> Replay {
        self.reader().replay(number).unwrap().unwrap()
    }
}

fn progress(number: i64, cursor: i64, ended_at_ms: Option<i64>) -> Progress {
    let last_reason = ended_at_ms.map(|_| "poison".to_owned());
    let replay = ReplayProgress { number, cursor: Offset(cursor), done: 3, failed: 1, last_reason, ended_at_ms };
    Progress { replay: Some(replay), ..Progress::default() }
}

#[tokio::test]
async fn replay_keeps_its_place_over_restart() {
    let mut running = Running::start(&["archive", "backend"]);
    assert_eq!((running.begin("archive").await, running.begin("archive").await), (Some(1), Some(2)));
    assert_eq!(running.consumers[1].replay().await.unwrap(), None);
    running.advance(0, progress(1, 5, None)).await;

    let mut running = running.restart(&["archive", "backend"]).await;
    let replay = running.consumers[0].replay().await.unwrap().unwrap();
    assert_eq!((replay.number, replay.cursor, replay.done, replay.failed), (1, Offset(5), 3, 1));
    assert_eq!((&replay.order, replay.last_reason, replay.ended_at_ms), (&replay_of("archive"), None, None));
    running.advance(0, progress(1, 9, Some(FAILED_AT_MS))).await;
    let replay = running.replay(1);
    assert_eq!((replay.done, replay.failed, replay.ended_at_ms), (6, 2, Some(FAILED_AT_MS)));
    assert_eq!(replay.last_reason.as_deref(), Some("poison"));
    assert_eq!(running.consumers[0].replay().await.unwrap().unwrap().number, 2, "the next one");
    assert_eq!(running.consumers[0].cursor(), Offset(0), "a replay does not move the cursor of its sink");
}

#[tokio::test]
async fn replay_need_not_be_counted() {
    let running = Running::start(&["archive"]);
    let uncounted = NewReplay { counted: None, ..replay_of("archive") };
    assert_eq!(running.journal.begin_replay(uncounted.clone()).await.unwrap(), Some(1));
    assert_eq!(running.replay(1).order, uncounted);
}

#[tokio::test]
async fn replay_is_cancelled_once() {
    let mut running = Running::start(&["archive"]);
    running.begin("archive").await;
    running.begin("archive").await;
    running.advance(0, progress(1, 9, Some(FAILED_AT_MS))).await;
    assert!(!running.cancel(1).await, "it has ended");
    assert!(running.cancel(2).await && !running.cancel(2).await && !running.cancel(77).await);
    assert_eq!(running.consumers[0].replay().await.unwrap(), None);
    let all = running.reader().replays(i64::MAX, 10).unwrap();
    let all: Vec<_> = all.iter().map(|replay| (replay.number, replay.is_cancelled)).collect();
    assert_eq!(all, [(2, true), (1, false)]);
}

#[tokio::test]
async fn replays_have_a_bound() {
    let running = Running::start(&["archive"]);
    for _ in 0..100 {
        running.begin("archive").await.unwrap();
    }
    assert_eq!(running.begin("archive").await, None);
    running.cancel(1).await;
    assert!(running.begin("archive").await.is_some());
    running.cancel(2).await;
    running.cancel(100).await;
    for _ in 0..5 {
        let number = running.begin("archive").await.unwrap();
        running.cancel(number).await;
    }
    let all = running.reader().replays(i64::MAX, 1000).unwrap();
    let numbers: Vec<i64> = all.iter().map(|replay| replay.number).collect();
    assert!(!numbers.contains(&1) && !numbers.contains(&2), "ended long ago: {numbers:?}");
    assert!(numbers.contains(&3) && numbers.contains(&100), "running, or ended lately: {numbers:?}");
}
