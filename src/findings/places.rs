//! From bytes of files to what people read: paths, lines, columns. And from a schema's findings to their bytes.

use std::collections::BTreeMap;

use super::{Fact, Finding, Label, Location, Subject, SubjectKind};
use crate::schema::{ForeignKey, Schema, Table, TableName};
use crate::source::History;
use crate::source::history::Place;
use crate::text::said;

/// The files of a history, ready to be asked for lines.
pub struct Places<'h> {
    history: &'h History,
    /// Where every line of every file begins.
    lines: Vec<Vec<usize>>,
}

impl<'h> Places<'h> {
    /// Reads where lines begin.
    pub fn new(history: &'h History) -> Self {
        let starts = |text: &str| {
            let after = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
            std::iter::once(0).chain(after).collect()
        };
        Self { history, lines: history.files.iter().map(|f| starts(&f.text)).collect() }
    }

    /// Returns the history.
    pub fn history(&self) -> &'h History {
        self.history
    }

    /// Makes a location of a place; `None` if the place is in no file.
    pub fn location(&self, place: Place, label: impl Into<String>) -> Option<Location> {
        let file = self.history.files.get(place.file)?;
        let (start, end) = (place.span.start.min(file.text.len()), place.span.end.min(file.text.len()));
        if start >= end {
            return None;
        }
        let (line, column) = self.line_and_column(place.file, start)?;
        let (end_line, end_column) = self.line_and_column(place.file, end)?;
        let label = said(label);
        Some(Location { file: file.path.clone(), line, column, end_line, end_column, start, end, label, shows: None })
    }

    /// Makes a location of a place's first line: of a whole statement its head is enough.
    pub fn head(&self, place: Place, label: impl Into<String>) -> Option<Location> {
        let mut place = place;
        let text = self.history.text(place);
        if let Some(length) = text.find(['\n', '\r']) {
            place.span.end = place.span.start + text[..length].trim_end().len();
        }
        self.location(place, label)
    }

    fn line_and_column(&self, file: usize, at: usize) -> Option<(usize, usize)> {
        let starts = self.lines.get(file)?;
        let line = starts.partition_point(|s| *s <= at).checked_sub(1)?;
        let before = self.history.files.get(file)?.text.get(*starts.get(line)?..at)?;
        Some((line + 1, before.chars().count() + 1))
    }

    /// Gives findings about a schema their places, where they have none: what they are about, and each of their facts.
    pub fn locate(&self, findings: &mut [Finding], schema: &Schema) {
        if self.history.files.is_empty() {
            return;
        }
        let holders = Holders::of(schema);
        for finding in findings.iter_mut().filter(|f| f.locations.is_empty()) {
            finding.locations = self.of(finding, schema, &holders);
        }
    }

    fn of(&self, finding: &Finding, schema: &Schema, holders: &Holders) -> Vec<Location> {
        // Each with the number of its label; the subject itself has none.
        let mut facts: Vec<(Place, Option<usize>)> = Vec::new();
        for (number, label) in finding.labels.iter().enumerate() {
            if let Some(place) = self.fact(finding, schema, holders, label)
                && facts.iter().all(|(p, _)| *p != place)
            {
                facts.push((place, Some(number)));
            }
        }
        let subject = self.subject(&finding.subject, schema);
        if finding.is_contradiction && !facts.is_empty() {
            facts.sort_by_key(|fact| std::cmp::Reverse(fact.0));
        } else if let Some(subject) = subject {
            // The fact that lies within the subject says it more exactly.
            let inside = |p: &Place| {
                p.file == subject.file && p.span.start >= subject.span.start && p.span.end <= subject.span.end
            };
            match facts.iter().position(|(p, _)| inside(p)) {
                Some(at) => facts[..=at].rotate_right(1),
                None => facts.insert(0, (subject, None)),
            }
        }
        let shown = |(place, number): (Place, Option<usize>)| {
            let text = number.and_then(|n| finding.labels.get(n)).map_or("", |l| &l.text);
            Some(Location { shows: number, ..self.head(place, text)? })
        };
        facts.into_iter().filter_map(shown).collect()
    }

    fn subject(&self, subject: &Subject, schema: &Schema) -> Option<Place> {
        let table = subject.table.as_ref()?;
        let origins = self.history.origins.table(table)?;
        let column = || subject.columns.first().and_then(|c| origins.columns.get(c)).map(|c| c.declared);
        match subject.kind {
            SubjectKind::Database => None,
            SubjectKind::Table => Some(origins.created),
            SubjectKind::Column | SubjectKind::Relation => column().or(Some(origins.created)),
            SubjectKind::Index => subject.name.as_ref().and_then(|n| origins.indexes.get(n).copied()).or_else(column),
            SubjectKind::ForeignKey => {
                let key = key_of(schema.table(table)?, |k| k.columns == subject.columns && k.name == subject.name)
                    .and_then(|k| self.history.origins.foreign_key(table, k));
                key.map(|k| k.declared).or_else(column)
            }
        }
    }

    /// Finds the bytes of a fact: `users.workspace_id` / `NOT NULL`, `users_fk` / `ON DELETE SET NULL`.
    fn fact(&self, finding: &Finding, schema: &Schema, holders: &Holders, label: &Label) -> Option<Place> {
        let origins = &self.history.origins;
        let (place, fact) = (label.place.as_str(), label.fact);
        let own = finding.subject.table.as_ref().and_then(|t| schema.table(t));
        let key = |table: &Table| -> Option<Place> {
            let named = key_of(table, |k| k.name.as_deref() == Some(place));
            let plain = || {
                let is = |k: &ForeignKey| crate::relations::side(&table.name, &k.columns) == place;
                key_of(table, |k| is(k) && k.columns == finding.subject.columns).or_else(|| key_of(table, is))
            };
            let key = named.or_else(|| if fact.is_about_key() { plain() } else { None })?;
            let known = origins.foreign_key(&table.name, key)?;
            let clause = match fact {
                Fact::OnDelete | Fact::OnDeleteAdvised => known.on_delete,
                Fact::OnUpdate => known.on_update,
                _ => None,
            };
            Some(clause.unwrap_or(known.declared))
        };
        if let Some(found) = own.and_then(key) {
            return Some(found);
        }
        if let Some((table, column)) = place.rsplit_once('.')
            && let Ok(table) = table.parse::<TableName>()
            && let Some(known) = origins.column(&table, column)
        {
            return Some(match fact {
                Fact::NotNull | Fact::PrimaryKey => known.nullable,
                Fact::Default => known.default.unwrap_or(known.declared),
                Fact::Type => known.data_type,
                _ => known.declared,
            });
        }
        if let Some(index) = own.and_then(|t| origins.index(&t.name, place)) {
            return Some(index);
        }
        // The names of constraints are those of one table; another table's is meant where this one has none.
        holders.tables(schema, place).find_map(key)
    }
}

/// Which tables hold a key that a fact's place may mean, so that a fact about another table's key costs no search of all.
struct Holders(BTreeMap<String, Vec<usize>>);

impl Holders {
    fn of(schema: &Schema) -> Self {
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, table) in schema.tables.iter().enumerate() {
            for key in &table.foreign_keys {
                let side = crate::relations::side(&table.name, &key.columns);
                for place in key.name.clone().into_iter().chain([side]) {
                    let tables = holders.entry(place).or_default();
                    if tables.last() != Some(&at) {
                        tables.push(at);
                    }
                }
            }
        }
        Self(holders)
    }

    /// Returns the tables with a key of that name or those columns, in the schema's order.
    fn tables<'s>(&self, schema: &'s Schema, place: &str) -> impl Iterator<Item = &'s Table> {
        self.0.get(place).into_iter().flatten().filter_map(|at| schema.tables.get(*at))
    }
}

fn key_of(table: &Table, is: impl Fn(&ForeignKey) -> bool) -> Option<&ForeignKey> {
    table.foreign_keys.iter().find(|k| is(k))
}
