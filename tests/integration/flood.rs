//! Floods from eight addresses: genuine callbacks still get their 200 within a second.
//!
//! Linux lets a client use every address of 127.0.0.0/8.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::client::{Client, now_secs, signed};
use super::process::Livehook;

/// How many addresses a flood comes from.
const ADDRESSES: u8 = 8;

/// How many connections each address keeps open. All together they exceed the receiver's limit.
const HELD: usize = 48;

const CONNECTIONS_MAX: usize = 256;

const TOKEN: &str = "a-token-for-the-tests-only";

/// A running service with a low limit of connections, and `settings` for the receiver.
async fn running(settings: &str) -> Livehook {
    let mut livehook = Livehook::configured("", &format!("token = \"{TOKEN}\""));
    let path = livehook.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let receiver = format!("[receiver]\nconnections_max = {CONNECTIONS_MAX}\n{settings}\n");
    std::fs::write(&path, config.replacen("[receiver]\n", &receiver, 1)).unwrap();
    livehook.start();
    livehook.ready().await;
    livehook
}

/// Connects from the address 127.0.0.`last`.
async fn connect_from(last: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    timeout(Duration::from_secs(1), socket.connect(to)).await?
}

/// Attacks `to` until it is dropped: each address opens a connection every `pause`, runs `attack` on it, and closes its
/// oldest one when it has [`HELD`].
fn flood<A, F>(to: SocketAddr, pause: Duration, attack: A) -> JoinSet<()>
where
    A: Fn(TcpStream) -> F + Copy + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut floods = JoinSet::new();
    for last in 2..2 + ADDRESSES {
        floods.spawn(async move {
            let mut held = JoinSet::new();
            loop {
                if let Ok(stream) = connect_from(last, to).await {
                    held.spawn(attack(stream));
                }
                while held.len() >= HELD {
                    held.join_next().await;
                }
                sleep(pause).await;
            }
        });
    }
    floods
}

/// Holds a connection until the server closes it.
async fn hold(mut stream: TcpStream) {
    let mut scratch = [0; 256];
    while stream.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
}

/// Sends 80 genuine callbacks in some four seconds. Half of them use one connection, the others one each, with a pause
/// between connecting and sending. At least 99 % must get a 200 within a second.
async fn assert_genuine_get_in(livehook: &Livehook) {
    // The flood must have filled its target.
    sleep(Duration::from_millis(1500)).await;
    let mut kept = Client::connect(livehook.receiver).await.unwrap();
    let mut failures = Vec::new();
    for number in 0..40 {
        for is_kept in [true, false] {
            let body = signed(number * 2 + u64::from(is_kept), now_secs());
            let started = Instant::now();
            let post = async {
                if is_kept {
                    return kept.post(&body).await;
                }
                let mut client = Client::connect(livehook.receiver).await?;
                sleep(Duration::from_millis(5 * (number % 10))).await;
                client.post(&body).await
            };
            let answer = timeout(Duration::from_secs(1), post).await;
            if !matches!(&answer, Ok(Ok(answer)) if answer.status == 200) {
                failures.push(format!("{number} kept {is_kept} after {:?}: {answer:?}", started.elapsed()));
                kept = Client::connect(livehook.receiver).await.unwrap();
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(failures.is_empty(), "{} of 80 failed: {failures:#?}", failures.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes six seconds on an idle machine: run by tests/run"]
async fn flood_of_heads_is_survived() {
    let livehook = running("").await;
    let _flood = flood(livehook.receiver, Duration::from_millis(10), async |mut stream| {
        let _ = stream.write_all(b"P").await;
        hold(stream).await;
    });
    assert_genuine_get_in(&livehook).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes six seconds on an idle machine: run by tests/run"]
async fn flood_of_unread_answers_is_survived() {
    let livehook = running("").await;
    let _flood = flood(livehook.receiver, Duration::from_millis(10), async |mut stream| {
        let requests = "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500);
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
    });
    assert_genuine_get_in(&livehook).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes six seconds on an idle machine: run by tests/run"]
async fn flood_of_bodies_is_survived() {
    let livehook = running("bodies_bytes_max = 16777216").await;
    let _flood = flood(livehook.receiver, Duration::from_millis(10), async |mut stream| {
        let head = "POST /callback HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n";
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&[b'x'; 0x4_0000]).await;
        hold(stream).await;
    });
    assert_genuine_get_in(&livehook).await;
    assert!(livehook.log().contains("error=\"displaced\""), "{}", livehook.log());
}

/// Clients with the token that never finish a body do not keep others out of the API.
#[tokio::test]
async fn unfinished_bodies_leave_the_api_free() {
    let livehook = running("").await;
    let mut unfinished = Vec::new();
    for number in 0..80 {
        let mut stream = connect_from(2 + number % ADDRESSES, livehook.admin).await.unwrap();
        let head = format!("POST /api/v1/replays HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
        let more = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        stream.write_all((head + more).as_bytes()).await.unwrap();
        unfinished.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    for _ in 0..10 {
        let mut client = Client::connect(livehook.admin).await.unwrap();
        let answer = timeout(Duration::from_secs(1), client.get("/api/v1/sinks", "")).await.unwrap().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
