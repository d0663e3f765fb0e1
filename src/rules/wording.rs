//! Words that the rules about actions and state share: how a key, a refusal or a list is called.

use super::Context;
use super::helpers::fix;
use crate::change::Change;
use crate::findings::{Fix, Safety};
use crate::relations::side;
use crate::schema::{Action, Engine, ForeignKey, Table, TableName};
use crate::text::argument;

/// Calls a key by its name, or by its columns where it has none: `` `orders_fk` ``, `on orders.customer_id`.
pub(super) fn key_name(child: &TableName, key: &ForeignKey) -> String {
    match &key.name {
        Some(name) => format!("`{name}`"),
        None => format!("on `{}`", side(child, &key.columns)),
    }
}

/// Writes the place of a key for a label: its name, else its columns.
pub(super) fn key_place(child: &TableName, key: &ForeignKey) -> String {
    key.name.clone().unwrap_or_else(|| side(child, &key.columns))
}

/// Writes `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Writes `1 row`, `2 rows`.
pub(super) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}

/// Writes the way that a delete takes from a table: `users -> posts.user_id -> comments.post_id`.
pub(super) fn way(context: &Context<'_>, root: &TableName, relations: &[usize]) -> String {
    let sides = relations.iter().map(|&r| context.relations.relations()[r].child_side());
    std::iter::once(root.to_string()).chain(sides).collect::<Vec<_>>().join(" -> ")
}

/// Writes the command that shows what a delete from a table comes to.
pub(super) fn fate_command(root: &TableName, options: &str) -> String {
    let name = root.to_string();
    // After two dashes nothing is an option.
    match name.starts_with('-') {
        true => format!("`referee fate SOURCE{options} -- {}`", argument(&name)),
        false => format!("`referee fate SOURCE {}{options}`", argument(&name)),
    }
}

/// Writes the command that plans the smallest fix of a delete from a table.
pub(super) fn fix_command(root: &TableName) -> String {
    format!("referee fix SOURCE --root={}", argument(&root.to_string()))
}

/// Makes the change that gives a key another action on delete; the list of changed columns is dropped with the old one.
pub(super) fn with_on_delete(child: &TableName, key: &ForeignKey, action: Action) -> Change {
    let written = key.on_delete_written.map(|_| true);
    let new = ForeignKey { on_delete: action, set_columns: Vec::new(), on_delete_written: written, ..key.clone() };
    Change::ReplaceForeignKey { table: child.clone(), old: key.clone(), new }
}

/// Makes the change that gives a key another action on update.
pub(super) fn with_on_update(child: &TableName, key: &ForeignKey, action: Action) -> Change {
    let new = ForeignKey { on_update: action, ..key.clone() };
    Change::ReplaceForeignKey { table: child.clone(), old: key.clone(), new }
}

/// Tells whether `ON DELETE` or `ON UPDATE` with this action would work on these columns, as far as NULL and defaults go.
pub(super) fn fits(child: &Table, columns: &[String], action: Action) -> bool {
    let can_be_null = |c: &String| child.is_nullable(c) && !child.in_primary_key(c);
    match action {
        Action::SetNull => columns.iter().all(can_be_null),
        Action::SetDefault => columns.iter().all(|c| child.column(c).is_some_and(|c| c.default.is_some())),
        Action::NoAction | Action::Restrict | Action::Cascade => true,
    }
}

/// Makes the fixes by which a key blocks no delete any more, what destroys least first: the row stays where its reference can be
/// NULL; that it goes with its parent is for a person to decide.
pub(super) fn unblocking(context: &Context<'_>, child: &TableName, key: &ForeignKey) -> Vec<Fix> {
    let survives = context.schema.table(child).is_some_and(|t| fits(t, &key.columns, Action::SetNull));
    let actions = [Action::SetNull, Action::Cascade].into_iter().filter(|a| *a == Action::Cascade || survives);
    let one = |action: Action| {
        let title = format!("Make {} ON DELETE {action}", key_name(child, key));
        fix(context, title, Safety::Manual, vec![with_on_delete(child, key, action)])
    };
    actions.map(one).collect()
}

/// What an engine says when a NULL meets NOT NULL while it runs; `None` for engines that refuse the declaration before.
pub(super) fn not_null_error(engine: Engine, child: &TableName, column: &str) -> Option<String> {
    engine.facts().errors.not_null.map(|say| say(&child.name, column))
}

/// What an engine says when a child row is written whose parent does not exist.
pub(super) fn no_parent_error(engine: Engine, child: &TableName, key: &ForeignKey) -> String {
    (engine.facts().errors.no_parent)(&child.name, key.name.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_people_write_them() {
        let words = |n: usize| ["a", "b", "c"][..n].iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            [list(&words(0)), list(&words(1)), list(&words(2)), list(&words(3))],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}
