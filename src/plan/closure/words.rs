//! What a closure does, in words.

use super::super::{OrphanPolicy, words};
use super::{Closure, Reference, Sizes};
use crate::relations::side;
use crate::schema::{Action, TableName};

impl Closure {
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
        if self.ambiguous.contains(block) {
            return format!(
                "{rows} of {of} refer to rows of `{}` that would be deleted, and {} is not unique there: another row may be their parent. \
                 Change them by hand",
                block.key.parent,
                side(&block.key.parent, &block.key.parent_columns)
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
        let arrow = |guess: &Reference| words::arrow(&guess.child, &guess.key);
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
pub(in crate::plan) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}
