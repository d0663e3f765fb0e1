//! The SQL of a file: heads that say what and why, guards that stop it, statements that do nothing the second time.

use std::time::Duration;

use super::model::{Hand, Part, Unit, adds_key, down};
use crate::change::Change;
use crate::plan::{Blocks, Guard, Held, Plan, Script, Step, Transaction};
use crate::schema::facts::Stop;
use crate::schema::{Engine, TableName};
use crate::text::{self, one_line};

/// How the statements of a file stand to transactions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// The tool wraps the file in one.
    Tool,
    /// Nobody does: each step that wants one says BEGIN and COMMIT.
    Explicit,
    /// The same, and psql runs it: what has been done is passed over.
    Psql,
    /// Nobody does, and there is one statement only: nothing may stand beside it.
    Alone,
}

/// How a file ends its statements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Semicolon,
    /// goose splits at semicolons: what holds any is marked.
    Goose,
    /// Drizzle splits at `--> statement-breakpoint`.
    Drizzle,
}

const WIDTH: usize = 90;

/// How long a file's statements make others wait.
const LONGEST: Duration = Duration::from_secs(2);

/// Writes the lines of a comment. None begins with what a tool takes for its own mark, wherever it was broken.
fn comment(out: &mut String, text: &str) {
    let mut line = String::new();
    let mut put = |line: &str| {
        out.push_str(format!("-- {}", text::comment(line)).trim_end());
        out.push('\n');
    };
    for word in text.split_whitespace() {
        if line.len() + word.len() + 4 > WIDTH && !line.is_empty() {
            put(&std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    put(&line);
}

/// Says what a step does, why, and what waits for it.
fn head(out: &mut String, step: &Step) {
    comment(out, &step.title);
    if !step.why.is_empty() {
        comment(out, &step.why);
    }
    let mut rules: Vec<String> = step.findings.iter().map(|f| format!("{} {}", f.rule.code(), f.rule)).collect();
    rules.dedup();
    if !rules.is_empty() {
        comment(out, &format!("Fixes {}.", rules.join(", ")));
    }
    for lock in &step.locks {
        let who = match lock.blocks {
            Blocks::Nothing => continue,
            Blocks::Writers => "writers wait",
            Blocks::Everything => "readers and writers wait",
        };
        let long = match lock.held {
            Held::Instant => "for an instant",
            Held::Scan => "while its rows are read",
            Held::Batch => "while a batch of rows is changed",
            Held::Rewrite => "while it is written anew",
        };
        comment(out, &format!("Locks {} ({}): {who} {long}.", lock.table, lock.mode));
    }
}

/// Writes what leads up.
pub(super) fn up(plan: &Plan, unit: &Unit<'_>, around: Around, separator: Separator) -> String {
    let mut out = Text::new(plan, around, separator);
    let facts = plan.engine.facts();
    for (at, Part { step, hand }) in unit.steps.iter().enumerate() {
        out.gap();
        head(&mut out.text, step);
        match hand {
            Hand::Apart => {}
            Hand::Fallback => comment(&mut out.text, "Does nothing where the script to run by hand has been run."),
            Hand::Needed => {
                let why = if facts.alter.rebuilds {
                    "a table that others refer to cannot be rebuilt inside of a transaction"
                } else {
                    "its parts commit by themselves, which is not allowed inside of a transaction"
                };
                let text = "this only makes sure that it has been run";
                comment(&mut out.text, &format!("Done by the script to run by hand, because {why}; {text}."));
            }
        }
        if let Some(script) = &unit.by_hand {
            if *hand == Hand::Needed && facts.alter.rebuilds {
                // So that a reader of the folder knows what has been done when this runs.
                out.text.push_str(&format!("-- referee: after {script}\n"));
            }
            out.before_script = judged_without(plan.engine, unit, at)
                .iter()
                .map(|rule| format!("-- referee: ignore {rule} {script} has done it before\n"))
                .collect();
        }
        // What only looks whether another step may run, or has been run by hand, has no changes of its own.
        let looks = *hand == Hand::Needed || step.changes.is_empty() && !step.guards.is_empty();
        out.all_rows = looks || step.depends_on_rows();
        out.changes_rows = step.touches_rows;
        out.script(&step.up, &step.guards, step.done.as_deref(), step.lock_timeout(LONGEST));
    }
    out.text
}

/// Writes what leads back, the last step first.
pub(super) fn back(plan: &Plan, unit: &Unit<'_>, around: Around, separator: Separator) -> String {
    let mut out = Text::new(plan, around, separator);
    for Part { step, .. } in unit.steps.iter().rev() {
        out.gap();
        match down(step) {
            // The tools want a statement in each file; psql does not.
            Ok((script, guards)) if around == Around::Psql && script.statements.is_empty() && guards.is_empty() => {
                comment(&mut out.text, &format!("Nothing to undo of: {}", step.title));
            }
            Ok((script, guards)) => {
                comment(&mut out.text, &format!("Undoes: {}", step.title));
                out.all_rows = step.depends_on_rows();
                out.changes_rows = step.touches_rows;
                out.script(script, guards, None, step.undo_lock_timeout(LONGEST));
            }
            Err(why) => {
                comment(&mut out.text, &format!("Cannot be undone: {}. {why}", step.title));
                comment(&mut out.text, "Stops here; to undo what the other steps did all the same, take this out:");
                out.refuse(why);
            }
        }
    }
    out.text
}

/// Names the rules that find something wrong with a step's statement only if the script by hand has not been run.
fn judged_without(engine: Engine, unit: &Unit<'_>, at: usize) -> Vec<&'static str> {
    let (before, step) = (&unit.steps[..at], &unit.steps[at].step);
    let mut rules = Vec::new();
    if !engine.facts().indexes.concurrent {
        return rules;
    }
    if unit.steps[at].hand == Hand::Fallback && step.changes.iter().any(|c| matches!(c, Change::AddIndex { .. })) {
        rules.push("index-blocks-writes");
    }
    let added = || before.iter().filter(|p| adds_key(&p.step)).flat_map(|p| &p.step.changes);
    let mut tables: Vec<&TableName> = Vec::new();
    for change in added().chain(&step.changes) {
        if let Change::AddForeignKey { foreign_key: key, .. } | Change::ReplaceForeignKey { new: key, .. } = change {
            tables.extend([change.table(), &key.parent]);
        }
    }
    tables.sort();
    tables.dedup();
    if adds_key(step) && before.iter().filter(|p| adds_key(&p.step)).count() == 1 && tables.len() > 2 {
        rules.push("several-keys-in-one-transaction");
    }
    let validated = step.changes.iter().any(|c| match c {
        Change::ValidateForeignKey { table, .. } => added().any(|a| a.table() == table),
        _ => false,
    });
    if validated {
        rules.push("validated-in-same-transaction");
    }
    rules
}

struct Text<'p> {
    plan: &'p Plan,
    around: Around,
    separator: Separator,
    text: String,
    /// Comments that belong to the next script's own statement.
    before_script: String,
    /// Whether the next script rests on rows, so that the server shall refuse where a policy hides some.
    all_rows: bool,
    /// Whether the next script changes rows: it locks their parents and looks again, which takes a new snapshot for each statement.
    changes_rows: bool,
}

impl<'p> Text<'p> {
    fn new(plan: &'p Plan, around: Around, separator: Separator) -> Self {
        Self {
            plan,
            around,
            separator,
            text: String::new(),
            before_script: String::new(),
            all_rows: false,
            changes_rows: false,
        }
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            if self.separator == Separator::Drizzle {
                self.text.push_str("--> statement-breakpoint");
            }
            self.text.push('\n');
        }
    }

    fn statement(&mut self, sql: &str, first: &mut bool) {
        if self.separator == Separator::Drizzle && !*first {
            self.text.push_str("--> statement-breakpoint\n");
        }
        *first = false;
        // goose ends a statement at a line whose last word ends in `;`, and takes `--` in a text for a comment
        // (`internal/sqlparser/parser.go`).
        let compound = self.separator == Separator::Goose && (sql.contains(';') || sql.contains("--"));
        if !sql.starts_with("SET ") {
            self.text.push_str(&std::mem::take(&mut self.before_script));
        }
        if compound {
            self.text.push_str("-- +goose StatementBegin\n");
        }
        self.text.push_str(sql);
        self.text.push_str(";\n");
        if compound {
            self.text.push_str("-- +goose StatementEnd\n");
        }
    }

    fn script(&mut self, script: &Script, guards: &[Guard], done: Option<&str>, wait: Option<Duration>) {
        let mut first = true;
        let facts = self.plan.engine.facts();
        let own = script.transaction == Transaction::Own;
        let fresh = facts.scripts.stop == Stop::Block && self.changes_rows && self.around != Around::Alone;
        let explicit = matches!(self.around, Around::Explicit | Around::Psql) && own && facts.alter.transactional;
        script.before.iter().for_each(|sql| self.statement(sql, &mut first));
        let foldable = facts.scripts.stop == Stop::Block && own && script.statements.iter().all(|s| fits_in_block(s));
        if explicit {
            let begin = if fresh { "BEGIN ISOLATION LEVEL READ COMMITTED" } else { facts.scripts.begin };
            self.statement(begin, &mut first);
        } else if fresh && own && self.around == Around::Tool {
            // The tool has begun the transaction, and its level can no longer be changed (manual, SET TRANSACTION).
            self.statement(&old_snapshot(), &mut first);
        } else if fresh && !own {
            self.statement("SET default_transaction_isolation = 'read committed'", &mut first);
        }
        if let (true, Some(wait)) = (facts.scripts.local_lock_timeout && own, wait) {
            // Whoever waits for a lock makes all wait behind it that come later.
            self.statement(&format!("SET LOCAL lock_timeout = '{}ms'", wait.as_millis()), &mut first);
        }
        let all_rows = facts.scripts.row_security && self.all_rows && self.around != Around::Alone;
        if all_rows {
            // Where nobody has begun a transaction it holds for the session, and is taken back behind.
            let local = if own { "LOCAL " } else { "" };
            self.statement(&format!("SET {local}row_security = off"), &mut first);
        }
        if self.around == Around::Alone {
            guards.iter().for_each(|g| self.remark(g));
            script.statements.iter().for_each(|sql| self.statement(sql, &mut first));
        } else if foldable {
            let block = block(&script.statements, guards, done);
            self.statement(&block, &mut first);
        } else {
            // What cannot stand in a block is passed over by psql itself.
            let asked = done.filter(|_| self.around == Around::Psql && !own);
            if let Some(done) = asked {
                self.text
                    .push_str(&format!("SELECT EXISTS ({done}) AS referee_done \\gset\n\\if :referee_done\n\\else\n"));
            }
            guards.iter().for_each(|g| self.guard(g, &mut first));
            script.statements.iter().for_each(|sql| self.statement(sql, &mut first));
            if asked.is_some() {
                self.text.push_str("\\endif\n");
            }
        }
        if all_rows && !own {
            self.statement("RESET row_security", &mut first);
        }
        if fresh && !own {
            self.statement("RESET default_transaction_isolation", &mut first);
        }
        if explicit {
            self.statement("COMMIT", &mut first);
        }
        script.after.iter().for_each(|sql| self.statement(sql, &mut first));
    }

    /// Writes a guard where nothing can stop the file.
    fn remark(&mut self, guard: &Guard) {
        comment(&mut self.text, &format!("Before: {}. This must return no row:", guard.message()));
        comment(&mut self.text, &guard.sql);
    }

    fn guard(&mut self, guard: &Guard, first: &mut bool) {
        match self.plan.engine.facts().scripts.stop {
            Stop::Block => self.statement(&block(&[], std::slice::from_ref(guard), None), first),
            Stop::Check => {
                comment(&mut self.text, &guard.message());
                // Not the name of the table that a rebuild looks after itself with, in case both are there at once.
                for sql in [
                    "CREATE TEMP TABLE _referee_check (ok INTEGER CHECK (ok = 1))".to_string(),
                    format!("INSERT INTO temp._referee_check SELECT NOT EXISTS ({})", guard.sql),
                    "DROP TABLE temp._referee_check".to_string(),
                ] {
                    self.statement(&sql, first);
                }
            }
            Stop::Cast | Stop::Signal => self.remark(guard),
        }
    }

    fn refuse(&mut self, why: &str) {
        let mut first = true;
        let message = one_line(why).replace('\'', "''");
        match self.plan.engine.facts().scripts.stop {
            Stop::Block => self.statement(
                &text::do_block(" ", &format!("BEGIN\n  RAISE EXCEPTION '{}'\n    USING HINT = 'What the steps before did is not undone. To undo it all the same, take this statement out.';\nEND ", message.replace('%', "%%"))),
                &mut first,
            ),
            Stop::Check => {
                for sql in [
                    "CREATE TEMP TABLE _referee_cannot_be_undone (ok INTEGER CHECK (ok = 1))",
                    "INSERT INTO _referee_cannot_be_undone VALUES (0)",
                ] {
                    self.statement(sql, &mut first);
                }
            }
            Stop::Signal => {
                self.statement(&format!("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'cannot be undone: {message}'"), &mut first)
            }
            Stop::Cast => self.statement(&format!("SELECT 'cannot be undone: {message}'::INT8"), &mut first),
        }
    }
}

/// Writes a block that stops in a transaction whose snapshot is older than its locks (manual, 13.2.2): a parent that came while
/// it waited for one would not be seen, and its row be taken for an orphan.
fn old_snapshot() -> String {
    let body = "BEGIN\n  IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN\n    RAISE EXCEPTION 'rows are changed at \
                the isolation level read committed only'\n      USING HINT = 'Run it where default_transaction_isolation is read committed.';\n  END \
                IF;\nEND ";
    text::do_block(" ", body)
}

/// Tells whether a statement can stand in a PL/pgSQL block as it is: one that returns rows would need a place for them.
pub(super) fn fits_in_block(sql: &str) -> bool {
    let verb = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    matches!(verb.as_str(), "ALTER" | "CREATE" | "DROP" | "UPDATE" | "DELETE" | "INSERT" | "COMMENT")
}

/// Writes a block that stops if a guard has a row, with the rows as the error's detail, and does nothing if it has been done.
fn block(statements: &[String], guards: &[Guard], done: Option<&str>) -> String {
    // A block has a variable of its own, FOUND, and a column of that name would be ambiguous (manual, "Variable Substitution").
    let texts = guards.iter().map(|g| &g.sql).chain(statements).map(String::as_str).chain(done);
    let options = match names_found(texts) {
        true => "\n#variable_conflict use_column\n",
        false => " ",
    };
    let mut out = String::from("BEGIN\n");
    let indent = if let Some(done) = done.filter(|_| !statements.is_empty()) {
        out.push_str(&format!("  IF NOT EXISTS ({done}) THEN\n"));
        "    "
    } else {
        "  "
    };
    for guard in guards {
        let message = one_line(&guard.message()).replace('\'', "''").replace('%', "%%");
        out.push_str(&format!(
            "{indent}IF EXISTS ({0}) THEN\n{indent}  RAISE EXCEPTION '{message}' USING DETAIL = (\n{indent}    SELECT \
             pg_catalog.string_agg(these::pg_catalog.text, ', ') FROM ({0}) AS these);\n{indent}END IF;\n",
            guard.sql
        ));
    }
    statements.iter().for_each(|sql| out.push_str(&format!("{indent}{sql};\n")));
    if indent.len() == 4 {
        out.push_str("  END IF;\n");
    }
    out.push_str("END ");
    text::do_block(options, &out)
}

/// Tells whether texts hold the word `found`.
fn names_found<'t>(mut texts: impl Iterator<Item = &'t str>) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    texts.any(|text| text.split(|c| !part_of_name(c)).any(|word| word.eq_ignore_ascii_case("found")))
}
