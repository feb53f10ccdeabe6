use std::path::Path;

use super::*;
use crate::config::testing::World;
use crate::config::{Config, Overrides};

#[test]
fn file_comes_from_the_flag_or_the_variable() {
    let given = World::with_key().file("a.toml", r#"receiver.path = "/a""#);
    let given = given.file("b.toml", r#"receiver.path = "/b""#);
    let path = |flag: Option<&str>, given: &World| {
        let config = Config::find(flag.map(Path::new), &Overrides::default(), given);
        config.map(|config| config.receiver.path.to_string()).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(path(None, &given), Ok("/callback".to_owned()));
    let given = given.variable("LIVEHOOK_CONFIG", "a.toml");
    assert_eq!(path(None, &given), Ok("/a".to_owned()));
    assert_eq!(path(Some("b.toml"), &given), Ok("/b".to_owned()));
    let message = path(Some("c.toml"), &given).unwrap_err();
    assert!(message.contains(r#"--config = "c.toml": cannot be read: no such file"#), "{message}");
    let message = path(None, &given.variable("LIVEHOOK_CONFIG", "d.toml")).unwrap_err();
    assert!(message.contains(r#"LIVEHOOK_CONFIG = "d.toml": cannot be read: no such file"#), "{message}");
}

#[test]
fn every_key_has_its_line() {
    let text = "a = 1\n\n[b]\nc = [\n  \"x\",\n  { d = 2 },\n]\n[[e]]\nf = 3\n[[e]]\nf = 4\n[e.g]\nh.i = 5\n";
    let document = parse(text).unwrap();
    for (key, line) in [
        ("a", 1),
        ("b", 3),
        ("b.c", 4),
        ("b.c[0]", 5),
        ("b.c[1].d", 6),
        ("e[0]", 8),
        ("e[0].f", 9),
        ("e[1]", 10),
        ("e[1].f", 11),
        ("e[1].g", 12),
        ("e[1].g.h.i", 13),
        ("b.absent", 3),
        ("e[0].absent", 8),
    ] {
        assert_eq!(document.line(key), Some(line), "{key}");
    }
    assert_eq!(document.line("absent"), None);
}

#[test]
fn broken_text_is_placed_and_not_quoted() {
    let mistake = parse("a = 1\nkey = \"secret\nb = 2\n").unwrap_err();
    assert_eq!(mistake.line, Some(2));
    assert!(!mistake.to_string().contains("secret"), "{mistake}");
    for (text, column) in
        [("a = 1\na = 2\n", 1), ("[a]\n[a]\n", 2), ("[[a]]\n[a]\n", 2), ("[a]\n[[a]]\n", 3), ("a.b = 1\na = 2\n", 1)]
    {
        let mistake = parse(text).unwrap_err();
        let expected = format!(
            "column {column}: this key or table is in the file already; write each key once, and each table such as \
             [receiver] once; another sink begins with [[sinks]]"
        );
        assert_eq!((mistake.line, mistake.to_string()), (Some(2), expected), "{text}");
    }
    assert_eq!(parse("a = 1\nb = 99999999999999999999\n").unwrap_err().line, Some(2));
}
