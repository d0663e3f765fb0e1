//! Why a run of a plan stopped, what is applied by then, and how to go on.

use std::path::Path;

use super::super::error::CliError;
use super::apply::journal_lost;
use referee::apply::ApplyError;
use referee::engine::{EngineErrorKind, LockHolder};
use referee::render;
use referee::text::one_line;

/// So many sessions that hold a lock are named.
const HOLDERS: usize = 3;

/// Names the sessions that hold the lock which a step did not get.
pub(super) fn holders(all: &[LockHolder]) -> Vec<String> {
    let told = all.iter().take(HOLDERS).map(|h| {
        let LockHolder { pid, application, state, since, table } = h;
        format!(
            "a lock on {table} is held by pid {pid} ({application}), {state}, in a transaction since {since}: wait for it, or end it with \
             SELECT pg_terminate_backend({pid})"
        )
    });
    told.map(|text| one_line(&text).to_string()).collect()
}

/// Where a run stopped.
pub(super) struct Place<'a> {
    pub journal: &'a Path,
    /// The step it was at, from 0; the ones before it are done.
    pub at: usize,
    /// Whether the steps are undone, the last one first.
    pub undoing: bool,
    pub width: usize,
}

impl Place<'_> {
    /// Says which steps stay applied.
    fn before(&self) -> String {
        match self.at {
            _ if self.undoing => "later steps stay undone, earlier ones applied".to_string(),
            0 => "nothing was changed before it".to_string(),
            1 => "step 1 stays applied".to_string(),
            several => format!("steps 1-{several} stay applied"),
        }
    }

    fn rolled_back(&self) -> String {
        match self.at {
            at if self.undoing => format!("undoing step {} rolled back; {}", at + 1, self.before()),
            0 => "nothing changed: step 1 rolled back".to_string(),
            at => format!("step {} rolled back; {}", at + 1, self.before()),
        }
    }

    /// Names the way out that a run has and an undo has not: whoever plans again gives up the record that an undo needs.
    fn or_plan_again(&self, stopped: CliError) -> CliError {
        if self.undoing {
            return stopped;
        }
        stopped.hint("or make a new plan, with what else you want to say: --apply --new-plan")
    }

    /// Says what blocks a step, and which query found it.
    fn blocked(&self, state: &str, title: &str, message: &str, found_by: Option<(String, String)>) -> String {
        let width = self.width;
        let mut text = format!("{state}\n  {}\nwhy:\n  {}", fill(title, "  ", width), fill(message, "  ", width));
        let Some((sql, rows)) = found_by else { return text };
        if !rows.is_empty() {
            text.push_str("\nrows that block it:");
            rows.lines().for_each(|row| text.push_str(&format!("\n  {row}")));
        }
        text.push_str(&format!("\nfound by:\n  {}", fill(&sql, "  ", width)));
        text
    }

    /// Says why a run stopped, what is applied by now, and what to do.
    pub fn explain(&self, error: ApplyError) -> CliError {
        let width = self.width;
        let again = format!("run the same command to go on; {} tells what is done", self.journal.display());
        match error {
            ApplyError::Guard { title, message, sql, rows } => {
                let state = format!("stopped before step {}; {}", self.at + 1, self.before());
                let text = self.blocked(&state, &title, &message, Some((sql, rows)));
                let stopped =
                    CliError::new(text).hint("fix that, then run the same command: it goes on with this step");
                self.or_plan_again(stopped)
            }
            ApplyError::CannotUndo { number, title, message, found_by } => {
                let state = format!("step {} cannot be undone now; nothing was changed", number + 1);
                CliError::new(self.blocked(&state, &title, &message, found_by))
                    .hint("fix that, then run the same command")
            }
            ApplyError::Step { title, error, partly, triggers } => {
                let state = match error.kind {
                    EngineErrorKind::Connect => {
                        format!("whether step {} was done is seen when the run goes on; {}", self.at + 1, self.before())
                    }
                    _ if partly => {
                        format!("part of step {} may be done, and going on finishes it; {}", self.at + 1, self.before())
                    }
                    _ => self.rolled_back(),
                };
                let mut text = match partly {
                    true => format!("step {} stopped\n  {}\n", self.at + 1, fill(&title, "  ", width)),
                    false => format!("{state}\n  {}\n", fill(&title, "  ", width)),
                };
                let said = match triggers.as_slice() {
                    [] => error.message.clone(),
                    [one] => format!("trigger {one} blocked it: \"{}\"", error.message),
                    several => format!("one of the triggers {} blocked it: \"{}\"", several.join(", "), error.message),
                };
                text.push_str(&format!("what the database says:\n  {}", fill(&said, "  ", width)));
                let failed = CliError::new(text);
                let failed = if partly { failed.hint(fill(&state, "      ", width)) } else { failed };
                let failed = match error.hint {
                    Some(hint) => failed.hint(fill(&hint, "      ", width)),
                    None => failed,
                };
                if !triggers.is_empty() {
                    let failed = failed
                        .hint("the trigger blocks the next try, too, unless it or the plan is changed")
                        .hint(fill(&again, "      ", width));
                    return self.or_plan_again(failed);
                }
                let failed = match error.kind {
                    // What the error's own hint says comes first: as this user the same command fails again.
                    EngineErrorKind::Permission => failed.hint(fill(
                        &format!(
                            "with that done, run the same command to go on; {} tells what is done",
                            self.journal.display()
                        ),
                        "      ",
                        width,
                    )),
                    _ => failed.hint(fill(&again, "      ", width)),
                };
                match error.kind {
                    EngineErrorKind::Statement => self.or_plan_again(failed),
                    _ => failed,
                }
            }
            ApplyError::MoreRows { title, what, shown, found, changed } => {
                let state = match changed {
                    0 => self.rolled_back(),
                    some => format!("step {} stopped after {some} rows; {}", self.at + 1, self.before()),
                };
                let mut text = format!("{state}\n  {}\n", fill(&title, "  ", width));
                let told = format!("{found} {what} now, you approved {shown}");
                text.push_str(&format!("why:\n  {}", fill(&told, "  ", width)));
                CliError::new(text).hint("to see and approve the new count: --apply --new-plan")
            }
            ApplyError::NotCounted { title } => {
                let mut text = format!(
                    "nothing was changed: the rows of a step were not counted\n  {}\n",
                    fill(&title, "  ", width)
                );
                text.push_str(&format!(
                    "why:\n  {}",
                    fill("what is approved is a number of rows, and the plan has none", "  ", width)
                ));
                CliError::new(text).hint("plan again with rows counted: --apply --new-plan, without --no-data")
            }
            ApplyError::RowsStay { title, counted, changed, sql, keepers, off } => {
                let state = match changed {
                    0 => self.rolled_back(),
                    _ => format!("step {} ran, and rows stayed as they were; {}", self.at + 1, self.before()),
                };
                let mut text = format!("{state}\n  {}\n", fill(&title, "  ", width));
                let told = format!("{changed} of {counted} rows were changed");
                let named: Vec<String> = keepers.iter().map(ToString::to_string).collect();
                let why = match keepers.as_slice() {
                    [] => format!("{told}; something else changed or refers to the others"),
                    [one] if one.rule => format!("{told}; {one} takes the place of the statement (DO INSTEAD)"),
                    [one] => format!("{told}; trigger {one} can keep rows as they are (RETURN NULL, RAISE(IGNORE))"),
                    _ => {
                        format!("{told}; one of these triggers and rules keeps rows as they are: {}", named.join(", "))
                    }
                };
                text.push_str(&format!(
                    "why:\n  {}\ncounted by:\n  {}",
                    fill(&why, "  ", width),
                    fill(&sql, "  ", width)
                ));
                let again = "run the same command again";
                let hint = match (named.as_slice(), off.as_slice()) {
                    ([], _) => format!("look at these rows, then {again}"),
                    ([one], [sql]) => format!("if {one} may be off for this: {sql}; {again}; then enable it again"),
                    (_, []) => format!("drop {}, {again}, and create what you dropped again", named.join(", ")),
                    (_, off) => {
                        format!("switch off what keeps them: {}; {again}; then enable them again", off.join("; "))
                    }
                };
                let stopped = CliError::new(text).hint(fill(&hint, "      ", width));
                let stopped = match changed {
                    0 => stopped,
                    _ => stopped.hint("to take back what was changed: --undo --apply"),
                };
                self.or_plan_again(stopped)
            }
            ApplyError::NotDone { title, sql } => {
                let mut text =
                    format!("a step ran, but the database does not show it\n  {}\n", fill(&title, "  ", width));
                text.push_str(&format!("asked by:\n  {}", fill(&sql, "  ", width)));
                CliError::new(text)
                    .hint("something else may have changed the same objects meanwhile")
                    .hint("make a new plan from what is there now: --apply --new-plan")
            }
            ApplyError::Stopped => CliError::Interrupted,
            ApplyError::OutOfTime => CliError::OutOfTime,
            ApplyError::Busy => CliError::new(error.to_string()).hint("wait for it to end, then run the same command"),
            ApplyError::Engine(error) => CliError::from(*error).hint(fill(&again, "      ", width)),
            ApplyError::Journal(error) => {
                let state =
                    format!("whether step {} was done is seen when the run goes on; {}", self.at + 1, self.before());
                journal_lost(&error, &state)
            }
            ApplyError::UndoDiffers => CliError::new(format!("{error}; nothing was changed"))
                .hint("run the same command again to see what it would do now"),
        }
    }
}

/// Breaks a text into lines that fit, each with the lead before it but the first.
pub(super) fn fill(text: &str, lead: &str, width: usize) -> String {
    render::wrap(text, width.saturating_sub(lead.len()).max(20)).join(&format!("\n{lead}"))
}
