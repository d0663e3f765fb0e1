//! The tolerant reader of DDL.

use super::ast::Statement;
use super::split::Piece;
use crate::schema::Engine;

pub(super) fn statement(_engine: Engine, _text: &str, piece: Piece) -> Statement {
    Statement { span: piece.span, commands: Vec::new(), skipped: Vec::new(), comments_from: piece.comments_from }
}
