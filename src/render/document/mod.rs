//! A report as a document: headings, paragraphs, lists, tables, code. A report says once what it has to say; one file for each
//! format writes it.
//!
//! Every text is foreign to the format that it is written in, so each writer escapes all that it is given, in one function of its
//! own: what commands a terminal, reorders a line or is not seen is written out in all of them (`\u{202e}`), and beside that
//! Markdown means nothing in a Markdown document, and markup nothing in HTML.

pub(super) mod html;
pub(super) mod markdown;
mod model;
#[cfg(test)]
mod tests;
pub(super) mod text;

pub(super) use model::{Block, Document, Form, Item, Lead, Line, Span, Table, Tone, plain, prose};
