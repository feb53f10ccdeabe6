//! Parses the arguments of the process, runs the command, and returns the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use super::args::UsageError;
use super::error_text::error_text;
use super::render::{Output, OutputError, talk};
use super::{
    backup, check_config, completions, dead_letters, doctor, events, explain, healthcheck, keygen, rebuild_index,
    reload, replay, restore, send, serve, session, sessions, sign, sinks, streams,
};

/// Receives the callbacks of Tencent Cloud CSS (live streaming), stores every genuine one, and delivers it to your sinks
#[derive(Debug, Parser)]
#[command(
    name = "livehook",
    version,
    help_expected = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  livehook serve --key test    receive callbacks signed with the key `test`
  livehook send --key test     send a first callback to it
  livehook events --follow     watch events arrive
  livehook streams             see which streams are live

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 only warnings (`doctor`)."
)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    CheckConfig(check_config::Arguments),
    Reload(reload::Arguments),
    Keygen(keygen::Arguments),
    Sign(sign::Arguments),
    Send(Box<send::Arguments>),
    Events(events::Arguments),
    DeadLetters(Box<dead_letters::Arguments>),
    Replay(Box<replay::Arguments>),
    Sinks(sinks::Arguments),
    Streams(streams::Arguments),
    Sessions(Box<sessions::Arguments>),
    Session(session::Arguments),
    RebuildIndex(rebuild_index::Arguments),
    Explain(explain::Arguments),
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Doctor(Box<doctor::Arguments>),
    Healthcheck(healthcheck::Arguments),
    Completions(completions::Arguments),
}

/// Runs a command and returns its exit code. The first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut output = Output::stdout();
    let result = run_with_output(arguments, &mut output);
    // Data that was printed before an error still belongs to the user.
    let flushed = output.flush().map_err(anyhow::Error::from);
    result.and_then(|code| flushed.map(|()| code)).unwrap_or_else(|error| report(&error))
}

/// Runs a command that prints to `output`.
///
/// # Errors
/// The usage is wrong, or the command failed.
pub(super) fn run_with_output(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    output: &mut Output<'_>,
) -> anyhow::Result<ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    match CommandLine::try_parse_from(&arguments).map_err(|error| with_config_hint(error, &arguments))?.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::CheckConfig(arguments) => check_config::run(arguments, output),
        Command::Reload(arguments) => reload::run(&arguments, output),
        Command::Keygen(arguments) => keygen::run(&arguments, output),
        Command::Sign(arguments) => sign::run(&arguments, output),
        Command::Send(arguments) => send::run(&arguments, output),
        Command::Events(arguments) => events::run(arguments, output),
        Command::DeadLetters(arguments) => dead_letters::run(*arguments, output),
        Command::Replay(arguments) => replay::run(&arguments, output),
        Command::Sinks(arguments) => sinks::run(&arguments, output),
        Command::Streams(arguments) => streams::run(&arguments, output),
        Command::Sessions(arguments) => sessions::run(*arguments, output),
        Command::Session(arguments) => session::run(&arguments, output),
        Command::RebuildIndex(arguments) => rebuild_index::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments, output),
        Command::Backup(arguments) => backup::run(&arguments, output),
        Command::Restore(arguments) => restore::run(&arguments, output),
        Command::Doctor(arguments) => doctor::run(&arguments, output),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, CommandLine::command(), output),
    }
}

/// Adds a hint if a command that takes `--config FILE` got the file alone.
fn with_config_hint(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let all = CommandLine::command();
    let command = arguments.get(1).and_then(|name| all.find_subcommand(name));
    let takes_config =
        command.is_some_and(|command| command.get_arguments().any(|one| one.get_long() == Some("config")));
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(file))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && takes_config
        && !file.starts_with('-')
    {
        let hint = format!("to read the configuration from a file, use '--config {file}'");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
}

/// Prints an error to stderr and returns the exit code for it.
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        let _ = error.print();
        return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    if let Some(UsageError(message)) = error.downcast_ref() {
        // Printed as clap prints its own errors, with the usage and exit code 2.
        let error = clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n"));
        return report(&error.with_cmd(&CommandLine::command()).into());
    }
    if let Some(OutputError::Closed) = error.downcast_ref() {
        return ExitCode::SUCCESS;
    }
    talk(format_args!("error: {}", error_text(error)));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests;
