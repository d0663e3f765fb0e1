//! Several findings may want the same, or want one thing of the same key in two ways: here their changes become one target
//! for each key, column and index.

use std::collections::BTreeMap;

use crate::change::{Change, names};
use crate::schema::facts::ForeignKeyName;
use crate::schema::{ForeignKey, Index, Schema, TableName};

/// A part of a foreign key that a finding can want changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    OnDelete,
    OnUpdate,
    Timing,
    Matching,
    Active,
    Validated,
    Written,
    Rest,
}

const ASPECTS: [Aspect; 8] = [
    Aspect::OnDelete,
    Aspect::OnUpdate,
    Aspect::Timing,
    Aspect::Matching,
    Aspect::Active,
    Aspect::Validated,
    Aspect::Written,
    Aspect::Rest,
];

impl Aspect {
    /// Gives one key this part of another.
    fn copy(self, from: &ForeignKey, to: &mut ForeignKey) {
        match self {
            Self::OnDelete => {
                to.on_delete = from.on_delete;
                to.set_columns.clone_from(&from.set_columns);
            }
            Self::OnUpdate => to.on_update = from.on_update,
            Self::Timing => to.timing = from.timing,
            Self::Matching => to.matching = from.matching,
            Self::Active => {
                to.enforced = from.enforced;
                to.disabled = from.disabled;
            }
            Self::Validated => to.validated = from.validated,
            Self::Written => to.on_delete_written = from.on_delete_written,
            Self::Rest => {
                to.name.clone_from(&from.name);
                to.columns.clone_from(&from.columns);
                to.parent.clone_from(&from.parent);
                to.parent_columns.clone_from(&from.parent_columns);
                to.temporal = from.temporal;
                to.comment.clone_from(&from.comment);
            }
        }
    }

    fn is_same(self, a: &ForeignKey, b: &ForeignKey) -> bool {
        let mut copied = b.clone();
        self.copy(a, &mut copied);
        copied == *b
    }
}

/// What becomes of one foreign key.
#[derive(Clone, Debug)]
struct KeyTarget {
    /// The key as it is; `None` for a new one.
    old: Option<ForeignKey>,
    /// The key as it shall be; `None` if it goes.
    new: Option<ForeignKey>,
    /// Which parts are decided, and who did.
    decided: Vec<(Aspect, usize)>,
    /// Whether its rows are checked once more although the engine calls it valid.
    checked_again: bool,
    owners: Vec<usize>,
}

/// What becomes of one column.
#[derive(Clone, Debug, Default)]
struct ColumnTarget {
    nullable: Option<(Change, usize)>,
    default: Option<(Change, usize)>,
    data_type: Option<(Change, usize)>,
    owners: Vec<usize>,
}

/// Changes to an index that belong together, or a change of any other kind.
#[derive(Clone, Debug)]
struct OtherTarget {
    change: Change,
    owners: Vec<usize>,
}

/// Table, columns, the key's place in the table (new ones last), parent.
type KeyId = (TableName, Vec<String>, usize, TableName);

/// The targets of everything that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Merge<'a> {
    schema: &'a Schema,
    keys: BTreeMap<KeyId, KeyTarget>,
    columns: BTreeMap<(TableName, String), ColumnTarget>,
    others: Vec<OtherTarget>,
}

/// Changes that have to be made together, and whose wanted_keys they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Who wants them, sorted.
    pub owners: Vec<usize>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self { schema, keys: BTreeMap::new(), columns: BTreeMap::new(), others: Vec::new() }
    }

    /// Takes changes in that belong together, unless an owner before has decided otherwise: that one is returned.
    pub(super) fn accept(&mut self, owner: usize, changes: &[Change]) -> Result<(), usize> {
        if let Some(other) = changes.iter().find_map(|c| self.conflict(c)) {
            return Err(other);
        }
        changes.iter().for_each(|c| self.take(owner, c));
        Ok(())
    }

    /// Returns an owner that has decided otherwise.
    fn conflict(&self, change: &Change) -> Option<usize> {
        let differs =
            |decided: &Option<(Change, usize)>| decided.as_ref().filter(|(c, _)| c != change).map(|(_, o)| *o);
        match change {
            Change::AddForeignKey { table, foreign_key } => {
                let target = self.keys.get(&new_id(table, foreign_key))?;
                let now = target.new.as_ref()?;
                let at = target.decided.iter().find(|(a, _)| !a.is_same(foreign_key, now))?;
                Some(at.1)
            }
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
                let target = self.keys.get(&self.id(table, old)?)?;
                // A key that goes needs nothing else.
                let now = target.new.as_ref()?;
                let wanted = |a: Aspect| !a.is_same(old, new);
                target.decided.iter().find(|(a, _)| wanted(*a) && !a.is_same(new, now)).map(|(_, o)| *o)
            }
            Change::DropForeignKey { table, foreign_key } => {
                let target = self.keys.get(&self.id(table, foreign_key)?)?;
                target.new.as_ref()?;
                target.owners.first().copied()
            }
            Change::SetNullable { table, column, .. } => {
                differs(&self.columns.get(&(table.clone(), column.clone()))?.nullable)
            }
            Change::SetDefault { table, column, .. } => {
                differs(&self.columns.get(&(table.clone(), column.clone()))?.default)
            }
            Change::SetType { table, column, .. } => {
                differs(&self.columns.get(&(table.clone(), column.clone()))?.data_type)
            }
            _ => None,
        }
    }

    fn take(&mut self, owner: usize, change: &Change) {
        match change {
            Change::AddForeignKey { table, foreign_key } => {
                let target = self.keys.entry(new_id(table, foreign_key)).or_insert_with(|| KeyTarget {
                    old: None,
                    new: Some(foreign_key.clone()),
                    decided: vec![(Aspect::OnDelete, owner)],
                    checked_again: false,
                    owners: Vec::new(),
                });
                target.owners.push(owner);
            }
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
                let Some(target) = self.target(table, old) else { return };
                target.owners.push(owner);
                let Some(now) = &mut target.new else { return };
                for aspect in ASPECTS.into_iter().filter(|a| !a.is_same(old, new)) {
                    aspect.copy(new, now);
                    target.decided.push((aspect, owner));
                }
            }
            Change::ValidateForeignKey { table, foreign_key } => {
                let Some(target) = self.target(table, foreign_key) else { return };
                target.owners.push(owner);
                target.checked_again |= foreign_key.validated;
                if let Some(now) = &mut target.new {
                    now.validated = true;
                    target.decided.push((Aspect::Validated, owner));
                }
            }
            Change::DropForeignKey { table, foreign_key } => {
                let Some(target) = self.target(table, foreign_key) else { return };
                target.new = None;
                target.owners.push(owner);
            }
            Change::SetNullable { table, column, .. }
            | Change::SetDefault { table, column, .. }
            | Change::SetType { table, column, .. } => {
                let target = self.columns.entry((table.clone(), column.clone())).or_default();
                let slot = match change {
                    Change::SetNullable { .. } => &mut target.nullable,
                    Change::SetDefault { .. } => &mut target.default,
                    _ => &mut target.data_type,
                };
                slot.get_or_insert_with(|| (change.clone(), owner));
                target.owners.push(owner);
            }
            Change::AddIndex { table, index } => {
                let same = |i: &Index| Index { name: index.name.clone(), ..i.clone() } == *index;
                let known = self
                    .others
                    .iter_mut()
                    .find(|o| matches!(&o.change, Change::AddIndex { table: t, index: i } if t == table && same(i)));
                match known {
                    Some(known) => known.owners.push(owner),
                    None => {
                        let index = Index { name: self.free_index_name(&index.name), ..index.clone() };
                        let change = Change::AddIndex { table: table.clone(), index };
                        self.others.push(OtherTarget { change, owners: vec![owner] });
                    }
                }
            }
            other => match self.others.iter_mut().find(|o| o.change == *other) {
                Some(known) => known.owners.push(owner),
                None => self.others.push(OtherTarget { change: other.clone(), owners: vec![owner] }),
            },
        }
    }

    /// Two indexes that are proposed one by one may have been given one name.
    fn free_index_name(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            self.others
                .iter()
                .any(|o| matches!(&o.change, Change::AddIndex { index, .. } if index.name.eq_ignore_ascii_case(name)))
        };
        let numbered =
            (1usize..).map(|n| if n == 1 { wanted.to_string() } else { names::joined(wanted, "", &n.to_string()) });
        numbered.into_iter().find(|name| !taken(name)).unwrap_or_default()
    }

    fn id(&self, table: &TableName, key: &ForeignKey) -> Option<KeyId> {
        let at = self.schema.table(table)?.foreign_keys.iter().position(|k| k == key)?;
        Some((table.clone(), key.columns.clone(), at, key.parent.clone()))
    }

    fn target(&mut self, table: &TableName, key: &ForeignKey) -> Option<&mut KeyTarget> {
        let id = self.id(table, key)?;
        Some(self.keys.entry(id).or_insert_with(|| KeyTarget {
            old: Some(key.clone()),
            new: Some(key.clone()),
            decided: Vec::new(),
            checked_again: false,
            owners: Vec::new(),
        }))
    }

    /// Returns the changes, those that share an owner together, sorted by table and columns.
    pub(super) fn groups(self) -> Vec<Group> {
        let mut items: Vec<Group> = Vec::new();
        let engine = self.schema.engine;
        for target in self.columns.into_values() {
            let changes = [target.default, target.nullable, target.data_type];
            items.push(Group {
                changes: changes.into_iter().flatten().map(|(c, _)| c).collect(),
                owners: target.owners,
            });
        }
        for target in self.others {
            items.push(Group { changes: vec![target.change], owners: target.owners });
        }
        let mut given: Vec<(TableName, String)> = Vec::new();
        for ((table, ..), target) in self.keys {
            let KeyTarget { old, new, checked_again, owners, .. } = target;
            let change = match (old, new) {
                (None, Some(mut new)) => {
                    name_key(self.schema, &table, &mut new, &mut given);
                    Some(Change::AddForeignKey { table, foreign_key: new })
                }
                (Some(old), None) => Some(Change::DropForeignKey { table, foreign_key: old }),
                (Some(old), Some(new)) if old == new => {
                    checked_again.then_some(Change::ValidateForeignKey { table, foreign_key: old })
                }
                (Some(old), Some(new)) if (ForeignKey { validated: true, ..old.clone() }) == new => {
                    Some(Change::ValidateForeignKey { table, foreign_key: old })
                }
                (Some(old), Some(mut new)) => {
                    // Where the declaration is text, a new one says what it does.
                    if new.on_delete_written.is_some() || engine.facts().alter.keeps_text {
                        new.on_delete_written = Some(true);
                    }
                    Some(Change::ReplaceForeignKey { table, old, new })
                }
                (None, None) => None,
            };
            items.extend(change.map(|c| Group { changes: vec![c], owners }));
        }
        joined(items)
    }
}

fn new_id(table: &TableName, key: &ForeignKey) -> KeyId {
    (table.clone(), key.columns.clone(), usize::MAX, key.parent.clone())
}

/// Gives a new key the name that the engine would give it, so that what is planned and what is read afterwards are the same.
fn name_key(schema: &Schema, table: &TableName, key: &mut ForeignKey, given: &mut Vec<(TableName, String)>) {
    let Some(child) = schema.table(table) else { return };
    let facts = schema.engine.facts();
    let spoken = facts.alter.keeps_text || schema.foreign_keys().any(|(_, k)| k.on_delete_written.is_some());
    if key.on_delete_written.is_none() && spoken {
        key.on_delete_written = Some(true);
    }
    if key.name.is_some() || facts.names.foreign_key != ForeignKeyName::Columns {
        return;
    }
    let taken = |name: &str| given.iter().any(|(t, n)| t == table && n == name);
    let name = names::free(child, &table.name, &names::columns(&key.columns), "fkey", &taken);
    given.push((table.clone(), name.clone()));
    key.name = Some(name);
}

/// Joins items that share an owner: one finding's changes are made together or not at all.
fn joined(items: Vec<Group>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
    for item in items.into_iter().filter(|i| !i.changes.is_empty()) {
        let mut met: Vec<usize> = item.owners.iter().filter_map(|o| group_of.get(o).copied()).collect();
        met.sort_unstable();
        met.dedup();
        let into = met.first().copied().unwrap_or_else(|| {
            groups.push(Group { changes: Vec::new(), owners: Vec::new() });
            groups.len() - 1
        });
        for other in met.into_iter().skip(1) {
            let taken = std::mem::replace(&mut groups[other], Group { changes: Vec::new(), owners: Vec::new() });
            groups[into].changes.extend(taken.changes);
            groups[into].owners.extend(taken.owners);
        }
        groups[into].changes.extend(item.changes);
        groups[into].owners.extend(item.owners);
        for owner in groups[into].owners.clone() {
            group_of.insert(owner, into);
        }
    }
    groups.retain(|g| !g.changes.is_empty());
    for group in &mut groups {
        group.owners.sort_unstable();
        group.owners.dedup();
        group.changes.sort_by_key(rank);
    }
    groups.sort_by_cached_key(|g| (place(&g.changes), g.owners.clone()));
    groups
}

/// The order of the changes of one group.
fn rank(change: &Change) -> u8 {
    match change {
        Change::SetDefault { .. } | Change::SetNullable { .. } | Change::SetType { .. } => 0,
        Change::DropIndex { .. } => 1,
        Change::AddIndex { .. } => 2,
        Change::DropForeignKey { .. } => 4,
        Change::ReplaceForeignKey { .. } | Change::AlterForeignKey { .. } => 5,
        Change::AddForeignKey { .. } => 6,
        Change::ValidateForeignKey { .. } => 7,
        _ => 3,
    }
}

/// What a group is sorted by: the table and the columns of its last change, which the others prepare.
fn place(changes: &[Change]) -> (Option<TableName>, Vec<String>, u8) {
    let Some(last) = changes.last() else { return (None, Vec::new(), 0) };
    let columns = match last {
        Change::AddForeignKey { foreign_key: key, .. }
        | Change::DropForeignKey { foreign_key: key, .. }
        | Change::ValidateForeignKey { foreign_key: key, .. }
        | Change::ReplaceForeignKey { old: key, .. } => key.columns.clone(),
        Change::AddIndex { index, .. } | Change::DropIndex { index, .. } => {
            index.parts.iter().filter_map(|p| p.column.clone()).collect()
        }
        Change::SetNullable { column, .. } | Change::SetDefault { column, .. } | Change::SetType { column, .. } => {
            vec![column.clone()]
        }
        _ => Vec::new(),
    };
    (Some(last.table().clone()), columns, rank(last))
}
