use super::overlap;
use crate::config::testing::{World, check, lines, load};

#[test]
fn value_out_of_range() {
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
            "[journal]\nsize_bytes_max = \"10GB\"",
            &[
                r#"2: journal.size_bytes_max = "10GB": must be a whole number of bytes without quotes, at least 16777216"#,
            ],
        ),
        (
            "[receiver]\nbodies_bytes_max = 262143",
            &["2: receiver.bodies_bytes_max = 262143: must be at least `receiver.body_bytes_max`, which is 262144"],
        ),
    ]);
    let mistakes = load(
        "[journal]\nretention_days = 0\nsize_bytes_max = 16777215\ndedupe_ids_max = 999\nqueue_events_max = 511\n",
    );
    assert_eq!(
        lines(&mistakes.unwrap_err()),
        [
            "1: journal.batch_events_max = 512: must be at most `journal.queue_events_max`, which is 511",
            "2: journal.retention_days = 0: must be from 1 to 36500",
            "3: journal.size_bytes_max = 16777215: must be at least 16777216",
            "4: journal.dedupe_ids_max = 999: must be from 1000 to 100000000",
        ]
    );
}

#[test]
fn keys_that_contradict_each_other() {
    check(&[
        (
            "[receiver]\nleeway_secs = 3001",
            &[
                "journal.dedupe_window_secs = 3600: must be at least 3601, which is `receiver.leeway_secs` + 600; CSS can repeat a callback while its signature is valid, and livehook would store it twice",
            ],
        ),
        (
            "[receiver]\npath = \"callback\"\nhealth_path = \"/a?b\"",
            &[
                r#"2: receiver.path = "callback": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #"#,
                r#"3: receiver.health_path = "/a?b": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #"#,
            ],
        ),
        (
            "[receiver]\npath = \"/{id}\"",
            &[
                r#"2: receiver.path = "/{id}": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #"#,
            ],
        ),
        (
            "[receiver]\nhealth_path = \"/callback\"",
            &[
                r#"2: receiver.health_path = "/callback": must differ from `receiver.path`; choose another path, such as "/health""#,
            ],
        ),
        (
            "[receiver]\nclient_address_header = \"X Real IP\"\nredact_parameters = [\"\", \"a=b\"]",
            &[
                r#"2: receiver.client_address_header = "X Real IP": must be the name of an HTTP header; for example X-Forwarded-For"#,
                "3: receiver.redact_parameters[0] = \"\": must be the name of a parameter, such as \"token\"; write only the part before the =, without white space, & ? # % \" and \\",
                "3: receiver.redact_parameters[1] = \"a=b\": must be the name of a parameter, such as \"token\"; write only the part before the =, without white space, & ? # % \" and \\",
            ],
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:8080\"",
            &[
                "2: admin.listen = 127.0.0.1:8080: `receiver.listen` uses this port already ([::]:8080); choose another port",
            ],
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:9090\"",
            &[
                "2: admin.listen = 0.0.0.0:9090: other machines can reach this address, so it needs a token; set `admin.token`, `admin.token_file` or LIVEHOOK_ADMIN_TOKEN (`livehook keygen` makes a token), or listen on 127.0.0.1",
            ],
        ),
        (
            "[admin]\ntoken = \"abc\"\ntoken_file = \"x\"",
            &[r#"3: admin.token_file: `admin.token` is set too; remove one of the two"#],
        ),
        (
            "[admin]\nallowed_hosts = [\"http://a\", \"b.example\"]",
            &[
                r#"2: admin.allowed_hosts[0] = "http://a": must be a host name, such as "livehook.example.com"; write it without scheme, port and path"#,
            ],
        ),
    ]);
}

#[test]
fn short_token_warns_on_every_address() {
    for (listen, token, warns) in [
        ("0.0.0.0:9090", "fifteen-letters", true),
        ("0.0.0.0:9090", "sixteen--letters", false),
        ("127.0.0.1:9090", "fifteen-letters", true),
    ] {
        let config = load(&format!("[admin]\nlisten = \"{listen}\"\ntoken = \"{token}\"")).unwrap();
        let expected = "admin.token: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one";
        assert_eq!(config.warnings, if warns { vec![expected] } else { Vec::new() }, "{listen} {token}");
    }
}

#[test]
fn wide_address_overlaps_a_narrow_one() {
    for (first, second, expected) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "127.0.0.1:9090", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
        ("0.0.0.0:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "[::]:8080", true),
        ("0.0.0.0:8080", "[::1]:8080", false),
        ("127.0.0.1:8080", "127.0.0.2:8080", false),
    ] {
        assert_eq!(overlap(first.parse().unwrap(), second.parse().unwrap()), expected, "{first} {second}");
    }
}

#[test]
fn broad_trust_warns() {
    let text = "[receiver]\ntrusted_proxies = [\"10.0.0.0/8\", \"::ffff:0:0/96\"]\nallowed_addresses = [\"::/0\", \"192.0.2.0/24\"]\nallowed_domains = [\"*.com\", \"*.a.com\"]\nunsigned_event_types = [\"push\", 314]\nkeys = [{ key = \"another-key-of-letters\", domains = [\"*.org\"] }]";
    assert_eq!(
        load(text).unwrap().warnings,
        [
            "receiver.trusted_proxies: 0.0.0.0/0 holds clients too, and livehook believes what they say about their address; list only the addresses of your proxies",
            "receiver.allowed_addresses: ::/0 holds the addresses of strangers; list smaller networks, or remove the list to accept every address",
            "receiver.keys[0]: *.org matches the domains of strangers too; list your own domains",
            "receiver.allowed_domains: *.com matches the domains of strangers too; list your own domains",
            "receiver.unsigned_event_types: CSS signs every event of the type push, so only forged ones come without a signature; remove it",
        ]
    );
}

#[test]
fn data_dir_must_be_a_directory() {
    let given = World::with_key().file("file", "").file("directory/x", "");
    let mistake = |path: &str| lines(&given.load(&format!("data_dir = \"{path}\"")).unwrap_err());
    assert_eq!(mistake("file"), ["1: data_dir = \"file\": is a file, not a directory; choose another path"]);
    assert_eq!(
        mistake("file/a/b"),
        ["1: data_dir = \"file/a/b\": cannot be made, because /current/file is a file; choose another path"]
    );
    for path in ["directory", "directory/new", "new/directory"] {
        given.load(&format!("data_dir = \"{path}\"")).unwrap();
    }
    let given = World::with_key().file("file", "").variable("LIVEHOOK_DATA_DIR", "file");
    let mistakes = given.load("").unwrap_err();
    assert_eq!(lines(&mistakes), ["LIVEHOOK_DATA_DIR = \"file\": is a file, not a directory; choose another path"]);
}
