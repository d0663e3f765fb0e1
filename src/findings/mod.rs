//! Findings: what is wrong, as data. Rules make them, suppression and baselines sort them, renderers show them.

pub mod baseline;
mod fingerprint;
pub mod ignores;
pub mod places;
mod rule;
pub mod suppress;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::relations::{Relation, side};
use crate::schema::{Action, ForeignKey, Index, TableName};
use crate::text::said;

pub use rule::{Meta, RuleId, by_name};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Will hurt some day: a slow delete, a surprise, a row without its parent.
    Warning,
    /// Fails or loses rows now.
    Error,
}

impl Severity {
    /// Returns `info`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The kind of object.
    pub kind: SubjectKind,
    /// The table it belongs to; `None` for the database as a whole.
    pub table: Option<TableName>,
    /// The columns concerned, in the object's order.
    pub columns: Vec<String>,
    /// The object's own name, where it has one: the constraint's or the index's.
    pub name: Option<String>,
}

/// Kinds of [`Subject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SubjectKind {
    Database,
    Table,
    Column,
    /// A relation that no foreign key declares.
    Relation,
    ForeignKey,
    Index,
}

impl Subject {
    /// The database as a whole.
    pub fn database() -> Self {
        Self { kind: SubjectKind::Database, table: None, columns: Vec::new(), name: None }
    }

    /// A table.
    pub fn table(table: &TableName) -> Self {
        Self { kind: SubjectKind::Table, table: Some(table.clone()), columns: Vec::new(), name: None }
    }

    /// A column.
    pub fn column(table: &TableName, column: &str) -> Self {
        Self { kind: SubjectKind::Column, table: Some(table.clone()), columns: vec![column.to_string()], name: None }
    }

    /// A declared foreign key.
    pub fn foreign_key(child: &TableName, key: &ForeignKey) -> Self {
        Self {
            kind: SubjectKind::ForeignKey,
            table: Some(child.clone()),
            columns: key.columns.clone(),
            name: key.name.clone(),
        }
    }

    /// A relation: its foreign key if it is declared.
    pub fn relation(relation: &Relation) -> Self {
        match relation.foreign_key() {
            Some(key) => Self::foreign_key(&relation.child, key),
            None => Self {
                kind: SubjectKind::Relation,
                table: Some(relation.child.clone()),
                columns: relation.columns.clone(),
                name: None,
            },
        }
    }

    /// An index.
    pub fn index(table: &TableName, index: &Index) -> Self {
        let columns = index.parts.iter().filter_map(|p| p.column.clone()).collect();
        Self { kind: SubjectKind::Index, table: Some(table.clone()), columns, name: Some(index.name.clone()) }
    }

    /// Writes `orders.customer_id`, `orders` or `database`.
    pub fn place(&self) -> String {
        self.table.as_ref().map_or_else(|| "database".to_string(), |t| side(t, &self.columns))
    }
}

/// One side of a contradiction, or another fact that the finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Label {
    /// Where: `users.primary_workspace_id`, a constraint, an index.
    pub place: String,
    /// What is there: `NOT NULL`, `ON DELETE SET NULL`.
    pub text: String,
    /// What kind of fact that is.
    pub fact: Fact,
}

/// What a [`Label`] states. Whatever acts on it goes by this; its text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// A column cannot be NULL.
    NotNull,
    /// A column is part of the primary key.
    PrimaryKey,
    /// A column has this default.
    Default,
    /// A column has this type or collation.
    Type,
    /// A foreign key does this when a parent row is deleted.
    OnDelete,
    /// A foreign key does this when a parent row's key changes.
    OnUpdate,
    /// A foreign key should do this when a parent row is deleted.
    OnDeleteAdvised,
    /// A foreign key refers to this.
    References,
    /// A foreign key was made without a look at the rows.
    NotValid,
    /// A foreign key is not enforced.
    NotEnforced,
    /// Anything else.
    Other,
}

impl Fact {
    /// Tells whether it is about a foreign key as a whole, so that its place may be the key's columns.
    pub fn is_about_key(self) -> bool {
        match self {
            Self::OnDelete
            | Self::OnUpdate
            | Self::OnDeleteAdvised
            | Self::References
            | Self::NotValid
            | Self::NotEnforced => true,
            Self::NotNull | Self::PrimaryKey | Self::Default | Self::Type | Self::Other => false,
        }
    }
}

/// The `ON DELETE` action that is advised for the foreign key a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Why, in a sentence.
    pub rationale: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ON DELETE {} is advised: {}", self.action, self.rationale)
    }
}

/// Bytes of a file that a finding rests on. Lines and columns are counted from 1, columns in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The file, as the user would type it.
    pub file: String,
    /// The line of the first character.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// The line of the last character.
    pub end_line: usize,
    /// The column after the last character.
    pub end_column: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// What is there: `ON DELETE SET NULL`. Empty if the finding's message says it.
    pub label: String,
    /// Which of the finding's labels is seen here, by its place among them, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<usize>,
}

impl Location {
    /// Says which of the finding's labels is seen here.
    #[must_use]
    pub fn showing(self, label: usize) -> Self {
        Self { shows: Some(label), ..self }
    }
}

/// A query and what it returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The statement, runnable as it is.
    pub query: String,
    /// What came back, for a reader: `3 rows: 17, 29, 31`.
    pub returned: String,
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What it does, in the imperative: `Add the foreign key`.
    pub title: String,
    /// What can be promised of it.
    pub safety: Safety,
    /// The changes it is made of, in order. Empty if the repair is not a change of the schema.
    pub changes: Vec<Change>,
    /// The SQL, where single statements of the engine make the changes; otherwise empty.
    pub sql: Vec<String>,
}

/// What can be promised of a [`Fix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Changes no row and refuses nothing that was accepted before.
    Safe,
    /// May be refused by rows that are there, or changes what later statements do.
    Unsafe,
    /// Needs a decision or knowledge that referee does not have.
    Manual,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Why it hurts.
    pub why: String,
    /// What to do.
    pub help: String,
    /// The facts it rests on; for a contradiction, both sides.
    pub labels: Vec<Label>,
    /// Whether these facts contradict each other: whichever of them came last causes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_contradiction: bool,
    /// The action that is advised for the foreign key; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// Where it is in the files that were read: the place that causes it first, then what it runs into. Empty for a database.
    pub locations: Vec<Location>,
    /// What was asked of the database, and its answer.
    pub evidence: Vec<Evidence>,
    /// Repairs, the recommended one first.
    pub fixes: Vec<Fix>,
    /// Identifies the finding from run to run: made of the code and the subject, never of a position or a count.
    pub fingerprint: String,
}

impl Finding {
    /// Makes a finding of a rule.
    pub fn new(meta: &'static Meta, subject: Subject, message: impl Into<String>) -> Self {
        Self {
            rule: meta.id(),
            severity: meta.severity,
            fingerprint: fingerprint::of(meta.code, &subject, ""),
            subject,
            message: said(message),
            why: String::new(),
            help: String::new(),
            labels: Vec::new(),
            is_contradiction: false,
            advice: None,
            locations: Vec::new(),
            evidence: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// Tells findings of one rule about one subject apart: `detail` becomes part of the fingerprint. It must not change
    /// from run to run.
    #[must_use]
    pub fn distinguished_by(mut self, detail: &str) -> Self {
        self.fingerprint = fingerprint::of(self.rule.code(), &self.subject, detail);
        self
    }

    /// Sets how bad it is, where that is not the rule's usual severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Says why it hurts.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = said(why);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = said(help);
        self
    }

    /// Adds a fact that it rests on, and of which nothing is known but its words.
    #[must_use]
    pub fn label(self, place: impl Into<String>, text: impl Into<String>) -> Self {
        self.fact(place, Fact::Other, text)
    }

    /// Adds a fact that it rests on.
    #[must_use]
    pub fn fact(mut self, place: impl Into<String>, fact: Fact, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.into(), text: said(text), fact });
        self
    }

    /// Says that its facts contradict each other, so that whichever of them came last causes it.
    #[must_use]
    pub fn contradiction(mut self) -> Self {
        self.is_contradiction = true;
        self
    }

    /// Says which action is advised, and shows it among the facts.
    #[must_use]
    pub fn advice(self, place: impl Into<String>, action: Action, rationale: impl Into<String>) -> Self {
        let advice = Advice { action, rationale: said(rationale) };
        let shown = self.fact(place, Fact::OnDeleteAdvised, advice.to_string());
        Self { advice: Some(advice), ..shown }
    }

    /// Says where it is; the first place added is the one that causes it.
    #[must_use]
    pub fn at(mut self, location: Option<Location>) -> Self {
        self.locations.extend(location);
        self
    }

    /// Adds a query and what it returned.
    #[must_use]
    pub fn evidence(mut self, query: impl Into<String>, returned: impl Into<String>) -> Self {
        self.evidence.push(Evidence { query: query.into(), returned: said(returned) });
        self
    }

    /// Adds a repair; the first one added is the recommended one.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fixes.push(Fix { title: said(fix.title), ..fix });
        self
    }
}
