//! The counts that every report ends or begins with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Report;
use crate::findings::{Finding, RuleId, Severity};
use crate::relations::{Basis, Relation};
use crate::schema::TableName;
use crate::schema::facts::Client;

/// The counts of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How many tables were looked at; partitions count with their table.
    pub tables: usize,
    /// How many relations, by why referee believes in them.
    pub relations: RelationCounts,
    /// How many findings, the suppressed ones not counted.
    pub findings: usize,
    /// How many of them are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are information.
    pub infos: usize,
    /// How many findings were suppressed.
    pub suppressed: usize,
    /// How many findings each rule has, by the rule's name.
    pub by_rule: BTreeMap<String, usize>,
}

/// Relations, by why referee believes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelationCounts {
    /// By a foreign key.
    pub declared: usize,
    /// By names, types, rows.
    pub inferred: usize,
    /// By the user's word.
    pub configured: usize,
}

impl RelationCounts {
    /// Counts relations.
    pub fn of<'r>(relations: impl IntoIterator<Item = &'r Relation>) -> Self {
        let mut counts = Self::default();
        for relation in relations {
            match relation.basis {
                Basis::Declared { .. } => counts.declared += 1,
                Basis::Inferred { .. } => counts.inferred += 1,
                Basis::Configured => counts.configured += 1,
            }
        }
        counts
    }

    /// Returns how many there are.
    pub fn total(self) -> usize {
        self.declared + self.inferred + self.configured
    }

    /// Writes `24 relations (11 declared, 12 inferred, 1 configured)`; kinds that do not occur are left out.
    pub(super) fn sentence(self) -> String {
        let kinds = [(self.declared, "declared"), (self.inferred, "inferred"), (self.configured, "configured")];
        let kinds: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let total = super::style::count(self.total(), "relation");
        if kinds.is_empty() { total } else { format!("{total} ({})", kinds.join(", ")) }
    }
}

impl Summary {
    /// Counts a report.
    pub fn of(report: &Report) -> Self {
        let mut by_rule = BTreeMap::new();
        for finding in &report.findings {
            *by_rule.entry(finding.rule.to_string()).or_default() += 1;
        }
        Self {
            tables: report.schema.logical_tables().count(),
            relations: RelationCounts::of(report.relations.relations()),
            findings: report.findings.len(),
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            infos: report.count(Severity::Info),
            suppressed: report.suppressed.len(),
            by_rule,
        }
    }

    /// Writes `2 errors, 1 warning, 3 notes`; severities that do not occur are left out.
    pub(super) fn severities(&self) -> String {
        let kinds = [(self.errors, "error"), (self.warnings, "warning"), (self.infos, "note")];
        let kinds: Vec<String> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| super::style::count(*n, what)).collect();
        if kinds.is_empty() { "nothing found".to_string() } else { kinds.join(", ") }
    }
}

/// Says, where time to read rows ran out, what that means.
pub(super) fn out_of_time(report: &Report) -> Option<String> {
    let read = report.rows_read.as_ref().filter(|r| r.out_of_time)?;
    let tables = super::style::count(read.tables, "table");
    Some(format!(
        "Time to read rows ran out after {tables}: the guessed relations of the others were told by names alone, and which those \
         are may differ from run to run. Give more with --budget."
    ))
}

/// Findings by table, those about the database as a whole first, in the report's order.
pub(super) fn by_table(findings: &[Finding]) -> BTreeMap<Option<&TableName>, Vec<&Finding>> {
    let mut groups: BTreeMap<Option<&TableName>, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        groups.entry(finding.subject.table.as_ref()).or_default().push(finding);
    }
    groups
}

/// Names the engine and its version. That of a file is the version of whichever library opens it: here referee's own, and not the
/// application's.
pub(super) fn engine(report: &Report) -> String {
    let is_file = report.schema.engine.facts().scripts.client == Client::Sqlite3;
    match report.schema.version.filter(|_| !is_file) {
        Some(version) => format!("{} {version}", report.schema.engine),
        None => report.schema.engine.to_string(),
    }
}

/// One row of the table by rule: name, code, and the counts by severity, the worst and most frequent first.
pub(super) struct RuleRow {
    pub(super) rule: RuleId,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) infos: usize,
}

/// Counts findings by rule and severity.
pub(super) fn rule_rows(report: &Report) -> Vec<RuleRow> {
    let mut rows: BTreeMap<RuleId, RuleRow> = BTreeMap::new();
    for finding in &report.findings {
        let row = rows.entry(finding.rule).or_insert(RuleRow { rule: finding.rule, errors: 0, warnings: 0, infos: 0 });
        match finding.severity {
            Severity::Error => row.errors += 1,
            Severity::Warning => row.warnings += 1,
            Severity::Info => row.infos += 1,
        }
    }
    let mut rows: Vec<RuleRow> = rows.into_values().collect();
    rows.sort_by(|a, b| (b.errors, b.warnings, b.infos, a.rule).cmp(&(a.errors, a.warnings, a.infos, b.rule)));
    rows
}
