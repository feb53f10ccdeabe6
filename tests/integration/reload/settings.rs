//! Settings that change, settings that need a restart, and reloads that fail.

use std::time::{Duration, Instant};

use super::running::{OTHER_KEY, PATIENCE, TOKEN, running};
use crate::client::{Client, KEY, members, now_secs, sign_by};

#[tokio::test]
async fn mistake_changes_nothing() {
    let mut livehook = running("").await;
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "1");
    let loaded = livehook.metric("livehook_config_last_reload_success_timestamp_seconds").await.unwrap();
    livehook.edit("[admin]\n", "leeway_secs = \"ten\"\nunsigned_event_types = [\"pushed\"]\n[admin]\n");
    let output = livehook.command(&["reload"]);
    let (said, checked) = (output.stderr, livehook.command(&["check-config"]).stderr);
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mistakes: Vec<String> = String::from_utf8(checked).unwrap().lines().skip(1).map(str::to_owned).collect();
    assert_eq!(mistakes.len(), 2);
    assert!(mistakes.iter().all(|mistake| said.contains(mistake.trim())), "{said}");
    livehook.logs("the configuration was not reloaded, and nothing has changed", 1).await;
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "0");
    assert_eq!(livehook.metric("livehook_config_last_reload_success_timestamp_seconds").await.unwrap(), loaded);
    assert_eq!(livehook.answer_to(KEY, 0).await, 200, "the rules are as before");

    livehook.edit("leeway_secs = \"ten\"\nunsigned_event_types = [\"pushed\"]\n", "leeway_secs = 600\n");
    let compared = livehook.command(&["check-config", "--against-running"]);
    let compared = String::from_utf8(compared.stdout).unwrap();
    assert!(compared.ends_with("a reload would change:\nreceiver.leeway_secs: 0 -> 600\n"), "{compared}");
    let late = sign_by(KEY, &members(1), now_secs() - 300);
    let late_status = async || Client::connect(livehook.receiver).await.unwrap().post(&late).await.unwrap().status;
    assert_eq!(late_status().await, 401, "comparing changes nothing");
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 0 -> 600\n");
    assert_eq!(late_status().await, 200);
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "1");
    assert_eq!(livehook.reload(), "");
    livehook.stop().await;
}

#[tokio::test]
async fn fixed_settings_are_named() {
    let mut livehook = running("").await;
    let admin = livehook.admin;
    livehook.edit("data_dir = \"data\"", "data_dir = \"other\"");
    livehook.edit("keys = [", "leeway_secs = 600\nkeys = [");
    livehook.edit("token = ", "subscribers_max = 7\ntoken = ");
    livehook.edit("[admin]\n", "[index]\nenabled = false\n[admin]\n");
    let expected = "data_dir: data -> other (needs a restart)\nreceiver.leeway_secs: 0 -> 600\nadmin.subscribers_max: 256 -> 7\n\
        index.enabled: true -> false (needs a restart)\n";
    assert_eq!(livehook.reload(), expected);
    livehook.logs("the configuration was reloaded, except: data_dir: data -> other (needs a restart)", 1).await;
    assert_eq!(
        livehook.reload(),
        expected.replace("receiver.leeway_secs: 0 -> 600\nadmin.subscribers_max: 256 -> 7\n", ""),
        "they still differ"
    );
    assert_eq!(livehook.metric("livehook_feed_subscribers_max").await.unwrap(), "7");
    assert_eq!(livehook.answer_to(KEY, 0).await, 200);
    assert!(!livehook.path("other").exists());

    // Another token counts for the next request, and the old one no longer does.
    livehook.edit(TOKEN, "another-token-for-tests");
    livehook.signal("HUP");
    livehook.logs("the configuration was reloaded: admin.token: changed", 1).await;
    let status = async |token: &str| {
        let head = format!("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: 16\r\n\r\n{{\"dry_run\":true}}");
        let mut client = Client::connect(admin).await.unwrap();
        client.raw(request.as_bytes()).await.unwrap();
        client.receive().await.unwrap().status
    };
    assert_eq!((status(TOKEN).await, status("another-token-for-tests").await), (401, 200));
    livehook.stop().await;
}

#[tokio::test]
async fn format_of_the_log_changes() {
    let mut livehook = running("").await;
    livehook.edit("[admin]\n", "[log]\nformat = \"json\"\n[admin]\n");
    assert_eq!(livehook.reload(), "log.format: text -> json\n");
    assert_eq!(livehook.answer_to(OTHER_KEY, 0).await, 401);
    livehook.logs("\"error\":\"signature_mismatch\"", 1).await;
    let is_json = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let log = livehook.log();
    let since = log.lines().skip_while(|line| !is_json(line)).collect::<Vec<_>>();
    assert!(since.len() >= 2 && since.iter().all(is_json), "{log}");
    livehook.edit("format = \"json\"", "format = \"text\"");
    assert_eq!(livehook.reload(), "log.format: json -> text\n");
    livehook.logs(" INFO the configuration was reloaded: log.format: json -> text", 1).await;
    livehook.stop().await;
}

/// What doesn't need the journal changes at once. Otherwise the reload ends in time and changes nothing, and the next one works.
#[tokio::test]
#[ignore = "waits for a journal that hangs: run by tests/run"]
async fn hung_journal_delays_no_reload() {
    let mut livehook = running("").await;
    // The writer waits for this lock just as it would wait for a sync that hangs.
    let other = rusqlite::Connection::open(livehook.path("data/journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (began, address) = (Instant::now(), livehook.receiver);
    let waiting = tokio::spawn(async move {
        let body = sign_by(KEY, &members(0), now_secs() + 600);
        Client::connect(address).await.unwrap().post(&body).await.unwrap().status
    });
    while livehook.readiness().await == 200 {
        assert!(began.elapsed() < PATIENCE, "the journal doesn't hang");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    livehook.edit("keys = [", "leeway_secs = 600\nkeys = [");
    let asked = Instant::now();
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 0 -> 600\n");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    livehook.edit("leeway_secs = 600\n", "leeway_secs = 900\n");
    livehook.edit("[admin]\n", "[journal]\nretention_days = 7\n[admin]\n");
    let output = livehook.command(&["reload"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    livehook.logs("the configuration was not reloaded, and nothing has changed", 1).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // It may have been refused, because the journal took too long.
    assert!([200, 503].contains(&waiting.await.unwrap()));
    livehook.ready().await;
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 600 -> 900\njournal.retention_days: 30 -> 7\n");
    assert_eq!(livehook.answer_to(KEY, 1).await, 200);
    livehook.stop().await;
}
