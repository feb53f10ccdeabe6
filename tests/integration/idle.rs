//! A service without work lets the processor sleep.

use std::time::Duration;

use super::client::{Client, now_secs, signed};
use super::process::Livehook;

/// How long the service is observed.
const SECS: u32 = 30;

#[tokio::test]
#[ignore = "takes 40 s: run by tests/run"]
async fn idle_service_wakes_at_most_twice_a_second() {
    let livehook = Livehook::running("", "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"").await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200);
    drop(client);
    // The work that the event leaves, such as the checkpoint of the index.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let before = livehook.wake_ups();
    tokio::time::sleep(Duration::from_secs(SECS.into())).await;
    let wake_ups = livehook.wake_ups() - before;
    println!("{wake_ups} wake-ups in {SECS} s");
    assert!(wake_ups <= u64::from(2 * SECS), "{wake_ups} wake-ups in {SECS} s");
    // Zero would mean that nothing was counted.
    assert!(wake_ups > 0);
}
