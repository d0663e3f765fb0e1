//! The files of a plan for one tool: each with the tool's name for it and its marks, the script that is run by hand before, and
//! what a person has to know.

use std::borrow::Cow;

use super::model::{Folder, Hand, MigrationError, Options, Output, OutputFile, Part, Unit, down};
use super::numbers::{Ways, versions, ways};
use super::text::{Around, Separator, back, up};
use super::tools::{Outside, Shape, Tool};
use super::units::units;
use super::{atlas, drizzle, marks};
use crate::plan::{Plan, Step, Transaction};
use crate::schema::Engine;
use crate::schema::facts::Client;

/// How the script ends that is run by hand before SQLite's files. Reading a folder knows it, too (`source::layouts`).
const BY_HAND: &str = ".by_hand.sqlite";

/// Writes them.
pub(super) fn write(
    plan: &Plan,
    tool: &'static Tool,
    folder: &Folder,
    options: &Options,
) -> Result<Output, MigrationError> {
    let mut units = units(plan, tool)?;
    marks::check(tool, &units)?;
    let mut output = Output::default();
    let is = |hand: Hand| units.iter().flat_map(|u| &u.steps).any(|p| p.hand == hand);
    let (fallback, needed) = (is(Hand::Fallback), is(Hand::Needed));
    // Drizzle checks rows while it holds the locks of all changes, whether or not an index is built.
    let facts = plan.engine.facts();
    let by_hand = match facts.scripts.client {
        Client::Psql if fallback || needed || tool.shape == Shape::Drizzle => {
            Some(format!("{}.by_hand.psql", options.name))
        }
        Client::Sqlite3 if needed => Some(format!("{}{BY_HAND}", options.name)),
        Client::Psql | Client::Sqlite3 | Client::Cockroach | Client::Mysql => None,
    };
    units.iter_mut().for_each(|u| u.by_hand.clone_from(&by_hand));
    if tool.shape == Shape::Drizzle {
        drizzle::write(plan, tool, &units, folder, options, &mut output)?;
    } else {
        let versions = versions(tool, folder, options, units.len())?;
        let ways = ways(tool, folder);
        for (unit, version) in units.iter().zip(&versions) {
            let between = if matches!(tool.shape, Shape::Flyway | Shape::Refinery) { "__" } else { "_" };
            let slug = if unit.slug.is_empty() { String::new() } else { format!("_{}", unit.slug) };
            let stem = format!("{version}{between}{}{slug}", options.name);
            one(plan, tool, unit, &stem, &ways, &mut output);
        }
    }
    if tool.shape == Shape::Atlas {
        let sum = atlas::sum(folder, &output.files);
        output.files.push(OutputFile { replaces: true, ..OutputFile::new("atlas.sum", sum) });
    }
    if let (Client::Psql, Some(name)) = (facts.scripts.client, &by_hand) {
        output.files.push(OutputFile::new(name.clone(), hand(plan, plan.steps.iter().collect(), up)));
        output.notes.push(format!(
            "{} runs files in a transaction, in which locks are held while rows are checked: run `psql -X -f {name} URL` \
             before; the migration then finds everything done",
            tool.name
        ));
    }
    if let (Client::Sqlite3, Some(there)) = (facts.scripts.client, &by_hand) {
        let needed = |p: &&Part<'_>| p.hand == Hand::Needed;
        let ids: Vec<&str> = units.iter().flat_map(|u| &u.steps).filter(needed).map(|p| p.step.id.as_str()).collect();
        let steps = || plan.steps.iter().filter(|s| ids.contains(&s.id.as_str())).collect::<Vec<_>>();
        let back_again = format!("{}.by_hand.down.sqlite", options.name);
        output.files.push(OutputFile::new(there.clone(), hand(plan, steps(), up)));
        output.files.push(OutputFile::new(back_again.clone(), hand(plan, steps(), back)));
        output.notes.push(format!(
            "{} runs files in a transaction, in which a table that others refer to cannot be rebuilt: run `sqlite3 -bail \
             DATABASE < {there}` before; the migration stops if it was not ({back_again} undoes it)",
            tool.name
        ));
    }
    if let (Some(in_part), Outside::Never) = (facts.scripts.in_part, tool.outside(plan.engine)) {
        output.notes.push(format!(
            "{} runs files in a transaction, in which {in_part}; `--layout sql` writes them for a shell",
            tool.name
        ));
    }
    let final_steps: Vec<&str> = plan.steps.iter().filter(|s| down(s).is_err()).map(|s| s.title.as_str()).collect();
    if !final_steps.is_empty() {
        output.notes.push(format!("cannot be undone: {}", final_steps.join("; ")));
    }
    output.notes.extend(about_tool(tool, &ways(tool, folder)));
    Ok(output)
}

/// Says what the tool, or the folder as it is, does not have, and what else has to be changed.
fn about_tool(tool: &Tool, ways: &Ways) -> Vec<String> {
    let mut notes = Vec::new();
    match tool.shape {
        // Both compare the next migration's schema with what these files lead to (`generate`, `migrate dev`).
        Shape::Drizzle => notes.push("change the schema in TypeScript, too: the next `drizzle-kit generate` takes back what \
                                      stands in no schema file"),
        Shape::Prisma => notes.push("change schema.prisma, too (`prisma db pull`): the next `prisma migrate dev` takes back \
                                     what does not stand there"),
        Shape::Pair if tool.one_file && !ways.is_pair() => notes.push(
            "nothing tells which program runs these files: they open their own transactions, so nothing may run them in one; \
             `--layout TOOL` writes for a tool",
        ),
        _ => {}
    }
    let mut notes: Vec<String> = notes.into_iter().map(str::to_string).collect();
    if matches!(tool.shape, Shape::Prisma | Shape::Refinery | Shape::Drizzle | Shape::Atlas) {
        notes.push(format!("{} has no files that lead back; `--layout sql` writes them", tool.name));
    } else if !ways.back {
        notes.push(
            "no migration of the folder leads back, and so none of these does: `--out DIR` writes both ways into an empty one"
                .to_string(),
        );
    }
    notes
}

/// Writes the files of one unit.
fn one(plan: &Plan, tool: &Tool, unit: &Unit<'_>, name: &str, ways: &Ways, output: &mut Output) {
    let around = match (tool.one_file, is_psql(plan.engine)) {
        (true, true) if ways.is_pair() => Around::Psql,
        (true, _) => Around::Explicit,
        (false, _) if unit.transaction => Around::Tool,
        (false, _) => Around::Explicit,
    };
    // Sent as one query, without a transaction of the tool's: each step says its own.
    let around = if tool.name == "golang-migrate" && is_psql(plan.engine) { Around::Explicit } else { around };
    let single = !unit.transaction && tool.outside(plan.engine) == Outside::OneStatement;
    let around = if single && !plan.engine.facts().alter.rebuilds { Around::Alone } else { around };
    let separator = if tool.shape == Shape::Goose { Separator::Goose } else { Separator::Semicolon };
    let back_in_transaction = unit.steps.iter().all(|p| match down(&p.step) {
        Ok((script, _)) => script.transaction == Transaction::Own && script.before.is_empty(),
        Err(_) => true,
    });
    // Where only the way back is outside of a transaction, SET LOCAL would be for nothing.
    let marks_back = matches!(tool.shape, Shape::MarkedPair | Shape::Dbmate | Shape::Flyway);
    let around_back =
        if marks_back && around == Around::Tool && !back_in_transaction { Around::Explicit } else { around };
    let (up, back) = (up(plan, unit, around, separator), back(plan, unit, around_back, separator));
    let files = &mut output.files;
    let mut add = |path: String, text: String| files.push(OutputFile::new(path, text));
    match tool.shape {
        Shape::Pair => {
            // Files without the marks of a pair are run by a program that nobody knows.
            let lead = if tool.one_file && ways.is_pair() { client(plan.engine) } else { String::new() };
            add(format!("{name}{}.sql", ways.up), format!("{lead}{up}"));
            if ways.back {
                add(format!("{name}{}.sql", ways.down), format!("{lead}{back}"));
            }
        }
        Shape::MarkedPair => {
            let mark = |transaction: bool| if transaction { "" } else { "-- no-transaction\n" };
            add(format!("{name}{}.sql", ways.up), format!("{}{up}", mark(unit.transaction)));
            if ways.back {
                add(format!("{name}{}.sql", ways.down), format!("{}{back}", mark(back_in_transaction)));
            }
        }
        Shape::Dbmate => {
            let mark = |transaction: bool| if transaction { "" } else { " transaction:false" };
            let mut text = format!("-- migrate:up{}\n{up}", mark(unit.transaction));
            if ways.back {
                text.push_str(&format!("\n-- migrate:down{}\n{back}", mark(back_in_transaction)));
            }
            add(format!("{name}.sql"), text);
        }
        Shape::Goose => {
            let mark = if unit.transaction { "" } else { "-- +goose NO TRANSACTION\n" };
            let back = if ways.back { format!("\n-- +goose Down\n{back}") } else { String::new() };
            add(format!("{name}.sql"), format!("{mark}-- +goose Up\n{up}{back}"));
        }
        Shape::Diesel => {
            add(format!("{name}/up.sql"), up);
            if ways.back {
                add(format!("{name}/down.sql"), back);
            }
            if !unit.transaction {
                add(format!("{name}/metadata.toml"), "run_in_transaction = false\n".to_string());
            }
        }
        Shape::Flyway => {
            let mut both = vec![('V', up, unit.transaction)];
            both.extend(ways.back.then_some(('U', back, back_in_transaction)));
            for (letter, text, transaction) in both {
                let mut conf = String::new();
                if !transaction {
                    conf.push_str("executeInTransaction=false\n");
                }
                // Without a value for it, `${…}` ends a migration, wherever it stands ("Placeholders").
                if text.contains("${") {
                    conf.push_str("placeholderReplacement=false\n");
                }
                add(format!("{letter}{name}.sql"), text);
                if !conf.is_empty() {
                    add(format!("{letter}{name}.sql.conf"), conf);
                }
            }
        }
        Shape::Prisma => add(format!("{name}/migration.sql"), up),
        Shape::Refinery => add(format!("V{name}.sql"), up),
        Shape::Atlas => {
            let mark = if unit.transaction { "" } else { "-- atlas:txmode none\n\n" };
            add(format!("{name}.sql"), format!("{mark}{up}"));
        }
        // Written in one piece.
        Shape::Drizzle => {}
    }
}

/// Tells whether psql runs a script's transactions, so that its own words may stand around them.
fn is_psql(engine: Engine) -> bool {
    engine.facts().scripts.client == Client::Psql
}

/// How a script is run, and what has psql and sqlite3 stop at the first error: going on after one can lose a table that is being
/// rebuilt.
fn client(engine: Engine) -> String {
    let run = match engine.facts().scripts.client {
        Client::Sqlite3 => "sqlite3 -bail DATABASE < FILE",
        Client::Psql => "psql -X -f FILE URL",
        Client::Cockroach => "cockroach sql --url URL -f FILE",
        Client::Mysql => "mysql DATABASE < FILE",
    };
    let stop = stops_at_errors(engine).map_or_else(String::new, |line| format!("{line}\n"));
    format!("-- Run with: {run}\n{stop}\n")
}

/// Returns the line that has the engine's client stop at the first error; none for one that does so by itself where nobody types.
pub(super) fn stops_at_errors(engine: Engine) -> Option<&'static str> {
    match engine.facts().scripts.client {
        Client::Sqlite3 => Some(".bail on"),
        // Under ON_ERROR_ROLLBACK, which many have in their ~/.psqlrc, a check that fails rolls back itself alone (manual, psql).
        Client::Psql => Some("\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off"),
        Client::Cockroach | Client::Mysql => None,
    }
}

/// Says what must not be done with a script; `None` where nothing has to be said. sqlite3 stops at an error only where it reads a file:
/// `.bail` says nothing of what is typed or pasted (sqlite.org/cli.html).
pub(super) fn not_to_be_pasted(engine: Engine) -> Option<&'static str> {
    (engine.facts().scripts.client == Client::Sqlite3).then_some(
        "Do not paste it: at its prompt sqlite3 goes on after an error. Have it read as a file (.read, or the input of sqlite3 -bail).",
    )
}

/// Writes steps as a script for psql or sqlite3.
fn hand(plan: &Plan, steps: Vec<&Step>, write: fn(&Plan, &Unit<'_>, Around, Separator) -> String) -> String {
    format!("{}{}", client(plan.engine), by_client(plan, steps, write))
}

/// Writes steps as psql or sqlite3 runs them.
pub(super) fn by_client(
    plan: &Plan,
    steps: Vec<&Step>,
    write: fn(&Plan, &Unit<'_>, Around, Separator) -> String,
) -> String {
    let steps = steps.into_iter().map(|step| Part { step: Cow::Borrowed(step), hand: Hand::Apart }).collect();
    let unit = Unit::new(steps, false);
    let around = if is_psql(plan.engine) { Around::Psql } else { Around::Explicit };
    write(plan, &unit, around, Separator::Semicolon)
}
