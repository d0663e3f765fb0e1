//! `referee explain`: a rule's page.

use super::super::args::{ExplainArgs, unknown_rule};
use super::super::error::CliError;
use super::super::markdown;
use super::super::ui::Ui;
use referee::rules;

pub(super) fn run(args: &ExplainArgs, ui: &Ui) -> Result<u8, CliError> {
    let Some(rule) = rules::find(&args.rule) else {
        let (what, hint) = unknown_rule(&args.rule);
        return Err(CliError::new(what).hint(hint));
    };
    ui.print(&markdown::render(rule.meta.page, &ui.style))?;
    Ok(0)
}
