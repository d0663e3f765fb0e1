//! `referee completions`: the completion script of a shell.

use clap::CommandFactory;

use super::super::args::{Cli, CompletionsArgs};
use super::super::error::CliError;
use super::super::ui::Ui;

pub(super) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "referee", &mut script);
    ui.print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
