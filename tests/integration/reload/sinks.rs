//! Sinks that come, go and change.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::running::{Load, PATIENCE, counts, running};
use crate::client::{KEY, expected_id, id_of, members, now_secs, sign_by};
use crate::process::FILE_SINK;

#[tokio::test]
async fn sinks_come_and_go_without_a_loss() {
    const SECOND: &str = "[[sinks]]\nname = \"second\"\ntype = \"file\"\npath = \"second.jsonl\"\n";
    let mut livehook = running("").await;
    let load = Load::on(livehook.receiver);
    load.more(50).await;
    livehook.edit(FILE_SINK, &format!("{FILE_SINK}{SECOND}"));
    assert_eq!(livehook.reload(), "sinks.second: added file to second.jsonl, every event\n");
    // These callbacks come when the sink is configured.
    let first = load.sent.load(Ordering::SeqCst) + 4;
    load.more(50).await;
    // The worker of the first sink is replaced in the middle of its work, again and again.
    for wait_ms in [30, 31, 32] {
        livehook.edit(
            &format!("wait_ms_first = {}", if wait_ms == 30 { 20 } else { wait_ms - 1 }),
            &format!("wait_ms_first = {wait_ms}"),
        );
        livehook.reload();
        load.more(20).await;
    }
    livehook.edit(SECOND, "");
    assert_eq!(livehook.reload(), "sinks.second: removed file to second.jsonl, every event\n");
    load.more(50).await;
    let removed = livehook.lines("second.jsonl").len();
    assert_eq!(livehook.metric("livehook_delivery_lag_records{sink=\"second\"}").await, None);
    load.more(20).await;
    assert_eq!(livehook.lines("second.jsonl").len(), removed, "it has stopped");
    // It goes on after its last event.
    livehook.edit(&FILE_SINK.replace("= 20", "= 32"), &format!("{}{SECOND}", FILE_SINK.replace("= 20", "= 32")));
    livehook.reload();
    let sent = load.end().await;
    livehook.stop().await;
    let ids: Vec<EventId> = livehook.journal().iter().map(|line| id_of(line)).collect();
    assert_eq!(ids.len() as u64, sent);
    let (in_first, in_second) = (counts(&livehook.lines("events.jsonl")), counts(&livehook.lines("second.jsonl")));
    assert!(ids.iter().all(|id| in_first.get(id) == Some(&1)) && in_first.len() == ids.len());
    assert!(in_second.values().all(|count| *count == 1));
    let expected = (first..sent).map(|number| expected_id(&sign_by(KEY, &members(number), now_secs() + 600)));
    for (id, number) in expected.zip(first..) {
        assert!(in_second.contains_key(&id), "callback {number} of {first}..{sent} is not in the second file");
    }
}

/// A server that answers every POST with 200, and counts its connections.
async fn counting_server() -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    async fn serve(mut stream: TcpStream, requests: Arc<AtomicUsize>) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            let end = buffer.windows(4).position(|window| window == b"\r\n\r\n");
            let length = end.and_then(|end| {
                let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                length.map(|length| end + 4 + length)
            });
            if let Some(length) = length.filter(|length| buffer.len() >= *length) {
                buffer.drain(..length);
                requests.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                continue;
            }
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counted = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&requests)));
        }
    });
    (address, counted.0, counted.1)
}

#[tokio::test]
async fn unchanged_sink_keeps_its_connection() {
    let (server, connections, requests) = counting_server().await;
    let sink = format!("[[sinks]]\nname = \"web\"\ntype = \"http\"\nurl = \"http://{server}/\"\nconcurrency = 1\n");
    let mut livehook = running(&sink).await;
    let deliver = async |number: usize| {
        assert_eq!(livehook.answer_to(KEY, number as u64).await, 200);
        let deadline = Instant::now() + PATIENCE;
        while requests.load(Ordering::SeqCst) <= number {
            assert!(Instant::now() < deadline, "event {number} does not arrive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    deliver(0).await;
    livehook.edit("[admin]\n", "leeway_secs = 600\n[admin]\n");
    livehook.edit("wait_ms_first = 20", "wait_ms_first = 30");
    livehook.reload();
    deliver(1).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the sink was not disturbed");
    livehook.edit("concurrency = 1\n", "concurrency = 1\nheaders = { X-Team = \"live\" }\n");
    assert_eq!(livehook.reload(), "sinks.web: changed\n");
    deliver(2).await;
    assert_eq!((connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst)), (2, 3));
    livehook.stop().await;
}
