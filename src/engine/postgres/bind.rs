//! Values in SQL for PostgreSQL, whose simple protocol takes none.
//!
//! The driver asks for every answer of the extended protocol in binary, of any type, which nobody here could read; and what has to be
//! said before a query (`SET LOCAL`) goes in the same request, which only the simple protocol allows. So values become literals, in
//! this one place, as libpq's `PQescapeLiteral` writes them. That is sound because the session speaks UTF-8, a literal cannot hold a
//! NUL, a quote is doubled, and one with a backslash is written `E'…'`, which means the same whatever
//! `standard_conforming_strings` is (manual, 4.1.2.2). `$1` counts only where the lexer finds it outside of strings, names, comments
//! and dollar quotes.

use super::super::{EngineError, EngineErrorKind, Value};
use crate::schema::Engine;
use crate::sql::lexer::{Kind, tokens};

/// Puts values in the places of `$1`, `$2`, …; a place may come twice.
///
/// # Errors
/// There is no value for a place, or no place for a value; a text with a NUL.
pub(super) fn bind(sql: &str, values: &[Value]) -> Result<String, EngineError> {
    if values.is_empty() {
        return Ok(sql.to_string());
    }
    let wrong = |what: String| EngineError::new(EngineErrorKind::Statement, what).sql(sql);
    let mut bound = String::with_capacity(sql.len());
    let mut used = vec![false; values.len()];
    let mut tokens = tokens(Engine::Postgres, sql).into_iter().peekable();
    while let Some(token) = tokens.next() {
        let place = tokens.peek().filter(|next| token.is_punctuation(sql, '$') && next.kind == Kind::Number).copied();
        let Some(place) = place else {
            bound.push_str(token.text(sql));
            continue;
        };
        tokens.next();
        let number = place.text(sql).parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let Some((at, value)) = number.and_then(|at| Some((at, values.get(at)?))) else {
            return Err(wrong(format!("there is no value for ${}", place.text(sql))));
        };
        used[at] = true;
        // Blanks, so that the literal touches neither a word nor a minus before it.
        bound.push(' ');
        bound.push_str(&literal(value).ok_or_else(|| wrong(format!("the value of ${} holds a NUL", at + 1)))?);
        bound.push(' ');
    }
    match used.iter().position(|used| !used) {
        Some(at) => Err(wrong(format!("no place ${} for a value", at + 1))),
        None => Ok(bound),
    }
}

/// Writes a value as a literal; a text is of no type yet, as a parameter would be. `None` for a text with a NUL.
fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "NULL".to_string(),
        Value::Integer(n) if *n >= 0 => n.to_string(),
        Value::Integer(n) => format!("'{n}'::pg_catalog.int8"),
        Value::Real(x) => format!("'{x}'::pg_catalog.float8"),
        Value::Text(text) if text.contains('\0') => return None,
        Value::Text(text) if text.contains('\\') => {
            format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
        }
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("pg_catalog.decode('{hex}', 'hex')")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_string())
    }

    #[test]
    fn places_are_found_by_the_lexer_alone() {
        let sql = "SELECT '$1', \"$1\", $q$ $1 $q$, a$1, E'\\'$1' /* $1 /* $1 */ */ -- $1\n, $1::text, -$2, $1";
        let bound = bind(sql, &[text("it's $2"), Value::Integer(-5)]).unwrap();
        assert_eq!(
            bound,
            "SELECT '$1', \"$1\", $q$ $1 $q$, a$1, E'\\'$1' /* $1 /* $1 */ */ -- $1\n,  'it''s $2' ::text, - '-5'::pg_catalog.int8 ,  \
             'it''s $2' "
        );
    }

    #[test]
    fn a_value_without_a_place_and_a_place_without_a_value_are_errors() {
        let said = |sql: &str, values: &[Value]| bind(sql, values).unwrap_err().message;
        assert_eq!(said("SELECT $2", &[text("a")]), "there is no value for $2");
        assert_eq!(said("SELECT $0", &[text("a")]), "there is no value for $0");
        assert_eq!(said("SELECT '$1'", &[text("a")]), "no place $1 for a value");
        assert_eq!(said("SELECT $1", &[text("a\0b")]), "the value of $1 holds a NUL");
        assert_eq!(bind("PREPARE x AS SELECT $1", &[]).unwrap(), "PREPARE x AS SELECT $1");
    }
}
