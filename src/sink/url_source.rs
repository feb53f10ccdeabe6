//! The three places of a sink's URL: the key `url`, the file of `url_file`, and the sink's variable.

use std::path::Path;

use super::mistake::{Mistake, Mistakes};
use super::secrets::{SecretSources, unreadable};

/// Returns the URL of the sink's variable, or else of its file; `None` if the key `url` stays as it is. The variable wins over the
/// key, and the file must not be set together with the key (`has_key`).
pub(super) fn url_elsewhere(
    has_key: bool,
    url_file: Option<&Path>,
    sources: &dyn SecretSources,
) -> (Option<String>, Vec<Mistake>) {
    let (mut url, mut mistakes) = (None, Mistakes::default());
    if let Some(path) = url_file {
        let value = sources.shown_value(path);
        match sources.file(path) {
            _ if has_key => mistakes.add("url_file", value, "is set together with `url`: keep one of the two"),
            Ok(text) if text.trim().is_empty() => mistakes.add("url_file", value, "is empty: put the URL there"),
            Ok(text) => url = Some(text.trim().to_owned()),
            Err(error) => mistakes.add("url_file", value, &unreadable(&error)),
        }
    }
    if let Some((_, text)) = sources.variable("URL") {
        url = Some(text.trim().to_owned());
    }
    (url, mistakes.into_list())
}
