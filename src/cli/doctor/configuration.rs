//! Examines the configuration, as `serve` would read it.

use super::report::{Report, plural};
use crate::cli::args::ConfigArguments;
use crate::config::Config;

const AREA: &str = "configuration";

/// Reports each mistake and each warning. Returns the configuration if it has no mistake.
pub(super) fn check(arguments: &ConfigArguments, report: &mut Report<'_, '_>) -> anyhow::Result<Option<Config>> {
    let config = match arguments.clone().load() {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes.iter() {
                let place = mistake.line.map(|line| format!("line {line}: ")).unwrap_or_default();
                let cure = mistake.cure.clone();
                report.error(
                    AREA,
                    format!("{place}{}: {}", mistake.key, mistake.rule),
                    "`livehook serve` does not start with this mistake",
                    cure.unwrap_or_else(|| "correct it; `livehook check-config` shows the value, too".to_owned()),
                )?;
            }
            return Ok(None);
        }
    };
    for warning in &config.warnings {
        report.warning(
            AREA,
            warning,
            "this setting is allowed, and may not be what you want",
            "change it, or leave it if you want it",
        )?;
    }
    let keys = plural(config.verifier.keys.len(), "callback key");
    report.ok(AREA, format!("no mistake; {keys}, {}", plural(config.sinks.len(), "sink")))?;
    Ok(Some(config))
}
