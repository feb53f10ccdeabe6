//! Where each value comes from, which of them wins, and that no secret is shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::sources::without_dots;
use super::{Config, DATA_DIR_DEFAULT, Mistakes, Overrides, SecretText, Summary, Surroundings};
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
pub(super) fn keyed(text: &str) -> Result<Config, Mistakes> {
    load(text, &Given::default().variable("LIVEHOOK_KEYS", KEY), &Overrides::default())
}

/// What is told of each mistake, with its line.
pub(super) fn told(mistakes: &Mistakes) -> Vec<String> {
    mistakes
        .to_string()
        .lines()
        .skip(1)
        .map(|line| line.trim_start().trim_start_matches("a.toml:").to_owned())
        .collect()
}

#[test]
fn missing_key_lists_every_way_to_give_one() {
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
fn mistakes_come_in_the_order_of_the_file() {
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
  a.toml:6: receiver.health_path = "x": must begin with / and hold only characters that are allowed in the path of a URL, without ? and #
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
fn flags_override_variables_and_the_file() {
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
fn mistake_in_a_flag_names_the_flag() {
    let overrides = Overrides { admin_listen: Some("0.0.0.0:9".to_owned()), ..Overrides::default() };
    let given = Given::default().variable("LIVEHOOK_KEYS", KEY);
    let mistakes = load("[admin]\nlisten = \"127.0.0.1:9\"", &given, &overrides).unwrap_err();
    let told = told(&mistakes);
    assert!(told[0].starts_with("--admin-listen = 0.0.0.0:9: can be reached"), "{told:?}");
}

#[test]
fn keys_of_all_sources_add_up() {
    let given = Given::default()
        .variable("LIVEHOOK_KEYS", "variable-key-of-letters, other-variable-key")
        .variable("LIVEHOOK_KEYS_FILE", "b")
        .file("a", "\u{feff}\u{20}first-file-key-of-letters \n\n#no-key-at-all-this-is\n")
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
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://a:hunter2@b/\"",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"hunter2\"",
        "[[sinks]]\nname = \"a\"\ntype = \"command\"\nprogram = \"x\"\nenvironment = \"X=hunter2\"",
        "[[sinks]]\nname = \"a\"\ntype = \"command\"\nprogram = \"x\"\nenvironment = { LIVEHOOK_EVENT_ID = \"hunter2\" }",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nsecrets = [\"hunter2\"]",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nsecrets = \"hunter2\"",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nsecret = \"hunter2\"",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nheaders = \"X: hunter2\"",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nheaders = { Host = \"hunter2\" }",
        "[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nheaders = { X = [\"hunter2\"] }",
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
    assert!(!format!("{config:?} {}", Summary(&config)).contains("hunter2"));
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
fn short_token_on_a_public_address_warns() {
    for (listen, token, warns) in [
        ("0.0.0.0:9090", "fifteen-letters", true),
        ("0.0.0.0:9090", "sixteen--letters", false),
        ("127.0.0.1:9090", "fifteen-letters", false),
    ] {
        let config = keyed(&format!("[admin]\nlisten = \"{listen}\"\ntoken = \"{token}\"")).unwrap();
        let expected = "admin.token: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one";
        assert_eq!(config.warnings, if warns { vec![expected] } else { Vec::new() }, "{listen} {token}");
    }
}

#[test]
fn verifier_gets_the_receivers_options() {
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
        Summary(&config.unwrap()).to_string(),
        "receiver        http://0.0.0.0:8080/callback
health          http://0.0.0.0:8080/up
admin           http://127.0.0.1:9090, this machine only, no token
data directory  livehook-data
callback keys   1
sink archive    file to events.jsonl, types push, stop; domains *.a.com; streams room-*
sink out        log, every event"
    );
    let open = keyed("[admin]\nlisten = \"0.0.0.0:9090\"\ntoken = \"sixteen-letters!\"").unwrap();
    assert!(Summary(&open).to_string().contains("http://0.0.0.0:9090, with a token"));
}

#[test]
fn process_knows_a_file_by_any_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    std::fs::write(&path, "receiver.keys = [\"sixteen-letters!\"]\nshutdown_grace_secs = 9").unwrap();
    let config = Config::find(Some(&path), &Overrides::default(), &super::Process).unwrap();
    assert_eq!(config.shutdown_grace_secs, 9);

    let absent = directory.path().join("absent.toml");
    let mistakes = Config::find(Some(&absent), &Overrides::default(), &super::Process).unwrap_err().to_string();
    assert!(mistakes.contains("--config = \"") && mistakes.contains("cannot be read: No such file"), "{mistakes}");

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let canonical = |path: PathBuf| super::Process.canonical(&path);
    assert_eq!(canonical(link.join("a.toml")), canonical(path));
    assert_eq!(canonical(link.join("new/file")), canonical(directory.path().join("new/./file")));
}

#[test]
fn file_comes_from_the_flag_or_the_variable() {
    let given = Given::default().variable("LIVEHOOK_KEYS", KEY).file("a.toml", "receiver.path = \"/a\"");
    let given = given.file("b.toml", "receiver.path = \"/b\"");
    let path = |flag: Option<&str>, given: &Given| {
        let config = Config::find(flag.map(Path::new), &Overrides::default(), given);
        config.map(|config| config.receiver.path.to_string()).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(path(None, &given), Ok("/callback".to_owned()));
    let given = given.variable("LIVEHOOK_CONFIG", "a.toml");
    assert_eq!(path(None, &given), Ok("/a".to_owned()));
    assert_eq!(path(Some("b.toml"), &given), Ok("/b".to_owned()));
    let told = path(Some("c.toml"), &given).unwrap_err();
    assert!(told.contains("--config = \"c.toml\": cannot be read: no such file"), "{told}");
    let told = path(None, &given.variable("LIVEHOOK_CONFIG", "d.toml")).unwrap_err();
    assert!(told.contains("LIVEHOOK_CONFIG = \"d.toml\": cannot be read: no such file"), "{told}");
}

#[test]
fn admin_address_is_found_despite_mistakes() {
    let listen = |given: &Given| {
        let listen = Config::find_admin_listen(None, given);
        listen.map(|address| address.to_string()).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(listen(&Given::default()), Ok("127.0.0.1:9090".to_owned()));
    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let given = given.file("a.toml", "unknown = 1\n[admin]\ntoken = \"\"\nlisten = \"0.0.0.0:9191\"");
    assert_eq!(listen(&given), Ok("0.0.0.0:9191".to_owned()));
    let given = given.variable("LIVEHOOK_ADMIN_LISTEN", "[::1]:9292");
    assert_eq!(listen(&given), Ok("[::1]:9292".to_owned()));
    let told = listen(&given.variable("LIVEHOOK_ADMIN_LISTEN", "9090")).unwrap_err();
    assert!(told.contains("LIVEHOOK_ADMIN_LISTEN"), "{told}");
    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml").file("a.toml", "admin.listen = \"x\"");
    let told = listen(&given).unwrap_err();
    assert!(told.contains("admin.listen = \"x\""), "{told}");
}

#[test]
fn data_dir_is_found_despite_mistakes() {
    let data = |flag: Option<&str>, given: &Given| {
        let found = Config::find_data(None, flag.map(Path::new), given).map_err(|mistakes| mistakes.to_string())?;
        Ok::<_, String>((found.data_dir.display().to_string(), found.index.map(|index| index.bridge_gap_secs)))
    };
    assert_eq!(data(None, &Given::default()), Ok((DATA_DIR_DEFAULT.to_owned(), None)));
    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let of_file = given.file("a.toml", "unknown = 1\ndata_dir = \"d\"\n[index]\nbridge_gap_secs = 5");
    assert_eq!(data(None, &of_file), Ok(("d".to_owned(), Some(5))));
    assert_eq!(data(Some("e"), &of_file), Ok(("e".to_owned(), Some(5))));
    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let told = data(None, &given.file("a.toml", "[index]\nbridge_gap_secs = \"x\"\nbridge_gap = 5")).unwrap_err();
    assert!(told.contains("index.bridge_gap_secs") && told.contains("index.bridge_gap: "), "{told}");
}

#[test]
fn token_is_found_and_never_shown() {
    let admin = |given: &Given| Config::find_admin(None, given).map_err(|mistakes| mistakes.to_string());
    assert_eq!(admin(&Given::default()).unwrap().token, None);
    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let of_file = given.file("a.toml", "unknown = 1\n[admin]\nlisten = \"127.0.0.1:5\"\ntoken = \"hunter22\"");
    let found = admin(&of_file).unwrap();
    assert!(found.token.as_ref().unwrap().matches(b"hunter22") && found.listen.port() == 5);
    assert!(!format!("{found:?}").contains("hunter22"));
    let of_variable = of_file.variable("LIVEHOOK_ADMIN_TOKEN", "of-the-variable");
    assert!(admin(&of_variable).unwrap().token.unwrap().matches(b"of-the-variable"));

    let given = Given::default().variable("LIVEHOOK_CONFIG", "a.toml").file("a.toml", "admin.token_file = \"t\"");
    assert!(admin(&given).unwrap_err().contains("admin.token_file = \"t\": cannot be read"));
    assert!(admin(&given.file("t", "hunter22\n")).unwrap().token.unwrap().matches(b"hunter22"));
    let given = Given::default().variable("LIVEHOOK_ADMIN_TOKEN", "hunter22 spaced");
    let told = admin(&given).unwrap_err();
    assert!(told.contains("token") && !told.contains("hunter22"), "{told}");
}

const WEBHOOK: &str = "[[sinks]]\nname = \"my-hook\"\ntype = \"http\"\nurl = \"https://me.example/x?key=hunter2\"\n";

#[test]
fn sink_secrets_of_all_sources_add_up() {
    let secrets: Vec<String> =
        [1, 2].map(|byte| sink::http::WebhookSecret::from_bytes(&[byte; 24]).unwrap().reveal()).into();
    let given = Given::default()
        .variable("LIVEHOOK_KEYS", "0123456789abcdef")
        .variable("LIVEHOOK_SINK_MY_HOOK_SECRETS", &secrets[0])
        .variable("LIVEHOOK_SINK_OTHER_SECRETS", "of another")
        .file("f", &secrets[1]);
    let config = load(&format!("{WEBHOOK}secrets_file = \"f\""), &given, &Overrides::default()).unwrap();
    let sink::Options::Http(options) = &config.sinks[0].sink else { panic!() };
    assert_eq!(options.secrets.len(), 2);
    assert_eq!(config.warnings, [""; 0]);
    let shown = format!("{config:?} {}", Summary(&config));
    assert!(!shown.contains("whsec_") && !shown.contains("hunter2") && shown.contains("http to https://me.example/x,"));

    let unsigned = keyed(WEBHOOK).unwrap();
    assert!(unsigned.warnings[0].starts_with("the sink `my-hook`: there is no secret"), "{:?}", unsigned.warnings);

    let wrong = Given::default().variable("LIVEHOOK_SINK_MY_HOOK_SECRETS", "hunter2");
    let mistakes = load(WEBHOOK, &wrong.variable("LIVEHOOK_KEYS", "k"), &Overrides::default()).unwrap_err();
    assert_eq!(
        told(&mistakes),
        [
            "1: sinks[0].secrets: LIVEHOOK_SINK_MY_HOOK_SECRETS: must be `whsec_` and base64 of 24 to 64 bytes; `livehook keygen --webhook` makes one"
        ]
    );
}
