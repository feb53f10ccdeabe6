//! A server with routes that wait for the test, in memory or over TCP, for the tests of listeners and connections.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
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
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::serve;
use crate::http::testing::{Client, Connector, MemoryListener, PATIENCE};
use crate::http::{Hooks, Limits, Listen};
use crate::tls::testing::Wanted;
use crate::tls::trusting;

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";

/// A request to `/wait` notifies `begun`, then waits for `go`.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) begun: Arc<Notify>,
    pub(crate) go: Arc<Notify>,
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
pub(crate) enum Way {
    Memory(Connector),
    Tcp(SocketAddr),
}

/// A running server, its way in, and the gate of its slow routes.
pub(crate) struct TestServer {
    pub(crate) way: Way,
    pub(crate) gate: Gate,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl TestServer {
    /// Serves in memory.
    pub(crate) fn start(limits: Limits) -> TestServer {
        TestServer::start_with(limits, Hooks::default())
    }

    /// Serves in memory, with hooks.
    pub(crate) fn start_with(limits: Limits, hooks: Hooks) -> TestServer {
        let (connector, listener) = MemoryListener::new();
        TestServer::run(listener, Way::Memory(connector), limits, hooks)
    }

    /// Serves over TCP.
    pub(crate) async fn start_tcp(limits: Limits) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        TestServer::run(listener, Way::Tcp(address), limits, Hooks::default())
    }

    /// Serves in memory over TLS, and returns how clients connect.
    pub(crate) fn start_tls(limits: Limits, hooks: Hooks) -> (TestServer, TlsConnector) {
        let pair = Wanted::of("localhost").self_signed();
        let served = Arc::new(pair.served());
        let (connector, listener) = MemoryListener::new();
        let listener = listener.with_tls(TlsAcceptor::from(served.server_config().unwrap()));
        let trusted = trusting(pair.certificate.as_bytes()).unwrap().with_no_client_auth();
        let server = TestServer::run(listener, Way::Memory(connector), limits, hooks);
        (server, TlsConnector::from(Arc::new(trusted)))
    }

    /// Connects a client that speaks TLS.
    pub(crate) async fn connect_tls(&self, tls: &TlsConnector) -> Client {
        let Way::Memory(connector) = &self.way else { panic!("this server is not in memory") };
        connector.connect_tls(tls).await
    }

    fn run(listener: impl Listen + 'static, way: Way, limits: Limits, hooks: Hooks) -> TestServer {
        let gate = Gate::default();
        let wait = async |State(gate): State<Gate>| {
            gate.begun.notify_one();
            gate.go.notified().await;
            "waited"
        };
        let router = Router::new()
            .route("/", any(async |method: Method| method.to_string()))
            .route("/echo", post(async |body: String| body))
            .route("/large", any(async || "x".repeat(1024 * 1024)))
            .route("/wait", any(wait))
            .route("/frames", any(async |State(gate): State<Gate>| Body::new(Frames::new(gate))))
            .route("/take", post(async move |gate: State<Gate>, _: String| wait(gate).await))
            .with_state(gate.clone());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, hooks, limits, async {
            let _ = stopped.await;
        }));
        TestServer { way, gate, stop: Some(stop), task }
    }

    pub(crate) async fn connect(&self) -> Client {
        match &self.way {
            Way::Memory(connector) => connector.connect().unwrap(),
            Way::Tcp(address) => Client::connect(*address).await,
        }
    }

    /// A connection in memory from the address 192.0.2.`last`.
    pub(crate) fn connect_from(&self, last: u8) -> Client {
        let Way::Memory(connector) = &self.way else { panic!("this server is not in memory") };
        connector.connect_from(SocketAddr::from(([192, 0, 2, last], 4711))).unwrap()
    }

    /// A connection whose request is with its handler.
    pub(crate) async fn busy(&self) -> Client {
        let mut client = self.connect().await;
        client.send(WAIT).await;
        self.has_begun().await;
        client
    }

    /// A connection whose request is with its handler, after its body arrived in two pieces.
    pub(crate) async fn busy_with_a_body(&self) -> Client {
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
    pub(crate) async fn idle(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(ask(&mut client).await, 200);
        client
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn has_stopped(self) {
        timeout(PATIENCE, self.task).await.expect("the server did not stop").unwrap();
    }
}

/// Sends a request that is answered at once, and returns the status.
pub(crate) async fn ask(client: &mut Client) -> u16 {
    client.send(GET).await;
    client.reply().await.status
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn limits() -> Limits {
    Limits {
        connections_max: 100,
        headers_bytes_max: 8192,
        headers_timeout: ms(10_000),
        idle_timeout: ms(75_000),
        write_timeout: ms(10_000),
    }
}

/// Limits with at most this many connections.
pub(crate) fn cap(connections_max: usize) -> Limits {
    Limits { connections_max, ..limits() }
}
