//! `svg`: the same as a picture, one column for each step away from the root.

use std::collections::BTreeMap;

use super::{colours, distance, fate_word, touched};
use crate::fate::{Effect, Fate};
use crate::render::style::width;
use crate::schema::TableName;
use crate::text::one_line;

const HEIGHT: usize = 40;
const GAP: usize = 22;
const WIDEST_LABEL: usize = 30;

fn escape(text: &str) -> String {
    let plain = one_line(text);
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn short(text: &str) -> String {
    if width(text) <= WIDEST_LABEL {
        text.to_string()
    } else {
        text.chars().take(WIDEST_LABEL - 1).chain(['…']).collect()
    }
}

/// Writes the picture.
pub fn render(fate: &Fate) -> String {
    let tables = touched(fate);
    let mut columns: BTreeMap<usize, usize> = BTreeMap::new();
    let mut boxes: BTreeMap<&TableName, (usize, usize, usize)> = BTreeMap::new();
    let widest = tables.iter().map(|t| width(&short(&t.table.to_string()))).max().unwrap_or(0) * 8 + 24;
    let step = widest.max(110) + 190;
    for table in &tables {
        let column = distance(fate, table);
        let row = columns.entry(column).or_default();
        boxes.insert(&table.table, (20 + column * step, 56 + *row * (HEIGHT + GAP), widest.max(110)));
        *row += 1;
    }
    let right = boxes.values().map(|(x, _, w)| x + w).max().unwrap_or(0) + 60;
    let bottom = boxes.values().map(|(_, y, _)| y + HEIGHT).max().unwrap_or(0) + 24;
    let title = format!("delete from {}: {}", fate.root, fate.verdict);
    let right = right.max(width(&title) * 9 + 40);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" width=\"{right}\" height=\"{bottom}\" \
         font-family=\"ui-sans-serif, Helvetica, Arial, sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"{0}\">\n\
         <title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"30\" font-size=\"16\" font-weight=\"600\" fill=\"#1f2328\">{0}</text>\n",
        escape(&title)
    );
    for relation in &fate.relations {
        let (Some(&(px, py, pw)), Some(&(cx, cy, cw))) = (boxes.get(&relation.parent), boxes.get(&relation.child))
        else {
            continue;
        };
        let (colour, dash) = match relation.effect {
            Effect::Deletes => ("#cf222e", ""),
            Effect::Refuses | Effect::Fails => ("#1a7f37", ""),
            Effect::MayRefuse | Effect::MayFail => ("#9a6700", ""),
            _ => ("#0969da", " stroke-dasharray=\"5 4\""),
        };
        let (y1, y2) = (py + HEIGHT / 2, cy + HEIGHT / 2);
        // Towards the right from side to side; otherwise an arc around the right side.
        let (x1, x2, bend) = if cx > px { (px + pw, cx, (cx - px - pw) / 2) } else { (px + pw, cx + cw, 0) };
        let curve = if bend > 0 {
            format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
        } else {
            format!("M{x1} {y1} C{} {y1} {} {} {x2} {}", x1.max(x2) + 40, x1.max(x2) + 40, y2 + 8, y2 + 8)
        };
        let text = escape(&format!("{}: {}", relation.columns.join(", "), relation.effect.name()));
        out.push_str(&format!("<path d=\"{curve}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dash}><title>{text}</title></path>\n"));
        if bend > 0 {
            let label = escape(&short(&relation.columns.join(", ")));
            out.push_str(&format!(
                "<text x=\"{}\" y=\"{}\" font-size=\"11\" text-anchor=\"end\" fill=\"{colour}\">{label}</text>\n",
                x2 - 8,
                y2 - 5
            ));
        }
    }
    for table in &tables {
        let Some(&(x, y, w)) = boxes.get(&table.table) else { continue };
        let (fill, line) = colours(table.fate);
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"1.5\"/>\n\
             <text x=\"{0}\" y=\"{1}\" font-weight=\"600\" fill=\"#1f2328\">{2}</text>\n<text x=\"{0}\" y=\"{3}\" font-size=\"11\" fill=\"{line}\">{4}</text>\n",
            x + 10,
            y + 17,
            escape(&short(&table.table.to_string())),
            y + 32,
            fate_word(table.fate)
        ));
    }
    out.push_str("</svg>\n");
    out
}
