//! `referee fate`: what becomes of every table when a row of one is deleted.

use super::super::args::{FateArgs, Global, OnOff};
use super::super::error::{CliError, FAILED};
use super::super::output::{self, Inputs};
use super::super::ui::Ui;
use referee::config::THRESHOLD;
use referee::engine::{EngineError, EngineErrorKind, Reader, Value};
use referee::fate::{Blocked, Counted, Fates, Impact, Options, TableImpact};
use referee::relations::Graph;
use referee::render::{self, FateFormat};
use referee::schema::{RowFilter, Schema, Table, TableName};
use referee::source::Input;

pub(super) fn run(args: &FateArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let config = super::configuration(global)?;
    output::check(args.output.as_deref(), &Inputs::of(&args.source, global))?;
    let mut input = super::open(&args.source, global, ui)?;
    let root = args.table.as_deref().map(|typed| super::table(&input.schema, typed)).transpose()?;
    let root = root.map(|table| table.name.clone());
    let declared = super::relations(&config, &input.schema, ui);
    let threshold = args.min_confidence.or(config.threshold).unwrap_or(THRESHOLD);
    let graph = Graph::with_hints(&input.schema, &declared, &input.hints, threshold);
    let on = args.foreign_keys.map(|state| state == OnOff::On).or(config.foreign_keys).unwrap_or(true);
    ui.diagnostics(&config.name, &config.text, &config.unused_tables(&input.schema));
    let demands = super::settings(args.foreign_keys, &config).demands(&input.schema, &graph);
    let options = Options { foreign_keys: on, demands, goal: args.goal.into(), unread: input.history.unread() };
    let fates = Fates::new(&input.schema, &graph, options);
    let style = ui.style_of(args.output.as_deref());
    let commands = render::fate::Commands {
        fate: super::command("fate", &input.label, global),
        fix: super::command("fix", &input.label, global),
        infer: super::command("infer", &input.label, global),
    };
    let mut incomplete = false;
    let text = match &root {
        None => {
            let ranks = fates.rank();
            match args.format {
                FateFormat::Text => render::fate::text::ranking(&ranks, &commands, &style),
                FateFormat::Json => render::fate::json::ranking(input.schema.engine, &ranks),
                FateFormat::Markdown => render::fate::markdown::ranking(input.schema.engine, &ranks),
                FateFormat::Mermaid | FateFormat::Svg => {
                    return Err(CliError::new(format!("{} draws the fate of one table", args.format.name()))
                        .hint(format!("name the table: {} TABLE", commands.fate)));
                }
            }
        }
        Some(root) => {
            let Some(fate) = fates.of(root) else {
                return Err(CliError::new(format!("`{root}` is a partition; rows are deleted from its parent table"))
                    .hint("name the partitioned table"));
            };
            let counted = match (&args.rows, fates.impact(root, args.rows.as_deref())) {
                (None, _) => None,
                (Some(_), None) => {
                    return Err(CliError::new(format!("the rows of `{root}`, or of a table below it, have no key"))
                        .hint("a primary key or a unique key over NOT NULL columns makes them countable"));
                }
                (Some(condition), Some(impact)) => {
                    let after = fates.impact_after_fix(root, args.rows.as_deref()).filter(|_| args.count);
                    check(condition, &impact, input.session.as_deref_mut(), &input.label, ui)?;
                    let mut counted = count(&impact, args.count, &mut input, ui)?;
                    if let Some(after) = after {
                        add_newly_deleted(&mut counted, count(&after, true, &mut input, ui)?);
                    }
                    Some(counted)
                }
            };
            for table in counted.iter().flatten() {
                let Some(why) = &table.uncounted else { continue };
                incomplete = true;
                let hidden = input.schema.tables.iter().find_map(|t| t.row_filter.as_ref());
                let failed = CliError::new(format!("could not count rows of {}: {why}", table.table));
                ui.fail(&failed.hint(hidden.map_or(PERMISSION, RowFilter::remedy)));
            }
            render::fate(args.format, &fate, counted.as_deref(), &commands, &style)
        }
    };
    output::write(ui, args.output.as_deref(), &text)?;
    Ok(if incomplete { FAILED } else { 0 })
}

/// Adds what goes in addition once the automatic changes are made.
fn add_newly_deleted(counted: &mut Vec<Counted>, then: Vec<Counted>) {
    for after in then {
        let Some(deleted) = after.deleted else { continue };
        match counted.iter_mut().find(|c| c.table == after.table) {
            Some(now) => now.newly_deleted = Some(deleted.saturating_sub(now.deleted.unwrap_or(0))),
            None => counted.push(Counted {
                deleted: None,
                updated: None,
                orphaned: None,
                blocking: Vec::new(),
                newly_deleted: Some(deleted),
                ..after
            }),
        }
    }
}

/// Has the database read the condition, whether rows are counted or not: one that it cannot read must not go unnoticed.
fn check(
    condition: &str,
    impact: &Impact,
    session: Option<&mut (dyn Reader + 'static)>,
    label: &str,
    ui: &Ui,
) -> Result<(), CliError> {
    let Some(session) = session else {
        ui.warn(
            &format!("--where was not checked: {label} is not a database"),
            Some("name the database itself to have the condition checked"),
        );
        return Ok(());
    };
    let root = impact.tables.iter().find(|t| t.table == impact.root).and_then(|t| t.deleted.as_ref());
    let of_table = || format!("SELECT 1 FROM {} WHERE ({condition}\n)", session.dialect().table(&impact.root));
    let sql = root.map_or_else(of_table, |rows| rows.select("1"));
    match session.query(&format!("{sql}\nLIMIT 0")) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind, EngineErrorKind::Gone | EngineErrorKind::Statement) => {
            Err(CliError::new(format!("--where {condition}: {}", error.message))
                .hint(format!("`referee schema SOURCE` lists the columns of `{}`", impact.root)))
        }
        Err(error) if error.kind == EngineErrorKind::Permission => {
            ui.warn(&format!("--where was not checked: {}", error.message), error.hint.as_deref());
            Ok(())
        }
        Err(error) => Err(uncounted(&impact.root, error)),
    }
}

/// Says of which table the rows were not counted in time; other errors say it themselves.
fn uncounted(table: &TableName, error: EngineError) -> CliError {
    if error.kind != EngineErrorKind::Timeout {
        return error.into();
    }
    let message = format!("could not count the rows of {table}: {}", error.message);
    EngineError { message, ..error }.into()
}

const PERMISSION: &str = "GRANT SELECT on the table, and USAGE on its schema, to this user";

/// Puts numbers beside the tables: exact ones if asked for, else the engine's estimates. A table whose rows cannot be looked
/// at, all of them, has none; the others are counted.
fn count(impact: &Impact, exact: bool, input: &mut Input, ui: &Ui) -> Result<Vec<Counted>, CliError> {
    let plain = |t: &TableImpact, uncounted: Option<String>| Counted {
        table: t.table.clone(),
        depth: t.depth,
        deleted: None,
        updated: None,
        orphaned: None,
        estimate: t.estimate,
        uncounted,
        blocking: Vec::new(),
        newly_deleted: None,
    };
    if !exact {
        let mut counted = impact.tables.iter().map(|t| plain(t, None)).collect();
        add_blocking(&mut counted, impact, &mut |_, _| Ok(None))?;
        return Ok(counted);
    }
    let Some(session) = input.session.as_deref_mut() else {
        return Err(CliError::new(format!("{} holds no rows, so --count has nothing to count", input.label))
            .hint("name the database itself, or leave out --count"));
    };
    let number = |session: &mut dyn Reader, sql: &str| {
        let rows = session.query(sql)?;
        let first = rows.rows.first().and_then(|r| r.first()).and_then(Value::integer);
        Ok::<u64, EngineError>(first.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    };
    let mut counted = Vec::new();
    for table in &impact.tables {
        ui.job.check()?;
        ui.job.reads(Some(&table.table.to_string()));
        let result = table.counted(|sql| number(session, sql));
        counted.push(match result {
            Ok(counted) => counted,
            Err(error) if error.kind == EngineErrorKind::Permission => {
                plain(table, Some(hidden(&input.schema, &error)))
            }
            Err(error) => return Err(uncounted(&table.table, error)),
        });
    }
    add_blocking(&mut counted, impact, &mut |table, sql| {
        ui.job.check()?;
        match number(session, sql) {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if error.kind == EngineErrorKind::Permission => Ok(None),
            Err(error) => Err(uncounted(table, error)),
        }
    })?;
    Ok(counted)
}

/// Counts rows of a table by a query; `None` where it may not.
type Count<'c> = dyn FnMut(&TableName, &str) -> Result<Option<u64>, CliError> + 'c;

/// Adds the rows that block the delete; `count` runs a query, or tells that it may not.
fn add_blocking(counted: &mut Vec<Counted>, impact: &Impact, count: &mut Count<'_>) -> Result<(), CliError> {
    for blocking in &impact.blocking {
        let rows = match &blocking.sql {
            Some(sql) => count(&blocking.table, sql)?,
            None => None,
        };
        let blocked = Blocked { relation: blocking.relation.clone(), rows, exact: blocking.exact };
        match counted.iter_mut().find(|c| c.table == blocking.table) {
            Some(known) => known.blocking.push(blocked),
            None => counted.push(Counted {
                table: blocking.table.clone(),
                depth: None,
                deleted: None,
                updated: None,
                orphaned: None,
                estimate: blocking.estimate,
                blocking: vec![blocked],
                uncounted: None,
                newly_deleted: None,
            }),
        }
    }
    Ok(())
}

/// Says which table's rows are hidden, and by what: the server names the table without its schema.
fn hidden(schema: &Schema, error: &EngineError) -> String {
    let named = |t: &&Table| error.filtered.as_deref() == Some(t.name.name.as_str());
    let found = schema.tables.iter().filter(named).find_map(|t| Some(t.row_filter.as_ref()?.what(&t.name)));
    found.unwrap_or_else(|| error.message.clone())
}
