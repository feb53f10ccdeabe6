//! The token of the admin endpoint, from one of three sources.

use super::mistake::Mistake;
use super::sources::Sources;
use crate::admin::{self, Token};

/// Sets the token. The variable wins over `admin.token` and over the file that `admin.token_file` names.
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
    } else if let Some(text) = sources.variable("LIVEHOOK_ADMIN_TOKEN") {
        sources.findings.overridden.insert("admin.token", "LIVEHOOK_ADMIN_TOKEN");
        set(admin, Mistake::new("admin.token", ""), &text, sources);
    } else if let Some(path) = &file
        && let Some(text) = sources.file("admin.token_file", path)
    {
        // A file usually ends with a line break, which is not a part of the token.
        set(admin, Mistake::new("admin.token_file", "").quoted(path.to_string_lossy()), text.trim(), sources);
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

        let given = World::with_key().file("t", "\n");
        let mistakes = given.load("[admin]\ntoken_file = \"t\"").unwrap_err();
        assert_eq!(
            lines(&mistakes),
            ["2: admin.token_file = \"t\": the token is empty: make one with `livehook keygen`"]
        );
    }
}
