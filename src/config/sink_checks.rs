//! The rules for every type of sink: names, retries and files.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::key_path::member_path;
use super::mistake::Mistake;
use super::sink_config::{SinkConfig, SinkName};
use super::surroundings::Surroundings;
use crate::delivery::RetryOptions;

#[cfg(test)]
mod tests;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The files of the data directory. Other files there begin with these names, for example `journal.db-wal`.
const DATA_FILES: [&str; 3] = ["journal.db", "index.db", "livehook."];

/// Checks that the name of the sink at `path` differs from the names of the sinks `before`, each with its path.
pub(super) fn check_name(path: &str, name: &SinkName, before: &[(String, SinkName)], findings: &mut Findings) {
    // Two equal names have the same variables too, so this comparison finds both mistakes.
    let prefix = name.variable_prefix();
    let Some((first, other)) = before.iter().find(|(_, other)| other.variable_prefix() == prefix) else {
        return;
    };
    let rule = match other == name {
        true => format!("{first} has the same name"),
        false => format!(
            "differs from the name of {first} only in - and _, so both sinks would read the variable {prefix}SECRETS"
        ),
    };
    let twice = Mistake::new(member_path(path, "name"), rule).quoted(name.as_str());
    findings.mistake(twice.cure("choose another name"));
}

/// Checks the retry rules at `path`, for example `sinks[0].retry`.
pub(super) fn check_retry(path: &str, retry: &RetryOptions, findings: &mut Findings) {
    findings.check_range(&member_path(path, "wait_ms_max"), retry.wait_ms_max, 1, DAY_MS);
    if retry.wait_ms_first < 1 || retry.wait_ms_first > retry.wait_ms_max {
        let rule = format!("must be from 1 to `wait_ms_max`, which is {}", retry.wait_ms_max);
        findings.mistake(Mistake::new(member_path(path, "wait_ms_first"), rule).value(retry.wait_ms_first));
    }
    for (name, is_zero) in
        [("attempts_max", retry.attempts_max == Some(0)), ("age_secs_max", retry.age_secs_max == Some(0))]
    {
        if is_zero {
            let wrong = Mistake::new(member_path(path, name), "must be at least 1").value(0);
            findings.mistake(wrong.cure("remove it to retry without limit"));
        }
    }
}

/// Checks that no two sinks write the same file, and none a file that livehook itself uses: one of the data directory, or one of
/// `read_files`. Each sink comes with its path.
pub(super) fn check_files(
    data_dir: &Path,
    sinks: &[(String, SinkConfig)],
    read_files: &[PathBuf],
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) {
    let data_dir = surroundings.canonical(data_dir);
    let of_sinks = sinks.iter().flat_map(|(_, sink)| sink.sink.read_files());
    let read_files: Vec<PathBuf> =
        read_files.iter().map(PathBuf::as_path).chain(of_sinks).map(|file| surroundings.canonical(file)).collect();
    let mut taken: Vec<(PathBuf, &str)> = Vec::new();
    for (path, sink) in sinks {
        let Some(given) = sink.sink.exclusive_path() else {
            continue;
        };
        let key = member_path(path, "path");
        // The sink itself has found a mistake in its path, for example that it is empty.
        if findings.has_mistake_at(&key) {
            continue;
        }
        let place = Mistake::new(&key, "").quoted(given.to_string_lossy());
        // Two paths may lead to the same file, for example by a link.
        let canonical = surroundings.canonical(given);
        let name = canonical.file_name().unwrap_or_default().to_string_lossy();
        if canonical.parent() == Some(&data_dir) && DATA_FILES.iter().any(|known| name.starts_with(known)) {
            let rule = "livehook itself uses this file in `data_dir`".to_owned();
            findings.mistake(Mistake { rule, ..place }.cure("choose another name or directory"));
        } else if data_dir.starts_with(&canonical) {
            let rule = "this is `data_dir` or a directory above it".to_owned();
            findings.mistake(Mistake { rule, ..place }.cure("give the path of a file"));
        } else if surroundings.is_directory(&canonical) == Some(true) {
            // Not a mistake: the service starts with a sink that fails, so that it takes callbacks.
            findings
                .warn(format!("{key}: {} is a directory, so events wait; give the path of a file", given.display()));
        } else if read_files.contains(&canonical) {
            let rule =
                "livehook reads its configuration or a secret from this file, and events would spoil it".to_owned();
            findings.mistake(Mistake { rule, ..place }.cure("choose another file"));
        } else if let Some((_, first)) = taken.iter().find(|(other, _)| *other == canonical) {
            let rule = format!("{first} writes the same file, and the two sinks would break each other's lines");
            findings.mistake(Mistake { rule, ..place }.cure("choose another file"));
        } else {
            taken.push((canonical, path));
        }
    }
}
