//! Finds the file to execute. A start and a probe use the same code, so that they agree.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::options::Options;

/// The `PATH` of the program if livehook itself has none.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The bytes of a script's first line that the system reads for the name of the interpreter.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Why the program can't be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    /// There is no such file, or livehook may not execute it.
    #[error("`program` names {}, which livehook cannot execute; correct `program`", .0.display())]
    Path(PathBuf),
    /// No directory of `PATH` has such a program.
    #[error(
        "`program` names {}, and no directory of PATH ({}) has a program of this name; correct `program`, or give its path",
        name.display(), path.display()
    )]
    Name {
        /// The name.
        name: PathBuf,
        /// The directories, separated by colons.
        path: OsString,
    },
    /// The working directory can't be entered.
    #[error("`directory` names {}, which livehook's user cannot enter; correct `directory`", .0.display())]
    Directory(PathBuf),
    /// The program is a script that names no interpreter. A shell would run it, but livehook uses none.
    #[error(
        "`program` names {}, a script that names no interpreter; begin its first line with #!, for example #!/bin/sh, \
         or name the interpreter in `program` and the script in `arguments`",
        .0.display()
    )]
    NoInterpreter(PathBuf),
    /// The program is a script whose interpreter is missing.
    #[error(
        "the first line of {} names the interpreter {interpreter:?}, which cannot be found or executed; install it, or correct that line",
        script.display()
    )]
    Interpreter {
        /// The script.
        script: PathBuf,
        /// The interpreter, as the script names it.
        interpreter: OsString,
    },
}

/// Finds the program, and returns its absolute path.
///
/// # Errors
/// The program or its interpreter is missing or can't be executed, or the working directory can't be entered.
pub(super) fn find(options: &Options) -> Result<PathBuf, LookupError> {
    let directory = options.directory.as_deref().unwrap_or(Path::new("."));
    // Checked first: the system would report a missing directory as if the program were missing.
    if !directory.is_dir() || access(directory, Access::EXEC_OK).is_err() {
        return Err(LookupError::Directory(directory.to_owned()));
    }
    let program = &options.program;
    let found = if has_slash(program.as_os_str()) {
        // A relative path is relative to livehook's directory, not to the program's.
        let path = std::path::absolute(program).unwrap_or_else(|_| program.clone());
        Some(path.clone()).filter(|path| is_executable(path)).ok_or(LookupError::Path(path))?
    } else {
        let path = search_path(options);
        in_path(program.as_os_str(), &path, directory).ok_or(LookupError::Name { name: program.clone(), path })?
    };
    if names_no_interpreter(&found) {
        return Err(LookupError::NoInterpreter(found));
    }
    match missing_interpreter(&found, &search_path(options), directory) {
        Some(interpreter) => Err(LookupError::Interpreter { script: found, interpreter }),
        None => Ok(found),
    }
}

/// The `PATH` that the program gets, and in which livehook looks it up.
pub(super) fn search_path(options: &Options) -> OsString {
    match options.environment.get("PATH") {
        Some(path) => path.into(),
        None => std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()),
    }
}

/// Whether this is a path. A name without a slash is looked up in `PATH`.
pub(super) fn has_slash(name: &OsStr) -> bool {
    name.as_bytes().contains(&b'/')
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Looks a name up in `path`. Its relative entries are relative to the program's working directory.
fn in_path(name: &OsStr, path: &OsStr, directory: &Path) -> Option<PathBuf> {
    let places = std::env::split_paths(path).map(|place| directory.join(place).join(name));
    places.filter_map(|place| std::path::absolute(place).ok()).find(|place| is_executable(place))
}

/// The beginning of a file. A file that may be executed but not read is a binary, because an interpreter must read its script.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Whether this is a text without `#!`, or without a name after it. Binaries have other first bytes, and no text.
fn names_no_interpreter(path: &Path) -> bool {
    let Some(start) = beginning(path) else { return false };
    let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n') || *byte >= 0x80;
    match start.strip_prefix(b"#!") {
        Some(line) => line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii().is_empty(),
        None => start.iter().all(is_text),
    }
}

/// The interpreter that a script names and that is missing. For `#!/usr/bin/env NAME`, it may be that name.
fn missing_interpreter(script: &Path, path: &OsStr, directory: &Path) -> Option<OsString> {
    let start = beginning(script)?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let interpreter = OsStr::from_bytes(words.next()?);
    if !is_executable(&directory.join(interpreter)) {
        return Some(interpreter.to_owned());
    }
    let name = OsStr::from_bytes(words.next()?);
    // Options and assignments of `env` come before the name, and a path needs no lookup. Those cases aren't checked.
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
    fn a_name_is_looked_up_in_the_programs_path() {
        let directory = with_script("#!/bin/sh\n");
        let script = directory.path().join("bin/notify");
        let path = script.parent().unwrap();
        let with_path = |path: &str| format!("program = \"notify\"\nenvironment = {{ PATH = {path:?} }}\n");
        assert_eq!(found(&with_path(path.to_str().unwrap())), Ok(script.clone()));
        let relative = format!("{}directory = {:?}", with_path("nowhere:bin"), directory.path());
        assert_eq!(found(&relative), Ok(script), "entries are relative to the program's directory");
        let reason = found("program = \"sh\"\nenvironment = { PATH = \"/nowhere\" }").unwrap_err();
        assert!(
            reason.starts_with("`program` names sh, and no directory of PATH (/nowhere) has a program"),
            "{reason}"
        );
        assert!(found("program = \"notify\"").is_err());
    }

    #[test]
    fn a_missing_interpreter_is_named() {
        for (first_line, missing) in [
            ("#!/nowhere/python3", Some("/nowhere/python3")),
            ("#! /nowhere/python3 -u", Some("/nowhere/python3")),
            ("#!/bin/sh\r", Some("/bin/sh\\r")),
            ("#!/usr/bin/env nowhere-python3", Some("nowhere-python3")),
            ("#!/usr/bin/env sh", None),
            ("#!/usr/bin/env -S sh -e", None),
            ("#!/bin/sh -e", None),
            ("\u{7f}ELF", None),
        ] {
            let directory = with_script(&format!("{first_line}\n"));
            let script = directory.path().join("bin/notify");
            let reason = found(&format!("program = {script:?}"));
            match missing {
                None => assert_eq!(reason, Ok(script), "{first_line}"),
                Some(name) => {
                    let reason = reason.unwrap_err();
                    assert!(
                        reason.contains(&format!("names the interpreter \"{name}\", which cannot be found")),
                        "{reason}"
                    );
                    assert!(reason.contains(script.to_str().unwrap()), "{reason}");
                }
            }
        }
    }

    #[test]
    fn a_script_names_its_interpreter() {
        for text in ["echo hello\n", "\n#!/bin/sh\n", "#!\n", "#! \n", "# \u{fc}\n", "", "\u{feff}#!/bin/sh\n"] {
            let directory = with_script(text);
            let script = directory.path().join("bin/notify");
            let reason = found(&format!("program = {script:?}")).unwrap_err();
            assert!(reason.contains("a script that names no interpreter; begin its first line with #!"), "{reason}");
        }
    }

    #[test]
    fn a_mistake_names_its_key() {
        let directory = with_script("");
        let plain = directory.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        for (toml, expected) in [
            (
                format!("program = {plain:?}"),
                format!("`program` names {}, which livehook cannot execute", plain.display()),
            ),
            ("program = \"/\"".to_owned(), "`program` names /, which livehook cannot execute".to_owned()),
            (
                format!("program = \"/nowhere\"\ndirectory = {plain:?}"),
                format!("`directory` names {}, which livehook's user cannot enter", plain.display()),
            ),
        ] {
            let reason = found(&toml).unwrap_err();
            assert!(reason.starts_with(&expected), "{reason}");
        }
    }
}
