//! What becomes of the orphans of one relation: by what the user said, and by what the referring columns can hold.
//!
//! A word for all relations deletes no row whose reference may be NULL, none whose value stands for "none", and never more than
//! half of the rows that refer. All of these have to be asked for by the relation's name.

use super::refused::Can;
use super::{Guard, Input, Options, OrphanPolicy, PlanContext, Wanted, backup_common};
use crate::change::Change;
use crate::engine::{self, Dialect};
use crate::relations::{Relation, can_become_nullable, forbids_null, side};
use crate::rows::{RelationRows, RowSet};
use crate::schema::{Column, Engine, Family, ForeignKey, Match, Schema, Table, TableName, bare_literal, is_literal};

/// What becomes of the orphans of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// These columns become NULL; the row stays.
    SetNull(Vec<String>),
    /// The row is deleted or quarantined.
    Remove(OrphanPolicy),
    /// Nothing: the foreign key is not made.
    Leave,
    /// These columns are made nullable first; the next plan sets them to NULL.
    Loosen(Vec<String>),
}

/// What the user said about a relation, and whether it was about this one alone.
pub(super) fn said(options: &Options, table: &TableName, key: &ForeignKey) -> Option<(Option<OrphanPolicy>, bool)> {
    let (columns, parent) = (&key.columns, side(&key.parent, &key.parent_columns));
    let own = options.orphans_of.iter().rev().find(|(subject, _)| names(subject, &side(table, columns), &parent));
    own.map(|(_, word)| (*word, true)).or_else(|| options.orphans.map(|word| (Some(word), false)))
}

/// Tells whether a text that a user typed names a relation: `child.column` or `child.column->parent.column`.
pub fn names_relation(typed: &str, relation: &Relation) -> bool {
    names(typed, &relation.child_side(), &side(&relation.parent, &relation.parent_columns))
}

fn names(typed: &str, child: &str, parent: &str) -> bool {
    let bare = |text: &str| text.replace([' ', '(', ')'], "");
    let typed = bare(typed);
    typed == bare(child) || typed == bare(&format!("{child}->{parent}"))
}

/// Returns a key as its orphans are counted. A row that is NULL in part is an orphan of a MATCH FULL key; where one takes the
/// place of MATCH SIMPLE, nobody has counted such rows, and nobody asked for them to be changed.
pub(super) fn as_counted(table: &Table, key: &ForeignKey) -> ForeignKey {
    let mut there = table.foreign_keys.iter().filter(|k| backup_common::is_alike(k, key)).peekable();
    let mut counted = key.clone();
    if key.matching == Match::Full && there.peek().is_some() && there.all(|k| k.matching != Match::Full) {
        counted.matching = Match::Simple;
    }
    counted
}

/// Tells whether rows stay although a word for all relations removes orphans.
pub(super) fn is_gentler(general: Option<OrphanPolicy>, policy: OrphanPolicy) -> bool {
    policy == OrphanPolicy::SetNull && matches!(general, Some(OrphanPolicy::Delete | OrphanPolicy::Quarantine))
}

/// Says why rows stay although orphans are removed elsewhere.
pub(super) fn gentler(of: &str) -> String {
    format!(" The reference may be NULL, so the rows stay; to delete them: `--orphans {of}=delete`.")
}

/// What a remedy is decided by.
pub(super) struct Question<'a> {
    pub schema: &'a Schema,
    pub dialect: &'a dyn Dialect,
    pub options: &'a Options,
    /// The changes that are made together with the key.
    pub changes: &'a [Change],
    pub table: &'a Table,
    pub key: &'a ForeignKey,
    /// How many orphans there are, if they were counted.
    pub count: Option<u64>,
}

impl<'a> Question<'a> {
    /// Asks about a foreign key of what is wanted.
    pub fn of(
        context: &PlanContext<'a>,
        dialect: &'a dyn Dialect,
        want: &'a Wanted,
        (table, key): (&'a Table, &'a ForeignKey),
    ) -> Self {
        let (schema, options) = (context.schema, context.options);
        Self { schema, dialect, options, changes: &want.changes, table, key, count: want.orphans }
    }

    /// Decides; `None` if nobody said what becomes of orphans.
    ///
    /// # Errors
    /// What was asked for cannot be done, or would do harm; the text says what to do instead.
    pub fn decide(&self) -> Result<Option<Remedy>, String> {
        let Some((word, by_name)) = said(self.options, &self.table.name, self.key) else { return Ok(None) };
        let Some(policy) = word else { return Ok(Some(Remedy::Leave)) };
        if policy != OrphanPolicy::SetNull && by_name {
            return Ok(Some(Remedy::Remove(policy)));
        }
        let columns = self.nulled()?;
        if !columns.is_empty() {
            return Ok(Some(Remedy::SetNull(columns)));
        }
        let of = side(&self.table.name, &self.key.columns);
        if policy == OrphanPolicy::SetNull {
            let columns = self.loosened();
            if by_name && !columns.is_empty() {
                return Ok(Some(Remedy::Loosen(columns)));
            }
            let first = if columns.is_empty() {
                String::new()
            } else {
                format!(" Say `--orphans {of}=set-null` to make it nullable first, or")
            };
            let say = if first.is_empty() { " Say" } else { "" };
            return Err(format!(
                "{}, and a column of the reference cannot be NULL: `--orphans set-null` has nothing to set.{first}{say} \
                 `--orphans {of}=delete` or `--orphans {of}=quarantine`.",
                self.orphans()
            ));
        }
        if self.count != Some(0) {
            self.can_be_deleted(&of)?;
        }
        Ok(Some(Remedy::Remove(policy)))
    }

    /// Tells what can become of these orphans.
    pub fn can(&self) -> Can {
        let of = side(&self.table.name, &self.key.columns);
        let null = self.nulled();
        if null.as_ref().is_ok_and(|columns| !columns.is_empty()) {
            return Can::BecomeNull;
        }
        let by_name = null.is_err() || self.can_be_deleted(&of).is_err();
        Can::Go { of, by_name, loosens: null.is_ok() && !self.loosened().is_empty() }
    }

    fn can_be_deleted(&self, of: &str) -> Result<(), String> {
        let loosened = |change: &Change| matches!(change, Change::SetNullable { column, nullable: true, .. } if self.key.columns.contains(column));
        if self.changes.iter().any(loosened) {
            return Err(format!(
                "{}, and this plan would make `{of}` nullable only afterwards. Apply that first (`--orphans {of}=leave`), then plan again: \
                 the orphans then become NULL instead of being deleted.",
                self.orphans()
            ));
        }
        match self.sentinel() {
            None => self.are_the_lesser_part(of),
            Some(sentinel) => Err(format!(
                "{}, and {} {}, which looks like a sentinel for \"none\": make the column nullable and the value NULL. Without its \
                 name no relation loses such rows. `--orphans {of}=set-null` makes the column nullable, without a default; the same \
                 command again sets these references to NULL. To delete the rows all the same: `--orphans {of}=delete`.",
                self.orphans(),
                match (sentinel.rows, self.count) {
                    (1, Some(1)) => "it holds".to_string(),
                    (1, _) => "1 of them holds".to_string(),
                    (n, _) => format!("{n} of them hold"),
                },
                sentinel.value
            )),
        }
    }

    /// Where most rows that refer are orphans, the relation is likelier to be wrong than they are, or the parent was never filled.
    fn are_the_lesser_part(&self, of: &str) -> Result<(), String> {
        let Some(orphans) = self.count else { return Ok(()) };
        let Some(refer) = self.options.counts.get(&self.referring_rows()) else { return Ok(()) };
        if orphans.saturating_mul(2) <= refer {
            return Ok(());
        }
        let all = self.options.counts.get(&self.rows().orphans().count_all());
        let share = match all {
            Some(all) if orphans >= all => format!("that is every row of `{}` ({orphans} of {all})", self.table.name),
            _ => format!("that is {orphans} of the {refer} rows of `{}` whose reference is not NULL", self.table.name),
        };
        Err(format!(
            "{}; {share}. `--orphans delete` and `--orphans quarantine` for all relations never remove more than half of them: check \
             that the relation is right and that the rows of `{}` were loaded. To delete the rows all the same: `--orphans {of}=delete`.",
            self.orphans(),
            self.key.parent
        ))
    }

    fn rows(&self) -> RelationRows<'_> {
        RelationRows::of_key(self.dialect, self.schema, &self.table.name, self.key)
    }

    fn orphan_rows(&self) -> RowSet {
        let key = as_counted(self.table, self.key);
        RelationRows::of_key(self.dialect, self.schema, &self.table.name, &key).orphans()
    }

    /// Writes the query that counts the rows that refer, whether they have a parent or not.
    fn referring_rows(&self) -> String {
        self.rows().with_reference().count()
    }

    fn orphans(&self) -> String {
        let rows = match self.count {
            Some(1) => "1 row refers".to_string(),
            Some(n) => format!("{n} rows refer"),
            None => "Rows may refer".to_string(),
        };
        format!("{rows} to no row of `{}` ({})", self.key.parent, super::words::arrow(&self.table.name, self.key))
    }

    /// Returns the columns that become NULL, so that the reference is none; empty if it cannot be.
    fn nulled(&self) -> Result<Vec<String>, String> {
        let columns = nulled(self.schema.engine, self.table, self.key);
        if let Some((child, other)) = columns.iter().find_map(|c| referring(self.schema, &self.table.name, c)) {
            return Err(format!(
                "{}, and the reference cannot become NULL: `{}` refers to the same column. Change these rows by hand.",
                self.orphans(),
                side(&child.name, &other.columns)
            ));
        }
        Ok(columns)
    }

    /// Returns the value that stands for "none" among the orphans, if there is one: a column's default, wherever it is, or a usual
    /// one that many of them share.
    fn sentinel(&self) -> Option<Sentinel> {
        let columns = self.key.columns.iter().filter_map(|name| self.table.column(name));
        columns.filter_map(|column| self.sentinel_in(column)).max_by_key(|s| s.rows)
    }

    fn sentinel_in(&self, column: &Column) -> Option<Sentinel> {
        let child = format!("child.{}", self.dialect.identifier(&column.name));
        let held = |test: &str| self.options.counts.get(&self.holding(test, "count(*)"));
        let one = self.key.columns.len() == 1;
        let named = |value: &str| if one { value.to_string() } else { format!("{value} in `{}`", column.name) };
        match default_of(column) {
            Some(Default::Literal(default)) => {
                if let Some(rows) = held(&format!("{child} = {default}")).filter(|n| *n > 0) {
                    return Some(Sentinel { value: named(default), rows });
                }
            }
            Some(Default::Expression(default)) => {
                let rows = self.options.counts.get(&self.most_frequent(&child)).filter(|n| self.are_many(*n));
                if let Some(rows) = rows {
                    let value = format!("one value of `{}`, a column whose default is {default}", column.name);
                    return Some(Sentinel { value, rows });
                }
            }
            None => {}
        }
        let family = column.data_type.family;
        // Where types are dynamic, any column may hold any text.
        let is_text = family == Family::Text || self.schema.engine.facts().types.dynamic && family != Family::Bytes;
        let (child, usual) = match family {
            _ if is_text => (format!("lower(trim({child}))"), TEXTS),
            Family::Integer | Family::Decimal => (child, NUMBERS),
            Family::Uuid => (child, UUIDS),
            _ => return None,
        };
        // One query tells of most relations that there is nothing to look for.
        held(&format!("{child} IN ({})", usual.join(", "))).filter(|n| self.are_many(*n))?;
        let each = usual.iter().filter_map(|value| {
            let rows = held(&format!("{child} = {value}"))?;
            let number = matches!(family, Family::Integer | Family::Decimal).then(|| value.trim_matches('\''));
            let value = number.filter(|n| n.parse::<i64>().is_ok()).unwrap_or(value);
            Some(Sentinel { value: named(value), rows })
        });
        each.max_by_key(|s| s.rows).filter(|s| s.rows > 0)
    }

    /// Tells whether so many of the orphans are half of them, or two and a third of them.
    fn are_many(&self, rows: u64) -> bool {
        let many = |all: u64| rows.saturating_mul(2) >= all || rows > 1 && rows.saturating_mul(3) >= all;
        rows > 0 && self.count.is_none_or(many)
    }

    /// Writes the query that tells how many orphans share the value that most of them share.
    fn most_frequent(&self, child: &str) -> String {
        let each = self.orphan_rows().select("count(*) AS n");
        format!("SELECT coalesce(max(n), 0) FROM ({each} GROUP BY {child}) AS counted")
    }

    /// Writes a query about the orphans that pass a test.
    fn holding(&self, test: &str, what: &str) -> String {
        self.orphan_rows().and(test).select(what)
    }

    /// Makes the guards for a step whose rows were not counted: no orphan holds the column's default, and the orphans are not most
    /// of the rows that refer.
    pub fn guards(&self) -> Vec<Guard> {
        if said(self.options, &self.table.name, self.key).is_some_and(|(_, by_name)| by_name) {
            return Vec::new();
        }
        let mut guards = self.no_sentinel();
        guards.push(self.not_most());
        guards
    }

    fn not_most(&self) -> Guard {
        Guard {
            sql: format!(
                "SELECT orphans, refer FROM (SELECT ({}) AS orphans, ({}) AS refer) AS counted WHERE orphans > refer - orphans",
                self.orphan_rows().count(),
                self.referring_rows()
            ),
            found: format!(
                "more than half of the rows that refer by {of} are orphans (their number, and that of all that refer)",
                of = side(&self.table.name, &self.key.columns)
            ),
            advice: format!(
                "check that the relation is right, or plan again with --orphans {of}=delete",
                of = side(&self.table.name, &self.key.columns)
            ),
        }
    }

    /// Makes the guards that no orphan holds a column's default. Whether it is that of an expression is not known: there no two
    /// may hold the same value.
    pub fn no_sentinel(&self) -> Vec<Guard> {
        if said(self.options, &self.table.name, self.key).is_some_and(|(_, by_name)| by_name) {
            return Vec::new();
        }
        let columns = self.key.columns.iter().filter_map(|name| self.table.column(name));
        columns.filter_map(|column| self.no_default(column)).collect()
    }

    fn no_default(&self, column: &Column) -> Option<Guard> {
        let of = side(&self.table.name, &self.key.columns);
        let child = format!("child.{}", self.dialect.identifier(&column.name));
        let (sql, found) = match default_of(column)? {
            Default::Literal(default) => (
                format!("{} LIMIT 1", self.holding(&format!("{child} = {default}"), &child)),
                format!("orphans of {of} hold {default}, the default of `{}`", column.name),
            ),
            Default::Expression(default) => (
                format!(
                    "{} GROUP BY {child} HAVING count(*) > 1 LIMIT 1",
                    self.orphan_rows().select(&format!("{child}, count(*)"))
                ),
                format!("orphans of {of} share a value of `{}`, whose default is {default}", column.name),
            ),
        };
        Some(Guard {
            sql,
            found: format!("{found}, which looks like a sentinel for \"none\""),
            advice: format!("make the column nullable and the value NULL, or plan again with --orphans {of}=delete"),
        })
    }

    /// Returns the columns that can be made nullable, so that the reference can become NULL.
    fn loosened(&self) -> Vec<String> {
        let can = |c: &&String| can_become_nullable(self.table, c);
        let all = self.key.columns.iter().filter(can).cloned();
        if !needs_all(self.schema.engine, self.key) {
            return all.take(1).collect();
        }
        if all.clone().count() < self.key.columns.len() { Vec::new() } else { all.collect() }
    }
}

/// What a column holds where an insert leaves it out.
enum Default<'a> {
    /// One number or string.
    Literal(&'a str),
    /// The value of an expression that is not evaluated here: it may do something.
    Expression(&'a str),
}

/// Returns a column's default, if there is one and it is not NULL.
fn default_of(column: &Column) -> Option<Default<'_>> {
    let default = bare_literal(column.default.as_deref()?);
    let lower = default.to_lowercase();
    if column.auto_number || lower == "null" || NEVER_TWICE.iter().any(|function| lower.contains(function)) {
        return None;
    }
    Some(if is_literal(default) { Default::Literal(default) } else { Default::Expression(default) })
}

/// Functions whose values differ from row to row: none of them stands for "none".
const NEVER_TWICE: &[&str] = &[
    "nextval(",
    "gen_random_uuid(",
    "uuid_generate_v",
    "uuidv4(",
    "uuidv7(",
    "unique_rowid(",
    "random(",
    "randomblob(",
];

struct Sentinel {
    /// The value, as it is written after "hold".
    value: String,
    rows: u64,
}

/// Values that usually stand for "none", in lower case; the likeliest last.
const NUMBERS: &[&str] = &["-1", "0"];
const UUIDS: &[&str] = &["'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'"];
const TEXTS: &[&str] = &[
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'00000000-0000-0000-0000-000000000000'",
    "'-'",
    "'unknown'",
    "'undefined'",
    "'nil'",
    "'na'",
    "'n/a'",
    "'null'",
    "'none'",
    "'-1'",
    "'0'",
    "''",
];

/// Returns the columns by which a reference can become NULL: under MATCH SIMPLE one NULL is enough, under MATCH FULL all have to
/// be. A column that no other foreign key needs goes before one that several share.
pub(super) fn nulled(engine: Engine, table: &Table, key: &ForeignKey) -> Vec<String> {
    let can = |c: &&String| {
        let plain = table.column(c).is_some_and(|c| c.nullable && c.generated.is_none());
        plain && !table.in_primary_key(c) && !table.checks.iter().any(|check| forbids_null(&check.expression, c))
    };
    if needs_all(engine, key) {
        let all: Vec<String> = key.columns.iter().filter(can).cloned().collect();
        return if all.len() == key.columns.len() { all } else { Vec::new() };
    }
    let columns: Vec<String> = key.changed_columns().iter().filter(can).cloned().collect();
    let shared = |c: &String| table.foreign_keys.iter().any(|k| k.columns != key.columns && k.columns.contains(c));
    let own: Vec<String> = columns.iter().filter(|c| !shared(c)).cloned().collect();
    if own.is_empty() { columns } else { own }
}

/// Tells whether all columns of a reference have to be NULL for it to be none.
fn needs_all(engine: Engine, key: &ForeignKey) -> bool {
    engine.facts().keys.is_full(key)
}

/// Warns of a new key over a NOT NULL column whose default no parent row has: what may be left out of an insert now may not be then.
pub(super) fn default_without_parent(input: &Input<'_>, changes: &[Change]) -> Option<String> {
    let added = changes.iter().find_map(|change| match change {
        Change::AddForeignKey { table, foreign_key } if foreign_key.enforced => Some((table, foreign_key)),
        _ => None,
    });
    let (table, key) = added?;
    let ([name], [_]) = (key.columns.as_slice(), key.parent_columns.as_slice()) else { return None };
    let column = input.schema.table(table)?.column(name).filter(|c| !c.nullable && !c.auto_number)?;
    let dropped = |c: &Change| matches!(c, Change::SetDefault { table: t, column, default: None } if t == table && column == name);
    let default = column.literal_default()?;
    if changes.iter().any(dropped) {
        return None;
    }
    let dialect = engine::dialect(input.schema.engine)?;
    let rows = RelationRows::of_key(dialect, input.schema, table, key);
    let parents = rows.parents_with("parent", &[default.to_string()]);
    (input.options.counts.get(&parents.count())? == 0).then(|| {
        format!(
            ". Warning: inserts that leave `{name}` out will fail, because its default {default} is no row of `{}`",
            key.parent
        )
    })
}

/// Returns a foreign key that refers to a column.
fn referring<'s>(schema: &'s Schema, table: &TableName, column: &String) -> Option<(&'s Table, &'s ForeignKey)> {
    schema.foreign_keys().find(|(_, k)| schema.share_rows(&k.parent, table) && k.parent_columns.contains(column))
}
