//! Keys and tokens that change, also by their files alone.

use std::sync::atomic::Ordering;

use super::running::{Load, OTHER_KEY, TOKEN, counts, running};
use crate::client::KEY;
use crate::process::{FILE_SINK, Livehook};

#[tokio::test]
async fn keys_rotate_without_a_refusal() {
    let mut livehook = running("").await;
    let load = Load::on(livehook.receiver);
    load.more(50).await;
    livehook.edit(&format!("keys = [\"{KEY}\"]"), &format!("keys = [\"{KEY}\", \"{OTHER_KEY}\"]"));
    let said = livehook.reload();
    assert!(said.starts_with("receiver.keys: added ") && said.ends_with(" for every domain\n"), "{said}");
    load.signs_by_other.store(true, Ordering::SeqCst);
    // Each sender may be in the middle of its last callback by the old key.
    load.more(50).await;
    livehook.edit(&format!("keys = [\"{KEY}\", \"{OTHER_KEY}\"]"), &format!("keys = [\"{OTHER_KEY}\"]"));
    livehook.signal("HUP");
    livehook.logs("the configuration was reloaded: receiver.keys: removed", 1).await;
    load.more(50).await;
    let sent = load.end().await;
    assert_eq!((livehook.answer_to(KEY, sent).await, livehook.answer_to(OTHER_KEY, sent).await), (401, 200));
    for secret in [KEY, OTHER_KEY, TOKEN] {
        assert!(!livehook.log().contains(secret));
    }
    livehook.stop().await;
    assert_eq!(counts(&livehook.lines("events.jsonl")).values().filter(|count| **count == 1).count() as u64, sent + 1);
    assert_eq!(livehook.journal().len() as u64, sent + 1);
}

/// As Kubernetes renews a mounted secret: the files lie in a folder to which a link points, and the link is swapped.
#[tokio::test]
#[ignore = "waits for the watch of secrets: run by tests/run"]
async fn rotated_secret_is_taken_over() {
    let mut livehook = Livehook::configured("", &format!("token_file = \"secrets/token\"\n{FILE_SINK}"));
    let directory = livehook.directory.clone();
    let point_at = |folder: &str, keys: &str, token: &str| {
        std::fs::create_dir(directory.join(folder)).unwrap();
        std::fs::write(directory.join(folder).join("keys"), keys).unwrap();
        std::fs::write(directory.join(folder).join("token"), token).unwrap();
        std::os::unix::fs::symlink(folder, directory.join("next")).unwrap();
        std::fs::rename(directory.join("next"), directory.join("secrets")).unwrap();
    };
    point_at("one", KEY, TOKEN);
    livehook.edit(&format!("keys = [\"{KEY}\"]"), "keys_file = \"secrets/keys\"");
    livehook.start();
    livehook.ready().await;
    let load = Load::on(livehook.receiver);
    point_at("two", &format!("{KEY}\n{OTHER_KEY}\n"), TOKEN);
    livehook.logs("secrets/keys has changed: reloading the configuration", 1).await;
    livehook.logs("the configuration was reloaded: receiver.keys: added", 1).await;
    load.signs_by_other.store(true, Ordering::SeqCst);
    load.more(20).await;
    // A mistake in the new file changes nothing, and the next content counts again.
    point_at("three", OTHER_KEY, "");
    livehook.logs("the configuration was not reloaded", 1).await;
    point_at("four", OTHER_KEY, "another-token-for-tests");
    livehook.logs("the configuration was reloaded: admin.token: changed", 1).await;
    livehook.logs("the configuration was reloaded: receiver.keys: removed", 1).await;
    assert_eq!(livehook.reload(), "", "the command has the new token");
    load.end().await;
    assert_eq!(livehook.answer_to(KEY, 1_000_000).await, 401);
    livehook.stop().await;
}
