//! Which thing of one table is which of another: what is the same, what has changed in place, what is only in one of them.

use crate::schema::{Check, Column, ForeignKey, Index, IndexOrigin, Key, Table, Trigger};

/// The things of two tables, those left out that are the same in both.
pub(super) struct Pairs<T> {
    /// As it is and as it shall be.
    pub changed: Vec<(T, T)>,
    /// Only in the first.
    pub dropped: Vec<T>,
    /// Only in the second.
    pub added: Vec<T>,
}

/// Pairs what is equal; of the rest, what one change can make of the other.
fn pair<T: Clone + PartialEq>(now: &[T], to: &[T], changes_to: impl Fn(&T, &T) -> bool) -> Pairs<T> {
    let mut added: Vec<T> = to.to_vec();
    let mut take = |fits: &dyn Fn(&T) -> bool| added.iter().position(fits).map(|at| added.remove(at));
    let rest: Vec<T> = now.iter().filter(|old| take(&|new| new == *old).is_none()).cloned().collect();
    let (mut changed, mut dropped) = (Vec::new(), Vec::new());
    for old in rest {
        match take(&|new| changes_to(&old, new)) {
            Some(new) => changed.push((old, new)),
            None => dropped.push(old),
        }
    }
    Pairs { changed, dropped, added }
}

/// Pairs foreign keys: by name, those without a name by columns and parent.
pub(super) fn foreign_keys(now: &[ForeignKey], to: &[ForeignKey]) -> Pairs<ForeignKey> {
    pair(now, to, |old, new| match (&old.name, &new.name) {
        (Some(a), Some(b)) => a == b,
        (None, None) => {
            old.columns == new.columns && old.parent == new.parent && old.parent_columns == new.parent_columns
        }
        _ => false,
    })
}

/// Pairs checks; one may only have to be validated.
pub(super) fn checks(now: &[Check], to: &[Check]) -> Pairs<Check> {
    pair(now, to, |old, new| old.name.is_some() && *new == Check { validated: true, ..old.clone() })
}

/// Pairs triggers; one may only have to be switched on or off.
pub(super) fn triggers(now: &[Trigger], to: &[Trigger]) -> Pairs<Trigger> {
    pair(now, to, |old, new| *new == Trigger { enabled: new.enabled, ..old.clone() })
}

/// Pairs the indexes that no key has; one may only have to become valid, or be no longer. What an engine makes for a foreign
/// key is added last: any other that begins alike takes its place.
pub(super) fn indexes(now: &Table, to: &Table) -> Pairs<Index> {
    let loose = |table: &Table| {
        let units = units(table).0;
        let is_loose = |i: &&Index| !units.iter().any(|u| u.index.as_ref() == Some(i));
        table.indexes.iter().filter(is_loose).cloned().collect::<Vec<_>>()
    };
    let mut pairs = pair(&loose(now), &loose(to), |old, new| *new == Index { valid: new.valid, ..old.clone() });
    pairs.added.sort_by_key(|i| i.origin == IndexOrigin::ForeignKey);
    pairs
}

/// A primary key or a unique constraint, with the index behind it.
#[derive(Clone, PartialEq)]
pub(super) struct Unit {
    pub key: Key,
    pub primary: bool,
    pub index: Option<Index>,
}

/// The keys of a table, the primary one first.
pub(super) struct Units(Vec<Unit>);

impl Units {
    /// Returns those that others do not have.
    pub fn dropped(self, others: &Self) -> Vec<Unit> {
        pair(&self.0, &others.0, |_, _| false).dropped
    }
}

/// Returns a table's keys, each with its index: the one of its name, else one on its columns.
pub(super) fn units(table: &Table) -> Units {
    let mut free: Vec<&Index> = table.indexes.iter().collect();
    let primary = table.primary_key.iter().map(|k| (k, true));
    let keys = primary.chain(table.unique_keys.iter().map(|k| (k, false)));
    let units = keys.map(|(key, primary)| {
        let origin = if primary { IndexOrigin::PrimaryKey } else { IndexOrigin::Constraint };
        let named = free.iter().position(|i| i.origin == origin && Some(&i.name) == key.name.as_ref());
        let on = |i: &Index| i.plain_columns().is_some_and(|c| c == key.columns);
        let at = named.or_else(|| free.iter().position(|i| i.origin == origin && on(i)));
        Unit { key: key.clone(), primary, index: at.map(|at| free.remove(at).clone()) }
    });
    Units(units.collect())
}

/// Returns the columns to be moved, each with its place, in an order in which each move is the last that its place needs. As
/// few as can be: those that stand in the right order among each other stay.
pub(super) fn moves(now: &[Column], to: &[Column]) -> Vec<(String, usize)> {
    let places: Vec<usize> = now.iter().filter_map(|c| to.iter().position(|t| t.name == c.name)).collect();
    // The longest rising row of places: for each, the length of the best that ends there, and what comes before it.
    let mut best: Vec<(usize, Option<usize>)> = Vec::new();
    for (i, place) in places.iter().enumerate() {
        let before = (0..i).filter(|j| places[*j] < *place).max_by_key(|j| (best[*j].0, std::cmp::Reverse(*j)));
        best.push((before.map_or(0, |j| best[j].0) + 1, before));
    }
    let mut at = (0..best.len()).max_by_key(|i| (best[*i].0, std::cmp::Reverse(*i)));
    let mut stay = vec![false; to.len()];
    while let Some(i) = at {
        stay[places[i]] = true;
        at = best[i].1;
    }
    let moved = to.iter().enumerate().filter(|(place, _)| !stay[*place]);
    moved.map(|(place, column)| (column.name.clone(), place)).collect()
}
