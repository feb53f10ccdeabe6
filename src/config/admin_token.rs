//! The token of the admin endpoint, from one of four sources.

use std::path::Path;

use super::mistake::Mistake;
use super::sources::Sources;
use crate::admin::{self, Token};

const VARIABLE: &str = "LIVEHOOK_ADMIN_TOKEN";
const FILE_VARIABLE: &str = "LIVEHOOK_ADMIN_TOKEN_FILE";

/// Sets the token. A variable wins over `admin.token` and over the file that `admin.token_file` names.
pub(super) fn apply(admin: &mut admin::Options, sources: &mut Sources<'_>) {
    let file = admin.token_file.clone();
    if let Some(path) = &file
        && (admin.token.is_some() || sources.findings.has_mistake_at("admin.token"))
    {
        let both = Mistake::new("admin.token_file", "`admin.token` is set too").cure("remove one of the two");
        let shown = sources.shown(path);
        sources.findings.mistake(match shown {
            Some(shown) => both.quoted(shown),
            None => both,
        });
        return;
    }
    match (sources.variable(VARIABLE), sources.variable(FILE_VARIABLE)) {
        (Some(_), Some(_)) => {
            let both = Mistake::new(FILE_VARIABLE, format!("{VARIABLE} is set too")).cure("remove one of the two");
            sources.findings.overridden.insert("admin.token", FILE_VARIABLE);
            sources.findings.mistake(both);
        }
        (Some(text), None) => {
            sources.findings.overridden.insert("admin.token", VARIABLE);
            set(admin, Mistake::new(VARIABLE, ""), &text, sources);
        }
        (None, Some(path)) => set_from_file(admin, FILE_VARIABLE, Path::new(&path), sources),
        (None, None) => {
            if let Some(path) = &file {
                set_from_file(admin, "admin.token_file", path, sources);
            }
        }
    }
}

/// Sets the token to the text of a file. `key` is the key or the variable that names the file.
fn set_from_file(admin: &mut admin::Options, key: &'static str, path: &Path, sources: &mut Sources<'_>) {
    sources.findings.overridden.insert("admin.token", key);
    if let Some(text) = sources.file(key, path) {
        // A file usually ends with a line break, which is not a part of the token.
        set(admin, Mistake::new(key, "").quoted(path.to_string_lossy()), text.trim(), sources);
    }
}

/// Sets the token to `text`. If the text is not a token, adds `mistake` with the rule that it breaks.
fn set(admin: &mut admin::Options, mistake: Mistake, text: &str, sources: &mut Sources<'_>) {
    match Token::new(text) {
        Ok(token) => admin.token = Some(token),
        Err(rule) => sources.findings.mistake(Mistake { rule, ..mistake }),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{World, lines};

    #[test]
    fn token_is_read_from_its_file() {
        let given = World::with_key().file("t", "abc\n");
        let config = given.load("[admin]\ntoken_file = \"t\"\nlisten = \"0.0.0.0:1\"").unwrap();
        assert!(config.admin.token.unwrap().matches(b"abc"));

        let given = World::with_key().file("t", "file\n").file("v", "variable\n");
        let given = given.variable("LIVEHOOK_ADMIN_TOKEN_FILE", "v");
        for text in ["admin.token = \"text\"", "admin.token_file = \"t\"", ""] {
            let config = given.load(text).unwrap();
            assert!(config.admin.token.unwrap().matches(b"variable"), "{text}");
            let short = "LIVEHOOK_ADMIN_TOKEN_FILE: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one";
            assert_eq!(config.warnings, [short]);
        }
        let given = given.variable("LIVEHOOK_ADMIN_TOKEN", "other");
        let both = "LIVEHOOK_ADMIN_TOKEN_FILE: LIVEHOOK_ADMIN_TOKEN is set too; remove one of the two";
        assert_eq!(lines(&given.load("admin.listen = \"0.0.0.0:1\"").unwrap_err()), [both]);

        let given = World::with_key().variable("LIVEHOOK_ADMIN_TOKEN_FILE", "/absent/t").file("/absent/x", "");
        let mistakes = given.load("admin.listen = \"0.0.0.0:1\"").unwrap_err();
        let unread = "LIVEHOOK_ADMIN_TOKEN_FILE = \"/absent/t\": cannot be read: no such file; correct the path, or allow livehook's user to read the file";
        assert_eq!(lines(&mistakes), [unread]);

        let given = World::with_key().file("t", "\n");
        let mistakes = given.load("[admin]\ntoken_file = \"t\"").unwrap_err();
        assert_eq!(
            lines(&mistakes),
            ["2: admin.token_file = \"t\": the token is empty: make one with `livehook keygen`"]
        );
    }
}
