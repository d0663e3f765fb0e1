//! A schema as a short listing.

use anstyle::AnsiColor;

use super::style::{Style, count, thousands, width, wrap};
use crate::schema::{Schema, Table};
use crate::text::one_line;

/// Writes a short readable listing of a schema.
pub fn schema_text(schema: &Schema, style: &Style) -> String {
    let version = schema.version.map(|v| format!(" {v}")).unwrap_or_default();
    let keys = schema.foreign_keys().count();
    let tables = count(schema.logical_tables().count(), "table");
    let mut lines = vec![format!("{}{version}: {tables}, {}", schema.engine, count(keys, "foreign key"))];
    for table in schema.logical_tables() {
        lines.push(String::new());
        let rows = table.row_estimate.map(|n| format!("  about {} rows", thousands(n))).unwrap_or_default();
        lines.push(format!("{}{}", style.bold(&one_line(&table.name.to_string())), style.dim(&rows)));
        columns(table, style, &mut lines);
        for key in &table.foreign_keys {
            let arrow = if style.unicode { "→" } else { "->" };
            let parent = crate::relations::side(&key.parent, &key.parent_columns);
            let mut text = format!("{} {arrow} {parent}, ON DELETE {}", key.columns.join(", "), key.on_delete);
            for (is, what) in [(!key.validated, "not valid"), (!key.enforced, "not enforced")] {
                if is {
                    text.push_str(&format!(", {what}"));
                }
            }
            item("key", &text, style, &mut lines);
        }
        for index in table.indexes.iter().filter(|i| i.origin == crate::schema::IndexOrigin::User) {
            let parts: Vec<&str> =
                index.parts.iter().filter_map(|p| p.column.as_deref().or(p.expression.as_deref())).collect();
            let unique = if index.unique { "unique " } else { "" };
            let mut text = format!("{unique}{} ({})", index.name, parts.join(", "));
            if let Some(predicate) = &index.predicate {
                text.push_str(&format!(" where {predicate}"));
            }
            if !index.valid {
                text.push_str(", not valid");
            }
            item("index", &text, style, &mut lines);
        }
    }
    lines.join("\n") + "\n"
}

fn columns(table: &Table, style: &Style, lines: &mut Vec<String>) {
    let widest = |f: fn(&crate::schema::Column) -> &str, limit: usize| {
        table.columns.iter().map(|c| width(f(c))).max().unwrap_or(0).min(limit)
    };
    let (names, types) = (widest(|c| &c.name, 30), widest(|c| &c.data_type.raw, 26));
    for column in &table.columns {
        let mut marks = Vec::new();
        if table.in_primary_key(&column.name) {
            marks.push("primary key");
        } else if !column.nullable {
            marks.push("not null");
        }
        if table.unique_keys.iter().any(|k| k.columns == [column.name.clone()]) {
            marks.push("unique");
        }
        let gap = |text: &str, room: usize| " ".repeat(room.saturating_sub(width(text)));
        let (name, kind) = (one_line(&column.name), one_line(&column.data_type.raw));
        let line = format!(
            "  {name}{}  {}{}  {}",
            gap(&name, names),
            style.colour(AnsiColor::Cyan, &kind),
            gap(&kind, types),
            style.dim(&marks.join(", "))
        );
        lines.push(line.trim_end().to_string());
    }
}

fn item(word: &str, text: &str, style: &Style, lines: &mut Vec<String>) {
    for (i, part) in wrap(text, style.width.saturating_sub(10).max(20)).into_iter().enumerate() {
        let word = if i == 0 { word } else { "" };
        lines.push(format!("    {}{:gap$}{part}", style.dim(word), "", gap = 6 - word.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn listing() {
        let text = schema_text(&samples::shop().0, &Style::default());
        assert!(text.lines().all(|l| width(l) <= 80), "{text}");
        insta::assert_snapshot!("schema", text);
    }
}
