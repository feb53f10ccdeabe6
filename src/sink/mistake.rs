//! A wrong key of a sink's table, as each kind of sink reports it to the configuration.

/// A rule that a sink's options break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as a path within the sink's table: `headers.Host`.
    pub key: String,
    /// Its value as text; `None` if it may hold a secret.
    pub value: Option<String>,
    /// The rule and the cure: `must be from 1 to 256`.
    pub rule: String,
}

/// The path of a member of a table: `headers.Host`. A name that TOML wants quoted is quoted: `headers."a b"`.
pub fn member_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
    match (path, bare) {
        ("", true) => name.to_owned(),
        ("", false) => format!("{name:?}"),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}.{name:?}"),
    }
}
