//! Which file is executed: found the same way for a start and for a probe, so that these agree.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Options;

/// What is looked through for programs where livehook itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How much of its first line the system reads for the name of an interpreter, in bytes.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Why nothing can be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    /// No such file, or it is not executable.
    #[error("`program` names {}, which is no program that can be executed; correct `program`", .0.display())]
    Path(PathBuf),
    /// No such name in `PATH`.
    #[error(
        "`program` names {}, and no directory of PATH ({}) has a program of this name; correct `program`, or give its path",
        name.display(), path.display()
    )]
    Name {
        /// What was looked for.
        name: PathBuf,
        /// And where.
        path: OsString,
    },
    /// It cannot be started where it is to be.
    #[error("`directory` names {}, which is no directory that livehook's user may enter; correct `directory`", .0.display())]
    Directory(PathBuf),
    /// It is a script for another program.
    #[error(
        "the first line of {} names the interpreter {interpreter:?}, which cannot be found or executed; install it, or correct that line",
        script.display()
    )]
    Interpreter {
        /// The program.
        script: PathBuf,
        /// As it is written there.
        interpreter: OsString,
    },
}

/// Finds the program as it is started.
///
/// # Errors
/// There is none, it cannot be executed, or not there.
pub(super) fn find(options: &Options) -> Result<PathBuf, LookupError> {
    let directory = options.directory.as_deref().unwrap_or(Path::new("."));
    if !directory.is_dir() || access(directory, Access::EXEC_OK).is_err() {
        return Err(LookupError::Directory(directory.to_owned()));
    }
    let program = &options.program;
    let found = if has_slash(program.as_os_str()) {
        // It does not depend on the directory that the program is started in.
        let path = std::path::absolute(program).unwrap_or_else(|_| program.clone());
        Some(path.clone()).filter(|path| is_executable(path)).ok_or(LookupError::Path(path))?
    } else {
        let path = search_path(options);
        in_path(program.as_os_str(), &path, directory).ok_or(LookupError::Name { name: program.clone(), path })?
    };
    match missing_interpreter(&found, &search_path(options), directory) {
        Some(interpreter) => Err(LookupError::Interpreter { script: found, interpreter }),
        None => Ok(found),
    }
}

/// The `PATH` that the program gets, and that it is looked up in.
pub(super) fn search_path(options: &Options) -> OsString {
    match options.environment.0.get("PATH") {
        Some(path) => path.into(),
        None => std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()),
    }
}

/// Whether this is a path, and not a name to be looked up.
pub(super) fn has_slash(name: &OsStr) -> bool {
    name.as_bytes().contains(&b'/')
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Looks a name up. What is relative in `path` is so to the directory that the program is started in.
fn in_path(name: &OsStr, path: &OsStr, directory: &Path) -> Option<PathBuf> {
    let places = std::env::split_paths(path).map(|place| directory.join(place).join(name));
    places.filter_map(|place| std::path::absolute(place).ok()).find(|place| is_executable(place))
}

/// The interpreter that a script names and that is not there; for `#!/usr/bin/env NAME`, also that name.
fn missing_interpreter(script: &Path, path: &OsStr, directory: &Path) -> Option<OsString> {
    let mut start = Vec::new();
    // A program that may be executed and not read is none for an interpreter.
    File::open(script).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let interpreter = OsStr::from_bytes(words.next()?);
    if !is_executable(&directory.join(interpreter)) {
        return Some(interpreter.to_owned());
    }
    let name = OsStr::from_bytes(words.next()?);
    let is_plain = !name.as_bytes().starts_with(b"-") && !name.as_bytes().contains(&b'=') && !has_slash(name);
    let is_env = Path::new(interpreter).file_name() == Some(OsStr::new("env"));
    (is_env && is_plain && in_path(name, path, directory).is_none()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A directory with a script in `bin/notify`.
    fn with_script(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("bin")).unwrap();
        let script = directory.path().join("bin/notify");
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        directory
    }

    fn found(toml: &str) -> Result<PathBuf, String> {
        find(&toml::from_str(toml).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_is_looked_up_in_the_path_that_the_program_gets() {
        let directory = with_script("#!/bin/sh\n");
        let script = directory.path().join("bin/notify");
        let path = script.parent().unwrap();
        let with_path = |path: &str| format!("program = \"notify\"\nenvironment = {{ PATH = {path:?} }}\n");
        assert_eq!(found(&with_path(path.to_str().unwrap())), Ok(script.clone()));
        let relative = format!("{}directory = {:?}", with_path("nowhere:bin"), directory.path());
        assert_eq!(found(&relative), Ok(script), "what is relative is so to the directory that it is started in");
        let told = found("program = \"sh\"\nenvironment = { PATH = \"/nowhere\" }").unwrap_err();
        assert!(told.starts_with("`program` names sh, and no directory of PATH (/nowhere) has a program"), "{told}");
        assert!(found("program = \"notify\"").is_err());
    }

    #[test]
    fn an_interpreter_that_is_not_there_is_named() {
        for (first_line, missing) in [
            ("#!/nowhere/python3", Some("/nowhere/python3")),
            ("#! /nowhere/python3 -u", Some("/nowhere/python3")),
            ("#!/bin/sh\r", Some("/bin/sh\\r")),
            ("#!/usr/bin/env nowhere-python3", Some("nowhere-python3")),
            ("#!/usr/bin/env sh", None),
            ("#!/usr/bin/env -S sh -e", None),
            ("#!/bin/sh -e", None),
            ("#!", None),
            ("\u{7f}ELF", None),
            ("", None),
        ] {
            let directory = with_script(&format!("{first_line}\n"));
            let script = directory.path().join("bin/notify");
            let told = found(&format!("program = {script:?}"));
            match missing {
                None => assert_eq!(told, Ok(script), "{first_line}"),
                Some(name) => {
                    let told = told.unwrap_err();
                    assert!(
                        told.contains(&format!("names the interpreter \"{name}\", which cannot be found")),
                        "{told}"
                    );
                    assert!(told.contains(script.to_str().unwrap()), "{told}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_executed_or_entered_is_told_with_its_key() {
        let directory = with_script("");
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        for (toml, expected) in [
            (format!("program = {plain:?}"), format!("`program` names {}, which is no program", plain.display())),
            ("program = \"/\"".to_owned(), "`program` names /, which is no program".to_owned()),
            (
                format!("program = \"/nowhere\"\ndirectory = {plain:?}"),
                format!("`directory` names {}, which is no directory", plain.display()),
            ),
        ] {
            let told = found(&toml).unwrap_err();
            assert!(told.starts_with(&expected), "{told}");
        }
    }
}
