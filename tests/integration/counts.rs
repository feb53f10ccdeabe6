//! Counts and refusals, as the admin endpoint shows them.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use livehook::callback::CallbackKey;
use serde_json::{Value, json};

use super::client::{Client, KEY, now_secs, sign, signed};
use super::process::{Livehook, PROGRAM};

async fn get(admin: SocketAddr, path: &str) -> Value {
    let answer = Client::connect(admin).await.unwrap().get(path, "").await.unwrap();
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// Sends bytes unchanged, and returns the status and the error word of the answer.
async fn send(livehook: &Livehook, request: impl AsRef<[u8]>) -> (u16, String) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    client.raw(request.as_ref()).await.unwrap();
    let answer = client.receive().await.unwrap();
    (answer.status, answer.error())
}

fn post(client: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /callback HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {client}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Waits until the stats count `count` events in total, and returns them.
async fn stats_with_events(livehook: &Livehook, count: i64) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let stats = get(livehook.admin, "/api/v1/stats").await;
        let events = stats["totals"]["events"].as_object().unwrap();
        if events.values().map(|count| count.as_i64().unwrap()).sum::<i64>() == count {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The sum over all hours for one name. It must equal the total.
fn sum(stats: &Value, list: &str, member: &str, name: &str) -> i64 {
    let hours = stats[list].as_array().unwrap().iter().filter(|hour| hour[member] == name);
    let sum = hours.map(|hour| hour["count"].as_i64().unwrap()).sum();
    assert_eq!(stats["totals"][list][name].as_i64().unwrap_or(0), sum, "{list} {name}: {stats}");
    sum
}

/// A push or a stop that happens now.
fn event(event_type: u8, sequence: u64, errcode: i64) -> String {
    let now = now_secs();
    let members = format!(
        r#""app":"push.example.com","appid":12345678,"appname":"live","stream_id":"s{sequence}","event_type":{event_type},
        "event_time":{now},"sequence":"{sequence}","errcode":{errcode}"#
    );
    sign(&members, now + 600)
}

/// While a key is changed, the metrics show which of the two is in use, under the fingerprints that `check-config` prints.
#[tokio::test]
async fn each_key_has_its_metrics() {
    const OTHER: &str = "another-key-for-the-tests";
    let mut livehook = Livehook::configured("", "");
    let path = livehook.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("keys = [", &format!("keys = [\"{OTHER}\", "))).unwrap();
    livehook.start();
    livehook.ready().await;

    let output = Command::new(PROGRAM).arg("check-config").arg("--config").arg(&path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let [used, unused] = [KEY, OTHER].map(|key| CallbackKey::new(key).unwrap().fingerprint());
    assert!(printed.contains(&format!("key {used}")) && printed.contains(&format!("key {unused}")), "{printed}");
    let value = async |name: &str, key: &str| -> f64 {
        let text = Client::connect(livehook.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
        let series = format!("livehook_{name}{{key=\"{key}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("{series} is not in {text}")).parse().unwrap()
    };
    let (verified, last_used) = ("callbacks_verified_total", "callback_key_last_used_timestamp_seconds");
    for key in [&used, &unused] {
        assert_eq!((value(verified, key).await, value(last_used, key).await), (0.0, 0.0));
    }
    let now = now_secs();
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    for (body, status) in [(signed(2, now), 200), (signed(2, now), 200), (signed(3, now - 1000), 401)] {
        assert_eq!(client.post(&body).await.unwrap().status, status);
    }
    assert_eq!((value(verified, &used).await, value(verified, &unused).await), (2.0, 0.0), "accepted callbacks alone");
    assert!(value(last_used, &used).await >= now as f64);
    assert_eq!(value(last_used, &unused).await, 0.0);
}

#[tokio::test]
async fn refusals_show_no_secret() {
    let mut livehook = Livehook::configured("", "");
    let config = std::fs::read_to_string(livehook.path("config.toml")).unwrap();
    let receiver = "[receiver]\nleeway_secs = 60\nbody_bytes_max = 20000\nbody_timeout_secs = 1\nallowed_appids = [12345678]\n\
        allowed_domains = [\"push.example.com\"]\nallowed_addresses = [\"192.0.2.0/24\"]\n\
        trusted_proxies = [\"127.0.0.1\"]\nredact_parameters = [\"private\"]\n";
    std::fs::write(livehook.path("config.toml"), config.replace("[receiver]\n", receiver)).unwrap();
    livehook.start();
    livehook.ready().await;

    let now = now_secs();
    let genuine = signed(2, now);
    let secrets =
        r#""event_type":1,"app":"push.example.com","appid":12345678,"stream_param":"txSecret=5ECR37&private=P7Q9","#;
    let forged = |rest: &str| format!(r#"{{{secrets}"t":{},"sign":"{}"{rest}}}"#, now + 543, "ab".repeat(16));
    let long = forged(&format!(r#","x":"{}""#, "y".repeat(5000)));
    let wrong = |part: &str, other: &str| signed(2, now).replace(part, other);
    let refused = [
        (post("192.0.2.1", "{\"event_type\":1,\n\"secret\": S3CR3T}"), 400, "malformed"),
        (post("192.0.2.1", &format!("{{{}}}", secrets.trim_end_matches(','))), 401, "signature_missing"),
        (post("192.0.2.2", &forged("")), 401, "signature_mismatch"),
        (post("192.0.2.2", &forged(r#","x":"\ud800","y":"\u001b\u202e\"</script>""#)), 401, "signature_mismatch"),
        (post("192.0.2.2", &long), 401, "signature_mismatch"),
        (post("192.0.2.3", &sign(secrets.trim_end_matches(','), now - 77)), 401, "signature_expired"),
        (post("192.0.2.1", &wrong("12345678", "87654321")), 403, "appid_not_allowed"),
        (post("192.0.2.1", &wrong("push.example.com", "evil.example.com")), 403, "domain_not_allowed"),
        (post("198.51.100.7", &genuine), 403, "address_not_allowed"),
        (post("192.0.2.1", &genuine).replace("/callback", "/%22x?sign=S1GN"), 404, "not_found"),
        (
            "GET /callback HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
        ),
        (
            "POST /callback HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 5\r\n\r\n{".to_owned(),
            408,
            "timeout",
        ),
        ("POST /callback HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n".to_owned(), 411, "length_required"),
        (post("192.0.2.1", &"x".repeat(20_001)), 413, "body_too_large"),
        (
            post("192.0.2.1", &genuine).replace("Host: h", "Host: h\r\nContent-Encoding: br"),
            415,
            "encoding_not_supported",
        ),
    ];
    for (request, status, error) in &refused {
        assert_eq!(send(&livehook, request).await, (*status, (*error).to_owned()), "{request}");
    }
    assert_eq!(send(&livehook, post("192.0.2.1", &genuine)).await.0, 200);

    let answer = Client::connect(livehook.admin).await.unwrap().get("/api/v1/refusals", "").await.unwrap();
    let all: Value = serde_json::from_str(&answer.body).unwrap();
    let since: jiff::Timestamp = all["since"].as_str().unwrap().parse().unwrap();
    assert!((now - 60..=now).contains(&since.as_second()), "{since}");
    assert_eq!(all["next"], Value::Null);
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), refused.len(), "and nothing that was accepted");
    for (item, (_, status, error)) in items.iter().rev().zip(&refused) {
        assert_eq!((&item["status"], &item["error"]), (&json!(status), &json!(error)));
    }
    let t = (now + 543).to_string();
    for secret in ["S3CR3T", "5ECR37", "P7Q9", "S1GN", "\"sign\":", "\"t\":", "abababab", &t] {
        assert!(!answer.body.contains(secret), "{secret} is in {}", answer.body);
    }

    let [malformed, missing, mismatch, hostile, large, expired, appid, domain, address, path] =
        std::array::from_fn(|at| items[items.len() - 1 - at].clone());
    assert_eq!((&malformed["fault"], &malformed["body_bytes"]), (&json!({"line": 2, "column": 11}), &json!(34)));
    assert_eq!((&malformed["members"], &malformed["event_type"]), (&Value::Null, &Value::Null));
    let message = missing["message"].as_str().unwrap();
    assert!(message.contains("CSS signs the type push") && !message.contains("unsigned_event_types"), "{message}");
    let members = json!({"event_type": 1, "app": "push.example.com", "appid": 12345678,
        "stream_param": "txSecret=REDACTED&private=REDACTED"});
    assert_eq!((&mismatch["members"], &mismatch["event_type"]), (&members, &json!("push")));
    assert_eq!(hostile["members"]["x"], "\u{fffd}", "half of a surrogate pair");
    assert_eq!(hostile["members"]["y"], "\u{1b}\u{202e}\"</script>");
    assert_eq!(large["members"], Value::Null);
    assert!(large["members_bytes"].as_i64().unwrap() > 5000);
    assert_eq!((&expired["members"], &expired["client"]), (&members, &json!("192.0.2.3")));
    assert!((77..140).contains(&expired["late_secs"].as_i64().unwrap()), "{expired}");
    assert_eq!((&address["client"], &address["body_bytes"]), (&json!("198.51.100.7"), &Value::Null));
    assert!(path["message"].as_str().unwrap().contains("`/%22x`"), "{path}");
    for (refusal, setting) in [
        (&expired, "`receiver.leeway_secs`"),
        (&appid, "`receiver.allowed_appids`"),
        (&domain, "`receiver.allowed_domains`"),
        (&address, "`receiver.allowed_addresses`"),
    ] {
        assert!(refusal["message"].as_str().unwrap().contains(setting), "{refusal}");
    }

    for (query, count) in [
        ("error=signature_mismatch", 3),
        ("error=signature_mismatch&error=timeout", 4),
        ("client=192.0.2.3", 1),
        ("client=192.0.2.2/31", 4),
        ("client=192.0.2.2/31&error=signature_expired&since=5m", 1),
        ("client=2001:db8::1", 0),
        ("since=2100-01-01", 0),
    ] {
        let found = get(livehook.admin, &format!("/api/v1/refusals?{query}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
    for (query, parameter) in [
        ("error=nothing", "error"),
        ("client=somebody", "client"),
        ("until=1h", "until"),
        ("page=00", "page"),
        ("since=x", "since"),
    ] {
        let problem = get(livehook.admin, &format!("/api/v1/refusals?{query}")).await;
        assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!(parameter)), "{query}");
    }
}

#[tokio::test]
async fn refusals_page_while_more_arrive() {
    let livehook = Livehook::running("", "").await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let mut sent = 0;
    let mut refuse = async |count: usize| {
        for _ in 0..count {
            sent += 1;
            let answer = client.post(&format!(r#"{{"event_type":777,"number":{sent}}}"#)).await.unwrap();
            assert_eq!(answer.error(), "signature_missing");
        }
    };
    refuse(20).await;
    let (mut found, mut page) = (Vec::new(), String::new());
    loop {
        let answer = get(livehook.admin, &format!("/api/v1/refusals?limit=7{page}")).await;
        let items = answer["items"].as_array().unwrap();
        found.extend(items.iter().map(|item| item["members"]["number"].as_i64().unwrap()));
        assert!(items.iter().all(|item| item["event_type"] == "event-777"));
        refuse(3).await;
        let Some(next) = answer["next"].as_str() else { break };
        page = format!("&page={next}");
    }
    assert_eq!(found, (1..=20).rev().collect::<Vec<_>>());

    // The ring has overwritten the refusal at which the page would begin, and all before it.
    let next = get(livehook.admin, "/api/v1/refusals?limit=1").await["next"].as_str().unwrap().to_owned();
    refuse(300).await;
    let rest = get(livehook.admin, &format!("/api/v1/refusals?page={next}")).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (0, &Value::Null));
    let all = get(livehook.admin, "/api/v1/refusals?limit=1000").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 256);
}

#[tokio::test]
async fn stats_add_up_across_a_restart() {
    let mut livehook = Livehook::running("", "").await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let pushes: Vec<String> = (0..10).map(|sequence| event(1, sequence, 0)).collect();
    let stops: Vec<String> = (0..6).map(|sequence| event(0, sequence, if sequence < 4 { 1 } else { 12 })).collect();
    for body in pushes.iter().chain(&stops).chain(&pushes[..5]) {
        assert_eq!(client.post(body).await.unwrap().status, 200);
    }
    for _ in 0..3 {
        assert_eq!(client.post("no JSON").await.unwrap().status, 400);
    }

    let stats = stats_with_events(&livehook, 16).await;
    let check_index = |stats: &Value| {
        assert_eq!(sum(stats, "events", "type", "push"), 10);
        assert_eq!(sum(stats, "events", "type", "stop"), 6);
        assert_eq!(sum(stats, "ended", "reason_category", "client"), 4);
        assert_eq!(sum(stats, "ended", "reason_category", "network"), 2);
    };
    check_index(&stats);
    assert_eq!(sum(&stats, "callbacks", "outcome", "stored"), 16);
    assert_eq!(sum(&stats, "callbacks", "outcome", "duplicate"), 5);
    assert_eq!(sum(&stats, "callbacks", "outcome", "malformed"), 3);
    for list in ["events", "ended", "callbacks"] {
        for hour in stats[list].as_array().unwrap() {
            let hour: jiff::Timestamp = hour["hour"].as_str().unwrap().parse().unwrap();
            assert_eq!(hour.as_second() % 3600, 0, "{stats}");
        }
    }
    assert!(stats["callbacks_since"].as_str().unwrap() > stats["since"].as_str().unwrap());

    livehook.stop().await;
    livehook.start();
    livehook.ready().await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&stops[0]).await.unwrap().status, 200);
    let stats = stats_with_events(&livehook, 16).await;
    check_index(&stats);
    assert_eq!(stats["totals"]["callbacks"], json!({"duplicate": 1}), "these are of this life");
    assert_eq!(get(livehook.admin, "/api/v1/refusals").await["items"], json!([]));

    let none = get(livehook.admin, "/api/v1/stats?since=2020-01-01&until=2020-01-02").await;
    let totals = json!({"events": {}, "ended": {}, "callbacks": {}});
    assert_eq!((&none["events"], &none["totals"]), (&json!([]), &totals));
    let problem = get(livehook.admin, "/api/v1/stats?since=2020-01-01").await;
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("since")));
    livehook.stop().await;

    livehook.configure_again("", "[index]\nenabled = false\n");
    livehook.start();
    livehook.ready().await;
    let stats = get(livehook.admin, "/api/v1/stats").await;
    assert_eq!((&stats["events"], &stats["ended"], &stats["callbacks"]), (&Value::Null, &Value::Null, &json!([])));
}
