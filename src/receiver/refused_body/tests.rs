use serde_json::{Value, json};

use super::*;
use crate::callback::VerifierOptions;

fn verifier() -> Verifier {
    let redact_parameters = vec!["token".to_owned()];
    Verifier::new(VerifierOptions { allow_unsigned: true, redact_parameters, ..VerifierOptions::default() }).unwrap()
}

fn refused(body: &str) -> RefusedBody {
    match Callback::parse(body.as_bytes()) {
        Ok(callback) => RefusedBody::parsed(&callback, &verifier(), body.len()),
        Err(malformed) => RefusedBody::malformed(&malformed, body.len()),
    }
}

/// The kept part of a body, as JSON.
fn kept(body: &str) -> Value {
    serde_json::to_value(refused(body)).unwrap()
}

#[test]
fn members_are_kept_without_secrets() {
    let kept = kept(
        r#"{"t": 1545030873, "event_type": 1, "sign": "ca3e25e5dc17a6f9909a9ae7281e300d", "stream_param": "txSecret=5ECR37&token=abc&x=1", "n": 1.50}"#,
    );
    assert_eq!(
        kept["members"],
        json!({"event_type": 1, "stream_param": "txSecret=REDACTED&token=REDACTED&x=1", "n": 1.50})
    );
    assert_eq!(kept["body_bytes"], 138);
    let text = kept.to_string();
    for secret in ["1545030873", "ca3e25e5", "5ECR37", "abc"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn misplaced_credentials_are_redacted() {
    let kept = kept(
        r#"{"event_type":1,"Sign":"5ECR37","T":5337,"b":{"sign":"5ECR37","\u0074":[5337,{"a":1}],"sig":"x"},"c":"t"}"#,
    );
    let expected = json!({"event_type": 1, "Sign": "REDACTED", "T": "REDACTED",
        "b": {"sign": "REDACTED", "t": "REDACTED", "sig": "x"}, "c": "t"});
    assert_eq!(kept["members"], expected);
}

#[test]
fn signatures_within_strings_are_redacted() {
    for member in [
        r#""nested":"{\"sign\":\"5ECR37\",\"t\":5337}""#,
        r#""nested":"{\"p\":\"{\\\"SIGN\\\": \\\"5ECR37\\\"}\"}""#,
        r#""q":"a=1&sign=5ECR37&t=5337""#,
        r#""q":"a%3D1%26sign%3D5ECR37""#,
        r#""q":"\u0073ign\u003d5ECR37""#,
        r#""sign ":"5ECR37""#,
        r#"" sign":"5ECR37""#,
        r#""signature":"5ECR37""#,
        r#""x":[{"Signature":["5ECR37"]}]"#,
    ] {
        let kept = kept(&format!(r#"{{"event_type":1,{member},"node":"kept"}}"#));
        let text = kept["members"].to_string();
        assert!(!text.contains("5ECR37") && text.contains("REDACTED"), "{member}: {text}");
        assert_eq!(kept["members"]["node"], "kept", "{member}");
    }
    assert_eq!(
        kept(r#"{"event_type":1," T ":5337,"start":5}"#)["members"],
        json!({"event_type": 1, " T ": "REDACTED", "start": 5})
    );
}

#[test]
fn long_members_are_left_out() {
    let of_length = |length: usize| format!(r#"{{"event_type":1,"a":"{}"}}"#, "x".repeat(length));
    let fits = kept(&of_length(MEMBERS_BYTES_MAX - 40));
    assert!(fits["members"].is_object());
    let long = of_length(MEMBERS_BYTES_MAX);
    let kept_of_long = kept(&long);
    assert_eq!(kept_of_long["members"], Value::Null);
    assert!(
        (MEMBERS_BYTES_MAX..MEMBERS_BYTES_MAX + 40)
            .contains(&(kept_of_long["members_bytes"].as_u64().unwrap() as usize))
    );
    assert_eq!(kept_of_long["body_bytes"], long.len());
    let grows = format!(r#"{{"event_type":1,"a":"{}"}}"#, "token=x&".repeat(450));
    assert_eq!(kept(&grows)["members"], Value::Null, "what stands for secrets counts");
}

#[test]
fn unreadable_json_is_left_out() {
    for member in ["1e999", r#"{"a":[-1e400]}"#] {
        let kept = kept(&format!(r#"{{"event_type":1,"x":{member}}}"#));
        assert_eq!(kept["members"], Value::Null, "{member}");
        assert!(kept["members_bytes"].as_u64().unwrap() > 20);
    }
    assert_eq!(kept(r#"{"event_type":1,"x":"\ud800"}"#)["members"]["x"], "\u{fffd}");
    let hostile = "{\"event_type\":1,\"\u{7f}\u{9b}31m\u{202e}</script>\\u001b\\n\":\"\u{2028}\\u0000</script>\"}";
    let text = serde_json::to_string(&refused(hostile)).unwrap();
    assert!(text.contains("script"), "{text}");
    assert!(!text.contains(|character: char| character.is_control() || character == '\u{2028}'), "{text:?}");
}

#[test]
fn malformed_body_keeps_length_and_place() {
    let body = "{\"event_type\": 1,\n \"secret\": oops}";
    let fault = json!({"line": 2, "column": 12});
    let expected =
        json!({"late_secs": null, "body_bytes": body.len(), "fault": fault, "members_bytes": null, "members": null});
    assert_eq!(kept(body), expected);
    assert_eq!(kept(r#"{"a":1,"a":2}"#)["fault"], Value::Null);
    let malformed = Callback::parse(b"{\"a\":\"\xff\"}").unwrap_err();
    let kept = serde_json::to_value(RefusedBody::malformed(&malformed, 9)).unwrap();
    assert_eq!((&kept["fault"], &kept["body_bytes"]), (&json!({"byte": 6}), &json!(9)));
}
