//! The names of closed files, and which files of a directory have one.
//!
//! A name contains the time at which the file was closed, and sorts after all earlier names, even if the clock was set back. So
//! the names alone show the order in which files were closed. Nothing here opens, changes or removes a file.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::paths::directory_of;

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const TIME_LENGTH: usize = 16;

/// The time at which a file was closed, and its number within that second: `20260102T030405Z`, `20260102T030405Z-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    closed_secs: i64,
    number: u32,
}

impl Stamp {
    /// Returns the stamp of a file that is closed now. It is later than `newest`, even if the clock was set back.
    pub(super) fn following(newest: Option<Stamp>, now_secs: i64) -> Stamp {
        let stamp = Stamp { closed_secs: now_secs, number: 0 };
        match newest {
            Some(newest) if newest >= stamp => newest.next(),
            _ => stamp,
        }
    }

    /// The next stamp.
    pub(super) fn next(self) -> Stamp {
        match self.number.checked_add(1) {
            Some(number) => Stamp { number, ..self },
            None => Stamp { closed_secs: self.closed_secs + 1, number: 0 },
        }
    }

    /// The time at which the file was closed, in Unix seconds.
    pub(super) fn closed_secs(self) -> i64 {
        self.closed_secs
    }

    /// Parses the text that [`fmt::Display`] writes, and no other.
    pub(super) fn parse(text: &str) -> Option<Stamp> {
        let (time, number) = text.split_at_checked(TIME_LENGTH)?;
        let closed = TimeZone::UTC.to_timestamp(DateTime::strptime(TIME_FORMAT, time).ok()?).ok()?;
        let number = match number.strip_prefix('-') {
            Some(digits) => digits.parse().ok()?,
            None => 0,
        };
        let stamp = Stamp { closed_secs: closed.as_second(), number };
        // Only the sink's own spelling counts, because the retention removes every file that has a stamp.
        (stamp.to_string() == text).then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = Timestamp::from_second(self.closed_secs).unwrap_or_default();
        write!(formatter, "{}", closed.strftime(TIME_FORMAT))?;
        if self.number > 0 {
            write!(formatter, "-{}", self.number)?;
        }
        Ok(())
    }
}

/// The form of a closed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the sink wrote it.
    Plain,
    /// Compressed, and whole.
    Compressed,
    /// The unfinished output of a compression that a crash ended.
    Part,
}

impl Form {
    const ALL: [Form; 3] = [Form::Plain, Form::Compressed, Form::Part];

    fn ending(self) -> &'static str {
        match self {
            Form::Plain => "",
            Form::Compressed => ".gz",
            Form::Part => ".gz.part",
        }
    }
}

/// The names of the closed files of one sink.
#[derive(Clone, Debug)]
pub(super) struct ClosedNames {
    directory: PathBuf,
    stem: String,
    extension: String,
}

impl ClosedNames {
    /// The names next to the file `path`: `events.jsonl` gives `events-20260102T030405Z.jsonl`.
    pub(super) fn next_to(path: &Path) -> ClosedNames {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        ClosedNames {
            directory: directory_of(path).to_owned(),
            stem: path.file_stem().map(text).unwrap_or_default(),
            extension: path.extension().map(|extension| format!(".{}", text(extension))).unwrap_or_default(),
        }
    }

    /// The directory of the files.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of a file in this form.
    pub(super) fn path(&self, stamp: Stamp, form: Form) -> PathBuf {
        self.directory.join(format!("{}-{stamp}{}{}", self.stem, self.extension, form.ending()))
    }

    /// Returns the stamp and form of a name; `None` for every name that [`ClosedNames::path`] doesn't make.
    fn parse(&self, name: &str) -> Option<(Stamp, Form)> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        Form::ALL.into_iter().find_map(|form| {
            let stamp = rest.strip_suffix(form.ending())?.strip_suffix(&self.extension)?;
            Some((Stamp::parse(stamp)?, form))
        })
    }

    /// Lists the closed files, oldest first.
    ///
    /// # Errors
    /// The directory can't be read.
    pub(super) fn list(&self) -> io::Result<Vec<(Stamp, Form)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if let Some(closed) = entry.file_name().to_str().and_then(|name| self.parse(name))
                // The sink closes regular files only, so a directory of such a name belongs to something else.
                && entry.file_type()?.is_file()
            {
                found.push(closed);
            }
        }
        found.sort_by_key(|(stamp, _)| *stamp);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).unwrap()
    }

    #[test]
    fn names_hold_the_time_and_are_parsed() {
        let names = ClosedNames::next_to(Path::new("/var/log/events.jsonl"));
        let second = stamp("20260102T030405Z-1");
        assert_eq!(names.path(second, Form::Plain), Path::new("/var/log/events-20260102T030405Z-1.jsonl"));
        assert_eq!(names.path(second, Form::Compressed), Path::new("/var/log/events-20260102T030405Z-1.jsonl.gz"));
        for form in Form::ALL {
            let path = names.path(second, form);
            assert_eq!(names.parse(path.file_name().unwrap().to_str().unwrap()), Some((second, form)));
        }
        let plain = ClosedNames::next_to(Path::new("events"));
        assert_eq!(plain.path(second, Form::Plain), Path::new("./events-20260102T030405Z-1"));
        assert_eq!(plain.parse("events-20260102T030405Z-1.gz"), Some((second, Form::Compressed)));
    }

    #[test]
    fn similar_names_are_not_ours() {
        let names = ClosedNames::next_to(Path::new("events.jsonl"));
        for name in [
            "events.jsonl",
            "events-.jsonl",
            "events-20260102.jsonl",
            "events-20260102T030405.jsonl",
            "events-20260132T030405Z.jsonl",
            "events-20260102T030405Z-0.jsonl",
            "events-20260102T030405Z-01.jsonl",
            "events-20260102T030405Z-+1.jsonl",
            "events-20260102T030405Z-.jsonl",
            "events-20260102T030405Z1.jsonl",
            "events-20260102T030405Z.jsonl.bak",
            "events-20260102T030405Z.jsonl.gz.gz",
            "events-20260102T030405Z.json",
            "other-20260102T030405Z.jsonl",
            "events-x-20260102T030405Z.jsonl",
            "events-20260102t030405z.jsonl",
            "events-２０２６0102T030405Z.jsonl",
        ] {
            assert_eq!(names.parse(name), None, "{name}");
        }
    }

    // `ls -v` shows the closed files in the order in which they were closed.
    #[test]
    fn ls_sorts_by_time_of_closing() {
        let directory = tempfile::tempdir().unwrap();
        let names = ClosedNames::next_to(&directory.path().join("events.jsonl"));
        let (mut stamp, later) = (stamp("20261124T160407Z"), stamp("20261124T160408Z"));
        let mut expected = Vec::new();
        for number in 0..12 {
            expected.push(names.path(stamp, if number < 10 { Form::Compressed } else { Form::Plain }));
            stamp = stamp.next();
        }
        expected.extend([names.path(later, Form::Plain), names.path(later.next(), Form::Plain)]);
        for path in &expected {
            fs::write(path, "").unwrap();
        }
        let list = std::process::Command::new("ls").args(["-1", "-v"]).arg(directory.path()).output().unwrap();
        let listed: Vec<_> =
            String::from_utf8(list.stdout).unwrap().lines().map(|name| directory.path().join(name)).collect();
        assert_eq!(listed, expected);
        assert_eq!(names.list().unwrap().len(), expected.len());
    }

    #[test]
    fn stamps_grow_if_the_clock_goes_back() {
        let now_secs = stamp("20260102T030405Z").closed_secs();
        let mut newest = None;
        let mut given = Vec::new();
        for at in [0, 0, -3600, 1, 1, 86_400] {
            let next = Stamp::following(newest, now_secs + at);
            assert!(newest.is_none_or(|newest| newest < next));
            newest = Some(next);
            given.push(next.to_string());
        }
        let expected = [
            "20260102T030405Z",
            "20260102T030405Z-1",
            "20260102T030405Z-2",
            "20260102T030406Z",
            "20260102T030406Z-1",
            "20260103T030405Z",
        ];
        assert_eq!(given, expected);
        assert!(stamp("20260102T030405Z-10") > stamp("20260102T030405Z-9"));
    }
}
