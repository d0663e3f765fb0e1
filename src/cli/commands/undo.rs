//! `referee fix --undo`: the last recorded run, shown and undone step by step.

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::apply;
use super::stopped::Place;
use crate::apply::{Journal, Lost, Options, Recorded, ToUndo, identity, is_same, to_undo, undo};
use crate::engine::{Dialect, EngineError, EngineErrorKind, Rows, Session, Value, Writer};
use crate::plan::{Down, Step, acting_on_undo};
use crate::render::wrap;
use crate::schema::Schema;
use crate::source::Source;
use crate::text::{argument, one_line, operand, visible};

/// Writes the command that undoes a run.
pub(super) fn command(args: &FixArgs, global: &Global) -> String {
    let mut command = super::command("fix", &args.source.to_string(), global);
    command.push_str(" --undo");
    if let Some(journal) = &args.apply.journal {
        command.push_str(&format!(" --journal {}", argument(&journal.display().to_string())));
    }
    command
}

pub(super) fn run(args: &FixArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let source = Source::parse(args.source.secret())?;
    apply::is_database(&source)?;
    let path = apply::journal_path(args, &source, global)?;
    let nothing = || {
        CliError::new(format!("no run is recorded in {}: there is nothing to undo", path.display()))
            .hint("name the file in which it was recorded: --journal FILE")
    };
    if !path.exists() {
        return Err(nothing());
    }
    if args.apply.apply {
        ui.job.listen();
        source.check_writer(&super::session(ui))?;
    }
    let runs = Journal::runs(&path).map_err(apply::journal_error)?;
    let Some(mut database) = Database::open(args, global, ui)? else { return Err(nothing()) };
    let schema = database.inspect()?;
    let here = identity(database.dialect(), &mut |sql| database.query(sql));
    let (runs, elsewhere): (Vec<Recorded>, Vec<Recorded>) =
        runs.into_iter().partition(|run| is_same(run.database.as_deref(), here.as_deref()));
    if runs.is_empty() && !elsewhere.is_empty() {
        return Err(CliError::new(format!("the runs in {} were made in another database", path.display()))
            .hint("connect to that one, or name this one's file: --journal FILE"));
    }
    let mut lost = 0;
    let mut chosen = None;
    for run in runs {
        let found = to_undo(&run, &schema, &mut |sql| {
            if ui.job.check().is_err() {
                return Err(EngineError::new(EngineErrorKind::Cancelled, "stopped"));
            }
            database.query(sql)
        })?;
        lost += found.lost.len();
        found.lost.iter().for_each(|(number, step, why)| ui.warn(&not_undone(*number, step, why), None));
        let acting = |step: &Step| acting_on_undo(&schema, step);
        let shown = found.applied.iter().rev().map(|(number, step)| one(*number, step, &acting(step), ui));
        let shown: String = shown.collect();
        if !shown.is_empty() {
            let mut restored: Vec<String> = restored(&found, &schema, &mut database)?.into_iter().collect();
            restored.extend(found.applied.iter().flat_map(|(_, step)| acting(step)));
            chosen = Some((found.applied.len(), shown, restored, run));
            break;
        }
    }
    drop(database);
    let left = if lost > 0 { FINDINGS } else { 0 };
    let Some((steps, shown, restored, run)) = chosen else {
        ui.note(&format!("no step of a run in {} is applied: there is nothing to undo", path.display()));
        return Ok(left);
    };
    ui.print(&shown)?;
    if !args.apply.apply {
        restored.iter().for_each(|sentence| ui.note(sentence));
        ui.note(&format!("nothing was changed; to do it: {} --apply", command(args, global)));
        return Ok(left);
    }
    if !args.apply.yes {
        let steps = if steps == 1 { "1 step".to_string() } else { format!("{steps} steps") };
        let mut question = vec![format!("Undo {steps} in {}?", one_line(&source.label()))];
        question.extend(restored);
        if !apply::ask(&question.join(" "), ui)? {
            return Ok(FINDINGS);
        }
    }
    let (mut journal, _) = Journal::open(&path).map_err(apply::journal_error)?;
    let session = super::session(ui);
    let Some(mut writer) = source.open_writer(&session)? else {
        return Err(CliError::new(format!("{} is no database", operand(&source.label()))));
    };
    ui.job.writes();
    let options = Options { lock_timeout: args.lock_timeout, retries: args.apply.retries, ..Options::default() };
    let shown = apply::Shown::new(Steps::new(ui, run.plan.steps.len()), &run.plan, ui);
    let context = ui.job.context.told_to(shown.clone());
    let outcome = undo(&mut *writer, &run, &options, &mut journal, &context);
    let at = shown.end();
    let width = ui.style.width;
    let outcome = outcome.map_err(|error| Place { journal: &path, at, undoing: true, width }.explain(error))?;
    ui.note(&format!("{} of {} steps undone", outcome.done, run.plan.steps.len()));
    if lost > 0 {
        ui.warn("the run is not undone as a whole: see the steps named above", None);
    }
    Ok(left)
}

/// The database that the undo is looked up in. Where it is going to be written to, it is the writer that looks: a SQLite file
/// whose undo was killed in the middle of a write cannot be read before that is rolled back, which a reader may not do.
enum Database {
    Reader(Box<Schema>, Box<dyn Session>),
    Writer(Box<dyn Writer>),
}

impl Database {
    fn open(args: &FixArgs, global: &Global, ui: &Ui) -> Result<Option<Self>, CliError> {
        if !args.apply.apply {
            let input = super::open(&args.source, global, ui)?;
            return Ok(input.session.map(|session| Self::Reader(Box::new(input.schema), session)));
        }
        ui.job.listen();
        let writer = Source::parse(args.source.secret())?.open_writer(&super::session(ui))?;
        Ok(writer.map(Self::Writer))
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        match self {
            Self::Reader(schema, _) => Ok(schema.as_ref().clone()),
            Self::Writer(writer) => writer.inspect(),
        }
    }

    fn dialect(&self) -> &'static dyn Dialect {
        match self {
            Self::Reader(_, session) => session.dialect(),
            Self::Writer(writer) => writer.dialect(),
        }
    }

    fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        match self {
            Self::Reader(_, session) => session.query(sql),
            Self::Writer(writer) => writer.query(sql),
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
    };
    one_line(&format!("step {} is not undone: {}: {why}", number + 1, step.title)).to_string()
}

/// Says which rows come back from which backup tables, counted now.
fn restored(found: &ToUndo<'_>, schema: &Schema, database: &mut Database) -> Result<Option<String>, CliError> {
    let mut tables = Vec::new();
    let mut all = 0;
    for backup in found.applied.iter().flat_map(|(_, step)| step.backups()) {
        let sql = format!("SELECT count(*) FROM {}", database.dialect().qualified_table(backup, schema));
        let answer = database.query(&sql)?;
        let rows = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer).unwrap_or_default();
        all += rows;
        tables.push(format!("{} ({rows})", one_line(&backup.to_string())));
    }
    if tables.is_empty() {
        return Ok(None);
    }
    let (rows, these) = (if all == 1 { "row" } else { "rows" }, if tables.len() == 1 { "it" } else { "them" });
    Ok(Some(format!("Restores {all} {rows} from {}, then drops {these}.", tables.join(", "))))
}

/// Writes a step and the statements that undo it.
fn one(number: usize, step: &Step, acting: &[String], ui: &Ui) -> String {
    let mut text = String::new();
    let head = format!("Undo step {}: {}", number + 1, one_line(&step.title));
    wrap(&head, ui.style.width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    for sentence in acting {
        let sentence = format!("{} What it writes stays.", one_line(sentence));
        wrap(&sentence, ui.style.width.saturating_sub(2)).iter().for_each(|line| text.push_str(&format!("  {line}\n")));
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
