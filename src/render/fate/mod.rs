//! What becomes of every table when a row of one is deleted: one file per format, and the ranking of all tables.

pub mod json;
pub mod markdown;
pub mod mermaid;
pub mod ranking;
pub mod svg;
pub mod text;

use std::collections::BTreeSet;

use super::document::{Line, Span, Tone};
use super::style::thousands;
use crate::fate::{
    ActorKind, Assumption, Blocked, Counted, Effect, Fate, May, RelationOutcome, TableFate, TableOutcome, Verdict,
};
use crate::schema::TableName;
use crate::text::argument;

/// The commands that are printed, with the source they are about: `referee fix shop.db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// Says what a delete comes to.
    pub fate: String,
    /// Plans the fix.
    pub fix: String,
    /// Accepts guesses.
    pub infer: String,
}

impl Default for Commands {
    fn default() -> Self {
        let of = |verb: &str| format!("referee {verb} SOURCE");
        Self { fate: of("fate"), fix: of("fix"), infer: of("infer") }
    }
}

impl Commands {
    /// Writes the command that plans the fix of a delete with one choice.
    fn choose(&self, root: &TableName, place: &str, word: &str) -> String {
        format!("{} --choose {}", self.root(root), argument(&format!("{place}={word}")))
    }

    /// Writes the command that plans the fix of a delete.
    fn root(&self, root: &TableName) -> String {
        format!("{} --root={}", self.fix, argument(&root.to_string()))
    }
}

/// Says what relation by relation blocks a delete: `4 orders, 1 addresses`; `None` if nothing can.
fn blocked(counted: &[Counted]) -> Option<String> {
    let all: Vec<(&TableName, &Blocked)> =
        counted.iter().flat_map(|c| c.blocking.iter().map(move |b| (&c.table, b))).collect();
    let one = |(table, blocked): &(&TableName, &Blocked)| {
        let twice = all.iter().filter(|(t, _)| t == table).count() > 1;
        let by = if twice { format!(" (by {})", blocked.relation) } else { String::new() };
        match blocked.rows {
            Some(rows) if rows > 0 && !blocked.exact => format!("up to {} {table}{by}", thousands(rows)),
            Some(rows) => format!("{} {table}{by}", thousands(rows)),
            None => format!("{table}{by} not counted"),
        }
    };
    let listed: Vec<String> = all.iter().map(one).collect();
    let none = all.iter().all(|(_, b)| b.rows == Some(0));
    match (all.is_empty(), none) {
        (true, _) => None,
        (_, true) => Some(format!("no row ({})", listed.join(", "))),
        (_, false) => Some(listed.join(", ")),
    }
}

/// Says what a delete comes to, as part of a sentence.
fn comes_to(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Complete => "every delete succeeds and leaves nothing behind",
        Verdict::LeavesRows => "every delete succeeds, and some rows stay without their parent",
        Verdict::LeavesOrphans => "every delete succeeds, and orphans stay behind",
        Verdict::DependsOnData => "a delete succeeds unless there are certain rows",
        Verdict::DependsOnOrder => "the order in which foreign keys fire decides whether a delete succeeds",
        Verdict::Refused => "child rows still block the delete",
        Verdict::Fails => "the delete still fails",
    }
}

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
    let mut open: Vec<(usize, &RelationOutcome)> = roots(fate).rev().map(|r| (0, r)).collect();
    while let Some((depth, relation)) = open.pop() {
        lines.push((depth, relation));
        let goes = fate.tables.iter().any(|t| t.table == relation.child && t.depth == Some(relation.path.len()));
        if goes && expanded.insert(&relation.child) {
            open.extend(children(fate, &relation.child).rev().map(|r| (depth + 1, r)));
        }
    }
    lines
}

/// Returns the relations of the root, and of the tables that inherit from it, whose rows the same statement deletes.
fn roots(fate: &Fate) -> impl DoubleEndedIterator<Item = &RelationOutcome> {
    let is_root = |table: &TableName| fate.tables.iter().any(|t| t.table == *table && t.depth == Some(0));
    fate.relations.iter().filter(move |r| is_root(&r.parent))
}

fn children<'f>(fate: &'f Fate, parent: &'f TableName) -> impl DoubleEndedIterator<Item = &'f RelationOutcome> {
    fate.relations.iter().filter(move |r| r.parent == *parent)
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Complete => Tone::Good,
        Verdict::LeavesRows => Tone::Note,
        Verdict::LeavesOrphans | Verdict::DependsOnData | Verdict::DependsOnOrder => Tone::Doubt,
        Verdict::Refused | Verdict::Fails => Tone::Bad,
    }
}

/// Words of ours, and the spaces that make them so many columns wide.
fn padded(text: &str, to: usize) -> Line {
    vec![Span::Plain(text.to_string()), Span::Space(to.saturating_sub(text.len()))]
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

/// Names the trigger that surely keeps every row of a table below the root as it is, whatever the keys do to it.
fn kept_by<'f>(fate: &'f Fate, table: &TableName, event: &str) -> Option<&'f str> {
    let keeps = |a: &&Assumption| {
        a.kind == ActorKind::Trigger
            && a.table == *table
            && a.certain
            && a.may.first() == Some(&May::Skip)
            && a.when.ends_with(event)
    };
    fate.assumptions.iter().find(keeps).filter(|_| *table != fate.root).map(|a| a.name.as_str())
}

/// Says what becomes of a relation's rows where a trigger surely has them do something else than the key says.
fn instead(fate: &Fate, relation: &RelationOutcome) -> Option<String> {
    if kept_by(fate, &relation.parent, "DELETE").is_some() {
        return Some("not reached".to_string());
    }
    let event = match relation.effect {
        Effect::Deletes => "DELETE",
        Effect::Nulls | Effect::SetsDefault => "UPDATE",
        _ => return None,
    };
    let trigger = kept_by(fate, &relation.child, event)?;
    Some(format!("stays: trigger {trigger} keeps every row"))
}

/// Puts what becomes of rows under the condition that the delete succeeds, where it does not.
fn would(fate: &Fate, word: &str) -> String {
    let stopped = matches!(fate.verdict, Verdict::Refused | Verdict::Fails);
    if stopped { format!("would be {word}") } else { word.to_string() }
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
    use super::super::{FateFormat, Style, fate as render_with};
    use super::{Commands, blocked};
    use crate::fate::{Blocked, Counted};
    use crate::fate::{Options, Rank, fate};
    use crate::schema::Engine;
    use crate::testing::{graph, schema};

    fn render(format: FateFormat, fate: &crate::fate::Fate, counted: Option<&[Counted]>, style: &Style) -> String {
        render_with(format, fate, counted, &Commands::default(), style)
    }

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
        insta::assert_snapshot!(super::ranking::text(&ranks, &Commands::default(), &Style::default()));
    }

    fn counted(table: &str, blocking: &[(&str, Option<u64>, bool)]) -> Counted {
        let blocked = |(relation, rows, exact): &(&str, Option<u64>, bool)| Blocked {
            relation: (*relation).to_string(),
            rows: *rows,
            exact: *exact,
        };
        Counted {
            table: table.into(),
            depth: None,
            deleted: (table == "users").then_some(0),
            updated: None,
            orphaned: None,
            estimate: None,
            blocking: blocking.iter().map(blocked).collect(),
            uncounted: None,
            newly_deleted: None,
        }
    }

    #[test]
    fn rows_that_block_are_named_zero_is_a_number_and_unknown_is_said() {
        let all = [
            counted("users", &[]),
            counted("orders", &[("orders.user_id", Some(4), true)]),
            counted("addresses", &[("addresses.user_id", Some(0), true)]),
            counted("notes", &[("notes.user_id", None, true)]),
            counted("links", &[("links.a", Some(3), true), ("links.b", Some(2), false)]),
        ];
        let said = "4 orders, 0 addresses, notes not counted, 3 links (by links.a), up to 2 links (by links.b)";
        assert_eq!(blocked(&all).as_deref(), Some(said));
        assert_eq!(blocked(&all[2..3]).as_deref(), Some("no row (0 addresses)"));
        assert_eq!(blocked(&all[..1]), None);
        let text = render(FateFormat::Text, &sample(), Some(&all[..4]), &Style::default());
        for line in [
            "  Blocked by: 4 orders, 0 addresses, notes not counted\n",
            "  users      0 deleted\n",
            "  notes      blocking by notes.user_id: not counted\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let text = render(FateFormat::Text, &sample(), Some(&[counted("orders", &[])]), &Style::default());
        assert!(text.contains("  orders  not counted\n"), "{text}");
    }

    #[test]
    fn printed_commands_name_the_source_and_a_choice_is_one_of_fix() {
        let commands = Commands { fix: "referee fix shop.db".to_string(), ..Commands::default() };
        let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int8 not-null >users.id"];
        let s = schema(Engine::Postgres, &lines);
        let fate = fate(&s, &graph(&s), &Options::default(), &"users".into()).unwrap();
        let said = render_with(FateFormat::Text, &fate, None, &commands, &Style::default());
        assert!(said.contains("    referee fix shop.db --root=users --choose orders.user_id=cascade\n"), "{said}");
        assert!(!said.contains("SOURCE"), "{said}");
    }
}
