//! Where boxes stand in a picture: layers from left to right, parents left of their children.

use std::collections::BTreeMap;

use super::View;
use crate::render::style::width;
use crate::schema::TableName;

/// How high one line of a box is.
pub(super) const LINE: usize = 18;
/// How high the title of a box is.
pub(super) const TITLE: usize = 28;
const CHAR: usize = 8;
const GAP_X: usize = 110;
const GAP_Y: usize = 26;
/// How wide a picture may become by boxes without relations.
const SHELF: usize = 1100;

/// A table in the picture.
pub(super) struct Placed<'a> {
    pub(super) table: &'a TableName,
    /// The referring columns, one line for each relation: index of the edge and the text.
    pub(super) lines: Vec<(usize, String)>,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) layer: usize,
}

/// All boxes, and the size of the picture.
pub(super) struct Layout<'a> {
    pub(super) boxes: BTreeMap<&'a TableName, Placed<'a>>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Places the boxes.
pub(super) fn arrange<'a>(view: &View<'a>) -> Layout<'a> {
    let unrelated = view.unrelated();
    let mut layers: Vec<Vec<Placed<'a>>> = Vec::new();
    for &table in view.tables.iter().filter(|t| !unrelated.contains(t)) {
        let layer = view.places.get(table).map_or(0, |p| p.depth);
        if layers.len() <= layer {
            layers.resize_with(layer + 1, Vec::new);
        }
        layers[layer].push(place(view, table, layer));
    }
    layers.retain(|l| !l.is_empty());
    for (i, layer) in layers.iter_mut().enumerate() {
        layer.iter_mut().for_each(|b| b.layer = i);
    }
    order(view, &mut layers);

    let mut x = 24;
    let mut height = 0;
    let total: usize = layers.iter().flatten().map(|b| b.height + GAP_Y).sum();
    // Layers that are much higher than wide are folded into several columns.
    let limit = ((total * 260) as f64).sqrt() as usize;
    let limit = limit.max(700);
    let mut boxes = BTreeMap::new();
    let mut column = 0;
    for layer in layers {
        let mut y = 24;
        let mut widest = 0;
        for mut b in layer {
            if y > 24 && y + b.height > limit {
                x += widest + GAP_X;
                y = 24;
                widest = 0;
                column += 1;
            }
            b.x = x;
            b.y = y;
            b.layer = column;
            y += b.height + GAP_Y;
            widest = widest.max(b.width);
            height = height.max(y);
            boxes.insert(b.table, b);
        }
        column += 1;
        x += widest + GAP_X;
    }
    let mut right = if boxes.is_empty() { 24 } else { x - GAP_X + 24 };
    // Room for the arcs of relations that do not run from left to right.
    right += if boxes.is_empty() { 0 } else { 60 };

    let shelf = right.max(SHELF);
    let (mut sx, mut sy) = (24, height + if height == 0 { 24 } else { 34 });
    for table in unrelated {
        let mut b = place(view, table, 0);
        if sx > 24 && sx + b.width > shelf {
            sx = 24;
            sy += TITLE + 14;
        }
        (b.x, b.y) = (sx, sy);
        sx += b.width + 14;
        right = right.max(sx + 10);
        height = sy + b.height + GAP_Y;
        boxes.insert(table, b);
    }
    Layout { boxes, width: right.max(420), height: height.max(60) }
}

fn place<'a>(view: &View<'a>, table: &'a TableName, layer: usize) -> Placed<'a> {
    let edges = view.edges.iter().enumerate().filter(|(_, e)| e.relation.child == *table);
    let lines: Vec<(usize, String)> = edges
        .map(|(i, e)| {
            let mut text = e.relation.columns.join(", ");
            if e.relation.nullable {
                text.push('?');
            }
            (i, text)
        })
        .collect();
    // Bold letters are wider, `m` and `w` most of all.
    let title = width(&table.to_string()) * 19 / 2 + 28;
    let body = lines.iter().map(|(i, l)| width(l) * (CHAR - 1) + 24 + if view.edges[*i].unindexed() { 62 } else { 0 });
    let wide = body.chain([title, 90]).max().unwrap_or(90);
    let high = TITLE + if lines.is_empty() { 0 } else { lines.len() * LINE + 8 };
    Placed { table, lines, x: 0, y: 0, width: wide, height: high, layer }
}

/// Orders each layer by where its parents stand in the layers before, so that few lines cross.
fn order(view: &View<'_>, layers: &mut [Vec<Placed<'_>>]) {
    let mut rank: BTreeMap<TableName, f64> = BTreeMap::new();
    for layer in layers.iter_mut() {
        let key = |b: &Placed<'_>| {
            let place = view.places.get(b.table).and_then(|p| p.by).map(|i| &view.graph.relations()[i].parent);
            place.and_then(|p| rank.get(p).copied()).unwrap_or(0.0)
        };
        layer.sort_by(|a, b| key(a).total_cmp(&key(b)).then_with(|| a.table.cmp(b.table)));
        let mut y = 0.0;
        for b in layer.iter() {
            rank.insert(b.table.clone(), y);
            y += (b.height + GAP_Y) as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;
    use crate::schema::Engine;
    use crate::testing::schema;

    fn assert_apart(layout: &Layout<'_>) {
        let boxes: Vec<&Placed<'_>> = layout.boxes.values().collect();
        for (i, a) in boxes.iter().enumerate() {
            assert!(a.x + a.width <= layout.width && a.y + a.height <= layout.height, "{} sticks out", a.table);
            for b in &boxes[i + 1..] {
                let apart =
                    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{} and {} overlap", a.table, b.table);
            }
        }
    }

    #[test]
    fn boxes_never_overlap() {
        let mut lines = vec!["root: id int8 pk".to_string()];
        lines.extend((0..300).map(|i| match i % 3 {
            0 => format!("child_with_a_long_name_{i}: id int8 pk, root_id int8 >root.id"),
            1 => format!("t{i}: id int8 pk, p int8 >child_with_a_long_name_{}.id, r int8 >root.id", i - 1),
            _ => format!("lonely{i}: id int8 pk"),
        }));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let s = schema(Engine::Postgres, &lines);
        let g = samples::graph(&s, vec![]);
        let view = View::graded(&s, &g, &GraphOptions::default(), &plain_grade);
        let layout = arrange(&view);
        assert_eq!(layout.boxes.len(), 301);
        assert_apart(&layout);
        for (s, g) in [samples::shop(), samples::builds()] {
            assert_apart(&arrange(&View::graded(&s, &g, &GraphOptions::default(), &plain_grade)));
        }
    }
}
