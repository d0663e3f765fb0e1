//! What can keep rows as they are although a statement deletes or changes them.

use std::fmt;

use crate::schema::{Schema, TableName, Trigger};

/// A trigger or rule by which a row can stay as it is although a statement deletes or changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The table that it belongs to.
    pub on: TableName,
    /// Its name.
    pub name: String,
    /// PostgreSQL: whether it is a rule; otherwise a trigger.
    pub rule: bool,
    /// Whether its body says so; otherwise it could not be read.
    pub read: bool,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} on {}", if self.rule { "rule " } else { "" }, self.name, self.on)
    }
}

/// Returns what can keep rows of a table, or of its partitions, at one of these events: a trigger that fires before, for each row, and
/// passes over it (PostgreSQL manual, 39.1; SQLite, CREATE TRIGGER, 6), or a rule DO INSTEAD. Those whose bodies say so come first.
pub fn keepers(schema: &Schema, table: &TableName, events: &[&str]) -> Vec<Keeper> {
    let mut found = Vec::new();
    for of in schema.parts(table) {
        let before = of.triggers.iter().filter(|t| t.enabled && t.for_each_row && t.timing == "BEFORE");
        found.extend(before.filter_map(|t| {
            let read = events.iter().filter_map(|event| skips(t, event)).max()?;
            Some(Keeper { on: of.name.clone(), name: t.name.clone(), rule: false, read })
        }));
        let rules = of.rewrite_rules.iter().filter(|r| r.enabled && r.instead && events.contains(&r.event.as_str()));
        found.extend(rules.map(|r| Keeper { on: of.name.clone(), name: r.name.clone(), rule: true, read: true }));
    }
    found.sort_by_key(|keeper| !keeper.read);
    found
}

/// Tells whether a trigger's body is read to pass over rows; `None` if it does not.
fn skips(trigger: &Trigger, event: &str) -> Option<bool> {
    let does = trigger.at(event)?;
    (!does.skips.is_never() || does.unread.is_some()).then_some(!does.skips.is_never())
}
