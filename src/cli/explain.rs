//! `livehook explain`: explains the errcode of a stop.

use std::process::ExitCode;

use serde::Serialize;

use super::args::usage_error;
use super::render::{
    Column, Output, OutputFormat, Row, TextCell, category_cell, print_details, print_rows, reason_details, talk,
};
use crate::callback::{Interruption, Reason, ReasonCategory};

/// Explain why a stream stopped, from the errcode of its stop event
///
/// Codes 18 and 21 cover several causes, and the callback omits the sub-code that distinguishes them. With --message, livehook
/// guesses the cause from the errmsg. The CSS console shows the sub-code in its stream interruption records.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook explain 8
  livehook explain 18 --message 'push authentication expired'
  livehook explain 18 --sub 501
  livehook explain --category rejected
  livehook explain --list --output csv > errcodes.csv")]
pub(super) struct Arguments {
    /// The `errcode` of a stop event. Any number is accepted; livehook says if it doesn't know the code
    #[arg(value_name = "CODE", value_parser = errcode, allow_negative_numbers = true)]
    #[arg(conflicts_with = "list")]
    errcode: Option<i64>,
    /// The `errmsg` of the same event, a hint for codes 18 and 21
    #[arg(long, value_name = "TEXT", requires = "errcode", conflicts_with = "list")]
    message: Option<String>,
    /// The sub-code, if you have it from the CSS console
    #[arg(long, value_name = "N", requires = "errcode", conflicts_with_all = ["list", "message"])]
    sub: Option<i64>,
    /// Show all codes
    #[arg(long)]
    list: bool,
    /// Show all codes of a category: client, network, content, idle, internal, rejected, operator, replaced or unknown
    #[arg(long, value_name = "CATEGORY", conflicts_with_all = ["errcode", "message", "sub"])]
    category: Option<ReasonCategory>,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
}

fn errcode(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "must be the number in `errcode` of a stop event, such as 18; --list shows all codes")
}

/// Prints the explanation of a code, or the list.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let Arguments { errcode, message, sub, list, category, output: format } = arguments;
    match errcode {
        None if !list && category.is_none() => {
            return Err(usage_error("name the errcode of a stop event, such as 18, or use --list for all codes"));
        }
        None => {
            let rows = Interruption::all().filter(|row| category.is_none_or(|category| row.category == category));
            print_rows(&rows.map(ReasonRow::from).collect::<Vec<_>>(), *format, output)?;
        }
        Some(errcode) => {
            let reason = reason(*errcode, message.as_deref(), *sub);
            // A known sub-code excludes the others.
            let is_narrowed = reason.is_hint || reason.sub.is_some();
            let subs = if is_narrowed { Vec::new() } else { subs(*errcode) };
            match format {
                OutputFormat::Table => print_explanation(&reason, &subs, output)?,
                OutputFormat::Json | OutputFormat::Csv | OutputFormat::CsvBom => {
                    let rows: Vec<ReasonRow> = std::iter::once(ReasonRow(reason)).chain(subs).collect();
                    print_rows(&rows, *format, output)?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reason(errcode: i64, message: Option<&str>, sub: Option<i64>) -> Reason {
    let reason = Reason::of(Some(errcode), message);
    match sub {
        None => {
            if message.is_some() && !reason.is_hint {
                match subs(errcode).is_empty() {
                    true => talk(format_args!("--message has no effect: code {errcode} has no sub-codes")),
                    false => talk(format_args!("--message has no effect: no sub-code of {errcode} matches this text")),
                }
            }
            reason
        }
        Some(sub) => match Interruption::all().find(|row| (row.errcode, row.sub) == (errcode, Some(sub))) {
            Some(row) => row.into(),
            None => {
                talk(format_args!("the vendor documents no sub-code {sub} of code {errcode}"));
                reason
            }
        },
    }
}

/// The causes of a code, one for each sub-code.
fn subs(errcode: i64) -> Vec<ReasonRow> {
    Interruption::all().filter(|row| row.errcode == errcode && row.sub.is_some()).map(ReasonRow::from).collect()
}

fn print_explanation(reason: &Reason, subs: &[ReasonRow], output: &mut Output<'_>) -> anyhow::Result<()> {
    let mut details =
        vec![("errcode", TextCell::optional(reason.errcode)), ("category", category_cell(reason.category))];
    details.extend(reason_details(reason));
    print_details(&details, output)?;
    if !subs.is_empty() {
        output.line("\nPossible causes. Use --sub to explain one:\n")?;
        print_rows(subs, OutputFormat::Table, output)?;
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(transparent)]
struct ReasonRow(Reason);

impl From<Interruption> for ReasonRow {
    fn from(row: Interruption) -> ReasonRow {
        ReasonRow(row.into())
    }
}

impl Row for ReasonRow {
    const COLUMNS: &'static [Column<ReasonRow>] = &[
        Column::right("CODE", |row| TextCell::optional(row.0.errcode)),
        Column::right("SUB", |row| TextCell::optional(row.0.sub)),
        Column::left("CATEGORY", |row| category_cell(row.0.category)),
        Column::left("MEANING", |row| TextCell::new(row.0.meaning)),
        Column::left("WHO ACTS", |row| TextCell::new(row.0.actor)),
    ];

    const CSV_MEMBERS: &'static [&'static str] =
        &["errcode", "sub", "category", "meaning", "actor", "advice", "is_hint"];
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cli::testing::{assert_usage_error, error_of, stdout_of};

    fn explained(line: &[&str]) -> String {
        stdout_of(&[&["explain"], line].concat())
    }

    fn objects(line: &[&str]) -> Vec<Value> {
        let json = explained(&[line, &["--output", "json"]].concat());
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn explanation_for_people() {
        insta::assert_snapshot!("explain_8", explained(&["8"]));
        insta::assert_snapshot!("explain_21", explained(&["21"]));
        insta::assert_snapshot!("explain_category", explained(&["--category", "client"]));
    }

    #[test]
    fn all_causes_of_18_and_21() {
        for (code, subs) in [("18", &["100", "203", "501", "602"][..]), ("21", &["100", "101", "102", "103"])] {
            let text = explained(&[code]);
            for sub in subs {
                assert!(text.contains(&format!("\n  {code}  {sub}  ")), "{sub}: {text}");
            }
        }
        assert_eq!((objects(&["18"]).len(), objects(&["21"]).len(), objects(&["8"]).len()), (29, 5, 1));
    }

    #[test]
    fn message_marks_a_guess() {
        let text = explained(&["18", "--message", "txTime expired"]);
        assert!(text.contains("sub-code    501, guessed from the message\n"), "{text}");
        assert!(!text.contains("602"), "{text}");
        let objects = objects(&["18", "--message", "txTime expired"]);
        assert_eq!(objects.len(), 1);
        assert_eq!((&objects[0]["sub"], &objects[0]["is_hint"]), (&Value::from(501), &Value::from(true)));
        let text = explained(&["18", "--message", "internal error"]);
        assert!(text.contains("sub-code    one of several, guessed from the message\n"), "{text}");
    }

    #[test]
    fn message_without_a_hint() {
        assert_eq!(explained(&["18", "--message", "rejected"]), explained(&["18"]));
        assert_eq!(explained(&["8", "--message", "txTime expired"]), explained(&["8"]));
    }

    #[test]
    fn sub_code_is_not_a_guess() {
        let text = explained(&["18", "--sub", "501"]);
        assert!(text.contains("sub-code    501\n"), "{text}");
        assert_eq!(explained(&["18", "--sub", "999"]), explained(&["18"]));
        assert_eq!(explained(&["8", "--sub", "501"]), explained(&["8"]));
    }

    #[test]
    fn any_number_explained() {
        for code in ["0", "22", "777", "-5", "9223372036854775807"] {
            assert!(explained(&[code]).contains("category    unknown"), "{code}");
        }
        for line in [
            &["eighteen"][..],
            &["1.5"],
            &[""],
            &["99999999999999999999"],
            &["18", "--list"],
            &["18", "--category", "idle"],
            &["--message", "x"],
            &["--list", "--category", "bad"],
            &["--list", "--message", "x"],
            &["18", "--message", "x", "--sub", "501"],
            &["18", "--output", "xml"],
        ] {
            assert_usage_error(&[&["explain"], line].concat());
        }
    }

    #[test]
    fn list_by_category() {
        let all = objects(&["--list"]);
        assert_eq!(all.len(), Interruption::all().count());
        let idle = objects(&["--category", "idle"]);
        assert_eq!(idle, objects(&["--list", "--category", "idle"]));
        assert_eq!(idle.iter().map(|line| line["errcode"].as_i64().unwrap()).collect::<Vec<_>>(), [8, 20]);
        for category in ReasonCategory::ALL {
            let of_category = objects(&["--list", "--category", category.label()]);
            // No code means a manual end.
            assert_eq!(of_category.is_empty(), category == ReasonCategory::Manual);
            assert!(of_category.iter().all(|line| line["category"] == category.label()));
        }
    }

    #[test]
    fn no_code_suggests_the_list() {
        assert_usage_error(&["explain"]);
        let error = error_of(&["explain"]).to_string();
        assert!(error.contains("--list"), "{error}");
    }

    #[test]
    fn csv_with_every_member_of_json() {
        let object = &objects(&["8"])[0];
        let csv = explained(&["8", "--output", "csv"]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let head = reader.headers().unwrap().clone();
        assert_eq!(head.len(), object.as_object().unwrap().len());
        assert!(head.iter().all(|name| object.get(name).is_some()), "{head:?}");
        assert_eq!(&reader.records().next().unwrap().unwrap()[2], "idle");
    }
}
