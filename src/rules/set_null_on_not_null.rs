//! `set-null-on-not-null`: a key that must set NULL where NULL cannot be.

use super::helpers::{fix, working_keys};
use super::wording::{key_name, key_place, list, no_parent_error, not_null_error, with_on_delete, with_on_update};
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::relations::{can_become_nullable, side};
use crate::schema::{Action, Engine, ForeignKey, Match, Table, TableKind};

pub(crate) static META: Meta = Meta {
    code: "REF201",
    name: "set-null-on-not-null",
    severity: Severity::Error,
    summary: "A foreign key says SET NULL, but its column cannot be NULL",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/set-null-on-not-null.md"),
};

/// What stands against NULL in a column that a key would set NULL.
enum Obstacle<'a> {
    NotNull(&'a str),
    /// In the primary key, which implies NOT NULL.
    PrimaryKey(&'a str),
    /// SQLite, rowid table: the primary key accepts the NULL ("CREATE TABLE", 3.5: kept for compatibility).
    LoosePrimaryKey(&'a str),
    /// SQLite: `INTEGER PRIMARY KEY` is the rowid, which is always an integer.
    Rowid(&'a str),
    Check(&'a str, Option<&'a str>),
    /// SQLite: the UPDATE of a generated column does not even compile.
    Generated(&'a str),
    /// `SET NULL (some columns)` leaves a half NULL reference, which MATCH FULL forbids.
    MatchFull,
}

impl Obstacle<'_> {
    fn column(&self) -> Option<&str> {
        match self {
            Self::NotNull(c)
            | Self::PrimaryKey(c)
            | Self::LoosePrimaryKey(c)
            | Self::Rowid(c)
            | Self::Check(c, _)
            | Self::Generated(c) => Some(c),
            Self::MatchFull => None,
        }
    }

    fn fact(&self) -> Fact {
        match self {
            Self::NotNull(_) => Fact::NotNull,
            Self::PrimaryKey(_) | Self::LoosePrimaryKey(_) => Fact::PrimaryKey,
            Self::Rowid(_) | Self::Check(..) | Self::Generated(_) | Self::MatchFull => Fact::Other,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::NotNull(_) => "NOT NULL".to_string(),
            Self::PrimaryKey(_) => "PRIMARY KEY, which implies NOT NULL".to_string(),
            Self::LoosePrimaryKey(_) => "PRIMARY KEY of a rowid table, which accepts NULL".to_string(),
            Self::Rowid(_) => "INTEGER PRIMARY KEY, the rowid".to_string(),
            Self::Check(c, Some(name)) => format!("CHECK `{name}`: {c} IS NOT NULL"),
            Self::Check(c, None) => format!("CHECK ({c} IS NOT NULL)"),
            Self::Generated(_) => "a generated column, which nothing can set".to_string(),
            Self::MatchFull => "MATCH FULL: all columns NULL, or none".to_string(),
        }
    }
}

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (table, key) in working_keys(context.schema) {
        for on_delete in [true, false] {
            let action = if on_delete { key.on_delete } else { key.on_update };
            if action == Action::SetNull {
                let obstacles = obstacles(context.schema.engine, table, key, on_delete);
                if !obstacles.is_empty() {
                    findings.push(finding(context, table, key, on_delete, &obstacles));
                } else if on_delete {
                    findings.extend(in_partitions(context, table, key));
                }
            }
        }
    }
}

/// PostgreSQL: finds the partitions that do not accept the NULL that the whole table accepts.
fn in_partitions(context: &Context<'_>, table: &Table, key: &ForeignKey) -> Vec<Finding> {
    let engine = context.schema.engine;
    let (child, parent) = (&table.name, &key.parent);
    let parts = context.schema.parts(child).into_iter().filter(|part| part.name != *child);
    let found = parts.filter_map(|part| {
        let obstacles = obstacles(engine, part, key, true);
        let column = obstacles.first()?.column()?;
        let message = format!(
            "Foreign key {} says ON DELETE SET NULL, but `{}.{column}`, in a partition of `{child}`, cannot be NULL",
            key_name(child, key),
            part.name
        );
        let fact = obstacles.first().map_or(Fact::Other, Obstacle::fact);
        let words = obstacles.first().map(Obstacle::words).unwrap_or_default();
        Some(
            Finding::new(&META, Subject::foreign_key(child, key), message)
                .contradiction()
                .distinguished_by(&part.name.to_string())
                .why(consequence(engine, part, key, true, &obstacles))
                .help(format!(
                    "Let the partition accept NULL (`ALTER TABLE {} ALTER COLUMN {column} DROP NOT NULL`), or protect `{parent}` with \
                     ON DELETE NO ACTION or RESTRICT.",
                    part.name
                ))
                .fact(format!("{}.{column}", part.name), fact, words)
                .fact(key_place(child, key), Fact::OnDelete, "ON DELETE SET NULL"),
        )
    });
    found.collect()
}

/// Tells whether this rule reports the key's action on delete.
pub(super) fn is_contradiction(engine: Engine, table: &Table, key: &ForeignKey) -> bool {
    key.on_delete == Action::SetNull && !obstacles(engine, table, key, true).is_empty()
}

fn obstacles<'a>(engine: Engine, table: &'a Table, key: &'a ForeignKey, on_delete: bool) -> Vec<Obstacle<'a>> {
    let changed = if on_delete { key.changed_columns() } else { &key.columns };
    let facts = engine.facts();
    let mut found = Vec::new();
    for name in changed {
        let Some(column) = table.column(name) else { continue };
        let in_key = table.in_primary_key(name);
        if facts.keys.writes_generated && column.generated.is_some() {
            found.push(Obstacle::Generated(name));
        } else if facts.types.rowid && in_key && column.auto_number {
            found.push(Obstacle::Rowid(name));
        } else if in_key && facts.types.nullable_primary_key && column.nullable && !table.without_rowid && !table.strict {
            found.push(Obstacle::LoosePrimaryKey(name));
        } else if in_key {
            found.push(Obstacle::PrimaryKey(name));
        } else if !column.nullable {
            found.push(Obstacle::NotNull(name));
        } else if let Some(check) = table.checks.iter().find(|c| forbids_null(&c.expression, name)) {
            found.push(Obstacle::Check(name, check.name.as_deref()));
        }
    }
    if on_delete && facts.keys.is_full(key) && !key.set_columns.is_empty() && key.set_columns.len() < key.columns.len() {
        found.push(Obstacle::MatchFull);
    }
    found
}

fn finding(context: &Context<'_>, table: &Table, key: &ForeignKey, on_delete: bool, found: &[Obstacle<'_>]) -> Finding {
    let engine = context.schema.engine;
    let event = if on_delete { "DELETE" } else { "UPDATE" };
    let (child, parent) = (&table.name, &key.parent);
    let only_loose = found.iter().all(|o| matches!(o, Obstacle::LoosePrimaryKey(_)));
    let columns: Vec<String> = found.iter().filter_map(|o| o.column().map(|c| format!("`{child}.{c}`"))).collect();
    let name = key_name(child, key);
    let message = match found {
        [Obstacle::MatchFull] => format!(
            "Foreign key {name} is MATCH FULL, but its ON DELETE SET NULL ({}) leaves the other columns as they are",
            key.set_columns.join(", ")
        ),
        _ if only_loose => {
            format!("Foreign key {name} says ON {event} SET NULL and puts NULL into the primary key, {}", list(&columns))
        }
        _ => format!("Foreign key {name} says ON {event} SET NULL, but {} cannot be NULL", list(&columns)),
    };

    let mut finding = Finding::new(&META, Subject::foreign_key(child, key), message).contradiction();
    if !on_delete {
        finding = finding.distinguished_by("on update");
    }
    if !key.enforced {
        finding = finding.severity(Severity::Warning);
    }
    for obstacle in found {
        let place = obstacle.column().map_or_else(|| key_place(child, key), |c| format!("{child}.{c}"));
        finding = finding.fact(place, obstacle.fact(), obstacle.words());
    }
    let set = match key.set_columns.as_slice() {
        [] => String::new(),
        some if on_delete => format!(" ({})", some.join(", ")),
        _ => String::new(),
    };
    let fact = if on_delete { Fact::OnDelete } else { Fact::OnUpdate };
    finding = finding.fact(key_place(child, key), fact, format!("ON {event} SET NULL{set}"));

    let mut why = consequence(engine, table, key, on_delete, found);
    let blocked = |c: &String| found.iter().any(|o| o.column() == Some(c));
    if !only_loose && key.columns.iter().all(|c| blocked(c) || !table.is_nullable(c)) {
        let parts = if key.columns.len() == 1 { "its value" } else { "its values" };
        why.push_str(&format!(
            " And as NULL is no way out, every insert into `{child}` needs a parent that is there: if {parts} \
             name{} no row of `{parent}`, it fails with: {}.",
            if key.columns.len() == 1 { "s" } else { "" },
            no_parent_error(engine, child, key)
        ));
    }
    finding = finding.why(why);
    let (help, fixes) = repairs(context, table, key, on_delete, found, only_loose);
    finding = finding.help(help);
    fixes.into_iter().fold(finding, Finding::fix)
}

/// What happens, with the engine's own words.
fn consequence(engine: Engine, table: &Table, key: &ForeignKey, on_delete: bool, found: &[Obstacle<'_>]) -> String {
    let (child, parent) = (&table.name, &key.parent);
    let act = if on_delete {
        format!("The parent cannot be deleted: a DELETE of a row of `{parent}` that `{child}` refers to")
    } else {
        format!("The parent's key cannot be changed: an UPDATE of it in `{parent}`, where `{child}` refers to it,")
    };
    let facts = engine.facts();
    let checks = found.iter().all(|o| matches!(o, Obstacle::Check(..)));
    let refused = facts.keys.set_null_checked.filter(|_| checks).or(facts.keys.set_null_refused);
    let error = found.iter().find_map(|obstacle| match obstacle {
        Obstacle::NotNull(c) | Obstacle::PrimaryKey(c) => not_null_error(engine, child, c),
        Obstacle::Rowid(_) => Some("datatype mismatch".to_string()),
        Obstacle::Check(column, name) => facts.errors.check.map(|say| say(&child.name, column, *name)),
        Obstacle::MatchFull => Some(format!(
            "{}. MATCH FULL does not allow mixing of null and nonnull key values",
            no_parent_error(engine, child, key)
        )),
        Obstacle::LoosePrimaryKey(_) | Obstacle::Generated(_) => None,
    });
    let generated = found.iter().find_map(|o| if let Obstacle::Generated(c) = o { Some(*c) } else { None });
    match (generated, refused, error) {
        // The statement that carries out the action is compiled with every DELETE, whether rows match or not.
        (Some(column), ..) if on_delete => format!(
            "No row of `{parent}` can be deleted at all, referred to or not: every DELETE fails to compile with: cannot \
             UPDATE generated column \"{column}\"."
        ),
        (Some(column), ..) => {
            format!("Every UPDATE of the parent's key fails to compile with: cannot UPDATE generated column \"{column}\".")
        }
        (None, Some(code), _) => {
            format!("{} refuses such a declaration (error {code}). {act} would fail.", engine.title())
        }
        (None, None, Some(error)) => {
            let moved = facts.errors.no_partition.filter(|_| table.kind == TableKind::Partitioned);
            let moved = moved.map(|say| format!(" (or, if rows are partitioned by that column, with: {})", say(&child.name)));
            format!("{act} always fails with: {error}{}.", moved.unwrap_or_default())
        }
        (None, None, None) => format!(
            "{act} succeeds, and leaves a row of `{child}` whose primary key is NULL: nothing can refer to it, no two such \
             rows can be told apart, and what was one row for each parent is now any number of rows without one."
        ),
    }
}

fn repairs(
    context: &Context<'_>,
    table: &Table,
    key: &ForeignKey,
    on_delete: bool,
    found: &[Obstacle<'_>],
    only_loose: bool,
) -> (String, Vec<crate::findings::Fix>) {
    let (child, parent) = (&table.name, &key.parent);
    let mut fixes = Vec::new();
    let mut help = Vec::new();

    let blocked: Vec<&str> = found.iter().filter_map(Obstacle::column).collect();
    let free: Vec<String> =
        key.changed_columns().iter().filter(|c| !blocked.contains(&c.as_str())).cloned().collect();
    let facts = context.schema.engine.facts();
    let has_column_list = facts.keys.sets_columns(context.schema.version) && key.matching != Match::Full;
    if on_delete && has_column_list && !free.is_empty() && !blocked.is_empty() {
        let free_text = free.join(", ");
        let new = ForeignKey { set_columns: free, ..key.clone() };
        let change = Change::ReplaceForeignKey { table: child.clone(), old: key.clone(), new };
        let title = format!("Set only {free_text} NULL and keep {}", blocked.join(", "));
        fixes.push(fix(context, title, Safety::Unsafe, vec![change]));
        help.push(format!(
            "say ON DELETE SET NULL ({free_text}), which PostgreSQL has since version 15, so that {} stays",
            blocked.join(", ")
        ));
    }

    let (protect, words) = if on_delete {
        (with_on_delete(child, key, Action::NoAction), "ON DELETE NO ACTION")
    } else {
        (with_on_update(child, key, Action::NoAction), "ON UPDATE NO ACTION")
    };
    // What failed before fails after, with a better reason; only the NULL in a primary key was accepted before.
    let safety = if only_loose { Safety::Unsafe } else { Safety::Safe };
    fixes.push(fix(context, format!("Protect the parent: {words}"), safety, vec![protect]));
    help.push(format!("protect the parent with {words}: a row of `{parent}` then stays as long as it is referred to"));

    let droppable: Option<Vec<&str>> =
        found.iter().map(|o| if let Obstacle::NotNull(c) = o { Some(*c) } else { None }).collect();
    let domain = |c: &&str| table.column(c)?.data_type.domain.clone().map(|domain| ((*c).to_string(), domain));
    if let Some(columns) = droppable.as_ref().filter(|all| all.iter().all(|c| can_become_nullable(table, c))) {
        let changes = columns
            .iter()
            .map(|c| Change::SetNullable { table: child.clone(), column: (*c).to_string(), nullable: true })
            .collect();
        let text = columns.join(", ");
        fixes.push(fix(context, format!("Let the child survive: drop NOT NULL from {text}"), Safety::Unsafe, changes));
        help.push(format!(
            "let the child survive without a parent: drop NOT NULL from {}, and have the application expect NULL",
            list(&columns.iter().map(|c| format!("`{}`", side(child, &[(*c).to_string()]))).collect::<Vec<_>>())
        ));
    } else if let Some((column, domain)) = droppable.iter().flatten().find_map(domain) {
        help.push(format!(
            "let the child outlive its parent: `{}` has the domain `{domain}`; let that allow NULL, and the column, by hand",
            side(child, &[column])
        ));
    } else if found.iter().any(|o| matches!(o, Obstacle::Check(..))) {
        help.push("let the child survive without a parent: drop the CHECK that forbids NULL".to_string());
    }
    let mut text = format!("Decide which one is meant. Recommended: {}.", help[0]);
    for other in &help[1..] {
        text.push_str(&format!(" Or {other}."));
    }
    (text, fixes)
}

/// Tells whether a CHECK is false for NULL in a column, as far as that can be read off: one of the conditions that it
/// joins by AND is `column IS NOT NULL`.
fn forbids_null(expression: &str, column: &str) -> bool {
    let text = without_parentheses(expression.trim());
    // A comment, or a construct with an AND of its own, is not read: better no finding than a wrong one.
    if text.contains("--") || text.contains("/*") {
        return false;
    }
    let words = top_level_words(text);
    if words.iter().any(|(word, _)| matches!(word.as_str(), "or" | "case" | "between")) {
        return false;
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for (_, at) in words.iter().filter(|(word, _)| word == "and") {
        parts.push(&text[start..*at]);
        start = at + "and".len();
    }
    if start > 0 {
        parts.push(&text[start..]);
        return parts.iter().any(|part| forbids_null(part, column));
    }
    let Some(last) = words.iter().rev().take(3).next_back() else { return false };
    let tail: Vec<&str> = words.iter().rev().take(3).rev().map(|(w, _)| w.as_str()).collect();
    let subject = match tail.as_slice() {
        ["is", "not", "null"] => &text[..last.1],
        [.., "notnull"] => &text[..words.last().map_or(0, |w| w.1)],
        _ => return false,
    };
    is_identifier(without_parentheses(subject.trim()), column)
}

fn is_identifier(text: &str, column: &str) -> bool {
    let quoted = |open: char, close: char| text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
    match quoted('"', '"').or_else(|| quoted('`', '`')).or_else(|| quoted('[', ']')) {
        Some(inner) => inner.replace("\"\"", "\"") == column,
        None => text.eq_ignore_ascii_case(column),
    }
}

/// Takes away parentheses that enclose the whole text.
fn without_parentheses(mut text: &str) -> &str {
    while let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        let mut depth = 0i32;
        let closes_early = outside_quotes(inner).any(|(_, c)| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth < 0
        });
        if closes_early {
            break;
        }
        text = inner.trim();
    }
    text
}

/// Returns the unquoted words outside parentheses, lower-case, with their byte positions.
fn top_level_words(text: &str) -> Vec<(String, usize)> {
    let mut words: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut end) = (0i32, 0);
    for (at, c) in outside_quotes(text) {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 && (c.is_alphanumeric() || c == '_') {
            match words.last_mut() {
                Some((word, _)) if end == at => word.push(c.to_ascii_lowercase()),
                _ => words.push((c.to_ascii_lowercase().to_string(), at)),
            }
            end = at + c.len_utf8();
        }
    }
    words
}

fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut closing = None;
    text.char_indices().filter(move |(_, c)| match closing {
        Some(end) => {
            if *c == end {
                closing = None;
            }
            false
        }
        None => {
            closing = match c {
                '\'' | '"' | '`' => Some(*c),
                '[' => Some(']'),
                _ => None,
            };
            closing.is_none()
        }
    })
}

#[cfg(test)]
mod tests;
