//! `dot`: Graphviz.

use super::View;
use crate::schema::Action;
use crate::text::visible;

/// Writes the graph, parents on the left. A relation that nothing declares is dashed.
pub fn render(view: &View<'_>) -> String {
    let mut text = String::from(
        "digraph relations {\n  rankdir=RL;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", \
         color=\"#8b949e\", fontname=\"Helvetica\"];\n  edge [fontname=\"Helvetica\", fontsize=10];\n",
    );
    for table in &view.tables {
        let missing = view.missing.contains(table);
        let more = if missing { " [style=\"rounded,dashed\", color=\"#cf222e\"]" } else { "" };
        text.push_str(&format!("  {}{more};\n", quoted(&table.to_string())));
    }
    for edge in &view.edges {
        let relation = edge.relation;
        let mut label = format!("{}\n{}", relation.columns.join(", "), edge.action());
        if edge.unindexed() {
            label.push_str("\nno index");
        }
        let style = if relation.is_declared() { "solid" } else { "dashed" };
        let tail = if edge.unique { "teetee" } else { "crow" };
        text.push_str(&format!(
            "  {} -> {} [label={}, color=\"{}\", style={style}, dir=both, arrowtail={tail}, arrowhead={}];\n",
            quoted(&relation.child.to_string()),
            quoted(&relation.parent.to_string()),
            quoted(&label),
            colour(relation.on_delete.filter(|_| relation.is_declared())),
            if relation.nullable { "teeodot" } else { "teetee" }
        ));
    }
    text.push_str("}\n");
    text
}

/// The colour of an action, the same in every picture.
pub(super) fn colour(action: Option<Action>) -> &'static str {
    match action {
        Some(Action::Cascade) => "#cf222e",
        Some(Action::SetNull) => "#0969da",
        Some(Action::SetDefault) => "#8250df",
        Some(Action::NoAction | Action::Restrict) => "#1a7f37",
        None => "#6e7781",
    }
}

// The DOT language: in a quoted string only the quote is escaped; in a label `\` starts an escape of its own.
fn quoted(text: &str) -> String {
    format!("\"{}\"", visible(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;

    #[test]
    fn graph() {
        let (s, g) = samples::shop();
        insta::assert_snapshot!("dot", render(&View::graded(&s, &g, &GraphOptions::default(), &plain_grade)));
    }
}
