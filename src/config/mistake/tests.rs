use super::Mistake;
use crate::config::testing::{check, load};

#[test]
fn mistake_is_always_one_line() {
    check(&[(
        "receiver.trusted_proxies = [\"a\\nb\\u001b[31m\"]",
        &[
            "1: receiver.trusted_proxies[0] = \"a\\nb\\u{1b}[31m\": is not a network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8",
        ],
    )]);
}

#[test]
fn mistakes_beyond_a_hundred_are_counted() {
    let unknown: String = (0..1000).map(|number| format!("nonsense-{number} = 1\n")).collect();
    let message = load(&unknown).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 102);
    assert!(message.starts_with("the configuration has 1000 mistakes:\n  a.toml:1: nonsense-0: "), "{message}");
    assert!(message.ends_with("\n  and 900 more"), "{message}");

    let misfits = format!("receiver.allowed_appids = [{}]", r#""x", "#.repeat(100_000));
    let mistakes = load(&misfits).unwrap_err();
    assert_eq!(mistakes.iter().count(), 100);
}

#[test]
fn invalid_toml_shows_line_and_column() {
    let mistakes = load("data_dir = \"x\"\nlisten: 1\n").unwrap_err();
    let message = mistakes.to_string();
    assert!(message.starts_with("the configuration has a mistake:\n  a.toml:2: column "), "{message}");
}

#[test]
fn long_value_is_cut_and_escaped() {
    let mistake = Mistake::new("a.b", "must be short").quoted("é".repeat(100));
    assert_eq!(mistake.value.as_deref().map(|value| value.chars().count()), Some(63));
    let mistake = Mistake::new("a.b", "must be plain").quoted("\u{1b}[31m\n").cure("remove it");
    assert_eq!(mistake.to_string(), r#"a.b = "\u{1b}[31m\n": must be plain; remove it"#);
}
