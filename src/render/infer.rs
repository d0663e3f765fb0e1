//! What inference proposes: `text`, `markdown`, `json`.

use serde::Serialize;

use super::document::{self, Block, Document, Form, Item, Lead, Line, Span, Table, plain, prose};
use super::json::pretty;
use super::style::{Style, count, thousands};
use crate::hints::Hint;
use crate::infer::{Advised, Class, Counts, IndexNeed, Inference, PolymorphicPair, Proposal, UnusedHint};
use crate::relations::side;
use crate::schema::TableName;

/// The format's name and version. It changes when a reader of the old one would be misled.
pub const FORMAT: &str = "referee-relations/1";

/// The formats of an inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InferFormat {
    /// For a reader at a terminal.
    #[default]
    Text,
    /// A document for people.
    Markdown,
    /// referee's own document.
    Json,
}

impl InferFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Text, Self::Markdown, Self::Json];

    /// Returns the name a user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Json => "json",
        }
    }
}

/// Writes an inference.
pub fn render(format: InferFormat, source: &str, inference: &Inference, style: &Style) -> String {
    match format {
        InferFormat::Text => {
            let arrow = if style.unicode { "→" } else { "->" };
            document::text::write(&document(source, inference, Form::Short, arrow), style)
        }
        InferFormat::Markdown => document::markdown::write(&document(source, inference, Form::Long, "→")),
        InferFormat::Json => json(source, inference),
    }
}

/// Says in a line what was found.
fn headline(inference: &Inference) -> String {
    // What few rows bear out, or not all of them, is not called verified.
    let is_short = |p: &Proposal| p.class == Class::Verified && p.standing() != Class::Verified.as_str();
    let of = |class: Class| {
        inference.proposals.iter().filter(|a| a.proposal.class == class && !is_short(&a.proposal)).count()
    };
    let short = inference.proposals.iter().filter(|a| is_short(&a.proposal)).count();
    let mut parts = vec![format!("{} that nothing declares", count(inference.proposals.len(), "relation"))];
    for class in [Class::Verified, Class::NamesOnly, Class::Weak, Class::Contradicted] {
        if of(class) > 0 {
            parts.push(format!("{} {}", of(class), class.as_str()));
        }
        if class == Class::Verified && short > 0 {
            parts.push(format!("{short} with few rows or some orphans"));
        }
    }
    if !inference.held_back.is_empty() {
        parts.push(format!("{} not proposed", inference.held_back.len()));
    }
    if inference.known > 0 {
        parts.push(format!("{} known already", inference.known));
    }
    parts.join(", ")
}

/// Says what the rows say of a relation.
fn rows(counts: Counts) -> String {
    let Counts { rows, orphans, exact } = counts;
    let what = match (exact, orphans) {
        (true, 0) => "no orphan".to_string(),
        (true, n) => format!("{} without a parent", thousands(n)),
        (false, 0) => "all found; the rest was not read".to_string(),
        (false, n) => format!("{} without a parent; the rest was not read", thousands(n)),
    };
    format!("{} {}: {what}", thousands(rows), if exact { "rows refer" } else { "values sampled" })
}

fn index(advised: &Advised) -> String {
    let columns = advised.proposal.columns.join(", ");
    match &advised.index {
        IndexNeed::Served(name) => format!("{name} serves the look-up"),
        IndexNeed::Helped => format!("an index helps, but not on all of ({columns})"),
        IndexNeed::Missing => format!("none serves the look-up; add one on {} ({columns})", advised.proposal.child),
    }
}

/// Says what was found. `arrow` stands between a child and its parent.
fn document(source: &str, inference: &Inference, form: Form, arrow: &str) -> Document {
    let long = form == Form::Long;
    let mut report = match form {
        Form::Short => {
            vec![Block::Paragraph(vec![Span::name(source), Span::Prose(format!(": {}", headline(inference)))])]
        }
        Form::Long => vec![
            Block::heading(1, vec![Span::Plain("Relations of ".to_string()), Span::name(source)]),
            Block::Paragraph(prose(format!("{}.", headline(inference)))),
        ],
    };
    if long && !inference.proposals.is_empty() {
        report.push(Block::Table(table(inference)));
    }
    for advised in &inference.proposals {
        let p = &advised.proposal;
        let beside = if long {
            Line::new()
        } else {
            vec![Span::Plain(format!("{:.2}", p.confidence)), Span::Space(2), Span::Plain(p.standing().to_string())]
        };
        report.push(Block::Heading { level: 2, line: relation(p, arrow), beside });
        report.push(Block::Indented(2, vec![Block::List(facts(advised))]));
    }
    for (p, why) in &inference.held_back {
        let mut title = relation(p, arrow);
        title.push(Span::Plain(format!(": not proposed ({:.2})", p.confidence)));
        let why = Block::Paragraph(prose(format!("{why}.")));
        report.extend([Block::heading(2, title), Block::Indented(2, vec![why])]);
    }
    for pair in &inference.polymorphic {
        let end = if long { "." } else { "" };
        if long {
            report.push(Block::heading(2, vec![Span::name(format!("{}.{}", pair.table, pair.id_column))]));
        }
        report.extend([Block::Gap, Block::Paragraph(prose(format!("{}{end}", pair_title(pair))))]);
        report.push(Block::below(&Lead::None, pair.targets.iter().map(|t| prose(pair_target(t)))));
    }
    if !inference.unused_hints.is_empty() {
        let number = count(inference.unused_hints.len(), "hint");
        report.push(Block::heading(2, plain(format!("{number} not used"))));
        report.push(Block::below(&Lead::None, inference.unused_hints.iter().map(|u| prose(unused_hint(u)))));
    }
    if let Some(read) = inference.rows.as_ref().filter(|r| r.out_of_time) {
        let tables = count(read.tables, "table");
        let text = format!("Time ran out after {tables}: give more with --budget, or read no rows with --no-data.");
        report.extend([Block::Gap, Block::Paragraph(plain(text))]);
    }
    report
}

fn table(inference: &Inference) -> Table {
    let mut table = Table::new(&["child", "parent", "#confidence", "class", "#orphans", "ON DELETE"]);
    for Advised { proposal: p, action, .. } in &inference.proposals {
        let orphans = p.counts.map_or("unknown".to_string(), |c| thousands(c.orphans));
        let sides = [side(&p.child, &p.columns), side(&p.parent, &p.parent_columns)];
        let words = [format!("{:.2}", p.confidence), p.standing().to_string(), orphans, action.action.to_string()];
        table.row(sides.into_iter().map(|s| vec![Span::name(s)]).chain(words.into_iter().map(plain)));
    }
    table
}

fn relation(p: &Proposal, arrow: &str) -> Line {
    let (child, parent) = (side(&p.child, &p.columns), side(&p.parent, &p.parent_columns));
    vec![Span::name(child), Span::Plain(format!(" {arrow} ")), Span::name(parent)]
}

/// Says what speaks for a relation and against it, what a delete should do, and what serves the look-up.
fn facts(advised: &Advised) -> Vec<Item> {
    let p = &advised.proposal;
    let item = |column: String, words: &str, line: Line| Item {
        depth: 0,
        lead: Lead::Label { column, words: words.to_string() },
        line,
    };
    let mut items = Vec::new();
    items.extend(p.counts.map(|counts| item("rows   ".into(), "", plain(rows(counts)))));
    for (feature, adds) in p.evidence.iter().filter(|(f, _)| !f.says.is_empty()) {
        items.push(item(format!("{adds:+5.1}  "), &format!("{adds:+.1}: "), prose(&feature.says)));
    }
    let delete = format!("ON DELETE {}: {}", advised.action.action, advised.action.rationale);
    items.push(item("delete ".into(), "", prose(delete)));
    items.push(item("index  ".into(), "index: ", prose(index(advised))));
    for other in &p.runners_up {
        let confidence = format!(" ({:.2})", other.confidence);
        let line = vec![Span::name(side(&other.parent, &other.parent_columns)), Span::Plain(confidence)];
        items.push(item("or     ".into(), "or ", line));
    }
    items
}

fn unused_hint(unused: &UnusedHint) -> String {
    let UnusedHint { hint, why } = unused;
    format!("{} ({}): {}", hint.relation(), hint.says(), why.says())
}

fn pair_title(pair: &PolymorphicPair) -> String {
    format!(
        "{}.{} refers to a table that {} names: polymorphic, so no foreign key can be declared",
        pair.table, pair.id_column, pair.type_column
    )
}

fn pair_target(target: &crate::infer::Target) -> String {
    let rows = thousands(target.rows);
    match &target.parent {
        Some((table, key)) if target.orphans == 0 => {
            format!("`{}`: {table}.{key}, {rows} rows, no orphan", target.kind)
        }
        Some((table, key)) => {
            format!("`{}`: {table}.{key}, {rows} rows, {} without a parent", target.kind, thousands(target.orphans))
        }
        None => format!("`{}`: no table is called so, {rows} rows", target.kind),
    }
}

#[derive(Serialize)]
struct Json<'a> {
    format: &'a str,
    source: &'a str,
    relations: Vec<RelationOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_proposed: Vec<HeldOut<'a>>,
    polymorphic: Vec<PairOut<'a>>,
    rows: Option<RowsOut<'a>>,
    unused_hints: Vec<UnusedHintOut<'a>>,
}

#[derive(Serialize)]
struct Side<'a> {
    table: &'a TableName,
    columns: &'a [String],
}

#[derive(Serialize)]
struct RelationOut<'a> {
    /// As `referee infer --accept` takes it.
    relation: String,
    child: Side<'a>,
    parent: Side<'a>,
    status: &'a str,
    acted_on: bool,
    confidence: f64,
    class: Class,
    rows: Option<u64>,
    orphans: Option<u64>,
    exact: bool,
    on_delete: crate::schema::Action,
    rationale: &'a str,
    index: Option<&'a str>,
    evidence: Vec<EvidenceOut<'a>>,
    runners_up: Vec<RunnerUpOut<'a>>,
}

#[derive(Serialize)]
struct HeldOut<'a> {
    child: Side<'a>,
    parent: Side<'a>,
    confidence: f64,
    reason: &'a str,
}

#[derive(Serialize)]
struct EvidenceOut<'a> {
    feature: &'a str,
    value: f64,
    adds: f64,
    says: &'a str,
}

#[derive(Serialize)]
struct RunnerUpOut<'a> {
    parent: Side<'a>,
    confidence: f64,
}

#[derive(Serialize)]
struct PairOut<'a> {
    table: &'a TableName,
    type_column: &'a str,
    id_column: &'a str,
    targets: Vec<TargetOut<'a>>,
}

#[derive(Serialize)]
struct TargetOut<'a> {
    kind: &'a str,
    table: Option<&'a TableName>,
    column: Option<&'a str>,
    rows: u64,
    orphans: u64,
}

#[derive(Serialize)]
struct UnusedHintOut<'a> {
    hint: &'a Hint,
    why: String,
}

#[derive(Serialize)]
struct RowsOut<'a> {
    tables: usize,
    out_of_time: bool,
    failures: &'a [String],
}

fn json(source: &str, inference: &Inference) -> String {
    let rounded = |x: f64| (x * 1000.0).round() / 1000.0;
    let relations = inference.proposals.iter().map(|a| {
        let p = &a.proposal;
        RelationOut {
            child: Side { table: &p.child, columns: &p.columns },
            parent: Side { table: &p.parent, columns: &p.parent_columns },
            relation: crate::relations::write(&p.child, &p.columns, &p.parent, &p.parent_columns),
            status: "inferred",
            acted_on: false,
            confidence: p.confidence,
            class: p.class,
            rows: p.counts.map(|c| c.rows),
            orphans: p.counts.map(|c| c.orphans),
            exact: p.counts.is_some_and(|c| c.exact),
            on_delete: a.action.action,
            rationale: &a.action.rationale,
            index: match &a.index {
                IndexNeed::Served(name) => Some(name.as_str()),
                IndexNeed::Helped | IndexNeed::Missing => None,
            },
            evidence: p
                .evidence
                .iter()
                .map(|(f, adds)| EvidenceOut {
                    feature: f.name,
                    value: rounded(f.value),
                    adds: rounded(*adds),
                    says: &f.says,
                })
                .collect(),
            runners_up: p
                .runners_up
                .iter()
                .map(|r| RunnerUpOut {
                    parent: Side { table: &r.parent, columns: &r.parent_columns },
                    confidence: r.confidence,
                })
                .collect(),
        }
    });
    let held = inference.held_back.iter().map(|(p, why)| HeldOut {
        child: Side { table: &p.child, columns: &p.columns },
        parent: Side { table: &p.parent, columns: &p.parent_columns },
        confidence: p.confidence,
        reason: why,
    });
    let pairs = inference.polymorphic.iter().map(|p| PairOut {
        table: &p.table,
        type_column: &p.type_column,
        id_column: &p.id_column,
        targets: p
            .targets
            .iter()
            .map(|t| TargetOut {
                kind: &t.kind,
                table: t.parent.as_ref().map(|(table, _)| table),
                column: t.parent.as_ref().map(|(_, key)| key.as_str()),
                rows: t.rows,
                orphans: t.orphans,
            })
            .collect(),
    });
    let rows = inference.rows.as_ref().map(|r| RowsOut {
        tables: r.tables,
        out_of_time: r.out_of_time,
        failures: &r.failures,
    });
    let unused = inference.unused_hints.iter().map(|u| UnusedHintOut { hint: &u.hint, why: u.why.says() });
    let document = Json {
        format: FORMAT,
        source,
        relations: relations.collect(),
        not_proposed: held.collect(),
        polymorphic: pairs.collect(),
        rows,
        unused_hints: unused.collect(),
    };
    // Plain structs of texts and numbers cannot fail to be written.
    pretty(&document)
}
