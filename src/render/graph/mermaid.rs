//! `mermaid`: an `erDiagram`, with the columns that are part of a key.

use std::collections::BTreeSet;

use super::View;
use crate::schema::TableName;
use crate::text::one_line;

/// Writes the diagram. A relation that nothing declares is dashed.
pub fn render(view: &View<'_>) -> String {
    let mut text = String::from("erDiagram\n");
    for table in &view.tables {
        text.push_str(&format!("    {}", entity(table)));
        let columns = columns(view, table);
        if columns.is_empty() {
            text.push('\n');
        } else {
            text.push_str(&format!(" {{\n{columns}    }}\n"));
        }
    }
    for edge in &view.edges {
        let relation = edge.relation;
        let parent = if relation.nullable { "|o" } else { "||" };
        let child = if edge.unique { "o|" } else { "o{" };
        let line = if relation.is_declared() { "--" } else { ".." };
        let mut label = format!("{}: {}", relation.columns.join(", "), edge.action());
        if edge.unindexed() {
            label.push_str(", no index");
        }
        text.push_str(&format!(
            "    {} {parent}{line}{child} {} : {}\n",
            entity(&relation.parent),
            entity(&relation.child),
            quoted(&label, false)
        ));
    }
    text
}

fn columns(view: &View<'_>, name: &TableName) -> String {
    let Some(table) = view.schema.table(name) else { return String::new() };
    let referring: BTreeSet<&String> =
        view.edges.iter().filter(|e| e.relation.child == *name).flat_map(|e| &e.relation.columns).collect();
    let mut text = String::new();
    for column in &table.columns {
        let marks = [
            (table.in_primary_key(&column.name), "PK"),
            (referring.contains(&column.name), "FK"),
            (table.unique_keys.iter().any(|k| k.columns == [column.name.clone()]), "UK"),
        ];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, m)| *m).collect();
        if !marks.is_empty() {
            let kind = word(&column.data_type.raw, "unknown");
            text.push_str(&format!("        {kind} {} {}\n", word(&column.name, "column"), marks.join(", ")));
        }
    }
    text
}

/// A type or a column: Mermaid allows letters, digits, `_` and `-` there, and a letter first.
fn word(text: &str, default: &str) -> String {
    let word: String = text.trim().chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let word = word.trim_end_matches('_');
    match word.chars().next() {
        None => default.to_string(),
        Some(c) if c.is_alphabetic() => word.to_string(),
        Some(_) => format!("c{word}"),
    }
}

fn entity(table: &TableName) -> String {
    quoted(&table.to_string(), true)
}

/// Mermaid has no escape for a double quote inside of quotes, nor for `%` and `\` in an entity's name.
fn quoted(text: &str, name: bool) -> String {
    let text: String = one_line(text)
        .chars()
        .map(|c| match c {
            '"' => '\'',
            '%' | '\\' if name => '_',
            c => c,
        })
        .collect();
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;

    #[test]
    fn diagram() {
        let (s, g) = samples::shop();
        insta::assert_snapshot!("mermaid", render(&View::graded(&s, &g, &GraphOptions::default(), &plain_grade)));
    }
}
