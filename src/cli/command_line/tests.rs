//! Every command has help, and errors have exit codes.

use std::collections::HashMap;

use super::*;
use crate::cli::args::usage_error;

#[test]
fn every_argument_has_help() {
    CommandLine::command().debug_assert();
}

#[test]
fn every_command_has_its_own_summary() {
    let all = CommandLine::command();
    let commands = all.get_subcommands().flat_map(|command| std::iter::once(command).chain(command.get_subcommands()));
    let mut names = HashMap::new();
    for command in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about:?}", command.get_name());
        assert_eq!(names.insert(about, command.get_name()), None, "{}", command.get_name());
    }
}

#[test]
fn every_command_has_examples() {
    for command in CommandLine::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains(&format!("livehook {}", command.get_name())), "{}", command.get_name());
    }
}

#[test]
fn examples_fit_80_columns() {
    let all = CommandLine::command();
    for command in std::iter::once(&all).chain(all.get_subcommands()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines() {
            assert!(line.chars().count() < 80, "{}: {line}", command.get_name());
        }
    }
}

// The help that users read, at a fixed width and without colours.
#[test]
fn help_of_every_command() {
    let mut all = CommandLine::command().term_width(100).color(clap::ColorChoice::Never).disable_help_subcommand(true);
    all.build();
    insta::assert_snapshot!("help", all.render_long_help());
    for command in all.get_subcommands_mut() {
        let name = command.get_name().to_owned();
        insta::assert_snapshot!(format!("help_{name}"), command.render_long_help());
        for subcommand in command.get_subcommands_mut() {
            let subname = subcommand.get_name().to_owned();
            insta::assert_snapshot!(format!("help_{name}_{subname}"), subcommand.render_long_help());
        }
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let usage = ExitCode::from(2);
    assert_eq!(report(&usage_error("use one of both")), usage);
    assert_eq!(report(&CommandLine::try_parse_from(["livehook", "nonsense"]).unwrap_err().into()), usage);
}

#[test]
fn closed_stdout_is_success() {
    let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(report(&OutputError::from(closed).into()), ExitCode::SUCCESS);
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(report(&OutputError::from(full).into()), ExitCode::FAILURE);
    let not_stdout = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(report(&not_stdout.into()), ExitCode::FAILURE);
}

#[test]
fn file_without_config_flag_gets_a_hint() {
    let error = |line: &[&str]| crate::cli::testing::error_of(line).to_string();
    for name in ["serve", "check-config", "streams"] {
        let said = error(&[name, "c.toml"]);
        assert!(said.contains("tip: to read the configuration from a file, use '--config c.toml'"), "{said}");
    }
    assert!(!error(&["keygen", "c.toml"]).contains("--config"));
    assert!(!error(&["serve", "--confg"]).contains("from a file"));
}
