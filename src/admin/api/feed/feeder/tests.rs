use std::net::Ipv4Addr;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;

use super::*;
use crate::admin::api::feed::start::Start;
use crate::admin::api::feed::subscriber::{CutOff, Subscriber};
use crate::admin::api::feed::testing::{NOW_MS, Recorded, filter, summaries};
use crate::http::testing::{Lines, PATIENCE};
use crate::journal::testing::MemoryJournal;

/// Longer than the time after which a subscriber counts as silent.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A feed whose horizon the test moves, as the index does.
struct Setup {
    recorded: Recorded,
    feed: Arc<Feed>,
    horizon: watch::Sender<Offset>,
    stop: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

impl Setup {
    /// A feed of a journal with this many pushes, each of a session of its own.
    async fn with(pushes: i64) -> Setup {
        let recorded = tokio::task::spawn_blocking(move || Recorded::pushes(pushes)).await.unwrap();
        let (horizon, stop) = (watch::Sender::new(Offset(0)), watch::Sender::new(false));
        let readers = Arc::new(Readers::new(recorded.data.path().to_owned(), true));
        let journal = Arc::<MemoryJournal>::default();
        let feed = Feed::new(readers, journal, horizon.subscribe(), stop.subscribe(), 8, || NOW_MS);
        let feed = Arc::new(feed);
        let running = tokio::spawn({
            let feed = Arc::clone(&feed);
            async move { feed.run().await }
        });
        Setup { recorded, feed, horizon, stop, running }
    }

    fn subscribe(&self, place: i64, query: &str) -> Messages {
        let start = Start { mark: self.recorded.mark.clone(), place: Offset(place), gap: None };
        let seat = self.feed.take_seat().unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        let subscriber = Subscriber::new(Arc::clone(&self.feed), seat, peer, filter(query), start, HEARTBEAT);
        Messages { stream: Box::pin(subscriber.into_stream()), is_first: true, text: Vec::new() }
    }
}

/// The messages that a subscriber gets.
struct Messages {
    stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, CutOff>>>>,
    is_first: bool,
    /// The first part of a message whose rest has not arrived yet.
    text: Vec<u8>,
}

impl Messages {
    /// Returns the next messages; `None` if the feed has ended in order.
    async fn next(&mut self) -> Option<Result<Vec<String>, CutOff>> {
        timeout(PATIENCE, self.next_in_time()).await.expect("nothing but heartbeats comes")
    }

    async fn next_in_time(&mut self) -> Option<Result<Vec<String>, CutOff>> {
        if std::mem::take(&mut self.is_first) {
            let first = self.stream.next().await.unwrap().unwrap();
            assert!(first.starts_with(b"retry: 3000\nid: "), "{first:?}");
        }
        loop {
            let next = self.stream.next().await?;
            match next {
                Ok(piece) if self.text.is_empty() && piece.starts_with(b": heartbeat") => continue,
                Ok(piece) => self.text.extend_from_slice(&piece),
                Err(cut_off) => return Some(Err(cut_off)),
            }
            if self.text.ends_with(b"\n\n") {
                let text = std::mem::take(&mut self.text);
                return Some(Ok(summaries(std::str::from_utf8(&text).unwrap())));
            }
        }
    }

    /// Returns the offsets of the next messages, up to this one.
    async fn up_to(&mut self, last: i64) -> Vec<i64> {
        let mut offsets = Vec::new();
        while offsets.last() != Some(&last) {
            for message in self.next().await.unwrap().unwrap() {
                offsets.extend(message.split_once('#').map(|(_, offset)| offset.parse::<i64>().unwrap()));
            }
        }
        offsets
    }

    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(150), self.next()).await.is_err()
    }
}

#[tokio::test(start_paused = true)]
async fn late_subscriber_reaches_the_others() {
    let setup = Setup::with(600).await;
    setup.horizon.send_replace(Offset(250));
    let mut late = setup.subscribe(0, "kind=event");
    let mut ready = setup.subscribe(250, "kind=event");
    assert!(ready.is_silent().await);
    for (place, horizon) in [(250, 400), (400, 401), (401, 600)] {
        setup.horizon.send_replace(Offset(horizon));
        assert_eq!(ready.up_to(horizon).await, (place + 1..=horizon).collect::<Vec<_>>());
    }
    assert_eq!(late.up_to(600).await, (1..=600).collect::<Vec<_>>(), "it reads the journal by itself");
    assert!(late.is_silent().await && ready.is_silent().await);
}

#[tokio::test(start_paused = true)]
async fn rebuilt_index_repeats_nothing() {
    let setup = Setup::with(10).await;
    let (mut now, mut past) = (setup.subscribe(7, ""), setup.subscribe(2, "kind=event"));
    assert!(now.is_silent().await);
    assert!(past.is_silent().await);
    for horizon in [3, 5, 8] {
        setup.horizon.send_replace(Offset(horizon));
    }
    assert_eq!(now.next().await.unwrap().unwrap(), ["event tencent.css.push", "session 7 live #8"]);
    assert_eq!(past.up_to(8).await, (3..=8).collect::<Vec<_>>());
    // The index is rebuilt, and its cursor begins at 0 again.
    for horizon in [0, 5, 8, 10] {
        setup.horizon.send_replace(Offset(horizon));
        if horizon < 8 {
            assert!(now.is_silent().await && past.is_silent().await, "{horizon}");
        }
    }
    assert_eq!(past.up_to(10).await, [9, 10]);
    assert_eq!(now.up_to(10).await, [9, 10]);
}

#[tokio::test(start_paused = true)]
async fn stuck_subscriber_is_cut_off_alone() {
    let (lines, _guard) = Lines::take();
    let setup = Setup::with(300).await;
    let (mut stuck, mut taking) = (setup.subscribe(0, ""), setup.subscribe(0, "kind=event"));
    assert!(stuck.is_silent().await && taking.is_silent().await);
    for offset in 1..=300 {
        let batch = setup.recorded.render(offset - 1, offset, &Filter::default());
        setup.feed.send(batch);
        assert_eq!(taking.up_to(offset).await, [offset]);
    }
    assert!(matches!(stuck.next().await, Some(Err(CutOff::TooSlow))));
    assert!(stuck.next().await.is_none());
    assert_eq!(lines.text().matches("it reads too slowly").count(), 1, "{}", lines.text());
}

#[tokio::test(start_paused = true)]
async fn feed_rests_without_subscribers() {
    let setup = Setup::with(10).await;
    setup.horizon.send_replace(Offset(5));
    let mut first = setup.subscribe(5, "");
    assert!(first.is_silent().await);
    assert_eq!((setup.feed.subscribers(), setup.feed.live_place()), (1, Some(Offset(5))));
    drop(first);
    assert_eq!((setup.feed.subscribers(), setup.feed.live_place()), (0, None));
    // The feed wakes up once for the record that it waited for, and then waits for a subscriber.
    for horizon in [6, 8] {
        setup.horizon.send_replace(Offset(horizon));
        sleep(2 * PACE).await;
    }
    assert_eq!(setup.feed.lock().place, Offset(5), "nothing was sent");
    assert_eq!(setup.horizon.receiver_count(), 2, "the feed, and the task that runs it");
    let mut next = setup.subscribe(6, "kind=event");
    assert_eq!(next.up_to(8).await, [7, 8]);
    setup.horizon.send_replace(Offset(10));
    assert_eq!(next.up_to(10).await, [9, 10]);
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_ends_with_the_service() {
    let setup = Setup::with(10).await;
    setup.horizon.send_replace(Offset(5));
    let (mut live, mut waiting) = (setup.subscribe(8, ""), setup.subscribe(6, ""));
    assert!(live.is_silent().await && waiting.is_silent().await);
    let mut new = setup.subscribe(0, "");
    setup.stop.send_replace(true);
    for subscriber in [&mut live, &mut waiting, &mut new] {
        assert!(subscriber.next().await.is_none());
    }
    setup.running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn heartbeat_moves_a_subscriber_on() {
    let setup = Setup::with(10).await;
    let mut taking = setup.subscribe(0, "stream=none");
    assert!(taking.stream.next().await.unwrap().unwrap().ends_with(b"-0\n\n"));
    setup.horizon.send_replace(Offset(10));
    let heartbeats = async {
        let moved_on = format!(": heartbeat\nid: {}\n\n", setup.recorded.mark.at(Offset(10)));
        while taking.stream.next().await.unwrap().unwrap() != moved_on {}
    };
    timeout(PATIENCE, heartbeats).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_subscriber_keeps_its_turn() {
    let setup = Setup::with(10).await;
    setup.horizon.send_replace(Offset(10));
    // With a live subscriber the next one is behind. It waits, because all turns are taken.
    let mut live = setup.subscribe(10, "");
    assert!(live.is_silent().await);
    let mut turns = setup.feed.catching_up.acquire_many(CATCHING_UP_MAX as u32).await.unwrap();
    let mut behind = setup.subscribe(0, "kind=event");
    assert!(behind.stream.next().await.unwrap().unwrap().starts_with(b"retry: "));
    behind.is_first = false;
    for _ in 0..2 {
        let heartbeat = timeout(PATIENCE, behind.stream.next()).await.expect("nothing comes").unwrap().unwrap();
        assert!(heartbeat.starts_with(b": heartbeat\n") && heartbeat.ends_with(b"-0\n\n"), "{heartbeat:?}");
    }
    let later = setup.feed.catching_up.acquire();
    let mut later = std::pin::pin!(later);
    assert!(later.as_mut().now_or_never().is_none(), "the test waits for a turn, too");
    drop(turns.split(1));
    assert_eq!(behind.up_to(10).await, (1..=10).collect::<Vec<_>>());
}
