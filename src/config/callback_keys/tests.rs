use crate::callback::CallbackKey;
use crate::config::testing::{World, check, lines, load};
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
    assert_eq!(config.verifier.keys[1].domains.as_ref().unwrap().len(), 1);
    assert!(config.receiver.keys.is_empty());
    assert_eq!(
        config.warnings,
        [
            "receiver.keys[2]: the callback key has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one"
        ]
    );
}

/// A key with an empty list has lost its last domain. It must not become a key for every domain.
#[test]
fn empty_domains_of_a_key_are_a_mistake() {
    check(&[
        (
            "[receiver]\nkeys = [\"first-of-the-keys\",\n { key = \"limited-key-of-letters\", domains = [] }]",
            &[
                "3: receiver.keys[1].domains: is an empty list, so the key would sign for no domain; list the domains of the key, or remove `domains` to let it sign for every domain",
            ],
        ),
        // The domain is the mistake here, and not that the list is empty without it.
        (
            "[receiver]\nkeys = [{ key = \"limited-key-of-letters\", domains = [\"a b\"] }]",
            &["2: receiver.keys[0].domains[0] = \"a b\": is not a domain name: give it without scheme, port and path"],
        ),
        // The position counts the elements with mistakes too.
        (
            "[receiver]\nkeys = [\"a b\",\n\"x\", { key = \"limited-key-of-letters\", domains = [] }]",
            &[
                "2: receiver.keys[0]: the key holds white space or a control character: remove it",
                "3: receiver.keys[2].domains: is an empty list, so the key would sign for no domain; list the domains of the key, or remove `domains` to let it sign for every domain",
            ],
        ),
    ]);
}

#[test]
fn same_key_with_other_domains_is_a_mistake() {
    let cure = "give the key once, with all its domains";
    let limited = "receiver.keys = [{ key = \"sixteen-letters!\", domains = [\"a.com\", \"b.com\"] }";
    for (more, expected) in [
        (
            "]",
            format!(
                "LIVEHOOK_KEYS: this is the same key as receiver.keys[0], but for every domain instead of a.com, b.com; {cure}"
            ),
        ),
        (
            ", { key = \"sixteen-letters!\", domains = [\"*.a.com\"] }]",
            format!(
                "1: receiver.keys[1]: this is the same key as receiver.keys[0], but for *.a.com instead of a.com, b.com; {cure}"
            ),
        ),
    ] {
        let mistakes = load(&format!("{limited}{more}")).unwrap_err();
        assert!(lines(&mistakes).contains(&expected), "{mistakes}");
    }
    let same = ", { key = \"sixteen-letters!\", domains = [\"B.com\", \"a.com\"] }]";
    assert_eq!(World::default().load(&format!("{limited}{same}")).unwrap().verifier.keys.len(), 1);
}

#[test]
fn empty_list_of_keys_is_one_mistake() {
    let none =
        "LIVEHOOK_KEYS: is set, but holds no key; give the key of your callback template, or remove the variable";
    let surplus =
        "LIVEHOOK_KEYS: a key before or after a comma is empty; remove the surplus comma, or add the missing key";
    for (keys, expected) in
        [("", none), (",,", none), (" , ", none), ("sixteen-letters!,,", surplus), (",sixteen-letters!", surplus)]
    {
        assert_eq!(
            lines(&World::default().variable("LIVEHOOK_KEYS", keys).load("").unwrap_err()),
            [expected],
            "{keys}"
        );
    }
}
