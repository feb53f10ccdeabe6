//! Reads a file that the user names, within a bound of bytes, and never waits for ever.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// How long a pipe or a terminal may be silent. A shell that writes `<(program)` needs this time to start the program.
const SILENCE_SECS: i64 = 10;

/// The most bytes that are read at once.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Returns the content of a file of at most `bytes_max` bytes. Follows symbolic links. The file may be a pipe that a program writes
/// to.
///
/// # Errors
/// The file can't be read, is larger (`FileTooLarge`), is a directory, or is a pipe that stays silent (`TimedOut`).
pub(crate) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    read_within(path, bytes_max, SILENCE_SECS)
}

fn read_within(path: &Path, bytes_max: usize, silence_secs: i64) -> io::Result<Vec<u8>> {
    // Opening a pipe waits for its writer otherwise.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "this is a directory, not a file"));
    }
    let mut content = Vec::new();
    loop {
        if !metadata.is_file() {
            wait(&file, silence_secs)?;
        }
        match Read::by_ref(&mut file).take(CHUNK_BYTES).read_to_end(&mut content) {
            // A pipe is empty for now.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) => return Ok(content),
            read => drop(read?),
        }
        // A device has no size, and some have no end.
        if content.len() > bytes_max {
            return Err(io::Error::new(ErrorKind::FileTooLarge, format!("larger than the limit of {bytes_max} bytes")));
        }
    }
}

/// Waits until there is something to read, or the end.
fn wait(file: &File, silence_secs: i64) -> io::Result<()> {
    let timeout = Timespec { tv_sec: silence_secs, tv_nsec: 0 };
    loop {
        match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            Ok(0) => {
                let text = format!(
                    "this is no regular file, and nothing came within {silence_secs} s; give a file, or write to it"
                );
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            polled => return polled.map(drop).map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn said(result: io::Result<Vec<u8>>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn files_are_read_up_to_the_limit() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(read(file.path(), 0).unwrap(), b"");
        let content = vec![b'x'; 200_000];
        file.write_all(&content).unwrap();
        assert_eq!(read(file.path(), 200_000).unwrap(), content);
        assert_eq!(said(read(file.path(), 199_999)), "larger than the limit of 199999 bytes");
        assert_eq!(read(Path::new("/dev/null"), 9).unwrap(), b"");
        assert!(said(read(Path::new("/dev/zero"), 9)).starts_with("larger"));
        assert_eq!(said(read(Path::new("/"), 9)), "this is a directory, not a file");
    }

    #[test]
    fn silent_pipe_ends_the_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        assert!(said(read_within(&path, 9, 0)).starts_with("this is no regular file"));
        let to_write = path.clone();
        let writing = std::thread::spawn(move || {
            let mut pipe = OpenOptions::new().write(true).open(to_write).unwrap();
            for part in ["abc", "def"] {
                pipe.write_all(part.as_bytes()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        assert_eq!(read(&path, 9).unwrap(), b"abcdef");
        writing.join().unwrap();
    }
}
