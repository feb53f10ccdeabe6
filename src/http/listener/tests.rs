use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{any, post};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::http::testing::{Client, Lines, PATIENCE};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";

/// What a request to `/wait` does: it says that it has begun, and waits to be let go.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

/// An answer that waits to be let go after each frame.
struct Frames {
    left: Vec<&'static str>,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    gate: Gate,
}

impl Frames {
    fn new(gate: Gate) -> Frames {
        Frames { left: vec!["three", "two", "one"], pause: None, gate }
    }
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(cx));
        }
        let go = Arc::clone(&self.gate.go);
        self.pause = Some(Box::pin(async move { go.notified().await }));
        Poll::Ready(self.left.pop().map(|word| Ok(Frame::data(Bytes::from_static(word.as_bytes())))))
    }
}

struct Server {
    address: SocketAddr,
    gate: Gate,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Server {
        let gate = Gate::default();
        let wait = async |State(gate): State<Gate>| {
            gate.begun.notify_one();
            gate.go.notified().await;
            "waited"
        };
        let router = Router::new()
            .route("/", any(async |method: Method| method.to_string()))
            .route("/echo", post(async |body: String| body))
            .route("/large", any(async || "x".repeat(64 * 1024 * 1024)))
            .route("/wait", any(wait))
            .route("/frames", any(async |State(gate): State<Gate>| Body::new(Frames::new(gate))))
            .route("/take", post(async move |gate: State<Gate>, _: String| wait(gate).await))
            .with_state(gate.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, limits, async {
            let _ = stopped.await;
        }));
        Server { address, gate, stop: Some(stop), task }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A connection whose request is with its handler.
    async fn busy(&self) -> Client {
        let mut client = self.connect().await;
        client.send(WAIT).await;
        timeout(PATIENCE, self.gate.begun.notified()).await.expect("the request did not reach its handler");
        client
    }

    /// The same, for a request with a body that came in two pieces.
    async fn busy_with_a_body(&self) -> Client {
        let mut client = self.connect().await;
        client.send("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na").await;
        assert!(client.stays_open(ms(10)).await);
        client.send("b").await;
        timeout(PATIENCE, self.gate.begun.notified()).await.expect("the request did not reach its handler");
        client
    }

    /// A connection that has had an answer.
    async fn idle(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(ask(&mut client).await, 200);
        client
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn has_stopped(self) {
        timeout(PATIENCE, self.task).await.expect("the server did not stop").unwrap();
    }
}

async fn ask(client: &mut Client) -> u16 {
    client.send(GET).await;
    client.reply().await.status
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limits() -> Limits {
    Limits {
        connections_max: 100,
        headers_bytes_max: 8192,
        headers_timeout: ms(10_000),
        idle_timeout: ms(75_000),
        write_timeout: ms(10_000),
    }
}

fn cap(connections_max: usize) -> Limits {
    Limits { connections_max, ..limits() }
}

#[tokio::test]
async fn a_slow_head_is_told_so_however_steadily_it_drips() {
    let server = Server::start(Limits { headers_timeout: ms(150), ..limits() }).await;
    for first in ["", GET] {
        let mut client = server.connect().await;
        client.send(first).await;
        if !first.is_empty() {
            client.reply().await;
            // Long enough for the connection's timer to be set anew while it is idle.
            sleep(ms(200)).await;
        }
        client.send("GET / HTTP/1.1\r\n").await;
        let started = Instant::now();
        while started.elapsed() < ms(120) {
            client.send("a: b\r\n").await;
            sleep(ms(10)).await;
        }
        assert_eq!(client.reply().await.error(), (408, "timeout".to_owned()));
        assert!(started.elapsed() >= ms(145), "{:?}", started.elapsed());
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn silence_has_a_timer_of_its_own() {
    let server = Server::start(Limits { headers_timeout: ms(60), idle_timeout: ms(1000), ..limits() }).await;
    let (mut fresh, mut used) = (server.connect().await, server.idle().await);
    let reused = async {
        sleep(ms(500)).await;
        assert_eq!(ask(&mut used).await, 200, "idle for longer than a head may take");
        assert!(used.stays_open(ms(600)).await);
        assert!(used.is_closed().await);
    };
    let silent = async {
        assert!(fresh.stays_open(ms(500)).await);
        assert!(fresh.is_closed().await, "nothing is said to one that has asked for nothing");
    };
    tokio::join!(reused, silent);
}

#[tokio::test]
async fn timeouts_of_zero_close_at_once_and_block_nobody() {
    let server =
        Server::start(Limits { headers_timeout: ms(0), idle_timeout: ms(0), write_timeout: ms(0), ..limits() });
    let server = server.await;
    let mut busy = server.busy().await;
    let mut silent = server.connect().await;
    assert!(silent.is_closed().await);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test]
async fn no_timer_of_the_connection_runs_while_a_request_is_at_work() {
    let server = Server::start(Limits { headers_timeout: ms(40), idle_timeout: ms(40), ..limits() }).await;
    let mut client = server.busy().await;
    assert!(client.stays_open(ms(150)).await);
    server.gate.go.notify_one();
    assert_eq!(client.reply().await.body, "waited");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let (lines, _guard) = Lines::take();
    let server = Server::start(Limits { write_timeout: ms(100), ..cap(1) }).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // The only place is taken by somebody at work, until the answer has taken too long.
    let mut next = server.connect().await;
    assert_eq!(ask(&mut next).await, 200);
    assert_eq!(lines.text().matches("a client was cut off").count(), 1, "{}", lines.text());
}

#[tokio::test]
async fn an_answer_of_several_frames_comes_whole_and_may_pause() {
    let server = Server::start(Limits { idle_timeout: ms(50), write_timeout: ms(50), ..cap(2) }).await;
    let mut client = server.connect().await;
    client.send("GET /frames HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    for word in ["one", "two", "three"] {
        assert!(client.read_until(word).await, "{word}");
        // Longer than a timeout, and while others need room.
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
    assert_eq!(ask(&mut client).await, 200, "the connection is as good as before");
    assert!(client.is_closed().await, "and idle after it");
}

#[tokio::test]
async fn a_client_that_leaves_while_more_of_its_answer_is_to_come_gives_up_its_place() {
    let server = Server::start(cap(1)).await;
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send("GET /frames HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(client.read_until("one").await);
        drop(client);
    }
    let mut next = server.connect().await;
    assert_eq!(ask(&mut next).await, 200);
}

#[tokio::test]
async fn a_head_may_be_as_large_as_the_limit_and_no_larger() {
    let server = Server::start(limits()).await;
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

#[tokio::test]
async fn what_is_no_http_is_told_so_and_disturbs_nobody() {
    let server = Server::start(limits()).await;
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
    // Behind a good request, the answer to that one comes first.
    let mut client = server.connect().await;
    client.send(GET.to_owned() + "garbage\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!(client.reply().await.error().0, 400);
}

#[tokio::test]
async fn pipelined_requests_and_http_1_0() {
    let server = Server::start(limits()).await;
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

#[tokio::test]
async fn at_the_cap_the_longest_idle_makes_room() {
    let server = Server::start(cap(3)).await;
    let mut busy = server.busy().await;
    let mut older = server.idle().await;
    sleep(ms(5)).await;
    let mut younger = server.idle().await;
    sleep(ms(5)).await;
    assert_eq!(ask(&mut older).await, 200, "and so it is the younger one now");
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(younger.is_closed().await);
    assert_eq!(ask(&mut older).await, 200);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test]
async fn when_none_is_idle_the_longest_sending_its_head_makes_room() {
    let server = Server::start(cap(3)).await;
    let mut busy = server.busy().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        client.send("GET / HTTP/1.1\r\n").await;
        assert!(client.stays_open(ms(10)).await);
    }
    first.send("a: b\r\n").await;
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(first.is_closed().await);
    second.send("\r\n").await;
    assert_eq!(second.reply().await.status, 200);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test]
async fn when_all_send_bodies_the_longest_at_it_makes_room() {
    let server = Server::start(cap(3)).await;
    let mut busy = server.busy_with_a_body().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut first, &mut second] {
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na").await;
        assert!(client.stays_open(ms(10)).await);
    }
    first.send("b").await;
    let mut newcomer = server.connect().await;
    assert_eq!(ask(&mut newcomer).await, 200);
    assert!(first.is_closed().await);
    newcomer.send("GET / HTTP/1.1\r\n").await;
    assert!(newcomer.stays_open(ms(10)).await);
    let mut other = server.connect().await;
    assert_eq!(ask(&mut other).await, 200);
    assert!(newcomer.is_closed().await, "a head goes before a body");
    second.send("bc").await;
    assert_eq!(second.reply().await.body, "abc");
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited", "a body that is read to its end is at work");
}

#[tokio::test]
async fn when_all_are_at_work_a_newcomer_waits() {
    let server = Server::start(cap(2)).await;
    let (mut one, mut two) = (server.busy().await, server.busy().await);
    let mut newcomer = server.connect().await;
    newcomer.send(GET).await;
    assert!(newcomer.stays_open(ms(100)).await, "not answered, and not refused");
    server.gate.go.notify_one();
    assert_eq!(newcomer.reply().await.status, 200);
    server.gate.go.notify_one();
    server.gate.go.notify_waiters();
    assert_eq!(one.reply().await.body, "waited");
    server.gate.go.notify_one();
    assert_eq!(two.reply().await.body, "waited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_silent_connections_keeps_no_sender_out_on_several_threads() {
    let server = Server::start(cap(8)).await;
    let mut silent = Vec::new();
    for round in 0..20 {
        for _ in 0..8 {
            silent.push(server.connect().await);
        }
        let mut sender = server.connect().await;
        assert_eq!(ask(&mut sender).await, 200, "round {round}");
    }
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_closes_the_rest() {
    let mut server = Server::start(limits()).await;
    let mut busy = server.busy().await;
    let (mut idle, mut fresh) = (server.idle().await, server.connect().await);
    sleep(ms(5)).await;
    server.stop();
    assert!(idle.is_closed().await);
    assert!(fresh.is_closed().await);
    assert!(TcpStream::connect(server.address).await.is_err(), "no new connection is taken");
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

#[tokio::test]
async fn dropping_the_server_cuts_every_connection() {
    let server = Server::start(limits()).await;
    let (mut busy, mut idle) = (server.busy().await, server.idle().await);
    server.task.abort();
    assert!(busy.is_closed().await);
    assert!(idle.is_closed().await);
}

#[test]
fn the_limit_of_open_files_is_the_highest_allowed() {
    let raised = crate::http::raise_open_files_limit();
    assert_eq!(raised, crate::http::raise_open_files_limit());
    assert!(raised.is_none_or(|limit| limit >= 256));
}
