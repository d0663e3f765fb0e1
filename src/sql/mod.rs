//! Reading SQL text: the lexer that every reader of DDL stands on.
//!
//! Text that users wrote or that an engine keeps is read, never run. Nothing here fails: what a reader does not
//! understand it passes over.

pub mod lexer;
