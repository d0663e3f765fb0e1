//! The rows as they are, of what a plan was about: orphans counted again by the same queries as before, and SQLite's own check. What
//! could not be looked at is said, with the reason.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use crate::change::Change;
use crate::engine::{self, Dialect, EngineError, Rows, Value};
use crate::orphans;
use crate::plan::Plan;
use crate::relations::{Relation, side};
use crate::rows::RelationRows;
use crate::rules;
use crate::schema::{ForeignKey, Schema, TableName};

/// Rows that were looked at, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Look {
    /// What was looked for.
    pub what: Sought,
    /// The query: its number is 0 where everything is right. Empty if none can be written.
    pub sql: String,
    /// How many rows there are; `None` if they were not looked at.
    pub rows: Option<u64>,
    /// Why they were not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether the plan promises that there are none.
    pub promised: bool,
    /// How many there were before the plan was carried out, where that was counted. What the plan is not about may stay, but
    /// must not grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// Rows that are looked for. In JSON it is what they are called: `orphan rows of orders.customer_id->customers.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The orphans of a relation, which is written.
    Orphans(String),
    /// What is left of the rows that a step changes, as its bound calls them after `rows` or `row`.
    Left(String),
    /// What SQLite's own check says of a table.
    OwnCheck(TableName),
    /// What it says of so many other tables.
    OwnCheckOfOthers(usize),
}

impl Sought {
    /// Names so many of them: `orphan row of orders.customer_id->customers.id`.
    pub fn of(&self, number: u64) -> String {
        let rows = if number == 1 { "row" } else { "rows" };
        match self {
            Self::Orphans(relation) => format!("orphan {rows} of {relation}"),
            Self::Left(rest) => format!("{rows} {rest} that are left"),
            Self::OwnCheck(table) => format!("{rows} of {table} in PRAGMA foreign_key_check"),
            Self::OwnCheckOfOthers(1) => format!("{rows} of the other table of the file in PRAGMA foreign_key_check"),
            Self::OwnCheckOfOthers(count) => {
                format!("{rows} of the {count} other tables of the file in PRAGMA foreign_key_check")
            }
        }
    }

    /// Tells whether SQLite's own check looks for them.
    pub fn is_own_check(&self) -> bool {
        matches!(self, Self::OwnCheck(_) | Self::OwnCheckOfOthers(_))
    }
}

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of(2))
    }
}

impl Serialize for Sought {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Sought {
    fn schema_name() -> Cow<'static, str> {
        "Sought".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

impl Look {
    /// Tells whether this is as the plan promised.
    pub fn is_right(&self) -> bool {
        match (self.promised, self.rows, self.before) {
            (true, rows, _) => rows == Some(0),
            (false, Some(rows), Some(before)) => rows <= before,
            (false, ..) => true,
        }
    }

    /// Tells whether there are rows that the plan is not about.
    pub fn is_apart(&self) -> bool {
        !self.promised && self.rows.is_some_and(|rows| rows > 0)
    }
}

type Ask<'a> = dyn FnMut(&str) -> Result<Rows, EngineError> + 'a;

/// Looks at the rows of everything that a plan was about; with `apart` only at those that it promises nothing of.
pub(super) fn look(plan: &Plan, now: &Schema, apart: bool, ask: &mut Ask<'_>) -> Result<Vec<Look>, EngineError> {
    let mut looks: Vec<Look> = Vec::new();
    let Some(dialect) = engine::dialect(now.engine) else { return Ok(looks) };
    for (relation, promised) in relations(plan, now).into_iter().filter(|(_, promised)| !apart || !promised) {
        let what = what(&relation);
        let sql = RelationRows::of(dialect, now, &relation).orphans().count();
        let look = match orphans::obstacle(now, &relation) {
            Some(why) => Look { what, sql: String::new(), rows: None, why: Some(why), promised, before: None },
            None => counted(what, sql, promised, ask)?,
        };
        looks.push(look);
    }
    // What a step counted before it ran may be another query than that of a foreign key.
    for bound in plan.steps.iter().filter(|_| !apart).flat_map(|s| &s.bounds) {
        match looks.iter_mut().find(|l| l.sql == bound.count) {
            Some(look) => (look.promised, look.before) = (true, Some(bound.rows)),
            None => {
                let look = counted(Sought::Left(bound.after_rows()), bound.count.clone(), true, ask)?;
                looks.push(Look { before: Some(bound.rows), ..look });
            }
        }
    }
    if now.engine.facts().scripts.lists_orphans {
        own_check(plan, now, dialect, &mut looks, ask)?;
    }
    Ok(looks)
}

fn what(relation: &Relation) -> Sought {
    Sought::Orphans(format!("{}->{}", relation.child_side(), relation.parent_side()))
}

/// Runs a query of one number. What the engine refuses is no reason to look at nothing else.
fn counted(what: Sought, sql: String, promised: bool, ask: &mut Ask<'_>) -> Result<Look, EngineError> {
    let (rows, why) = match ask(&sql) {
        Ok(answer) => {
            let number = answer.rows.first().and_then(|r| r.first()).and_then(Value::integer);
            (number.and_then(|n| u64::try_from(n).ok()), None)
        }
        Err(e) if e.kind.ends_the_job() => return Err(e),
        Err(error) => (None, Some(error.message)),
    };
    Ok(Look { what, sql, rows, why, promised, before: None })
}

/// Returns the tables that a plan changes, or whose rows it does.
fn touched(plan: &Plan) -> BTreeSet<&TableName> {
    let changed = plan.steps.iter().flat_map(|s| &s.changes).map(Change::table);
    let cleaned = plan.steps.iter().filter(|s| s.touches_rows).filter_map(|s| s.locks.first()).map(|l| &l.table);
    changed.chain(cleaned).collect()
}

fn key_of(change: &Change) -> Option<&ForeignKey> {
    match change {
        Change::AddForeignKey { foreign_key: key, .. }
        | Change::ReplaceForeignKey { new: key, .. }
        | Change::AlterForeignKey { new: key, .. }
        | Change::ValidateForeignKey { foreign_key: key, .. } => Some(key),
        _ => None,
    }
}

/// Tells whether two keys are between the same columns.
fn is_alike(a: &ForeignKey, b: &ForeignKey) -> bool {
    (&a.columns, &a.parent, &a.parent_columns) == (&b.columns, &b.parent, &b.parent_columns)
}

/// Tells whether a plan says itself that a table's orphans, or those of some of its columns, stay.
fn stay(plan: &Plan, table: &TableName, columns: &[String]) -> bool {
    let place = side(table, columns);
    plan.refused.iter().any(|r| r.reason.rule == rules::orphan_rows::META.id() && r.subject == place)
}

/// Returns the relations whose rows a plan is about, each once, and whether it promises that they have no orphans.
fn relations(plan: &Plan, now: &Schema) -> Vec<(Relation, bool)> {
    let touched = touched(plan);
    let mut all: Vec<(Relation, bool)> = Vec::new();
    for (table, key) in now.foreign_keys() {
        let planned = plan
            .steps
            .iter()
            .flat_map(|s| &s.changes)
            .any(|c| c.table() == &table.name && key_of(c).is_some_and(|k| is_alike(k, key)));
        if !planned && !touched.contains(&table.name) && !touched.contains(&key.parent) {
            continue;
        }
        let holds = key.enforced && key.validated && key.disabled.is_none();
        let promised = planned && holds && !stay(plan, &table.name, &key.columns);
        let same = |(r, _): &&mut (Relation, bool)| {
            r.child == table.name
                && (&r.columns, &r.parent, &r.parent_columns) == (&key.columns, &key.parent, &key.parent_columns)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.1 |= promised,
            None => all.push((Relation::declared(now, &table.name, key), promised)),
        }
    }
    all
}

/// Has SQLite check the foreign keys of the tables that the plan touched, and apart from them of all others.
fn own_check(
    plan: &Plan,
    now: &Schema,
    dialect: &dyn Dialect,
    looks: &mut Vec<Look>,
    ask: &mut Ask<'_>,
) -> Result<(), EngineError> {
    let with_keys = now.tables.iter().filter(|t| !t.foreign_keys.is_empty());
    let touched = touched(plan);
    let (near, far): (Vec<_>, Vec<_>) = with_keys.partition(|t| touched.contains(&t.name));
    for table in near {
        let promised = table.foreign_keys.iter().all(|k| {
            let look = |l: &&Look| l.what == what(&Relation::declared(now, &table.name, k));
            looks.iter().find(look).is_some_and(|l| l.promised)
        });
        let sql = format!("SELECT count(*) FROM pragma_foreign_key_check({})", dialect.literal(&table.name.name));
        let mut look = counted(Sought::OwnCheck(table.name.clone()), sql, promised, ask)?;
        // What nobody could look at is not verified.
        look.promised |= look.rows.is_none() && !table.foreign_keys.iter().any(|k| stay(plan, &table.name, &k.columns));
        looks.push(look);
    }
    if !far.is_empty() {
        // One by one, so that a foreign key that cannot be checked hides no other.
        let each =
            |name: &str| format!("SELECT count(*) AS n FROM pragma_foreign_key_check({})", dialect.literal(name));
        let mut broken = 0;
        let mut why = Vec::new();
        for table in &far {
            let look = counted(Sought::OwnCheck(table.name.clone()), each(&table.name.name), false, ask)?;
            broken += look.rows.unwrap_or(0);
            why.extend(look.why.map(|w| format!("{}: {w}", table.name)));
        }
        let all: Vec<String> = far.iter().map(|t| each(&t.name.name)).collect();
        let rows = if why.is_empty() { Some(broken) } else { None };
        if !why.is_empty() && broken > 0 {
            why.push(format!("{broken} in the tables that could be checked"));
        }
        let why = if why.is_empty() { None } else { Some(why.join("; ")) };
        looks.push(Look {
            what: Sought::OwnCheckOfOthers(far.len()),
            sql: format!("SELECT sum(n) FROM ({})", all.join(" UNION ALL ")),
            rows,
            why,
            promised: false,
            before: None,
        });
    }
    Ok(())
}
