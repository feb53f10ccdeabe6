//! The subjects of a stream: the ones that a new stream takes, and whether an existing one takes every event.

/// The subject that stands for every event of a template, for example `livehook.*.*.*.*`.
pub(super) fn pattern(template: &str) -> String {
    let token = |token: &str| if token.contains('{') { "*".to_owned() } else { token.to_owned() };
    template.split('.').map(token).collect::<Vec<_>>().join(".")
}

/// Whether a stream with this subject takes every event of the pattern.
pub(super) fn covers(subject: &str, pattern: &str) -> bool {
    let (mut taken, mut wanted) = (subject.split('.'), pattern.split('.'));
    loop {
        match (taken.next(), wanted.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(token), Some(wanted)) if token == wanted => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_tokens_are_wildcards() {
        assert_eq!(pattern("livehook.{domain}.x-{stream}.{type}"), "livehook.*.*.*");
        assert_eq!(pattern("events"), "events");
    }

    #[test]
    fn subjects_cover_every_event() {
        for (subject, pattern, is_covered) in [
            ("livehook.>", "livehook.*.*", true),
            (">", "livehook", true),
            ("livehook.*.*", "livehook.*.*", true),
            ("*.*.push", "livehook.*.push", true),
            ("livehook.*.push", "livehook.*.*", false),
            ("livehook.*", "livehook.*.*", false),
            ("livehook.*.>", "livehook.*", false),
            ("livehook", "livehook", true),
            ("other.>", "livehook.*", false),
        ] {
            assert_eq!(covers(subject, pattern), is_covered, "{subject} {pattern}");
        }
    }
}
