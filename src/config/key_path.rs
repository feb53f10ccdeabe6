//! The path of a key in the configuration, for example `receiver.keys[0].domains`.

pub(super) use crate::sink::member_path;

/// Returns the path of an element of a list, for example `receiver.keys[0]`.
pub(super) fn element_path(path: &str, position: usize) -> String {
    format!("{path}[{position}]")
}

/// Whether `path` is `above` or a key below it. `admin.token` is at `admin.token` and below `admin`, but `admin.token_file`
/// is not below `admin.token`.
pub(super) fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
