//! The command line: one file a command.
//!
//! Data goes to stdout through `output::Output`, talk goes to stderr. The exit code is 0 when the command is done, 1
//! when it was refused or has failed, 2 when it was used wrongly. Only here are processes' arguments read, runtimes
//! built and signals seen.

mod args;
mod backup;
mod check_config;
mod client;
mod completions;
mod dead_letters;
mod events;
mod explain;
mod fresh_index;
mod healthcheck;
mod keygen;
mod rebuild_index;
mod render;
mod replay;
mod runtime;
mod send;
mod serve;
mod session;
mod sessions;
mod sign;
mod streams;
#[cfg(test)]
mod testing;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use args::UsageError;
use render::output::{Output, OutputError, talk};

/// Receives the callbacks of Tencent Cloud CSS (live streaming), keeps each genuine one, and hands it on
#[derive(Debug, Parser)]
#[command(
    name = "livehook",
    version,
    help_expected = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  livehook serve --key test    receive callbacks signed with the key `test`
  livehook send --key test     send a first one to it
  livehook events --follow     see what comes in
  livehook streams             see which streams are live

The exit code is 0 when a command is done, 1 when it was refused or has
failed, 2 when it was used wrongly."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    CheckConfig(check_config::Arguments),
    Keygen(keygen::Arguments),
    Sign(sign::Arguments),
    Send(Box<send::Arguments>),
    Events(events::Arguments),
    DeadLetters(Box<dead_letters::Arguments>),
    Replay(Box<replay::Arguments>),
    Streams(streams::Arguments),
    Sessions(Box<sessions::Arguments>),
    Session(session::Arguments),
    Explain(explain::Arguments),
    Backup(backup::Arguments),
    Healthcheck(healthcheck::Arguments),
    Completions(completions::Arguments),
}

/// Runs the command that the arguments of a process name, the program's own name first, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut output = Output::stdout();
    let result = Arguments::try_parse_from(arguments)
        .map_err(anyhow::Error::from)
        .and_then(|arguments| arguments.command.run(&mut output));
    let flushed = output.flush().map_err(anyhow::Error::from);
    result.and_then(|code| flushed.map(|()| code)).unwrap_or_else(|error| report(&error))
}

/// Says what went wrong, and gives the exit code for it.
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        let _ = error.print();
        return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    if let Some(UsageError(message)) = error.downcast_ref() {
        let error = clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n"));
        return report(&error.with_cmd(&Arguments::command()).into());
    }
    if let Some(OutputError::Closed) = error.downcast_ref() {
        return ExitCode::SUCCESS;
    }
    talk(format_args!("error: {}", described(error)));
    ExitCode::FAILURE
}

/// An error and its causes in one text. A cause that was told already, as part of what it caused, is not told twice.
fn described(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told => format!("{told}: {cause}"),
    })
}

impl Command {
    fn run(self, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(arguments) => serve::run(arguments),
            Command::CheckConfig(arguments) => check_config::run(arguments, output),
            Command::Keygen(arguments) => keygen::run(&arguments, output),
            Command::Sign(arguments) => sign::run(&arguments, output),
            Command::Send(arguments) => send::run(&arguments, output),
            Command::Events(arguments) => events::run(arguments, output),
            Command::DeadLetters(arguments) => dead_letters::run(*arguments, output),
            Command::Replay(arguments) => replay::run(*arguments, output),
            Command::Streams(arguments) => streams::run(&arguments, output),
            Command::Sessions(arguments) => sessions::run(*arguments, output),
            Command::Session(arguments) => session::run(&arguments, output),
            Command::Explain(arguments) => explain::run(&arguments, output),
            Command::Backup(arguments) => backup::run(&arguments, output),
            Command::Healthcheck(arguments) => healthcheck::run(&arguments),
            Command::Completions(arguments) => completions::run(&arguments, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent_and_every_argument_has_help() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_in_words_of_its_own() {
        let all = Arguments::command();
        let commands =
            all.get_subcommands().flat_map(|command| std::iter::once(command).chain(command.get_subcommands()));
        let mut said = std::collections::HashMap::new();
        for command in commands {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about:?}", command.get_name());
            assert_eq!(said.insert(about, command.get_name()), None, "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_shows_examples() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("livehook {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        let all = Arguments::command();
        for command in std::iter::once(&all).chain(all.get_subcommands()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                assert!(line.chars().count() < 80, "{}: {line}", command.get_name());
            }
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        let usage = ExitCode::from(2);
        assert_eq!(report(&args::usage_error("give one of both")), usage);
        assert_eq!(report(&Arguments::try_parse_from(["livehook", "nonsense"]).unwrap_err().into()), usage);
    }

    #[test]
    fn causes_are_told_once() {
        let cause = || std::io::Error::other("no space");
        assert_eq!(described(&anyhow::Error::from(cause()).context("a.json")), "a.json: no space");
        let told = crate::storage::StorageError::Io { path: "x".into(), source: cause() };
        assert_eq!(described(&told.into()), "x: no space");
    }

    #[test]
    fn a_closed_stdout_is_success_and_a_full_one_is_not() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(report(&OutputError::from(closed).into()), ExitCode::SUCCESS);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(report(&OutputError::from(full).into()), ExitCode::FAILURE);
        let elsewhere = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(report(&elsewhere.into()), ExitCode::FAILURE);
    }
}
