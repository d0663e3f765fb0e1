//! Two schemas side by side: one that was read from text, one that an engine told.
//!
//! What text cannot tell is taken off both first: estimates and versions; how an engine writes an expression anew (casts,
//! parentheses, case); and what only text tells, whether ON DELETE is written out.

use std::fmt::Write;

use referee::change::diff;
use referee::schema::{Action, Column, Engine, Family, ForeignKey, IndexOrigin, Schema, Table};

/// Writes an expression in one way: without casts, parentheses and white space, in lower case.
fn plain(text: &mut String) {
    without_casts(text);
    let mut out = String::new();
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] == ':' && chars.get(at + 1) == Some(&':') {
            at += 2;
            // The type's name: words, blanks between them, brackets, dots; not AND or OR.
            while at < chars.len() && (chars[at].is_alphanumeric() || matches!(chars[at], '_' | '.' | '"')) {
                at += 1;
            }
            while chars.get(at) == Some(&'[') && chars.get(at + 1) == Some(&']') {
                at += 2;
            }
            for two in [" varying", " without time zone", " with time zone", " precision"] {
                let rest: String = chars[at..].iter().take(two.len()).collect();
                if rest == two {
                    at += two.len();
                }
            }
            continue;
        }
        if !matches!(chars[at], '(' | ')' | ' ' | '\n' | '\t' | '\r') {
            out.push(chars[at]);
        }
        at += 1;
    }
    // Names in quotes, and the literals of numbers.
    out.retain(|c| c != '"');
    *text = out.replace("!=", "<>");
}

/// Writes `CAST(x AS type)` as `x`, as the other way to write a cast is.
fn without_casts(text: &mut String) {
    let lower = text.to_ascii_lowercase();
    let Some(start) = lower.rfind("cast(") else { return };
    let (mut depth, mut middle) = (0usize, None);
    for (at, character) in lower[start + 4..].char_indices().map(|(at, c)| (at + start + 4, c)) {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 1 && lower[at..].starts_with(" as ") => middle = Some(at),
            _ => {}
        }
        if depth == 0 {
            let Some(middle) = middle else { return };
            *text = format!("{}{}{}", &text[..start], &text[start + 5..middle], &text[at + 1..]);
            return without_casts(text);
        }
    }
}

/// Writes a default as PostgreSQL keeps it: `'f'` of a boolean is `false`; how it prints times and documents is left out.
fn plain_default(column: &mut Column) {
    let Some(text) = &mut column.default else { return };
    plain(text);
    let Some(literal) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) else { return };
    let kept = match (column.data_type.family, literal) {
        (Family::Boolean, "f" | "false" | "0") => "false",
        (Family::Boolean, "t" | "true" | "1") => "true",
        (Family::Date | Family::Time | Family::Timestamp | Family::Interval | Family::Json, _) => "a literal",
        (Family::Integer | Family::Decimal | Family::Float, number) => number,
        _ => return,
    };
    *text = kept.to_string();
}

/// Writes a condition as PostgreSQL keeps it: `IN` is `= ANY (ARRAY[…])`; one that it takes apart is not compared.
fn plain_condition(text: &mut String) {
    let before = text.to_lowercase();
    plain(text);
    if before.contains(" between ")
        || before.contains(" in (")
        || before.contains("any (array[")
        || before.contains(">=")
    {
        *text = "a condition".to_string();
    }
}

/// Takes off what text and engine cannot agree on.
pub fn comparable(mut schema: Schema) -> Schema {
    schema.version = None;
    let engine = schema.engine;
    for table in &mut schema.tables {
        table.row_estimate = None;
        match engine {
            Engine::Mysql | Engine::Mariadb => mysql(table),
            Engine::Postgres | Engine::Cockroach => postgres(table),
            Engine::Sqlite => {
                // A rename has SQLite quote the name in expressions if it was quoted there.
                let unquoted = |text: &mut String| text.retain(|c| c != '"');
                table.checks.iter_mut().for_each(|c| unquoted(&mut c.expression));
                for index in &mut table.indexes {
                    index.predicate.iter_mut().for_each(unquoted);
                    index.parts.iter_mut().filter_map(|p| p.expression.as_mut()).for_each(unquoted);
                }
            }
        }
    }
    schema.sort();
    schema
}

fn postgres(table: &mut Table) {
    for key in &mut table.foreign_keys {
        key.on_delete_written = None;
    }
    for column in &mut table.columns {
        plain_default(column);
        column.generated.iter_mut().for_each(|g| plain(&mut g.expression));
    }
    table.checks.iter_mut().for_each(|c| plain_condition(&mut c.expression));
    for index in &mut table.indexes {
        index.predicate.iter_mut().for_each(plain);
        index.parts.iter_mut().filter_map(|p| p.expression.as_mut()).for_each(plain);
    }
}

/// MariaDB keeps most things in words of its own.
fn mysql(table: &mut Table) {
    let quoted = |text: &mut String| {
        plain(text);
        // It writes all names of columns in backticks, and calls with parentheses.
        text.retain(|c| c != '`' && c != '"');
        if let Some(literal) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''))
            && literal.parse::<f64>().is_ok()
        {
            // DEFAULT '0' of a number is kept as 0.
            *text = literal.to_string();
        }
        for (word, kept) in [("now", "current_timestamp"), ("true", "1"), ("false", "0")] {
            if text == word {
                *text = kept.to_string();
            }
        }
    };
    for column in &mut table.columns {
        // The width that is only for show (int(11)), other spellings of a type; charsets of the server.
        let data_type = &mut column.data_type;
        data_type.raw.clear();
        data_type.labels.clear();
        if data_type.base.starts_with("int")
            || matches!(data_type.base.as_str(), "enum" | "set" | "float4" | "float8" | "year")
        {
            data_type.arguments.clear();
        }
        match data_type.base.as_str() {
            "bool" => *data_type = referee::schema::DataType::parse(Engine::Mariadb, "tinyint"),
            "numeric" if data_type.arguments.is_empty() => data_type.arguments = vec![10, 0],
            "numeric" if data_type.arguments.len() == 1 => data_type.arguments.push(0),
            "char" if data_type.arguments.is_empty() => data_type.arguments = vec![1],
            _ => {}
        }
        data_type.raw.clear();
        column.collation = None;
        if let Some(text) = &mut column.default
            && text.starts_with('"')
        {
            *text = text.replace('"', "'");
        }
        column.default.iter_mut().for_each(quoted);
        // A column without default has the default NULL.
        column.default.take_if(|d| d == "null");
        column.generated.iter_mut().for_each(|g| quoted(&mut g.expression));
    }
    for check in &mut table.checks {
        quoted(&mut check.expression);
    }
    for key in &mut table.foreign_keys {
        key.on_delete_written = None;
        // RESTRICT and NO ACTION are one to InnoDB; SET DEFAULT becomes it in silence (measured on 10.11).
        for action in [&mut key.on_delete, &mut key.on_update] {
            if action.refuses() || *action == Action::SetDefault {
                *action = Action::Restrict;
            }
        }
    }
    // A unique constraint and a unique index are one thing, and which statement made an index the catalog does not tell.
    table.unique_keys.clear();
    for index in &mut table.indexes {
        if index.origin != IndexOrigin::PrimaryKey {
            index.origin = if index.unique { IndexOrigin::Constraint } else { IndexOrigin::User };
        }
        if index.method == "hash" {
            // InnoDB makes a B-tree of it (manual, CREATE INDEX).
            index.method = "btree".to_string();
        }
    }
}

/// Numbers the keys that are in both anew, so that one key that is in one only does not shift all others.
pub fn rank_common(left: &mut Schema, right: &mut Schema) {
    let id =
        |table: &Table, key: &ForeignKey| format!("{} {:?} {:?} {}", table.name, key.name, key.columns, key.parent);
    let all = |schema: &Schema| -> Vec<(u32, String)> {
        let mut all: Vec<_> = schema.foreign_keys().map(|(t, k)| (k.firing_order, id(t, k))).collect();
        all.sort();
        all
    };
    let (of_left, of_right) = (all(left), all(right));
    for (schema, own, other) in [(left, &of_left, &of_right), (right, &of_right, &of_left)] {
        let common: Vec<&String> =
            own.iter().map(|(_, id)| id).filter(|i| other.iter().any(|(_, o)| o == *i)).collect();
        for table in &mut schema.tables {
            let ids: Vec<String> = table.foreign_keys.iter().map(|k| id(table, k)).collect();
            for (key, id) in table.foreign_keys.iter_mut().zip(ids) {
                let at = common.iter().position(|c| **c == id);
                key.firing_order = at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
            }
        }
    }
}

/// Tells where two schemas differ: the changes that would make the files' schema the engine's, one a line.
pub fn difference(left: &Schema, right: &Schema) -> String {
    let mut text = String::new();
    for change in diff(left, right) {
        writeln!(text, "{}: {}", change.table(), serde_json::to_string(&change).unwrap()).unwrap();
    }
    text
}

/// How much of two schemas is the same: (agree, all).
pub struct Agreement {
    /// Tables that are the same in everything.
    pub tables: (usize, usize),
    /// Tables whose names are in both.
    pub names: (usize, usize),
    /// Columns with their types, nullability and defaults.
    pub columns: (usize, usize),
    /// Foreign keys, their place in the firing order apart.
    pub keys: (usize, usize),
    /// Indexes.
    pub indexes: (usize, usize),
}

/// Counts what two comparable schemas agree on.
pub fn agreement(left: &Schema, right: &Schema) -> Agreement {
    let names = |schema: &Schema| -> Vec<String> { schema.tables.iter().map(|t| t.name.to_string()).collect() };
    let whole =
        |schema: &Schema| -> Vec<String> { schema.tables.iter().map(|t| serde_json::to_string(t).unwrap()).collect() };
    let columns = |schema: &Schema| -> Vec<String> {
        let all = schema.tables.iter().flat_map(|t| t.columns.iter().map(move |c| (t, c)));
        all.map(|(t, c)| format!("{} {}", t.name, serde_json::to_value(c).unwrap())).collect()
    };
    let keys = |schema: &Schema| -> Vec<String> {
        let all = schema.foreign_keys().map(|(t, k)| (t, ForeignKey { firing_order: 0, ..k.clone() }));
        all.map(|(t, k)| format!("{} {}", t.name, serde_json::to_value(k).unwrap())).collect()
    };
    let indexes = |schema: &Schema| -> Vec<String> {
        let all = schema.tables.iter().flat_map(|t| t.indexes.iter().map(move |i| (t, i)));
        all.map(|(t, i)| format!("{} {}", t.name, serde_json::to_value(i).unwrap())).collect()
    };
    let count = |of: &dyn Fn(&Schema) -> Vec<String>| {
        let (left, mut right) = (of(left), of(right));
        let all = right.len();
        let mut same = 0;
        let mut only_left = 0;
        for one in left {
            match right.iter().position(|r| *r == one) {
                Some(at) => {
                    right.swap_remove(at);
                    same += 1;
                }
                None => only_left += 1,
            }
        }
        // What is in both but differs counts once, what only the files have counts, too.
        (same, all + usize::saturating_sub(only_left, right.len()))
    };
    Agreement {
        tables: count(&whole),
        names: count(&names),
        columns: count(&columns),
        keys: count(&keys),
        indexes: count(&indexes),
    }
}
