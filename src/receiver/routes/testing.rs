//! A receiver that is served in memory, and requests for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::extract::Request;
use tokio::net::TcpListener;

use crate::callback::{CallbackKey, KeyOptions, Verifier, VerifierOptions};
use crate::http::testing::{Connector, MemoryListener};
use crate::http::{Hooks, Limits, Listen, serve};
use crate::journal::Journal;
use crate::journal::testing::MemoryJournal;
use crate::receiver::{CallbackReceiver, Options};
use crate::telemetry::Metrics;

/// The vendor's published sample. Its `t` is the time of these tests.
pub(crate) const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok","event_time":1545115790,"event_type":1,"node":"100.121.160.92","sequence":"6674468118806626493","stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"119.29.94.245","sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;
const T: i64 = 1_545_030_873;

/// A receiver that is served in memory.
pub(crate) struct Setup {
    pub(crate) receiver: Arc<CallbackReceiver>,
    pub(crate) connector: Connector,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) draining: Arc<AtomicBool>,
}

pub(crate) fn setup(change: impl FnOnce(&mut Options)) -> Setup {
    let mut options = Options { health_path: Some("/health".parse().unwrap()), ..Options::default() };
    change(&mut options);
    let keys = vec![KeyOptions { key: CallbackKey::new("test").unwrap(), domains: None }];
    let verifier =
        Verifier::new(VerifierOptions { keys, allowed_appids: options.allowed_appids.clone(), ..Default::default() });
    let journal = Arc::new(MemoryJournal::default());
    let (metrics, draining) = (Arc::new(Metrics::new()), Arc::new(AtomicBool::new(false)));
    let receiver = CallbackReceiver::new(
        &options,
        verifier.unwrap(),
        Arc::clone(&journal) as Arc<dyn Journal>,
        Arc::clone(&metrics),
        Arc::clone(&draining),
        || T * 1000,
    );
    let receiver = Arc::new(receiver);
    let (connector, listener) = MemoryListener::new();
    start(&receiver, listener);
    Setup { receiver, connector, journal, metrics, draining }
}

fn start(receiver: &Arc<CallbackReceiver>, listener: impl Listen + 'static) {
    let limits = Limits { headers_bytes_max: 8192, ..Options::default().limits() };
    let counted = Arc::clone(receiver);
    let hooks =
        Hooks { unreadable_head: Some(Box::new(move |word| counted.count_unreadable(word))), ..Hooks::default() };
    tokio::spawn(serve(listener, Arc::clone(receiver), hooks, limits, std::future::pending()));
}

/// Serves the receiver over TCP as well.
pub(crate) async fn start_tcp(receiver: &Arc<CallbackReceiver>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(receiver, listener);
    address
}

pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// The sample with another stream.
pub(crate) fn other(stream: &str) -> String {
    SAMPLE.replace("test_stream", stream)
}

/// A request as the listener hands it to the receiver.
pub(crate) fn request(body: impl Into<Body>, length: usize) -> Request {
    let request = Request::builder().method("POST").uri("/callback").header("content-length", length);
    request.body(body.into()).unwrap()
}
