//! Reads all files of a file sink, oldest first: the closed ones and the current one. Writes nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::closed_names::{ClosedNames, Form};
use super::options::Options;
use crate::callback::EventId;

/// The longest line that is read, in bytes. The line of an event is always shorter.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveLine {
    /// An event.
    Event(EventId),
    /// Something that is no event of livehook.
    Other,
}

#[derive(Deserialize)]
struct Line {
    id: String,
}

/// Calls `each` with each line in the files of a sink, in the order in which they were written. The end of a file without a line
/// end is not a line, because the sink may be writing it. Blocks.
///
/// # Errors
/// A file or the directory cannot be read; the error names it.
pub fn read_archive(options: &Options, mut each: impl FnMut(ArchiveLine)) -> io::Result<()> {
    // The sink itself follows a link, and closes files next to its target.
    let path = options.path.canonicalize().unwrap_or_else(|_| options.path.clone());
    let names = ClosedNames::next_to(&path);
    let closed = match names.list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        closed => closed.map_err(named(names.directory()))?,
    };
    for (stamp, form) in &closed {
        let file = names.path(*stamp, *form);
        match form {
            // Each file is there once: while it is compressed, the plain one counts.
            Form::Part => {}
            Form::Compressed if closed.contains(&(*stamp, Form::Plain)) => {}
            Form::Compressed => read(&file, |file| Box::new(MultiGzDecoder::new(file)), &mut each)?,
            Form::Plain => read(&file, |file| Box::new(file), &mut each)?,
        }
    }
    read(&path, |file| Box::new(file), &mut each)
}

fn read(
    path: &Path,
    decode: impl FnOnce(BufReader<File>) -> Box<dyn Read>,
    each: &mut impl FnMut(ArchiveLine),
) -> io::Result<()> {
    let file = match File::open(path) {
        // The sink has removed or compressed it meanwhile, or has not made it yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(named(path))?,
    };
    let mut reader = BufReader::with_capacity(256 * 1024, decode(BufReader::new(file)));
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(named(path))?;
        if line.last() != Some(&b'\n') && (line.len() as u64) < LINE_BYTES_MAX {
            return Ok(());
        }
        let id = serde_json::from_slice::<Line>(&line).ok().and_then(|line| line.id.parse().ok());
        each(id.map_or(ArchiveLine::Other, ArchiveLine::Event));
    }
}

fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn files_are_read_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let id = |number: u8| EventId::from_bytes([number; 16]);
        let line = |number: u8| format!("{{\"specversion\":\"1.0\",\"id\":\"{}\",\"data\":{{}}}}\n", id(number));
        let path = |name: &str| directory.path().join(name);
        let mut gzip = GzEncoder::new(File::create(path("e-20260102T030405Z.jsonl.gz")).unwrap(), Compression::fast());
        gzip.write_all((line(1) + &line(2)).as_bytes()).unwrap();
        gzip.finish().unwrap();
        std::fs::write(path("e-20260102T030406Z.jsonl"), line(3) + "theirs\n").unwrap();
        // Its compression was not finished.
        std::fs::write(path("e-20260102T030406Z.jsonl.gz.part"), "x").unwrap();
        std::fs::write(path("e.jsonl"), line(4) + line(5).trim()).unwrap();
        let mut lines = Vec::new();
        read_archive(&Options::at(path("e.jsonl")), |line| lines.push(line)).unwrap();
        let [one, two, three, four] = [1, 2, 3, 4].map(|number| ArchiveLine::Event(id(number)));
        assert_eq!(lines, [one, two, three, ArchiveLine::Other, four]);

        lines.clear();
        read_archive(&Options::at(path("absent/e.jsonl")), |line| lines.push(line)).unwrap();
        assert_eq!(lines, []);
        std::fs::write(path("e-20260102T030405Z.jsonl.gz"), "not gzip at all").unwrap();
        let error = read_archive(&Options::at(path("e.jsonl")), |_| {}).unwrap_err();
        assert!(error.to_string().contains("e-20260102T030405Z.jsonl.gz: "), "{error}");
    }
}
