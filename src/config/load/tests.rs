use crate::config::testing::{World, load, sink};
use crate::config::{Overrides, SecretText, Summary};

#[test]
fn mistakes_come_in_the_order_of_the_file() {
    let given = World::default()
        .variable("LIVEHOOK_LOG_LEVEL", "loud")
        .variable("LIVEHOOK_KEYS", "good-key-of-enough-letters,")
        .variable("LIVEHOOK_KEYS_FILE", "keys")
        .variable("LIVEHOOK_ADMIN_TOKEN", "two words")
        .file("keys", "# mine\n\nfine-key-of-many-letters\r\nnot a key\n");
    let overrides = Overrides {
        listen: Some("8080".to_owned()),
        admin_listen: Some("0.0.0.0:9090".to_owned()),
        keys: vec!["a callback key".into()],
        log_format: Some("xml".to_owned()),
        ..Overrides::default()
    };
    let text = "[log]\ncolour = 1\n\n[receiver]\nkeys = [\"\", \"a b\", 5]\nhealth_path = \"x\"\n";
    let mistakes = given.load_with(text, &overrides).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        r#"the configuration has 12 mistakes:
  a.toml:2: log.colour: unknown key; use one of `level`, `format`, `access`
  a.toml:5: receiver.keys[0]: the key is empty: give the key of your callback template, or make one with `livehook keygen`
  a.toml:5: receiver.keys[1]: the key holds white space or a control character: remove it
  a.toml:5: receiver.keys[2]: must be a key, or { key = "...", domains = ["push.example.com"] }
  a.toml:6: receiver.health_path = "x": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #
  LIVEHOOK_LOG_LEVEL = "loud": must be one of `error`, `warn`, `info`, `debug`, `trace`
  LIVEHOOK_ADMIN_TOKEN: the token holds characters other than visible ASCII: make one with `livehook keygen`
  --listen = "8080": must be an IP address and a port, such as "127.0.0.1:8080"
  --log-format = "xml": must be one of `text`, `json`
  LIVEHOOK_KEYS: a key before or after a comma is empty; remove the surplus comma, or add the missing key
  LIVEHOOK_KEYS_FILE = "keys": line 4: the key holds white space or a control character: remove it
  --key: the key is the placeholder of the example file: make one with `livehook keygen`"#
    );
}

/// Checks that the mistakes of a text don't show the secret `hunter2`.
fn check_hidden(text: &str) {
    let mistakes = load(text).unwrap_err();
    let shown = format!("{mistakes} {mistakes:?}");
    assert!(!shown.contains("hunter2"), "{text}: {mistakes}");
}

#[test]
fn secret_is_never_shown() {
    for text in [
        r#"receiver.keys = "hunter2""#,
        r#"receiver.keys = { a = "hunter2" }"#,
        r#"receiver.keys = { hunter2 = "hunter2" }"#,
        r#"receiver.keys = [["hunter2"]]"#,
        r#"receiver.keys = ["hunter2 "]"#,
        r#"receiver.keys = [{ key = "hunter2 " }]"#,
        r#"receiver.keys = [{ key = ["hunter2"] }]"#,
        r#"receiver.keys = [{ kye = "hunter2" }]"#,
        r#"receiver.keys = [{ hunter2 = ["a.com"] }]"#,
        r#"receiver.keys = [{ key = "hunter2", domains = "a.com" }]"#,
        r#"receiver.keys = [{ key = "hunter2", domain = ["a.com"] }]"#,
        r#"receiver.kees = ["hunter2"]"#,
        "receiver.keys = [\"hunter2\", \"hunter2\"]\nnonsense = 1",
        r#"receiver = ["hunter2"]"#,
        r#"keys = ["hunter2"]"#,
        r#"admin.token = "hunter2 ""#,
        r#"admin.token = ["hunter2"]"#,
        r#"admin.token = { a = "hunter2" }"#,
        r#"admin.tokens = "hunter2""#,
        "admin.token = \"hunter2\"\nadmin.token_file = \"x\"",
        r#"admin.token = "hunter2"#,
        r#"admin.token = "hunter2" ""#,
        "admin.token = hunter2",
    ] {
        check_hidden(text);
    }
    for (type_name, keys) in [
        ("log", r#"token = "hunter2""#),
        ("http", r#"url = "https://a:hunter2@b/""#),
        ("http", r#"url = "hunter2""#),
        ("command", "program = \"x\"\nenvironment = \"X=hunter2\""),
        ("command", "program = \"x\"\nenvironment = { LIVEHOOK_EVENT_ID = \"hunter2\" }"),
        ("http", "url = \"https://b\"\nsecrets = [\"hunter2\"]"),
        ("http", "url = \"https://b\"\nsecrets = \"hunter2\""),
        ("http", "url = \"https://b\"\nsecret = \"hunter2\""),
        ("http", "url = \"https://b\"\nheaders = \"X: hunter2\""),
        ("http", "url = \"https://b\"\nheaders = { Host = \"hunter2\" }"),
        ("http", "url = \"https://b\"\nheaders = { X = [\"hunter2\"] }"),
    ] {
        check_hidden(&sink(type_name, keys));
    }
    // People write the secret in place of the path of its file.
    for text in [
        "receiver.keys_file = \"hunter2\"",
        "receiver.keys_file = \"/hunter2\"",
        "receiver.keys_file = \"x/hunter2\"",
        "admin.token_file = \"hunter2\"",
        "[admin]\ntoken = \"a-token-of-letters\"\ntoken_file = \"hunter2\"",
        &sink("http", "url = \"https://b\"\nsecrets_file = \"hunter2\""),
    ] {
        check_hidden(text);
    }
    let given = World::default().variable("LIVEHOOK_KEYS_FILE", "hunter2");
    assert!(!given.load("").unwrap_err().to_string().contains("hunter2"));

    let given = World::default()
        .variable("LIVEHOOK_KEYS", "hunter2,hunter2 x")
        .variable("LIVEHOOK_ADMIN_TOKEN", "hunter2 x")
        .variable("LIVEHOOK_KEYS_FILE", "f")
        .file("f", "hunter2 x");
    let overrides = Overrides { keys: vec![SecretText::from("hunter2 x")], ..Overrides::default() };
    let mistakes = given.load_with("", &overrides).unwrap_err();
    assert_eq!(mistakes.iter().count(), 4, "{mistakes}");
    assert!(!format!("{mistakes} {mistakes:?} {overrides:?}").contains("hunter2"), "{mistakes}");

    let given = World::default().variable("LIVEHOOK_ADMIN_TOKEN", "hunter2");
    let config = given.load(r#"receiver.keys = ["hunter2"]"#).unwrap();
    assert!(!format!("{config:?} {}", Summary(&config)).contains("hunter2"));
}

#[test]
fn risky_setting_warns() {
    let config = load("[receiver]\nallow_unsigned = true\nanswer_timeout_secs = 20\nvalidity_secs_max = 599").unwrap();
    assert_eq!(
        config.warnings,
        [
            "receiver.allow_unsigned: has no effect, because a callback key is set; remove it",
            "receiver.validity_secs_max = 599: CSS sets t 600 s ahead, so livehook will refuse genuine callbacks; set at least 600, and some more for clock differences, for example 660",
            "receiver.answer_timeout_secs = 20: CSS gives up after about 20 s and sends the callback again, so a later answer comes too late; set a smaller value, for example 15",
        ]
    );
}

#[test]
fn verifier_gets_the_receivers_options() {
    let config = load("[receiver]\nleeway_secs = 5\nvalidity_secs_max = 700\nunsigned_event_types = [314]\nallowed_appids = [7]\nallowed_domains = [\"a.com\"]\nredact_parameters = [\"p\"]").unwrap();
    let verifier = config.verifier;
    assert_eq!((verifier.leeway_secs, verifier.validity_secs_max), (5, Some(700)));
    assert_eq!(verifier.unsigned_event_types.len(), 1);
    assert_eq!(verifier.allowed_appids, [7]);
    assert_eq!(verifier.allowed_domains.len(), 1);
    assert_eq!(verifier.redact_parameters, ["p"]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_loading_panic(
        lines in proptest::collection::vec((
            proptest::sample::select(vec![
                "receiver", "receiver.keys", "receiver.listen", "receiver.keys_file", "admin.token", "journal", "log.level",
                "sinks", "sinks.name", "sinks.type", "sinks.filter.types", r#""""#, r#"a."b.c[0]""#, "é",
            ]),
            proptest::sample::select(vec![
                "1", "-1", "1e400", "nan", r#""""#, "\"é\\u0000\"", "[]", "[[], [1]]", "{}", "{ key = 1 }", r#"[{ key = "" }]"#,
                r#"[{ name = "a", type = "file", path = [] }]"#, "1979-05-27", "true", "", "\"\"\"\n",
            ]),
        ), 0..6),
        tail in "\\PC{0,8}",
    ) {
        let text: String = lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        if let Err(mistakes) = load(&(text + &tail)) {
            proptest::prop_assert!(mistakes.iter().count() > 0);
            proptest::prop_assert_eq!(mistakes.to_string().lines().count(), mistakes.iter().count() + 1);
        }
    }
}
