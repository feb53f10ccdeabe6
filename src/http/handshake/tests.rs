//! Handshakes with clients in memory and tokio's clock paused.

use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep};

use crate::http::listener::testing::{GET, TestServer, ask, cap, limits, ms};
use crate::http::testing::Lines;
use crate::http::{Hooks, Limits};

/// The beginning of a handshake.
const HALF: &[u8] = &[0x16, 3, 1, 2, 0, 1];

/// Hooks that note the words that they get.
fn noting() -> (Hooks, Arc<Mutex<Vec<&'static str>>>) {
    let words = Arc::<Mutex<Vec<&'static str>>>::default();
    let note = |words: &Arc<Mutex<Vec<&'static str>>>| -> Option<Box<dyn Fn(&'static str) + Send + Sync>> {
        let words = Arc::clone(words);
        Some(Box::new(move |word| words.lock().unwrap().push(word)))
    };
    (Hooks { failed_handshake: note(&words), unreadable_head: note(&words), ..Hooks::default() }, words)
}

#[tokio::test(start_paused = true)]
async fn requests_over_tls_are_answered() {
    let (server, tls) = TestServer::start_tls(limits(), Hooks::default());
    let mut client = server.connect_tls(&tls).await;
    for _ in 0..3 {
        assert_eq!(ask(&mut client).await, 200);
    }
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.reply().await.body.len(), 1024 * 1024);
    client.send("nonsense\r\n\r\n").await;
    assert_eq!(client.reply().await.error(), (400, "malformed".to_owned()));
    assert!(client.is_closed().await);
}

/// The client closes its side after its request, and still gets the answer.
#[tokio::test(start_paused = true)]
async fn last_answer_over_tls_arrives() {
    let (server, tls) = TestServer::start_tls(limits(), Hooks::default());
    let mut client = server.connect_tls(&tls).await;
    client.send(GET).await;
    client.close_own_side().await;
    assert_eq!(client.reply().await.status, 200);
    assert!(client.is_closed().await);
}

/// The client leaves while the handler has more of its answer to come.
#[tokio::test(start_paused = true)]
async fn client_that_leaves_over_tls_frees_its_place() {
    let (server, tls) = TestServer::start_tls(cap(1), Hooks::default());
    for _ in 0..2 {
        let mut client = server.connect_tls(&tls).await;
        client.send("GET /frames HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(client.read_until("one").await);
        drop(client);
    }
    assert_eq!(ask(&mut server.connect_tls(&tls).await).await, 200);
}

#[tokio::test(start_paused = true)]
async fn slow_handshake_times_out() {
    let (hooks, words) = noting();
    let (server, _) = TestServer::start_tls(Limits { headers_timeout: ms(150), ..limits() }, hooks);
    let (started, mut silent, mut slow) = (Instant::now(), server.connect().await, server.connect().await);
    slow.send(HALF).await;
    assert!(slow.is_closed().await && silent.is_closed().await);
    assert!((ms(145)..ms(160)).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(*words.lock().unwrap(), ["timeout"], "a client that sends nothing begins no handshake");
}

#[tokio::test(start_paused = true)]
async fn half_handshakes_make_place() {
    let (server, tls) = TestServer::start_tls(cap(3), Hooks::default());
    let mut genuine = server.connect_tls(&tls).await;
    let mut halves = Vec::new();
    for _ in 0..2 {
        let mut half = server.connect().await;
        half.send(HALF).await;
        halves.push(half);
    }
    sleep(ms(1100)).await;
    assert_eq!(ask(&mut genuine).await, 200);
    assert_eq!(ask(&mut server.connect_tls(&tls).await).await, 200);
    assert!(halves[0].is_closed().await);
    assert_eq!(ask(&mut genuine).await, 200);
}

#[tokio::test(start_paused = true)]
async fn wrong_scheme_is_explained() {
    let (lines, _guard) = Lines::take();
    let (hooks, words) = noting();
    let (server, _) = TestServer::start_tls(limits(), hooks);
    let mut client = server.connect().await;
    client.send(GET).await;
    let reply = client.reply().await;
    assert!(reply.body.contains("write https:// in the URL"), "{reply:?}");
    assert_eq!(reply.error(), (400, "malformed".to_owned()));
    assert!(client.is_closed().await);
    assert_eq!(*words.lock().unwrap(), ["not_tls", "malformed"]);

    let server = TestServer::start(limits());
    let mut client = server.connect().await;
    client.send([HALF, &[0; 500]].concat()).await;
    assert_eq!(client.reply().await.error(), (400, "malformed".to_owned()));
    assert!(lines.text().contains("the client speaks TLS, and this port does not"), "{}", lines.text());
}

#[tokio::test(start_paused = true)]
async fn damaged_handshake_is_counted() {
    let (hooks, words) = noting();
    let (server, _) = TestServer::start_tls(limits(), hooks);
    let mut client = server.connect().await;
    client.send([&[0x16_u8, 3, 1, 0, 4, 99, 0, 0, 0][..], &[0; 40]].concat()).await;
    client.read_to_end_of_bytes().await;
    let mut client = server.connect().await;
    client.send(HALF).await;
    client.close_own_side().await;
    assert!(client.is_closed().await);
    assert_eq!(*words.lock().unwrap(), ["malformed", "closed"]);
}

/// A handshake that has begun is finished, and its request answered, although the listener stops.
#[tokio::test(start_paused = true)]
async fn begun_handshake_is_finished_at_a_stop() {
    let (mut server, _) = TestServer::start_tls(Limits { headers_timeout: ms(500), ..limits() }, Hooks::default());
    let (mut silent, mut begun) = (server.connect().await, server.connect().await);
    begun.send(HALF).await;
    sleep(ms(10)).await;
    server.stop();
    assert!(silent.is_closed().await);
    assert!(begun.stays_open(ms(450)).await);
    server.has_stopped().await;
}
