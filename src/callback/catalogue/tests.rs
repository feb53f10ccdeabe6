use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Callback, Event, Redactor};
use super::*;

/// A fixture, and what its event must say: domain, app name, stream, sequence, and the event time in Unix ms.
type Expected = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>, Option<i64>);

const DOMAIN: &str = "push.example.com";
const SEQUENCE: Option<&str> = Some("2210464508206756938");

#[rustfmt::skip]
const EXPECTED: [Expected; 24] = [
    ("000-stop-2016", DOMAIN, "live", "oldies", Some("615473249825071104"), Some(1_471_853_787_000)),
    ("000-stop-mixed-types", DOMAIN, "live", "mixed", Some("6674468118806626493"), Some(1_703_735_206_000)),
    ("000-stop", DOMAIN, "live", "demo", SEQUENCE, Some(1_703_731_606_000)),
    ("001-push-2016", DOMAIN, "live", "oldies", Some("615473249825071104"), Some(1_471_850_187_000)),
    ("001-push", DOMAIN, "live", "demo", SEQUENCE, Some(1_703_731_478_000)),
    ("100-recording", DOMAIN, "live", "demo", None, Some(1_703_731_606_000)),
    ("200-screenshot", DOMAIN, "live", "demo", None, Some(1_703_731_488_000)),
    ("314-relay", "", "", "relayed", None, Some(1_703_732_400_000)),
    ("315-audio-moderation", DOMAIN, "live", "talk", None, None),
    ("317-image-moderation", DOMAIN, "live", "talk", None, Some(1_703_732_721_000)),
    ("321-push-anomaly", DOMAIN, "live", "demo", SEQUENCE, Some(1_703_731_560_123)),
    ("328-monitoring", "", "", "watched", None, Some(1_703_733_000_250)),
    ("329-streamlive-push", "", "", "", None, None),
    ("330-streamlive-stop", "", "", "", None, None),
    ("332-recording-status", DOMAIN, "live", "demo", None, Some(1_703_731_607_000)),
    ("338-subtitles", "", "", "talk", None, None),
    ("341-recording-anomaly", DOMAIN, "live", "watched", None, Some(1_703_733_540_000)),
    ("343-quality-inspection", DOMAIN, "live", "watched", None, Some(1_703_733_600_000)),
    ("344-evaluation-threshold", DOMAIN, "live", "watched", None, Some(1_703_733_660_000)),
    ("345-evaluation-average", DOMAIN, "live", "watched", None, Some(1_703_733_720_000)),
    ("347-smart-erasing", "", "", "talk", None, None),
    ("348-live-summary", DOMAIN, "live", "talk", None, None),
    ("349-highlights", DOMAIN, "live", "talk", None, None),
    ("777-unknown", DOMAIN, "live", "new", None, Some(1_703_734_000_750)),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(directory().join(name).with_extension("json")).unwrap()
}

fn event(body: &str) -> Event {
    Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, 0, &Redactor::default())
}

#[test]
fn table_is_in_order_and_names_are_unique() {
    assert!(KNOWN.is_sorted_by(|one, next| one.number < next.number));
    for distinct in [
        KNOWN.iter().map(|known| known.name).collect::<HashSet<_>>().len(),
        KNOWN.iter().map(|known| known.meaning).collect::<HashSet<_>>().len(),
        KNOWN.iter().map(|known| known.event_type).collect::<HashSet<_>>().len(),
    ] {
        assert_eq!(distinct, KNOWN.len());
    }
    for known in KnownType::all() {
        assert_eq!(KnownType::of(known.event_type), Some(known));
        assert_eq!(KnownType::of_number(known.number), Some(known));
        assert_eq!(KnownType::of_name(known.name), Some(known));
    }
    assert_eq!(KnownType::of(Unknown(777)), None);
    assert_eq!(KnownType::of(Unknown(1)), None);
}

#[test]
fn every_known_type_has_a_fixture() {
    for KnownType { number, name, .. } in KnownType::all() {
        let body = fixture(&format!("{number:03}-{name}"));
        assert_eq!(Callback::parse(body.as_bytes()).unwrap().event_type().number(), *number, "{name}");
    }
}

#[test]
fn every_fixture_is_normalised_as_expected() {
    let mut files: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
        .collect();
    let mut expected = EXPECTED.map(|(name, ..)| name);
    files.sort();
    expected.sort();
    assert_eq!(files, expected, "the fixtures and the table of this test differ");

    for (name, domain, app_name, stream, sequence, time_ms) in EXPECTED {
        let event = event(&fixture(name));
        let restored = Event::restore(event.id(), event.event_type(), event.received_ms(), event.line()).unwrap();
        for event in [event, restored] {
            let key = event.partition_key();
            assert_eq!((&*key.domain(), &*key.app_name(), &*key.stream()), (domain, app_name, stream), "{name}");
            assert_eq!(event.sequence().as_deref(), sequence, "{name}");
            let line: Value = serde_json::from_str(event.line()).unwrap();
            let time = line.get("time").map(|time| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
            assert_eq!(time.map(jiff::Timestamp::as_millisecond), time_ms, "{name}");
        }
    }
}

#[test]
fn fixtures_have_the_catalogue_members() {
    for KnownType { number, name, names, time, .. } in KnownType::all() {
        let members: Value = serde_json::from_str(&fixture(&format!("{number:03}-{name}"))).unwrap();
        let named = [names.domain, names.app_name, Some(names.stream), names.sequence, time.map(|time| time.name)];
        for member in named.into_iter().flatten() {
            assert!(members.get(member).is_some(), "{name} has no {member}");
        }
        assert_eq!(names.sequence.is_some(), members.get("sequence").is_some(), "{name}");
        assert!(members.get("t").is_none() && members.get("sign").is_none(), "{name}: fixtures are unsigned");
    }
}

#[test]
fn fixtures_of_one_push_agree() {
    let member = |name: &str, member: &str| serde_json::from_str::<Value>(&fixture(name)).unwrap()[member].clone();
    assert_eq!(event(&fixture("001-push")).sequence(), event(&fixture("000-stop")).sequence());
    let lasted_secs =
        member("000-stop", "event_time").as_i64().unwrap() - member("001-push", "event_time").as_i64().unwrap();
    let push_duration_ms: i64 = member("000-stop", "push_duration").as_str().unwrap().parse().unwrap();
    assert_eq!(push_duration_ms / 1000, lasted_secs);
    let key = event(&fixture("001-push"));
    for name in ["000-stop", "321-push-anomaly", "100-recording", "200-screenshot", "332-recording-status"] {
        assert_eq!(event(&fixture(name)).partition_key(), key.partition_key(), "{name}");
    }
}

#[test]
fn documented_table_matches_catalogue() {
    let document = include_str!("../../../docs/events.md");
    let (_, section) = document.split_once("\n## Types\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    for (position, known) in KNOWN.iter().enumerate() {
        let KnownType { number, name, meaning, .. } = known;
        let time = match known.time {
            Some(TimeMember { name, unit: TimeUnit::Seconds }) => format!("`{name}`, s"),
            Some(TimeMember { name, unit: TimeUnit::Milliseconds }) => format!("`{name}`, ms"),
            None => "none".to_owned(),
        };
        let signed = match known.signed {
            Signed::Yes => "yes",
            Signed::No => "no",
            Signed::Unclear => "unclear",
        };
        let row = format!("| {number} | `{name}` | {meaning} | {time} | {signed} |");
        assert_eq!(rows.get(position), Some(&row.as_str()), "row {} should be:\n{row}\n", position + 1);
    }
    assert_eq!(rows.len(), KNOWN.len(), "the table has rows for types that the catalogue does not know");
}
