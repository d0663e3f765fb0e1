//! Columns and tables in the expressions of checks, indexes and generated columns: found, renamed, and told from strings.
//!
//! Expressions are text to a schema; here they are read as tokens, no further.

use crate::schema::{Engine, Index, Schema, Table};
use crate::sql::lexer::{self, Kind, Token};

/// Tells whether a token names this column: not a string, not what stands before a dot, not a function.
fn is_column(engine: Engine, text: &str, token: Token, next: Option<&Token>, column: &str) -> bool {
    let Some(name) = token.name(text).filter(|_| matches!(token.kind, Kind::Word | Kind::QuotedName)) else {
        return false;
    };
    // PostgreSQL folds what stands without quotes; the others compare without regard to case.
    let same = match token.kind {
        _ if engine.facts().names.ignore_case => name.eq_ignore_ascii_case(column),
        Kind::Word => name.to_ascii_lowercase() == column,
        _ => name == column,
    };
    same && !next.is_some_and(|t| t.is_punctuation(text, '.') || t.is_punctuation(text, '('))
}

/// Tells whether an expression names a column.
pub(super) fn mention(engine: Engine, text: &str, column: &str) -> bool {
    let tokens = lexer::significant(engine, text);
    tokens.iter().enumerate().any(|(i, t)| is_column(engine, text, *t, tokens.get(i + 1), column))
}

/// Tells whether an index names a column, by itself or in an expression.
pub(super) fn index_mentions(engine: Engine, index: &Index, column: &str) -> bool {
    index.parts.iter().any(|p| match (&p.column, &p.expression) {
        (Some(name), _) => name == column,
        (None, Some(text)) => mention(engine, text, column),
        (None, None) => false,
    }) || index.included.iter().any(|c| c == column)
        || index.predicate.as_deref().is_some_and(|p| mention(engine, p, column))
}

/// Iterates over a table's expressions; defaults are none of them.
pub(super) fn all(table: &mut Table) -> impl Iterator<Item = &mut String> {
    let checks = table.checks.iter_mut().map(|c| &mut c.expression);
    let generated = table.columns.iter_mut().filter_map(|c| c.generated.as_mut()).map(|g| &mut g.expression);
    let indexes = table
        .indexes
        .iter_mut()
        .flat_map(|i| i.predicate.iter_mut().chain(i.parts.iter_mut().filter_map(|p| p.expression.as_mut())));
    checks.chain(generated).chain(indexes)
}

/// Writes an expression anew, token by token; what `write` gives nothing for stays.
fn rewritten(engine: Engine, text: &mut String, write: impl Fn(&str, Token, Option<&Token>) -> Option<String>) {
    let tokens = lexer::tokens(engine, text);
    let mut made = String::with_capacity(text.len());
    let mut changed = false;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1..).and_then(|rest| rest.iter().find(|t| t.is_significant()));
        let written = write(text, *token, next);
        changed |= written.is_some();
        made.push_str(written.as_deref().unwrap_or(token.text(text)));
    }
    if changed {
        *text = made;
    }
}

/// Writes a name in the place of a token: in quotes if it was, or has to be.
fn in_place(engine: Engine, text: &str, token: Token, name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if token.kind == Kind::Word && plain {
        return name.to_string();
    }
    let quote = if token.text(text).starts_with('`') { '`' } else { engine.facts().names.quote };
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

/// Writes another name for a column.
pub(super) fn rename_column(engine: Engine, text: &mut String, column: &str, to: &str) {
    rewritten(engine, text, |text, token, next| {
        is_column(engine, text, token, next, column).then(|| in_place(engine, text, token, to))
    });
}

/// Writes another name before the dots of an expression of SQLite's.
pub(super) fn rename_qualifier(text: &mut String, table: &str, to: &str) {
    rewritten(Engine::Sqlite, text, |text, token, next| {
        let named = matches!(token.kind, Kind::Word | Kind::QuotedName)
            && token.name(text).is_some_and(|n| n.eq_ignore_ascii_case(table));
        (named && next.is_some_and(|t| t.is_punctuation(text, '.'))).then(|| in_place(Engine::Sqlite, text, token, to))
    });
}

/// Writes what stands in double quotes and names no column as the string that it is, in all expressions of a schema of
/// SQLite's: so does SQLite before it renames or drops a column of any table (alter.c, `renameFixQuotes`).
pub(super) fn fix_quotes(schema: &mut Schema) {
    for table in &mut schema.tables {
        if !all(table).any(|text| text.contains('"')) {
            continue;
        }
        let mut columns: Vec<String> = table.columns.iter().map(|c| c.name.to_ascii_lowercase()).collect();
        columns.extend(["rowid", "oid", "_rowid_"].map(str::to_string));
        for text in all(table) {
            rewritten(Engine::Sqlite, text, |text, token, next| {
                let name = token.name(text).filter(|_| token.text(text).starts_with('"'))?;
                let qualifies = next.is_some_and(|t| t.is_punctuation(text, '.') || t.is_punctuation(text, '('));
                let qualified = text.get(..token.start).is_some_and(|t| t.trim_end().ends_with('.'));
                let is_string = !qualifies && !qualified && !columns.contains(&name.to_ascii_lowercase());
                is_string.then(|| format!("'{}'", name.replace('\'', "''")))
            });
        }
    }
}

/// Has the parts of indexes that were strings in double quotes be the column of that name that there is now. SQLite reads
/// an index's text anew whenever it reads the schema ("Quirks", 8).
pub(super) fn strings_to_columns(table: &mut Table, column: &str) {
    let own = table.column(column).and_then(|c| c.collation.as_ref()).map(|c| c.name.clone());
    let own = own.as_deref().unwrap_or("BINARY");
    for part in table.indexes.iter_mut().flat_map(|i| &mut i.parts) {
        let tokens = part.expression.as_deref().map(|t| lexer::significant(Engine::Sqlite, t)).unwrap_or_default();
        let ([token], Some(text)) = (tokens.as_slice(), &part.expression) else { continue };
        if is_column(Engine::Sqlite, text, *token, None, column) {
            part.column = Some(column.to_string());
            part.expression = None;
            part.collation = part.collation.take().filter(|c| !c.eq_ignore_ascii_case(own));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_from_strings_qualifiers_and_functions() {
        assert!(mention(Engine::Postgres, "STATUS > 0", "status"));
        assert!(!mention(Engine::Postgres, "\"STATUS\" > 0", "status"));
        assert!(!mention(Engine::Postgres, "status > 0", "STATUS"));
        assert!(mention(Engine::Sqlite, "\"STATUS\" > 0", "status"));
        assert!(!mention(Engine::Postgres, "kind <> 'status' AND status.kind > 0 AND status(kind)", "status"));
    }

    #[test]
    fn a_renamed_column_keeps_its_kind_of_quotes() {
        let renamed = |engine, text: &str, to| {
            let mut text = text.to_string();
            rename_column(engine, &mut text, "k", to);
            text
        };
        assert_eq!(renamed(Engine::Sqlite, "lower(t.K) <> 'k' AND \"k\" > [k]", "kk"), {
            "lower(t.kk) <> 'k' AND \"kk\" > \"kk\""
        });
        assert_eq!(renamed(Engine::Mysql, "`k` > k", "a`b"), "`a``b` > `a``b`");
        assert_eq!(renamed(Engine::Postgres, "k > 0", "my k"), "\"my k\" > 0");
    }
}
