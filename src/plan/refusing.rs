//! What changes refuse that was accepted before, and how it is said: deletes of a key's parent rows, and rows without a parent, also
//! those that triggers write. `stopping` finds the deletes further up.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::schema::{Action, ForeignKey, Schema, TableName, WriteKind};

/// How many tables a sentence names.
const NAMED: usize = 4;

/// What one foreign key refuses from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewlyRefused {
    /// The parent.
    pub parent: TableName,
    /// The child.
    pub child: TableName,
    /// Whether a delete of a parent row is refused while child rows refer to it.
    pub deletes: bool,
    /// Whether child rows are refused whose parent is missing.
    pub inserts: bool,
    /// The triggers that write child rows, each with its table: one without a parent stops the statement that fired it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writers: Vec<(String, TableName)>,
    /// Tables further up: a delete from one of them is refused while rows of the child refer to a parent row that goes with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<TableName>,
    /// Whether these, or deletes of a parent row, are refused only where nothing else in the delete removes the child row in time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may: bool,
    /// Why every delete from the tables further up fails, rows or none, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

impl NewlyRefused {
    /// Names a key, of which nothing is said yet.
    pub(super) fn of(parent: TableName, child: TableName) -> Self {
        Self {
            parent,
            child,
            deletes: false,
            inserts: false,
            writers: Vec::new(),
            from: Vec::new(),
            may: false,
            broken: None,
        }
    }
}

/// Returns what changes newly refuse.
pub(super) fn newly(schema: &Schema, changes: &[Change]) -> Vec<NewlyRefused> {
    let of = |change: &Change| {
        let (table, key, inserts, deletes) = match change {
            Change::AddForeignKey { table, foreign_key: key } => (table, key, true, key.on_delete.refuses()),
            Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
                let deletes = new.on_delete.refuses() && !(old.is_active() && stops(schema, table, old));
                (table, new, !old.is_active(), deletes)
            }
            _ => return None,
        };
        (key.is_active() && (inserts || deletes)).then(|| NewlyRefused {
            deletes,
            inserts,
            writers: if inserts { writers(schema, table, &key.columns) } else { Vec::new() },
            ..NewlyRefused::of(key.parent.clone(), table.clone())
        })
    };
    changes.iter().filter_map(of).collect()
}

/// Tells whether a key lets no parent row go while rows refer to it: it says so, or does what its columns cannot bear.
fn stops(schema: &Schema, table: &TableName, key: &ForeignKey) -> bool {
    let rigid = |c: &String| schema.table(table).is_some_and(|t| !t.is_nullable(c));
    key.on_delete.refuses() || key.on_delete == Action::SetNull && key.changed_columns().iter().any(rigid)
}

/// Returns the triggers that write rows of a table, or these columns of them.
fn writers(schema: &Schema, child: &TableName, columns: &[String]) -> Vec<(String, TableName)> {
    let mut all = Vec::new();
    for table in &schema.tables {
        for trigger in table.triggers.iter().filter(|t| t.enabled) {
            let writes = trigger.does.iter().flat_map(|d| &d.writes).any(|write| {
                let same = write.table == *child || write.table.schema.is_none() && write.table.name == child.name;
                same && write.kind != WriteKind::Delete && columns.iter().any(|c| write.sets(c))
            });
            if writes {
                all.push((trigger.name.clone(), table.name.clone()));
            }
        }
    }
    all
}

/// Says it, a sentence for each parent, one for deletes further up that the same keys stop, and one for the triggers.
pub fn refusals<'r>(all: impl IntoIterator<Item = &'r NewlyRefused>) -> Vec<String> {
    let mut of: BTreeMap<&TableName, (BTreeSet<&TableName>, BTreeSet<&TableName>)> = BTreeMap::new();
    let mut writers: BTreeMap<&(String, TableName), BTreeSet<&TableName>> = BTreeMap::new();
    let mut above: BTreeMap<(&TableName, bool, Vec<&TableName>), BTreeSet<&TableName>> = BTreeMap::new();
    let mut broken: BTreeMap<&str, BTreeSet<&TableName>> = BTreeMap::new();
    for one in all {
        if let Some(why) = &one.broken {
            broken.entry(why).or_default().extend(&one.from);
            continue;
        }
        if !one.from.is_empty() || one.may && one.deletes {
            let from = if one.from.is_empty() { vec![&one.parent] } else { one.from.iter().collect() };
            above.entry((&one.parent, one.may, from)).or_default().insert(&one.child);
            continue;
        }
        let (deletes, inserts) = of.entry(&one.parent).or_default();
        deletes.extend(one.deletes.then_some(&one.child));
        inserts.extend(one.inserts.then_some(&one.child));
        one.writers.iter().for_each(|writer| {
            writers.entry(writer).or_default().insert(&one.child);
        });
    }
    let parents = of.into_iter().map(|(parent, (deletes, inserts))| {
        let refused = (!deletes.is_empty()).then(|| {
            format!("a delete of a row of {parent} is refused while rows of {} refer to it", list(&deletes, "or"))
        });
        let unknown = (!inserts.is_empty())
            .then(|| format!("inserts into {} with an unknown {parent} row are refused", list(&inserts, "and")));
        refused.into_iter().chain(unknown).collect::<Vec<_>>().join(", and ")
    });
    let triggers = writers.into_iter().map(|((trigger, on), tables)| {
        format!(
            "trigger {trigger} on {on} writes {}: a row of it whose parent is missing is refused, and with it the statement that fired the trigger",
            list(&tables, "and")
        )
    });
    let above = above.into_iter().map(|((parent, may, from), children)| {
        let (from, children) = (list(&from.into_iter().collect(), "or"), list(&children, "or"));
        let unless = if may { " and nothing else in the delete removes that row first" } else { "" };
        if from == parent.to_string() {
            return format!("a delete of a row of {parent} is refused while rows of {children} refer to it{unless}");
        }
        format!(
            "a delete from {from} is refused while a row of {children} refers to one of its {}{unless}",
            parent.name
        )
    });
    let broken = broken
        .into_iter()
        .map(|(why, from)| format!("every delete from {} fails, rows or none: {why}", list(&from, "or")));
    parents.chain(above).chain(broken).chain(triggers).collect()
}

fn list(tables: &BTreeSet<&TableName>, word: &str) -> String {
    let mut names: Vec<String> = tables.iter().take(NAMED).map(ToString::to_string).collect();
    if tables.len() > NAMED {
        names.push(format!("{} more", tables.len() - NAMED));
    }
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} {word} {last}", first.join(", ")),
        all => all.concat(),
    }
}
