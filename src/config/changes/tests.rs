use super::*;
use crate::config::field_names::field_names;
use crate::config::settings::Settings;
use crate::config::testing::{World, sink};
use crate::telemetry::LogOptions;
use crate::{admin, index, journal, receiver};

fn load(text: &str) -> Config {
    World::default().load(text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The changes between two files, each as text.
fn changed(running: &str, other: &str) -> Vec<String> {
    changes(&load(running), &load(other)).iter().map(Change::to_string).collect()
}

const KEYS: &str = "receiver.keys = [\"sixteen-letters!\"]\n";

#[test]
fn every_setting_is_compared() {
    let apart = [
        "receiver.tls",
        "admin.tls",
        "receiver.keys",
        "receiver.keys_file",
        "admin.token",
        "admin.token_file",
        "log",
        "sinks",
    ];
    let tables = ["receiver", "admin", "journal", "index", "log"];
    let mut known: Vec<String> = Vec::new();
    for (table, fields) in [
        ("", field_names::<Settings>()),
        ("receiver.", field_names::<receiver::Options>()),
        ("admin.", field_names::<admin::Options>()),
        ("journal.", field_names::<journal::Options>()),
        ("index.", field_names::<index::Options>()),
        ("log.", field_names::<LogOptions>()),
    ] {
        known.extend(fields.iter().map(|field| format!("{table}{field}")));
    }
    known.retain(|key| !apart.contains(&key.as_str()) && !tables.contains(&key.as_str()));
    let mut compared: Vec<String> = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
    known.sort();
    compared.sort();
    assert_eq!(compared, known);
}

/// The comment above each key of the example file says that it needs a restart, or doesn't.
#[test]
fn example_names_what_needs_a_restart() {
    let mut table = String::new();
    let mut needing = Vec::new();
    for line in include_str!("../../../config.example.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = format!("{name}.");
        }
        if line.starts_with("# [[sinks]]") {
            break;
        }
        let key = line.strip_prefix("# ").unwrap_or(line).split_once(" = ").map(|(key, _)| key);
        if let Some(key) = key.filter(|_| line.ends_with("needs a restart")) {
            needing.push(format!("{table}{key}"));
        }
    }
    let fixed = SETTINGS.iter().filter(|setting| setting.needs_restart).map(|setting| setting.key);
    assert_eq!(needing, fixed.collect::<Vec<_>>());
}

#[test]
fn changed_settings_are_shown() {
    let before = format!("{KEYS}receiver.listen = \"127.0.0.1:1\"\n");
    assert_eq!(changed(&before, &before), [""; 0]);
    let after = "data_dir = \"b\"\nshutdown_grace_secs = 9\nreceiver.keys = [\"sixteen-letters!\"]\n\
        receiver.listen = \"127.0.0.1:2\"\nreceiver.leeway_secs = 600\nreceiver.allowed_domains = [\"a.com\", \"*.b.com\"]\n\
        log.level = \"debug\"";
    assert_eq!(
        changed(&before, after),
        [
            "data_dir: livehook-data -> b (needs a restart)",
            "shutdown_grace_secs: 8 -> 9",
            "receiver.listen: 127.0.0.1:1 -> 127.0.0.1:2 (needs a restart)",
            "receiver.leeway_secs: 0 -> 600",
            "receiver.allowed_domains: [] -> [a.com, *.b.com]",
            "log.level: info -> debug",
        ]
    );
}

#[test]
fn fixed_settings_keep_their_values() {
    let running = load(KEYS);
    let mut other = load(
        "name = \"b\"\ndata_dir = \"b\"\nreceiver = { keys = [\"sixteen-letters!\"], listen = \"127.0.0.1:2\", leeway_secs = 1 }\n\
         admin = { listen = \"127.0.0.1:3\" }\nindex = { enabled = false, retention_days = 1 }",
    );
    let files = || Some(ServerFiles { cert_file: "a".into(), key_file: "b".into() });
    (other.receiver.tls, other.admin.tls) = (files(), files());
    let count = SETTINGS.iter().filter(|setting| setting.needs_restart).count();
    assert_eq!(changes(&running, &other).iter().filter(|change| change.needs_restart).count(), count + 2);
    keep_fixed(&mut other, &running);
    let left: Vec<String> = changes(&running, &other).iter().map(Change::to_string).collect();
    assert_eq!(left, ["receiver.leeway_secs: 0 -> 1", "index.retention_days: 365 -> 1"]);
    let moved = ServerFiles { cert_file: "c".into(), key_file: "b".into() };
    let moved = tls_change("receiver.tls", files().as_ref(), Some(&moved)).unwrap();
    assert_eq!(moved.to_string(), "receiver.tls: a, b -> c, b");
}

/// CSS and load balancers know the old paths.
#[test]
fn changed_paths_are_risks() {
    let risks = |running: &str, other: &str| -> Vec<String> {
        let of = |paths: &str| load(&format!("receiver = {{ keys = [\"sixteen-letters!\"]{paths} }}"));
        changes(&of(running), &of(other)).iter().filter_map(Change::risk).collect()
    };
    let (health, other) = (", health_path = \"/health\"", ", path = \"/other\", leeway_secs = 1");
    assert_eq!(
        risks("", other),
        [
            "receiver.path: after this change livehook takes no callbacks at /callback; change the URL in the CSS console to /other, \
          and the paths that your proxies pass on"
        ]
    );
    assert_eq!(risks("", health), [""; 0]);
    let removed = "receiver.health_path: after this change livehook does not say at /health whether it is ready; let your load balancers ask ";
    assert_eq!(risks(health, ""), [format!("{removed}another path")]);
    assert_eq!(risks(health, ", health_path = \"/up\""), [format!("{removed}/up")]);
    // Neither path is answered with 404 afterwards.
    let swapped = risks(health, ", path = \"/health\", health_path = \"/callback\"");
    assert!(swapped.len() == 2 && !swapped.concat().contains("404"), "{swapped:?}");
}

#[test]
fn changed_secrets_are_not_shown() {
    let before = format!("{KEYS}{}", sink("http", "url = \"https://a.com/s3cret\"\nsecrets = []"));
    let after = format!(
        "receiver.keys = [{{ key = \"sixteen-letters?\", domains = [\"a.com\"] }}]\nadmin.token = \"a-token-that-is-long\"\n{}",
        sink("http", "url = \"https://a.com/0ther\"\nsecrets = []")
    );
    let found = changed(&before, &after);
    assert_eq!(
        found,
        [
            "receiver.keys: removed 7cfd4dc1 for every domain",
            "receiver.keys: added 3a774d8e for a.com",
            "admin.token: added the token",
            "sinks.a: changed",
        ]
    );
    let third = after.replace("a-token-that-is-long", "another-long-token-here");
    assert_eq!(changed(&after, &third), ["admin.token: changed"]);
    assert_eq!(changed(&third, &before)[2], "admin.token: removed the token");
}

#[test]
fn changed_sinks_are_shown() {
    let before = format!("{KEYS}{}", sink("file", "path = \"a.jsonl\""));
    let after = format!(
        "{KEYS}{}[[sinks]]\nname = \"b\"\ntype = \"log\"\n",
        sink("file", "path = \"b.jsonl\"\nfilter.types = [\"push\"]\nretry.attempts_max = 3\nstart = \"earliest\"")
    );
    assert_eq!(
        changed(&before, &after),
        [
            "sinks.a: file to a.jsonl -> file to b.jsonl",
            "sinks.a.filter: every event -> types push",
            "sinks.a.retry: from 500 to 60000 ms -> from 500 to 60000 ms, at most 3 attempts",
            "sinks.b: added log, every event",
        ]
    );
    assert_eq!(changed(&after, &before)[3], "sinks.b: removed log, every event");
    let later = before.replace("path", "start = \"earliest\"\npath");
    assert_eq!(changed(&before, &later), [""; 0], "only a new sink obeys `start`");
}
