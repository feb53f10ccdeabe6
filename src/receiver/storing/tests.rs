//! If the client leaves, or its answer takes too long, the event is stored even so. It counts as memory until then.

use std::time::Duration;

use crate::http::Endpoint;
use crate::http::testing::PEER;
use crate::receiver::routes::testing::{SAMPLE, Setup, other, post, request, setup};

#[tokio::test(start_paused = true)]
async fn client_that_leaves_loses_no_event() {
    let Setup { connector, journal, .. } = setup(|_| {});
    journal.pause(Duration::from_millis(50));
    let mut client = connector.connect().unwrap();
    client.send(post("/callback", "", SAMPLE)).await;
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(journal.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_events_count_as_memory() {
    let Setup { connector, journal, .. } = setup(|options| options.bodies_bytes_max = 1000);
    journal.pause(Duration::from_millis(300));
    let mut waiting = connector.connect().unwrap();
    waiting.send(post("/callback", "", SAMPLE)).await;
    while journal.events().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = post("/callback", "", &other("second"));
    assert_eq!(connector.ask(&second).await.error(), (503, "unavailable".to_owned()));
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(connector.ask(&second).await.status, 200);
}

/// An event counts as memory until the journal has stored it, even if nothing waits for the answer any more.
#[tokio::test(start_paused = true)]
async fn abandoned_events_count_as_memory() {
    for is_client_gone in [true, false] {
        let Setup { receiver, journal, .. } = setup(|options| options.bodies_bytes_max = 1000);
        journal.pause(Duration::from_secs(60));
        let answer = |body: &str| receiver.answer(request(body.to_owned(), body.len()), PEER.into());
        let first = answer(SAMPLE);
        if is_client_gone {
            assert!(tokio::time::timeout(Duration::from_millis(50), first).await.is_err());
        } else {
            assert_eq!(first.await.status(), 503, "after `answer_timeout_secs`");
        }
        assert_eq!(answer(&other("second")).await.status(), 503);
        assert_eq!(journal.events().len(), 1, "there was no memory for the second");
    }
}
