//! The keys that squawk's syntax tree of PostgreSQL has.

use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use crate::{Keys, key};

fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|c| c.kind() == kind)
}

/// The text of a node without comments.
fn text(node: &SyntaxNode) -> String {
    let tokens = node.descendants_with_tokens().filter_map(|e| e.into_token());
    let kept = tokens.filter(|t| t.kind() != SyntaxKind::COMMENT);
    kept.map(|t| if t.kind() == SyntaxKind::WHITESPACE { " ".to_string() } else { t.text().to_string() }).collect()
}

fn columns(list: &SyntaxNode) -> Vec<String> {
    list.descendants().filter(|n| n.kind() == SyntaxKind::COLUMN_NAME_REF).map(|n| text(&n)).collect()
}

/// Returns the keys of a text; `None` if squawk finds a fault in it.
pub fn keys(sql: &str) -> Option<Keys> {
    let parsed = SourceFile::parse(sql);
    if !parsed.errors().is_empty() {
        return None;
    }
    let mut keys = Keys::new();
    for node in parsed.syntax_node().descendants() {
        let inline = match node.kind() {
            SyntaxKind::FOREIGN_KEY_CONSTRAINT => false,
            SyntaxKind::REFERENCES_CONSTRAINT => true,
            _ => continue,
        };
        let statement = node.ancestors().find_map(|a| match a.kind() {
            SyntaxKind::CREATE_TABLE | SyntaxKind::CREATE_FOREIGN_TABLE => child(&a, SyntaxKind::TABLE_NAME),
            // `ONLY t`, `t *`: the name stands within.
            SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE => {
                a.descendants().find(|n| n.kind() == SyntaxKind::PATH_REF)
            }
            _ => None,
        })?;
        let lists: Vec<SyntaxNode> =
            node.children().filter(|c| c.kind() == SyntaxKind::FOREIGN_KEY_COLUMN_LIST).collect();
        let (own, parents) = if inline {
            let own = node.ancestors().skip(1).find_map(|a| match a.kind() {
                SyntaxKind::COLUMN | SyntaxKind::ADD_COLUMN => child(&a, SyntaxKind::COLUMN_NAME),
                _ => None,
            })?;
            (vec![text(&own)], child(&node, SyntaxKind::COLUMN_NAME_REF).map(|c| text(&c)).into_iter().collect())
        } else {
            (columns(lists.first()?), lists.get(1).map(columns).unwrap_or_default())
        };
        let parent = text(&child(&node, SyntaxKind::TABLE_NAME_REF)?);
        let action = |kind: SyntaxKind| {
            let whole = text(&child(&node, kind)?).to_lowercase();
            let said = whole.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
            Some(said.split('(').next().unwrap_or_default().trim().to_string())
        };
        let (delete, update) = (action(SyntaxKind::ON_DELETE_ACTION), action(SyntaxKind::ON_UPDATE_ACTION));
        let said = key(&text(&statement), &own, &parent, &parents, delete.as_deref(), update.as_deref());
        *keys.entry(said).or_default() += 1;
    }
    Some(keys)
}
