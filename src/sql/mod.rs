//! Reading SQL text: the lexer, the splitter and a tolerant reader of DDL.
//!
//! Text that users wrote or that an engine keeps is read, never run. Nothing here fails: what a reader does not
//! understand it passes over, and [`Statement::skipped`] says so. What a statement does to a schema is not known here; that
//! is decided when it is replayed, against the schema as it then is.

pub mod ast;
pub mod body;
mod ddl;
pub mod lexer;
pub mod split;

pub use ast::{Command, Span, Statement};

use crate::schema::Engine;

/// Words at which, on every engine, a column's type or default ends and something else about the column begins.
pub const COLUMN_WORDS: [&str; 12] = [
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
    "DEFERRABLE",
];

/// Reads a text: every statement with its span, in order.
///
/// The statements' spans do not overlap and leave out only white space, comments, separators and what is meant for a
/// client (`\connect`, `DELIMITER`, rows after `COPY … FROM stdin`).
pub fn read(engine: Engine, text: &str) -> Vec<Statement> {
    let split = split::split(engine, text);
    let tokens = |piece: &split::Piece| split.tokens.get(piece.tokens.clone()).unwrap_or_default();
    split.pieces.iter().map(|piece| ddl::statement(engine, text, tokens(piece), piece)).collect()
}

/// Tells whether SQLite takes the value of a `PRAGMA` for on. What it does not know is off (`pragma.c`, `sqlite3GetBoolean`).
pub fn is_on(value: &str) -> bool {
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match value.get(..digits) {
        // A number is kept in a byte.
        Some(number) if digits > 0 => number.parse().is_ok_and(|n: u32| !n.is_multiple_of(256)),
        _ => ["on", "yes", "true"].iter().any(|on| value.eq_ignore_ascii_case(on)),
    }
}

#[cfg(test)]
mod tests;
