//! The keys of a file sink, and their rules.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sink::Mistake;
use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;

/// The smallest `rotate_bytes`. A rotation syncs the directory several times, which costs too much for a smaller file.
pub const ROTATE_BYTES_MIN: u64 = 64 * 1024;

/// The keys of a file sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The file. The sink makes it and its directory if they are missing. It follows a symbolic link
    /// that no other user can change, and then closed files are next to the target of the link. The path must lead to a regular file: for stdout, use the sink `log`.
    pub path: PathBuf,
    /// Rotate before the file would exceed this many bytes, at least [`ROTATE_BYTES_MIN`]. Unset means no limit. A larger
    /// event gets a file of its own.
    ///
    /// Rotation closes `events.jsonl` as `events-<YYYYMMDDTHHMMSSZ>.jsonl`, with the time of closing in UTC. Files closed
    /// within the same second also get `-1`, `-2` and so on.
    #[serde(default)]
    pub rotate_bytes: Option<u64>,
    /// Rotate when another UTC day begins. The clock decides, not the event's time.
    #[serde(default)]
    pub rotate_daily: bool,
    /// The number of closed files to keep, at least 1. Unset keeps all.
    #[serde(default)]
    pub keep_files_max: Option<u32>,
    /// The number of days to keep a closed file, at least 1. Unset keeps it for ever. The sink checks after each rotation and
    /// once a day.
    #[serde(default)]
    pub keep_days_max: Option<u32>,
    /// Compress closed files: `events-20260102T030405Z.jsonl` becomes `events-20260102T030405Z.jsonl.gz`.
    #[serde(default)]
    pub gzip: bool,
}

impl Options {
    /// A file that is never rotated.
    pub fn at(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            rotate_bytes: None,
            rotate_daily: false,
            keep_files_max: None,
            keep_days_max: None,
            gzip: false,
        }
    }
}

impl Keys for Options {
    fn exclusive_path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn target(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        // `file_name` ignores a slash at the end, which marks a directory.
        let ends_in_separator = self.path.as_os_str().as_encoded_bytes().ends_with(b"/");
        mistakes.check(
            self.path.file_name().is_some() && !ends_in_separator,
            "path",
            format!("{:?}", self.path.to_string_lossy()),
            "must name a file, as in \"events.jsonl\"",
        );
        let rotate_bytes = self.rotate_bytes.unwrap_or(u64::MAX);
        mistakes.check(
            rotate_bytes >= ROTATE_BYTES_MIN,
            "rotate_bytes",
            rotate_bytes,
            &format!("must be at least {ROTATE_BYTES_MIN}; leave it out not to rotate by size"),
        );
        let rotates = self.rotate_bytes.is_some() || self.rotate_daily;
        let needs_rotation = "has no effect without rotation: set `rotate_bytes` or `rotate_daily` too";
        for (key, value) in [("keep_files_max", self.keep_files_max), ("keep_days_max", self.keep_days_max)] {
            let Some(value) = value else { continue };
            mistakes.check(value > 0, key, value, "must be at least 1; leave it out to keep all");
            mistakes.check(rotates, key, value, needs_rotation);
        }
        mistakes.check(rotates || !self.gzip, "gzip", self.gzip, needs_rotation);
        mistakes.into_list()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_options_are_mistakes() {
        let keys = |toml: &str| -> Vec<String> {
            let options: Options = toml::from_str(toml).unwrap();
            options.mistakes().into_iter().map(|mistake| mistake.key).collect()
        };
        for (toml, expected) in [
            ("path = 'events.jsonl'", &[] as &[&str]),
            (
                "path = 'a/b'\nrotate_bytes = 65536\nrotate_daily = true\nkeep_files_max = 1\nkeep_days_max = 1\ngzip = true",
                &[],
            ),
            ("path = ''", &["path"]),
            ("path = 'a/'", &["path"]),
            ("path = '..'", &["path"]),
            ("path = 'a'\nrotate_bytes = 65535", &["rotate_bytes"]),
            (
                "path = 'a'\nrotate_daily = true\nkeep_files_max = 0\nkeep_days_max = 0",
                &["keep_files_max", "keep_days_max"],
            ),
            ("path = 'a'\ngzip = true\nkeep_files_max = 3", &["keep_files_max", "gzip"]),
        ] {
            assert_eq!(keys(toml), expected, "{toml}");
        }
    }
}
