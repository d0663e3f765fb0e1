//! `markdown`: the audit as a document that people write by hand otherwise: summary, tables of what is missing, the
//! delete behaviour, the proposed SQL.

use std::collections::BTreeMap;

use super::document::{self, Block, Document, Lead, Line, Span, Table, plain, prose};
use super::rest::{failures, suppressed, unused};
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
    let title = vec![Span::Plain("Audit of relations: ".to_string()), Span::name(&report.source)];
    let mut document = vec![Block::heading(1, title)];
    summary(report, &mut document);
    let of = |rule: RuleId| report.findings.iter().filter(|f| f.rule == rule).collect::<Vec<_>>();
    missing_keys(report, &of(MISSING_KEY), &mut document);
    missing_indexes(&of(MISSING_INDEX), &mut document);
    let contradictions = report.findings.iter().filter(|f| CONTRADICTIONS.contains(&f.rule)).collect::<Vec<_>>();
    sections("Contradictions", &contradictions, &mut document);
    orphans(&of(ORPHANS), &mut document);
    delete_behaviour(report, &mut document);
    let known =
        |f: &Finding| [MISSING_KEY, MISSING_INDEX, ORPHANS].contains(&f.rule) || CONTRADICTIONS.contains(&f.rule);
    let others: Vec<&Finding> = report.findings.iter().filter(|f| !known(f)).collect();
    sections("Other findings", &others, &mut document);
    proposed_sql(report, &mut document);
    document.extend(suppressed(report));
    document.extend(unused(report));
    document.extend(out_of_time(report).map(|sentence| Block::Paragraph(vec![Span::Strong(plain(sentence))])));
    document.extend(failures(report));
    document::markdown::write(&document)
}

/// A title with the number of what stands below it.
fn counted(level: usize, title: &str, number: usize) -> Block {
    Block::heading(level, plain(format!("{title} ({number})")))
}

fn sql(text: impl Into<String>) -> Block {
    Block::Code { language: "sql", text: text.into() }
}

fn name(name: impl std::fmt::Display) -> Line {
    vec![Span::name(name)]
}

fn summary(report: &Report, document: &mut Document) {
    let summary = Summary::of(report);
    let (tables, relations) = (count(summary.tables, "table"), summary.relations.sentence());
    document.push(Block::Paragraph(vec![
        Span::Plain(format!("{}. {tables} and {relations} were looked at: ", engine(report))),
        Span::Strong(plain(summary.severities())),
        Span::Plain(".".to_string()),
    ]));
    let mut table = Table::new(&["Rule", "Code", "#Errors", "#Warnings", "#Notes"]);
    for row in rule_rows(report) {
        let n = |n: usize| plain(if n == 0 { String::new() } else { thousands(n as u64) });
        let rule = vec![Span::Code(row.rule.name().to_string())];
        table.row([rule, plain(row.rule.code()), n(row.errors), n(row.warnings), n(row.infos)]);
    }
    document.extend((!table.rows.is_empty()).then_some(Block::Table(table)));
}

fn missing_keys(report: &Report, findings: &[&Finding], document: &mut Document) {
    if findings.is_empty() {
        return;
    }
    document.push(counted(2, "Missing foreign keys", findings.len()));
    let mut tables: BTreeMap<Option<&TableName>, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        tables.entry(finding.subject.table.as_ref()).or_default().push(finding);
    }
    for (of, findings) in tables {
        let number = Span::Plain(format!(" ({})", findings.len()));
        let title = of.map(Span::name).into_iter().chain([number]).collect::<Line>();
        let mut table = Table::new(&["Column", "References", "Action", "Rationale"]);
        for finding in findings {
            let (parent, action) = proposed_key(report, finding);
            let rationale = rationale(finding, action);
            table.row([
                name(finding.subject.columns.join(", ")),
                parent.map_or_else(|| plain("?"), name),
                action.map_or_else(|| plain("to be decided"), |a| vec![Span::Code(a.sql().to_string())]),
                prose(rationale),
            ]);
        }
        document.extend([Block::heading(3, title), Block::Table(table)]);
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

fn missing_indexes(findings: &[&Finding], document: &mut Document) {
    if findings.is_empty() {
        return;
    }
    let mut table = Table::new(&["Column", "New index", "Why"]);
    for finding in findings {
        let index = finding.fixes.iter().flat_map(|f| &f.changes).find_map(|c| match c {
            Change::AddIndex { index, .. } => Some(name(&index.name)),
            _ => None,
        });
        let why = if finding.why.is_empty() { &finding.message } else { &finding.why };
        table.row([name(finding.subject.place()), index.unwrap_or_default(), prose(why)]);
    }
    document.extend([counted(2, "Missing indexes", findings.len()), Block::Table(table)]);
}

fn orphans(findings: &[&Finding], document: &mut Document) {
    if findings.is_empty() {
        return;
    }
    let mut table = Table::new(&["Relation", "Found", "Keys that refer to nothing"]);
    for finding in findings {
        let returned: Vec<&str> = finding.evidence.iter().map(|e| e.returned.as_str()).collect();
        table.row([name(finding.subject.place()), prose(&finding.message), plain(returned.join("; "))]);
    }
    let queries: Vec<String> =
        findings.iter().flat_map(|f| &f.evidence).map(|e| format!("{};", e.query.trim_end_matches(';'))).collect();
    document.extend([
        counted(2, "Orphans", findings.len()),
        Block::Table(table),
        Block::Paragraph(plain("The queries that found them:")),
        sql(queries.join("\n")),
    ]);
}

fn delete_behaviour(report: &Report, document: &mut Document) {
    let relations = report.relations.relations();
    if relations.is_empty() {
        return;
    }
    let mut table = Table::new(&["Table", "Column", "References", "When the parent row is deleted"]);
    for relation in relations {
        let code = |action: Action| Span::Code(action.sql().to_string());
        let action = match (&relation.basis, relation.on_delete) {
            (Basis::Declared { .. }, Some(action)) => {
                vec![code(action), Span::Plain(format!(": {}", consequence(action)))]
            }
            (Basis::Declared { .. }, None) => vec![code(Action::NoAction)],
            (Basis::Inferred { confidence, .. }, _) => plain(format!(
                "nothing: not declared (inferred, {:.0}%); the row becomes an orphan",
                confidence * 100.0
            )),
            (Basis::Configured, _) => plain("nothing: not declared (configured); the row becomes an orphan"),
        };
        table.row([name(&relation.child), name(relation.columns.join(", ")), name(relation.parent_side()), action]);
    }
    document.extend([Block::heading(2, plain("What a delete does")), Block::Table(table)]);
}

fn consequence(action: Action) -> &'static str {
    match action {
        Action::NoAction | Action::Restrict => "the delete is refused",
        Action::Cascade => "the row is deleted too",
        Action::SetNull => "the column becomes NULL",
        Action::SetDefault => "the column becomes its default",
    }
}

fn sections(title: &str, findings: &[&Finding], document: &mut Document) {
    if findings.is_empty() {
        return;
    }
    document.push(counted(2, title, findings.len()));
    for finding in findings {
        let rule = finding.rule;
        let title = vec![
            Span::name(finding.subject.place()),
            Span::Plain(": ".to_string()),
            Span::Code(rule.name().to_string()),
            Span::Plain(format!(" ({}, {})", finding.severity.name(), rule.code())),
        ];
        document.extend([Block::heading(3, title), Block::Paragraph(prose(&finding.message))]);
        let mut table = Table::new(&["Where", "What is there"]);
        finding.labels.iter().for_each(|label| table.row([name(&label.place), name(&label.text)]));
        document.extend((!table.rows.is_empty()).then_some(Block::Table(table)));
        for (word, part) in [("Why it hurts:", &finding.why), ("What to do:", &finding.help)] {
            let line = vec![Span::Strong(plain(word)), Span::Prose(format!(" {part}"))];
            document.extend((!part.is_empty()).then_some(Block::Paragraph(line)));
        }
        for evidence in &finding.evidence {
            document.push(sql(format!("{};\n-- {}", evidence.query, evidence.returned.replace('\n', "\n-- "))));
        }
        if !finding.fixes.is_empty() {
            let fixes = finding.fixes.iter().enumerate();
            let fix = |(at, title)| prose(format!("{}: {title}", if at == 0 { "Recommended" } else { "Or" }));
            document.push(Block::list(&Lead::Bullet, fixes.map(|(at, fix)| (at, &fix.title)).map(fix)));
        }
    }
}

/// The first repair of every finding: indexes before keys, because the check of a new key uses the index, and so does
/// every delete from then on.
fn proposed_sql(report: &Report, document: &mut Document) {
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
            without.push(vec![Span::name(finding.subject.place()), Span::Prose(format!(": {}", fix.title))]);
        }
    }
    if without.is_empty() && groups.iter().all(|g| g.1.is_empty()) {
        return;
    }
    let caution = "A proposal, not a migration: it is the first repair of each finding above. Read it, back up, try it on a copy. \
         A foreign key is refused while orphans of it remain.";
    document.extend([Block::heading(2, plain("Proposed SQL")), Block::Paragraph(plain(caution))]);
    for (title, statements) in groups {
        let mut unique: Vec<String> = Vec::new();
        for statement in statements {
            if !unique.contains(&statement) {
                unique.push(statement);
            }
        }
        if !unique.is_empty() {
            document.extend([Block::heading(3, plain(title)), sql(unique.join("\n"))]);
        }
    }
    if !without.is_empty() {
        let why = format!("These have {}:", no_statement(report.schema.engine));
        document.extend([Block::Paragraph(plain(why)), Block::list(&Lead::Bullet, without)]);
    }
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
