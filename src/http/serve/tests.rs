//! Timeouts, heads and answers of one connection, with clients in memory and tokio's clock paused.

use tokio::time::{Instant, sleep, timeout};

use crate::http::Limits;
use crate::http::listener::testing::{GET, TestServer, ask, cap, limits, ms};
use crate::http::testing::Lines;

/// A head that drips steadily is still cut off.
#[tokio::test(start_paused = true)]
async fn slow_head_times_out() {
    let server = TestServer::start(Limits { headers_timeout: ms(150), ..limits() });
    for first in ["", GET] {
        let mut client = server.connect().await;
        client.send(first).await;
        if !first.is_empty() {
            client.reply().await;
            // Long enough for the connection to set its timer again while it is idle.
            sleep(ms(200)).await;
        }
        client.send("GET / HTTP/1.1\r\n").await;
        let started = Instant::now();
        while started.elapsed() < ms(120) {
            client.send("a: b\r\n").await;
            sleep(ms(10)).await;
        }
        assert_eq!(client.reply().await.error(), (408, "timeout".to_owned()));
        assert!((ms(145)..ms(160)).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert!(client.is_closed().await);
    }
}

/// The timeout of heads does not run between requests or before the first.
#[tokio::test(start_paused = true)]
async fn silence_has_its_own_timeout() {
    let server = TestServer::start(Limits { headers_timeout: ms(60), idle_timeout: ms(1000), ..limits() });
    let (mut fresh, mut used) = (server.connect().await, server.idle().await);
    let reused = async {
        sleep(ms(500)).await;
        assert_eq!(ask(&mut used).await, 200, "idle for longer than a head may take");
        assert!(used.stays_open(ms(990)).await);
        assert!(used.is_closed().await);
    };
    let silent = async {
        assert!(fresh.stays_open(ms(990)).await);
        assert!(fresh.is_closed().await, "a client that asked for nothing gets no answer");
    };
    tokio::join!(reused, silent);
}

#[tokio::test(start_paused = true)]
async fn zero_timeouts_cut_idle_clients_only() {
    let server =
        TestServer::start(Limits { headers_timeout: ms(0), idle_timeout: ms(0), write_timeout: ms(0), ..limits() });
    let mut busy = server.busy().await;
    let mut silent = server.connect().await;
    assert!(silent.is_closed().await);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test(start_paused = true)]
async fn handler_has_no_connection_timeout() {
    let server = TestServer::start(Limits { headers_timeout: ms(40), idle_timeout: ms(40), ..limits() });
    let mut client = server.busy().await;
    assert!(client.stays_open(ms(1000)).await);
    server.gate.go.notify_one();
    assert_eq!(client.reply().await.body, "waited");
}

#[tokio::test(start_paused = true)]
async fn unread_answer_ends_the_connection() {
    let (lines, _guard) = Lines::take();
    let server = TestServer::start(Limits { write_timeout: ms(1000), ..limits() });
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(ms(990)).await;
    assert_eq!(lines.text(), "");
    sleep(ms(20)).await;
    assert_eq!(lines.text().matches("a client was disconnected").count(), 1, "{}", lines.text());
}

/// A client that reads no answer makes no work for handlers.
#[tokio::test(start_paused = true)]
async fn unread_answer_holds_the_next_request() {
    let server = TestServer::start(limits());
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /wait HTTP/1.1\r\nHost: x\r\n\r\n".to_owned() + GET).await;
    assert!(timeout(ms(1000), server.gate.begun.notified()).await.is_err(), "the handler has the second request");
    assert_eq!(client.reply().await.body.len(), 1024 * 1024);
    server.gate.begun.notified().await;
    server.gate.go.notify_one();
    assert_eq!(client.reply().await.body, "waited");
    assert_eq!(client.reply().await.body, "GET");
}

/// A pause between frames is longer than any timeout, and other clients need the place.
#[tokio::test(start_paused = true)]
async fn answer_may_pause_between_frames() {
    let server = TestServer::start(Limits { idle_timeout: ms(50), write_timeout: ms(50), ..cap(2) });
    let mut client = server.connect().await;
    client.send("GET /frames HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    for word in ["one", "two", "three"] {
        assert!(client.read_until(word).await, "{word}");
        for _ in 0..3 {
            sleep(ms(25)).await;
            server.idle().await;
        }
        server.gate.go.notify_one();
    }
    assert!(client.read_until("\r\n0\r\n\r\n").await);

    let mut client = server.connect().await;
    client.send("GET /frames HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for _ in 0..3 {
        sleep(ms(5)).await;
        server.gate.go.notify_one();
    }
    assert!(client.read_until("\r\n0\r\n\r\n").await);
    assert_eq!(ask(&mut client).await, 200, "the connection can be used again");
    assert!(client.is_closed().await, "and is idle afterwards");
}

#[tokio::test(start_paused = true)]
async fn head_may_be_as_large_as_the_limit() {
    let server = TestServer::start(limits());
    let head = |bytes: usize| {
        let mut head = GET.trim_end().to_owned() + "\r\na: ";
        head.push_str(&"x".repeat(bytes - head.len() - 4));
        head + "\r\n\r\n"
    };
    for bytes in [100, 8192] {
        let mut client = server.connect().await;
        client.send(head(bytes)).await;
        assert_eq!(client.reply().await.status, 200, "{bytes}");
    }
    let many = GET.trim_end().to_owned() + "\r\n" + &"a: b\r\n".repeat(101) + "\r\n";
    let endless = "GET /".to_owned() + &"x".repeat(100_000);
    for head in [head(8193), head(100_000), many, endless] {
        let mut client = server.connect().await;
        client.send(&head).await;
        assert_eq!(client.reply().await.error(), (431, "headers_too_large".to_owned()), "{} bytes", head.len());
        assert!(client.is_closed().await);
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_gets_400_and_harms_no_neighbour() {
    let server = TestServer::start(limits());
    let mut neighbour = server.idle().await;
    let garbage: [&[u8]; 20] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\na: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"G\x7fT / HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ];
    for bytes in garbage {
        let mut client = server.connect().await;
        client.send(bytes).await;
        client.close_own_side().await;
        let reply = client.reply().await;
        assert_eq!(reply.error(), (400, "malformed".to_owned()), "{}", bytes.escape_ascii());
        assert!(reply.has_header("date"), "{reply:?}");
        assert!(client.is_closed().await, "{}", bytes.escape_ascii());
        assert_eq!(ask(&mut neighbour).await, 200);
    }
    // After a good request, the answer to that one comes first.
    let mut client = server.connect().await;
    client.send(GET.to_owned() + "garbage\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!(client.reply().await.error().0, 400);
}

#[tokio::test(start_paused = true)]
async fn pipelining_and_http_1_0_work() {
    let server = TestServer::start(limits());
    let mut client = server.connect().await;
    let echo = |body: &str| format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.send(echo("one") + GET + &echo("two") + "GET / HT").await;
    for body in ["one", "GET", "two"] {
        assert_eq!(client.reply().await.body, body);
    }
    client.send("TP/1.0\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "GET");
    assert!(client.is_closed().await);

    let mut old = server.connect().await;
    for _ in 0..2 {
        old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!(old.reply().await.body, "GET");
    }
}
