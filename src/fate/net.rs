//! The relations of a schema as a dense network: what each does when its parent row goes, by number instead of name.
//!
//! Made once, then asked about any number of roots. Here an engine's facts meet a key's declaration; what follows from
//! several keys together is decided in `judge`.

use std::collections::BTreeMap;

use super::engines::{self, Semantics, When};
use crate::relations::unlike::{Unlike, unlike};
use crate::relations::{Graph, Relation, forbids_null, unfit};
use crate::schema::facts::SetDefault;
use crate::schema::{Action, DisabledSide, Engine, ForeignKey, Match, Schema, Table, TableKind, TableName, Timing};

/// What a key does to the child rows of a parent row that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Deletes them.
    Delete,
    /// Sets columns to NULL, or to a default that is NULL in part, so that they refer to nothing.
    Null,
    /// Sets columns to a default that refers to another parent row.
    Default,
    /// Refuses while there are any.
    Check(When),
    /// Tries what their columns cannot bear, and fails while there are any.
    Fail(When),
    /// Leaves them as they are: nothing enforces the relation.
    Orphan,
}

/// A relation between two tables that both exist.
#[derive(Clone)]
pub(crate) struct Link<'s> {
    /// Its number in the graph.
    pub relation: usize,
    pub child: usize,
    pub parent: usize,
    /// PostgreSQL: the partition that holds the key, where its whole table does not: only the rows in it refer by the link.
    pub child_part: Option<&'s TableName>,
    /// PostgreSQL: the partition that the key refers to, where it is not the whole table: only the rows in it are referred to.
    pub parent_part: Option<&'s TableName>,
    pub act: Act,
    /// What a change of the parent's key to NULL does.
    pub on_update: Act,
    /// Whether the child's side is checked at the end of the transaction only.
    pub deferred: bool,
    /// The engine's order, today.
    pub order: (bool, u32),
    /// The child's and the parent's columns, by position, in pairs, sorted by the child's.
    pub pairs: Vec<(u16, u16)>,
    /// The child's columns that SET NULL or SET DEFAULT changes, sorted.
    pub changed: Vec<u16>,
    /// Whether a parent row has at most one child row.
    pub single: bool,
    /// Whether the engine finds the child rows by the child's clustered index.
    pub clustered: bool,
    /// All links over the same columns of the same tables, this one too, in firing order.
    pub twins: Vec<usize>,
    /// Why it fails, if it does.
    pub contradiction: Option<String>,
    /// SQLite: how its check and its action compare values differently.
    pub unlike: Option<Unlike>,
    /// If it fails because it leaves a `MATCH FULL` reference that is NULL in part: the columns of that key that it leaves as
    /// they are. The row is written first and checked later, so others can find it changed, or make it whole.
    pub left: Vec<u16>,
}

impl Link<'_> {
    /// Tells whether the link is about the rows of a partition alone.
    pub fn is_partial(&self) -> bool {
        self.child_part.is_some() || self.parent_part.is_some()
    }

    pub fn columns(&self) -> impl Iterator<Item = u16> + '_ {
        self.pairs.iter().map(|p| p.0)
    }

    pub fn shares_column(&self, columns: &[u16]) -> bool {
        self.columns().any(|c| columns.contains(&c))
    }
}

/// The network.
#[derive(Clone)]
pub(crate) struct Net<'s> {
    pub schema: &'s Schema,
    pub graph: &'s Graph,
    pub engine: Engine,
    pub semantics: &'static Semantics,
    pub tables: Vec<&'s TableName>,
    pub links: Vec<Link<'s>>,
    /// By parent, in firing order.
    pub below: Vec<Vec<usize>>,
    /// By child.
    pub above: Vec<Vec<usize>>,
    /// Whether any table has partitions or heirs.
    pub families: bool,
    /// By table: why every delete that reaches it fails, rows or none (SQLite's broken keys).
    pub broken: Vec<Option<(usize, String)>>,
}

impl<'s> Net<'s> {
    /// Makes the network. Without `enforced` no key is enforced (SQLite with `foreign_keys` off).
    pub fn new(schema: &'s Schema, graph: &'s Graph, enforced: bool) -> Self {
        let semantics = engines::semantics(schema.engine);
        let tables: Vec<&TableName> = schema.logical_tables().map(|t| &t.name).collect();
        let number: BTreeMap<&TableName, usize> = tables.iter().enumerate().map(|(i, t)| (*t, i)).collect();
        let mut net = Self {
            schema,
            graph,
            engine: schema.engine,
            semantics,
            links: Vec::new(),
            below: vec![Vec::new(); tables.len()],
            above: vec![Vec::new(); tables.len()],
            families: schema.tables.iter().any(|t| t.partition_of.is_some() || !t.inherits.is_empty()),
            broken: vec![None; tables.len()],
            tables,
        };
        for (relation, r) in graph.relations().iter().enumerate() {
            // A partition's rows are those of its whole table.
            let of = |name: &TableName| number.get(schema.whole(name)).copied();
            let (Some(child), parent) = (of(&r.child), of(&r.parent)) else { continue };
            // A trigger or a rule looks after the rows; what it does is told with the assumptions.
            if graph.objection(relation).is_some() {
                continue;
            }
            let key = r.foreign_key().filter(|k| enforced && acts_on_delete(k));
            let Some(child_table) = schema.table(&r.child) else { continue };
            let parent_table = schema.table(&r.parent);
            // A partition may list the key that it has from its table.
            let above = child_table.partition_of.as_ref().and_then(|t| schema.table(t));
            if key.is_some_and(|k| above.is_some_and(|t| t.foreign_keys.iter().any(|other| other.says_the_same(k)))) {
                continue;
            }
            if let Some(why) = key.and_then(|k| net.broken_key(child_table, parent_table, r, k)) {
                // A delete from a virtual table asks no key (`fkey.c`: only ordinary tables have any).
                let parent = parent.filter(|_| parent_table.is_none_or(|t| t.kind != TableKind::Virtual));
                for side in [Some(child), parent].into_iter().flatten() {
                    net.broken[side].get_or_insert_with(|| (relation, why.clone()));
                }
                continue;
            }
            let (Some(parent), Some(parent_table)) = (parent, parent_table) else { continue };
            let (Some(whole_child), Some(whole_parent)) = (net.table(child), net.table(parent)) else { continue };
            // A partition may have its table's columns in another order.
            let number = |table: &Table, column: &String| {
                table.columns.iter().position(|c| c.name == *column).and_then(|i| u16::try_from(i).ok())
            };
            // By such a key each row refers to itself, and goes with itself. InnoDB finds it in its own way all the same.
            let itself = child == parent && r.columns == r.parent_columns && !r.columns.is_empty();
            if itself && key.is_some() && !semantics.ancestors_in_the_way && child_table.name == parent_table.name {
                continue;
            }
            let part = |table: &'s Table| table.partition_of.is_some().then_some(&table.name);
            let mut pairs: Vec<(u16, u16)> = r
                .columns
                .iter()
                .zip(&r.parent_columns)
                .filter_map(|(c, p)| Some((number(whole_child, c)?, number(whole_parent, p)?)))
                .collect();
            pairs.sort_unstable();
            let changed_names: &[String] = key.map_or(&[], ForeignKey::changed_columns);
            let mut changed: Vec<u16> = changed_names.iter().filter_map(|c| number(whole_child, c)).collect();
            changed.sort_unstable();
            let (act, contradiction) = match key {
                Some(k) => net.act(child_table, k, k.on_delete, changed_names),
                None => (Act::Orphan, None),
            };
            let broken = key.and_then(|k| net.breaks_full(child_table, k, k.on_delete, changed_names));
            let left = match (act, broken) {
                (Act::Fail(_), Some((_, left))) => left.into_iter().filter_map(|c| number(whole_child, c)).collect(),
                _ => Vec::new(),
            };
            let on_update = match key {
                // CASCADE of a key that became NULL in part breaks MATCH FULL; which part is not looked into.
                Some(k) if k.on_update == Action::Cascade => {
                    let full = net.full_keys(child_table).any(|f| f.columns.iter().any(|c| k.columns.contains(c)));
                    if full { Act::Default } else { Act::Null }
                }
                Some(k) => net.act(child_table, k, k.on_update, &k.columns).0,
                None => Act::Orphan,
            };
            let to_primary = parent_table.primary_key.as_ref().is_some_and(|p| p.columns == r.parent_columns);
            let clustered = child_table.primary_key.as_ref().is_some_and(|p| p.columns.starts_with(&r.columns));
            net.links.push(Link {
                relation,
                child,
                parent,
                child_part: part(child_table),
                parent_part: part(parent_table),
                act,
                on_update,
                deferred: key.is_some_and(|k| k.timing == Timing::Deferred),
                order: (semantics.primary_first && !to_primary, key.map_or(u32::MAX, |k| k.firing_order)),
                changed,
                single: child_table.is_unique(&r.columns),
                clustered,
                twins: Vec::new(),
                unlike: key.and_then(|k| unlike(schema, child_table, k)),
                contradiction,
                left,
                pairs,
            });
        }
        net.index();
        net
    }

    fn index(&mut self) {
        for (i, link) in self.links.iter().enumerate() {
            self.below[link.parent].push(i);
            self.above[link.child].push(i);
        }
        for list in self.below.iter_mut().chain(&mut self.above) {
            list.sort_by_key(|&i| (self.links[i].order, self.links[i].relation));
        }
        for i in 0..self.links.len() {
            let link = &self.links[i];
            let parts = (link.child_part, link.parent_part);
            let same = |o: &Link<'_>| {
                o.parent == link.parent
                    && o.pairs == link.pairs
                    && !o.pairs.is_empty()
                    && (o.child_part, o.parent_part) == parts
            };
            let twins = self.above[link.child].iter().copied().filter(|&o| o == i || same(&self.links[o])).collect();
            self.links[i].twins = twins;
        }
    }

    /// PostgreSQL: returns a table and those that inherit from it: a DELETE without ONLY deletes the rows of all of them, while
    /// what a foreign key does it does with ONLY (`ri_triggers.c`).
    pub fn with_heirs(&self, table: usize) -> Vec<usize> {
        let mut all = vec![table];
        if !self.families {
            return all;
        }
        let mut next = 0;
        while let Some(&of) = all.get(next) {
            next += 1;
            let heir = |t: &&Table| t.inherits.contains(self.tables[of]);
            for heir in self.schema.tables.iter().filter(heir) {
                match self.tables.binary_search(&&heir.name) {
                    Ok(number) if !all.contains(&number) => all.push(number),
                    _ => {}
                }
            }
        }
        all
    }

    /// Says why a key stops every delete on either side, if the engine lets such a key exist.
    fn broken_key(
        &self,
        child: &Table,
        parent: Option<&Table>,
        relation: &Relation,
        key: &ForeignKey,
    ) -> Option<String> {
        if !self.semantics.broken_keys_stop_deletes {
            return None;
        }
        let Some(parent) = parent else { return Some(format!("its parent `{}` does not exist", key.parent)) };
        if let Some(missing) = key.parent_columns.iter().find(|c| parent.column(c).is_none()) {
            return Some(format!("`{}` has no column `{missing}`", parent.name));
        }
        if let Some(why) = unfit(self.engine, parent, relation) {
            return Some(why);
        }
        // The update that SET NULL needs does not compile, so no delete of the parent does ("cannot UPDATE generated column").
        let generated = |c: &String| child.column(c).is_some_and(|c| c.generated.is_some());
        let changes = matches!(key.on_delete, Action::SetNull | Action::SetDefault);
        key.changed_columns()
            .iter()
            .find(|c| changes && generated(c))
            .map(|c| format!("ON DELETE {} would change `{c}`, which is a generated column", key.on_delete))
    }

    pub(super) fn act(
        &self,
        child: &'s Table,
        key: &ForeignKey,
        action: Action,
        changed: &[String],
    ) -> (Act, Option<String>) {
        let semantics = self.semantics;
        let fail = |why: String| (Act::Fail(semantics.contradiction), Some(why));
        match action {
            Action::NoAction | Action::Restrict => (Act::Check((semantics.check)(action, key.timing)), None),
            Action::Cascade => (Act::Delete, None),
            Action::SetDefault if self.engine.facts().keys.set_default != SetDefault::CarriedOut => {
                (Act::Check((semantics.check)(Action::Restrict, key.timing)), None)
            }
            Action::SetNull | Action::SetDefault => {
                let nulled = nulled(child, action, changed);
                if let Some(column) = nulled.iter().find(|c| !child.is_nullable(c)) {
                    let why = if action == Action::SetNull { "" } else { " and has no default" };
                    return fail(format!("`{}.{column}` is NOT NULL{why}", child.name));
                }
                let refuses_null = |c: &&&String| child.checks.iter().any(|k| forbids_null(&k.expression, c));
                if let Some(column) = nulled.iter().find(refuses_null) {
                    return fail(format!("a CHECK of `{}` wants `{column}` to be NOT NULL", child.name));
                }
                if let Some((full, _)) = self.breaks_full(child, key, action, changed) {
                    // What SET NULL wrote is checked like what anybody writes, by an event of its own (`ri_triggers.c`,
                    // `RI_FKey_check`), which passes over rows that are gone by then.
                    let when = match semantics.contradiction {
                        When::Queue if full.timing == Timing::Deferred => When::End,
                        When::Queue => When::Queued,
                        other => other,
                    };
                    let why = if full == key {
                        format!("MATCH FULL allows no reference of `{}` that is NULL in part", child.name)
                    } else {
                        format!(
                            "it leaves ({}) NULL in part, which MATCH FULL of another key of `{}` does not allow",
                            full.columns.join(", "),
                            child.name
                        )
                    };
                    return (Act::Fail(when), Some(why));
                }
                if nulled.is_empty() && action == Action::SetDefault { (Act::Default, None) } else { (Act::Null, None) }
            }
        }
    }

    /// Returns the keys of a table whose columns must be NULL all together or not at all, and that see to it.
    fn full_keys(&self, table: &'s Table) -> impl Iterator<Item = &'s ForeignKey> {
        let meant = self.engine.facts().keys.match_full;
        let checked =
            |k: &&ForeignKey| k.enforced && !matches!(k.disabled, Some(DisabledSide::Child | DisabledSide::Both));
        let full = move |k: &&ForeignKey| meant && k.matching == Match::Full && k.columns.len() > 1 && checked(k);
        table.foreign_keys.iter().filter(full)
    }

    /// Returns the key that an action leaves NULL in part, its own or another's on the same columns, and the columns that the
    /// action leaves as they are. Before it no column of that key is NULL: one is not, as the acting key refers by it.
    fn breaks_full<'a>(
        &self,
        child: &'s Table,
        key: &ForeignKey,
        action: Action,
        changed: &'a [String],
    ) -> Option<(&'s ForeignKey, Vec<&'s String>)> {
        let nulled: Vec<&'a String> = nulled(child, action, changed);
        let left =
            |full: &'s ForeignKey| -> Vec<&'s String> { full.columns.iter().filter(|c| !nulled.contains(c)).collect() };
        let broken = |full: &&ForeignKey| {
            let kept = full.columns.iter().filter(|c| !nulled.contains(c)).count();
            kept > 0 && kept < full.columns.len()
        };
        let own = self.full_keys(child).filter(broken).find(|full| *full == key);
        own.or_else(|| self.full_keys(child).find(broken)).map(|full| (full, left(full)))
    }

    /// Returns the model's table.
    pub fn table(&self, number: usize) -> Option<&'s Table> {
        self.schema.table(self.tables[number])
    }

    /// Returns the model's table that holds a link's key: a partition, or the whole table.
    pub fn holder(&self, link: usize) -> Option<&'s Table> {
        let link = &self.links[link];
        self.schema.table(link.child_part.unwrap_or(self.tables[link.child]))
    }

    /// Returns what a link really does once its twins are considered, and whether another order would change that.
    pub fn standing(&self, link: usize) -> Standing {
        let twins = &self.links[link].twins;
        if twins.len() == 1 {
            return Standing { acts: true, order_decides: false };
        }
        let enforced = || twins.iter().copied().filter(|&t| self.links[t].act != Act::Orphan);
        let act = self.links[link].act;
        let moves = |t: usize| matches!(self.links[t].act, Act::Delete | Act::Null | Act::Default);
        match act {
            // Declared beside an enforced key, the same relation needs no enforcement of its own.
            Act::Orphan => {
                return Standing { acts: enforced().next().is_none() && twins[0] == link, order_decides: false };
            }
            // Whatever comes first leaves nothing to find at the end.
            Act::Check(When::End) if enforced().any(moves) => return Standing { acts: false, order_decides: false },
            Act::Check(When::End) => return Standing { acts: true, order_decides: false },
            _ => {}
        }
        let at_once: Vec<usize> = enforced().filter(|&t| self.links[t].act != Act::Check(When::End)).collect();
        let different = |t: &usize| {
            let (a, b) = (&self.links[*t], &self.links[link]);
            a.act != b.act || (a.act == Act::Null && a.changed != b.changed)
        };
        Standing { acts: at_once.first() == Some(&link), order_decides: at_once.iter().any(different) }
    }
}

/// What a link really does among its twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether it is the one that acts.
    pub acts: bool,
    /// Whether another firing order would have another of them act, with another result.
    pub order_decides: bool,
}

fn acts_on_delete(key: &ForeignKey) -> bool {
    key.enforced && !matches!(key.disabled, Some(DisabledSide::Parent | DisabledSide::Both))
}

/// Returns those of the columns that SET NULL or SET DEFAULT changes which become NULL.
fn nulled<'a>(child: &Table, action: Action, changed: &'a [String]) -> Vec<&'a String> {
    let is_default = |c: &&String| {
        let text = child.column(c).and_then(|c| c.default.as_deref()).unwrap_or("NULL");
        action == Action::SetDefault && !is_null(text)
    };
    let writes = matches!(action, Action::SetNull | Action::SetDefault);
    changed.iter().filter(|c| writes && !is_default(c)).collect()
}

/// Tells whether a default is NULL, with or without a cast.
pub(crate) fn is_null(default: &str) -> bool {
    let text = default.trim().trim_start_matches('(').trim_start();
    let rest = text.get(4..).unwrap_or_default();
    text.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("null"))
        && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}
