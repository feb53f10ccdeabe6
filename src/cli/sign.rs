//! `livehook sign`: gives a callback a fresh `t` and `sign`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::args::input;
use super::args::key::KeyArguments;
use super::render::output::Output;
use crate::callback::{Callback, CallbackKey};

/// How long CSS lets a signature count, in seconds.
pub(super) const TTL_SECS: u32 = 600;

/// Sign a callback anew: its `t` and `sign` are replaced, all else stays as it is
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("signature").args(["key", "key_file"]).required(true),
    after_help = "\
Examples:
  livehook sign --key test sample.json
  livehook sign --key-file callback.key < sample.json > fresh.json
  livehook sign --key test sample.json |
    curl --data-binary @- http://127.0.0.1:8080/callback"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// For how many seconds from now the signature counts
    #[arg(long, value_name = "SECONDS", default_value_t = TTL_SECS)]
    ttl_secs: u32,
    /// The callback, one JSON object; stdin where absent or `-`
    file: Option<PathBuf>,
}

/// Prints the callback.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let key = arguments.key.read()?;
    let input = input::read_callback(arguments.file.as_deref())?;
    let signed = sign(&input.bytes, &key, expiry_secs(arguments.ttl_secs)).with_context(|| input.name)?;
    output.bytes(signed.as_bytes())?;
    if !signed.ends_with('\n') {
        output.bytes(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The `t` of a signature that counts for so many seconds from now.
pub(super) fn expiry_secs(ttl_secs: u32) -> i64 {
    Timestamp::now().as_second() + i64::from(ttl_secs)
}

/// The callback with this `t` (Unix seconds) and its signature; every other byte as it was. A `t` that was a string stays
/// one, and members that were absent come last.
///
/// # Errors
/// What was given is not one JSON object, or would be malformed also with a good signature.
pub(super) fn sign(callback: &[u8], key: &CallbackKey, t: i64) -> anyhow::Result<String> {
    let text = std::str::from_utf8(callback)
        .map_err(|error| anyhow!("not UTF-8: byte {} is wrong, counted from 0", error.valid_up_to()))?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).context("not one JSON object")?;

    let t = t.to_string();
    let sign = format!("\"{}\"", hex::encode(key.sign(&t)));
    let t = if members.get("t").is_some_and(|value| value.get().starts_with('"')) { format!("\"{t}\"") } else { t };

    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut absent = String::new();
    for (name, value) in [("sign", sign), ("t", t)] {
        match members.get(name) {
            Some(old) => changes.push((span(text, old.get()), value)),
            None => {
                let comma = if members.is_empty() && absent.is_empty() { "" } else { "," };
                absent.push_str(&format!("{comma}\"{name}\":{value}"));
            }
        }
    }
    let last = members.values().map(|value| span(text, value.get()).end).max();
    let place = last.or_else(|| text.find('{').map(|brace| brace + 1)).unwrap_or(text.len());
    changes.push((place..place, absent));
    changes.sort_by_key(|(span, _)| (span.start, span.end));

    let mut signed = text.to_owned();
    for (span, replacement) in changes.into_iter().rev() {
        signed.replace_range(span, &replacement);
    }
    Callback::parse(signed.as_bytes())?;
    Ok(signed)
}

/// Where a part that was borrowed from a text stands in it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{KeyOptions, Options, Verifier};

    const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok",
 "event_time":1545115790,"event_type":1,"node":"100.121.160.92","sequence":"6674468118806626493",
 "stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"119.29.94.245",
 "sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;

    fn key() -> CallbackKey {
        CallbackKey::new("test").unwrap()
    }

    fn is_genuine(callback: &str, now_secs: i64) -> bool {
        let keys = vec![KeyOptions { key: key(), domains: Vec::new() }];
        let verifier = Verifier::new(Options { keys, ..Options::default() }).unwrap();
        verifier.verify(&Callback::parse(callback.as_bytes()).unwrap(), now_secs * 1000).is_ok()
    }

    #[test]
    fn the_published_sample_keeps_every_other_byte() {
        assert_eq!(sign(SAMPLE.as_bytes(), &key(), 1_545_030_873).unwrap(), SAMPLE);
        let signed = sign(SAMPLE.as_bytes(), &key(), 1_777_636_800).unwrap();
        let digest = hex::encode(key().sign("1777636800"));
        let expected = SAMPLE.replace("1545030873", "1777636800").replace("ca3e25e5dc17a6f9909a9ae7281e300d", &digest);
        assert_eq!(signed, expected);
        assert!(is_genuine(&signed, 1_777_636_800) && !is_genuine(&signed, 1_777_636_801));
    }

    #[test]
    fn members_are_found_in_any_place_and_added_where_absent() {
        let digest = hex::encode(key().sign("9"));
        for (callback, expected) in [
            (r#"{"t":"1","event_type":0}"#, r#"{"t":"9","event_type":0,"sign":"DIGEST"}"#),
            (r#"{"sign":null , "event_type":0 }"#, r#"{"sign":"DIGEST" , "event_type":0,"t":9 }"#),
            ("{\n  \"event_type\": 0\n}\n", "{\n  \"event_type\": 0,\"sign\":\"DIGEST\",\"t\":9\n}\n"),
            (r#"{"\u0074":{"t":1},"event_type":0,"x":"t"}"#, r#"{"\u0074":9,"event_type":0,"x":"t","sign":"DIGEST"}"#),
            (r#"{"event_type":0,"sign":"é","t":1}"#, r#"{"event_type":0,"sign":"DIGEST","t":9}"#),
        ] {
            let signed = sign(callback.as_bytes(), &key(), 9).unwrap();
            assert_eq!(signed, expected.replace("DIGEST", &digest), "{callback}");
            assert!(is_genuine(&signed, 9), "{signed}");
        }
    }

    #[test]
    fn what_no_signature_can_save_is_refused_with_its_place() {
        for (callback, message) in [
            (&b""[..], "line 1 column 0"),
            (b"[]", "line 1 column"),
            (b"{\"event_type\":0,}", "line 1 column 17"),
            (b"{}", "`event_type` is missing"),
            (b"{\"event_type\":0,\"t\":1,\"t\":2}", "`t` is there twice"),
            (b"{\"a\":\"\xff\"}", "byte 6"),
        ] {
            let error = format!("{:#}", sign(callback, &key(), 9).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
