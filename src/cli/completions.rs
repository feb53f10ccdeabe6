//! `livehook completions`: a script that lets a shell complete livehook's commands.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::render::output::Output;

/// Print a script that completes livehook's commands in a shell
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

/// Prints the script.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "livehook", &mut script);
    output.bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            run(&Arguments { shell: *shell }, &mut Output::to(&mut script)).unwrap();
            assert!(String::from_utf8(script).unwrap().contains("healthcheck"), "{shell}");
        }
    }
}
