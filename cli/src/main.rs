//! The `referee` command: the only package that prints, prompts, reads the environment or exits.

mod args;
mod commands;
mod environment;
mod error;
mod git;
mod interrupt;
mod markdown;
mod output;
mod progress;
mod snippet;
mod ui;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches};

use args::Cli;
use error::FAILED;
use ui::Ui;

use referee::text::{masked, operand, redact};

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let matches = Cli::command().color(colour_of_help(&typed)).try_get_matches_from(&typed);
    let cli = match matches.and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &typed),
    };
    let ui = Ui::new(&cli.global, &typed);
    match commands::run(cli, &ui) {
        Ok(code) => code.into(),
        Err(error) => {
            ui.fail(&error);
            error.code().into()
        }
    }
}

/// Looks for `--color` before the arguments are understood: help and usage errors are printed then.
fn colour_of_help(typed: &[OsString]) -> ColorChoice {
    let mut words = typed.iter().filter_map(|a| a.to_str());
    while let Some(word) = words.next() {
        let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
        match value {
            Some("always") => return ColorChoice::Always,
            Some("never") => return ColorChoice::Never,
            _ => {}
        }
    }
    ColorChoice::Auto
}

/// Prints help, the version, or what is wrong with the arguments.
fn usage(error: &clap::Error, typed: &[OsString]) -> ExitCode {
    let mut text = error.render().to_string();
    let coloured = error.render().ansi().to_string();
    let to_stderr = error.use_stderr();
    let terminal = if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let colour = match colour_of_help(typed) {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let wishes = environment::colour_wishes();
            !wishes.never && (wishes.always || (terminal && !wishes.dumb))
        }
    };
    if colour {
        text = coloured;
    }
    // A database URL in the wrong place is repeated in the message, with its password.
    let words: Vec<String> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    text = masked(&text, &words);
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(clap::error::ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && (word.contains(['.', '/', ':']))
    {
        text.push_str(&format!("\nhint: to audit a database: referee audit {}\n", operand(&redact(word))));
    }
    let failed = if to_stderr {
        std::io::stderr().write_all(text.as_bytes()).is_err()
    } else {
        // A closed pipe is no failure: `referee --help | head -1`.
        let written = std::io::stdout().write_all(text.as_bytes());
        written.is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe)
    };
    if to_stderr || failed { FAILED.into() } else { ExitCode::SUCCESS }
}
