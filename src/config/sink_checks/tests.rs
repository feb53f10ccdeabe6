use crate::config::testing::{World, lines, load, mistakes_in, sink};

#[test]
fn file_of_two_sinks() {
    let twice = |first: &str, second: &str| {
        let sink = |name, path| format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{path}\"\n");
        format!("{}{}", sink("a", first), sink("b", second))
    };
    for second in ["a/events", "./a/events", "a//events", "b/../a/./events", "/current/a/events"] {
        let expected = format!(
            r#"8: sinks[1].path = "{second}": sinks[0] writes the same file, and the two sinks would break each other's lines; choose another file"#
        );
        assert_eq!(mistakes_in(&twice("a/events", second)), [expected]);
    }
    assert!(load(&twice("a/events", "b/events")).is_ok());
    for own in
        ["livehook-data/journal.db", "livehook-data/journal.db-wal", "./livehook-data/../livehook-data/livehook.lock"]
    {
        let expected = format!(
            r#"4: sinks[0].path = "{own}": livehook itself uses this file in `data_dir`; choose another name or directory"#
        );
        assert_eq!(mistakes_in(&twice(own, "b")), [expected]);
    }
    assert!(load(&twice("livehook-data/events.jsonl", "journal.db")).is_ok());
}

#[test]
fn file_that_livehook_reads() {
    let given = World::with_key()
        .file("keys", "sixteen-letters-1")
        .file("variable-keys", "sixteen-letters-2")
        .file("token", "sixteen-letters-3")
        .file("secret", "https://b/")
        .file("directory/x", "")
        .variable("LIVEHOOK_KEYS_FILE", "variable-keys");
    let common = "receiver.keys_file = \"keys\"\nadmin.token_file = \"token\"\n";
    let http = "[[sinks]]\nname = \"b\"\ntype = \"http\"\nurl_file = \"secret\"\nca_file = \"ca.pem\"\nsecrets_file = \"whsec\"";
    let given = given.file("whsec", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let read =
        "livehook reads its configuration or a secret from this file, and events would spoil it; choose another file";
    for (path, rule) in [
        ("a.toml", read),
        ("./keys", read),
        ("variable-keys", read),
        ("token", read),
        ("secret", read),
        ("whsec", read),
        ("ca.pem", read),
        ("livehook-data", "this is `data_dir` or a directory above it; give the path of a file"),
        ("/current", "this is `data_dir` or a directory above it; give the path of a file"),
        (
            "livehook-data/livehook.space.1",
            "livehook itself uses this file in `data_dir`; choose another name or directory",
        ),
    ] {
        let mistakes =
            given.load(&format!("{common}{}{http}", sink("file", &format!("path = \"{path}\"")))).unwrap_err();
        assert_eq!(lines(&mistakes), [format!("6: sinks[0].path = \"{path}\": {rule}")]);
    }
    let warnings = |path: &str| given.load(&format!("{common}{}{http}", sink("file", path))).unwrap().warnings;
    assert_eq!(warnings("path = \"directory/events\""), [""; 0]);
    let directory = "sinks[0].path: directory is a directory, so events wait; give the path of a file";
    assert_eq!(warnings("path = \"directory\""), [directory]);
}
