//! What acts when rows of a table change: the triggers and rules that fire, and those that fire for what they write.
//!
//! A trigger that only writes new rows does no harm, unless the table that it writes to has triggers or rules, or keys that
//! replace rows, or is none. The chain is followed to its end. What cannot be read is not known, and what is not known is not
//! harmless.

use std::fmt;

use crate::schema::{Does, RewriteRule, Schema, Table, TableKind, TableName, Trigger, Write, WriteKind};
use crate::sql::body::called;

/// The triggers and rules that act when rows of a table change, those of the table first.
#[derive(Clone, Debug, Default)]
pub struct Firing<'s> {
    fired: Vec<Fired<'s>>,
    /// The tables whose triggers and rules may act: the one that changes, and those that are written to.
    tables: Vec<&'s TableName>,
    /// What is written to and is no table that the schema holds.
    strange: Vec<TableName>,
    /// The tables of which rows that are there are updated or deleted.
    rewritten: Vec<&'s TableName>,
}

/// A trigger or rule that acts.
#[derive(Clone, Debug)]
pub struct Fired<'s> {
    /// The table that it belongs to.
    pub on: &'s TableName,
    /// What it is.
    what: Actor<'s>,
    /// Whether it acts for each row; otherwise once for a statement.
    pub each_row: bool,
    /// What it does to rows: ``inserts into `log` ``; empty if nothing.
    pub does: String,
    /// What it may do to rows that are there; `None` if it does no harm.
    pub harm: Option<String>,
    /// Which of those before it writes the rows for which it acts, and the words for that.
    by: Option<(usize, String)>,
}

/// What acts.
#[derive(Clone, Debug)]
enum Actor<'s> {
    Trigger(&'s str),
    Rule(&'s str),
    /// An expression that calls a function: what it is for, in words.
    Expression(String),
}

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trigger(name) => write!(f, "trigger {name}"),
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Expression(words) => f.write_str(words),
        }
    }
}

impl<'s> Firing<'s> {
    /// Follows what acts when rows of a table are inserted, updated in these columns, or deleted.
    pub fn of(schema: &'s Schema, table: &'s Table, event: &str, columns: &[&str]) -> Self {
        let mut firing = Self::default();
        let root = &table.name;
        let mut open: Vec<Open<'s>> = vec![Open { table, event: event.to_string(), columns: None, by: None }];
        if event == "UPDATE" {
            open[0].columns = Some(columns.iter().map(ToString::to_string).collect());
        }
        let mut seen: Vec<(&TableName, String, Option<Vec<String>>)> = Vec::new();
        let mut at = 0;
        while at < open.len() {
            let now = open[at].clone();
            at += 1;
            // Other columns may fire other triggers.
            let place = (&now.table.name, now.event.clone(), now.columns.clone());
            if seen.contains(&place) {
                continue;
            }
            seen.push(place);
            if !firing.tables.contains(&&now.table.name) {
                firing.tables.push(&now.table.name);
            }
            let first = now.by.is_none();
            for (fired, writes) in acting(schema, &now, first) {
                let number = firing.fired.len();
                firing.fired.push(fired);
                for write in writes {
                    let targets = targets(schema, now.table, write);
                    if targets.is_empty() {
                        firing.strange.push(write.table.clone());
                    }
                    let harm = harm_of(schema, write, &targets, root);
                    if let Some(fired) = firing.fired.get_mut(number) {
                        fired.harm = fired.harm.take().or(harm);
                    }
                    for table in targets {
                        if write.kind != WriteKind::Insert || write.replaces {
                            firing.rewritten.push(&table.name);
                        }
                        open.push(next(table, write, number));
                    }
                }
            }
        }
        firing
    }

    /// Returns the tables, and what else is written to, whose triggers and rules may act when rows of a table are deleted or
    /// updated, the table first.
    pub fn reached(schema: &Schema, table: &Table) -> Vec<TableName> {
        let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let mut all: Vec<TableName> = Vec::new();
        for (event, columns) in [("DELETE", [].as_slice()), ("UPDATE", columns.as_slice())] {
            let firing = Firing::of(schema, table, event, columns);
            for name in firing.tables.iter().copied().chain(&firing.strange) {
                if !all.contains(name) {
                    all.push(name.clone());
                }
            }
        }
        all
    }

    /// Tells whether nothing acts.
    pub fn is_empty(&self) -> bool {
        self.fired.is_empty()
    }

    /// Says how rows that are there may be changed or deleted, the whole way to it: ``trigger a on `t` inserts into `log`, whose
    /// trigger b deletes from `users` ``. `None` if nothing does harm.
    pub fn harm(&self) -> Option<String> {
        let number = self.fired.iter().position(|f| f.harm.is_some())?;
        let harm = self.fired.get(number)?.harm.clone()?;
        Some(self.way(number, &harm))
    }

    /// Says all that may change or delete rows that are there, each with the whole way to it.
    pub fn harms(&self) -> Vec<String> {
        let harms = self.fired.iter().enumerate().filter_map(|(n, f)| Some(self.way(n, f.harm.as_ref()?)));
        let mut all: Vec<String> = Vec::new();
        harms.for_each(|harm| {
            if !all.contains(&harm) {
                all.push(harm)
            }
        });
        all
    }

    /// Tells whether a trigger or rule updates or deletes rows of a table, as far as can be read.
    pub fn rewrites(&self, table: &TableName) -> bool {
        self.rewritten.contains(&table)
    }

    /// Returns the triggers and rules of the table itself that may change or delete rows that are there, or that lead to one which
    /// may, each once. One that only raises an error is none: it takes back whatever sets it off.
    pub fn culprits(&self) -> Vec<Culprit> {
        let mut found: Vec<Culprit> = Vec::new();
        for (number, fired) in self.fired.iter().enumerate() {
            let Some(end) = &fired.harm else { continue };
            let mut own = fired;
            while let Some(above) = own.by.as_ref().and_then(|(by, _)| self.fired.get(*by)) {
                own = above;
            }
            let (name, rule) = match own.what {
                Actor::Trigger(name) => (name, false),
                Actor::Rule(name) => (name, true),
                Actor::Expression(_) => continue,
            };
            let on = own.on.clone();
            if !found.iter().any(|c| c.on == on && c.name == name && c.rule == rule) {
                found.push(Culprit { on, name: name.to_string(), rule, way: self.way(number, end) });
            }
        }
        found
    }

    /// Says what acts, a sentence without an end for each trigger and rule of the table itself: ``trigger g1 fires for each of the
    /// 3 rows and inserts into `log`, whose trigger b deletes from `users` ``; `rows` are the words for the rows.
    pub fn told(&self, rows: &str) -> Vec<String> {
        let own = self.fired.iter().enumerate().filter(|(_, f)| f.by.is_none());
        own.map(|(number, fired)| {
            let how = if fired.each_row { format!("fires for {rows}") } else { "fires".to_string() };
            let how = if matches!(fired.what, Actor::Rule(_)) { format!("acts on {rows}") } else { how };
            let does = if fired.does.is_empty() { String::new() } else { format!(" and {}", fired.does) };
            format!("{} {how}{does}{}", fired.what, self.below(number))
        })
        .collect()
    }

    /// Tells whether rows are written besides.
    pub fn writes(&self) -> bool {
        self.fired.iter().any(|f| !f.does.is_empty())
    }

    fn below(&self, above: usize) -> String {
        let below = self.fired.iter().enumerate().filter(|(_, f)| f.by.as_ref().is_some_and(|(by, _)| *by == above));
        below
            .filter(|(_, f)| !f.does.is_empty())
            .map(|(number, f)| format!("; {} of `{}` then {}{}", f.what, f.on, f.does, self.below(number)))
            .collect()
    }

    fn way(&self, number: usize, end: &str) -> String {
        let Some(fired) = self.fired.get(number) else { return String::new() };
        match &fired.by {
            None => format!("{} on `{}` {end}", fired.what, fired.on),
            Some((by, through)) => self.way(*by, &format!("{through}, whose {} {end}", fired.what)),
        }
    }
}

/// A trigger or rule of a table that may change or delete rows that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The table that it belongs to.
    pub on: TableName,
    /// Its name.
    pub name: String,
    /// Whether it is a rule; otherwise a trigger.
    pub rule: bool,
    /// The whole way to what it may do: ``trigger a on `t` inserts into `log`, whose trigger b deletes from `users` ``.
    pub way: String,
}

/// Rows of a table that change, and why.
#[derive(Clone, Debug)]
struct Open<'s> {
    table: &'s Table,
    event: String,
    /// The columns that change in an update; `None` if that is not known.
    columns: Option<Vec<String>>,
    by: Option<(usize, String)>,
}

fn next<'s>(table: &'s Table, write: &Write, by: usize) -> Open<'s> {
    let (event, verb) = words(write);
    let columns = write.columns.as_ref().map(|c| c.iter().map(|w| w.column.clone()).collect());
    let by = Some((by, format!("{verb} `{}`", write.table)));
    Open { table, event: event.to_string(), columns, by }
}

fn words(write: &Write) -> (&'static str, &'static str) {
    match write.kind {
        WriteKind::Insert if write.replaces => ("INSERT", "inserts into or changes rows of"),
        WriteKind::Insert => ("INSERT", "inserts into"),
        WriteKind::Update => ("UPDATE", "updates"),
        WriteKind::Delete => ("DELETE", "deletes from"),
    }
}

/// Returns what acts on rows of a table, with what it writes.
fn acting<'s>(schema: &'s Schema, open: &Open<'s>, first: bool) -> Vec<(Fired<'s>, Vec<&'s Write>)> {
    let event = open.event.as_str();
    let mut all = Vec::new();
    let parts = schema.parts(&open.table.name).into_iter().filter(|t| t.name != open.table.name);
    for of in std::iter::once(open.table).chain(parts) {
        for trigger in of.triggers.iter().filter(|t| fires(of, t, open)) {
            // A partition has its table's row triggers; one by itself fires for its own rows only.
            let inherited = of.name != open.table.name && open.table.triggers.iter().any(|t| t.name == trigger.name);
            if inherited || of.name != open.table.name && !trigger.for_each_row {
                continue;
            }
            all.push(trigger_of(of, trigger, event, open, first));
        }
    }
    for rule in open.table.rewrite_rules.iter().filter(|r| r.enabled && r.event == event) {
        all.push(rule_of(open.table, rule, open, first));
    }
    if let Some(function) = evaluated(schema, open.table, event, first) {
        // Nothing that fires; it is no less unknown.
        all.push((
            Fired {
                on: &open.table.name,
                what: Actor::Expression(function.0),
                each_row: true,
                does: String::new(),
                harm: Some(function.1),
                by: open.by.clone(),
            },
            Vec::new(),
        ));
    }
    all
}

fn fires(of: &Table, trigger: &Trigger, open: &Open<'_>) -> bool {
    match &open.columns {
        Some(columns) => trigger.fires(of, &open.event, &columns.iter().map(String::as_str).collect::<Vec<_>>()),
        None => trigger.enabled && trigger.events.contains(&open.event),
    }
}

fn trigger_of<'s>(
    of: &'s Table,
    trigger: &'s Trigger,
    event: &str,
    open: &Open<'s>,
    first: bool,
) -> (Fired<'s>, Vec<&'s Write>) {
    let does = trigger.at(event);
    let harm = does.and_then(|d| own_harm(d, event, first));
    let writes: Vec<&Write> = does.map(|d| d.writes.iter().collect()).unwrap_or_default();
    let fired = Fired {
        on: &of.name,
        what: Actor::Trigger(&trigger.name),
        each_row: trigger.for_each_row,
        does: told(&writes, does.is_some_and(|d| d.unread.is_some())),
        harm,
        by: open.by.clone(),
    };
    (fired, writes)
}

/// What a trigger does to the row itself, and what is not known of it. A new row that is left out or gets other values than
/// another trigger gave it harms none that is there.
fn own_harm(does: &Does, event: &str, first: bool) -> Option<String> {
    if let Some(why) = &does.unread {
        return Some(format!("may do more than can be read ({why})"));
    }
    if !first || event == "INSERT" {
        return None;
    }
    if !does.skips.is_never() {
        return Some("may keep the row as it is".to_string());
    }
    (!does.sets.is_empty() && event == "UPDATE").then(|| "may give the row other values".to_string())
}

fn rule_of<'s>(of: &'s Table, rule: &'s RewriteRule, open: &Open<'s>, first: bool) -> (Fired<'s>, Vec<&'s Write>) {
    let unread = rule.unread.as_ref().map(|why| format!("may do more than can be read ({why})"));
    let instead = rule.instead && first;
    let writes: Vec<&Write> = rule.writes.iter().collect();
    let fired = Fired {
        on: &of.name,
        what: Actor::Rule(&rule.name),
        each_row: true,
        does: told(&writes, rule.unread.is_some()),
        harm: unread.or_else(|| instead.then(|| format!("takes the place of the {}", rule.event))),
        by: open.by.clone(),
    };
    (fired, writes)
}

/// Says which tables are written: ``inserts into `log`, deletes from `cart` ``.
fn told(writes: &[&Write], unread: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for write in writes {
        let part = format!("{} `{}`", words(write).1, write.table);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if unread {
        parts.push("does what could not be read".to_string());
    }
    parts.join(", ")
}

/// Finds what a write may do to rows that are there.
fn harm_of(schema: &Schema, write: &Write, targets: &[&Table], root: &TableName) -> Option<String> {
    let (_, verb) = words(write);
    let table = &write.table;
    if write.kind != WriteKind::Insert || write.replaces {
        return Some(format!("{verb} `{table}`"));
    }
    if targets.is_empty() {
        return Some(format!("{verb} `{table}`, which is no table of this schema (a view?)"));
    }
    if targets.iter().any(|t| schema.share_rows(&t.name, root)) {
        return Some(format!("{verb} `{table}`, whose rows are being changed"));
    }
    if targets.iter().any(|t| !matches!(t.kind, TableKind::Plain | TableKind::Partitioned)) {
        return Some(format!("{verb} `{table}`, which is no ordinary table"));
    }
    let replaces = |t: &&&Table| t.primary_key.iter().chain(&t.unique_keys).any(|k| k.replaces);
    targets.iter().find(replaces).map(|_| format!("{verb} `{table}`, whose key replaces rows (ON CONFLICT REPLACE)"))
}

/// Finds a function that is called when a row is written, by a default, a generated column or a CHECK, and that is not known to
/// do nothing but give a value: whose it is, and what.
///
/// Rows that are restored come with all their columns: no default is used for them.
fn evaluated(schema: &Schema, table: &Table, event: &str, first: bool) -> Option<(String, String)> {
    if event == "DELETE" {
        return None;
    }
    let calls = |text: &str| called(schema.engine, text);
    let says =
        |what: String, function: String| Some((what, format!("calls `{function}`, and may do more than give a value")));
    for column in &table.columns {
        let default = column.default.as_deref().filter(|_| event == "INSERT" && !first);
        let text = default.or(column.generated.as_ref().map(|g| g.expression.as_str()));
        if let Some(function) = text.and_then(calls) {
            let what = if column.generated.is_some() { "generated column" } else { "default of" };
            return says(format!("{what} {}", column.name), function);
        }
    }
    for check in &table.checks {
        if let Some(function) = calls(&check.expression) {
            return says(format!("CHECK {}", check.name.as_deref().unwrap_or(&check.expression)), function);
        }
    }
    None
}

/// Finds the tables that a write may mean. What a search path says is not known: any table of the name may be meant.
fn targets<'s>(schema: &'s Schema, on: &Table, write: &Write) -> Vec<&'s Table> {
    let name = &write.table;
    let ignores = schema.engine.facts().names.ignore_case;
    let means = |t: &&Table| match &name.schema {
        _ if ignores => t.name.name.eq_ignore_ascii_case(&name.name),
        Some(_) => t.name == *name,
        None => t.name.name == name.name,
    };
    let mut found: Vec<&Table> = schema.tables.iter().filter(means).collect();
    found.sort_by_key(|t| t.name.schema != on.name.schema);
    found
}

#[cfg(test)]
mod tests;
