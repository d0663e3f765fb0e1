//! What follows when orphans are removed: which rows go because their own parent goes, and which lose a reference, up to the
//! fixed point. It says between which tables this happens; the engines write the queries.
//!
//! A row that refers to one that goes follows it if its reference must not be NULL or cascades by declaration; else the
//! reference becomes NULL. Declared foreign keys count, enforced or not, those that the plan is to add, and the relations that
//! the user has configured or accepted. Nothing follows by a guess: the rows that it says would be left behind are counted and
//! named. Rows are only ever added to those that go, so the fixed point is the same in whatever order it is found, through
//! circles as well.

use std::collections::{BTreeMap, BTreeSet};

use super::remedy::{self, Question, Remedy};
use super::{Bound, Counts, OrphanPolicy, RowAction, Wanted, Workshop};
use crate::change::Change;
use crate::engine::Dialect;
use crate::relations::side;
use crate::schema::{Action, ForeignKey, Schema, Table, TableKind, TableName};

/// Tables between which rows follow one another when orphans are removed.
#[derive(Debug)]
pub(super) struct Closure {
    /// The tables that lose rows, in order of name; of a partitioned table the whole, not its partitions.
    pub tables: Vec<TableName>,
    /// The relations whose orphans are removed.
    pub seeds: Vec<Reference>,
    /// The relations by which a row follows its parent.
    pub follows: Vec<Reference>,
    /// The references that become NULL.
    pub marks: Vec<Mark>,
    /// The relations by which no row may refer to one that goes.
    pub blocks: Vec<Reference>,
    /// The relations, only guessed, by which rows that stay may refer to one that goes.
    pub guesses: Vec<Reference>,
    /// The relations that have no orphan afterwards.
    pub checked: Vec<Reference>,
    /// The partitioned tables that partitions belong to in the end. Rows of a partition are theirs.
    pub wholes: BTreeMap<TableName, TableName>,
    /// The tables whose rows no delete of another table may take with it (`never_cascade_into`).
    pub protected: BTreeSet<TableName>,
    /// What becomes of the rows.
    pub policy: OrphanPolicy,
    /// Which of the wanted things it makes room for.
    pub wants: Vec<usize>,
}

/// A child's key: declared, or to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub child: TableName,
    pub key: ForeignKey,
}

impl Reference {
    fn new(child: &TableName, key: &ForeignKey) -> Self {
        Self { child: child.clone(), key: key.clone() }
    }

    fn is_alike(&self, child: &TableName, key: &ForeignKey) -> bool {
        self.child == *child
            && (&self.key.columns, &self.key.parent, &self.key.parent_columns)
                == (&key.columns, &key.parent, &key.parent_columns)
    }
}

/// Columns that become NULL in rows whose parent is missing or goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub table: TableName,
    pub columns: Vec<String>,
    /// The keys whose orphans lose the reference.
    pub orphans: Vec<ForeignKey>,
    /// The keys whose rows lose it because their parent goes.
    pub follows: Vec<ForeignKey>,
}

/// The queries that count a closure, each of one number.
pub(super) struct Queries {
    /// For each table, the rows that go.
    pub gone: Vec<String>,
    /// For each table, those of them that are orphans; `None` where it has none.
    pub orphans: Vec<Option<String>>,
    /// For each mark, the rows that lose the reference.
    pub marks: Vec<String>,
    /// For each relation, the rows that refer to one that goes, whatever becomes of them.
    pub links: Vec<String>,
    /// For each block, the rows that must not be.
    pub blocks: Vec<String>,
    /// For each mark, those of its rows that are orphans; `None` where all are, or none.
    pub stale: Vec<Option<String>>,
    /// For each guess, the rows that would be left behind.
    pub guesses: Vec<String>,
}

/// How large a closure is.
pub(super) struct Sizes {
    pub gone: Vec<u64>,
    pub orphans: Vec<u64>,
    pub marks: Vec<u64>,
    /// For each mark, how many of its rows are orphans.
    pub stale: Vec<u64>,
    /// For each relation of [`Closure::links`], the rows that refer to one that goes.
    pub links: Vec<u64>,
    pub guesses: Vec<u64>,
}

/// What is known of the size of a closure.
pub(super) enum Size {
    /// No row refers to an orphan, not even by a guess: each relation can be cleaned up by itself.
    NothingFollows,
    /// So many rows.
    Known(Sizes),
    /// The rows were not counted.
    Unknown,
}

/// What becomes of a row when the one goes that it refers to.
enum Effect {
    Follows,
    Loses(Vec<String>),
    Blocks,
}

/// A relation that a key of the plan is about, and what becomes of its orphans.
struct Planned<'w> {
    at: usize,
    table: &'w Table,
    /// As its orphans are counted.
    key: ForeignKey,
    remedy: Remedy,
    count: Option<u64>,
}

/// Returns the key that something wanted adds or has checked, with its child.
pub(super) fn checked(want: &Wanted) -> Option<(&TableName, &ForeignKey)> {
    want.changes.iter().find_map(|change| match change {
        Change::AddForeignKey { table, foreign_key } | Change::ValidateForeignKey { table, foreign_key } => {
            Some((table, foreign_key))
        }
        Change::ReplaceForeignKey { table, new, .. } | Change::AlterForeignKey { table, new, .. } => Some((table, new)),
        _ => None,
    })
}

/// Returns the closures of what is wanted. Tables that have nothing to do with one another are in different ones; orphans to
/// which no relation leads are in none.
pub(super) fn closures(workshop: &Workshop<'_>, dialect: &dyn Dialect, wanted: &[(usize, &Wanted)]) -> Vec<Closure> {
    let planned = planned(workshop, dialect, wanted);
    let relations = relations(workshop, wanted);
    let guesses = guesses(workshop, &relations);
    let whole = |table| workshop.schema.whole(table);
    let mut losing: BTreeSet<&TableName> = BTreeSet::new();
    let removes = |p: &&Planned<'_>| matches!(p.remedy, Remedy::Remove(_)) && p.count != Some(0);
    losing.extend(planned.iter().filter(removes).map(|p| whole(&p.table.name)));
    let effects: Vec<(&(Reference, Option<Action>), Effect)> =
        relations.iter().map(|r| (r, effect(workshop, &relations, &r.0, r.1))).collect();
    loop {
        let before = losing.len();
        for ((relation, _), effect) in &effects {
            if matches!(effect, Effect::Follows) && losing.contains(whole(&relation.key.parent)) {
                losing.insert(whole(&relation.child));
            }
        }
        if losing.len() == before {
            break;
        }
    }
    let mut groups: Vec<BTreeSet<&TableName>> = Vec::new();
    for ((relation, _), _) in &effects {
        if losing.contains(whole(&relation.key.parent)) {
            join(&mut groups, [whole(&relation.child), whole(&relation.key.parent)]);
        }
    }
    for guess in guesses.iter().map(|g| whole(&g.key.parent)).filter(|t| losing.contains(t)) {
        join(&mut groups, [guess, guess]);
    }
    groups.sort();
    let parts = workshop.schema.tables.iter().filter(|t| t.partition_of.is_some());
    let wholes: BTreeMap<TableName, TableName> = parts.map(|t| (t.name.clone(), whole(&t.name).clone())).collect();
    let of_group = |group: BTreeSet<&TableName>| {
        let tables: Vec<TableName> = group.iter().filter(|t| losing.contains(**t)).map(|t| (*t).clone()).collect();
        let mut closure = Closure {
            tables,
            seeds: Vec::new(),
            follows: Vec::new(),
            marks: Vec::new(),
            blocks: Vec::new(),
            guesses: Vec::new(),
            checked: Vec::new(),
            wholes: wholes.clone(),
            protected: workshop.protected.clone(),
            policy: OrphanPolicy::Delete,
            wants: Vec::new(),
        };
        for ((relation, _), effect) in &effects {
            if !closure.tables.contains(whole(&relation.key.parent)) {
                continue;
            }
            match effect {
                Effect::Follows => closure.follows.push(relation.clone()),
                Effect::Blocks => closure.blocks.push(relation.clone()),
                Effect::Loses(columns) => {
                    closure.mark(&relation.child, columns).follows.push(relation.key.clone());
                }
            }
        }
        closure.guesses = guesses.iter().filter(|g| closure.tables.contains(whole(&g.key.parent))).cloned().collect();
        for one in planned.iter().filter(|p| group.contains(whole(&p.table.name))) {
            closure.wants.push(one.at);
            closure.checked.push(Reference::new(&one.table.name, &one.key));
            match &one.remedy {
                Remedy::Remove(policy) if one.count != Some(0) => {
                    if *policy == OrphanPolicy::Quarantine {
                        closure.policy = OrphanPolicy::Quarantine;
                    }
                    closure.seeds.push(Reference::new(&one.table.name, &one.key));
                }
                Remedy::SetNull(columns) => {
                    closure.mark(&one.table.name, columns).orphans.push(one.key.clone());
                }
                _ => {}
            }
        }
        closure
    };
    groups.into_iter().map(of_group).collect()
}

fn planned<'w>(workshop: &Workshop<'w>, dialect: &dyn Dialect, wanted: &[(usize, &'w Wanted)]) -> Vec<Planned<'w>> {
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for (at, want) in wanted {
        let Some((table, key)) = checked(want) else { continue };
        let Some(table) = workshop.schema.table(table) else { continue };
        if !key.enforced || key.temporal || workshop.schema.table(&key.parent).is_none() {
            continue;
        }
        let question = Question {
            schema: workshop.schema,
            dialect,
            options: workshop.options,
            changes: &want.changes,
            table,
            key,
            count: want.orphans,
        };
        // What cannot be decided is refused where its key is planned.
        if let Ok(Some(remedy @ (Remedy::SetNull(_) | Remedy::Remove(_)))) = question.decide() {
            planned.push(Planned { at: *at, table, key: remedy::as_counted(table, key), remedy, count: want.orphans });
        }
    }
    planned
}

/// Returns every relation that a row may follow by, with the action that acts or will act: declared ones, keys to be added, and
/// those that the user has configured or accepted, whether this plan is about them or not.
fn relations(workshop: &Workshop<'_>, wanted: &[(usize, &Wanted)]) -> Vec<(Reference, Option<Action>)> {
    let schema = workshop.schema;
    let mut all: Vec<(Reference, Option<Action>)> = Vec::new();
    for (child, key) in schema.foreign_keys() {
        // A partition's key is its table's.
        let above = child.partition_of.as_ref().and_then(|t| schema.table(t));
        let is_copy = above.is_some_and(|t| t.foreign_keys.iter().any(|k| k.says_the_same(key)));
        if key.temporal || key.columns.len() != key.parent_columns.len() || is_copy || !is_there(schema, key) {
            continue;
        }
        let later = wanted.iter().flat_map(|(_, w)| &w.changes).find_map(|change| match change {
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new }
                if *table == child.name && old == key =>
            {
                Some(new.on_delete)
            }
            _ => None,
        });
        // Of the action that is there and the one to come the gentler counts.
        let action = match later {
            Some(later) if later != key.on_delete && key.on_delete == Action::Cascade => None,
            _ => Some(key.on_delete),
        };
        all.push((Reference::new(&child.name, key), action));
    }
    for (_, want) in wanted {
        let Some((table, key)) = checked(want) else { continue };
        let known = all.iter().any(|(r, _)| r.is_alike(table, key));
        if !known && !key.temporal && key.columns.len() == key.parent_columns.len() && is_there(schema, key) {
            all.push((Reference::new(table, key), None));
        }
    }
    for (child, key) in workshop.undeclared() {
        if !all.iter().any(|(r, _)| r.is_alike(&child.name, &key)) {
            let action = Some(key.on_delete);
            all.push((Reference { child: child.name.clone(), key }, action));
        }
    }
    all
}

/// Returns the relations that are only guessed, and that no other one says.
fn guesses(workshop: &Workshop<'_>, known: &[(Reference, Option<Action>)]) -> Vec<Reference> {
    let mut all: Vec<Reference> = Vec::new();
    for (child, key) in workshop.guessed() {
        let is_known = known.iter().map(|(r, _)| r).chain(&all).any(|r| r.is_alike(&child.name, &key));
        let plain = |t: &Table| matches!(t.kind, TableKind::Plain | TableKind::Partitioned);
        if !is_known && plain(child) && workshop.schema.table(&key.parent).is_some_and(plain) {
            all.push(Reference { child: child.name.clone(), key });
        }
    }
    all
}

fn is_there(schema: &Schema, key: &ForeignKey) -> bool {
    schema.table(&key.parent).is_some_and(|t| key.parent_columns.iter().all(|c| t.column(c).is_some()))
}

/// Tells what becomes of a row of a relation when its parent goes. `declared` is the action that the user has chosen for that.
fn effect(
    workshop: &Workshop<'_>,
    relations: &[(Reference, Option<Action>)],
    relation: &Reference,
    declared: Option<Action>,
) -> Effect {
    let Some(table) = workshop.schema.table(&relation.child) else { return Effect::Blocks };
    let parent = workshop.schema.table(&relation.key.parent);
    let plain = |t: &Table| matches!(t.kind, TableKind::Plain | TableKind::Partitioned);
    if !plain(table) || parent.is_none_or(|t| !plain(t)) {
        return Effect::Blocks;
    }
    let columns = remedy::nulled(workshop.schema.engine, table, &relation.key);
    let shared = |c: &String| {
        relations
            .iter()
            .any(|(r, _)| workshop.schema.share_rows(&r.key.parent, &table.name) && r.key.parent_columns.contains(c))
    };
    let loses = |columns: Vec<String>| {
        if columns.iter().any(shared) { Effect::Blocks } else { Effect::Loses(columns) }
    };
    let whole = |name| workshop.schema.whole(name);
    let of_another = whole(&relation.child) != whole(&relation.key.parent);
    let protected = of_another && workshop.protected.contains(whole(&relation.child));
    let follows = || if protected { Effect::Blocks } else { Effect::Follows };
    match remedy::said(workshop.options, &relation.child, &relation.key) {
        Some((Some(OrphanPolicy::Delete | OrphanPolicy::Quarantine), true)) => return follows(),
        Some((None, true)) => return Effect::Blocks,
        _ => {}
    }
    let no_default = || relation.key.columns.iter().all(|c| table.column(c).is_some_and(|c| c.default.is_none()));
    match declared {
        Some(Action::Cascade) => follows(),
        // Only the engine knows whether the default has a parent.
        Some(Action::SetDefault) if columns.is_empty() || !no_default() => Effect::Blocks,
        _ if columns.is_empty() => follows(),
        _ => loses(columns),
    }
}

/// Puts two tables into one group.
fn join<'t>(groups: &mut Vec<BTreeSet<&'t TableName>>, tables: [&'t TableName; 2]) {
    let mut joined: BTreeSet<&TableName> = tables.into_iter().collect();
    groups.retain(|group| {
        let meets = tables.iter().any(|t| group.contains(*t));
        if meets {
            joined.extend(group.iter().copied());
        }
        !meets
    });
    groups.push(joined);
}

impl Mark {
    /// Returns the same mark of the orphans alone; `None` if it has none, or nothing else.
    pub fn only_orphans(&self) -> Option<Self> {
        let both = !self.orphans.is_empty() && !self.follows.is_empty();
        both.then(|| Self { follows: Vec::new(), ..self.clone() })
    }
}

impl Closure {
    fn mark(&mut self, table: &TableName, columns: &[String]) -> &mut Mark {
        let mut columns = columns.to_vec();
        columns.sort();
        let known = self.marks.iter().position(|m| m.table == *table && m.columns == columns);
        let at = known.unwrap_or_else(|| {
            let mark = Mark { table: table.clone(), columns, orphans: Vec::new(), follows: Vec::new() };
            self.marks.push(mark);
            self.marks.len() - 1
        });
        &mut self.marks[at]
    }

    /// Returns the table that a table's rows belong to: the partitioned table that it is a partition of in the end, or itself.
    pub fn whole<'a>(&'a self, table: &'a TableName) -> &'a TableName {
        self.wholes.get(table).unwrap_or(table)
    }

    /// Returns the number in the queries of the table that a table's rows belong to.
    pub fn number(&self, table: &TableName) -> Option<usize> {
        let whole = self.whole(table);
        self.tables.iter().position(|t| t == whole)
    }

    /// Returns the tables whose rows change, in order of name.
    pub fn changed(&self) -> Vec<&TableName> {
        let all: BTreeSet<&TableName> = self.tables.iter().chain(self.marks.iter().map(|m| &m.table)).collect();
        all.into_iter().collect()
    }

    /// Returns every table that rows are looked at in, in order of name.
    pub fn involved(&self) -> BTreeSet<&TableName> {
        let relations =
            self.checked.iter().chain(&self.follows).chain(&self.blocks).chain(&self.seeds).chain(&self.guesses);
        let mut all: BTreeSet<&TableName> = relations.flat_map(|r| [&r.child, &r.key.parent]).collect();
        all.extend(self.changed());
        all
    }

    /// Returns every relation by which a row may refer to one that goes.
    pub fn links(&self) -> Vec<Reference> {
        let marked = self.marks.iter().flat_map(|m| m.follows.iter().map(|k| Reference::new(&m.table, k)));
        self.follows.iter().cloned().chain(marked).collect()
    }

    /// Returns every relation that rows of the closure are found by.
    pub fn relations(&self) -> Vec<Reference> {
        let mut all: Vec<Reference> = self.checked.clone();
        for one in self.links() {
            if !all.iter().any(|r| r.is_alike(&one.child, &one.key)) {
                all.push(one);
            }
        }
        all
    }

    /// Says why it cannot be carried out at all.
    ///
    /// # Errors
    /// Two references of one table share some columns but not all of them, or are of the table and of a partition: what one of them
    /// held could not be told.
    pub fn can_be_undone(&self) -> Result<(), String> {
        let same_rows = |a: &Mark, b: &Mark| a.table != b.table && self.whole(&a.table) == self.whole(&b.table);
        let overlap = |a: &Mark, b: &Mark| a.table == b.table && a.columns.iter().any(|c| b.columns.contains(c));
        for (at, mark) in self.marks.iter().enumerate() {
            if let Some(other) = self.marks.iter().skip(at + 1).find(|other| same_rows(mark, other)) {
                return Err(format!(
                    "{} and {} may become NULL in the same rows, of one partition: change these rows by hand",
                    side(&mark.table, &mark.columns),
                    side(&other.table, &other.columns)
                ));
            }
            if let Some(other) = self.marks.iter().skip(at + 1).find(|other| overlap(mark, other)) {
                return Err(format!(
                    "{} and {} of the same rows would become NULL, and share a column: change these rows by hand",
                    side(&mark.table, &mark.columns),
                    side(&other.table, &other.columns)
                ));
            }
        }
        Ok(())
    }

    /// Looks up how large it is; what is missing is taken down.
    ///
    /// # Errors
    /// Rows would go that a foreign key protects.
    pub fn size(&self, counts: &Counts, queries: &Queries) -> Result<Size, String> {
        let optional = |q: &Option<String>| q.as_ref().map_or(Some(0), |q| counts.get(q));
        let guesses: Vec<Option<u64>> = queries.guesses.iter().map(|q| counts.get(q)).collect();
        let gone: Vec<Option<u64>> = queries.gone.iter().map(|q| counts.get(q)).collect();
        let orphans: Vec<Option<u64>> = queries.orphans.iter().map(optional).collect();
        let marks: Vec<Option<u64>> = queries.marks.iter().map(|q| counts.get(q)).collect();
        let stale = queries
            .stale
            .iter()
            .zip(&self.marks)
            .zip(&marks)
            .map(|((query, mark), rows)| if mark.follows.is_empty() { *rows } else { optional(query) });
        let stale: Vec<Option<u64>> = stale.collect();
        let links: Vec<Option<u64>> = queries.links.iter().map(|q| counts.get(q)).collect();
        let blocks: Vec<Option<u64>> = queries.blocks.iter().map(|q| counts.get(q)).collect();
        if let Some((block, rows)) = self.blocks.iter().zip(&blocks).find(|(_, n)| n.is_some_and(|n| n > 0)) {
            return Err(format!("{}; nothing is deleted", self.blocked(block, *rows)));
        }
        let all = |list: Vec<Option<u64>>| list.into_iter().collect::<Option<Vec<u64>>>();
        let (Some(gone), Some(orphans), Some(marks), Some(stale), Some(links), Some(guesses), Some(_)) =
            (all(gone), all(orphans), all(marks), all(stale), all(links), all(guesses), all(blocks))
        else {
            return Ok(Size::Unknown);
        };
        // One orphan may refer to another: then both have to go at once, too.
        Ok(if links.iter().chain(&guesses).all(|n| *n == 0) {
            Size::NothingFollows
        } else {
            Size::Known(Sizes { gone, orphans, marks, stale, links, guesses })
        })
    }

    /// Returns how many rows its step may change, each table and each mark by itself.
    pub fn bounds(&self, queries: &Queries, sizes: &Sizes) -> Vec<Bound> {
        let gone = self.tables.iter().zip(queries.gone.iter().zip(&sizes.gone)).map(|(table, (count, rows))| Bound {
            count: count.clone(),
            rows: *rows,
            table: table.clone(),
            columns: Vec::new(),
            action: RowAction::Delete,
        });
        let marks = self.marks.iter().zip(queries.marks.iter().zip(&sizes.marks)).map(|(mark, (count, rows))| Bound {
            count: count.clone(),
            rows: *rows,
            table: mark.table.clone(),
            columns: mark.columns.clone(),
            action: RowAction::SetNull,
        });
        gone.chain(marks).filter(|b| b.rows > 0).collect()
    }

    /// Says that rows refer to some that would go, and must not.
    pub fn blocked(&self, block: &Reference, rows: Option<u64>) -> String {
        let rows = match rows {
            Some(1) => "1 row".to_string(),
            Some(n) => format!("{n} rows"),
            None => "rows".to_string(),
        };
        let of = side(&block.child, &block.key.columns);
        if self.protected.contains(self.whole(&block.child)) {
            return format!(
                "{rows} of {of} would go with rows of `{}`, and referee.toml lists `{}` under never_cascade_into: change them by hand, or \
                 keep the rows that they refer to (`--orphans {}=leave`)",
                block.key.parent,
                self.whole(&block.child),
                self.seeds.first().map_or_else(|| "child.column".to_string(), |s| side(&s.child, &s.key.columns))
            );
        }
        format!(
            "{rows} of {of} refer to rows of `{}` that would be deleted, and what becomes of them has to be decided first (ON DELETE {}): \
             change them, or say `--orphans {of}=delete`",
            block.key.parent, block.key.on_delete
        )
    }

    /// Returns what it does, in the imperative, with counts.
    pub fn title(&self, sizes: Option<&Sizes>) -> String {
        let verb = if self.policy == OrphanPolicy::Quarantine { "quarantine" } else { "delete" };
        let mut parts: Vec<String> = Vec::new();
        let has_orphans = |table: &TableName| self.seeds.iter().any(|s| self.whole(&s.child) == table);
        let mut order: Vec<(usize, &TableName)> = self.tables.iter().enumerate().collect();
        order.sort_by_key(|(_, table)| !has_orphans(table));
        for (at, table) in order {
            let parents = self.parents(table);
            let orphan = has_orphans(table);
            let follow = format!("their {} row goes", parents.join(" or "));
            match sizes {
                Some(sizes) => {
                    let (gone, orphans) = (sizes.gone[at], sizes.orphans[at]);
                    let why = match (orphans, gone - orphans.min(gone)) {
                        (0, _) => follow,
                        (_, 0) => "orphans".to_string(),
                        (orphans, rest) => format!("{orphans} orphans, {rest} whose {} row goes", parents.join(" or ")),
                    };
                    if gone > 0 {
                        parts.push(format!("{verb} {} of {table} ({why})", rows(gone)));
                    }
                }
                None if orphan && parents.is_empty() => parts.push(format!("{verb} the orphans of {table}")),
                None if orphan => parts.push(format!(
                    "{verb} the rows of {table} that are orphans or {follow}",
                    follow = format_args!("whose {} row goes", parents.join(" or "))
                )),
                None => parts.push(format!("{verb} the rows of {table} ({follow})")),
            }
        }
        for (at, mark) in self.marks.iter().enumerate() {
            let of = side(&mark.table, &mark.columns);
            match sizes.map(|s| s.marks[at]) {
                Some(0) => {}
                Some(n) => {
                    let stale = sizes.map_or(0, |s| s.stale[at]).min(n);
                    let mut parents: Vec<String> = mark.follows.iter().map(|k| k.parent.to_string()).collect();
                    parents.sort();
                    parents.dedup();
                    let why = match (stale, n - stale, parents.join(" or ")) {
                        (_, 0, _) => "orphans".to_string(),
                        (0, _, parents) => format!("their {parents} row goes"),
                        (1, rest, parents) => format!("1 orphan, {rest} whose {parents} row goes"),
                        (stale, rest, parents) => format!("{stale} orphans, {rest} whose {parents} row goes"),
                    };
                    parts.push(format!("set {} of {of} to NULL ({why})", rows(n)));
                }
                None => parts.push(format!("set {of} to NULL where its row is missing or goes")),
            }
        }
        let mut text = parts.join(", ");
        if sizes.is_none() {
            text.push_str(" (rows that were not counted)");
        }
        if let Some(sizes) = sizes {
            let left = self.guesses.iter().zip(&sizes.guesses).filter(|(_, n)| **n > 0);
            let left: Vec<String> = left
                .map(|(guess, n)| {
                    format!("{} of {} (guessed {})", rows(*n), guess.child, side(&guess.child, &guess.key.columns))
                })
                .collect();
            if !left.is_empty() {
                text.push_str(&format!("; leaves new orphans: {}", left.join(", ")));
            }
        }
        let mut letters = text.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// Returns the parents that rows of a table follow.
    fn parents(&self, table: &TableName) -> Vec<String> {
        let mut parents: Vec<String> =
            self.follows.iter().filter(|f| self.whole(&f.child) == table).map(|f| f.key.parent.to_string()).collect();
        parents.sort();
        parents.dedup();
        parents
    }

    /// Says for each relation what becomes of its rows, and why.
    pub fn reasons(&self, sizes: Option<&Sizes>) -> String {
        let mut reasons: Vec<String> = Vec::new();
        let word = if self.policy == OrphanPolicy::Quarantine { "quarantined" } else { "deleted" };
        for seed in &self.seeds {
            reasons.push(format!("orphans of {} are {word}", side(&seed.child, &seed.key.columns)));
        }
        for (at, follow) in self.follows.iter().enumerate() {
            // The links begin with what follows.
            if sizes.is_some_and(|s| s.links[at] == 0) {
                continue;
            }
            let cascades = follow.key.on_delete == Action::Cascade;
            let why = if cascades { "ON DELETE CASCADE" } else { "it must not be NULL" };
            reasons.push(format!("rows follow by {} ({why})", side(&follow.child, &follow.key.columns)));
        }
        for (at, mark) in self.marks.iter().enumerate() {
            if sizes.is_some_and(|s| s.marks[at] == 0) {
                continue;
            }
            reasons
                .push(format!("{} becomes NULL and the row stays (it may be NULL)", side(&mark.table, &mark.columns)));
        }
        reasons.join("; ")
    }

    /// Says which rows would refer to nothing afterwards by relations that are only guessed; empty if none would.
    pub fn left_behind(&self, sizes: Option<&Sizes>) -> String {
        let arrow = |guess: &Reference| super::bench::arrow(&guess.child, &guess.key);
        let Some(sizes) = sizes else {
            let all: Vec<String> = self.guesses.iter().map(arrow).collect();
            return if all.is_empty() {
                String::new()
            } else {
                format!(" May leave new orphans, which were not counted, in guessed relations: {}.", all.join(", "))
            };
        };
        let left = self.guesses.iter().zip(&sizes.guesses).filter(|(_, n)| **n > 0);
        let left: Vec<String> =
            left.map(|(guess, n)| format!("{} of {} (guessed {})", rows(*n), guess.child, arrow(guess))).collect();
        match left.len() {
            0 => String::new(),
            1 => format!(
                " Leaves new orphans: {}. Accept that relation first, so that its rows are cleaned up, too.",
                left.concat()
            ),
            _ => format!(
                " Leaves new orphans: {}. Accept those relations first, so that their rows are cleaned up, too.",
                left.join(", ")
            ),
        }
    }
}

/// Writes `1 row`, `7 rows`.
pub(super) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}
