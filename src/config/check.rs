//! Holds a configuration against a schema: what names nothing is reported, never silently dropped.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, did_you_mean, nearest};
use super::{Config, PolicyEntry, RelationEntry};
use crate::relations::{ConfiguredRelation, Graph, side};
use crate::rules::policy::matching;
use crate::schema::{Schema, Table, TableName};

/// A configuration's relations as a schema spells them, and what in the configuration names nothing there.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The relations whose tables and columns are all there.
    pub relations: Vec<ConfiguredRelation>,
    /// A warning for each part that names nothing, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// Finds the tables and columns that relations name, as the schema spells them.
    pub fn resolve(&self, schema: &Schema) -> Resolved {
        let mut resolved = Resolved::default();
        for entry in &self.relations {
            if let Some(relation) = relation(entry, schema, &mut resolved.warnings) {
                resolved.relations.push(relation);
            }
        }
        resolved
    }

    /// Returns a warning for each policy that is about no key of the graph, and for each exemption that exempts nothing.
    pub fn unused_policies(&self, graph: &Graph) -> Vec<Diagnostic> {
        let about = |entry: &PolicyEntry| {
            graph.relations().iter().any(|r| entry.policy.is_about(&r.child, &r.columns, &r.parent))
        };
        let mut warnings = Vec::new();
        for entry in self.policies.iter().filter(|entry| !about(entry)) {
            let pattern = entry.policy.parent.glob();
            let parent = entry.policy.parent.compile_matcher();
            let names: Vec<String> = graph.tables().map(ToString::to_string).collect();
            let (label, help) = if names.iter().any(|n| parent.is_match(n)) {
                (format!("no key refers to `{pattern}` that is not exempt"), None)
            } else {
                let near = nearest(pattern, names.iter().map(String::as_str));
                (format!("no table is called `{pattern}`"), did_you_mean(&near))
            };
            let mut warning = Diagnostic::warning(entry.parent.clone(), "this policy is about no key", label);
            warning.help = help.or_else(|| Some("correct the pattern, or remove the policy".to_string()));
            warnings.push(warning);
        }
        warnings.extend(self.policies.iter().flat_map(|entry| unused_exemptions(entry, graph)));
        warnings.sort_by_key(|w| w.span.start);
        warnings
    }

    /// Returns a warning for each pattern in `[[table]]` and `[fate]` that no table of the schema has a name for.
    pub fn unused_tables(&self, schema: &Schema) -> Vec<Diagnostic> {
        let entries = self.tables.iter().map(|t| (&t.erasable.table, &t.at, "this entry is about no table"));
        let protected = self.fate.never_cascade_into.iter().map(|(g, at)| (g, at, "this protects no table"));
        let mut warnings = Vec::new();
        for (glob, at, message) in entries.chain(protected) {
            if matching(glob, schema).next().is_some() {
                continue;
            }
            let names: Vec<String> = schema.logical_tables().map(|t| t.name.to_string()).collect();
            let near = nearest(glob.glob(), names.iter().map(String::as_str));
            let mut warning = Diagnostic::warning(at.clone(), message, format!("no table is called `{}`", glob.glob()));
            warning.help = did_you_mean(&near).or_else(|| Some("correct the pattern, or remove it".to_string()));
            warnings.push(warning);
        }
        warnings.sort_by_key(|w| w.span.start);
        warnings
    }

    /// Returns the warning for an ignore, by position, that hid no finding.
    pub fn unused_ignore(&self, position: usize) -> Option<Diagnostic> {
        let entry = self.ignores.get(position)?;
        Some(
            Diagnostic::warning(
                entry.span.clone(),
                "this ignore hides no finding",
                format!("reason given: {}", entry.reason),
            )
            .help("what it was about is repaired, or its rule or subject is misspelt: remove or correct it"),
        )
    }
}

fn unused_exemptions(entry: &PolicyEntry, graph: &Graph) -> Vec<Diagnostic> {
    let children: BTreeSet<String> = graph
        .relations()
        .iter()
        .flat_map(|r| std::iter::once(r.child.to_string()).chain(r.columns.iter().map(|c| format!("{}.{c}", r.child))))
        .collect();
    let mut warnings = Vec::new();
    for (glob, span) in entry.policy.except.iter().zip(&entry.except) {
        let matcher = glob.compile_matcher();
        if children.iter().any(|c| matcher.is_match(c)) {
            continue;
        }
        let near = nearest(glob.glob(), children.iter().map(String::as_str));
        let label = format!("no child table or column is called `{}`", glob.glob());
        let mut warning = Diagnostic::warning(span.clone(), "this exemption exempts nothing", label);
        warning.help = did_you_mean(&near);
        warnings.push(warning);
    }
    warnings
}

fn relation(entry: &RelationEntry, schema: &Schema, warnings: &mut Vec<Diagnostic>) -> Option<ConfiguredRelation> {
    let wanted = &entry.relation;
    let child = columns(&wanted.child, &wanted.columns, &entry.child, schema, warnings);
    let parent = columns(&wanted.parent, &wanted.parent_columns, &entry.parent, schema, warnings);
    let ((child, columns), (parent, parent_columns)) = (child?, parent?);
    let declared = child.foreign_keys.iter().find(|k| k.columns == columns && k.parent == parent.name);
    // An entry that was accepted from a guess stays when the key is there: it tells what the key was made of.
    if let Some(key) = declared.filter(|_| wanted.accepted.is_none()) {
        let name = key.name.as_ref().map(|n| format!(" `{n}`")).unwrap_or_default();
        let place = side(&child.name, &columns);
        let message = format!("the database declares this relation itself: foreign key{name} on {place}");
        warnings.push(
            Diagnostic::warning(entry.span.clone(), message, format!("there as ON DELETE {}", key.on_delete))
                .help("remove the entry; to demand another action of the key, write a [[policy]]"),
        );
    }
    Some(ConfiguredRelation {
        child: child.name.clone(),
        columns,
        parent: parent.name.clone(),
        parent_columns,
        on_delete: wanted.on_delete,
        accepted: wanted.accepted,
    })
}

/// Finds one side of a relation, with the names as the schema spells them.
fn columns<'s>(
    table: &TableName,
    columns: &[String],
    span: &std::ops::Range<usize>,
    schema: &'s Schema,
    warnings: &mut Vec<Diagnostic>,
) -> Option<(&'s Table, Vec<String>)> {
    let names_nothing = "this relation names nothing in the schema and is left out";
    let Some(found) = schema.find_table(&table.to_string()) else {
        let names: Vec<String> = schema.tables.iter().map(|t| t.name.to_string()).collect();
        let near = nearest(&table.to_string(), names.iter().map(String::as_str));
        let mut warning = Diagnostic::warning(span.clone(), names_nothing, format!("there is no table `{table}`"));
        warning.help = did_you_mean(&near);
        warnings.push(warning);
        return None;
    };
    let mut spelt = Vec::new();
    for column in columns {
        let same = found.columns.iter().find(|c| c.name.eq_ignore_ascii_case(column));
        let Some(same) = found.column(column).or(same) else {
            let near = nearest(column, found.columns.iter().map(|c| c.name.as_str()));
            let label = format!("table `{}` has no column `{column}`", found.name);
            let mut warning = Diagnostic::warning(span.clone(), names_nothing, label);
            warning.help = did_you_mean(&near);
            warnings.push(warning);
            return None;
        };
        spelt.push(same.name.clone());
    }
    Some((found, spelt))
}
