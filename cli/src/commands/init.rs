//! `referee init`: a commented `referee.toml` made from a source.

use super::super::args::{Global, InitArgs};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::ui::Ui;
use referee::config::{THRESHOLD, init};
use referee::relations::Graph;

pub(super) fn run(args: &InitArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let file = args.output.display();
    let refuse = || {
        CliError::new(format!("{file} is there already"))
            .hint("write to another file with -o FILE, or overwrite it with --force")
    };
    if args.output.exists() && !args.force {
        return Err(refuse());
    }
    output::check(Some(&args.output), &Inputs::source(&args.source))?;
    let input = super::open(&args.source, global, ui)?;
    let graph = Graph::with_hints(&input.schema, &[], &input.hints, THRESHOLD);
    let text = init::template(&input.label, &input.schema, &graph);
    if args.force {
        output::write_file(&args.output, &text)?
    } else {
        output::create_file(&args.output, &text)?
    }
    ui.note(&format!("wrote {file}; every entry is commented out: open it and put in force what is true"));
    Ok(0)
}
