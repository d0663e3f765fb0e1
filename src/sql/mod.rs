//! Reading SQL text: the lexer that every reader of DDL stands on.
