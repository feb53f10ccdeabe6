use crate::config::Summary;
use crate::config::testing::{World, check, lines, load};
use crate::sink;

const WEBHOOK: &str = "[[sinks]]\nname = \"my-hook\"\ntype = \"http\"\nurl = \"https://me.example/x?key=hunter2\"\n";

#[test]
fn sink_with_a_mistake() {
    check(&[
        ("sinks = 1", &["1: sinks: must be a list of tables; begin each sink with [[sinks]]"]),
        ("sinks = [1]", &["1: sinks[0]: must be a table; begin each sink with [[sinks]]"]),
        (
            "[[sinks]]",
            &[
                r#"1: sinks[0].name: is missing; give each sink its own name, for example name = "archive""#,
                "1: sinks[0].type: is missing; use one of `log`, `file`, `http`, `command`, `redis`, `nats`, `amqp`, `kafka`, `postgres`, `mysql`",
            ],
        ),
        (
            "[[sinks]]\nname = \"A b\"\ntype = \"flie\"",
            &[
                r#"2: sinks[0].name = "A b": must be 1 to 64 of the characters a-z, 0-9, - and _"#,
                r#"3: sinks[0].type = "flie": must be one of `log`, `file`, `http`, `command`, `redis`, `nats`, `amqp`, `kafka`, `postgres`, `mysql`; did you mean `file`?"#,
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = 1",
            &[
                "3: sinks[0].type = 1: must be one of `log`, `file`, `http`, `command`, `redis`, `nats`, `amqp`, `kafka`, `postgres`, `mysql`",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\nstart = \"soon\"",
            &["1: sinks[0].path: is missing", r#"4: sinks[0].start = "soon": must be one of `now`, `earliest`"#],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = \"\"\ngzip = 1",
            &[
                r#"4: sinks[0].path = "": must name a file, as in "events.jsonl""#,
                "5: sinks[0].gzip = 1: must be true or false, without quotes",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\n[[sinks]]\nname = \"a\"\ntype = \"log\"",
            &[r#"5: sinks[1].name = "a": sinks[0] has the same name; choose another name"#],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"flie\"\n[[sinks]]\nname = \"a\"\ntype = \"log\"",
            &[
                r#"3: sinks[0].type = "flie": must be one of `log`, `file`, `http`, `command`, `redis`, `nats`, `amqp`, `kafka`, `postgres`, `mysql`; did you mean `file`?"#,
                r#"5: sinks[1].name = "a": sinks[0] has the same name; choose another name"#,
            ],
        ),
        (
            "[[sinks]]\nname = \"a-b\"\ntype = \"log\"\n[[sinks]]\nname = \"a_b\"\ntype = \"log\"",
            &[
                r#"5: sinks[1].name = "a_b": differs from the name of sinks[0] only in - and _, so both sinks would read the variable LIVEHOOK_SINK_A_B_SECRETS; choose another name"#,
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://b\"\nheaders.X = \"x\"\nheaders.Host = \"x\"\nheaders.\"a b\" = \"x\"",
            &[
                "6: sinks[0].headers.Host: is set by livehook or by HTTP itself: remove it",
                r#"7: sinks[0].headers."a b": is not a valid name of an HTTP header"#,
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"command\"\nprogram = \"b\"\narguments = [\n\"x\",\n\"\\u0000\"]",
            &["7: sinks[0].arguments[1] = a text with \\0: cannot hold a NUL character: remove it"],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\n[sinks.retry]\nwait_ms_first = 0\nwait_ms_max = 0\nattempts_max = 0",
            &[
                "5: sinks[0].retry.wait_ms_first = 0: must be from 1 to `wait_ms_max`, which is 0",
                "6: sinks[0].retry.wait_ms_max = 0: must be from 1 to 86400000",
                "7: sinks[0].retry.attempts_max = 0: must be at least 1; remove it to retry without limit",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\nretry = { wait_ms_first = 60001, age_secs_max = 0 }",
            &[
                "4: sinks[0].retry.wait_ms_first = 60001: must be from 1 to `wait_ms_max`, which is 60000",
                "4: sinks[0].retry.age_secs_max = 0: must be at least 1; remove it to retry without limit",
            ],
        ),
    ]);
}

#[test]
fn log_sink_is_the_default() {
    for text in ["", "sinks = []"] {
        let config = load(text).unwrap();
        assert_eq!(config.sinks.len(), 1);
        assert_eq!(config.sinks[0].name.as_str(), "log");
        assert_eq!(config.sinks[0].sink, sink::Options::Log(sink::log::Options::default()));
    }
}

#[test]
fn sink_secrets_of_all_sources_add_up() {
    let secrets: Vec<String> =
        [1, 2].map(|byte| sink::http::WebhookSecret::from_bytes(&[byte; 24]).unwrap().reveal()).into();
    let given = World::default()
        .variable("LIVEHOOK_KEYS", "0123456789abcdef")
        .variable("LIVEHOOK_SINK_MY_HOOK_SECRETS", &secrets[0])
        .variable("LIVEHOOK_SINK_OTHER_SECRETS", "of another")
        .file("f", &secrets[1]);
    let config = given.load(&format!(r#"{WEBHOOK}secrets_file = "f""#)).unwrap();
    let sink::Options::Http(options) = &config.sinks[0].sink else { panic!() };
    assert_eq!(options.secrets.len(), 2);
    let unread =
        "LIVEHOOK_SINK_OTHER_SECRETS: livehook doesn't read this variable; did you mean LIVEHOOK_SINK_MY_HOOK_SECRETS?";
    assert_eq!(config.warnings, [unread]);
    let shown = format!("{config:?} {}", Summary(&config));
    assert!(!shown.contains("whsec_") && !shown.contains("hunter2") && shown.contains("http to https://me.example,"));

    let unsigned = load(WEBHOOK).unwrap();
    assert!(unsigned.warnings[0].starts_with("the sink `my-hook`: there is no secret"), "{:?}", unsigned.warnings);

    let wrong = World::default().variable("LIVEHOOK_SINK_MY_HOOK_SECRETS", "hunter2");
    let mistakes = wrong.variable("LIVEHOOK_KEYS", "k").load(WEBHOOK).unwrap_err();
    assert_eq!(
        lines(&mistakes),
        [
            "1: sinks[0].secrets: LIVEHOOK_SINK_MY_HOOK_SECRETS: must be `whsec_` and base64 of 24 to 64 bytes; `livehook keygen --webhook` makes one"
        ]
    );
}

#[test]
fn a_type_that_the_build_lacks_is_explained() {
    use crate::config::testing::{mistakes_in, sink};

    for type_name in sink::Options::TYPES {
        let Some(feature) = sink::Options::missing_feature(type_name) else { continue };
        let mistakes = mistakes_in(&sink(type_name, "url = \"x://a\""));
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains("this build of livehook lacks this type of sink"), "{mistakes:?}");
        assert!(mistakes[0].contains(&format!("`cargo build --release --features {feature}`")), "{mistakes:?}");
    }
}
