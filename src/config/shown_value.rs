//! A value as a mistake may show it: short, on one line, and never a secret.

use toml::Value;

/// The longest value that is shown whole, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// A key whose name contains one of these words holds a secret.
const SECRET_WORDS: [&str; 8] =
    ["key", "keys", "token", "secret", "secrets", "password", "passphrase", "authorization"];

/// Returns the value as text, for example `"ten"` or `a list`; `None` for a secret.
pub(super) fn shown(key: &str, value: &Value) -> Option<String> {
    match value {
        _ if is_secret(key) => None,
        Value::String(text) => Some(shortened(&format!("{text:?}"))),
        // Their contents stay hidden, because a secret may be in a list or table under any key.
        Value::Array(_) => Some("a list".to_owned()),
        Value::Table(_) => Some("a table".to_owned()),
        other => Some(other.to_string()),
    }
}

/// Whether the value of this key must not be shown. The last name of the path decides: `receiver.keys[0]` is a secret,
/// `receiver.keys[0].domains` and `receiver.keys_file` are not.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    let name = name.split('[').next().unwrap_or(name).to_ascii_lowercase();
    // Headers and environment variables often carry credentials, whatever their own names are.
    matches!(name.as_str(), "headers" | "environment")
        || !name.ends_with("_file") && name.split(['_', '-']).any(|word| SECRET_WORDS.contains(&word))
}

/// Cuts a text after 60 characters.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_show_which_values_are_secret() {
        for key in [
            "receiver.keys[0]",
            "receiver.keys[1].key",
            "admin.token",
            "sinks[0].secrets[1]",
            "sinks[0].headers",
            "x.Auth-Token",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "receiver.keys[0].domains[1]",
            "receiver.keys_file",
            "admin.token_file",
            "sinks[0].path",
            "receiver.headers_bytes_max",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
