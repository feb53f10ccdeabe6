//! Every event type that CSS sends, and an unknown one, from the request to the sink's file.

use std::path::Path;

use serde_json::Value;

use super::client::{Answer, Client, now_secs, sign};
use super::test_app::TestApp;

/// A fixture, and the `type`, `partitionkey` and `time` of its event. The last part of the key is the `subject`.
type Expected = (&'static str, &'static str, &'static str, Option<&'static str>);

const DEMO: &str = "push.example.com/live/demo";
const OLDIES: &str = "push.example.com/live/oldies";
const TALK: &str = "push.example.com/live/talk";
const WATCHED: &str = "push.example.com/live/watched";

/// Laid out by hand, because one value per line would hide the table.
#[rustfmt::skip]
const FIXTURES: [Expected; 24] = [
    ("000-stop", "tencent.css.stop", DEMO, Some("2023-12-28T02:46:46Z")),
    ("000-stop-2016", "tencent.css.stop", OLDIES, Some("2016-08-22T08:16:27Z")),
    ("000-stop-mixed-types", "tencent.css.stop", "push.example.com/live/mixed", Some("2023-12-28T03:46:46Z")),
    ("001-push", "tencent.css.push", DEMO, Some("2023-12-28T02:44:38Z")),
    ("001-push-2016", "tencent.css.push", OLDIES, Some("2016-08-22T07:16:27Z")),
    ("100-recording", "tencent.css.recording", DEMO, Some("2023-12-28T02:46:46Z")),
    ("200-screenshot", "tencent.css.screenshot", DEMO, Some("2023-12-28T02:44:48Z")),
    ("314-relay", "tencent.css.relay", "//relayed", Some("2023-12-28T03:00:00Z")),
    ("315-audio-moderation", "tencent.css.audio-moderation", TALK, None),
    ("317-image-moderation", "tencent.css.image-moderation", TALK, Some("2023-12-28T03:05:21Z")),
    ("321-push-anomaly", "tencent.css.push-anomaly", DEMO, Some("2023-12-28T02:46:00.123Z")),
    ("328-monitoring", "tencent.css.monitoring", "//watched", Some("2023-12-28T03:10:00.25Z")),
    ("329-streamlive-push", "tencent.streamlive.push", "//", None),
    ("330-streamlive-stop", "tencent.streamlive.stop", "//", None),
    ("332-recording-status", "tencent.css.recording-status", DEMO, Some("2023-12-28T02:46:47Z")),
    ("338-subtitles", "tencent.css.subtitles", "//talk", None),
    ("341-recording-anomaly", "tencent.css.recording-anomaly", WATCHED, Some("2023-12-28T03:19:00Z")),
    ("343-quality-inspection", "tencent.css.quality-inspection", WATCHED, Some("2023-12-28T03:20:00Z")),
    ("344-evaluation-threshold", "tencent.css.evaluation-threshold", WATCHED, Some("2023-12-28T03:21:00Z")),
    ("345-evaluation-average", "tencent.css.evaluation-average", WATCHED, Some("2023-12-28T03:22:00Z")),
    ("347-smart-erasing", "tencent.css.smart-erasing", "//talk", None),
    ("348-live-summary", "tencent.css.live-summary", TALK, None),
    ("349-highlights", "tencent.css.highlights", TALK, None),
    ("777-unknown", "tencent.css.event-777", "push.example.com/live/new", Some("2023-12-28T03:26:40.75Z")),
];

/// The secret in the push URLs of the fixtures.
const SECRET: &str = "5f1d3c9ab27e48d06c1e9f7a3b5d8e24";

/// The event types whose vendor samples have neither `t` nor `sign`.
const UNSIGNED: [i64; 8] = [314, 315, 328, 343, 344, 345, 348, 349];

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).with_extension("json");
    std::fs::read_to_string(path).unwrap()
}

fn name_of(number: i64) -> &'static str {
    FIXTURES.iter().find(|(fixture, ..)| fixture.starts_with(&format!("{number:03}-"))).unwrap().1
}

fn members(number: i64) -> String {
    format!(r#""event_type":{number},"appid":12345678,"stream_id":"s{number}""#)
}

async fn post(app: &TestApp, body: &str) -> Answer {
    Client::connect(app.receiver).await.unwrap().post(body).await.unwrap()
}

/// Type, stream and `verified` of each event in the sink's file.
async fn stop(app: TestApp) -> Vec<(String, String, bool)> {
    let parsed = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("type"), text("subject"), event["verified"].as_bool().unwrap())
    };
    app.stop().await.iter().map(parsed).collect()
}

#[tokio::test]
async fn every_fixture_reaches_the_file() {
    let app = TestApp::start("").await;
    for (fixture_name, ..) in FIXTURES {
        let callback = fixture(fixture_name);
        let members = callback.trim().strip_prefix('{').unwrap().strip_suffix('}').unwrap();
        let answer = post(&app, &sign(members, now_secs() + 600)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"code":0}"#), "{fixture_name}");
    }
    app.wait_for_events(FIXTURES.len()).await;
    let lines = app.stop().await;
    assert_eq!(lines.len(), FIXTURES.len());
    for (line, (name, event_type, partition_key, time)) in lines.iter().zip(FIXTURES) {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["type"], event_type, "{name}");
        let subject = partition_key.rsplit('/').next().filter(|stream| !stream.is_empty());
        assert_eq!(event.get("subject").map(|subject| subject.as_str().unwrap()), subject, "{name}");
        assert_eq!(event["partitionkey"], partition_key, "{name}");
        assert_eq!(event.get("time").map(|time| time.as_str().unwrap()), time, "{name}");
        assert_eq!(event["verified"], true, "{name}");
        let redacted: Value = serde_json::from_str(&fixture(name).replace(SECRET, "REDACTED")).unwrap();
        assert_eq!(event["data"], redacted, "{name}");
    }
}

#[test]
fn every_fixture_is_posted() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".json") else { continue };
        assert!(FIXTURES.iter().any(|(posted, ..)| *posted == name), "{file} is not posted");
    }
}

#[tokio::test]
async fn listed_unsigned_type_is_accepted() {
    let app = TestApp::start(&format!("[receiver]\nunsigned_event_types = {UNSIGNED:?}\n")).await;
    for number in UNSIGNED {
        assert_eq!(post(&app, &format!("{{{}}}", members(number))).await.status, 200, "{number}");
    }
    // A signature is still checked if there is one, and other types still need one.
    let forged = sign(&members(314), now_secs() + 600).replace("\"t\":", "\"t\":1");
    assert_eq!(post(&app, &forged).await.error(), "signature_mismatch");
    assert_eq!(post(&app, &format!("{{{}}}", members(1))).await.error(), "signature_missing");
    let signed = sign(&members(314).replace("s314", "signed"), now_secs() + 600);
    assert_eq!(post(&app, &signed).await.status, 200);
    app.wait_for_events(UNSIGNED.len() + 1).await;
    let mut expected: Vec<_> =
        UNSIGNED.iter().map(|number| (name_of(*number).to_owned(), format!("s{number}"), false)).collect();
    expected.push((name_of(314).to_owned(), "signed".to_owned(), true));
    assert_eq!(stop(app).await, expected);
}

#[tokio::test]
async fn unlisted_unsigned_type_is_refused() {
    let app = TestApp::start("").await;
    for number in UNSIGNED {
        let answer = post(&app, &format!("{{{}}}", members(number))).await;
        assert_eq!((answer.status, answer.error().as_str()), (401, "signature_missing"), "{number}");
        let name = name_of(number).strip_prefix("tencent.css.").unwrap();
        let counted = format!(r#"livehook_callbacks_total{{event_type="{name}",outcome="signature_missing"}} 1"#);
        let metrics = app.metrics().await;
        assert!(metrics.contains(&counted), "{counted} is not in {metrics}");
    }
    assert_eq!(app.stop().await.len(), 0);
}
