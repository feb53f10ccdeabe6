//! `send` against a real HTTP server.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use super::*;
use crate::callback::{Callback, CallbackKey, EventType, KeyOptions, Verifier, VerifierOptions};
use crate::cli::testing::{assert_usage_error, run};

type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// Starts a receiver that keeps every body. It answers 200 to the first `refuse_after` bodies, then 503.
fn receiver(refuse_after: usize) -> (SocketAddr, Bodies) {
    let bodies = Bodies::default();
    let kept = Arc::clone(&bodies);
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        block_on(async move {
            let handler = move |headers: HeaderMap, body: axum::body::Bytes| async move {
                assert_eq!(headers["content-type"], "application/json");
                let mut kept = kept.lock().unwrap();
                kept.push(body.to_vec());
                match kept.len() > refuse_after {
                    true => (StatusCode::SERVICE_UNAVAILABLE, "{\"error\":\"unavailable\u{1b}\"}\n"),
                    false => (StatusCode::OK, "{\"code\":0}"),
                }
            };
            let app = Router::new().route("/callback", post(handler));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            // `axum::serve` needs a feature that livehook does not enable.
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper_util::service::TowerToHyperService::new(app.clone());
                let io = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
            }
        })
        .unwrap();
    });
    (address.recv().unwrap(), bodies)
}

fn send_to(address: SocketAddr, line: &[&str]) -> (anyhow::Result<ExitCode>, String) {
    let url = format!("http://{address}/callback");
    run(&[&["send"], line, &["--url", &url]].concat())
}

fn event_types(bodies: &Bodies) -> Vec<EventType> {
    let keys = vec![KeyOptions { key: CallbackKey::new("test").unwrap(), domains: None }];
    let verifier =
        Verifier::new(VerifierOptions { keys, validity_secs_max: Some(600), ..VerifierOptions::default() }).unwrap();
    let now_ms = now_secs() * 1000;
    let verify = |body: &Vec<u8>| verifier.verify(&Callback::parse(body).unwrap(), now_ms).unwrap();
    let events: Vec<_> = bodies.lock().unwrap().iter().map(verify).collect();
    assert_eq!(events.iter().map(|event| event.id()).collect::<HashSet<_>>().len(), events.len());
    events.iter().map(|event| event.event_type()).collect()
}

#[test]
fn pairs_sent() {
    let (address, bodies) = receiver(usize::MAX);
    let (result, written) = send_to(address, &["--key", "test", "--event", "pair", "--count", "3", "--errcode", "8"]);
    assert_eq!(result.unwrap(), ExitCode::SUCCESS);
    assert_eq!(event_types(&bodies), [EventType::Push, EventType::Stop].repeat(3));
    assert_eq!(written.lines().count(), 6);
    assert!(written.lines().all(|line| line.starts_with("200 {\"code\":0} ") && line.ends_with(" ms")), "{written}");
}

#[test]
fn refused_callback_fails_the_command() {
    let (address, bodies) = receiver(1);
    let (result, written) = send_to(address, &["--key", "test", "--count", "3"]);
    assert_eq!(result.unwrap(), ExitCode::FAILURE);
    assert_eq!(bodies.lock().unwrap().len(), 3);
    let statuses: Vec<&str> = written.lines().map(|line| &line[..3]).collect();
    assert_eq!(statuses, ["200", "503", "503"]);
    assert!(!written.contains('\u{1b}'), "{written:?}");
}

#[test]
fn file_signed_or_unchanged() {
    let (address, bodies) = receiver(usize::MAX);
    let file = tempfile::NamedTempFile::new().unwrap();
    let callback = " {\"event_type\":0, \"t\":1,\"sign\":\"x\"}\n";
    std::fs::write(file.path(), callback).unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(send_to(address, &["--key", "test", path]).0.unwrap(), ExitCode::SUCCESS);
    assert_eq!(event_types(&bodies), [EventType::Stop]);
    assert_eq!(send_to(address, &["--as-is", path]).0.unwrap(), ExitCode::SUCCESS);
    assert_eq!(bodies.lock().unwrap()[1], callback.as_bytes());
}

#[test]
fn no_receiver() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send_to(free, &["--key", "test"]).0.unwrap_err().to_string();
    assert!(error.contains(&format!("http://{free}/callback")) && error.contains("livehook serve"), "{error}");
}

#[test]
fn wrong_usage() {
    for line in [
        &[][..],
        &["--as-is"],
        &["--as-is", "--event", "stop"],
        &["--as-is", "--stream", "a"],
        &["--key", "test", "--key-file", "x"],
        &["--key", "test", "--as-is", "x"],
        &["--key", "test", "--count", "0"],
        &["--key", "test", "--count", "2", "x"],
        &["--key", "test", "--url", "nowhere"],
        &["--key", "test", "--errcode", "3"],
    ] {
        assert_usage_error(&[&["send"], line].concat());
    }
}
