//! The places outside the configuration file from which a sink reads secrets: a variable and files.

use std::io;
use std::path::Path;

use super::mistake::Mistakes;

/// The environment and the files of one sink.
pub trait SecretSources {
    /// Returns the name and the text of this sink's environment variable for `purpose`, such as `SECRETS`; `None` if it isn't
    /// set.
    fn variable(&self, purpose: &str) -> Option<(String, String)>;

    /// Returns the text of a file.
    ///
    /// # Errors
    /// The error of the system.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Returns the path of a secret's file as a message may show it, see [`shown_path`].
    fn shown(&self, path: &Path) -> Option<String>;

    /// Returns the path of a secret's file as the value of a mistake, with quotes; `None` if it must not be shown.
    fn shown_value(&self, path: &Path) -> Option<String> {
        self.shown(path).map(|path| format!("{path:?}"))
    }
}

/// A text of one line that a user may put into a variable or a file, such as a password.
pub(super) struct OneLineText<'t> {
    /// Its name in a mistake, such as `password`.
    pub(super) noun: &'static str,
    /// The purpose of its variable, such as `PASSWORD`. The variable wins over the file.
    pub(super) purpose: &'static str,
    /// The key that the text belongs to, such as `password_file`.
    pub(super) key: &'t str,
    /// The file.
    pub(super) file: Option<&'t Path>,
}

impl OneLineText<'_> {
    /// Reads the variable, or else the file. Adds the mistake in it, and returns `None` then, or if there is neither.
    pub(super) fn read(&self, sources: &dyn SecretSources, mistakes: &mut Mistakes) -> Option<String> {
        let (value, line) = match (sources.variable(self.purpose), self.file) {
            (Some((name, text)), _) => (None, self.line(&text).map_err(|rule| format!("{name} {rule}"))),
            (None, Some(path)) => {
                let text = sources.file(path).map_err(|error| unreadable(&error));
                (sources.shown_value(path), text.and_then(|text| self.line(&text)))
            }
            (None, None) => return None,
        };
        line.map_err(|rule| mistakes.add(self.key, value, &rule)).ok()
    }

    fn line(&self, text: &str) -> Result<String, String> {
        // Editors end a file with a line end, which belongs to no secret. A space may belong to a password.
        let line = text.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return Err(format!("is empty: put the {} there", self.noun));
        }
        if line.contains(['\r', '\n']) {
            return Err(format!("must contain the {} on one line", self.noun));
        }
        Ok(line.to_owned())
    }
}

/// Returns what is wrong with a file that the system does not read, and the cure.
pub(super) fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}; correct the path, or let the user that runs livehook read the file")
}

/// Returns the path of a secret's file as a message may show it. `None` if the text may be the secret itself: people write it in
/// place of the path, and then it names no file and no directory.
pub fn shown_path(path: &Path, exists: impl Fn(&Path) -> bool) -> Option<String> {
    // Every relative path without a directory is in the working directory, and many secrets begin with `/`.
    let is_telling = |folder: &&Path| !folder.as_os_str().is_empty() && *folder != Path::new("/");
    let is_path = exists(path) || path.parent().filter(is_telling).is_some_and(&exists);
    is_path.then(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Mistake;

    /// A variable, and the file `there`.
    struct Given(Option<&'static str>, &'static str);

    impl SecretSources for Given {
        fn variable(&self, purpose: &str) -> Option<(String, String)> {
            self.0.map(|text| (format!("LIVEHOOK_SINK_X_{purpose}"), text.to_owned()))
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            if path == Path::new("there") { Ok(self.1.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
        }

        fn shown(&self, path: &Path) -> Option<String> {
            Some(path.display().to_string())
        }
    }

    #[test]
    fn one_line_is_of_a_variable_or_a_file() {
        let read = |path: Option<&'static str>, variable, text| {
            let file = path.map(Path::new);
            let password = OneLineText { noun: "password", purpose: "PASSWORD", key: "password_file", file };
            let mut mistakes = Mistakes::default();
            let line = password.read(&Given(variable, text), &mut mistakes);
            let mistake = mistakes.into_list().pop().map(|Mistake { key, value, rule }| {
                format!("{key}{} {rule}", value.map(|value| format!(" {value}")).unwrap_or_default())
            });
            assert!(line.is_none() || mistake.is_none());
            line.or(mistake)
        };
        for (path, variable, text, expected) in [
            (None, None, "", None),
            (Some("there"), None, "hunter2\r\n", Some("hunter2")),
            (Some("there"), None, " hunter 2 ", Some(" hunter 2 ")),
            (Some("there"), Some("hunter2"), "", Some("hunter2")),
            (Some("there"), None, " \n", Some("password_file \"there\" is empty: put the password there")),
            (Some("there"), None, "a\nb", Some("password_file \"there\" must contain the password on one line")),
            (
                Some("there"),
                Some(""),
                "a",
                Some("password_file LIVEHOOK_SINK_X_PASSWORD is empty: put the password there"),
            ),
            (
                None,
                Some("a\nb"),
                "",
                Some("password_file LIVEHOOK_SINK_X_PASSWORD must contain the password on one line"),
            ),
        ] {
            assert_eq!(read(path, variable, text).as_deref(), expected);
        }
        assert!(read(Some("elsewhere"), None, "").unwrap().starts_with("password_file \"elsewhere\" cannot be read"));
    }

    #[test]
    fn possible_secret_is_not_shown() {
        let exists = |path: &Path| ["/etc", "/etc/keys", "/", ".", "keys"].iter().any(|known| path == Path::new(known));
        for (path, is_shown) in [
            ("/etc/keys", true),
            ("/etc/other", true),
            ("./other", true),
            ("keys", true),
            ("3f2a91bc3f2a91bc", false),
            ("whsec_MfKQ9r8GKYqr/TwjUPD8ILPZIo2LaLaSw", false),
            ("/MfKQ9r8GKYqr", false),
            ("", false),
        ] {
            assert_eq!(shown_path(Path::new(path), exists).is_some(), is_shown, "{path}");
        }
    }
}
