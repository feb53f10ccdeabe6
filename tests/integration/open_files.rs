//! A low limit of open files: idle connections keep no new client out, on either listener.

use super::client::{Client, now_secs, signed};
use super::process::Livehook;

/// A new connection gets in, and its callback is answered with 200.
async fn assert_accepts(livehook: &Livehook) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200, "{}", livehook.log());
}

#[tokio::test]
async fn low_limit_lowers_both_connection_caps() {
    let mut livehook = Livehook::configured("", "");
    livehook.start_limited("-n 128").await;
    let mut idle = Vec::new();
    for _ in 0..140 {
        idle.push(Client::connect(livehook.receiver).await.unwrap());
        idle.push(Client::connect(livehook.admin).await.unwrap());
    }
    let mut client = Client::connect(livehook.admin).await.unwrap();
    assert_eq!(client.get("/livez", "").await.unwrap().status, 200, "{}", livehook.log());
    assert_accepts(&livehook).await;
    let log = livehook.log();
    assert!(log.contains("receiver.connections_max = 4096: ") && log.contains("limit of open files is 128"), "{log}");
    assert!(!log.contains("no new connection can be accepted"), "{log}");
    livehook.stop().await;
}

#[tokio::test]
async fn idle_connection_yields_its_file() {
    let mut livehook = Livehook::configured("", "");
    livehook.start_limited("-n 34").await;
    let mut idle = Vec::new();
    for _ in 0..70 {
        idle.push(Client::connect(livehook.receiver).await.unwrap());
    }
    assert_accepts(&livehook).await;
    assert!(livehook.log().contains("no new connection can be accepted"), "{}", livehook.log());
    livehook.stop().await;
}
