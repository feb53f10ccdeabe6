//! `livehook sign`: replaces `t` and `sign` of a callback.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use serde_json::value::RawValue;

use super::args::{CallbackFile, KeyArguments};
use super::render::Output;
use crate::byte_order_mark::without_mark;
use crate::callback::{Callback, CallbackKey};
use crate::clock::system_clock;

/// How long a signature of CSS is valid, in seconds.
pub(super) const TTL_SECS: u32 = 600;

/// Sign a callback: replace its `t` and `sign`, and print it
///
/// All other bytes stay the same. `t` is the time at which the signature expires.
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
    /// How long the signature is valid, in seconds from now
    #[arg(long, value_name = "SECONDS", default_value_t = TTL_SECS)]
    ttl_secs: u32,
    /// The callback, one JSON object [default: stdin, also with `-`]
    file: Option<PathBuf>,
}

/// Prints the signed callback.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let key = arguments.key.read()?;
    let callback = CallbackFile::read(arguments.file.as_deref())?;
    let signed = sign(&callback.bytes, &key, expiry_secs(arguments.ttl_secs)).with_context(|| callback.name)?;
    output.bytes(signed.as_bytes())?;
    if !signed.ends_with('\n') {
        output.bytes(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the current time in Unix seconds.
pub(super) fn now_secs() -> i64 {
    system_clock().div_euclid(1000)
}

/// Returns the `t` (Unix seconds) of a signature that expires after `ttl_secs`.
pub(super) fn expiry_secs(ttl_secs: u32) -> i64 {
    now_secs() + i64::from(ttl_secs)
}

/// Returns the callback with this `t` (Unix seconds) and its signature. Every other byte stays the same, and `t` stays a
/// string if it was one. Missing members are added at the end.
///
/// # Errors
/// The text is not one JSON object, or the receiver would refuse it as malformed.
pub(super) fn sign(callback: &[u8], key: &CallbackKey, t: i64) -> anyhow::Result<String> {
    let text = std::str::from_utf8(callback)
        .map_err(|error| anyhow!("not UTF-8 at byte {} (counted from 0)", error.valid_up_to()))?;
    let text = without_mark(text);
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
    // From the back, so that the spans before stay valid.
    for (span, replacement) in changes.into_iter().rev() {
        signed.replace_range(span, &replacement);
    }
    Callback::parse(signed.as_bytes())?;
    Ok(signed)
}

/// The range in `text` that `part` was borrowed from.
fn span(text: &str, part: &str) -> Range<usize> {
    // serde_json borrows a `RawValue` from the text, so its address shows its place.
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{KeyOptions, Verifier, VerifierOptions};

    const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok",
 "event_time":1545115790,"event_type":1,"node":"100.121.160.92","sequence":"6674468118806626493",
 "stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"119.29.94.245",
 "sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;

    fn key() -> CallbackKey {
        CallbackKey::new("test").unwrap()
    }

    fn is_genuine(callback: &str, now_secs: i64) -> bool {
        let keys = vec![KeyOptions { key: key(), domains: None }];
        let verifier = Verifier::new(VerifierOptions { keys, ..VerifierOptions::default() }).unwrap();
        verifier.verify(&Callback::parse(callback.as_bytes()).unwrap(), now_secs * 1000).is_ok()
    }

    #[test]
    fn every_other_byte_kept() {
        assert_eq!(sign(SAMPLE.as_bytes(), &key(), 1_545_030_873).unwrap(), SAMPLE);
        let signed = sign(SAMPLE.as_bytes(), &key(), 1_777_636_800).unwrap();
        let digest = hex::encode(key().sign("1777636800"));
        let expected = SAMPLE.replace("1545030873", "1777636800").replace("ca3e25e5dc17a6f9909a9ae7281e300d", &digest);
        assert_eq!(signed, expected);
        assert!(is_genuine(&signed, 1_777_636_800) && !is_genuine(&signed, 1_777_636_801));
    }

    #[test]
    fn members_replaced_or_added() {
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
    fn malformed_callback_refused() {
        for (callback, message) in [
            (&b""[..], "line 1 column 0"),
            (b"[]", "line 1 column"),
            (b"{\"event_type\":0,}", "line 1 column 17"),
            (b"{}", "`event_type` is missing"),
            (b"{\"event_type\":0,\"t\":1,\"t\":2}", "`t` appears twice"),
            (b"{\"a\":\"\xff\"}", "byte 6"),
        ] {
            let error = format!("{:#}", sign(callback, &key(), 9).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
