//! Values of a wrong form and unknown keys, each with the right one.

use crate::config::testing::check;

#[test]
fn wrong_value_names_the_right_form() {
    check(&[
        (
            "[receiver]\nleeway_secs = \"ten\"",
            &[r#"2: receiver.leeway_secs = "ten": must be a whole number from 0 to 4294967295"#],
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
            &[r#"2: receiver.allow_unsigned = "yes": must be true or false, without quotes"#],
        ),
        (
            "[receiver]\nlisten = 8080",
            &[r#"2: receiver.listen = 8080: must be an IP address and a port, such as "127.0.0.1:8080""#],
        ),
        (
            "[receiver]\nlisten = \"localhost:8080\"",
            &[r#"2: receiver.listen = "localhost:8080": must be an IP address and a port, such as "127.0.0.1:8080""#],
        ),
        ("[receiver]\nhealth_path = 1", &["2: receiver.health_path = 1: must be a text in quotes"]),
        ("[receiver]\nkeys_file = 1", &["2: receiver.keys_file = 1: must be a path in quotes"]),
        (
            "[receiver]\nallowed_appids = [\n1,\n\"2\"]",
            &[r#"4: receiver.allowed_appids[1] = "2": must be a whole number"#],
        ),
        (
            "[receiver]\nallowed_domains = \"a.com\"",
            &[r#"2: receiver.allowed_domains = "a.com": must be a list in square brackets, [ ]"#],
        ),
        (
            "[receiver]\nallowed_domains = [\"a.*.com\"]",
            &[
                r#"2: receiver.allowed_domains[0] = "a.*.com": in a domain, `*` may only be the whole first label, as in `*.example.com`"#,
            ],
        ),
        (
            "[receiver]\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]",
            &[
                r#"2: receiver.trusted_proxies[1] = "proxy": is not a network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8"#,
            ],
        ),
        (
            "[receiver]\nunsigned_event_types = [\"pushed\", true]",
            &[
                r#"2: receiver.unsigned_event_types[0] = "pushed": is not an event type: give a name such as push, stop or recording, or a number such as 321"#,
                r#"2: receiver.unsigned_event_types[1] = true: must be an event type: a name such as "push" or a number such as 321"#,
            ],
        ),
        (
            "[log]\nlevel = \"warning\"",
            &[r#"2: log.level = "warning": must be one of `error`, `warn`, `info`, `debug`, `trace`"#],
        ),
        (
            "[log]\nlevel = \"wran\"",
            &[
                r#"2: log.level = "wran": must be one of `error`, `warn`, `info`, `debug`, `trace`; did you mean `warn`?"#,
            ],
        ),
        ("[log]\nformat = 1", &["2: log.format = 1: must be one of `text`, `json`"]),
        ("journal = 1", &["1: journal = 1: must be a table, with keys and values in { }"]),
        ("data_dir = 1", &["1: data_dir = 1: must be a path in quotes"]),
        (r#"data_dir = """#, &[r#"1: data_dir = "": must name a directory, such as "livehook-data""#]),
        (r#"admin = ["x"]"#, &["1: admin = a list: must be a table, with keys and values in { }"]),
        (
            "[admin]\ntoken_file = \"x\"",
            &[
                "2: admin.token_file: cannot be read: no such file; give the path of a file, not the secret itself (livehook doesn't show the value, because it may be the secret)",
            ],
        ),
    ]);
}

#[test]
fn unknown_key_suggests_the_nearest() {
    check(&[
        ("[reciever]\nlisten = \"x\"", &["1: reciever: unknown key; did you mean `receiver`?"]),
        ("colour = 1", &["1: colour: unknown key; `config.example.toml` shows every key"]),
        (
            "\n[receiver]\nleeway = 1\n\"a b\" = 2\nhealthpath = 3",
            &[
                "3: receiver.leeway: unknown key; `config.example.toml` shows every key",
                r#"4: receiver."a b": unknown key; `config.example.toml` shows every key"#,
                "5: receiver.healthpath: unknown key; did you mean `health_path`?",
            ],
        ),
        ("[log]\ncolour = true", &["2: log.colour: unknown key; use one of `level`, `format`, `access`"]),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\npath = \"x\"\nfitler = {}\nfilter = { type = [] }\nretry.max = 1",
            &[
                "4: sinks[0].path: unknown key; use one of `name`, `type`, `start`, `filter`, `retry`",
                "5: sinks[0].fitler: unknown key; did you mean `filter`?",
                "6: sinks[0].filter.type: unknown key; did you mean `types`?",
                "7: sinks[0].retry.max: unknown key; use one of `wait_ms_first`, `wait_ms_max`, `attempts_max`, `age_secs_max`",
            ],
        ),
    ]);
}

#[test]
fn callback_key_with_a_mistake() {
    check(&[
        (r#"receiver.keys = [{ kye = "a" }]"#, &["1: receiver.keys[0].kye: unknown key; did you mean `key`?"]),
        (
            r#"receiver.keys = [{ other = "a" }]"#,
            &["1: receiver.keys[0]: this table has an unknown key; use one of `key`, `domains`"],
        ),
        ("receiver.keys = [{ domains = [] }]", &["1: receiver.keys[0].key: is missing"]),
        (
            r#"receiver.keys = [{ key = "a", domains = ["a/b"] }]"#,
            &[r#"1: receiver.keys[0].domains[0] = "a/b": is not a domain name: give it without scheme, port and path"#],
        ),
        (r#"receiver.keys = "a""#, &["1: receiver.keys: must be a list in square brackets, [ ]"]),
        ("admin.token = 5", &["1: admin.token: must be a text in quotes"]),
    ]);
}
