//! From the text of `referee.toml` to a [`Config`], or to everything that is wrong with it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, did_you_mean, nearest};
use super::reader::{Section, Text, one_of, text, wrong_type};
use super::{
    AuditDefaults, Config, Date, FAIL_ON, FailOn, FateEntry, IgnoreEntry, PolicyEntry, REPORT_FORMATS, RelationEntry,
    TableEntry,
};
use crate::fate::Verdict;
use crate::relations::ConfiguredRelation;
use crate::rules::policy::{Erasable, Policy};
use crate::rules::{self, Rule};
use crate::schema::{Action, TableName, split_dotted};

pub(super) const TOP: &[&str] = &["relation", "policy", "table", "ignore", "database", "fate", "infer", "audit"];
pub(super) const RELATION: &[&str] = &["child", "parent", "on_delete", "accepted"];
pub(super) const SIDE: &[&str] = &["table", "columns"];
pub(super) const POLICY: &[&str] = &["parent", "child", "on_delete", "except", "reason"];
pub(super) const TABLE: &[&str] = &["name", "erasable", "reason"];
pub(super) const IGNORE: &[&str] = &["rule", "subject", "reason", "expires"];
pub(super) const DATABASE: &[&str] = &["foreign_keys"];
pub(super) const FATE: &[&str] = &["never_cascade_into", "max_depth"];
pub(super) const INFER: &[&str] = &["threshold"];
pub(super) const AUDIT: &[&str] = &["fail_on", "only", "skip", "tables", "data", "format"];
/// Verdicts that a table can be asked to have; the first one is asked the most.
pub(super) const ERASABLE: &[&str] = &["complete", "leaves-rows", "leaves-orphans"];
pub(super) const ACTIONS: &[&str] = &["no action", "restrict", "cascade", "set null", "set default"];

/// Reads a configuration; `name` is how messages call the file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn parse(name: &str, source: &str) -> Result<Config, Vec<Diagnostic>> {
    let (document, syntax) = DeTable::parse_recoverable(source);
    let mut out: Vec<Diagnostic> = syntax
        .iter()
        .map(|e| Diagnostic::error(e.span().unwrap_or(0..0), format!("not TOML: {}", e.message()), "here"))
        .collect();
    // Behind broken syntax every further complaint would be a guess.
    if !out.is_empty() {
        return Err(out);
    }
    let out = &mut out;
    let top = Section::new(document.get_ref(), 0..0, FILE, TOP, out);
    let relations = list(&top, "relation", out, relation);
    let policies = list(&top, "policy", out, policy);
    let tables = list(&top, "table", out, table);
    let ignores = list(&top, "ignore", out, ignore);
    let mut config = Config {
        name: name.to_string(),
        text: source.to_string(),
        relations,
        policies: policies
            .into_iter()
            .enumerate()
            .map(|(position, mut entry)| {
                entry.policy.position = position;
                entry
            })
            .collect(),
        tables,
        ignores,
        ..Config::default()
    };
    if let Some(section) = section(&top, "database", DATABASE, out) {
        config.foreign_keys = section.one_of("foreign_keys", &["on", "off"], out).map(|i| i == 0);
    }
    if let Some(section) = section(&top, "fate", FATE, out) {
        config.fate = FateEntry {
            never_cascade_into: section.globs("never_cascade_into", out),
            max_depth: section.get("max_depth").and_then(|v| depth(v, out)),
        };
    }
    if let Some(section) = section(&top, "infer", INFER, out) {
        config.threshold = threshold(&section, out);
    }
    if let Some(section) = section(&top, "audit", AUDIT, out) {
        config.audit = audit(&section, out);
    }
    if out.is_empty() {
        Ok(config)
    } else {
        out.sort_by_key(|d| (d.span.start, d.span.end));
        Err(std::mem::take(out))
    }
}

const FILE: &str = "referee.toml";

/// Reads `[name]`.
fn section<'t, 'i>(
    top: &Section<'t, 'i>,
    name: &str,
    keys: &[&str],
    out: &mut Vec<Diagnostic>,
) -> Option<Section<'t, 'i>> {
    let value = top.get(name)?;
    let table = value.get_ref().as_table();
    if table.is_none() {
        wrong_type(value, &format!("`{name}`"), &format!("a table, written [{name}]"), out);
    }
    Some(Section::new(table?, value.span(), format!("[{name}]"), keys, out))
}

/// Reads every `[[name]]`.
fn list<'t, 'i, T>(
    top: &Section<'t, 'i>,
    name: &str,
    out: &mut Vec<Diagnostic>,
    mut read: impl FnMut(&'t Spanned<DeValue<'i>>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = top.get(name) else { return Vec::new() };
    let Some(items) = value.get_ref().as_array() else {
        let message = format!("`{name}` must be a list of tables, written [[{name}]] with two brackets");
        out.push(Diagnostic::error(value.span(), message, format!("write [[{name}]]")));
        return Vec::new();
    };
    let mut entries = Vec::new();
    for item in items.iter() {
        if item.get_ref().is_table() {
            entries.extend(read(item, out));
        } else {
            wrong_type(item, &format!("an item of `{name}`"), "a table", out);
        }
    }
    entries
}

fn relation(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<RelationEntry> {
    let entry = Section::new(value.get_ref().as_table()?, value.span(), "[[relation]]", RELATION, out);
    let child = entry.require("child", "\"orders.customer_id\"", out);
    let parent = entry.require("parent", "\"customers.id\"", out);
    let on_delete = entry.text("on_delete", out).map(|t| action(&t, out));
    let accepted = accepted(&entry, out);
    let child = child.and_then(|v| Some((columns_of(v, "child", out)?, v.span())));
    let parent = parent.and_then(|v| Some((columns_of(v, "parent", out)?, v.span())));
    let (((child, columns), child_span), ((parent, parent_columns), parent_span)) = (child?, parent?);
    if columns.len() != parent_columns.len() {
        let message = format!(
            "the child has {} column{}, the parent {}: they refer to each other one by one",
            columns.len(),
            if columns.len() == 1 { "" } else { "s" },
            parent_columns.len(),
        );
        out.push(Diagnostic::error(parent_span, message, format!("needs {} here", columns.len())));
        return None;
    }
    let on_delete = match on_delete {
        None => None,
        Some(read) => Some(read?),
    };
    let relation = ConfiguredRelation { child, columns, parent, parent_columns, on_delete, accepted };
    Some(RelationEntry { relation, span: value.span(), child: child_span, parent: parent_span })
}

/// Reads `"table.column"` or `{ table = "…", columns = ["…"] }`.
fn columns_of(value: &Spanned<DeValue<'_>>, key: &str, out: &mut Vec<Diagnostic>) -> Option<(TableName, Vec<String>)> {
    if let Some(table) = value.get_ref().as_table() {
        let side = Section::new(table, value.span(), format!("`{key}`"), SIDE, out);
        let table = side.require("table", "\"orders\"", out).and_then(|v| text(v, "`table`", out));
        let columns = side.require("columns", "[\"tenant_id\", \"customer_id\"]", out);
        let columns = columns.and_then(|_| side.texts("columns", out));
        let (table, columns) = (table?, columns?);
        let name = match table.text.parse::<TableName>() {
            Ok(name) => name,
            Err(error) => {
                out.push(Diagnostic::error(table.span, error.to_string(), "not a table name"));
                return None;
            }
        };
        if columns.is_empty() {
            out.push(Diagnostic::error(value.span(), format!("`{key}` names no column"), "needs at least one"));
            return None;
        }
        return Some((name, columns.into_iter().map(|c| c.text).collect()));
    }
    if !value.get_ref().is_str() {
        wrong_type(value, &format!("`{key}`"), "\"table.column\" or { table = \"…\", columns = [\"…\"] }", out);
        return None;
    }
    let written = text(value, key, out)?;
    let mut parts = split_dotted(&written.text).unwrap_or_default();
    if !(2..=3).contains(&parts.len()) || parts.iter().any(String::is_empty) {
        let message = format!("`{}` does not name a column", written.text);
        out.push(Diagnostic::error(written.span, message, "needs a table and a column").help(
            "write `table.column` or `schema.table.column`, with double quotes around a name that holds a dot: \
                 '\"odd.name\".column'",
        ));
        return None;
    }
    let column = parts.pop()?;
    let name = parts.pop()?;
    Some((TableName { schema: parts.pop(), name }, vec![column]))
}

fn action(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Action> {
    let action = Action::parse(&text.text);
    if action.is_none() {
        one_of(text, "`on_delete`", ACTIONS, out);
    }
    action
}

fn policy(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<PolicyEntry> {
    let entry = Section::new(value.get_ref().as_table()?, value.span(), "[[policy]]", POLICY, out);
    let parent = entry.require("parent", "\"users\"", out).and_then(|_| entry.glob("parent", out));
    let child = entry.glob("child", out);
    let on_delete = entry.require("on_delete", "\"cascade\"", out).and_then(|_| entry.texts("on_delete", out));
    let before = out.len();
    let on_delete: Vec<Action> = on_delete.into_iter().flatten().filter_map(|t| action(&t, out)).collect();
    if let (Some(written), true, true) = (entry.get("on_delete"), on_delete.is_empty(), before == out.len()) {
        if written.get_ref().is_array() {
            out.push(Diagnostic::error(written.span(), "`on_delete` allows no action", "needs at least one"));
        }
        return None;
    }
    let (except, except_spans) = entry.globs("except", out).into_iter().unzip();
    let reason = entry.text("reason", out).map(|t| t.text);
    let (parent, parent_span) = parent?;
    let child = child.map(|(glob, _)| glob);
    let policy = Policy { parent, child, on_delete, except, reason, position: 0 };
    Some(PolicyEntry { policy, span: value.span(), parent: parent_span, except: except_spans })
}

fn table(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<TableEntry> {
    let entry = Section::new(value.get_ref().as_table()?, value.span(), "[[table]]", TABLE, out);
    let name = entry.require("name", "\"users\"", out).and_then(|_| entry.glob("name", out));
    let reason = entry.text("reason", out).map(|t| t.text);
    let wanted = entry.require("erasable", "true", out).and_then(|v| erasable(v, out));
    let ((name, at), wanted) = (name?, wanted?);
    Some(TableEntry { erasable: Erasable { table: name, wanted, reason }, span: value.span(), at })
}

/// Reads `true`, `false` or the name of a verdict. `true` asks for what a person means by it: nothing is in the way, and
/// nothing is left that refers to what is gone.
fn erasable(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<Option<Verdict>> {
    if let Some(wanted) = value.get_ref().as_bool() {
        return Some(wanted.then_some(Verdict::LeavesRows));
    }
    if !value.get_ref().is_str() {
        wrong_type(value, "`erasable`", "true, false or the name of a verdict", out);
        return None;
    }
    let written = text(value, "`erasable`", out)?;
    let verdicts = [Verdict::Complete, Verdict::LeavesRows, Verdict::LeavesOrphans];
    one_of(&written, "`erasable`", ERASABLE, out).map(|i| Some(verdicts[i]))
}

fn depth(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<usize> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => integer.as_str().parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    if number.is_none() {
        out.push(
            Diagnostic::error(value.span(), "`max_depth` must be a whole number from 1 on", "not a depth")
                .help("how many cascades may follow each other: 1 reaches the children, 2 the grandchildren"),
        );
    }
    number
}

fn ignore(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<IgnoreEntry> {
    let entry = Section::new(value.get_ref().as_table()?, value.span(), "[[ignore]]", IGNORE, out);
    if entry.get("rule").is_none() && entry.get("subject").is_none() {
        out.push(
            Diagnostic::error(
                value.span(),
                "[[ignore]] without `rule` and `subject` would hide every finding",
                "too wide",
            )
            .help("add `rule = \"unindexed-foreign-key\"`, `subject = \"audit_log.*\"`, or both"),
        );
    }
    let rule = entry.text("rule", out).and_then(|t| rule(&t, out));
    let subject = entry.glob("subject", out).map(|(glob, _)| glob);
    let reason =
        entry.require("reason", "\"written once, never deleted\"", out).and_then(|_| entry.text("reason", out));
    if let Some(reason) = reason.as_ref().filter(|r| r.text.trim().is_empty()) {
        out.push(Diagnostic::error(
            reason.span.clone(),
            "`reason` says nothing",
            "say why the finding does not matter",
        ));
    }
    let expires = entry.get("expires").and_then(|v| date(v, out));
    Some(IgnoreEntry { rule: rule.map(|r| r.meta.name), subject, reason: reason?.text, expires, span: value.span() })
}

fn date(value: &Spanned<DeValue<'_>>, out: &mut Vec<Diagnostic>) -> Option<Date> {
    let written = match value.get_ref() {
        DeValue::Datetime(written) => Some(*written),
        DeValue::String(text) => text.parse::<toml::value::Datetime>().ok(),
        _ => None,
    };
    let date = written.filter(|w| w.time.is_none()).and_then(|w| w.date);
    if date.is_none() {
        out.push(
            Diagnostic::error(value.span(), "`expires` must be a date", "expected a date")
                .help("write the last day on which it counts: `expires = 2027-01-31`"),
        );
    }
    date
}

fn rule(text: &Text, out: &mut Vec<Diagnostic>) -> Option<&'static Rule> {
    let found = rules::find(&text.text);
    if found.is_none() {
        let near = nearest(&text.text, rules::ALL.iter().map(|r| r.meta.name));
        let help = did_you_mean(&near).unwrap_or_else(|| "`referee rules` lists them all".to_string());
        let message = format!("there is no rule `{}`", text.text);
        out.push(Diagnostic::error(text.span.clone(), message, "unknown rule").help(help));
    }
    found
}

fn rules(section: &Section<'_, '_>, key: &str, out: &mut Vec<Diagnostic>) -> Vec<&'static Rule> {
    let texts = section.texts(key, out).unwrap_or_default();
    texts.iter().filter_map(|t| rule(t, out)).collect()
}

/// Reads with which confidence a relation was guessed before it was accepted.
fn accepted(section: &Section<'_, '_>, out: &mut Vec<Diagnostic>) -> Option<f64> {
    let value = section.get("accepted")?;
    let number = share(value);
    if number.is_none() {
        out.push(
            Diagnostic::error(value.span(), "`accepted` must be a number from 0 to 1", "not a confidence")
                .help("it is the confidence of the guess, and `referee infer SOURCE --accept` writes it; leave it out of an entry of your own"),
        );
    }
    number
}

/// Reads a number from 0 to 1.
fn share(value: &Spanned<DeValue<'_>>) -> Option<f64> {
    let number: Option<f64> = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => integer.as_str().parse().ok(),
        _ => None,
    };
    number.filter(|n| (0.0..=1.0).contains(n))
}

fn threshold(section: &Section<'_, '_>, out: &mut Vec<Diagnostic>) -> Option<f64> {
    let value = section.get("threshold")?;
    let number = share(value);
    if number.is_none() {
        let span: Range<usize> = value.span();
        out.push(
            Diagnostic::error(span, "`threshold` must be a number from 0 to 1", "not a confidence")
                .help("0 believes every guess, 1 none but the certain ones; the default is 0.5"),
        );
    }
    number
}

fn audit(section: &Section<'_, '_>, out: &mut Vec<Diagnostic>) -> AuditDefaults {
    AuditDefaults {
        fail_on: section.one_of("fail_on", FAIL_ON, out).map(|i| FailOn::ALL[i]),
        only: rules(section, "only", out),
        skip: rules(section, "skip", out),
        tables: section.globs("tables", out).into_iter().map(|(glob, _)| glob).collect(),
        data: section.boolean("data", out),
        format: section.one_of("format", REPORT_FORMATS, out).map(|i| REPORT_FORMATS[i].to_string()),
    }
}
