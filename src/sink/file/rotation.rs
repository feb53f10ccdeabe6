//! What closed files are called, and which files of a directory they are.
//!
//! A name says when the file was closed, and names grow: each is later than all before it, also when the clock was set
//! back. So "closed since" can be asked of the names alone. Nothing here opens, changes or removes a file.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const TIME_LENGTH: usize = 16;

/// When a file was closed, and which of that second it is: `20260102T030405Z`, `20260102T030405Z-1`, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    closed_secs: i64,
    number: u32,
}

impl Stamp {
    /// The stamp of a file that is closed at `now`, later than `newest` whatever the clock says.
    pub(super) fn following(newest: Option<Stamp>, now: Timestamp) -> Stamp {
        let stamp = Stamp { closed_secs: now.as_second(), number: 0 };
        match newest {
            Some(newest) if newest >= stamp => newest.next(),
            _ => stamp,
        }
    }

    /// The one after this.
    pub(super) fn next(self) -> Stamp {
        match self.number.checked_add(1) {
            Some(number) => Stamp { number, ..self },
            None => Stamp { closed_secs: self.closed_secs + 1, number: 0 },
        }
    }

    /// When the file was closed, in Unix seconds.
    pub(super) fn closed_secs(self) -> i64 {
        self.closed_secs
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub(super) fn parse(text: &str) -> Option<Stamp> {
        let (time, number) = text.split_at_checked(TIME_LENGTH)?;
        let closed = TimeZone::UTC.to_timestamp(DateTime::strptime(TIME_FORMAT, time).ok()?).ok()?;
        let number = match number.strip_prefix('-') {
            Some(digits) => digits.parse().ok()?,
            None => 0,
        };
        let stamp = Stamp { closed_secs: closed.as_second(), number };
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

/// In which form a closed file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it was written.
    Plain,
    /// Compressed, whole.
    Compressed,
    /// Compressed in part: what a crash leaves.
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

/// The names that the closed files of one sink have.
#[derive(Clone, Debug)]
pub(super) struct Names {
    directory: PathBuf,
    stem: String,
    extension: String,
}

impl Names {
    /// The names beside the file `path`: `events.jsonl` gives `events-20260102T030405Z.jsonl`.
    pub(super) fn beside(path: &Path) -> Names {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        Names {
            directory: directory_of(path).to_owned(),
            stem: path.file_stem().map(text).unwrap_or_default(),
            extension: path.extension().map(|extension| format!(".{}", text(extension))).unwrap_or_default(),
        }
    }

    /// Where the files are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of one file in one form.
    pub(super) fn path(&self, stamp: Stamp, form: Form) -> PathBuf {
        self.directory.join(format!("{}-{stamp}{}{}", self.stem, self.extension, form.ending()))
    }

    /// Which file a name stands for; `None` for every name that [`Names::path`] does not give.
    fn parse(&self, name: &str) -> Option<(Stamp, Form)> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        Form::ALL.into_iter().find_map(|form| {
            let stamp = rest.strip_suffix(form.ending())?.strip_suffix(&self.extension)?;
            Some((Stamp::parse(stamp)?, form))
        })
    }

    /// The closed files that are there, oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn list(&self) -> io::Result<Vec<(Stamp, Form)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if let Some(closed) = entry.file_name().to_str().and_then(|name| self.parse(name))
                && entry.file_type()?.is_file()
            {
                found.push(closed);
            }
        }
        found.sort_by_key(|(stamp, _)| *stamp);
        Ok(found)
    }
}

/// The directory that a file is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The regular file with this device and inode in a directory, whatever it is called now.
///
/// # Errors
/// The directory cannot be read; one that is not there holds nothing.
pub(super) fn find_inode(directory: &Path, device: u64, inode: u64) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.ino() == inode
            && let Ok(metadata) = entry.metadata()
            && metadata.is_file()
            && (metadata.dev(), metadata.ino()) == (device, inode)
        {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).unwrap()
    }

    #[test]
    fn names_say_when_and_are_read_back() {
        let names = Names::beside(Path::new("/var/log/events.jsonl"));
        let second = stamp("20260102T030405Z-1");
        assert_eq!(names.path(second, Form::Plain), Path::new("/var/log/events-20260102T030405Z-1.jsonl"));
        assert_eq!(names.path(second, Form::Compressed), Path::new("/var/log/events-20260102T030405Z-1.jsonl.gz"));
        for form in Form::ALL {
            let path = names.path(second, form);
            assert_eq!(names.parse(path.file_name().unwrap().to_str().unwrap()), Some((second, form)));
        }
        let plain = Names::beside(Path::new("events"));
        assert_eq!(plain.path(second, Form::Plain), Path::new("./events-20260102T030405Z-1"));
        assert_eq!(plain.parse("events-20260102T030405Z-1.gz"), Some((second, Form::Compressed)));
    }

    #[test]
    fn names_that_are_nearly_ours_are_not() {
        let names = Names::beside(Path::new("events.jsonl"));
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

    #[test]
    fn the_listing_that_sorts_versions_gives_the_order_of_arrival() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::beside(&directory.path().join("events.jsonl"));
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
    fn stamps_grow_also_when_the_clock_goes_back() {
        let now = Timestamp::from_second(stamp("20260102T030405Z").closed_secs()).unwrap();
        let mut newest = None;
        let mut given = Vec::new();
        for at in [0, 0, -3600, 1, 1, 86_400] {
            let next = Stamp::following(newest, now + jiff::SignedDuration::from_secs(at));
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
