//! `referee fix --undo`: the last recorded run, shown and undone step by step.

use super::super::args::{FixArgs, Global};
use super::super::error::{CliError, FINDINGS};
use super::super::progress::Steps;
use super::super::ui::Ui;
use super::apply;
use super::stopped::Place;
use crate::apply::{Journal, Lost, Options, Recorded, identity, is_same, to_undo, undo};
use crate::engine::{Connector, EngineError, EngineErrorKind, Reader, Writer};
use crate::plan::{Down, Step, acting_on_undo};
use crate::render::wrap;
use crate::schema::{Schema, TableName};
use crate::source::Source;
use crate::text::{argument, one_line, visible};

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
    let connector = apply::database(&source, ui)?;
    let path = apply::journal_path(args, &source, global)?;
    let nothing = || {
        CliError::new(format!("no run is recorded in {}: there is nothing to undo", path.display()))
            .hint("name the file in which it was recorded: --journal FILE")
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
    if runs.is_empty() && !elsewhere.is_empty() {
        return Err(CliError::new(format!("the runs in {} were made in another database", path.display()))
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
        let mut told: Vec<String> = restored(&rows).into_iter().collect();
        told.extend(found.applied.iter().flat_map(|(_, step)| acting(step)));
        chosen = Some((found.shown(&rows), found.applied.len(), shown, told, run));
        break;
    }
    let Some((approved, steps, shown, told, run)) = chosen else {
        ui.note(&format!("no step of a run in {} is applied: there is nothing to undo", path.display()));
        return Ok(left);
    };
    ui.print(&shown)?;
    let (Some(mut journal), Database::Writer(mut writer)) = (journal, database) else {
        told.iter().for_each(|sentence| ui.note(sentence));
        ui.note(&format!("nothing was changed; to do it: {} --apply", command(args, global)));
        return Ok(left);
    };
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
    let width = ui.style.width;
    let outcome = outcome.map_err(|error| Place { journal: &path, at, undoing: true, width }.explain(error))?;
    ui.note(&format!("{} of {} steps undone", outcome.done, run.plan.steps.len()));
    if left != 0 {
        ui.warn("the run is not undone as a whole: see the steps named above", None);
    }
    Ok(left)
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
            Some("`fix --apply` goes on with that run; `fix --apply --anew` gives it up"),
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

/// Says which rows come back from which backup tables.
fn restored(backups: &[(TableName, u64)]) -> Option<String> {
    if backups.is_empty() {
        return None;
    }
    let all: u64 = backups.iter().map(|(_, rows)| rows).sum();
    let tables: Vec<String> =
        backups.iter().map(|(name, n)| format!("{} ({n})", one_line(&name.to_string()))).collect();
    let (rows, these) = (if all == 1 { "row" } else { "rows" }, if tables.len() == 1 { "it" } else { "them" });
    Some(format!("Restores {all} {rows} from {}, then drops {these}.", tables.join(", ")))
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
