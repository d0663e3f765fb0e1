//! CockroachDB's recipes: every change is an online job, one statement a step.
//!
//! From the docs and the published logic tests, as no server can be run where referee is built:
//! - A schema change commits the transaction that it is part of (v25.1, `autocommit_before_ddl`), so each statement is a step
//!   that can be done again ("Online Schema Changes", limitations).
//! - A constraint cannot be dropped and added under one name at once (issue 55184): a new name, then the old one goes, then the
//!   new one is renamed. While both are there a CASCADE or SET NULL of either acts ("Foreign Key Constraint").
//! - `ADD CONSTRAINT IF NOT EXISTS` and `CREATE INDEX IF NOT EXISTS` look at the name only (logic test `alter_table`): nothing here
//!   uses them; what is there is asked for by its definition.
//! - All indexes are built while rows are written; CONCURRENTLY only earns a notice.
//! - From v26.1 on tables are `schema_locked`. Single statements unlock and lock the table by themselves, but for those of the
//!   older schema changer, of which RENAME CONSTRAINT is one (issue 148341): a guard asks before.
//! - No statement locks a table; a step's locks are empty.

mod catalog;
mod keys;
mod orphans;

use super::servers::backups;
use super::servers::builder::{self, Builder, Draft};
use super::servers::sql;
use super::{Down, Guard, Made, Phase, PlanContext, Script, Step, Transaction, Wanted};
use crate::change::Change;
use crate::engine::cockroach::DIALECT;
use crate::schema::{DataType, Index, IndexOrigin, TableName};

/// Makes steps of what is wanted.
pub(super) fn steps(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    builder::make(context, wanted, &DIALECT, recipe, orphans::clean)
}

fn recipe(builder: &mut Builder<'_>, want: &Wanted) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for change in &want.changes {
        match change {
            Change::AddForeignKey { table, foreign_key } => steps.extend(keys::add(builder, want, table, foreign_key)?),
            Change::DropForeignKey { table, foreign_key } => {
                steps.push(keys::drop(builder, want, table, foreign_key, Phase::Drop)?);
            }
            Change::ReplaceForeignKey { table, old, new } => {
                steps.extend(keys::replace(builder, want, table, old, new)?)
            }
            Change::ValidateForeignKey { table, foreign_key } => {
                steps.extend(keys::validate(builder, want, table, foreign_key)?);
            }
            Change::AddIndex { table, index } => steps.push(add_index(builder, want, table, index)?),
            Change::DropIndex { table, index } => steps.push(drop_index(builder, want, table, index)?),
            Change::SetNullable { table, column, nullable } => {
                steps.push(set_nullable(builder, want, table, column, *nullable)?);
            }
            Change::SetDefault { table, column, default } => {
                steps.push(set_default(builder, want, table, column, default.as_deref())?);
            }
            Change::SetType { table, column, data_type, collation: None } => {
                steps.push(set_type(builder, want, table, column, data_type)?);
            }
            other => {
                return Err(format!(
                    "referee plans no such change of `{}` on CockroachDB: write the migration by hand",
                    other.table()
                ));
            }
        }
    }
    Ok(steps)
}

/// One statement outside of any transaction.
fn one(statement: String) -> Script {
    Script { statements: vec![statement], transaction: Transaction::None, ..Script::default() }
}

fn undone_by(statement: String, guards: Vec<Guard>) -> Down {
    Down::Script { script: one(statement), guards }
}

fn plain(phase: Phase, title: String, change: Change, up: String, down: Down, done: Option<String>) -> Draft {
    Draft {
        phase,
        title,
        why: None,
        changes: vec![change],
        touches_rows: false,
        up: one(up),
        down,
        locks: Vec::new(),
        guards: Vec::new(),
        done,
    }
}

fn add_index(builder: &mut Builder<'_>, want: &Wanted, table: &TableName, index: &Index) -> Result<Step, String> {
    let of = builder.table(table)?;
    let Some(columns) = index.plain_columns().filter(|_| index.predicate.is_none()) else {
        return Err(format!(
            "the index {} is over an expression or over some rows only, and CockroachDB cannot be asked whether it is there as it \
             should be: create it by hand",
            index.name
        ));
    };
    if let Some(column) = columns
        .iter()
        .chain(&index.included.iter().map(String::as_str).collect::<Vec<_>>())
        .find(|c| of.column(c).is_none())
    {
        return Err(format!("`{table}` has no column `{column}`"));
    }
    let list = columns.join(", ");
    let title =
        format!("Build the {}index {} on {table} ({list})", if index.unique { "unique " } else { "" }, index.name);
    let change = Change::AddIndex { table: table.clone(), index: index.clone() };
    let done = Some(catalog::index(builder, table, index));
    let down = undone_by(drop_index_sql(builder, table, &index.name), Vec::new());
    let mut draft = plain(Phase::Index, title, change, create_index(builder, table, index), down, done);
    draft.guards.push(Guard {
        sql: format!(
            "SELECT DISTINCT index_name FROM [SHOW INDEXES FROM {}] WHERE index_name = {}",
            builder.name(table),
            builder.dialect.literal(&index.name)
        ),
        found: format!("`{table}` already has another index of the name {}", index.name),
        advice: "rename or drop it, or plan again".to_string(),
    });
    if index.unique {
        let list = builder.dialect.columns(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
        let rows: Vec<String> =
            columns.iter().map(|c| format!("{} IS NOT NULL", builder.dialect.identifier(c))).collect();
        draft.guards.push(Guard {
            sql: format!(
                "SELECT {list}, count(*) AS rows FROM {} WHERE {} GROUP BY {list} HAVING count(*) > 1 LIMIT 5",
                builder.name(table),
                rows.join(" AND ")
            ),
            found: format!("rows of `{table}` are equal in {list}"),
            advice: "they have to differ before the unique index can be built".to_string(),
        });
    }
    builder.step(want, draft)
}

fn create_index(builder: &Builder<'_>, table: &TableName, index: &Index) -> String {
    let part = |p: &crate::schema::IndexPart| {
        let down = if p.descending { " DESC" } else { "" };
        format!("{}{down}", builder.dialect.identifier(p.column.as_deref().unwrap_or_default()))
    };
    let parts: Vec<String> = index.parts.iter().map(part).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (name, table) = (builder.dialect.identifier(&index.name), builder.name(table));
    let storing = match index.included.as_slice() {
        [] => String::new(),
        columns => format!(" STORING ({})", builder.dialect.columns(columns)),
    };
    format!("CREATE {unique}INDEX {name} ON {table} ({}){storing}", parts.join(", "))
}

fn drop_index_sql(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!("DROP INDEX {}@{}", builder.name(table), builder.dialect.identifier(name))
}

fn drop_index(builder: &mut Builder<'_>, want: &Wanted, table: &TableName, index: &Index) -> Result<Step, String> {
    builder.table(table)?;
    if index.origin != IndexOrigin::User || index.plain_columns().is_none() || index.predicate.is_some() {
        return Err(format!(
            "the index {} of `{table}` belongs to a constraint, or is over more than columns: drop it by hand",
            index.name
        ));
    }
    let change = Change::DropIndex { table: table.clone(), index: index.clone() };
    let done = Some(format!("SELECT 1 WHERE NOT EXISTS ({})", catalog::index(builder, table, index)));
    let down = undone_by(create_index(builder, table, index), Vec::new());
    let up = drop_index_sql(builder, table, &index.name);
    let title = format!("Drop the index {} of {table}", index.name);
    builder.step(want, plain(Phase::Drop, title, change, up, down, done))
}

fn set_nullable(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    nullable: bool,
) -> Result<Step, String> {
    let of = builder.table(table)?;
    if of.column(column).is_none() {
        return Err(format!("`{table}` has no column `{column}`"));
    }
    if nullable && of.in_primary_key(column) {
        return Err(format!("`{column}` is part of the primary key of `{table}`, which cannot be NULL"));
    }
    let nulls = Guard {
        sql: backups::nulls(builder, builder.table(table)?, column),
        found: format!("`{table}.{column}` holds NULL"),
        advice: "give those rows a value or delete them before NOT NULL can be set".to_string(),
    };
    let statement = |verb: &str| {
        format!("{} ALTER COLUMN {} {verb} NOT NULL", sql::alter(builder, table), builder.dialect.identifier(column))
    };
    let (loosen, tighten) = (statement("DROP"), statement("SET"));
    let done = Some(catalog::not_null(builder, table, column, !nullable));
    let change = Change::SetNullable { table: table.clone(), column: column.to_string(), nullable };
    let draft = if nullable {
        let title = format!("Drop NOT NULL from {table}.{column}");
        plain(Phase::Prepare, title, change, loosen, undone_by(tighten, vec![nulls]), done)
    } else {
        let title = format!("Set NOT NULL on {table}.{column}");
        let draft = plain(Phase::Validate, title, change, tighten, undone_by(loosen, Vec::new()), done);
        Draft { guards: vec![nulls], ..draft }
    };
    builder.step(want, draft)
}

fn set_default(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    default: Option<&str>,
) -> Result<Step, String> {
    let Some(found) = builder.table(table)?.column(column) else {
        return Err(format!("`{table}` has no column `{column}`"));
    };
    if found.generated.is_some() {
        return Err(format!("`{table}.{column}` is a computed column and has no default"));
    }
    let statement = |value: Option<&str>| {
        let action = value.map_or_else(|| "DROP DEFAULT".to_string(), |v| format!("SET DEFAULT {v}"));
        format!("{} ALTER COLUMN {} {action}", sql::alter(builder, table), builder.dialect.identifier(column))
    };
    let verb = if default.is_some() { "Set" } else { "Drop" };
    let change =
        Change::SetDefault { table: table.clone(), column: column.to_string(), default: default.map(str::to_string) };
    // How the catalog will write an expression cannot be told beforehand; setting it again does no harm.
    let done = default.is_none().then(|| catalog::no_default(builder, table, column));
    let down = undone_by(statement(found.default.as_deref()), Vec::new());
    let title = format!("{verb} the default of {table}.{column}");
    let draft = plain(Phase::Prepare, title, change, statement(default), down, done);
    builder.step(want, draft)
}

/// Gives a column another type. Docs, ALTER COLUMN: a wider integer and a longer text change the catalog only.
fn set_type(
    builder: &mut Builder<'_>,
    want: &Wanted,
    table: &TableName,
    column: &str,
    to: &DataType,
) -> Result<Step, String> {
    let Some(found) = builder.table(table)?.column(column) else {
        return Err(format!("`{table}` has no column `{column}`"));
    };
    if found.generated.is_some() || found.collation.is_some() {
        return Err(format!("`{table}.{column}` is computed or has a collation: change its type by hand"));
    }
    let statement = |to: &DataType| {
        format!(
            "{} ALTER COLUMN {} SET DATA TYPE {}",
            sql::alter(builder, table),
            builder.dialect.identifier(column),
            to.raw
        )
    };
    let change =
        Change::SetType { table: table.clone(), column: column.to_string(), data_type: to.clone(), collation: None };
    let down = undone_by(statement(&found.data_type), Vec::new());
    let title = format!("Give {table}.{column} the type {}", to.raw);
    let done = Some(catalog::has_type(builder, table, column, to));
    let draft = plain(Phase::Prepare, title, change, statement(to), down, done);
    builder.step(want, draft)
}

#[cfg(test)]
mod tests;
