//! The built binary, run as a user runs it, on schema documents: no engine is needed.

mod config;
mod help;
mod support;
mod verbs;
