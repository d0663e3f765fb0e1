//! `referee fix --undo`: the last recorded run, shown and undone step by step.

use std::path::Path;

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::apply;
use super::stopped::Place;
use referee::apply::{
    ApplyError, Journal, Lost, Options, Outcome, Recorded, ToUndo, end_undo, identity, is_same, to_undo, undo,
};
use referee::change::Change;
use referee::engine::{Connector, EngineError, EngineErrorKind, Reader, Writer};
use referee::plan::{Down, RowAction, Step, acting_on_undo, left_after_undo};
use referee::render::wrap;
use referee::schema::{Schema, TableName};
use referee::source::Source;
use referee::text::{argument, one_line, visible};

/// Writes the command that undoes a run. Where its record is not the one of this folder, it is named so that it is found from any.
pub(super) fn command(args: &FixArgs, global: &Global) -> String {
    let mut command = super::command("fix", &args.source.to_string(), global);
    command.push_str(" --undo");
    if let Some(journal) = &args.apply.journal {
        let journal = std::path::absolute(journal).unwrap_or_else(|_| journal.clone());
        command.push_str(&format!(" --journal {}", argument(&journal.display().to_string())));
    }
    command
}

pub(super) fn run(args: &FixArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let source = Source::parse(args.source.secret())?;
    let connector = apply::database(&source, ui)?;
    let path = apply::journal_path(args, &source, global)?;
    let nothing = || {
        CliError::new(format!("no run is recorded in {}: there is nothing to undo", path.display()))
            .hint("run it in the folder where the plan was applied, or name the record: --journal FILE")
    };
    if !path.exists() {
        return Err(nothing());
    }
    // Locked before it is read: nobody begins or undoes a run in it between the question and the answer.
    let journal = if args.apply.apply { Some(Journal::open(&path).map_err(apply::journal_error)?.0) } else { None };
    let runs = Journal::runs(&path).map_err(apply::journal_error)?;
    let Some(mut database) = Database::open(&connector, args, global, ui)? else { return Err(nothing()) };
    let schema = database.inspect()?;
    let reader = database.reader();
    let here = identity(reader.dialect(), &mut |sql| reader.query(sql))?;
    let (runs, elsewhere): (Vec<Recorded>, Vec<Recorded>) =
        runs.into_iter().partition(|run| is_same(run.database.as_deref(), here.as_deref()));
    if let Some(run) = elsewhere.first().filter(|_| runs.is_empty()) {
        let made = format!("the runs in {} were made in another database", path.display());
        return Err(apply::elsewhere(&made, run.database.as_deref())
            .hint("connect to that one, or name this one's file: --journal FILE"));
    }
    let mut left = 0;
    let mut chosen = None;
    for run in &runs {
        let found = to_undo(run, &schema, &mut |sql| {
            if ui.job.check().is_err() {
                return Err(EngineError::new(EngineErrorKind::Cancelled, "stopped"));
            }
            reader.query(sql)
        })?;
        if !found.lost.is_empty() {
            left = FINDINGS;
        }
        found.lost.iter().for_each(|(number, step, why)| ui.warn(&not_undone(*number, step, why), None));
        if found.applied.is_empty() {
            unfinished(run, ui);
            continue;
        }
        let acting = |step: &Step| acting_on_undo(&schema, step);
        let shown: String =
            found.applied.iter().rev().map(|(number, step)| one(*number, step, &acting(step), ui)).collect();
        let rows = found.backed_up(&schema, reader.dialect(), &mut |sql| reader.query(sql))?;
        let mut told: Vec<String> = restored(&found, &rows).into_iter().collect();
        told.extend(found.applied.iter().flat_map(|(_, step)| acting(step)));
        let begins = found.can_begin(&schema, &mut |sql| reader.query(sql));
        chosen = Some((found.shown(&rows), shown, told, begins, found, run));
        break;
    }
    let Some((approved, shown, told, begins, found, run)) = chosen else {
        if let (Some(mut journal), Some(open)) = (journal, runs.iter().find(|run| run.undoing)) {
            // It was killed after its last step and before it could say so.
            end_undo(open, &mut journal).map_err(apply::journal_error)?;
            ui.note(if left == 0 {
                "the undo that was cut off had undone every step; it is ended now"
            } else {
                "what is left of the undo that was cut off cannot be undone (see above); it is ended now"
            });
            return Ok(left);
        }
        ui.note(&format!("no step of a run in {} is applied: there is nothing to undo", path.display()));
        return Ok(left);
    };
    ui.print(&shown)?;
    let steps = found.applied.len();
    let width = ui.style.width;
    let (Some(mut journal), Database::Writer(mut writer)) = (journal, database) else {
        told.iter().for_each(|sentence| ui.note(sentence));
        let others = "the checks of the other steps run when they are reached";
        match begins {
            Ok(()) if steps > 1 => ui.note(&format!("the step that is undone first can be undone now; {others}")),
            Ok(()) => {}
            Err(error) => {
                ui.warn(&cannot_begin(error, &path, width)?, (steps > 1).then_some(others));
                ui.note("nothing was changed");
                return Ok(FINDINGS);
            }
        }
        ui.note(&format!("nothing was changed; to do it: {} --apply", command(args, global)));
        return Ok(left);
    };
    begins.map_err(|error| Place { journal: &path, at: 0, undoing: true, width }.explain(error))?;
    if !args.apply.yes {
        let steps = if steps == 1 { "1 step".to_string() } else { format!("{steps} steps") };
        let mut question = vec![format!("Undo {steps} in {}?", one_line(&source.label()))];
        question.extend(told);
        if !apply::ask(&question.join(" "), ui)? {
            return Ok(FINDINGS);
        }
    }
    ui.job.writes();
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let shown = apply::Shown::new(Steps::new(ui, run.plan.steps.len()), &run.plan, ui);
    let context = ui.job.context.told_to(shown.clone());
    let outcome = undo(&mut *writer, run, &approved, &options, &mut journal, &context);
    let at = shown.end();
    let outcome = outcome.map_err(|error| Place { journal: &path, at, undoing: true, width }.explain(error))?;
    ui.note(&undone(run, &found, outcome));
    still_there(&found, &writer.inspect()?, ui);
    if left != 0 {
        ui.warn("the run is not undone as a whole: see the steps named above", None);
    }
    Ok(left)
}

/// Names the backups that the undo left, because they hold more than it restored.
fn still_there(found: &ToUndo<'_>, schema: &Schema, ui: &Ui) {
    let left = found.applied.iter().flat_map(|(_, step)| step.backups()).map(left_after_undo);
    for name in left.filter(|name| schema.table(name).is_some()) {
        ui.warn(
            &format!(
                "triggers gave the rows other values, which stay; their old values are in {}",
                one_line(&name.to_string())
            ),
            Some("restore what is needed by hand, then drop that table"),
        );
    }
}

/// Says why an undo cannot begin.
///
/// # Errors
/// What else was in its way.
fn cannot_begin(error: ApplyError, journal: &Path, width: usize) -> Result<String, CliError> {
    let ApplyError::CannotUndo { number, title, message, found_by } = error else {
        return Err(Place { journal, at: 0, undoing: true, width }.explain(error));
    };
    let rows = found_by.map(|(_, rows)| rows.lines().collect::<Vec<_>>().join("; ")).filter(|rows| !rows.is_empty());
    let rows = rows.map(|rows| format!(" ({rows})")).unwrap_or_default();
    Ok(one_line(&format!("step {} cannot be undone now: {title}: {message}{rows}", number + 1)).to_string())
}

/// Says how many steps of a run are undone, by this undo and by those before it that stopped, and how many rows they restored.
fn undone(run: &Recorded, found: &ToUndo<'_>, outcome: Outcome) -> String {
    let is_applied = |step: &Step| found.applied.iter().any(|(_, applied)| applied.id == step.id);
    let before: Vec<&Step> =
        run.plan.steps.iter().filter(|step| run.undone.contains(&step.id) && !is_applied(step)).collect();
    let (now, before_now) = (outcome.done, before.len());
    let parts = if before_now > 0 { format!(" ({now} now, {before_now} before)") } else { String::new() };
    let steps = match (now + before_now, found.lost.len()) {
        (1, 0) => "The only step is undone".to_string(),
        (all, 0) => format!("All {all} steps are undone{parts}"),
        (some, lost) => format!("{some} of {} steps are undone{parts}", some + lost),
    };
    let earlier: u64 = before.iter().filter_map(|step| run.restored.get(&step.id)).sum();
    let restores =
        before.into_iter().chain(found.applied.iter().map(|(_, step)| *step)).any(|s| !s.backups().is_empty());
    match (restores, outcome.restored + earlier) {
        (false, _) => format!("{steps}."),
        (true, 1) => format!("{steps}. 1 row restored."),
        (true, rows) => format!("{steps}. {rows} rows restored."),
    }
}

/// Says of a run that did not come to its end, and of which nothing is applied, that an undo of an earlier one passes it over.
fn unfinished(run: &Recorded, ui: &Ui) {
    let at = run.plan.steps.iter().enumerate().find(|(_, step)| run.is_own(step) && !run.done.contains(&step.id));
    if let Some((number, step)) = at.filter(|_| !run.ended) {
        ui.warn(
            &one_line(&format!(
                "a later run stopped in step {}: {}; what that step had begun may still be there (an invalid index, say)",
                number + 1,
                step.title
            )),
            Some("`fix --apply` goes on with that run; `fix --apply --new-plan` gives it up"),
        );
    }
}

/// The database that the undo is looked up in. Where it is going to be written to, it is the writer that looks: a SQLite file
/// whose undo was killed in the middle of a write cannot be read before that is rolled back, which a reader may not do.
enum Database {
    Reader(Box<Schema>, Box<dyn Reader>),
    Writer(Box<dyn Writer>),
}

impl Database {
    fn open(connector: &Connector, args: &FixArgs, global: &Global, ui: &Ui) -> Result<Option<Self>, CliError> {
        if !args.apply.apply {
            let input = super::open(&args.source, global, ui)?;
            return Ok(input.session.map(|session| Self::Reader(Box::new(input.schema), session)));
        }
        ui.job.listen();
        Ok(Some(Self::Writer(connector.writer()?)))
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        match self {
            Self::Reader(schema, _) => Ok(schema.as_ref().clone()),
            Self::Writer(writer) => writer.inspect(),
        }
    }

    fn reader(&mut self) -> &mut dyn Reader {
        match self {
            Self::Reader(_, reader) => reader.as_mut(),
            Self::Writer(writer) => writer.as_mut(),
        }
    }
}

/// Says that a step is not undone, and what that leaves.
fn not_undone(number: usize, step: &Step, why: &Lost) -> String {
    let why = match why {
        Lost::Backups(tables) => {
            let names: Vec<String> = tables.iter().map(|t| t.to_string()).collect();
            format!("its backup is gone ({}), so its rows cannot be restored", names.join(", "))
        }
        Lost::Changed => "what it made has been changed or removed since the run".to_string(),
        Lost::Irreversible(why) => why.clone(),
    };
    one_line(&format!("step {} is not undone: {}: {why}", number + 1, step.title)).to_string()
}

/// Says what an undo puts back and what it drops. `backups` is how many rows each backup table holds.
fn restored(found: &ToUndo<'_>, backups: &[(TableName, u64)]) -> Option<String> {
    let (mut deleted, mut references, mut others) = (0, 0, 0);
    for (_, step) in &found.applied {
        let of = step.backups();
        let rows: u64 = backups.iter().filter(|(name, _)| of.contains(&name)).map(|(_, rows)| rows).sum();
        let nulled: u64 = step.bounds.iter().filter(|b| b.action == RowAction::SetNull).map(|b| b.rows).sum();
        let gone: u64 = step.bounds.iter().filter(|b| b.action != RowAction::SetNull).map(|b| b.rows).sum();
        match (gone, nulled) {
            (1.., 0) => deleted += rows,
            (0, 1..) => references += rows,
            (gone, nulled) if gone + nulled == rows => (deleted, references) = (deleted + gone, references + nulled),
            _ => others += rows,
        }
    }
    let changes = || found.applied.iter().flat_map(|(_, step)| &step.changes);
    let keys = changes().filter(|c| matches!(c, Change::AddForeignKey { .. })).count();
    let indexes = changes().filter(|c| matches!(c, Change::AddIndex { .. })).count();
    let some = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}{}", if n == 1 { "" } else { "s" }));
    let and = |parts: [Option<String>; 3]| parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let back = match and([some(deleted, "deleted row"), some(references, "reference"), some(others, "row")]) {
        none if none.is_empty() => "no row".to_string(),
        some => some,
    };
    let tables = some(backups.len() as u64, "backup table")?;
    let dropped = and([
        some(keys as u64, "foreign key"),
        some(indexes as u64, "index").map(|i| i.replace("indexs", "indexes")),
        None,
    ]);
    let dropped = if dropped.is_empty() { String::new() } else { format!("; drops the {dropped} of that run") };
    Some(format!(
        "Puts back {back} from {tables}, and drops {}{dropped}.",
        if backups.len() == 1 { "it" } else { "them" }
    ))
}

/// Writes a step and the statements that undo it.
fn one(number: usize, step: &Step, acting: &[String], ui: &Ui) -> String {
    let mut text = String::new();
    let head = format!("Undo step {}: {}", number + 1, one_line(&step.title));
    wrap(&head, ui.style.width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    for sentence in acting {
        wrap(&one_line(sentence), ui.style.width.saturating_sub(2))
            .iter()
            .for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    match &step.down {
        Down::Impossible(why) => text.push_str(&format!("  Cannot be undone: {}\n", one_line(why))),
        Down::Script { script, .. } => {
            for sql in script.before.iter().chain(&script.statements).chain(&script.after) {
                let sql = visible(sql.trim_end().trim_end_matches(';'));
                text.push_str(&format!("  {};\n", sql.replace('\n', "\n  ")));
            }
        }
    }
    text.push('\n');
    text
}
