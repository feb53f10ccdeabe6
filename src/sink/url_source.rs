//! The three places of a sink's URL: the key `url`, the file of `url_file`, and the sink's variable.

use std::path::Path;

use super::mistake::Mistakes;
use super::secrets::{OneLineText, SecretSources};

/// Returns the URL of the sink's variable, or else of its file; `None` if the key `url` stays as it is. The variable wins over the
/// key, and the file must not be set together with the key (`has_key`).
pub(super) fn url_elsewhere(
    has_key: bool,
    url_file: Option<&Path>,
    sources: &dyn SecretSources,
    mistakes: &mut Mistakes,
) -> Option<String> {
    if let Some(path) = url_file.filter(|_| has_key) {
        mistakes.add("url_file", sources.shown_value(path), "is set together with `url`: keep one of the two");
    }
    let file = url_file.filter(|_| !has_key);
    let key = if file.is_some() { "url_file" } else { "url" };
    OneLineText { noun: "URL", purpose: "URL", key, file }.read(sources, mistakes)
}
