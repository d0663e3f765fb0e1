//! `svg`: a picture that stands alone, light or dark as its reader's screen.

use super::super::junit::escape;
use super::View;
use super::dot::colour;
use super::layout::{LINE, Placed, TITLE, arrange};
use crate::schema::Action;

const CSS: &str = ".rf-bg{fill:#ffffff}.rf-box{fill:#f6f8fa;stroke:#8c959f}.rf-head{fill:#eaeef2}\
.rf-missing{stroke:#cf222e;stroke-dasharray:4 3}.rf-title{fill:#1f2328;font-weight:600;font-size:14px}\
.rf-line{fill:#57606a;font-size:12px}.rf-warn{fill:#9a6700;font-size:11px;font-weight:600}\
.rf-edge{fill:none;stroke-width:1.6}.rf-dash{stroke-dasharray:6 4}\
.rf-svg text{font-family:ui-sans-serif,system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif}\
@media (prefers-color-scheme:dark){.rf-bg{fill:#0d1117}.rf-box{fill:#161b22;stroke:#6e7681}.rf-head{fill:#21262d}\
.rf-missing{stroke:#ff7b72}.rf-title{fill:#e6edf3}.rf-line{fill:#9da7b3}.rf-warn{fill:#d29922}}\
@media print{.rf-bg{fill:#ffffff}.rf-box{fill:#ffffff;stroke:#57606a}.rf-head{fill:#eeeeee}.rf-title{fill:#000000}.rf-line{fill:#333333}}";

const KINDS: [(&str, Option<Action>); 5] = [
    ("cascade", Some(Action::Cascade)),
    ("null", Some(Action::SetNull)),
    ("default", Some(Action::SetDefault)),
    ("refuse", Some(Action::NoAction)),
    ("undeclared", None),
];

/// Writes the picture. The colour of a line tells the action on delete; a dashed line is declared by nothing.
pub fn render(view: &View<'_>) -> String {
    let layout = arrange(view);
    let height = layout.height + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rf-svg\" width=\"{w}\" height=\"{height}\" viewBox=\"0 0 {w} {height}\" \
         role=\"img\" aria-label=\"Tables and their relations\">\n<style>{CSS}</style>\n<defs>\n",
        w = layout.width
    );
    for (name, action) in KINDS {
        svg.push_str(&format!(
            "<marker id=\"rf-{name}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto-start-reverse\"><path d=\"M0 0L10 5L0 10z\" fill=\"{}\"/></marker>\n",
            colour(action)
        ));
    }
    svg.push_str("</defs>\n<rect class=\"rf-bg\" width=\"100%\" height=\"100%\"/>\n");
    for (i, edge) in view.edges.iter().enumerate() {
        let ends = (layout.boxes.get(&edge.relation.child), layout.boxes.get(&edge.relation.parent));
        let (Some(child), Some(parent)) = ends else { continue };
        let action = edge.relation.on_delete.filter(|_| edge.relation.is_declared());
        let kind = kind(action);
        let dash = if edge.relation.is_declared() { "" } else { " rf-dash" };
        let note = if edge.unindexed() { ", no index" } else { "" };
        svg.push_str(&format!(
            "<path class=\"rf-edge{dash}\" d=\"{}\" stroke=\"{}\" marker-end=\"url(#rf-{kind})\"><title>{}</title></path>\n",
            path(child, parent, i),
            colour(action),
            escape(&format!("{} to {}: {}{note}", edge.relation.child_side(), edge.relation.parent_side(), edge.action()))
        ));
    }
    for b in layout.boxes.values() {
        table(view, b, &mut svg);
    }
    legend(layout.height, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn kind(action: Option<Action>) -> &'static str {
    match action {
        Some(Action::Cascade) => "cascade",
        Some(Action::SetNull) => "null",
        Some(Action::SetDefault) => "default",
        Some(Action::NoAction | Action::Restrict) => "refuse",
        None => "undeclared",
    }
}

/// The line from the child's column to the parent.
fn path(child: &Placed<'_>, parent: &Placed<'_>, edge: usize) -> String {
    let row = child.lines.iter().position(|(i, _)| *i == edge).unwrap_or(0);
    let y1 = child.y + TITLE + 4 + row * LINE + LINE / 2;
    let y2 = parent.y + TITLE / 2;
    if child.table == parent.table {
        let x = child.x + child.width;
        return format!("M{x} {y1}C{out} {y1} {out} {y2} {x} {y2}", out = x + 44);
    }
    if parent.layer < child.layer {
        let (x1, x2) = (child.x, parent.x + parent.width);
        let bend = ((x1 - x2) / 2).clamp(40, 160);
        return format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 as i64 - bend as i64, x2 + bend);
    }
    let (x1, x2) = (child.x + child.width, parent.x + parent.width);
    if parent.layer == child.layer {
        let out = x1.max(x2) + 50;
        return format!("M{x1} {y1}C{out} {y1} {out} {y2} {x2} {y2}");
    }
    // Back to a table on the right: a cycle.
    let bend = ((parent.x.saturating_sub(x1)) / 2).clamp(40, 160);
    format!("M{x1} {y1}C{} {y1} {} {y2} {} {y2}", x1 + bend, parent.x as i64 - bend as i64, parent.x)
}

fn table(view: &View<'_>, b: &Placed<'_>, svg: &mut String) {
    let missing = if view.missing.contains(b.table) { " rf-missing" } else { "" };
    let (x, y, w, h) = (b.x, b.y, b.width, b.height);
    svg.push_str(&format!(
        "<g><rect class=\"rf-box{missing}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"7\"/>"
    ));
    if !b.lines.is_empty() {
        svg.push_str(&format!(
            "<path class=\"rf-head\" d=\"M{} {}v-{}q0-6 6-6h{}q6 0 6 6v{}z\"/>",
            x + 1,
            y + TITLE,
            TITLE - 7,
            w - 14,
            TITLE - 7
        ));
    }
    svg.push_str(&format!(
        "<text class=\"rf-title\" x=\"{}\" y=\"{}\">{}</text>",
        x + 11,
        y + 19,
        escape(&b.table.to_string())
    ));
    for (row, (edge, text)) in b.lines.iter().enumerate() {
        let y = y + TITLE + 4 + row * LINE + 13;
        svg.push_str(&format!("<text class=\"rf-line\" x=\"{}\" y=\"{y}\">{}</text>", x + 11, escape(text)));
        if view.edges[*edge].unindexed() {
            svg.push_str(&format!(
                "<text class=\"rf-warn\" x=\"{}\" y=\"{y}\" text-anchor=\"end\">no index</text>",
                x + w - 9
            ));
        }
    }
    svg.push_str("</g>\n");
}

fn legend(y: usize, svg: &mut String) {
    let y = y + 14;
    let mut x = 24;
    let words = ["cascade", "set null", "set default", "refused", "undeclared"];
    for ((name, action), word) in KINDS.into_iter().zip(words) {
        let dash = if name == "undeclared" { " rf-dash" } else { "" };
        svg.push_str(&format!(
            "<path class=\"rf-edge{dash}\" d=\"M{x} {y}h26\" stroke=\"{}\"/><text class=\"rf-line\" x=\"{}\" y=\"{}\">{word}</text>\n",
            colour(action),
            x + 32,
            y + 4
        ));
        x += 32 + word.len() * 7 + 16;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;

    #[test]
    fn picture_is_well_formed_and_shows_every_relation() {
        for (s, g) in [samples::shop(), samples::builds()] {
            let view = View::graded(&s, &g, &GraphOptions::default(), &plain_grade);
            let svg = render(&view);
            super::super::super::junit::tests::assert_well_formed(&svg);
            assert_eq!(svg.matches("marker-end").count(), g.relations().len());
            let undeclared = g.relations().iter().filter(|r| !r.is_declared()).count();
            assert_eq!(svg.matches("rf-edge rf-dash").count(), undeclared + 1, "and one in the legend");
            assert!(!svg.replace("http://www.w3.org/2000/svg", "").contains("http"), "no request");
        }
    }
}
