use std::hint::black_box;
use std::time::Duration;

use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use serde_json::value::RawValue;

use super::Redactor;

const REDACTED: &str = "REDACTED";

#[track_caller]
fn check(value: &str, expected: &str) {
    let redacted = Redactor::default().redact(value).into_owned();
    assert_eq!(redacted, expected);
    serde_json::from_str::<&RawValue>(&redacted).unwrap();
}

#[test]
fn plain_parameters() {
    check(r#""txSecret=abc&txTime=5f""#, r#""txSecret=REDACTED&txTime=5f""#);
    check(r#""a=1&TXSECRET=abc""#, r#""a=1&TXSECRET=REDACTED""#);
    check(
        r#""rtmp://d/live/s?txSecret=abc#x txSecret=d""#,
        r#""rtmp://d/live/s?txSecret=REDACTED#x txSecret=REDACTED""#,
    );
    check(r#""txSecret=&a=1""#, r#""txSecret=&a=1""#);
    check(r#""txSecret""#, r#""txSecret""#);
    check(r#""txSecretary=abc""#, r#""txSecretary=abc""#);
}

#[test]
fn escaped_parameters() {
    check(r#""txSecret=abc\u0026txTime=5f\/""#, r#""txSecret=REDACTED\u0026txTime=5f\/""#);
    check(r#""tx\u0053ecret\u003da\u0062c\u0026""#, r#""tx\u0053ecret\u003dREDACTED\u0026""#);
    check(r#""u=rtmp%3A%2F%2Fd%3FtxSecret%3Dabc%26t%3D1""#, r#""u=rtmp%3A%2F%2Fd%3FtxSecret%3DREDACTED%26t%3D1""#);
    check(r#""x%253FtxSecret%253Dabc%2526t""#, r#""x%253FtxSecret%253DREDACTED%2526t""#);
    check(r#""\ud800 txSecret=a\udc00""#, r#""\ud800 txSecret=REDACTED""#);
    check(r#""100% txSecret=a%zz&b""#, r#""100% txSecret=REDACTED&b""#);
}

#[test]
fn strings_that_hold_json() {
    check(r#""{\"txSecret\":\"abc\",\"a\":1}""#, r#""{\"txSecret\":\"REDACTED\",\"a\":1}""#);
    check(r#""{\"p\":\"{\\\"txSecret\\\": \\\"abc\\\"}\"}""#, r#""{\"p\":\"{\\\"txSecret\\\": \\\"REDACTED\\\"}\"}""#);
    check(r#""{\"txSecret\":12,\"a\":1}""#, r#""{\"txSecret\":REDACTED,\"a\":1}""#);
    check(r#""{\"p\":\"a=1&txSecret=abc\"}""#, r#""{\"p\":\"a=1&txSecret=REDACTED\"}""#);
}

#[test]
fn members_of_nested_values() {
    check(r#"{"a":{"txSecret":"a\"bc","b":1}}"#, r#"{"a":{"txSecret":"REDACTED","b":1}}"#);
    check(
        r#"[{"txSecret":12},{"txSecret":["abc",{}]},"txSecret=x"]"#,
        r#"[{"txSecret":"REDACTED"},{"txSecret":"REDACTED"},"txSecret=REDACTED"]"#,
    );
}

#[test]
fn more_names_can_be_given() {
    let redactor = Redactor::new(["token", ""]);
    assert_eq!(redactor.redact(r#""txSecret=a&Token=b,c&d=e""#), r#""txSecret=REDACTED&Token=REDACTED&d=e""#);
    let redactor = Redactor::new(["token", "tokens"]);
    assert_eq!(redactor.redact(r#""token=a&tokens=b""#), r#""token=REDACTED&tokens=REDACTED""#);
    assert_eq!(redactor.member("TOKEN", "[1]"), ("TOKEN".into(), r#""REDACTED""#.into()));
}

#[test]
fn backslash_before_a_name_hides_nothing() {
    check(r#""x\\txSecret=abc&a""#, r#""x\\txSecret=REDACTED&a""#);
    check(r#""x%5CtxSecret%3Dabc""#, r#""x%5CtxSecret%3DREDACTED""#);
    check(r#""{\"p\":\"x\\\\txSecret=abc\"}""#, r#""{\"p\":\"x\\\\txSecret=REDACTED\"}""#);
    check(r#""a\txSecret=abc""#, r#""a\txSecret=abc""#);
    let redactor = Redactor::new(["access_token"]);
    assert_eq!(redactor.redact(r#""%access_token=abc""#), r#""%access_token=REDACTED""#);
}

#[test]
fn quoted_parameters() {
    check(r#""txSecret='abc' x""#, r#""txSecret='REDACTED' x""#);
    check(r#""txSecret=\"abc\" x""#, r#""txSecret=\"REDACTED\" x""#);
    check(r#""txSecret=<abc> x""#, r#""txSecret=<REDACTED> x""#);
    check(r#""txSecret=%22ab%20c%22%26d""#, r#""txSecret=REDACTED""#);
    check(r#""txSecret%3D%22ab%20c%22%26d""#, r#""txSecret%3D%22REDACTED%22%26d""#);
    check(r#""'txSecret'=>'abc'""#, r#""'txSecret'=>'REDACTED'""#);
    check(r#""{\"txSecret\":[\"abc\"]}""#, r#""{\"txSecret\":REDACTED""#);
    // These quotes end the text around an empty value.
    for text in [r#""{\"p\":\"txSecret=\",\"q\":1}""#, r#""<a href='txSecret=' b='c'>""#, r#""<b>txSecret=</b>""#] {
        check(text, text);
    }
}

#[test]
fn values_end_at_their_separators_depth() {
    let redactor = Redactor::new(["token"]);
    for (text, expected) in [
        (r#""token=abc%20def%26g&h""#, r#""token=REDACTED&h""#),
        (r#""token%3Dabc%2520def%26g""#, r#""token%3DREDACTED%26g""#),
        (r#""{\"token\":\"ab\\\"c\\\\d\",\"e\":1}""#, r#""{\"token\":\"REDACTED\",\"e\":1}""#),
        (r#""%7B%22token%22%3A%22ab%5C%22c%22%7D""#, r#""%7B%22token%22%3A%22REDACTED%22%7D""#),
    ] {
        assert_eq!(redactor.redact(text), expected);
    }
}

#[test]
fn vendor_members_are_not_hidden_by_name() {
    let redactor = Redactor::new(["code", "id", "name", "time", "sequence", "token"]);
    for (name, value) in
        [("errcode", "2"), ("stream_id", r#""a""#), ("appname", r#""a""#), ("event_time", "1"), ("sequence", r#""1""#)]
    {
        assert_eq!(redactor.member(name, value), (name.into(), value.into()));
    }
    assert_eq!(redactor.member("stream_param", r#""a=1&code=2""#).1, r#""a=1&code=REDACTED""#);
    for name in ["token", "my_token"] {
        assert_eq!(redactor.member(name, "1").1, r#""REDACTED""#);
    }
}

/// Names that differ in their secrets alone stay two names.
#[test]
fn redacted_names_stay_different() {
    check(
        r#"{"txSecret=a":1,"txSecret=b":2,"p":"txSecret=c","txSecret=d":3}"#,
        r#"{"txSecret=REDACTED":1,"txSecret=REDACTED-2":2,"p":"txSecret=REDACTED","txSecret=REDACTED-3":3}"#,
    );
    check(r#"{"txSecret=REDACTED":1,"txSecret=REDACTED-2":2}"#, r#"{"txSecret=REDACTED":1,"txSecret=REDACTED-2":2}"#);
}

#[test]
fn names_of_members() {
    let redactor = Redactor::default();
    for (name, value, expected) in [
        ("txSecret:abc", "1", ("txSecret:REDACTED", "1")),
        ("txSecret=abc&\n", r#""txSecret=d""#, ("txSecret=REDACTED&\n", r#""txSecret=REDACTED""#)),
        ("mytx%53ecret", "[1]", ("mytx%53ecret", r#""REDACTED""#)),
        ("txSecret=", "1", ("txSecret=", r#""REDACTED""#)),
        ("txSecretary", "1", ("txSecretary", "1")),
        ("\\%", "1", ("\\%", "1")),
    ] {
        let (redacted_name, redacted_value) = redactor.member(name, value);
        assert_eq!((redacted_name.as_ref(), redacted_value.as_ref()), expected);
    }
    check(r#"{"a=txSecret:abc":1,"txSecret=":2}"#, r#"{"a=txSecret:REDACTED":1,"txSecret=":"REDACTED"}"#);
}

/// The time that this thread has computed. Unlike the time of a clock, it does not grow while other threads have the core.
fn computed() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
fn time_is_linear_in_a_hostile_text() {
    let redactor = Redactor::new(["token", "aa"]);
    let time = |unit: &str, bytes: usize| {
        let value = serde_json::to_string(&unit.repeat(bytes / unit.len())).unwrap();
        let times = (0..3).map(|_| {
            let start = computed();
            black_box(redactor.redact(&value));
            computed() - start
        });
        times.min().unwrap()
    };
    for unit in [
        "txSecret:,",
        "txSecret=",
        "txSecret='",
        "txSecret=<a ",
        "txSecret:\"a",
        "txSecret  ",
        "%25",
        "\\",
        "\\u005c",
        "a",
        "\"txSecret\":{",
        "%5C",
        "txSecret:\\",
    ] {
        let (short, long) = (time(unit, 64 * 1024), time(unit, 256 * 1024));
        // Four times the length; a square would take sixteen times as long, and seconds.
        assert!(long < 8 * short + Duration::from_millis(50), "{unit:?}: {short:?}, {long:?}");
    }
}

fn wrap(text: &str, wraps: &[u8]) -> String {
    wraps.iter().fold(text.to_owned(), |text, wrap| match wrap {
        0 => serde_json::json!({"inner": text}).to_string(),
        1 => text
            .bytes()
            .map(|byte| match byte.is_ascii_alphanumeric() {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect(),
        _ => serde_json::json!([text, 1]).to_string(),
    })
}

const SECRET: &str = "5ECR37";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn only_the_secret_is_replaced(
        before in "[a-z&=?%\\\\\"{}:, ]{0,12}", prefix in "[&\\\\]", separator in "=|:| = |: |=>",
        quoting in prop::sample::select(&[("", "&"), ("'", "'"), ("\"", "\""), ("<", ">")]),
        after in "[a-z&=?%\\\\\"{}:, ]{0,12}", wraps in prop::collection::vec(0..3u8, 0..4),
    ) {
        let (open, close) = quoting;
        let text = format!("{before}{prefix}txSecret{separator}{open}{SECRET}{close}{after}");
        let value = serde_json::to_string(&wrap(&text, &wraps)).unwrap();
        let redacted = Redactor::default().redact(&value).into_owned();
        prop_assert_eq!(&redacted, &value.replace(SECRET, REDACTED), "{}", text);
        prop_assert_eq!(Redactor::default().redact(&redacted), redacted.as_str());
    }

    #[test]
    fn no_secret_survives_in_any_text(
        before in "[a-z&=?%\\\\\"'<>{}\\[\\]:, ]{0,12}", separator in "[\"'\\\\ ]{0,2}[=:][ \\\\>]?[\"'<]?",
        after in "([^a-z0-9A-Z][a-z0-9&=?%\\\\\"'<>{}\\[\\]:, ]{0,12})?", wraps in prop::collection::vec(0..3u8, 0..4),
    ) {
        let text = format!("{before}txSecret{separator}{SECRET}{after}");
        let value = serde_json::to_string(&wrap(&text, &wraps)).unwrap();
        let redacted = Redactor::default().redact(&value).into_owned();
        prop_assert!(!redacted.contains(SECRET), "{}", redacted);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
        prop_assert_eq!(Redactor::default().redact(&redacted), redacted.as_str());
    }

    #[test]
    fn any_json_stays_json(text in any::<String>(), name in "[a-z]{1,2}") {
        let value = serde_json::json!({"a": [text, {name.clone(): 1}], "b": format!("{name}={text}")}).to_string();
        let redactor = Redactor::new([name.as_str()]);
        let redacted = redactor.redact(&value);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{} {}", value, redacted);
    }
}
