//! Tables of mistakes: what is told of each.

use super::tests::{keyed, told};

fn check(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        match keyed(text) {
            Ok(_) => panic!("no mistake was found in {text}"),
            Err(mistakes) => assert_eq!(told(&mistakes), *expected, "{text}"),
        }
    }
}

#[test]
fn wrong_value_names_the_right_form() {
    check(&[
        (
            "[receiver]\nleeway_secs = \"ten\"",
            &["2: receiver.leeway_secs = \"ten\": must be a whole number from 0 to 4294967295"],
        ),
        (
            "[receiver]\nleeway_secs = -1",
            &["2: receiver.leeway_secs = -1: must be a whole number from 0 to 4294967295"],
        ),
        (
            "[receiver]\nbody_bytes_max = 1.5",
            &["2: receiver.body_bytes_max = 1.5: must be a whole number from 1 to 1073741824"],
        ),
        (
            "[receiver]\nbody_bytes_max = 2020-01-01",
            &["2: receiver.body_bytes_max = 2020-01-01: must be a whole number from 1 to 1073741824"],
        ),
        (
            "[receiver]\nallow_unsigned = \"yes\"",
            &["2: receiver.allow_unsigned = \"yes\": must be true or false, without quotes"],
        ),
        (
            "[receiver]\nlisten = 8080",
            &["2: receiver.listen = 8080: must be an IP address and a port, such as \"127.0.0.1:8080\""],
        ),
        (
            "[receiver]\nlisten = \"localhost:8080\"",
            &["2: receiver.listen = \"localhost:8080\": must be an IP address and a port, such as \"127.0.0.1:8080\""],
        ),
        ("[receiver]\nhealth_path = 1", &["2: receiver.health_path = 1: must be a text in quotes"]),
        ("[receiver]\nkeys_file = 1", &["2: receiver.keys_file = 1: must be a path in quotes"]),
        (
            "[receiver]\nallowed_appids = [\n1,\n\"2\"]",
            &["4: receiver.allowed_appids[1] = \"2\": must be a whole number"],
        ),
        (
            "[receiver]\nallowed_domains = \"a.com\"",
            &["2: receiver.allowed_domains = \"a.com\": must be a list, in [ ]"],
        ),
        (
            "[receiver]\nallowed_domains = [\"a.*.com\"]",
            &[
                "2: receiver.allowed_domains[0] = \"a.*.com\": `a.*.com`: in a domain, `*` may only be the whole first label, as in `*.example.com`",
            ],
        ),
        (
            "[receiver]\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]",
            &[
                "2: receiver.trusted_proxies[1] = \"proxy\": `proxy` is not a network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8",
            ],
        ),
        (
            "[receiver]\nunsigned_event_types = [\"pushed\", true]",
            &[
                "2: receiver.unsigned_event_types[0] = \"pushed\": `pushed` is no event type: give a name such as push, stop or recording, or a number such as 321",
                "2: receiver.unsigned_event_types[1] = true: must be an event type: a name such as \"push\" or a number such as 321",
            ],
        ),
        (
            "[log]\nlevel = \"warning\"",
            &["2: log.level = \"warning\": must be one of `error`, `warn`, `info`, `debug`, `trace`"],
        ),
        (
            "[log]\nlevel = \"wran\"",
            &[
                "2: log.level = \"wran\": must be one of `error`, `warn`, `info`, `debug`, `trace`; did you mean `warn`?",
            ],
        ),
        ("[log]\nformat = 1", &["2: log.format = 1: must be one of `text`, `json`"]),
        ("journal = 1", &["1: journal = 1: must be a table"]),
        ("data_dir = 1", &["1: data_dir = 1: must be a path in quotes"]),
        ("data_dir = \"\"", &["1: data_dir = \"\": must name a directory"]),
        ("admin = [\"x\"]", &["1: admin = a list: must be a table"]),
        (
            "[admin]\ntoken_file = \"x\"",
            &[
                "2: admin.token_file = \"x\": cannot be read: no such file; correct the path, or let the user that runs livehook read the file",
            ],
        ),
    ]);
}

#[test]
fn unknown_key_suggests_the_nearest() {
    check(&[
        ("[reciever]\nlisten = \"x\"", &["1: reciever: there is no such key; did you mean `receiver`?"]),
        (
            "colour = 1",
            &[
                "1: colour: there is no such key; what can be set here is `data_dir`, `shutdown_grace_secs`, `receiver`, `admin`, `journal`, `index`, `log`, `sinks`",
            ],
        ),
        (
            "\n[receiver]\nleeway = 1\n\"a b\" = 2\nhealthpath = 3",
            &[
                "3: receiver.leeway: there is no such key; `config.example.toml` shows every key",
                "4: receiver.\"a b\": there is no such key; `config.example.toml` shows every key",
                "5: receiver.healthpath: there is no such key; did you mean `health_path`?",
            ],
        ),
        ("[log]\ncolour = true", &["2: log.colour: there is no such key; what can be set here is `level`, `format`"]),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\npath = \"x\"\nfitler = {}\nfilter = { type = [] }\nretry.max = 1",
            &[
                "4: sinks[0].path: there is no such key; what can be set here is `name`, `type`, `start`, `filter`, `retry`",
                "5: sinks[0].fitler: there is no such key; did you mean `filter`?",
                "6: sinks[0].filter.type: there is no such key; did you mean `types`?",
                "7: sinks[0].retry.max: there is no such key; what can be set here is `wait_ms_first`, `wait_ms_max`, `attempts_max`, `age_secs_max`",
            ],
        ),
    ]);
}

#[test]
fn a_sink_with_a_mistake_is_told() {
    check(&[
        ("sinks = 1", &["1: sinks: must be a list of tables; begin each sink with [[sinks]]"]),
        ("sinks = [1]", &["1: sinks[0]: must be a table; begin each sink with [[sinks]]"]),
        (
            "[[sinks]]",
            &[
                "1: sinks[0].name: is missing; give each sink a name of its own, such as \"archive\"",
                "1: sinks[0].type: is missing; give one of `log`, `file`, `http`, `command`",
            ],
        ),
        (
            "[[sinks]]\nname = \"A b\"\ntype = \"flie\"",
            &[
                "2: sinks[0].name = \"A b\": must be 1 to 64 of the characters a-z, 0-9, - and _",
                "3: sinks[0].type = \"flie\": must be one of `log`, `file`, `http`, `command`; did you mean `file`?",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = 1",
            &["3: sinks[0].type = 1: must be one of `log`, `file`, `http`, `command`"],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\nstart = \"soon\"",
            &["1: sinks[0].path: is missing", "4: sinks[0].start = \"soon\": must be one of `now`, `earliest`"],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = \"\"\ngzip = 1",
            &[
                "4: sinks[0].path = \"\": must name a file, as in \"events.jsonl\"",
                "5: sinks[0].gzip = 1: must be true or false, without quotes",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\n[[sinks]]\nname = \"a\"\ntype = \"log\"",
            &["5: sinks[1].name = \"a\": is the name of sinks[0] too; give each sink a name of its own"],
        ),
        (
            "[[sinks]]\nname = \"a-b\"\ntype = \"log\"\n[[sinks]]\nname = \"a_b\"\ntype = \"log\"",
            &[
                "5: sinks[1].name = \"a_b\": differs from the name of sinks[0] by - and _ alone, and both would read the variable LIVEHOOK_SINK_A_B_SECRETS; give each sink a name of its own",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://b\"\nheaders.X = \"x\"\nheaders.Host = \"x\"\nheaders.\"a b\" = \"x\"",
            &[
                "6: sinks[0].headers.Host: is set by livehook or by HTTP itself: remove it",
                "7: sinks[0].headers.\"a b\": is not a valid name of an HTTP header",
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
                "7: sinks[0].retry.attempts_max = 0: must be at least 1; leave it out to try without end",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\nretry = { wait_ms_first = 60001, age_secs_max = 0 }",
            &[
                "4: sinks[0].retry.wait_ms_first = 60001: must be from 1 to `wait_ms_max`, which is 60000",
                "4: sinks[0].retry.age_secs_max = 0: must be at least 1; leave it out to try without end",
            ],
        ),
    ]);
}

#[test]
fn two_sinks_on_one_file_are_a_mistake() {
    let twice = |first: &str, second: &str| {
        let sink = |name, path| format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{path}\"\n");
        format!("{}{}", sink("a", first), sink("b", second))
    };
    for second in ["a/events", "./a/events", "a//events", "b/../a/./events", "/current/a/events"] {
        let expected = format!(
            "8: sinks[1].path = \"{second}\": is the file of sinks[0] too, and two sinks would tear each other's lines; give each sink a file of its own"
        );
        assert_eq!(told(&keyed(&twice("a/events", second)).unwrap_err()), [expected]);
    }
    assert!(keyed(&twice("a/events", "b/events")).is_ok());
    for own in
        ["livehook-data/journal.db", "livehook-data/journal.db-wal", "./livehook-data/../livehook-data/livehook.lock"]
    {
        let expected = format!(
            "4: sinks[0].path = \"{own}\": is a file of livehook's own, in `data_dir`; choose another name or directory"
        );
        assert_eq!(told(&keyed(&twice(own, "b")).unwrap_err()), [expected]);
    }
    assert!(keyed(&twice("livehook-data/events.jsonl", "journal.db")).is_ok());
}

#[test]
fn a_bound_that_is_broken_is_told() {
    check(&[
        ("shutdown_grace_secs = 3601", &["1: shutdown_grace_secs = 3601: must be from 0 to 3600"]),
        (
            "[receiver]\nbody_bytes_max = 0\nheaders_bytes_max = 8191\nconnections_max = 0\nheaders_timeout_secs = 0\nbody_timeout_secs = 0\nidle_timeout_secs = 0\nanswer_timeout_secs = 0",
            &[
                "2: receiver.body_bytes_max = 0: must be from 1 to 1073741824",
                "3: receiver.headers_bytes_max = 8191: must be from 8192 to 1048576",
                "4: receiver.connections_max = 0: must be from 1 to 1000000",
                "5: receiver.headers_timeout_secs = 0: must be from 1 to 86400",
                "6: receiver.body_timeout_secs = 0: must be from 1 to 86400",
                "7: receiver.idle_timeout_secs = 0: must be from 1 to 86400",
                "8: receiver.answer_timeout_secs = 0: must be from 1 to 86400",
            ],
        ),
        ("admin.subscribers_max = 0", &["1: admin.subscribers_max = 0: must be from 1 to 100000"]),
        ("admin.subscribers_max = -1", &["1: admin.subscribers_max = -1: must be a whole number from 1 to 100000"]),
        ("[journal]\nretention_days = -1", &["2: journal.retention_days = -1: must be a whole number from 1 to 36500"]),
        (
            "[receiver]\nbodies_bytes_max = 262143",
            &["2: receiver.bodies_bytes_max = 262143: must be at least `receiver.body_bytes_max`, which is 262144"],
        ),
    ]);
    let mistakes = keyed(
        "[journal]\nretention_days = 0\nsize_bytes_max = 16777215\ndedupe_ids_max = 999\nqueue_events_max = 511\n",
    );
    assert_eq!(
        told(&mistakes.unwrap_err()),
        [
            "1: journal.batch_events_max = 512: must be at most `journal.queue_events_max`, which is 511",
            "2: journal.retention_days = 0: must be from 1 to 36500",
            "3: journal.size_bytes_max = 16777215: must be at least 16777216 (16 MiB)",
            "4: journal.dedupe_ids_max = 999: must be from 1000 to 100000000",
        ]
    );
}

#[test]
fn keys_that_contradict_each_other_are_told() {
    check(&[
        (
            "[receiver]\nleeway_secs = 3001",
            &[
                "journal.dedupe_window_secs = 3600: must be at least 3601: `receiver.leeway_secs` and 600; a callback can be sent again for as long as its signature counts, and would be stored twice",
            ],
        ),
        (
            "[receiver]\npath = \"callback\"\nhealth_path = \"/a?b\"",
            &[
                "2: receiver.path = \"callback\": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #",
                "3: receiver.health_path = \"/a?b\": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #",
            ],
        ),
        (
            "[receiver]\npath = \"/{id}\"",
            &[
                "2: receiver.path = \"/{id}\": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #",
            ],
        ),
        (
            "[receiver]\nhealth_path = \"/callback\"",
            &["2: receiver.health_path = \"/callback\": must differ from `receiver.path`"],
        ),
        (
            "[receiver]\nclient_address_header = \"X Real IP\"\nredact_parameters = [\"\", \"a=b\"]",
            &[
                "2: receiver.client_address_header = \"X Real IP\": must be the name of an HTTP header; for example X-Forwarded-For",
                "3: receiver.redact_parameters[0] = \"\": must be the name of a parameter; give what stands before the =, without white space, & ? # % \" and \\",
                "3: receiver.redact_parameters[1] = \"a=b\": must be the name of a parameter; give what stands before the =, without white space, & ? # % \" and \\",
            ],
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:8080\"",
            &[
                "2: admin.listen = 127.0.0.1:8080: is taken by `receiver.listen`, which is 0.0.0.0:8080; choose another port",
            ],
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:9090\"",
            &[
                "2: admin.listen = 0.0.0.0:9090: can be reached from other machines and so needs a token; set `admin.token`, `admin.token_file` or LIVEHOOK_ADMIN_TOKEN (`livehook keygen` makes one), or listen on 127.0.0.1",
            ],
        ),
        (
            "[admin]\ntoken = \"abc\"\ntoken_file = \"x\"",
            &["3: admin.token_file = \"x\": is set beside `admin.token`; keep one of the two"],
        ),
        (
            "[admin]\nallowed_hosts = [\"http://a\", \"b.example\"]",
            &[
                "2: admin.allowed_hosts[0] = \"http://a\": must be the name of a host; give it without scheme, port and path",
            ],
        ),
    ]);
}

#[test]
fn a_table_of_a_key_with_a_mistake_is_told() {
    check(&[
        ("receiver.keys = [{ kye = \"a\" }]", &["1: receiver.keys[0].kye: there is no such key; did you mean `key`?"]),
        (
            "receiver.keys = [{ other = \"a\" }]",
            &["1: receiver.keys[0]: a name in this table is not known; what can be set here is `key`, `domains`"],
        ),
        ("receiver.keys = [{ domains = [] }]", &["1: receiver.keys[0].key: is missing"]),
        (
            "receiver.keys = [{ key = \"a\", domains = [\"a/b\"] }]",
            &[
                "1: receiver.keys[0].domains[0] = \"a/b\": `a/b` is no domain name: give it without scheme, port and path",
            ],
        ),
        ("receiver.keys = \"a\"", &["1: receiver.keys: must be a list, in [ ]"]),
        ("admin.token = 5", &["1: admin.token: must be a text in quotes"]),
    ]);
}

#[test]
fn mistake_is_always_one_line() {
    check(&[(
        "receiver.trusted_proxies = [\"a\\nb\\u001b[31m\"]",
        &[
            "1: receiver.trusted_proxies[0] = \"a\\nb\\u{1b}[31m\": `a\\nb\\u{1b}[31m` is not a network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8",
        ],
    )]);
}

#[test]
fn more_mistakes_than_anybody_reads_are_counted() {
    let unknown: String = (0..1000).map(|number| format!("nonsense-{number} = 1\n")).collect();
    let told = keyed(&unknown).unwrap_err().to_string();
    assert_eq!(told.lines().count(), 102);
    assert!(told.starts_with("the configuration has 1000 mistakes:\n  a.toml:1: nonsense-0: "), "{told}");
    assert!(told.ends_with("\n  and 900 more"), "{told}");

    let misfits = format!("receiver.allowed_appids = [{}]", "\"x\", ".repeat(100_000));
    let mistakes = keyed(&misfits).unwrap_err();
    assert_eq!(mistakes.iter().count(), 100);
}

#[test]
fn invalid_toml_shows_line_and_column() {
    let mistakes = keyed("data_dir = \"x\"\nlisten: 1\n").unwrap_err();
    let told = mistakes.to_string();
    assert!(told.starts_with("the configuration has a mistake:\n  a.toml:2: column "), "{told}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_loading_panic_or_hang(
        lines in proptest::collection::vec((
            proptest::sample::select(vec![
                "receiver", "receiver.keys", "receiver.listen", "receiver.keys_file", "admin.token", "journal", "log.level",
                "sinks", "sinks.name", "sinks.type", "sinks.filter.types", "\"\"", "a.\"b.c[0]\"", "é",
            ]),
            proptest::sample::select(vec![
                "1", "-1", "1e400", "nan", "\"\"", "\"é\\u0000\"", "[]", "[[], [1]]", "{}", "{ key = 1 }", "[{ key = \"\" }]",
                "[{ name = \"a\", type = \"file\", path = [] }]", "1979-05-27", "true", "", "\"\"\"\n",
            ]),
        ), 0..6),
        tail in "\\PC{0,8}",
    ) {
        let text: String = lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        if let Err(mistakes) = keyed(&(text + &tail)) {
            proptest::prop_assert!(mistakes.iter().count() > 0);
            proptest::prop_assert_eq!(mistakes.to_string().lines().count(), mistakes.iter().count() + 1);
        }
    }
}
