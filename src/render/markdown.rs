//! `markdown`: the audit as a document that people write by hand otherwise: summary, tables of what is missing, the
//! delete behaviour, the proposed SQL.

use std::collections::BTreeMap;

use super::json::suppression_subject;
use super::spans::{block, cell, code, plain};
use super::style::{count, thousands};
use super::summary::{Summary, engine, out_of_time, rule_rows};
use super::text::no_statement;
use crate::audit::Report;
use crate::change::Change;
use crate::findings::{Finding, RuleId};
use crate::relations::{Basis, Relation, side};
use crate::rules;
use crate::schema::{Action, TableName};

const MISSING_KEY: RuleId = rules::undeclared_foreign_key::META.id();
const MISSING_INDEX: RuleId = rules::unindexed_foreign_key::META.id();
const ORPHANS: RuleId = rules::orphan_rows::META.id();
const CONTRADICTIONS: &[RuleId] = &[
    rules::set_null_on_not_null::META.id(),
    rules::set_default_without_parent::META.id(),
    rules::conflicting_foreign_keys::META.id(),
    rules::dangling_default::META.id(),
];

/// Writes the document.
pub fn render(report: &Report) -> String {
    let mut text = format!("# Audit of relations: {}\n\n", code(&report.source));
    summary(report, &mut text);
    let of = |rule: RuleId| report.findings.iter().filter(|f| f.rule == rule).collect::<Vec<_>>();
    missing_keys(report, &of(MISSING_KEY), &mut text);
    missing_indexes(&of(MISSING_INDEX), &mut text);
    let contradictions = report.findings.iter().filter(|f| CONTRADICTIONS.contains(&f.rule)).collect::<Vec<_>>();
    sections("Contradictions", &contradictions, &mut text);
    orphans(&of(ORPHANS), &mut text);
    delete_behaviour(report, &mut text);
    let known =
        |f: &Finding| [MISSING_KEY, MISSING_INDEX, ORPHANS].contains(&f.rule) || CONTRADICTIONS.contains(&f.rule);
    let others: Vec<&Finding> = report.findings.iter().filter(|f| !known(f)).collect();
    sections("Other findings", &others, &mut text);
    proposed_sql(report, &mut text);
    rest(report, &mut text);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn summary(report: &Report, text: &mut String) {
    let summary = Summary::of(report);
    text.push_str(&format!(
        "{}. {} and {} were looked at: **{}**.\n\n",
        plain(&engine(report)),
        count(summary.tables, "table"),
        summary.relations.sentence(),
        summary.severities()
    ));
    let rows = rule_rows(report);
    if rows.is_empty() {
        return;
    }
    text.push_str("| Rule | Code | Errors | Warnings | Notes |\n|---|---|--:|--:|--:|\n");
    for row in rows {
        let n = |n: usize| if n == 0 { String::new() } else { thousands(n as u64) };
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            row.rule,
            row.rule.code(),
            n(row.errors),
            n(row.warnings),
            n(row.infos)
        ));
    }
    text.push('\n');
}

fn missing_keys(report: &Report, findings: &[&Finding], text: &mut String) {
    if findings.is_empty() {
        return;
    }
    text.push_str(&format!("## Missing foreign keys ({})\n\n", findings.len()));
    let mut tables: BTreeMap<Option<&TableName>, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        tables.entry(finding.subject.table.as_ref()).or_default().push(finding);
    }
    for (table, findings) in tables {
        let name = table.map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("### {} ({})\n\n", code(&name), findings.len()));
        text.push_str("| Column | References | Action | Rationale |\n|---|---|---|---|\n");
        for finding in findings {
            let (parent, action) = proposed_key(report, finding);
            let rationale = rationale(finding, action);
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                code(&finding.subject.columns.join(", ")),
                parent.map_or_else(|| "?".to_string(), |p| code(&p)),
                action.map_or_else(|| "to be decided".to_string(), |a| code(a.sql())),
                cell(rationale)
            ));
        }
        text.push('\n');
    }
}

/// Returns why the proposed action is advised; without advice, what to do instead.
fn rationale(finding: &Finding, action: Option<Action>) -> &str {
    match finding.advice.as_ref().filter(|advice| action == Some(advice.action)) {
        Some(advice) => &advice.rationale,
        None if finding.help.is_empty() => &finding.why,
        None => &finding.help,
    }
}

/// Tells the parent and the action that a finding proposes: by its first repair, else by the relation it is about.
fn proposed_key(report: &Report, finding: &Finding) -> (Option<String>, Option<Action>) {
    let proposed = finding.fixes.iter().flat_map(|f| &f.changes).find_map(|c| match c {
        Change::AddForeignKey { foreign_key, .. } => Some(foreign_key),
        _ => None,
    });
    if let Some(key) = proposed {
        return (Some(side(&key.parent, &key.parent_columns)), Some(key.on_delete));
    }
    let subject = &finding.subject;
    let relation = report
        .relations
        .relations()
        .iter()
        .find(|r| Some(&r.child) == subject.table.as_ref() && r.columns == subject.columns);
    (relation.map(Relation::parent_side), relation.and_then(|r| r.on_delete))
}

fn missing_indexes(findings: &[&Finding], text: &mut String) {
    if findings.is_empty() {
        return;
    }
    text.push_str(&format!("## Missing indexes ({})\n\n", findings.len()));
    text.push_str("| Column | New index | Why |\n|---|---|---|\n");
    for finding in findings {
        let index = finding.fixes.iter().flat_map(|f| &f.changes).find_map(|c| match c {
            Change::AddIndex { index, .. } => Some(code(&index.name)),
            _ => None,
        });
        let why = if finding.why.is_empty() { &finding.message } else { &finding.why };
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            code(&finding.subject.place()),
            index.unwrap_or_default(),
            cell(why)
        ));
    }
    text.push('\n');
}

fn orphans(findings: &[&Finding], text: &mut String) {
    if findings.is_empty() {
        return;
    }
    text.push_str(&format!("## Orphans ({})\n\n", findings.len()));
    text.push_str("| Relation | Found | Keys that refer to nothing |\n|---|---|---|\n");
    for finding in findings {
        let returned: Vec<&str> = finding.evidence.iter().map(|e| e.returned.as_str()).collect();
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            code(&finding.subject.place()),
            cell(&finding.message),
            cell(&returned.join("; "))
        ));
    }
    text.push_str("\nThe queries that found them:\n\n");
    let queries: Vec<String> =
        findings.iter().flat_map(|f| &f.evidence).map(|e| format!("{};", e.query.trim_end_matches(';'))).collect();
    fence("sql", &queries.join("\n"), text);
}

fn delete_behaviour(report: &Report, text: &mut String) {
    let relations = report.relations.relations();
    if relations.is_empty() {
        return;
    }
    text.push_str("## What a delete does\n\n");
    text.push_str("| Table | Column | References | When the parent row is deleted |\n|---|---|---|---|\n");
    for relation in relations {
        let action = match (&relation.basis, relation.on_delete) {
            (Basis::Declared { .. }, Some(action)) => format!("{}: {}", code(action.sql()), consequence(action)),
            (Basis::Declared { .. }, None) => code(Action::NoAction.sql()),
            (Basis::Inferred { confidence, .. }, _) => {
                format!("nothing: not declared (inferred, {:.0}%); the row becomes an orphan", confidence * 100.0)
            }
            (Basis::Configured, _) => "nothing: not declared (configured); the row becomes an orphan".to_string(),
        };
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            code(&relation.child.to_string()),
            code(&relation.columns.join(", ")),
            code(&relation.parent_side()),
            action
        ));
    }
    text.push('\n');
}

fn consequence(action: Action) -> &'static str {
    match action {
        Action::NoAction | Action::Restrict => "the delete is refused",
        Action::Cascade => "the row is deleted too",
        Action::SetNull => "the column becomes NULL",
        Action::SetDefault => "the column becomes its default",
    }
}

fn sections(title: &str, findings: &[&Finding], text: &mut String) {
    if findings.is_empty() {
        return;
    }
    text.push_str(&format!("## {title} ({})\n\n", findings.len()));
    for finding in findings {
        let place = finding.subject.place();
        text.push_str(&format!(
            "### {}: `{}` ({}, {})\n\n",
            code(&place),
            finding.rule,
            finding.severity.name(),
            finding.rule.code()
        ));
        text.push_str(&format!("{}\n\n", plain(&finding.message)));
        if !finding.labels.is_empty() {
            text.push_str("| Where | What is there |\n|---|---|\n");
            for label in &finding.labels {
                text.push_str(&format!("| {} | {} |\n", code(&label.place), code(&label.text)));
            }
            text.push('\n');
        }
        for (word, part) in [("Why it hurts", &finding.why), ("What to do", &finding.help)] {
            if !part.is_empty() {
                text.push_str(&format!("**{word}:** {}\n\n", plain(part)));
            }
        }
        for evidence in &finding.evidence {
            fence("sql", &format!("{};\n-- {}", evidence.query, evidence.returned.replace('\n', "\n-- ")), text);
        }
        for (i, fix) in finding.fixes.iter().enumerate() {
            let word = if i == 0 { "Recommended" } else { "Or" };
            text.push_str(&format!("- {word}: {}\n", plain(&fix.title)));
        }
        if !finding.fixes.is_empty() {
            text.push('\n');
        }
    }
}

/// The first repair of every finding: indexes before keys, because the check of a new key uses the index, and so does
/// every delete from then on.
fn proposed_sql(report: &Report, text: &mut String) {
    let mut groups: [(&str, Vec<String>); 3] =
        [("Indexes", vec![]), ("Foreign keys", vec![]), ("Everything else", vec![])];
    let mut without = Vec::new();
    for finding in &report.findings {
        let Some(fix) = finding.fixes.first() else { continue };
        let group = match fix.changes.first() {
            Some(Change::AddIndex { .. } | Change::DropIndex { .. }) => 0,
            Some(Change::AddForeignKey { .. }) => 1,
            _ => 2,
        };
        if !fix.sql.is_empty() {
            groups[group].1.extend(fix.sql.iter().map(|s| format!("{};", s.trim_end().trim_end_matches(';'))));
        } else if !fix.changes.is_empty() {
            without.push((finding.subject.place(), fix.title.as_str()));
        }
    }
    if without.is_empty() && groups.iter().all(|g| g.1.is_empty()) {
        return;
    }
    text.push_str("## Proposed SQL\n\n");
    text.push_str(
        "A proposal, not a migration: it is the first repair of each finding above. Read it, back up, try it on a copy. \
         A foreign key is refused while orphans of it remain.\n\n",
    );
    for (title, statements) in groups {
        let mut unique: Vec<String> = Vec::new();
        for statement in statements {
            if !unique.contains(&statement) {
                unique.push(statement);
            }
        }
        if !unique.is_empty() {
            text.push_str(&format!("### {title}\n\n"));
            fence("sql", &unique.join("\n"), text);
        }
    }
    if !without.is_empty() {
        text.push_str(&format!("These have {}:\n\n", no_statement(report.schema.engine)));
        for (place, title) in without {
            text.push_str(&format!("- {}: {}\n", code(&place), plain(title)));
        }
        text.push('\n');
    }
}

fn rest(report: &Report, text: &mut String) {
    if !report.suppressed.is_empty() {
        text.push_str(&format!("## Suppressed ({})\n\n", report.suppressed.len()));
        text.push_str("| Rule | Where | Reason | Written in |\n|---|---|---|---|\n");
        for suppressed in &report.suppressed {
            let by = report.suppressions.get(suppressed.by);
            text.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                suppressed.finding.rule,
                code(&suppressed.finding.subject.place()),
                by.map(|b| cell(&b.reason)).unwrap_or_default(),
                by.map(|b| code(&b.origin)).unwrap_or_default()
            ));
        }
        text.push('\n');
    }
    if !report.unused_suppressions.is_empty() {
        text.push_str("## Suppressions about nothing\n\n");
        for s in report.unused_suppressions.iter().filter_map(|&i| report.suppressions.get(i)) {
            text.push_str(&format!("- {}: {}\n", code(&s.origin), code(&suppression_subject(s))));
        }
        text.push('\n');
    }
    if let Some(sentence) = out_of_time(report) {
        text.push_str(&format!("**{sentence}**\n\n"));
    }
    if !report.failures.is_empty() {
        text.push_str("## Could not be done\n\nThe audit is incomplete.\n\n");
        for failure in &report.failures {
            let hint = failure.hint.as_ref().map(|h| format!(" {}", plain(h))).unwrap_or_default();
            text.push_str(&format!("- {}: {}.{hint}\n", plain(&failure.what), plain(&failure.message)));
        }
        text.push('\n');
    }
}

fn fence(language: &str, body: &str, text: &mut String) {
    text.push_str(&format!("{}\n", block(language, body)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn document() {
        insta::assert_snapshot!("markdown", render(&samples::report()));
    }

    #[test]
    fn rationale_is_that_of_the_action() {
        let lines = ["users: id int8 pk", "drivers: id int8 pk, user_id int8 not-null"];
        let schema = crate::testing::schema(crate::schema::Engine::Postgres, &lines);
        let found = crate::testing::findings(&schema, "undeclared-foreign-key");
        assert_eq!(
            rationale(&found[0], Some(Action::Cascade)),
            "`drivers.user_id` is NOT NULL and `users` is its only required parent"
        );
        assert_eq!(rationale(&found[0], None), found[0].help);
    }

    #[test]
    fn clean_document_has_no_empty_section() {
        let text = render(&samples::clean());
        assert!(text.contains("**nothing found**"), "{text}");
        assert_eq!(text.matches("## ").count(), 1, "only the delete behaviour: {text}");
    }

    #[test]
    fn pipes_and_fences_of_the_database_do_not_break_tables() {
        let text = render(&samples::hostile());
        assert!(text.contains("````sql"), "{text}");
        for line in text.lines().filter(|l| l.starts_with("| ")) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!((3..=6).contains(&bars), "{bars} bars: {line}");
        }
    }
}
