use crate::config::testing::{load, mistakes_in};

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
