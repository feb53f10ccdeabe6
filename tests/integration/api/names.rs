//! Names and texts that would break URLs and JSON that are not encoded.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::super::test_app::TestApp;
use super::{get, indexed, items, post, start_secs};

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn hostile_names_come_back_intact() {
    let app = TestApp::start("").await;
    let long = "n".repeat(10_240);
    let names = [
        "\u{0}\u{1b}[31m\r\n\t\u{7f}\u{85}",
        "\"quoted\" 'and' \\slashed\\ \\u0000",
        "100%25 %2F %zz %",
        "a/b//c/../d/./?e=1&f#g;h+i j",
        "\u{1f600}\u{1f468}\u{200d}\u{1f469}\u{fe0f} 直播",
        "\u{202e}evil\u{2066}\u{2028}\u{2029}\u{feff}",
        "<script>alert(1)</script>",
        "*",
        "..",
        "",
        long.as_str(),
    ];
    let start = start_secs();
    let mut number = 0;
    for name in names {
        for (domain, app_name, stream) in
            [("d.example.com", "live", name), (name, name, "s"), ("d.example.com", name, "t")]
        {
            for (event_type, seconds) in [(1, 0), (0, 60)] {
                let members = json!({"event_type": event_type, "app": domain, "appname": app_name, "stream_id": stream,
                    "sequence": number.to_string(), "event_time": start + number + seconds, "user_ip": name, "node": name,
                    "errcode": 1, "errmsg": name, "width": 1, "height": 1, name: name});
                post(&app, members).await;
            }
            number += 1;
        }
    }
    indexed(&app).await;
    let sessions = get(&app, "sessions?order=ascending&limit=1000").await;
    assert_eq!(items(&sessions).len(), 3 * names.len());
    for (position, session) in items(&sessions).iter().enumerate() {
        let name = names[position / 3];
        let (domain, app_name, stream) =
            [("d.example.com", "live", name), (name, name, "s"), ("d.example.com", name, "t")][position % 3];
        let domain = domain.to_ascii_lowercase();
        let names = ["domain", "app_name", "stream"].map(|member| session[member].as_str().unwrap());
        assert_eq!(names, [&domain, app_name, stream]);
        // No member of an event has U+0000, and no attribute has a control character.
        let member = name.replace('\0', "\u{fffd}");
        let subject = stream.replace(char::is_control, "\u{fffd}");
        let cut: String = member.chars().take(256).collect();
        for value in [&session["node"], &session["user_address"], &session["reason"]["errmsg"]] {
            assert!(*value == json!(cut) || (name.is_empty() && value.is_null()), "{name:?}: {value}");
        }
        // A URL with the longest name twice is too long for a request.
        let path = [&domain, app_name, stream].map(encoded).join("/");
        if path.len() < 16_000 {
            let found = get(&app, &format!("streams/{path}")).await;
            assert_eq!(found["sessions"], json!([session]), "{name:?}");
        }
        let one = get(&app, &format!("sessions/{}", session["id"].as_str().unwrap())).await;
        assert_eq!(one["events"][1]["data"][&member], member);
        let event = &one["events"][0];
        assert_eq!(&get(&app, &format!("events/{}", event["id"].as_str().unwrap())).await, event);
        let filter = format!("app_name={}", encoded(app_name));
        let filter = if stream.is_empty() { filter } else { format!("{filter}&stream={}", encoded(stream)) };
        for list in ["sessions", "broadcasts", "events"] {
            let found = get(&app, &format!("{list}?{filter}&limit=1000")).await;
            let mut found =
                items(&found).iter().map(|item| item["stream"].as_str().or(item["subject"].as_str()).unwrap_or(""));
            let expected = if list == "events" { &subject } else { stream };
            assert!(found.any(|found| found == expected), "{list}: {name:?}");
        }
    }
    app.stop().await;
}
