//! `mermaid`: a flowchart from the root to what its delete touches.

use std::collections::BTreeMap;

use super::{colours, touched};
use crate::fate::{Effect, Fate};
use crate::schema::TableName;
use crate::text::one_line;

fn label(text: &str) -> String {
    let plain = one_line(text);
    plain.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Writes the flowchart.
pub fn render(fate: &Fate) -> String {
    let tables = touched(fate);
    let number: BTreeMap<&TableName, usize> = tables.iter().enumerate().map(|(i, t)| (&t.table, i)).collect();
    let mut out = String::from("flowchart LR\n");
    for (i, table) in tables.iter().enumerate() {
        let word = super::fate_word(table.fate);
        out.push_str(&format!("  t{i}[\"{}<br/>{word}\"]\n", label(&table.table.to_string())));
        let (fill, line) = colours(table.fate);
        out.push_str(&format!("  style t{i} fill:{fill},stroke:{line},color:#1f2328\n"));
    }
    for relation in &fate.relations {
        let (Some(parent), Some(child)) = (number.get(&relation.parent), number.get(&relation.child)) else { continue };
        let arrow = match relation.effect {
            Effect::Deletes => "==>",
            Effect::Refuses | Effect::MayRefuse | Effect::Fails | Effect::MayFail => "--x",
            _ => "-.->",
        };
        let text = label(&format!("{}: {}", relation.columns.join(", "), relation.effect.name()));
        out.push_str(&format!("  t{parent} {arrow}|\"{text}\"| t{child}\n"));
    }
    out
}
