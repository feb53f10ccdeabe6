//! The keys of a command sink, and their rules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::sink::keys::Keys;
use crate::sink::mistake::Mistakes;
use crate::sink::{Mistake, member_path};

const CONCURRENCY_MAX: usize = 256;

const TIMEOUT_SECS_MAX: u64 = 86_400;

/// `EX_DATAERR` of sysexits.h: the input was wrong, not the program or its environment.
const EX_DATAERR: u8 = 65;

/// The prefix of the variables that livehook sets.
const RESERVED_PREFIX: &str = "LIVEHOOK_EVENT_";

/// The keys of a command sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The program: a path, or a name to look up in `PATH`. No shell is involved.
    pub program: PathBuf,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Whether the program is started for each event, or kept running.
    #[serde(default)]
    pub mode: Mode,
    /// Its environment, in addition to `PATH`. It gets no other variable of livehook.
    #[serde(default)]
    pub environment: Environment,
    /// Its working directory. Unset means livehook's own.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// The time limit for an event, in seconds. Then the program is killed, with every process in its group.
    #[serde(default = "default_timeout_secs")]
    pub timeout_secs: u64,
    /// The exit codes that reject the event for good, in mode `each`.
    #[serde(default = "default_permanent_exit_codes")]
    pub permanent_exit_codes: Vec<u8>,
    /// The number of programs that may run at once, in mode `each`. Events of one stream still go one after another.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// How the program gets its events, and how it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One start for each event, with the event on stdin. The exit code answers.
    #[default]
    Each,
    /// One start for many events, a line of stdin each. A line of stdout answers, and names the event by its id: `ok <id>`,
    /// `error <id> TEXT` or `permanent <id> TEXT`.
    Lines,
}

fn default_timeout_secs() -> u64 {
    30
}

fn default_permanent_exit_codes() -> Vec<u8> {
    vec![EX_DATAERR]
}

fn default_concurrency() -> usize {
    1
}

impl Keys for Options {
    fn target(&self) -> Option<String> {
        Some(self.program.display().to_string())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        let program = format!("{:?}", self.program.to_string_lossy());
        let has_null = |text: &str| text.contains('\0');
        // A path such as `..` has no file name, so it can't be a program.
        mistakes.check(
            self.program.file_name().is_some() && !has_null(&program),
            "program",
            &program,
            "must name a program, as in \"/usr/local/bin/notify\"; arguments go into `arguments`",
        );
        mistakes.check_range("timeout_secs", self.timeout_secs, 1..=TIMEOUT_SECS_MAX);
        mistakes.check_range("concurrency", self.concurrency, 1..=CONCURRENCY_MAX);
        mistakes.check(
            self.mode == Mode::Each || self.concurrency <= 1,
            "concurrency",
            self.concurrency,
            "has no effect with mode = \"lines\", which runs one program: leave it out",
        );
        mistakes.check(
            !self.permanent_exit_codes.contains(&0),
            "permanent_exit_codes",
            0,
            "must not contain 0, because 0 means success",
        );
        for (position, argument) in self.arguments.iter().enumerate() {
            let key = format!("arguments[{position}]");
            // An argument or a variable may be a secret, so no mistake shows its text.
            mistakes.check(!has_null(argument), &key, "a text with \\0", "cannot hold a NUL character: remove it");
        }
        for (name, value) in &self.environment.0 {
            let is_name = !name.is_empty() && !name.contains(['=', '\0']) && !has_null(value);
            let key = member_path("environment", name);
            mistakes.check(
                is_name,
                &key,
                "a text",
                "is not a valid variable: its name must not contain =, and neither its name nor its value a NUL character",
            );
            let is_free = !name.starts_with(RESERVED_PREFIX);
            mistakes.check(is_free, &key, "a text", "is set by livehook: choose another name");
        }
        mistakes.into_list()
    }
}

/// Variables by name. `Debug` shows only the names.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every variable: its name and its value.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_mistakes_unprinted() {
        for (toml, keys) in [
            ("program = \"/bin/true\"", vec![]),
            ("program = \"true\"\nenvironment = { TOKEN = \"hunter2\" }\nmode = \"lines\"", vec![]),
            ("program = \"\"\ntimeout_secs = 0\nconcurrency = 0", vec!["program", "timeout_secs", "concurrency"]),
            ("program = \"x\"\nmode = \"lines\"\nconcurrency = 2", vec!["concurrency"]),
            ("program = \"x\"\npermanent_exit_codes = [65, 0]", vec!["permanent_exit_codes"]),
            ("program = \"x\"\narguments = [\"a\\u0000hunter2\"]", vec!["arguments[0]"]),
            ("program = \"x\"\nenvironment = { \"A=B\" = \"hunter2\" }", vec!["environment.\"A=B\""]),
            (
                "program = \"x\"\nenvironment = { LIVEHOOK_EVENT_ID = \"hunter2\" }",
                vec!["environment.LIVEHOOK_EVENT_ID"],
            ),
        ] {
            let options: Options = toml::from_str(toml).unwrap();
            let mistakes = options.mistakes();
            assert_eq!(mistakes.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), keys, "{toml}");
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
            assert!(!format!("{:?}", options.environment).contains("hunter2"));
        }
    }
}
