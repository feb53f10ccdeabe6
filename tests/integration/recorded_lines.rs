//! The lines, ids and session facts of callbacks, recorded once. They are stored for years, so they must stay byte for byte.
//!
//! `tests/data/lines` holds one recording for each file in `tests/fixtures` and `tests/data/bodies`. A recording is never
//! changed; a new body gets a new one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use livehook::callback::{Callback, CallbackKey, Event, KeyOptions, Verifier, VerifierOptions, recording_started_ms};
use livehook::session::{Fact, Kind, Push};
use serde_json::{Value, json};

/// The key that signs each body.
const KEY: &str = "recorded-lines-key";

/// When CSS sent each callback: `t` is 600 s later.
const SENT_SECS: i64 = 1_703_731_700;

/// When livehook received each callback.
const RECEIVED_MS: i64 = SENT_SECS * 1000 + 123;

/// The JSON files of a folder below `tests`, by name.
fn bodies(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn recording_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lines").join(name).with_extension("txt")
}

/// A body with `t` and `sign` as its last members.
fn signed(body: &str) -> String {
    let t = (SENT_SECS + 600).to_string();
    let sign = hex::encode(CallbackKey::new(KEY).unwrap().sign(&t));
    let (members, _) = body.rsplit_once('}').unwrap();
    format!(r#"{members},"t":{t},"sign":"{sign}"}}"#)
}

fn verifier(allow_unsigned: bool) -> Verifier {
    let key = KeyOptions { key: CallbackKey::new(KEY).unwrap(), domains: None };
    let keys = if allow_unsigned { Vec::new() } else { vec![key] };
    let redact_parameters = vec!["token".to_owned()];
    Verifier::new(VerifierOptions { keys, allow_unsigned, redact_parameters, ..VerifierOptions::default() }).unwrap()
}

fn facts(event: &Event) -> Value {
    let key = event.partition_key();
    let mut facts = json!({
        "id": event.id(),
        "event_type": event.event_type().number(),
        "partition_key": key.as_str(),
        "names": [key.domain(), key.app_name(), key.stream()],
        "sequence": event.sequence(),
        "session": Fact::session_of(event),
        "recording_started_ms": recording_started_ms(event),
    });
    if let Some(fact) = Fact::of(event) {
        facts["stream"] = fact.stream.as_str().into();
        facts["seen_ms"] = fact.seen_ms.into();
        facts["kind"] = match fact.kind {
            Kind::Push(push) => json!({"push": push_facts(&push)}),
            Kind::Stop(stop) => {
                json!({"stop": {"push": push_facts(&stop.push), "push_duration_ms": stop.push_duration_ms,
                "errcode": stop.errcode, "errmsg": stop.errmsg}})
            }
            Kind::Anomaly => "anomaly".into(),
            Kind::ManualEnd(end) => json!({"manual_end": end.why}),
        };
    }
    facts
}

fn push_facts(push: &Push) -> Value {
    json!({"appid": push.appid, "node": push.node, "user_address": push.user_address, "width": push.width, "height": push.height})
}

#[test]
fn lines_are_as_recorded() {
    let mut bodies = bodies("fixtures");
    bodies.append(&mut self::bodies("data/bodies"));
    assert!(bodies.len() > 40);
    for (name, body) in bodies {
        let signed = signed(&body);
        let event = verifier(false).verify(&Callback::parse(signed.as_bytes()).unwrap(), RECEIVED_MS).unwrap();
        let unsigned = verifier(true).verify(&Callback::parse(body.as_bytes()).unwrap(), RECEIVED_MS).unwrap();
        let found = format!("{}\n{}\n{}\n", event.line(), facts(&event), unsigned.line());
        let recorded = std::fs::read_to_string(recording_path(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, recorded, "{name}");
    }
}
