//! Eviction and the end of a server, with clients in memory and tokio's clock paused; over TCP only if a test needs a real
//! socket.

use std::net::IpAddr;

use tokio::time::sleep;

use super::testing::{GET, TestServer, Way, ask, cap, limits, ms};
use crate::http::Hooks;

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

/// All connections come from one proxy. The client with the most requests makes place, before an idle connection of the proxy and
/// before the only request of another client.
#[tokio::test(start_paused = true)]
async fn client_behind_proxy_makes_place() {
    let client = |_: IpAddr, headers: &axum::http::HeaderMap| {
        let address: IpAddr = headers.get("x-client")?.to_str().ok()?.parse().ok()?;
        Some(address.into())
    };
    let server = TestServer::start_with(cap(4), Hooks { client: Some(Box::new(client)), ..Hooks::default() });
    let mut idle = server.idle().await;
    let mut connections = Vec::new();
    for last in [1, 2, 2] {
        sleep(ms(5)).await;
        let mut connection = server.connect().await;
        let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nX-Client: 192.0.2.{last}\r\nContent-Length: 3\r\n\r\na");
        connection.send(head).await;
        assert!(connection.stays_open(ms(5)).await);
        connections.push(connection);
    }
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(connections[1].is_closed().await);
    assert_eq!(ask(&mut idle).await, 200);
    connections[0].send("bc").await;
    assert_eq!(connections[0].reply().await.body, "abc");
}

/// The first parts of a request, each of which leaves the client owing the rest.
const PARTS: [&str; 3] = ["", "GET / HTTP/1.1\r\n", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"];

#[tokio::test(start_paused = true)]
async fn stuck_goes_before_idle() {
    for part in PARTS {
        let server = TestServer::start(cap(3));
        let mut busy = server.busy_with_a_body().await;
        let mut idle = server.idle().await;
        let mut stuck = server.connect().await;
        stuck.send(part).await;
        sleep(ms(1100)).await;
        let mut newcomer = server.connect().await;
        assert_eq!(ask(&mut newcomer).await, 200);
        assert!(stuck.is_closed().await, "{part}");
        assert_eq!(ask(&mut idle).await, 200);
        server.gate.go.notify_one();
        assert_eq!(busy.reply().await.body, "waited");
    }
}

/// A client that has just connected may take a moment to send its request.
#[tokio::test(start_paused = true)]
async fn recent_goes_last() {
    for part in PARTS {
        let server = TestServer::start(cap(2));
        let mut idle = server.idle().await;
        sleep(ms(1100)).await;
        let mut recent = server.connect().await;
        recent.send(part).await;
        sleep(ms(900)).await;
        let mut newcomer = server.connect().await;
        assert_eq!(ask(&mut newcomer).await, 200);
        assert!(idle.is_closed().await);
        assert!(recent.stays_open(ms(10)).await, "{part}");
    }
}

/// Clients of one address keep out no client of another, whatever they send.
#[tokio::test(start_paused = true)]
async fn largest_address_makes_place() {
    for part in PARTS {
        let server = TestServer::start(cap(4));
        let mut genuine = server.connect_from(1);
        assert_eq!(ask(&mut genuine).await, 200);
        sleep(ms(5000)).await;
        let mut silent = server.connect_from(2);
        let mut flood = Vec::new();
        for _ in 0..20 {
            let mut attacker = server.connect_from(3);
            attacker.send(part).await;
            flood.push(attacker);
            sleep(ms(2)).await;
        }
        assert_eq!((ask(&mut genuine).await, ask(&mut silent).await), (200, 200), "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn unread_answer_makes_place() {
    let server = TestServer::start(cap(1));
    let mut unread = server.connect().await;
    unread.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut newcomer = server.connect().await;
    newcomer.send(GET).await;
    assert!(newcomer.stays_open(ms(90)).await, "the client may read its answer");
    sleep(ms(50)).await;
    assert_eq!(newcomer.reply().await.status, 200);
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
