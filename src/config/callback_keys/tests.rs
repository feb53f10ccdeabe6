use crate::callback::CallbackKey;
use crate::config::testing::World;
use crate::config::{Config, Overrides};

#[test]
fn missing_key_shows_how_to_make_one() {
    let mistakes = Config::load(None, &Overrides::default(), &World::default()).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "the configuration has a mistake:\n  receiver.keys: no callback key is set; make one with `livehook keygen`, enter it in your CSS callback template, and set it as LIVEHOOK_KEYS, `receiver.keys` or `receiver.keys_file`. To try livehook out: --key test"
    );
    let config = World::default().load("receiver.allow_unsigned = true").unwrap();
    assert_eq!(
        config.warnings,
        ["receiver.allow_unsigned: no callback key is set, so livehook accepts unverified callbacks from everyone"]
    );
    assert!(config.verifier.allow_unsigned && config.verifier.keys.is_empty());
}

#[test]
fn keys_of_all_sources_add_up() {
    let given = World::default()
        .variable("LIVEHOOK_KEYS", "variable-key-of-letters, other-variable-key")
        .variable("LIVEHOOK_KEYS_FILE", "b")
        .file("a", "\u{feff}\u{20}first-file-key-of-letters \n\n#no-key-at-all-this-is\n")
        .file("b", "second-file-key-of-letters\r\nfile-key-of-many-letters\r\n");
    let overrides =
        Overrides { keys: vec!["flag-key-of-letters".into(), "other-variable-key".into()], ..Overrides::default() };
    let text = "receiver.keys_file = \"a\"\nreceiver.keys = [\"file-key-of-many-letters\", { key = \"limited-key-of-letters\", domains = [\"a.com\"] }, \"short\"]";
    let config = given.load_with(text, &overrides).unwrap();
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
