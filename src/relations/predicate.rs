//! Whether the look-up `column = value` proves the condition of a partial index.
//!
//! Reads only what a planner proves: `IS NOT NULL` of a column of the look-up (an equality is never true of NULL), and
//! what `AND`, `OR` and parentheses make of it. Everything else counts as not proven.

use crate::schema::{Column, Engine, Table};

/// Tells whether an equality on each of `columns` implies the condition.
pub(super) fn is_implied(engine: Engine, condition: &str, columns: &[String]) -> bool {
    let Some(tokens) = tokens(condition) else { return false };
    implied(engine, &tokens, columns)
}

/// Tells whether a column accepts NULL once NOT NULL is dropped from it: it is no key's, the table works it out for no row, and
/// nothing else forbids NULL. A domain may; which of the two says NOT NULL is not known, so it is left to a person.
pub fn can_become_nullable(table: &Table, column: &str) -> bool {
    let plain = |c: &Column| c.generated.is_none() && !c.auto_number && c.data_type.domain.is_none();
    table.column(column).is_some_and(plain)
        && !table.in_primary_key(column)
        && !table.checks.iter().any(|check| forbids_null(&check.expression, column))
}

/// Tells whether a CHECK accepts no NULL in a column: it says so of the column alone, in a term joined to others by AND, or in each
/// of several joined by OR. What only compares the column is not false of NULL.
pub fn forbids_null(expression: &str, column: &str) -> bool {
    let column = [column.to_string()];
    tokens(expression).is_some_and(|tokens| forbidden(&tokens, &column))
}

fn forbidden(tokens: &[Token], column: &[String]) -> bool {
    let tokens = without_parentheses(tokens);
    // The AND and OR between CASE and END belong to its parts.
    if tokens.iter().any(|t| t.is("case")) {
        return false;
    }
    let arms = split(tokens, "or");
    if arms.len() > 1 {
        return arms.iter().all(|arm| forbidden(arm, column));
    }
    let terms = terms(tokens);
    if terms.len() > 1 {
        return terms.iter().any(|term| forbidden(term, column));
    }
    match tokens {
        [not, rest @ ..] if not.is("not") => match without_parentheses(rest) {
            [name @ .., is, null] if is.is("is") && null.is("null") => is_column(name, column),
            [name @ .., isnull] if isnull.is("isnull") => is_column(name, column),
            _ => false,
        },
        [name @ .., is, not, null] if is.is("is") && not.is("not") && null.is("null") => is_column(name, column),
        [name @ .., not, null] if not.is("not") && null.is("null") => is_column(name, column),
        [name @ .., notnull] if notnull.is("notnull") => is_column(name, column),
        _ => false,
    }
}

/// Splits at each AND but that of BETWEEN.
fn terms(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut between) = (0i32, 0u32);
    tokens
        .split(|t| {
            match t {
                Token::Other('(') => depth += 1,
                Token::Other(')') => depth -= 1,
                t if depth == 0 && t.is("between") => between += 1,
                t if depth == 0 && t.is("and") && between > 0 => {
                    between -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0 && t.is("and")
        })
        .collect()
}

/// Tells whether an SQL expression names a column.
pub fn names(expression: &str, column: &str) -> bool {
    tokens(expression).unwrap_or_default().iter().any(|t| match t {
        Token::Word(w) => w.eq_ignore_ascii_case(column),
        Token::Quoted(w) => w == column,
        Token::Other(_) => false,
    })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Other(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(w) if w.eq_ignore_ascii_case(word))
    }
}

/// Splits into words, quoted names and single characters; a string literal is one token that no rule reads. `None` if a
/// quote is not closed.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '\'' | '"' | '`' | '[' => {
                let close = if c == '[' { ']' } else { c };
                let mut body = String::new();
                loop {
                    let next = chars.next()?;
                    if next != close {
                        body.push(next);
                    } else if close != ']' && chars.peek() == Some(&close) {
                        chars.next();
                        body.push(close);
                    } else {
                        break;
                    }
                }
                tokens.push(if c == '\'' { Token::Other('\'') } else { Token::Quoted(body) });
            }
            _ if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(&next) = chars.peek() {
                    if !(next.is_alphanumeric() || next == '_' || next == '$') {
                        break;
                    }
                    word.push(next);
                    chars.next();
                }
                tokens.push(Token::Word(word));
            }
            _ => tokens.push(Token::Other(c)),
        }
    }
    Some(tokens)
}

fn implied(engine: Engine, tokens: &[Token], columns: &[String]) -> bool {
    let tokens = without_parentheses(tokens);
    // OR binds looser than AND, which binds looser than NOT. `BETWEEN x AND y` falls apart into pieces that prove nothing.
    let arms = split(tokens, "or");
    if arms.len() > 1 {
        return arms.iter().any(|arm| implied(engine, arm, columns));
    }
    let terms = split(tokens, "and");
    if terms.len() > 1 {
        return terms.iter().all(|term| implied(engine, term, columns));
    }
    let postgres = matches!(engine, Engine::Postgres | Engine::Cockroach);
    match tokens {
        [word] if word.is("true") => postgres,
        [not, rest @ ..] if not.is("not") => match without_parentheses(rest) {
            [name @ .., is, null] if is.is("is") && null.is("null") => postgres && is_column(name, columns),
            _ => false,
        },
        [name @ .., is, not, null] if is.is("is") && not.is("not") && null.is("null") => is_column(name, columns),
        // SQLite, "Expressions": `x NOT NULL` and `x NOTNULL` are `x IS NOT NULL`.
        [name @ .., not, null] if not.is("not") && null.is("null") => is_column(name, columns),
        [name @ .., notnull] if notnull.is("notnull") => is_column(name, columns),
        _ => false,
    }
}

fn is_column(tokens: &[Token], columns: &[String]) -> bool {
    match without_parentheses(tokens) {
        [Token::Word(word)] => columns.iter().any(|c| c.eq_ignore_ascii_case(word)),
        [Token::Quoted(name)] => columns.contains(name),
        _ => false,
    }
}

fn without_parentheses(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Other('('), inner @ .., Token::Other(')')] = tokens {
        let mut depth = 0i32;
        let balanced = inner.iter().all(|t| {
            match t {
                Token::Other('(') => depth += 1,
                Token::Other(')') => depth -= 1,
                _ => {}
            }
            depth >= 0
        });
        if !balanced {
            break;
        }
        tokens = inner;
    }
    tokens
}

fn split<'t>(tokens: &'t [Token], word: &str) -> Vec<&'t [Token]> {
    let mut depth = 0i32;
    tokens
        .split(|t| {
            match t {
                Token::Other('(') => depth += 1,
                Token::Other(')') => depth -= 1,
                _ => {}
            }
            depth == 0 && t.is(word)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_proves_not_null_and_nothing_else() {
        let columns = ["a".to_string(), "Mixed Case".to_string()];
        let implied = |condition: &str| is_implied(Engine::Postgres, condition, &columns);
        for condition in [
            "a IS NOT NULL",
            "(a IS NOT NULL)",
            "((a IS NOT NULL) AND (\"Mixed Case\" IS NOT NULL))",
            "a is not null or x > 0",
            "NOT (a IS NULL)",
            "(a) IS NOT NULL AND true",
        ] {
            assert!(implied(condition), "{condition}");
        }
        for condition in [
            "a IS NULL",
            "x IS NOT NULL",
            "a > 0",
            "a IS NOT NULL AND x > 0",
            "a + 1 IS NOT NULL",
            "a IS NOT NULL AND note = ' or a is not null'",
            "x = 'it''s' AND a IS NOT NULL",
            "a BETWEEN 1 AND 2",
            "\"mixed case\" IS NOT NULL",
            "'unclosed",
            "",
        ] {
            assert!(!implied(condition), "{condition}");
        }
    }

    #[test]
    fn a_check_forbids_null_only_where_it_says_so_outright() {
        for check in [
            "(\"team_id\" IS NOT NULL)",
            "a > 0 AND (team_id is not null)",
            "((a > 0) AND ((TEAM_ID IS NOT NULL) AND b > 0))",
            "(a > 0 AND team_id IS NOT NULL) OR (a < 0 AND NOT (team_id IS NULL))",
            "a BETWEEN 1 AND 2 AND team_id NOTNULL",
            "`team_id` NOT NULL",
        ] {
            assert!(forbids_null(check, "team_id"), "{check}");
        }
        for check in [
            "team_id IS NOT NULL OR user_id IS NOT NULL",
            "user_id IS NOT NULL",
            "team_id > 0",
            "NOT (a > 0 AND team_id IS NOT NULL)",
            "a BETWEEN 1 AND team_id IS NOT NULL",
            "CASE WHEN a > 0 AND team_id IS NOT NULL THEN true ELSE a < 0 END",
            "note <> ' AND team_id IS NOT NULL'",
            "coalesce(team_id, 0) IS NOT NULL",
        ] {
            assert!(!forbids_null(check, "team_id"), "{check}");
        }
    }

    #[test]
    fn columns_are_found_in_expressions() {
        assert!(names("lower(email)", "email"));
        assert!(names("(\"Odd\" || 'x')", "Odd"));
        assert!(!names("lower(email_address) || 'email'", "email"));
    }
}
