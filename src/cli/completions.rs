//! `livehook completions`: prints a completion script for a shell.

use std::process::ExitCode;

use clap_complete::Shell;

use super::render::Output;

/// Print a script that completes livehook's commands and flags in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(livehook completions bash)                (in ~/.bashrc)
  livehook completions zsh > ~/.zfunc/_livehook      (with ~/.zfunc in fpath)
  livehook completions fish > ~/.config/fish/completions/livehook.fish")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for these commands.
pub(super) fn run(
    arguments: &Arguments,
    mut commands: clap::Command,
    output: &mut Output<'_>,
) -> anyhow::Result<ExitCode> {
    // `clap_complete` panics if a write fails, for example on a closed pipe, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut commands, "livehook", &mut script);
    output.bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::cli::testing::stdout_of;

    #[test]
    fn script_for_every_shell() {
        for shell in Shell::value_variants() {
            let script = stdout_of(&["completions", &shell.to_string()]);
            assert!(script.contains("healthcheck") && script.contains("rebuild-index"), "{shell}");
        }
    }
}
