//! What changes are called: titles of steps, the words that choose an option.

use super::{Down, Made, Step};
use crate::change::Change;
use crate::relations::side;
use crate::schema::{Action, ForeignKey, TableName};
use crate::text::said;

/// Returns the word that chooses these changes on the command line: `protect`, `cascade`, `drop-not-null`.
pub(super) fn word(changes: &[Change]) -> String {
    let word = match changes {
        [Change::AddForeignKey { foreign_key, .. }] => return action(foreign_key.on_delete).to_string(),
        [Change::ReplaceForeignKey { old, new, .. } | Change::AlterForeignKey { old, new, .. }, ..] => {
            if new.on_delete != old.on_delete {
                return action(new.on_delete).to_string();
            }
            if new.on_update != old.on_update {
                return action(new.on_update).to_string();
            }
            match () {
                () if new.set_columns != old.set_columns => "set-null-columns",
                () if new.matching != old.matching => "match-full",
                () if new.is_active() && !old.is_active() => "enforce",
                () if new.on_delete_written != old.on_delete_written => "write-out",
                () if new.timing != old.timing => "defer",
                () => "replace",
            }
        }
        [Change::DropIndex { .. }, Change::AddIndex { .. }, ..] => "rebuild",
        [Change::SetNullable { nullable: true, .. }, ..] => "drop-not-null",
        [Change::SetNullable { nullable: false, .. }, ..] => "set-not-null",
        [Change::SetDefault { default: None, .. }, ..] => "drop-default",
        [Change::SetDefault { default: Some(_), .. }, ..] => "set-default",
        [Change::SetType { .. }, ..] => "convert",
        [Change::AddIndex { .. }, ..] => "index",
        [Change::DropIndex { .. } | Change::DropForeignKey { .. }, ..] => "drop",
        [Change::ValidateForeignKey { .. }, ..] => "validate",
        _ => "apply",
    };
    word.to_string()
}

/// Returns the word of an action. NO ACTION protects the parent.
pub(super) fn action(action: Action) -> &'static str {
    match action {
        Action::NoAction => "protect",
        Action::Restrict => "restrict",
        Action::Cascade => "cascade",
        Action::SetNull => "set-null",
        Action::SetDefault => "set-default",
    }
}

/// Tells whether a typed word means an option: its own word, or the SQL words of its action.
pub(super) fn means(typed: &str, word: &str) -> bool {
    typed.eq_ignore_ascii_case(word) || Action::parse(typed).is_some_and(|a| action(a) == word)
}

/// Tells whether a typed word chooses an action: `cascade`, `set null`.
pub fn chooses(typed: &str, wanted: Action) -> bool {
    means(typed, action(wanted))
}

/// Writes what changes do, in the imperative.
pub(super) fn title(changes: &[Change]) -> String {
    let all: Vec<String> = changes.iter().map(one).collect();
    said(match all.as_slice() {
        [] => "Do nothing".to_string(),
        [only] => only.clone(),
        [first, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|t| lower(t)).collect();
            format!("{first}, then {}", rest.join(", then "))
        }
    })
}

/// Passes on what recipes made, with its texts.
pub(super) fn made(made: Made) -> Made {
    let Made { mut steps, mut refused } = made;
    for step in &mut steps {
        step.title = said(std::mem::take(&mut step.title));
        step.why = said(std::mem::take(&mut step.why));
        for guard in &mut step.guards {
            guard.found = said(std::mem::take(&mut guard.found));
            guard.advice = said(std::mem::take(&mut guard.advice));
        }
        if let Down::Impossible(why) = &mut step.down {
            *why = said(std::mem::take(why));
        }
    }
    for entry in &mut refused {
        entry.why = said(std::mem::take(&mut entry.why));
    }
    Made { steps, refused }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Writes `orders.customer_id -> customers.id`.
pub(super) fn arrow(child: &TableName, key: &ForeignKey) -> String {
    format!("{} -> {}", side(child, &key.columns), side(&key.parent, &key.parent_columns))
}

fn named(table: &TableName, key: &ForeignKey) -> String {
    key.name.as_ref().map_or_else(|| arrow(table, key), |name| format!("{name} ({})", arrow(table, key)))
}

fn clause(key: &ForeignKey) -> String {
    let columns = if key.set_columns.is_empty() { String::new() } else { format!(" ({})", key.set_columns.join(", ")) };
    format!("ON DELETE {}{columns}", key.on_delete)
}

fn one(change: &Change) -> String {
    match change {
        Change::AddForeignKey { table, foreign_key: key } => {
            format!("Add the foreign key {} {}", arrow(table, key), clause(key))
        }
        Change::DropForeignKey { table, foreign_key: key } => format!("Drop the foreign key {}", named(table, key)),
        Change::ReplaceForeignKey { table, old, new } | Change::AlterForeignKey { table, old, new } => {
            let mut parts = Vec::new();
            if clause(old) != clause(new) {
                parts.push(format!("{} instead of {}", clause(new), old.on_delete));
            }
            if old.on_update != new.on_update {
                parts.push(format!("ON UPDATE {} instead of {}", new.on_update, old.on_update));
            }
            if old.matching != new.matching {
                parts.push("MATCH FULL".to_string());
            }
            if old.timing != new.timing {
                parts.push("checked at COMMIT".to_string());
            }
            if new.is_active() && !old.is_active() {
                parts.push("enforced again".to_string());
            }
            if parts.is_empty() {
                parts.push(format!("{}, written out", clause(new)));
            }
            format!("Make the foreign key {} {}", arrow(table, new), parts.join(", "))
        }
        Change::ValidateForeignKey { table, foreign_key: key } => {
            format!("Check the rows of the foreign key {}", named(table, key))
        }
        Change::AddIndex { table, index } => {
            let unique = if index.unique { "unique " } else { "" };
            let columns: Vec<&str> =
                index.parts.iter().filter_map(|p| p.column.as_deref().or(p.expression.as_deref())).collect();
            format!("Add the {unique}index {} on {table} ({})", index.name, columns.join(", "))
        }
        Change::DropIndex { table, index } => format!("Drop the index {} of {table}", index.name),
        Change::SetNullable { table, column, nullable: true } => format!("Drop NOT NULL from {table}.{column}"),
        Change::SetNullable { table, column, nullable: false } => format!("Set NOT NULL on {table}.{column}"),
        Change::SetDefault { table, column, default: None } => format!("Drop the default of {table}.{column}"),
        Change::SetDefault { table, column, default: Some(default) } => {
            format!("Set the default of {table}.{column} to {default}")
        }
        Change::SetType { table, column, data_type, collation } => match collation {
            Some(collation) => format!("Give {table}.{column} the collation {}", collation.name),
            None => format!("Give {table}.{column} the type {}", data_type.raw),
        },
        other => format!("Change {}", other.table()),
    }
}

/// Returns the start of a step's id: `add-orders-customer-id-fkey`. It is made of what the step does, never of its title.
pub(super) fn slug(step: &Step) -> String {
    let text = match step.changes.last() {
        Some(Change::AddForeignKey { table, foreign_key: key }) => format!("add {}", key_name(table, key)),
        Some(Change::DropForeignKey { table, foreign_key: key }) => format!("drop {}", key_name(table, key)),
        Some(Change::ReplaceForeignKey { table, new, .. } | Change::AlterForeignKey { table, new, .. }) => {
            format!("replace {}", key_name(table, new))
        }
        Some(Change::ValidateForeignKey { table, foreign_key: key }) => format!("validate {}", key_name(table, key)),
        Some(Change::AddIndex { index, .. }) => format!("add {}", index.name),
        Some(Change::DropIndex { index, .. }) => format!("drop {}", index.name),
        Some(Change::RenameConstraint { to, .. }) => format!("rename {to}"),
        Some(Change::SetNullable { table, column, nullable: true }) => format!("drop NOT NULL from {table} {column}"),
        Some(Change::SetNullable { table, column, nullable: false }) => format!("set NOT NULL on {table} {column}"),
        Some(Change::SetDefault { table, column, default: None }) => format!("drop the default of {table} {column}"),
        Some(Change::SetDefault { table, column, default: Some(_) }) => format!("set the default of {table} {column}"),
        Some(Change::SetType { table, column, .. }) => format!("give {table} {column} another type"),
        _ if step.touches_rows => {
            match step.bounds.first().map(|b| &b.table).or(step.locks.first().map(|l| &l.table)) {
                Some(table) => format!("clean up {table}"),
                None => "clean up".to_string(),
            }
        }
        Some(other) => format!("change {}", other.table()),
        None => step.phase.to_string(),
    };
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let mut slug: String = slug.trim_matches('-').chars().take(48).collect();
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

fn key_name(table: &TableName, key: &ForeignKey) -> String {
    key.name.clone().unwrap_or_else(|| format!("{} {} fkey", table.name, key.columns.join(" ")))
}

/// Writes a reason as a sentence begins; one that begins with a name keeps it as it is.
pub(super) fn sentence(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if !word.chars().all(char::is_alphabetic) {
        return text.to_string();
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
