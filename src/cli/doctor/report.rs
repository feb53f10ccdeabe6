//! The findings of an examination: printed as they come, and counted for the exit code.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::render::{
    Column, Output, OutputFormat, Row, TextCell, Tone, print_details, print_rows, talk, write_json_line,
};

/// The exit code if there are warnings, but no errors.
const WARNINGS_CODE: u8 = 3;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// As it should be.
    Ok,
    /// Could not be checked here, or is worth knowing.
    Note,
    /// Works, and may fail later.
    Warning,
    /// Events are lost, refused or not delivered, or will be.
    Error,
}

/// One result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked, for example `journal`.
    pub(super) area: &'static str,
    pub(super) severity: Severity,
    /// What was found.
    pub(super) found: String,
    /// Why it matters; `null` for results that are as they should be.
    pub(super) why: Option<String>,
    /// What to do.
    pub(super) cure: Option<String>,
}

/// Prints findings and remembers the worst.
pub(super) struct Report<'a, 'w> {
    output: &'a mut Output<'w>,
    format: OutputFormat,
    findings: Vec<Finding>,
}

impl<'a, 'w> Report<'a, 'w> {
    pub(super) fn new(output: &'a mut Output<'w>, format: OutputFormat) -> Report<'a, 'w> {
        Report { output, format, findings: Vec::new() }
    }

    /// Adds a result that is as it should be.
    pub(super) fn ok(&mut self, area: &'static str, found: impl Into<String>) -> anyhow::Result<()> {
        self.add(Finding { area, severity: Severity::Ok, found: found.into(), why: None, cure: None })
    }

    /// Adds a result that needs no cure.
    pub(super) fn note(
        &mut self,
        area: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
    ) -> anyhow::Result<()> {
        self.add(Finding { area, severity: Severity::Note, found: found.into(), why: Some(why.into()), cure: None })
    }

    /// Adds a warning.
    pub(super) fn warning(
        &mut self,
        area: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
        cure: impl Into<String>,
    ) -> anyhow::Result<()> {
        self.add_fault(area, Severity::Warning, found.into(), why.into(), cure.into())
    }

    /// Adds an error.
    pub(super) fn error(
        &mut self,
        area: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
        cure: impl Into<String>,
    ) -> anyhow::Result<()> {
        self.add_fault(area, Severity::Error, found.into(), why.into(), cure.into())
    }

    fn add_fault(
        &mut self,
        area: &'static str,
        severity: Severity,
        found: String,
        why: String,
        cure: String,
    ) -> anyhow::Result<()> {
        self.add(Finding { area, severity, found, why: Some(why), cure: Some(cure) })
    }

    fn add(&mut self, finding: Finding) -> anyhow::Result<()> {
        // At once, because some checks take minutes. A CSV has one head, so it is printed at the end.
        match self.format {
            OutputFormat::Table => print_details(&details(&finding), self.output)?,
            OutputFormat::Json => write_json_line(&finding, self.output)?,
            OutputFormat::Csv | OutputFormat::CsvBom => {}
        }
        self.output.flush()?;
        self.findings.push(finding);
        Ok(())
    }

    /// Prints the summary, and returns the exit code: 0 without warnings and errors, 1 with errors, 3 with warnings only.
    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        if matches!(self.format, OutputFormat::Csv | OutputFormat::CsvBom) {
            print_rows(&self.findings, self.format, self.output)?;
            self.output.flush()?;
        }
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        talk(format_args!("{}, {}, {} ok", plural(errors, "error"), plural(warnings, "warning"), count(Severity::Ok)));
        Ok(match (errors, warnings) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(WARNINGS_CODE),
            _ => ExitCode::FAILURE,
        })
    }
}

/// Returns a count with its noun: `1 error`, `2 errors`.
pub(super) fn plural(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The lines of a finding. All labels have the same width, so that the texts of all findings are aligned.
fn details(finding: &Finding) -> Vec<(&'static str, TextCell)> {
    let label = match finding.severity {
        Severity::Ok => "ok     ",
        Severity::Note => "note   ",
        Severity::Warning => "warning",
        Severity::Error => "error  ",
    };
    let found = TextCell::new(format_args!("{}: {}", finding.area, finding.found)).toned(tone(finding.severity));
    let mut lines = vec![(label, found)];
    lines.extend(finding.why.as_ref().map(|why| ("  why  ", TextCell::new(why))));
    lines.extend(finding.cure.as_ref().map(|cure| ("  cure ", TextCell::new(cure))));
    lines
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Ok => Tone::Good,
        Severity::Note => Tone::Plain,
        Severity::Warning => Tone::Warning,
        Severity::Error => Tone::Bad,
    }
}

impl Row for Finding {
    const COLUMNS: &'static [Column<Finding>] = &[
        Column::left("AREA", |finding| TextCell::new(finding.area)),
        Column::left("FOUND", |finding| TextCell::new(&finding.found).toned(tone(finding.severity))),
    ];

    const CSV_MEMBERS: &'static [&'static str] = &["area", "severity", "found", "why", "cure"];
}
