//! Lines of a statement that a tool takes for its own marks, in whatever text or comment they stand: a file would be cut there.
//!
//! A table's own text is written as it is (`plan::sqlite`), so that a comment in it may be one.

use super::model::{MigrationError, Unit, down};
use super::tools::{Shape, Tool};
use crate::plan::Script;

/// Looks for marks in what the files of a plan would hold.
pub(super) fn check(tool: &Tool, units: &[Unit<'_>]) -> Result<(), MigrationError> {
    for part in units.iter().flat_map(|u| &u.steps) {
        let (back, guards) = down(&part.step).ok().unzip();
        let asked = part.step.guards.iter().chain(guards.unwrap_or_default()).map(|g| &g.sql).chain(&part.step.done);
        for sql in [Some(&part.step.up), back].into_iter().flatten().flat_map(statements).chain(asked) {
            if let Some(line) = sql.lines().find(|line| is_mark(tool.shape, line)) {
                return Err(MigrationError::Mark {
                    tool: tool.name,
                    line: line.trim().to_string(),
                    title: part.step.title.clone(),
                });
            }
        }
    }
    Ok(())
}

fn statements(script: &Script) -> impl Iterator<Item = &String> {
    script.before.iter().chain(&script.statements).chain(&script.after)
}

/// Tells whether a tool reads a line as a mark.
fn is_mark(shape: Shape, line: &str) -> bool {
    let comment = |line: &str, word: &str| {
        let rest = line.strip_prefix("--").map(str::trim_start);
        rest.and_then(|r| r.get(..word.len())).is_some_and(|r| r.eq_ignore_ascii_case(word))
    };
    match shape {
        // Every line that begins with `--`, inside of StatementBegin and StatementEnd, too (`internal/sqlparser/parser.go`).
        Shape::Goose => comment(line.trim_start(), "+goose"),
        // `(?m)^--\s*migrate:(up|down)` (`pkg/dbmate/migration.go`).
        Shape::Dbmate => comment(line, "migrate:"),
        // The file is split at the text, wherever it stands (`migrator.ts`).
        Shape::Drizzle => line.contains("--> statement-breakpoint"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_what_each_tool_reads() {
        for (shape, line, mark) in [
            (Shape::Goose, "-- +goose Down", true),
            (Shape::Goose, "  --+GOOSE down", true),
            (Shape::Goose, "a text, -- +goose Down", false),
            (Shape::Goose, "-- goose", false),
            (Shape::Dbmate, "--  migrate:down", true),
            (Shape::Dbmate, "  -- migrate:down", false),
            (Shape::Drizzle, "DEFAULT 'x --> statement-breakpoint'", true),
            (Shape::Drizzle, "--> statement", false),
            (Shape::Diesel, "-- +goose Down", false),
        ] {
            assert_eq!(is_mark(shape, line), mark, "{shape:?} {line}");
        }
    }
}
