//! The tables of mistakes, and where each value comes from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::sources::without_dots;
use super::{Config, Mistakes, Overrides, SecretText, Surroundings};
use crate::callback::CallbackKey;
use crate::sink;
use crate::telemetry::{Format, Level};

/// Surroundings that are given by the test.
#[derive(Default)]
pub(super) struct Given {
    variables: BTreeMap<&'static str, OsString>,
    files: BTreeMap<PathBuf, String>,
}

impl Given {
    fn variable(mut self, name: &'static str, text: &str) -> Given {
        self.variables.insert(name, text.into());
        self
    }

    fn file(mut self, path: &str, text: &str) -> Given {
        self.files.insert(path.into(), text.to_owned());
        self
    }
}

impl Surroundings for Given {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        without_dots(&Path::new("/current").join(path))
    }
}

const KEY: &str = "sixteen-letters!";

fn load(text: &str, given: &Given, overrides: &Overrides) -> Result<Config, Mistakes> {
    Config::load(Some((Path::new("a.toml"), text)), overrides, given)
}

/// Loads a text whose keys come from a variable.
fn keyed(text: &str) -> Result<Config, Mistakes> {
    load(text, &Given::default().variable("LIVEHOOK_KEYS", KEY), &Overrides::default())
}

/// What is told of each mistake, with its line.
fn told(mistakes: &Mistakes) -> Vec<String> {
    mistakes
        .to_string()
        .lines()
        .skip(1)
        .map(|line| line.trim_start().trim_start_matches("a.toml:").to_owned())
        .collect()
}

fn check(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        match keyed(text) {
            Ok(_) => panic!("no mistake was found in {text}"),
            Err(mistakes) => assert_eq!(told(&mistakes), *expected, "{text}"),
        }
    }
}

#[test]
fn a_value_of_the_wrong_form_is_told_in_plain_words() {
    check(&[
        (
            "[receiver]\nleeway_secs = \"ten\"",
            &["2: receiver.leeway_secs = \"ten\": must be a whole number from 0 to 4294967295"],
        ),
        (
            "[receiver]\nleeway_secs = -1",
            &["2: receiver.leeway_secs = -1: must be a whole number from 0 to 4294967295"],
        ),
        ("[receiver]\nbody_bytes_max = 1.5", &["2: receiver.body_bytes_max = 1.5: must be a whole number, 0 or more"]),
        (
            "[receiver]\nbody_bytes_max = 2020-01-01",
            &["2: receiver.body_bytes_max = 2020-01-01: must be a whole number, 0 or more"],
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
                "2: receiver.trusted_proxies[1] = \"proxy\": `proxy` is no network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8",
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
fn an_unknown_key_is_told_at_every_depth_with_what_was_meant() {
    check(&[
        ("[reciever]\nlisten = \"x\"", &["1: reciever: there is no such key; did you mean `receiver`?"]),
        (
            "colour = 1",
            &[
                "1: colour: there is no such key; what can be set here is `data_dir`, `shutdown_grace_secs`, `receiver`, `admin`, `journal`, `log`, `sinks`",
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
                "1: sinks[0].type: is missing; give one of `log`, `file`",
            ],
        ),
        (
            "[[sinks]]\nname = \"A b\"\ntype = \"flie\"",
            &[
                "2: sinks[0].name = \"A b\": must be 1 to 64 of the characters a-z, 0-9, - and _",
                "3: sinks[0].type = \"flie\": must be one of `log`, `file`; did you mean `file`?",
            ],
        ),
        ("[[sinks]]\nname = \"a\"\ntype = 1", &["3: sinks[0].type = 1: must be one of `log`, `file`"]),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\nstart = \"soon\"",
            &["1: sinks[0].path: is missing", "4: sinks[0].start = \"soon\": must be one of `now`, `earliest`"],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"file\"\npath = \"\"\ngzip = 1",
            &[
                "4: sinks[0].path = \"\": must name a file",
                "5: sinks[0].gzip = 1: must be true or false, without quotes",
            ],
        ),
        (
            "[[sinks]]\nname = \"a\"\ntype = \"log\"\n[[sinks]]\nname = \"a\"\ntype = \"log\"",
            &["5: sinks[1].name = \"a\": is the name of sinks[0] too; give each sink a name of its own"],
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
fn two_sinks_on_one_file_are_told_however_it_is_written() {
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
                "2: receiver.path = \"callback\": must begin with / and hold only what a URL's path may, without ? and #",
                "3: receiver.health_path = \"/a?b\": must begin with / and hold only what a URL's path may, without ? and #",
            ],
        ),
        (
            "[receiver]\npath = \"/{id}\"",
            &["2: receiver.path = \"/{id}\": must begin with / and hold only what a URL's path may, without ? and #"],
        ),
        (
            "[receiver]\nhealth_path = \"/callback\"",
            &["2: receiver.health_path = \"/callback\": must differ from `receiver.path`"],
        ),
        (
            "[receiver]\nclient_address_header = \"X Real IP\"\nredact_parameters = [\"\"]",
            &[
                "2: receiver.client_address_header = \"X Real IP\": must be the name of an HTTP header; for example X-Forwarded-For",
                "3: receiver.redact_parameters[0] = \"\": must be the name of a parameter",
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
fn without_any_key_every_way_to_give_one_is_told() {
    let mistakes = Config::load(None, &Overrides::default(), &Given::default()).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "the configuration has a mistake:\n  receiver.keys: there is no callback key, so no callback could be verified; give the key of your CSS callback template (or set one there that `livehook keygen` makes) by --key, LIVEHOOK_KEYS, LIVEHOOK_KEYS_FILE, `receiver.keys` or `receiver.keys_file`; only to try livehook out, `receiver.allow_unsigned = true` accepts anything from anybody"
    );
    let config = load("receiver.allow_unsigned = true", &Given::default(), &Overrides::default()).unwrap();
    assert_eq!(
        config.warnings,
        ["receiver.allow_unsigned: there is no callback key, so anything from anybody is accepted unverified"]
    );
    assert!(config.verifier.allow_unsigned && config.verifier.keys.is_empty());
}

#[test]
fn mistakes_of_all_sources_are_told_at_once_in_the_order_of_the_file() {
    let given = Given::default()
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
    let mistakes = load(text, &given, &overrides).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        r#"the configuration has 12 mistakes:
  a.toml:2: log.colour: there is no such key; what can be set here is `level`, `format`
  a.toml:5: receiver.keys[0]: the key is empty: set the one of your callback template, or make one with `livehook keygen`
  a.toml:5: receiver.keys[1]: the key holds white space or a control character: remove it
  a.toml:5: receiver.keys[2]: must be a key, or { key = "...", domains = ["push.example.com"] }
  a.toml:6: receiver.health_path = "x": must begin with / and hold only what a URL's path may, without ? and #
  LIVEHOOK_LOG_LEVEL = "loud": must be one of `error`, `warn`, `info`, `debug`, `trace`
  LIVEHOOK_ADMIN_TOKEN: the token holds characters other than visible ASCII: make one with `livehook keygen`
  --listen = "8080": must be an IP address and a port, such as "127.0.0.1:8080"
  --log-format = "xml": must be one of `text`, `json`
  LIVEHOOK_KEYS: the key is empty: set the one of your callback template, or make one with `livehook keygen`
  LIVEHOOK_KEYS_FILE = "keys": line 4: the key holds white space or a control character: remove it
  --key: the key is the placeholder of the example file: make one with `livehook keygen`"#
    );
}

#[test]
fn flags_win_over_variables_and_these_over_the_file() {
    let text = "data_dir = \"file\"\n[receiver]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:2\"\ntoken = \"file\"\n[log]\nlevel = \"error\"";
    let config = keyed(text).unwrap();
    assert_eq!(config.data_dir, Path::new("file"));
    assert_eq!(config.receiver.listen.port(), 1);
    assert_eq!(config.admin.listen.port(), 2);
    assert!(config.admin.token.unwrap().matches(b"file"));
    assert_eq!(config.log.level, Level::Error);

    let given = Given::default()
        .variable("LIVEHOOK_KEYS", KEY)
        .variable("LIVEHOOK_DATA_DIR", "variable")
        .variable("LIVEHOOK_LISTEN", "127.0.0.1:3")
        .variable("LIVEHOOK_ADMIN_LISTEN", "127.0.0.1:4")
        .variable("LIVEHOOK_ADMIN_TOKEN", "variable")
        .variable("LIVEHOOK_LOG_LEVEL", "debug")
        .variable("LIVEHOOK_LOG_FORMAT", "json")
        .variable("LIVEHOOK_SERVICE_PORT", "tcp://10.0.0.1:80");
    let config = load(text, &given, &Overrides::default()).unwrap();
    assert_eq!(config.data_dir, Path::new("variable"));
    assert_eq!(config.receiver.listen.port(), 3);
    assert_eq!(config.admin.listen.port(), 4);
    assert!(config.admin.token.unwrap().matches(b"variable"));
    assert_eq!((config.log.level, config.log.format), (Level::Debug, Format::Json));

    let overrides = Overrides {
        data_dir: Some("flag".into()),
        listen: Some("127.0.0.1:5".to_owned()),
        admin_listen: Some("127.0.0.1:6".to_owned()),
        keys: Vec::new(),
        log_level: Some("trace".to_owned()),
        log_format: Some("text".to_owned()),
    };
    let config = load(text, &given, &overrides).unwrap();
    assert_eq!(config.data_dir, Path::new("flag"));
    assert_eq!(config.receiver.listen.port(), 5);
    assert_eq!(config.admin.listen.port(), 6);
    assert_eq!((config.log.level, config.log.format), (Level::Trace, Format::Text));
}

#[test]
fn a_rule_broken_by_a_flag_names_the_flag_and_no_line() {
    let overrides = Overrides { admin_listen: Some("0.0.0.0:9".to_owned()), ..Overrides::default() };
    let given = Given::default().variable("LIVEHOOK_KEYS", KEY);
    let mistakes = load("[admin]\nlisten = \"127.0.0.1:9\"", &given, &overrides).unwrap_err();
    let told = told(&mistakes);
    assert!(told[0].starts_with("--admin-listen = 0.0.0.0:9: can be reached"), "{told:?}");
}

#[test]
fn keys_of_all_sources_add_up_and_one_given_twice_counts_once() {
    let given = Given::default()
        .variable("LIVEHOOK_KEYS", "variable-key-of-letters, other-variable-key")
        .variable("LIVEHOOK_KEYS_FILE", "b")
        .file("a", "\u{20}first-file-key-of-letters \n\n#no-key-at-all-this-is\n")
        .file("b", "second-file-key-of-letters\r\nfile-key-of-many-letters\r\n");
    let overrides =
        Overrides { keys: vec!["flag-key-of-letters".into(), "other-variable-key".into()], ..Overrides::default() };
    let text = "receiver.keys_file = \"a\"\nreceiver.keys = [\"file-key-of-many-letters\", { key = \"limited-key-of-letters\", domains = [\"a.com\"] }, \"short\"]";
    let config = load(text, &given, &overrides).unwrap();
    let expected = [
        "file-key-of-many-letters",
        "limited-key-of-letters",
        "short",
        "first-file-key-of-letters",
        "variable-key-of-letters",
        "other-variable-key",
        "second-file-key-of-letters",
        "flag-key-of-letters",
    ]
    .map(|key| CallbackKey::new(key).unwrap());
    let keys: Vec<CallbackKey> = config.verifier.keys.iter().map(|key| key.key.clone()).collect();
    assert!(keys == expected, "{} keys", keys.len());
    assert_eq!(config.verifier.keys[1].domains.len(), 1);
    assert!(config.receiver.keys.is_empty());
    assert_eq!(
        config.warnings,
        [
            "receiver.keys[2]: the callback key has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one"
        ]
    );
}

#[test]
fn a_token_is_read_from_its_file() {
    let given = Given::default().variable("LIVEHOOK_KEYS", KEY).file("t", "abc\n");
    let config = load("[admin]\ntoken_file = \"t\"\nlisten = \"0.0.0.0:1\"", &given, &Overrides::default()).unwrap();
    assert!(config.admin.token.unwrap().matches(b"abc"));

    let given = Given::default().variable("LIVEHOOK_KEYS", KEY).file("t", "\n");
    let mistakes = load("[admin]\ntoken_file = \"t\"", &given, &Overrides::default()).unwrap_err();
    assert_eq!(told(&mistakes), ["2: admin.token_file = \"t\": the token is empty: make one with `livehook keygen`"]);
}

#[test]
fn no_secret_is_ever_shown() {
    for text in [
        "receiver.keys = \"hunter2\"",
        "receiver.keys = { a = \"hunter2\" }",
        "receiver.keys = { hunter2 = \"hunter2\" }",
        "receiver.keys = [[\"hunter2\"]]",
        "receiver.keys = [\"hunter2 \"]",
        "receiver.keys = [{ key = \"hunter2 \" }]",
        "receiver.keys = [{ key = [\"hunter2\"] }]",
        "receiver.keys = [{ kye = \"hunter2\" }]",
        "receiver.keys = [{ hunter2 = [\"a.com\"] }]",
        "receiver.keys = [{ key = \"hunter2\", domains = \"a.com\" }]",
        "receiver.keys = [{ key = \"hunter2\", domain = [\"a.com\"] }]",
        "receiver.kees = [\"hunter2\"]",
        "receiver.keys = [\"hunter2\", \"hunter2\"]\nnonsense = 1",
        "receiver = [\"hunter2\"]",
        "keys = [\"hunter2\"]",
        "admin.token = \"hunter2 \"",
        "admin.token = [\"hunter2\"]",
        "admin.token = { a = \"hunter2\" }",
        "admin.tokens = \"hunter2\"",
        "admin.token = \"hunter2\"\nadmin.token_file = \"x\"",
        "admin.token = \"hunter2",
        "admin.token = \"hunter2\" \"",
        "admin.token = hunter2",
        "[[sinks]]\nname = \"a\"\ntype = \"log\"\ntoken = \"hunter2\"",
    ] {
        let mistakes = keyed(text).unwrap_err();
        let told = format!("{mistakes} {mistakes:?}");
        assert!(!told.contains("hunter2"), "{text}: {mistakes}");
    }
    let given = Given::default()
        .variable("LIVEHOOK_KEYS", "hunter2,hunter2 x")
        .variable("LIVEHOOK_ADMIN_TOKEN", "hunter2 x")
        .variable("LIVEHOOK_KEYS_FILE", "f")
        .file("f", "hunter2 x");
    let overrides = Overrides { keys: vec![SecretText::from("hunter2 x")], ..Overrides::default() };
    let mistakes = load("", &given, &overrides).unwrap_err();
    assert_eq!(mistakes.iter().count(), 4, "{mistakes}");
    assert!(!format!("{mistakes} {mistakes:?} {overrides:?}").contains("hunter2"), "{mistakes}");

    let given = Given::default().variable("LIVEHOOK_ADMIN_TOKEN", "hunter2");
    let config = load("receiver.keys = [\"hunter2\"]", &given, &Overrides::default()).unwrap();
    assert!(!format!("{config:?} {}", config.summary()).contains("hunter2"));
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
fn a_mistake_is_one_line_whatever_is_in_the_value() {
    check(&[(
        "receiver.trusted_proxies = [\"a\\nb\\u001b[31m\"]",
        &[
            "1: receiver.trusted_proxies[0] = \"a\\nb\\u{1b}[31m\": `a\\nb\\u{1b}[31m` is no network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8",
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
fn text_that_is_no_toml_is_told_by_line_and_column() {
    let mistakes = keyed("data_dir = \"x\"\nlisten: 1\n").unwrap_err();
    let told = mistakes.to_string();
    assert!(told.starts_with("the configuration has a mistake:\n  a.toml:2: column "), "{told}");
}

#[test]
fn what_is_allowed_but_unwise_is_a_warning() {
    let config = keyed("[receiver]\nallow_unsigned = true\nanswer_timeout_secs = 20\nvalidity_secs_max = 599").unwrap();
    assert_eq!(
        config.warnings,
        [
            "receiver.allow_unsigned: has no effect, since there is a callback key; remove it",
            "receiver.validity_secs_max = 599: CSS stamps t 600 s ahead, so genuine callbacks will be refused; give at least 600, and some more for clocks that differ",
            "receiver.answer_timeout_secs = 20: CSS gives up after about 20 s and sends again, so a later answer is in vain; give less",
        ]
    );
}

#[test]
fn the_verifier_is_told_what_the_receiver_demands() {
    let config = keyed("[receiver]\nleeway_secs = 5\nvalidity_secs_max = 700\nunsigned_event_types = [314]\nallowed_appids = [7]\nallowed_domains = [\"a.com\"]\nredact_parameters = [\"p\"]").unwrap();
    let verifier = config.verifier;
    assert_eq!((verifier.leeway_secs, verifier.validity_secs_max), (5, Some(700)));
    assert_eq!(verifier.unsigned_event_types.len(), 1);
    assert_eq!(verifier.allowed_appids, [7]);
    assert_eq!(verifier.allowed_domains.len(), 1);
    assert_eq!(verifier.redact_parameters, ["p"]);
}

#[test]
fn without_a_sink_there_is_the_log() {
    for text in ["", "sinks = []"] {
        let config = keyed(text).unwrap();
        assert_eq!(config.sinks.len(), 1);
        assert_eq!(config.sinks[0].name.as_str(), "log");
        assert_eq!(config.sinks[0].sink, sink::Options::Log(sink::log::Options::default()));
    }
}

#[test]
fn the_summary_tells_where_everything_goes() {
    let config = keyed(
        "receiver.health_path = \"/up\"\n[admin]\ntoken = \"abc\"\n[[sinks]]\nname = \"archive\"\ntype = \"file\"\npath = \"events.jsonl\"\nfilter = { types = [\"push\", 0], domains = [\"*.A.com\"], streams = [\"room-*\"] }\n[[sinks]]\nname = \"out\"\ntype = \"log\"",
    );
    assert_eq!(
        config.unwrap().summary().to_string(),
        "receiver        http://0.0.0.0:8080/callback
health          http://0.0.0.0:8080/up
admin           http://127.0.0.1:9090, with a token
data directory  livehook-data
callback keys   1
sink archive    file to events.jsonl, types push, stop; domains *.a.com; streams room-*
sink out        log, every event"
    );
}

#[test]
fn the_process_reads_files_and_knows_a_file_by_any_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    std::fs::write(&path, "receiver.keys = [\"sixteen-letters!\"]\nshutdown_grace_secs = 9").unwrap();
    let config = Config::from_process(Some(&path), &Overrides::default()).unwrap();
    assert_eq!(config.shutdown_grace_secs, 9);

    let absent = directory.path().join("absent.toml");
    let mistakes = Config::from_process(Some(&absent), &Overrides::default()).unwrap_err().to_string();
    assert!(mistakes.contains("--config = \"") && mistakes.contains("cannot be read: No such file"), "{mistakes}");

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let canonical = |path: PathBuf| super::Process.canonical(&path);
    assert_eq!(canonical(link.join("a.toml")), canonical(path));
    assert_eq!(canonical(link.join("new/file")), canonical(directory.path().join("new/./file")));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_loading_panic_or_go_on_without_end(
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
