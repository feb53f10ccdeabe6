use std::net::Ipv4Addr;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;

use super::*;
use crate::admin::api::feed::batch::tests::{Data, body, filter, told};
use crate::admin::api::feed::subscriber::{CutOff, Start, Subscriber};
use crate::http::testing::{Lines, PATIENCE};
use crate::journal::testing::MemoryJournal;

/// Longer than what is taken for silence.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A feed of a data directory whose horizon the test moves, as the index would.
struct Setup {
    data: Data,
    feed: Arc<Feed>,
    horizon: watch::Sender<Offset>,
    stop: watch::Sender<bool>,
    running: tokio::task::JoinHandle<()>,
}

impl Setup {
    /// With so many pushes, each of a session of its own.
    async fn with(events: u32) -> Setup {
        let bodies: Vec<String> = (0..events).map(|number| body(2 * number, "a", number)).collect();
        let data = Data::of(&bodies).await;
        let (horizon, stop) = (watch::Sender::new(Offset(0)), watch::Sender::new(false));
        let readers = Arc::new(Readers::new(data.path().to_owned(), true));
        let journal = Arc::<MemoryJournal>::default();
        let feed = Feed::new(readers, journal, horizon.subscribe(), stop.subscribe(), 8, || 1_700_000_100_000);
        let feed = Arc::new(feed);
        let running = tokio::spawn({
            let feed = Arc::clone(&feed);
            async move { feed.run().await }
        });
        Setup { data, feed, horizon, stop, running }
    }

    fn subscribe(&self, place: i64, query: &str) -> Taking {
        let start = Start { mark: self.data.mark.clone(), place: Offset(place), gap: None };
        let seat = self.feed.seat().unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        let subscriber = Subscriber::new(Arc::clone(&self.feed), seat, peer, filter(query), start, HEARTBEAT);
        Taking { stream: Box::pin(subscriber.into_stream()), is_first: true, text: Vec::new() }
    }
}

/// What a subscriber is sent.
struct Taking {
    stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, CutOff>>>>,
    is_first: bool,
    /// Of a message that has not come in whole.
    text: Vec<u8>,
}

impl Taking {
    /// The next messages; `None` where it has ended in order.
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
                return Some(Ok(told(std::str::from_utf8(&text).unwrap())));
            }
        }
    }

    /// The events of the next messages, by their offsets, up to one.
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

#[tokio::test]
async fn whoever_is_behind_meets_the_others_without_a_gap_or_a_repetition() {
    let setup = Setup::with(600).await;
    setup.horizon.send_replace(Offset(250));
    let mut late = setup.subscribe(0, "kind=event");
    let mut ready = setup.subscribe(250, "kind=event");
    assert!(ready.is_silent().await);
    for (place, horizon) in [(250, 400), (400, 401), (401, 600)] {
        setup.horizon.send_replace(Offset(horizon));
        assert_eq!(ready.up_to(horizon).await, (place + 1..=horizon).collect::<Vec<_>>());
    }
    assert_eq!(late.up_to(600).await, (1..=600).collect::<Vec<_>>(), "read from the journal");
    assert!(late.is_silent().await && ready.is_silent().await);
}

#[tokio::test]
async fn what_a_subscriber_has_is_not_told_it_when_the_index_catches_up() {
    let setup = Setup::with(10).await;
    let (mut now, mut past) = (setup.subscribe(7, ""), setup.subscribe(2, "kind=event"));
    assert!(now.is_silent().await);
    assert!(past.is_silent().await);
    for horizon in [3, 5, 8] {
        setup.horizon.send_replace(Offset(horizon));
    }
    assert_eq!(now.next().await.unwrap().unwrap(), ["event tencent.css.push", "session 7 live #8"]);
    assert_eq!(past.up_to(8).await, (3..=8).collect::<Vec<_>>());
    // The index is made anew: what it had told is not told again.
    for horizon in [0, 5, 8, 10] {
        setup.horizon.send_replace(Offset(horizon));
        if horizon < 8 {
            assert!(now.is_silent().await && past.is_silent().await, "{horizon}");
        }
    }
    assert_eq!(past.up_to(10).await, [9, 10]);
    assert_eq!(now.up_to(10).await, [9, 10]);
}

#[tokio::test]
async fn whoever_takes_nothing_is_cut_off_and_no_other() {
    let (lines, _guard) = Lines::take();
    let setup = Setup::with(300).await;
    let (mut stuck, mut taking) = (setup.subscribe(0, ""), setup.subscribe(0, "kind=event"));
    assert!(stuck.is_silent().await && taking.is_silent().await);
    for offset in 1..=300 {
        let batch = setup.data.render(offset - 1, offset, &Filter::default());
        setup.feed.hand_out(batch);
        assert_eq!(taking.up_to(offset).await, [offset]);
    }
    assert!(matches!(stuck.next().await, Some(Err(CutOff::TooSlow))));
    assert!(stuck.next().await.is_none());
    assert_eq!(lines.text().matches("it reads too slowly").count(), 1, "{}", lines.text());
}

#[tokio::test]
async fn nothing_is_done_while_nobody_subscribes() {
    let setup = Setup::with(10).await;
    setup.horizon.send_replace(Offset(5));
    let mut first = setup.subscribe(5, "");
    assert!(first.is_silent().await);
    assert_eq!((setup.feed.subscribers(), setup.feed.live_place()), (1, Some(Offset(5))));
    drop(first);
    assert_eq!((setup.feed.subscribers(), setup.feed.live_place()), (0, None));
    // It wakes up once for what it waited for, and then for no more.
    for horizon in [6, 8] {
        setup.horizon.send_replace(Offset(horizon));
        sleep(2 * PACE).await;
    }
    assert_eq!(setup.feed.lock().place, Offset(5), "nothing was handed out");
    assert_eq!(setup.horizon.receiver_count(), 2, "the feed and the one who hands out");
    let mut next = setup.subscribe(6, "kind=event");
    assert_eq!(next.up_to(8).await, [7, 8]);
    setup.horizon.send_replace(Offset(10));
    assert_eq!(next.up_to(10).await, [9, 10]);
}

#[tokio::test]
async fn all_end_when_the_service_stops_wherever_they_are() {
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

#[tokio::test]
async fn a_subscriber_for_whom_nothing_comes_moves_on_with_its_heartbeats() {
    let setup = Setup::with(10).await;
    let mut taking = setup.subscribe(0, "stream=none");
    assert!(taking.stream.next().await.unwrap().unwrap().ends_with(b"-0\n\n"));
    setup.horizon.send_replace(Offset(10));
    let heartbeats = async {
        let moved_on = format!(": heartbeat\nid: {}\n\n", setup.data.mark.at(Offset(10)));
        while taking.stream.next().await.unwrap().unwrap() != moved_on {}
    };
    timeout(PATIENCE, heartbeats).await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_turn_to_read_is_sent_heartbeats_and_keeps_its_turn() {
    let setup = Setup::with(10).await;
    setup.horizon.send_replace(Offset(10));
    // Somebody is live, so that whoever comes is behind; and others read.
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
    assert!(later.as_mut().now_or_never().is_none(), "it stands behind");
    drop(turns.split(1));
    assert_eq!(behind.up_to(10).await, (1..=10).collect::<Vec<_>>());
}
