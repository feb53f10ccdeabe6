//! Timeouts and eviction with clients in memory and tokio's clock paused; over TCP only what needs a real socket.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::Method;
use axum::routing::{any, post};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::http::testing::{Client, Connector, Lines, MemoryListener, PATIENCE};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";

/// A request to `/wait` notifies `begun`, then waits for `go`.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

/// An answer that waits for `go` after each frame.
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

/// How clients reach a server.
enum Way {
    Memory(Connector),
    Tcp(SocketAddr),
}

struct Server {
    way: Way,
    gate: Gate,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves in memory.
    fn start(limits: Limits) -> Server {
        let (connector, listener) = MemoryListener::new();
        Server::run(listener, Way::Memory(connector), limits)
    }

    /// Serves over TCP.
    async fn start_tcp(limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Server::run(listener, Way::Tcp(address), limits)
    }

    fn run(listener: impl Listen + 'static, way: Way, limits: Limits) -> Server {
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
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, Hooks::default(), limits, async {
            let _ = stopped.await;
        }));
        Server { way, gate, stop: Some(stop), task }
    }

    async fn connect(&self) -> Client {
        match &self.way {
            Way::Memory(connector) => connector.connect().unwrap(),
            Way::Tcp(address) => Client::connect(*address).await,
        }
    }

    /// A connection whose request is with its handler.
    async fn busy(&self) -> Client {
        let mut client = self.connect().await;
        client.send(WAIT).await;
        self.has_begun().await;
        client
    }

    /// A connection whose request is with its handler, after its body arrived in two pieces.
    async fn busy_with_a_body(&self) -> Client {
        let mut client = self.connect().await;
        client.send("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na").await;
        assert!(client.stays_open(ms(10)).await);
        client.send("b").await;
        self.has_begun().await;
        client
    }

    async fn has_begun(&self) {
        timeout(PATIENCE, self.gate.begun.notified()).await.expect("the request did not reach its handler");
    }

    /// A connection that is idle after an answer.
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

/// A head that drips steadily is still cut off.
#[tokio::test(start_paused = true)]
async fn slow_head_times_out() {
    let server = Server::start(Limits { headers_timeout: ms(150), ..limits() });
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
    let server = Server::start(Limits { headers_timeout: ms(60), idle_timeout: ms(1000), ..limits() });
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
        Server::start(Limits { headers_timeout: ms(0), idle_timeout: ms(0), write_timeout: ms(0), ..limits() });
    let mut busy = server.busy().await;
    let mut silent = server.connect().await;
    assert!(silent.is_closed().await);
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited");
}

#[tokio::test(start_paused = true)]
async fn handler_has_no_connection_timeout() {
    let server = Server::start(Limits { headers_timeout: ms(40), idle_timeout: ms(40), ..limits() });
    let mut client = server.busy().await;
    assert!(client.stays_open(ms(1000)).await);
    server.gate.go.notify_one();
    assert_eq!(client.reply().await.body, "waited");
}

#[tokio::test(start_paused = true)]
async fn unread_answer_ends_the_connection() {
    let (lines, _guard) = Lines::take();
    let server = Server::start(Limits { write_timeout: ms(100), ..cap(1) });
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // The only place is taken by a busy connection, until its answer has taken too long.
    let mut next = server.connect().await;
    assert_eq!(ask(&mut next).await, 200);
    assert_eq!(lines.text().matches("a client was disconnected").count(), 1, "{}", lines.text());
}

/// A pause between frames is longer than any timeout, and other clients need the place.
#[tokio::test(start_paused = true)]
async fn answer_may_pause_between_frames() {
    let server = Server::start(Limits { idle_timeout: ms(50), write_timeout: ms(50), ..cap(2) });
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

/// The client leaves while the handler has more of its answer to come.
#[tokio::test]
async fn client_that_leaves_frees_its_place() {
    let server = Server::start_tcp(cap(1)).await;
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
async fn head_may_be_as_large_as_the_limit() {
    let server = Server::start(limits());
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
    let server = Server::start(limits());
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
    let server = Server::start(limits());
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

#[tokio::test(start_paused = true)]
async fn longest_idle_is_evicted_first() {
    let server = Server::start(cap(3));
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

#[tokio::test(start_paused = true)]
async fn slow_heads_are_evicted_next() {
    let server = Server::start(cap(3));
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

#[tokio::test(start_paused = true)]
async fn slow_bodies_are_evicted_last() {
    let server = Server::start(cap(3));
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
    assert!(newcomer.is_closed().await, "a head is evicted before a body");
    second.send("bc").await;
    assert_eq!(second.reply().await.body, "abc");
    server.gate.go.notify_one();
    assert_eq!(busy.reply().await.body, "waited", "a request whose body was read is with its handler");
}

#[tokio::test(start_paused = true)]
async fn newcomer_waits_while_all_are_busy() {
    let server = Server::start(cap(2));
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
    let server = Server::start_tcp(cap(8)).await;
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
    let mut server = Server::start(limits());
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
    let server = Server::start(limits());
    let (mut busy, mut idle) = (server.busy().await, server.idle().await);
    server.task.abort();
    assert!(busy.is_closed().await);
    assert!(idle.is_closed().await);
}
