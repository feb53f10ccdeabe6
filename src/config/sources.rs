//! What overrides the file: environment variables, then flags. And the keys and the token from all their sources.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::File;
use super::mistake::{Findings, Mistake, Mistakes};
use super::reader::read_text;
use crate::admin::{self, Token};
use crate::callback::{CallbackKey, KeyOptions};

/// What the command line says. Texts are read here, so that their mistakes are told with all others.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--admin-listen`
    pub admin_listen: Option<String>,
    /// `--key`, as often as given.
    pub keys: Vec<SecretText>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// A secret as the command line gives it, before it is known to be a good one. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl From<String> for SecretText {
    fn from(text: String) -> SecretText {
        SecretText(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> SecretText {
        SecretText(text.to_owned())
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretText(REDACTED)")
    }
}

/// What loading asks of the world around it.
pub trait Surroundings {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The text of a file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// One spelling for every path that leads to the same file, whether that exists or not.
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// The larger of these files is no configuration.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The environment and the files of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX + 1), &mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Ok(canonical) = absolute.canonicalize() {
            return canonical;
        }
        match (absolute.parent(), absolute.file_name()) {
            (Some(parent), Some(name)) => self.canonical(parent).join(name),
            _ => without_dots(&absolute),
        }
    }
}

/// The path without `.`, and without `..` and what it undoes.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The text of a file, without the byte order mark that some editors put before it: it would become a part of a secret.
///
/// # Errors
/// As the system says.
pub(super) fn read_text_file(surroundings: &dyn Surroundings, path: &Path) -> io::Result<String> {
    let mut text = surroundings.read(path)?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// The file of the configuration, if one is named: its path and its text.
///
/// # Errors
/// It cannot be read: a mistake of the flag or the variable that names it.
pub(super) fn file(
    path: Option<&Path>,
    surroundings: &dyn Surroundings,
) -> Result<Option<(PathBuf, String)>, Mistakes> {
    let (source, path) = match (path, surroundings.variable("LIVEHOOK_CONFIG")) {
        (Some(path), _) => ("--config", path.to_owned()),
        (None, Some(path)) => ("LIVEHOOK_CONFIG", PathBuf::from(path)),
        (None, None) => return Ok(None),
    };
    match read_text_file(surroundings, &path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) => {
            let unread = Mistake::new(source, format!("cannot be read: {error}")).quoted(path.to_string_lossy());
            Err(Mistakes::new(None, vec![unread.cure("correct the path, or leave it out to run with the defaults")]))
        }
    }
}

/// Puts the variable for the address of the admin endpoint over the file.
pub(super) fn admin_listen(file: &mut File, surroundings: &dyn Surroundings, findings: &mut Findings) {
    let mut sources = Sources { surroundings, findings, keys: Vec::new() };
    sources.variable("LIVEHOOK_ADMIN_LISTEN", "admin.listen", &mut file.admin.listen);
}

/// The same for the address and the token.
pub(super) fn admin(file: &mut File, surroundings: &dyn Surroundings, findings: &mut Findings) {
    admin_listen(file, surroundings, findings);
    Sources { surroundings, findings, keys: Vec::new() }.token(&mut file.admin);
}

/// A key and where it came from.
pub(super) type SourcedKey = (String, KeyOptions);

/// Puts the environment, then the flags, over the file, and gathers the keys of all sources.
pub(super) fn apply(
    file: &mut File,
    overrides: &Overrides,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Vec<SourcedKey> {
    admin_listen(file, surroundings, findings);
    let mut sources = Sources { surroundings, findings, keys: Vec::new() };
    sources.variable("LIVEHOOK_DATA_DIR", "data_dir", &mut file.data_dir);
    sources.variable("LIVEHOOK_LISTEN", "receiver.listen", &mut file.receiver.listen);
    sources.variable("LIVEHOOK_LOG_LEVEL", "log.level", &mut file.log.level);
    sources.variable("LIVEHOOK_LOG_FORMAT", "log.format", &mut file.log.format);
    sources.token(&mut file.admin);

    if let Some(data_dir) = &overrides.data_dir {
        sources.findings.overridden.insert("data_dir", "--data-dir");
        data_dir.clone_into(&mut file.data_dir);
    }
    sources.flag("--listen", "receiver.listen", overrides.listen.as_deref(), &mut file.receiver.listen);
    sources.flag("--admin-listen", "admin.listen", overrides.admin_listen.as_deref(), &mut file.admin.listen);
    sources.flag("--log-level", "log.level", overrides.log_level.as_deref(), &mut file.log.level);
    sources.flag("--log-format", "log.format", overrides.log_format.as_deref(), &mut file.log.format);

    for (position, key) in std::mem::take(&mut file.receiver.keys).into_iter().enumerate() {
        sources.add_key(format!("receiver.keys[{position}]"), key);
    }
    if let Some(path) = &file.receiver.keys_file {
        sources.keys_file("receiver.keys_file", path);
    }
    if let Some(keys) = sources.text("LIVEHOOK_KEYS") {
        for key in keys.split(',') {
            sources.key_text("LIVEHOOK_KEYS", key.trim());
        }
    }
    if let Some(path) = sources.text("LIVEHOOK_KEYS_FILE") {
        sources.keys_file("LIVEHOOK_KEYS_FILE", Path::new(&path));
    }
    for key in &overrides.keys {
        sources.key_text("--key", &key.0);
    }
    sources.keys
}

struct Sources<'s> {
    surroundings: &'s dyn Surroundings,
    findings: &'s mut Findings,
    keys: Vec<SourcedKey>,
}

impl Sources<'_> {
    /// A variable as text.
    fn text(&mut self, name: &str) -> Option<String> {
        let text = self.surroundings.variable(name)?.into_string();
        text.map_err(|_| self.findings.mistake(Mistake::new(name, "must be UTF-8 text"))).ok()
    }

    fn variable<T: for<'de> Deserialize<'de>>(&mut self, name: &'static str, key: &'static str, target: &mut T) {
        let text = self.text(name);
        self.flag(name, key, text.as_deref(), target);
    }

    fn flag<T: for<'de> Deserialize<'de>>(
        &mut self,
        source: &'static str,
        key: &'static str,
        text: Option<&str>,
        target: &mut T,
    ) {
        let Some(text) = text else {
            return;
        };
        self.findings.overridden.insert(key, source);
        match read_text(source, text) {
            Ok(value) => *target = value,
            Err(mistake) => self.findings.mistake(mistake),
        }
    }

    /// The token of the variable, else of the file or of the file that it names.
    fn token(&mut self, admin: &mut admin::Options) {
        let file = admin.token_file.clone();
        if let Some(path) = &file
            && (admin.token.is_some() || self.findings.spoilt("admin.token"))
        {
            let both = Mistake::new("admin.token_file", "is set beside `admin.token`").quoted(path.to_string_lossy());
            self.findings.mistake(both.cure("keep one of the two"));
        } else if let Some(text) = self.text("LIVEHOOK_ADMIN_TOKEN") {
            self.findings.overridden.insert("admin.token", "LIVEHOOK_ADMIN_TOKEN");
            self.set_token(admin, Mistake::new("admin.token", ""), &text);
        } else if let Some(path) = &file
            && let Some(text) = self.file("admin.token_file", path)
        {
            self.set_token(admin, Mistake::new("admin.token_file", "").quoted(path.to_string_lossy()), text.trim());
        }
    }

    fn set_token(&mut self, admin: &mut admin::Options, mistake: Mistake, text: &str) {
        match Token::new(text) {
            Ok(token) => admin.token = Some(token),
            Err(rule) => self.findings.mistake(Mistake { rule, ..mistake }),
        }
    }

    fn file(&mut self, key: &str, path: &Path) -> Option<String> {
        let text = read_text_file(self.surroundings, path);
        text.map_err(|error| {
            let unread = Mistake::new(key, format!("cannot be read: {error}")).quoted(path.to_string_lossy());
            self.findings.mistake(unread.cure("correct the path, or let the user that runs livehook read the file"));
        })
        .ok()
    }

    /// One key a line; blank lines and comments are skipped.
    fn keys_file(&mut self, source: &str, path: &Path) {
        let Some(text) = self.file(source, path) else {
            return;
        };
        let keys_before = self.keys.len();
        for (position, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match CallbackKey::new(line) {
                Ok(key) => {
                    let place = format!("{source} ({}, line {})", path.display(), position + 1);
                    self.add_key(place, KeyOptions { key, domains: Vec::new() });
                }
                Err(error) => {
                    let rule = format!("line {}: {error}", position + 1);
                    self.findings.mistake(Mistake::new(source, rule).quoted(path.to_string_lossy()));
                }
            }
        }
        if self.keys.len() == keys_before && !self.findings.spoilt(source) {
            self.findings.warn(format!("{source}: {} holds no key", path.display()));
        }
    }

    fn key_text(&mut self, source: &str, text: &str) {
        match CallbackKey::new(text) {
            Ok(key) => self.add_key(source.to_owned(), KeyOptions { key, domains: Vec::new() }),
            Err(error) => self.findings.mistake(Mistake::new(source, error.to_string())),
        }
    }

    /// Adds a key, unless it is there already for the same domains.
    fn add_key(&mut self, source: String, key: KeyOptions) {
        if !self.keys.iter().any(|(_, known)| *known == key) {
            self.keys.push((source, key));
        }
    }
}
