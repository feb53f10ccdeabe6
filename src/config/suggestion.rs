//! Suggests the right name in place of a wrong one.

/// The longest list of names that a mistake shows.
const LISTED_NAMES_MAX: usize = 8;

/// Returns the known name that the user most likely meant: `listen` for `lsiten`. `None` if no name is close.
pub(super) fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        // One typing error for three letters. With more, the suggestion would often be a different key.
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns "did you mean ...?" if a known name is close.
pub(super) fn did_you_mean<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    closest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// Keys of earlier versions, and what to do instead.
const REMOVED_KEYS: [(&str, &str); 1] = [(
    "client_errors_are_transient",
    "remove it: after 401, 403, 404 and the like events wait, unless other events pass; see \"Answers\" in docs/sinks.md",
)];

/// Returns the cure for a key that does not exist in a table with the keys `known`.
pub(super) fn instead_of(name: &str, known: &[&str]) -> String {
    if let Some((_, cure)) = REMOVED_KEYS.iter().find(|(removed, _)| *removed == name) {
        return (*cure).to_owned();
    }
    match did_you_mean(name, known.iter().copied()) {
        Some(suggestion) => suggestion,
        None if known.is_empty() => "remove it".to_owned(),
        None if known.len() <= LISTED_NAMES_MAX => format!("use one of {}", listed(known)),
        None => "`config.example.toml` shows every key".to_owned(),
    }
}

/// Returns the names in backticks, separated by commas.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["listen", "path", "keys", "leeway_secs"];
        assert_eq!(closest("lsiten", known), Some("listen"));
        assert_eq!(closest("Keys", known), Some("keys"));
        assert_eq!(closest("leeway_sec", known), Some("leeway_secs"));
        assert_eq!(closest("leeway", known), None);
        assert_eq!(closest("colour", known), None);
    }

    #[test]
    fn a_removed_key_has_its_own_cure() {
        let cure = instead_of("client_errors_are_transient", &["client", "url"]);
        assert!(cure.starts_with("remove it: after 401"), "{cure}");
    }
}
