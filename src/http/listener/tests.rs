//! Eviction and the end of a server, with clients in memory and tokio's clock paused; over TCP only if a test needs a real
//! socket.

use tokio::time::sleep;

use super::testing::{GET, TestServer, Way, ask, cap, limits, ms};
use crate::http::testing::Client;

/// The client leaves while the handler has more of its answer to come.
#[tokio::test]
async fn client_that_leaves_frees_its_place() {
    let server = TestServer::start_tcp(cap(1)).await;
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send("GET /frames HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(client.read_until("one").await);
        drop(client);
    }
    let mut next = server.connect().await;
    assert_eq!(ask(&mut next).await, 200);
}

#[tokio::test(start_paused = true)]
async fn longest_idle_is_evicted_first() {
    let server = TestServer::start(cap(3));
    let mut busy = server.busy().await;
    let mut older = server.idle().await;
    sleep(ms(5)).await;
    let mut younger = server.idle().await;
    sleep(ms(5)).await;
    assert_eq!(ask(&mut older).await, 200, "now the younger one is idle for longer");
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(younger.is_closed().await);
    assert_eq!(ask(&mut older).await, 200);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

/// Two clients that send the first part of a request, one after the other, and then wait.
async fn slow_pair(server: &TestServer, part: &str) -> (Client, Client) {
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        client.send(part).await;
        assert!(client.stays_open(ms(10)).await);
    }
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn slow_heads_are_evicted_next() {
    let server = TestServer::start(cap(3));
    let mut busy = server.busy().await;
    let (mut first, mut second) = slow_pair(&server, "GET / HTTP/1.1\r\n").await;
    first.send("a: b\r\n").await;
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(first.is_closed().await);
    second.send("\r\n").await;
    assert_eq!(second.reply().await.status, 200);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_are_evicted_last() {
    let server = TestServer::start(cap(3));
    let mut busy = server.busy_with_a_body().await;
    let part = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na";
    let (mut first, mut second) = slow_pair(&server, part).await;
    first.send("b").await;
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(first.is_closed().await);
    newcomer.send("GET / HTTP/1.1\r\n").await;
    assert!(newcomer.stays_open(ms(10)).await);
    let mut other = server.connect().await;
    assert_eq!(ask(&mut other).await, 200);
    assert!(newcomer.is_closed().await, "a head is evicted before a body");
    second.send("bc").await;
    assert_eq!(second.reply().await.body, "abc");
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited", "a request whose body was read is with its handler");
}

#[tokio::test(start_paused = true)]
async fn newcomer_waits_while_all_are_busy() {
    let server = TestServer::start(cap(2));
    let (mut one, mut two) = (server.busy().await, server.busy().await);
    let mut newcomer = server.connect().await;
    newcomer.send(GET).await;
    assert!(newcomer.stays_open(ms(100)).await, "neither answered nor refused");
    server.gate.go.notify_one();
    assert_eq!(newcomer.reply().await.status, 200);
    server.gate.go.notify_one();
    server.gate.go.notify_waiters();
    assert_eq!(one.reply().await.body, "waited");
    server.gate.go.notify_one();
    assert_eq!(two.reply().await.body, "waited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_silence_keeps_no_sender_out() {
    let server = TestServer::start_tcp(cap(8)).await;
    let mut silent = Vec::new();
    for round in 0..20 {
        for _ in 0..8 {
            silent.push(server.connect().await);
        }
        let mut sender = server.connect().await;
        assert_eq!(ask(&mut sender).await, 200, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn stop_lets_requests_finish() {
    let mut server = TestServer::start(limits());
    let mut busy = server.busy().await;
    let (mut idle, mut fresh) = (server.idle().await, server.connect().await);
    sleep(ms(5)).await;
    server.stop();
    assert!(idle.is_closed().await);
    assert!(fresh.is_closed().await);
    let Way::Memory(connector) = &server.way else { unreachable!() };
    assert!(connector.connect().is_none(), "no new connection is accepted");
    assert!(busy.stays_open(ms(30)).await);
    assert!(!server.task.is_finished());
    server.gate.go.notify_one();
    let reply = busy.reply().await;
    assert_eq!(reply.body, "waited");
    assert!(reply.has("connection: close"));
    assert!(busy.is_closed().await);
    drop(busy);
    server.has_stopped().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_server_cuts_every_connection() {
    let server = TestServer::start(limits());
    let (mut busy, mut idle) = (server.busy().await, server.idle().await);
    server.task.abort();
    assert!(busy.is_closed().await);
    assert!(idle.is_closed().await);
}
