//! Genuine senders during a flood.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::client::{Client, now_secs, signed};
use crate::process::Livehook;

/// A busy machine delays everything. A sender that the flood keeps out waits longer: until the receiver gives a connection of
/// the flood up, after ten seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The token of the admin endpoint.
pub(super) const TOKEN: &str = "a-token-for-the-tests-only";

/// A running service with a low limit of connections, and `settings` for the receiver.
pub(super) async fn running(connections_max: usize, settings: &str) -> Livehook {
    let mut livehook = Livehook::configured("", &format!("token = \"{TOKEN}\""));
    let path = livehook.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let receiver = format!("[receiver]\nconnections_max = {connections_max}\n{settings}\n");
    std::fs::write(&path, config.replacen("[receiver]\n", &receiver, 1)).unwrap();
    livehook.start();
    livehook.ready().await;
    livehook
}

/// Sends 100 genuine callbacks to `to` in some five seconds. Half of them use one connection, the others one each, with a
/// pause between connecting and sending. At least 99 must get a 200, and most of them within a second.
pub(super) async fn assert_genuine_get_in(to: SocketAddr) {
    // The flood must have filled its target.
    sleep(Duration::from_millis(1500)).await;
    let mut kept = Client::connect(to).await.unwrap();
    let (mut failures, mut delays) = (Vec::new(), Vec::new());
    for number in 0..50 {
        for is_kept in [true, false] {
            let body = signed(number * 2 + u64::from(is_kept), now_secs());
            let started = Instant::now();
            let post = async {
                if is_kept {
                    return kept.post(&body).await;
                }
                let mut client = Client::connect(to).await?;
                sleep(Duration::from_millis(5 * (number % 10))).await;
                client.post(&body).await
            };
            let answer = timeout(PATIENCE, post).await;
            delays.push(started.elapsed());
            if !matches!(&answer, Ok(Ok(answer)) if answer.status == 200) {
                failures.push(format!("{number} kept {is_kept} after {:?}: {answer:?}", started.elapsed()));
                kept = Client::connect(to).await.unwrap();
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    delays.sort();
    println!("the median took {:?}, the slowest {:?}", delays[50], delays[99]);
    assert!(failures.len() <= 1, "{} of 100 failed: {failures:#?}", failures.len());
    assert!(delays[50] < Duration::from_secs(1), "{delays:?}");
}
