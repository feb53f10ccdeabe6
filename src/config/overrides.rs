//! The flags of the command line, which win over the environment and the file.

use std::path::PathBuf;

use super::settings::Settings;
use super::sources::Sources;

#[cfg(test)]
mod tests;

/// The flags that a command got. The command line does not parse their texts, so that one report has the mistakes of all
/// sources.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--admin-listen`
    pub admin_listen: Option<String>,
    /// `--key`, once for each time it was given.
    pub keys: Vec<SecretText>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// The unchecked text of a secret from the command line. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Returns the secret itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

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

/// Replaces the values of the settings that a flag sets.
pub(super) fn apply(settings: &mut Settings, overrides: &Overrides, sources: &mut Sources<'_>) {
    // A path need not be UTF-8, so this flag does not go through `override_by`, which takes texts.
    if let Some(data_dir) = &overrides.data_dir {
        sources.findings.overridden.insert("data_dir", "--data-dir");
        data_dir.clone_into(&mut settings.data_dir);
    }
    sources.override_by("--listen", overrides.listen.as_deref(), "receiver.listen", &mut settings.receiver.listen);
    sources.override_by(
        "--admin-listen",
        overrides.admin_listen.as_deref(),
        "admin.listen",
        &mut settings.admin.listen,
    );
    apply_log(settings, overrides, sources);
}

/// Does the same for the log alone.
pub(super) fn apply_log(settings: &mut Settings, overrides: &Overrides, sources: &mut Sources<'_>) {
    sources.override_by("--log-level", overrides.log_level.as_deref(), "log.level", &mut settings.log.level);
    sources.override_by("--log-format", overrides.log_format.as_deref(), "log.format", &mut settings.log.format);
}
