//! Every kind of event that CSS is known to send, and one that it is not, from the request to the sink's file.

use super::client::{Answer, Client, now_secs, sign};
use super::test_app::TestApp;

/// The numbers of the vendor's table, and what livehook calls them.
const TYPES: [(i64, &str); 21] = [
    (0, "tencent.css.stop"),
    (1, "tencent.css.push"),
    (100, "tencent.css.recording"),
    (200, "tencent.css.screenshot"),
    (314, "tencent.css.relay"),
    (315, "tencent.css.audio-moderation"),
    (317, "tencent.css.image-moderation"),
    (321, "tencent.css.push-anomaly"),
    (328, "tencent.css.monitoring"),
    (329, "tencent.streamlive.push"),
    (330, "tencent.streamlive.stop"),
    (332, "tencent.css.recording-status"),
    (338, "tencent.css.subtitles"),
    (341, "tencent.css.recording-anomaly"),
    (343, "tencent.css.quality-inspection"),
    (344, "tencent.css.evaluation-threshold"),
    (345, "tencent.css.evaluation-average"),
    (347, "tencent.css.smart-erasing"),
    (348, "tencent.css.live-summary"),
    (349, "tencent.css.highlights"),
    (777, "tencent.css.event-777"),
];

/// The types of which the vendor's samples have neither `t` nor `sign`.
const UNSIGNED: [i64; 8] = [314, 315, 328, 343, 344, 345, 348, 349];

fn name_of(number: i64) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == number).unwrap().1
}

fn members(number: i64) -> String {
    format!(r#""event_type":{number},"appid":12345678,"stream_id":"s{number}""#)
}

async fn post(app: &TestApp, body: &str) -> Answer {
    Client::connect(app.receiver).await.unwrap().post(body).await.unwrap()
}

/// What the sink's file says of each event: its type, its stream, and whether it was verified.
async fn stop(app: TestApp) -> Vec<(String, String, bool)> {
    let parsed = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("type"), text("subject"), event["verified"].as_bool().unwrap())
    };
    app.stop().await.iter().map(parsed).collect()
}

#[tokio::test]
async fn every_type_reaches_the_file_under_its_name() {
    let app = TestApp::start("").await;
    for (number, name) in TYPES {
        let answer = post(&app, &sign(&members(number), now_secs() + 600)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"code":0}"#), "{name}");
    }
    app.wait_for_events(TYPES.len()).await;
    let expected = TYPES.map(|(number, name)| (name.to_owned(), format!("s{number}"), true));
    assert_eq!(stop(app).await, expected);
}

#[tokio::test]
async fn an_unsigned_type_is_accepted_where_it_is_listed_and_marked_as_not_verified() {
    let app = TestApp::start(&format!("[receiver]\nunsigned_event_types = {UNSIGNED:?}\n")).await;
    for number in UNSIGNED {
        assert_eq!(post(&app, &format!("{{{}}}", members(number))).await.status, 200, "{number}");
    }
    // A signature that is there still counts, and other types still need one.
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
async fn an_unsigned_type_is_refused_where_it_is_not_listed() {
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
