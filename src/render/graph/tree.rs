//! `tree`: children below their parents, each table expanded once.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::AnsiColor;

use super::super::style::{Style, width, wrap};
use super::{Edge, View};
use crate::relations::Basis;
use crate::schema::{Action, TableName};
use crate::text::one_line;

/// Writes the tree. Its length is that of the graph: a table stands in full once, and every further relation is one line
/// that points there.
pub fn render(view: &View<'_>, style: &Style) -> String {
    let mut tree =
        Tree { view, style, below: BTreeMap::new(), open: BTreeSet::new(), done: BTreeSet::new(), lines: vec![] };
    for edge in &view.edges {
        tree.below.entry(&edge.relation.parent).or_default().push(edge);
    }
    let unrelated = view.unrelated();
    let roots = view.tables.iter().copied().filter(|t| view.places.get(t).is_none_or(|p| p.by.is_none()));
    let roots: Vec<&TableName> = roots.filter(|t| !unrelated.contains(t)).collect();
    for root in roots {
        if !tree.lines.is_empty() {
            tree.lines.push(String::new());
        }
        tree.root(root);
    }
    if !unrelated.is_empty() {
        if !tree.lines.is_empty() {
            tree.lines.push(String::new());
        }
        let names: Vec<String> = unrelated.iter().map(|t| t.to_string()).collect();
        let text = format!("without relations: {}", names.join(", "));
        tree.lines.extend(wrap(&text, style.width).into_iter().map(|l| style.dim(&l)));
    }
    if tree.lines.is_empty() {
        tree.lines.push("no tables".to_string());
    }
    tree.lines.join("\n") + "\n"
}

struct Tree<'v, 'a, 's> {
    view: &'v View<'a>,
    style: &'s Style,
    below: BTreeMap<&'a TableName, Vec<&'v Edge<'a>>>,
    /// The tables from the root to where we are.
    open: BTreeSet<&'a TableName>,
    /// The tables that have been expanded.
    done: BTreeSet<&'a TableName>,
    lines: Vec<String>,
}

/// A step of the walk; a stack of them instead of recursion, because chains can be long.
enum Step<'v, 'a> {
    Line { edge: &'v Edge<'a>, prefix: String, last: bool },
    Leave(&'a TableName),
}

impl<'v, 'a> Tree<'v, 'a, '_> {
    fn root(&mut self, root: &'a TableName) {
        let mut line = self.style.bold(&one_line(&root.to_string()));
        if self.view.missing.contains(root) {
            line.push_str(&format!("  {}", self.style.colour(AnsiColor::Red, "does not exist")));
        }
        self.lines.push(line);
        let mut stack = Vec::new();
        self.enter(root, "", &mut stack);
        while let Some(step) = stack.pop() {
            match step {
                Step::Leave(table) => {
                    self.open.remove(table);
                }
                Step::Line { edge, prefix, last } => {
                    let branch = match (last, self.style.unicode) {
                        (true, true) => "└── ",
                        (false, true) => "├── ",
                        (true, false) => "`-- ",
                        (false, false) => "|-- ",
                    };
                    let child = &edge.relation.child;
                    let here = self.is_place(edge);
                    let pipe = if self.style.unicode { "│   " } else { "|   " };
                    let below = format!("{prefix}{}", if last { "    " } else { pipe });
                    let (name, notes) = self.line(edge, here);
                    let head = format!("{}{}", self.style.dim(&format!("{prefix}{branch}")), name.painted);
                    if below.chars().count() + name.columns + 2 + notes.columns <= self.style.width {
                        self.lines.push(format!("{head}  {}", notes.painted));
                    } else {
                        self.lines.push(head);
                        let has_children = here && self.below.contains_key(child);
                        let below = format!("{below}{}", if has_children { pipe } else { "    " });
                        self.lines.push(format!("{}{}", self.style.dim(&below), notes.painted));
                    }
                    if here {
                        self.enter(child, &below, &mut stack);
                    }
                }
            }
        }
    }

    fn enter(&mut self, table: &'a TableName, prefix: &str, stack: &mut Vec<Step<'v, 'a>>) {
        self.open.insert(table);
        self.done.insert(table);
        stack.push(Step::Leave(table));
        let mut edges = self.below.get(table).cloned().unwrap_or_default();
        // What hangs here comes first, large branches before leaves; what only points elsewhere comes last.
        edges.sort_by_key(|e| {
            let here = self.is_place(e);
            let leaf = !self.below.contains_key(&e.relation.child);
            (!here, here && leaf, &e.relation.child, &e.relation.columns)
        });
        let count = edges.len();
        for (i, edge) in edges.into_iter().enumerate().rev() {
            stack.push(Step::Line { edge, prefix: prefix.to_string(), last: i + 1 == count });
        }
    }

    fn is_place(&self, edge: &Edge<'_>) -> bool {
        self.view.places.get(&edge.relation.child).is_some_and(|p| p.by == Some(edge.index))
    }

    /// Returns the child's name with its columns, and what there is to say of the relation.
    fn line(&self, edge: &Edge<'_>, here: bool) -> (Part, Part) {
        let style = self.style;
        let relation = edge.relation;
        let table = one_line(&relation.child.to_string());
        let cycle = !here && self.open.contains(&relation.child);
        let mut name = Part::default();
        if cycle {
            name.push(if style.unicode { "↻ " } else { "(cycle) " }, str::to_string);
        }
        name.push(&table, |t| if here { t.to_string() } else { style.dim(t) });
        name.push(&format!(" ({})", one_line(&relation.columns.join(", "))), |t| style.dim(t));

        let mut notes = Part::default();
        notes.push(&edge.action(), |t| style.colour(self.action_colour(edge), t));
        let gap = |notes: &mut Part| {
            notes.push(" ", str::to_string);
            notes.push(style.dot(), |t| style.dim(t));
            notes.push(" ", str::to_string);
        };
        if relation.nullable {
            gap(&mut notes);
            notes.push("nullable", |t| style.dim(t));
        }
        if edge.unindexed() {
            gap(&mut notes);
            notes.push("no index", |t| style.colour(AnsiColor::Yellow, t));
        }
        if !here && !cycle {
            let place = if self.done.contains(&relation.child) { "see above" } else { "see below" };
            notes.push(&format!("  ({place})"), |t| style.dim(t));
        }
        (name, notes)
    }

    fn action_colour(&self, edge: &Edge<'_>) -> AnsiColor {
        match (&edge.relation.basis, edge.relation.on_delete) {
            (Basis::Declared { .. }, Some(Action::Cascade)) => AnsiColor::Red,
            (Basis::Declared { .. }, Some(Action::SetNull | Action::SetDefault)) => AnsiColor::Blue,
            (Basis::Declared { .. }, _) => AnsiColor::Green,
            _ => AnsiColor::Magenta,
        }
    }
}

/// A piece of a line, with the columns it takes without its colours.
#[derive(Default)]
struct Part {
    painted: String,
    columns: usize,
}

impl Part {
    fn push(&mut self, text: &str, paint: impl Fn(&str) -> String) {
        self.columns += width(text);
        self.painted.push_str(&paint(text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::{GraphOptions, plain_grade};
    use super::*;
    use crate::schema::Engine;
    use crate::testing::schema;

    fn tree(
        sample: &(crate::schema::Schema, crate::relations::Graph),
        options: &GraphOptions,
        style: &Style,
    ) -> String {
        render(&View::graded(&sample.0, &sample.1, options, &plain_grade), style)
    }

    #[test]
    fn tree_of_a_schema_that_declares_nothing() {
        insta::assert_snapshot!("tree_builds", tree(&samples::builds(), &GraphOptions::default(), &Style::default()));
    }

    #[test]
    fn tree_in_ascii() {
        let style = Style { unicode: false, ..Style::default() };
        let text = tree(&samples::builds(), &GraphOptions::default(), &style);
        assert!(text.is_ascii());
        insta::assert_snapshot!("tree_ascii", text);
    }

    #[test]
    fn tree_with_actions_cycles_and_a_missing_parent() {
        insta::assert_snapshot!("tree_shop", tree(&samples::shop(), &GraphOptions::default(), &Style::default()));
    }

    #[test]
    fn root_and_depth_choose_a_part() {
        let options = GraphOptions { root: Some("projects".into()), depth: Some(1) };
        let text = tree(&samples::builds(), &options, &Style::default());
        assert!(text.starts_with("projects\n"), "{text}");
        assert!(text.contains("analysis_runs (project_id)"), "{text}");
        assert!(!text.contains("analysis_activity_logs") && !text.contains("users"), "{text}");
    }

    #[test]
    fn lines_that_are_too_long_go_on_below_their_name() {
        let long = "a_table_with_a_name_that_takes_half_of_a_line";
        let s = schema(
            Engine::Postgres,
            &[
                "p: id int8 pk",
                &format!("{long}: id int8 pk, the_column_that_refers int8 >p.id"),
                &format!("small: c int8 >{long}.id index"),
            ],
        );
        let g = samples::graph(&s, vec![]);
        let text = tree(&(s, g), &GraphOptions::default(), &Style::default());
        let expected = format!(
            "p\n└── {long} (the_column_that_refers)\n    │   NO ACTION · nullable · no index\n    └── small (c)  NO ACTION · \
             nullable\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn tree_is_as_long_as_the_graph_however_many_paths_there_are() {
        // Two ways from each table to the next: 2^20 paths.
        let mut lines = vec!["t0: id int8 pk".to_string()];
        lines.extend(
            (1..=20)
                .map(|i| format!("t{i}: id int8 pk, a int8 not-null >t{p}.id, b int8 not-null >t{p}.id", p = i - 1)),
        );
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let s = schema(Engine::Postgres, &lines);
        let g = samples::graph(&s, vec![]);
        let style = Style { width: 200, ..Style::default() };
        assert_eq!(tree(&(s, g), &GraphOptions::default(), &style).lines().count(), 41);
    }
}
