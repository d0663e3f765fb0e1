//! Conflicts that have one cause, told as one: where a delete from one table meets many keys in the same way, there is one thing
//! to decide, and a finding for each key would bury it.

use std::collections::{BTreeMap, BTreeSet};

use super::helpers::fix;
use super::wording::{fate_command, fits, way, with_on_delete};
use super::{Context, Meta};
use crate::change::Change;
use crate::fate::Conflict;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::relations::side;
use crate::schema::{Action, ForeignKey, TableName};

/// So many conflicts of one cause are told together.
const MANY: usize = 5;
/// So many keys of them are named; the rest are counted.
const NAMED: usize = 6;

/// Sorts conflicts by cause: by the table that rows are deleted from, and by `kind`. Few of one cause stand for themselves.
pub(super) fn by_cause<'c, K: Ord>(
    conflicts: impl Iterator<Item = &'c Conflict>,
    kind: impl Fn(&Conflict) -> K,
) -> Vec<Vec<&'c Conflict>> {
    let mut causes: BTreeMap<(&TableName, K), Vec<&Conflict>> = BTreeMap::new();
    for conflict in conflicts {
        causes.entry((&conflict.root, kind(conflict))).or_default().push(conflict);
    }
    let split = |cause: Vec<&'c Conflict>| match cause.len() {
        0..MANY => cause.into_iter().map(|c| vec![c]).collect(),
        _ => vec![cause],
    };
    causes.into_values().flat_map(split).collect()
}

/// Many conflicts of one cause, with what a finding about them needs.
pub(super) struct Cause<'c> {
    pub root: &'c TableName,
    /// The children and their refusing keys, sorted.
    pub keys: Vec<(&'c TableName, &'c ForeignKey)>,
    /// How many tables have such a key: `88 tables`.
    pub tables: usize,
    /// The first of them with both its ways: `tenants -> a.tenant_id deletes its rows, tenants -> b.tenant_id -> a.b_id refuses`.
    pub example: String,
}

impl<'c> Cause<'c> {
    /// Looks up the keys; `None` if there are none.
    pub fn of(context: &'c Context<'_>, conflicts: &[&'c Conflict]) -> Option<Self> {
        let relations = context.relations.relations();
        let refusing = |c: &&'c Conflict| {
            let relation = &relations[*c.refused_by.last()?];
            Some((&relation.child, relation.foreign_key()?, *c))
        };
        let mut found: Vec<_> = conflicts.iter().filter_map(refusing).collect();
        found.sort_by_key(|(child, key, _)| (*child, &key.columns, &key.name));
        let (child, _, first) = found.first()?;
        let removing = &relations[*first.removed_by.last()?];
        let goes = if removing.on_delete == Some(Action::Cascade) { "deletes" } else { "sets free" };
        let example = format!(
            "for a row of `{child}`, {} {goes} it, {} refuses",
            way(context, &first.root, &first.removed_by),
            way(context, &first.root, &first.refused_by)
        );
        let tables: BTreeSet<&TableName> = found.iter().map(|(child, ..)| *child).collect();
        let keys = found.iter().map(|(child, key, _)| (*child, *key)).collect();
        Some(Self { root: &first.root, keys, tables: tables.len(), example })
    }

    /// Names the first keys and counts the others: `a.x_id, b.x_id and 100 more`.
    pub fn named(&self) -> String {
        let names: Vec<String> = self.keys.iter().take(NAMED).map(|(child, key)| side(child, &key.columns)).collect();
        let more = self.keys.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", names.join(", "))
    }

    /// Makes the finding, about the table, with a way out for all keys: SET NULL where the reference can be NULL, else CASCADE.
    pub fn finding(
        &self,
        context: &Context<'_>,
        meta: &'static Meta,
        severity: Severity,
        kind: &str,
        message: String,
    ) -> Finding {
        let finding = Finding::new(meta, Subject::table(self.root), message).severity(severity).distinguished_by(kind);
        let survives = |child: &TableName, key: &ForeignKey| {
            context.schema.table(child).is_some_and(|t| fits(t, &key.columns, Action::SetNull))
        };
        let nulls = self.keys.iter().filter(|(child, key)| survives(child, key)).count();
        let action =
            |child: &TableName, key: &ForeignKey| if survives(child, key) { Action::SetNull } else { Action::Cascade };
        let changes = self.changes(|child, key| with_on_delete(child, key, action(child, key)));
        let title = match (nulls, self.keys.len() - nulls) {
            (0, keys) => format!("Make {keys} keys ON DELETE CASCADE"),
            (keys, 0) => format!("Make {keys} keys ON DELETE SET NULL"),
            (nulls, keys) => format!("Make {nulls} keys ON DELETE SET NULL and {keys} ON DELETE CASCADE"),
        };
        finding.fix(fix(context, title, Safety::Manual, changes))
    }

    /// Makes one change of each key.
    pub fn changes(&self, change: impl Fn(&TableName, &ForeignKey) -> Change) -> Vec<Change> {
        self.keys.iter().map(|(child, key)| change(child, key)).collect()
    }

    /// Says where all of them are to be seen.
    pub fn pointer(&self) -> String {
        format!("{} shows each of them, with the query that counts its rows.", fate_command(self.root, ""))
    }
}
