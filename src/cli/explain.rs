//! `livehook explain`: what an errcode means, who has to act, and what to check first.

use std::process::ExitCode;

use super::render::cell::{Cell, Tone};
use super::render::listing::{self, Form, Row};
use super::render::output::{Output, talk};
use super::render::table::{Column, details};
use crate::callback::{Interruption, Reason, ReasonCategory};

/// Explain why a stream stopped, from the errcode of its stop
///
/// The codes 18 and 21 have many causes, and a callback does not bring the sub code that tells which. Its errmsg is a
/// hint, and what is told from it is a guess; the console's stream interruption records have the sub code.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook explain 8
  livehook explain 18 --message 'push authentication expired'
  livehook explain 18 --sub 501
  livehook explain --category rejected
  livehook explain --list --output csv > errcodes.csv")]
pub(super) struct Arguments {
    /// The errcode of a stop; every number has an answer, if only that it is unknown
    #[arg(value_name = "CODE", value_parser = errcode, allow_negative_numbers = true)]
    #[arg(conflicts_with = "list")]
    errcode: Option<i64>,
    /// The errmsg of the same stop, as a hint for 18 and 21
    #[arg(long, value_name = "TEXT", requires = "errcode", conflicts_with = "list")]
    message: Option<String>,
    /// The sub code, where the console has told it
    #[arg(long, value_name = "N", requires = "errcode", conflicts_with_all = ["list", "message"])]
    sub: Option<i64>,
    /// All codes
    #[arg(long)]
    list: bool,
    /// All codes of this category: client, network, content, idle, internal, rejected, operator, replaced or unknown
    #[arg(long, value_name = "CATEGORY", conflicts_with_all = ["errcode", "message", "sub"])]
    category: Option<ReasonCategory>,
    /// How to show it
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

/// Reads an errcode.
fn errcode(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "give the number that a stop has as `errcode`, such as 18; --list shows all")
}

/// Prints the explanation.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let Arguments { errcode, message, sub, list, category, output: form } = arguments;
    match errcode {
        None if !list && category.is_none() => {
            return Err(crate::cli::args::usage_error("give the errcode of a stop, such as 18, or --list for all"));
        }
        None => {
            let lines = Interruption::all().filter(|line| category.is_none_or(|category| line.category == category));
            listing::show(&lines.map(Listed::from).collect::<Vec<_>>(), *form, output)?;
        }
        Some(errcode) => {
            let reason = reason(*errcode, message.as_deref(), *sub);
            // What is known of the sub code leaves no others to tell of.
            let is_told = reason.is_hint || reason.sub.is_some();
            let subs = if is_told { Vec::new() } else { subs(*errcode) };
            match form {
                Form::Table => explain(&reason, subs, output)?,
                Form::Json | Form::Csv => {
                    let rows: Vec<Listed> = std::iter::once(Listed(reason)).chain(subs).collect();
                    listing::show(&rows, *form, output)?;
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
                    true => talk(format_args!("{errcode} has no sub codes, so the message makes no difference")),
                    false => talk(format_args!("the message gives no hint at a sub code of {errcode}")),
                }
            }
            reason
        }
        Some(sub) => match Interruption::all().find(|line| (line.errcode, line.sub) == (errcode, Some(sub))) {
            Some(line) => line.into(),
            None => {
                talk(format_args!("{errcode} has no sub code {sub} in the vendor's table"));
                reason
            }
        },
    }
}

/// The causes that the sub codes of a code tell apart.
fn subs(errcode: i64) -> Vec<Listed> {
    Interruption::all().filter(|line| line.errcode == errcode && line.sub.is_some()).map(Listed::from).collect()
}

/// Writes an explanation for people.
fn explain(reason: &Reason, subs: Vec<Listed>, output: &mut Output<'_>) -> anyhow::Result<()> {
    let mut rows = vec![("errcode", Cell::optional(reason.errcode))];
    match (reason.sub, reason.is_hint) {
        (Some(sub), true) => rows.push(("sub code", Cell::new(format_args!("{sub}, guessed from the message")))),
        (None, true) => rows.push(("sub code", Cell::new("one of several, guessed from the message"))),
        (Some(sub), false) => rows.push(("sub code", Cell::new(sub))),
        (None, false) => {}
    }
    rows.extend([
        ("category", category_cell(reason.category)),
        ("meaning", Cell::new(reason.meaning)),
        ("who acts", Cell::new(reason.actor)),
        ("what to do", Cell::new(reason.advice)),
    ]);
    details(&rows, output)?;
    if !subs.is_empty() {
        output.line("\nThe causes by sub code; more on one with --sub N:\n")?;
        listing::show(&subs, Form::Table, output)?;
    }
    Ok(())
}

fn category_cell(category: ReasonCategory) -> Cell {
    Cell::new(category).toned(category_tone(category))
}

/// How a category is shown to people: good where a stop is most often wanted, bad where something is to be mended.
pub(super) fn category_tone(category: ReasonCategory) -> Tone {
    match category {
        ReasonCategory::Client => Tone::Good,
        ReasonCategory::Operator | ReasonCategory::Replaced | ReasonCategory::Unknown => Tone::Warning,
        ReasonCategory::Network
        | ReasonCategory::Content
        | ReasonCategory::Idle
        | ReasonCategory::Internal
        | ReasonCategory::Rejected => Tone::Bad,
    }
}

/// A reason as a row.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Listed(Reason);

impl From<Interruption> for Listed {
    fn from(line: Interruption) -> Listed {
        Listed(line.into())
    }
}

impl Row for Listed {
    const COLUMNS: &'static [Column] = &[
        Column::right("CODE"),
        Column::right("SUB"),
        Column::left("CATEGORY"),
        Column::left("MEANING"),
        Column::left("WHO ACTS"),
    ];
    const CSV_MEMBERS: &'static [&'static str] =
        &["errcode", "sub", "category", "meaning", "actor", "advice", "is_hint"];

    fn cells(&self) -> Vec<Cell> {
        let Reason { errcode, sub, category, meaning, actor, .. } = &self.0;
        vec![
            Cell::optional(*errcode),
            Cell::optional(*sub),
            category_cell(*category),
            Cell::new(meaning),
            Cell::new(actor),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::super::{Arguments as All, Command};
    use super::*;

    fn parse(line: &[&str]) -> Result<Arguments, clap::Error> {
        match All::try_parse_from([&["livehook", "explain"], line].concat())?.command {
            Command::Explain(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    fn explained(line: &[&str]) -> String {
        let mut written = Vec::new();
        let code = run(&parse(line).unwrap(), &mut Output::to(&mut written)).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        String::from_utf8(written).unwrap()
    }

    fn objects(line: &[&str]) -> Vec<Value> {
        let json = explained(&[line, &["--output", "json"]].concat());
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn one_code_is_explained_for_people() {
        let text = explained(&["8"]);
        let labels = ["errcode     8\n", "\ncategory    idle\n", "\nmeaning     ", "\nwho acts    ", "\nwhat to do  "];
        for label in labels {
            assert!(text.contains(label), "{text}");
        }
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(!text.contains("sub code"), "{text}");
    }

    #[test]
    fn all_causes_of_18_and_21_follow() {
        for (code, subs) in [("18", &["100", "203", "501", "602"][..]), ("21", &["100", "101", "102", "103"])] {
            let text = explained(&[code]);
            for sub in subs {
                assert!(text.contains(&format!("\n  {code}  {sub}  ")), "{sub}: {text}");
            }
        }
        assert_eq!((objects(&["18"]).len(), objects(&["21"]).len(), objects(&["8"]).len()), (29, 5, 1));
    }

    #[test]
    fn a_message_leaves_one_cause_and_says_that_it_is_a_guess() {
        let text = explained(&["18", "--message", "txTime expired"]);
        assert!(text.contains("sub code    501, guessed from the message\n"), "{text}");
        assert!(!text.contains("602"), "{text}");
        let objects = objects(&["18", "--message", "txTime expired"]);
        assert_eq!(objects.len(), 1);
        assert_eq!((&objects[0]["sub"], &objects[0]["is_hint"]), (&Value::from(501), &Value::from(true)));
        let text = explained(&["18", "--message", "internal error"]);
        assert!(text.contains("sub code    one of several, guessed from the message\n"), "{text}");
    }

    #[test]
    fn a_message_without_a_hint_leaves_all_causes() {
        assert_eq!(explained(&["18", "--message", "rejected"]), explained(&["18"]));
        assert_eq!(explained(&["8", "--message", "txTime expired"]), explained(&["8"]));
    }

    #[test]
    fn a_sub_code_from_the_console_is_no_guess() {
        let text = explained(&["18", "--sub", "501"]);
        assert!(text.contains("sub code    501\n"), "{text}");
        assert_eq!(explained(&["18", "--sub", "999"]), explained(&["18"]));
        assert_eq!(explained(&["8", "--sub", "501"]), explained(&["8"]));
    }

    #[test]
    fn every_number_has_an_answer_and_no_other_text_has() {
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
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn the_list_has_all_codes_or_those_of_a_category() {
        let all = objects(&["--list"]);
        assert_eq!(all.len(), Interruption::all().count());
        let idle = objects(&["--category", "idle"]);
        assert_eq!(idle, objects(&["--list", "--category", "idle"]));
        assert_eq!(idle.iter().map(|line| line["errcode"].as_i64().unwrap()).collect::<Vec<_>>(), [8, 20]);
        for category in ReasonCategory::ALL {
            let of_category = objects(&["--list", "--category", category.label()]);
            assert!(!of_category.is_empty() && of_category.iter().all(|line| line["category"] == category.label()));
        }
    }

    #[test]
    fn without_a_code_the_list_is_named() {
        let error = run(&parse(&[]).unwrap(), &mut Output::to(&mut Vec::new())).unwrap_err();
        assert!(crate::cli::testing::is_usage_error(&error) && error.to_string().contains("--list"), "{error}");
    }

    #[test]
    fn csv_has_every_member_of_json() {
        let object = &objects(&["8"])[0];
        let csv = explained(&["8", "--output", "csv"]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let head = reader.headers().unwrap().clone();
        assert_eq!(head.len(), object.as_object().unwrap().len());
        assert!(head.iter().all(|name| object.get(name).is_some()), "{head:?}");
        assert_eq!(&reader.records().next().unwrap().unwrap()[2], "idle");
    }
}
