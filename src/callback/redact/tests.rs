use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{Redactor, work};

const REDACTED: &str = "REDACTED";
const REDACTED_STRING: &str = "\"REDACTED\"";

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
    assert_eq!(redactor.of_callback(None).member("TOKEN", "[1]"), ("TOKEN".into(), r#""REDACTED""#.into()));
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
        let (redacted_name, redacted_value) = redactor.of_callback(None).member(name, value);
        assert_eq!((redacted_name.as_ref(), redacted_value.as_ref()), expected);
    }
    check(r#"{"a=txSecret:abc":1,"txSecret=":2}"#, r#"{"a=txSecret:REDACTED":1,"txSecret=":"REDACTED"}"#);
}

/// Counts characters instead of seconds, so that the result is always the same.
#[test]
fn work_is_linear_in_a_hostile_text() {
    let redactor = Redactor::new(["token", "aa"]);
    let work = |unit: &str, bytes: usize| {
        let value = serde_json::to_string(&unit.repeat(bytes / unit.len())).unwrap();
        work::take();
        redactor.of_callback(Some([0xaa; 16])).redact(&value);
        work::take()
    };
    for unit in [
        "txSecret:,",
        "txSecret=",
        "txSecret='",
        "txSecret=<a ",
        "txSecret:\"a",
        "txSecret  ",
        "txSecret[",
        "txSecret[]",
        "txSecret#",
        "[\"txSecret\",",
        "[\"txSecret\",\"",
        "=txSecret&value",
        "{\"name\":\"txSecret\",\"value\":\"",
        "{\"name\":\"txSecret\",\"value\":b\"",
        "txSecret=Bearer ",
        "value=",
        "\"sign\":\"",
        "\"t\":1 ",
        "\" ",
        "\"\\",
        "'",
        "%25",
        "%u0025",
        "\\",
        "\\u005c",
        "\\x5c",
        "a",
        "\"txSecret\":{",
        "%5C",
        "txSecret:\\",
        "&amp;",
        "&#",
        "&#0",
        "&#3",
        "&#x26;",
        "&",
    ] {
        let (short, long) = (work(unit, 16 * 1024), work(unit, 64 * 1024));
        // Four times the length; a square would be sixteen times the work.
        assert!(long < 5 * short, "{unit:?}: {short}, {long}");
        assert!(long < 64 * 1024 * 100, "{unit:?}: {long}");
    }
    // Nested values are read once for each level.
    let nested = |levels: usize, unit: &str| {
        let value = unit.repeat(levels) + "1" + &"}".repeat(levels);
        work::take();
        redactor.redact(&value);
        work::take() / value.len()
    };
    for unit in [r#"{"name":"txSecret","value":"#, r#"{"txSecret":"#, r#"{"value":"#] {
        assert!(nested(63, unit) < 100, "{unit}");
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

#[test]
fn error_messages_stay() {
    for text in [
        "push rejected: parameter \"txSecret\" is missing, see code=18",
        "no txSecret, no txTime",
        "txSecret is wrong",
        "missing [txSecret]",
        "t=5 'sign' \"t\" sign: none",
        "100% of AT&T; R&D;",
        r"C:\\users\\x64",
    ] {
        let text = serde_json::to_string(text).unwrap();
        check(&text, &text);
    }
}

#[test]
fn pairs_of_name_and_value() {
    check(
        r#"[{"name":"a","value":"b"},{"name":"txSecret","type":{"value":1},"value":["abc"],"id":2}]"#,
        r#"[{"name":"a","value":"b"},{"name":"txSecret","type":{"value":1},"value":"REDACTED","id":2}]"#,
    );
    check(
        r#"{"x":[["txSecret",[1]],["txSecret","a","b"]]}"#,
        r#"{"x":[["txSecret","REDACTED"],["txSecret","a","b"]]}"#,
    );
    check(r#"{"paramValue":12,"k":"tx%53ecret"}"#, r#"{"paramValue":"REDACTED","k":"tx%53ecret"}"#);
    check(r#"{"name":"my txSecret is","value":1}"#, r#"{"name":"my txSecret is","value":1}"#);
}

#[test]
fn signatures_are_replaced_at_any_depth() {
    check(
        r#"{"a":[{"Sign":"abcd","T":1703732078,"b":1}],"t":"1703732078","sign":null}"#,
        r#"{"a":[{"Sign":"REDACTED","T":"REDACTED","b":1}],"t":"REDACTED","sign":"REDACTED"}"#,
    );
    check(r#""{\"sign\":\"abcd\",\"t\":1703732078,\"b\":1}""#, r#""{\"sign\":\"REDACTED\",\"t\":REDACTED,\"b\":1}""#);
    // These are too short, or no number, or have another name.
    let others = r#"{"t":"text","T":5,"sign":"abc","at":1703732078,"design":"abcd","x":"{\"t\":1,\"sign\":\"+\"}"}"#;
    check(others, others);

    let digits = "aB".repeat(16);
    let redactor = Redactor::default();
    let redaction = redactor.of_callback(Some([0xab; 16]));
    assert_eq!(redaction.member("Sign", "1234").1, REDACTED_STRING);
    assert_eq!(redaction.redact(&format!(r#""u?x={digits}&y=1""#)), r#""u?x=REDACTED&y=1""#);
    assert_eq!(redaction.redact(&format!(r#""{digits}{digits}""#)), r#""REDACTED""#);
    assert_eq!(redaction.redact(&format!(r#""{}""#, digits.replace('a', "%61"))), r#""REDACTED""#);
    assert_eq!(redaction.redact(&format!(r#""{}""#, &digits[1..])), format!(r#""{}""#, &digits[1..]));
}

#[test]
fn layers_without_end_are_replaced() {
    let deep = format!("a=1&b=%{}3D%2525c", "25".repeat(8));
    check(&format!(r#""{deep}""#), r#""a=1&b=REDACTED""#);
    check(r#""a=%25252541&b""#, r#""a=%25252541&b""#);
}
