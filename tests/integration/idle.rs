//! A service without work lets the processor sleep.

use std::time::Duration;

use super::client::{Client, now_secs, signed};
use super::process::{FILE_SINK, Livehook};

/// How long the service is observed.
const SECS: u32 = 30;

/// Observes services that have nothing to do. None of them may wake more than twice a second.
pub(crate) async fn all_sleep(services: &[(&str, &Livehook)]) {
    // The work that the last event leaves, such as the checkpoint of the index.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let before: Vec<u64> = services.iter().map(|(_, livehook)| livehook.wake_ups()).collect();
    tokio::time::sleep(Duration::from_secs(SECS.into())).await;
    for ((name, livehook), before) in services.iter().zip(before) {
        let wake_ups = livehook.wake_ups() - before;
        println!("{name}: {wake_ups} wake-ups in {SECS} s");
        assert!(wake_ups <= u64::from(2 * SECS), "{name}: {wake_ups} wake-ups in {SECS} s");
        // Zero would mean that nothing was counted.
        assert!(wake_ups > 0, "{name}");
    }
}

#[tokio::test]
#[ignore = "takes 40 s: run by tests/run"]
async fn idle_service_wakes_at_most_twice_a_second() {
    let livehook = Livehook::running("", FILE_SINK).await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200);
    drop(client);
    all_sleep(&[("file", &livehook)]).await;
}
