//! What becomes of every table when a row of one is deleted: one file per format, and the ranking of all tables.

pub mod json;
pub mod markdown;
pub mod mermaid;
pub mod svg;
pub mod text;

use std::collections::BTreeSet;

use crate::fate::{Fate, RelationOutcome, TableFate, TableOutcome};
use crate::schema::TableName;

/// Returns the tables that the delete touches, the root first, nearest first, then by name.
fn touched(fate: &Fate) -> Vec<&TableOutcome> {
    let mut tables: Vec<&TableOutcome> = fate.tables.iter().filter(|t| t.fate != TableFate::Untouched).collect();
    tables.sort_by_key(|t| (t.table != fate.root, distance(fate, t), &t.table));
    tables
}

/// How many relations away from the root a table is first reached.
fn distance(fate: &Fate, table: &TableOutcome) -> usize {
    let nearest = fate.relations.iter().filter(|r| r.child == table.table).map(|r| r.path.len()).min();
    if table.table == fate.root { 0 } else { nearest.unwrap_or(0) }
}

/// Returns the relations as a tree: each with its depth, below the relation that its rows are reached by. A table's own
/// relations stand once, below its nearest.
fn tree(fate: &Fate) -> Vec<(usize, &RelationOutcome)> {
    let mut lines = Vec::new();
    let mut expanded = BTreeSet::from([&fate.root]);
    let mut open: Vec<(usize, &RelationOutcome)> = children(fate, &fate.root).rev().map(|r| (0, r)).collect();
    while let Some((depth, relation)) = open.pop() {
        lines.push((depth, relation));
        let goes = fate.tables.iter().any(|t| t.table == relation.child && t.depth == Some(relation.path.len()));
        if goes && expanded.insert(&relation.child) {
            open.extend(children(fate, &relation.child).rev().map(|r| (depth + 1, r)));
        }
    }
    lines
}

fn children<'f>(fate: &'f Fate, parent: &'f TableName) -> impl DoubleEndedIterator<Item = &'f RelationOutcome> {
    fate.relations.iter().filter(move |r| r.parent == *parent)
}

fn fate_word(fate: TableFate) -> &'static str {
    match fate {
        TableFate::Untouched => "untouched",
        TableFate::Updated => "updated",
        TableFate::Orphaned => "orphaned",
        TableFate::Deleted => "deleted",
        TableFate::Refuses => "refuses",
    }
}

/// The colours of a table's fate: fill and border.
fn colours(fate: TableFate) -> (&'static str, &'static str) {
    match fate {
        TableFate::Untouched => ("#f6f8fa", "#8b949e"),
        TableFate::Updated => ("#ddf4ff", "#0969da"),
        TableFate::Orphaned => ("#fff8c5", "#9a6700"),
        TableFate::Deleted => ("#ffebe9", "#cf222e"),
        TableFate::Refuses => ("#dafbe1", "#1a7f37"),
    }
}

fn action(relation: &RelationOutcome) -> &'static str {
    relation
        .on_delete
        .filter(|_| relation.name.is_some() || relation.effect != crate::fate::Effect::LeavesOrphans)
        .map_or("no key", |a| a.sql())
}

#[cfg(test)]
mod tests {
    use super::super::{FateFormat, Style, fate as render};
    use crate::fate::{Options, Rank, fate};
    use crate::schema::Engine;
    use crate::testing::{graph, schema};

    fn sample() -> crate::fate::Fate {
        let s = schema(
            Engine::Postgres,
            &[
                "users: id int8 pk",
                "sessions: id int8 pk, user_id int8 not-null >users.id cascade",
                "orders: id int8 pk, user_id int8 >users.id set-null",
                "decisions: id int8 pk, user_id int8 not-null >users.id cascade",
                "decision_outcomes: id int8 pk, decision_id int8 not-null >decisions.id",
                "countries: id int8 pk",
            ],
        );
        fate(&s, &graph(&s), &Options::default(), &"users".into()).unwrap()
    }

    #[test]
    fn formats() {
        let fate = sample();
        insta::assert_snapshot!("text", render(FateFormat::Text, &fate, None, &Style::default()));
        insta::assert_snapshot!("markdown", render(FateFormat::Markdown, &fate, None, &Style::default()));
        insta::assert_snapshot!("mermaid", render(FateFormat::Mermaid, &fate, None, &Style::default()));
        insta::assert_snapshot!("json", render(FateFormat::Json, &fate, None, &Style::default()));
        insta::assert_snapshot!("svg", render(FateFormat::Svg, &fate, None, &Style::default()));
    }

    #[test]
    fn ascii_is_ascii() {
        let style = Style { unicode: false, ..Style::default() };
        assert!(render(FateFormat::Text, &sample(), None, &style).is_ascii());
    }

    #[test]
    fn ranking() {
        let s = schema(Engine::Postgres, &["a: id int8 pk", "b: id int8 pk, a_id int8 not-null >a.id"]);
        let g = graph(&s);
        let ranks: Vec<Rank> = crate::fate::Fates::new(&s, &g, Options::default()).rank();
        insta::assert_snapshot!(super::text::ranking(&ranks, &Style::default()));
    }
}
