//! What acts beside the keys when a delete reaches a table: triggers, rules, publications. It is named, not judged: a verdict
//! says what the keys come to, and holds only as far as these leave it alone.
//!
//! PostgreSQL carries out an action by a statement of its own (`ri_triggers.c`), so rules rewrite it, triggers fire for it, and a
//! publication that could not send it refuses it before any row is looked at (`execReplication.c`, `CheckCmdReplicaIdentity`).

use schemars::JsonSchema;
use serde::Serialize;

use super::Effect;
use super::judge::{Judgement, Ruling};
use super::net::{Act, Net, is_null};
use super::nulls::{Written, doubts, of_partition};
use super::publications::refused;
use crate::relations::{names, side, written};
use crate::schema::{
    Action, Chance, Does, IndexOrigin, Publication, RewriteRule, Table, TableKind, TableName, Trigger, Write, WriteKind,
};
use crate::text::said;

/// Something beside the keys that a verdict leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Assumption {
    /// The table that it belongs to.
    pub table: TableName,
    /// What it is.
    pub kind: ActorKind,
    /// Its name.
    pub name: String,
    /// When it acts: `BEFORE DELETE`.
    pub when: String,
    /// What it may do to the delete.
    pub may: Vec<May>,
    /// Whether it surely does the first of these, as soon as the delete gets there.
    pub certain: bool,
    /// Whether the delete gets there whatever the data.
    pub always_reached: bool,
    /// The same in words, without an end: `trigger `x` on `c` (BEFORE DELETE) may raise an error`.
    pub text: String,
}

impl Assumption {
    /// Names it: `trigger `x` on `c` (BEFORE DELETE)`.
    pub fn named(&self) -> String {
        match self.kind {
            ActorKind::Setting => return format!("{} of {}", self.name, self.when),
            ActorKind::Constraint | ActorKind::Unread => return self.name.clone(),
            ActorKind::Trigger | ActorKind::Rule | ActorKind::Publication => {}
        }
        format!("{} `{}` on `{}` ({})", self.kind.word(), self.name, self.table, self.when)
    }

    /// Tells whether it may do more than write other rows.
    pub fn may_decide(&self) -> bool {
        self.may.iter().any(|m| *m != May::Write)
    }

    /// Tells whether it surely stops every delete, whatever the data.
    pub fn stops_every_delete(&self) -> bool {
        self.certain && self.always_reached && matches!(self.may.first(), Some(May::Block | May::Skip | May::Replace))
    }
}

/// What acts beside the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A trigger.
    Trigger,
    /// PostgreSQL: a rule.
    Rule,
    /// PostgreSQL: a publication.
    Publication,
    /// PostgreSQL: a setting of a database or a role.
    Setting,
    /// A CHECK or the like that is not evaluated.
    Constraint,
    /// A part of the source that was not read, and may change tables.
    Unread,
}

impl ActorKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::Publication => "publication",
            Self::Setting => "setting",
            Self::Constraint => "constraint",
            Self::Unread => "unread",
        }
    }
}

/// What may happen to a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// An error stops it.
    Block,
    /// A row is passed over and stays as it is.
    Skip,
    /// Something else is done in its place.
    Replace,
    /// A row gets other values than the key says.
    Change,
    /// It is not known.
    Unknown,
    /// Rows of other tables are written besides.
    Write,
}

/// What the delete does to a table.
struct Reached<'n> {
    number: usize,
    event: &'static str,
    /// The columns that change in an `UPDATE`.
    changed: Vec<&'n str>,
    /// The same, by what they become.
    written: Written<'n>,
    /// Whether the engine gets there whatever the data: the root, and what hangs on it directly.
    always: bool,
}

/// Returns what acts beside the keys where a delete gets, nearest first.
pub(super) fn assumptions(net: &Net<'_>, judged: &Judgement, unread: &[String]) -> Vec<Assumption> {
    let mut found = Vec::new();
    for reached in reached(net, judged) {
        let Some(table) = net.table(reached.number) else { continue };
        // A table that inherits from the root is of its family.
        if reached.event == "DELETE" && judged.walk.roots[1..].contains(&reached.number) {
            continue;
        }
        let root = reached.number == judged.walk.root;
        let scene = Scene { net, judged, table, root, reached: &reached };
        for of in family(net, table, root) {
            // A partition has its table's row triggers; one by itself fires for its own rows only.
            let own = |t: &&Trigger| of.name == table.name || t.for_each_row;
            for trigger in of.triggers.iter().filter(own) {
                let inherited = of.name != table.name && table.triggers.iter().any(|t| t.name == trigger.name);
                if trigger.fires(of, reached.event, &reached.changed) && !inherited {
                    found.extend(scene.trigger(of, trigger));
                }
            }
            found.extend(scene.publication(of));
            if reached.event == "UPDATE" {
                found.extend(constraints(of, table, &reached));
            }
        }
        for rule in table.rewrite_rules.iter().filter(|r| r.enabled && r.event == reached.event) {
            found.push(scene.rule(rule));
        }
    }
    found.extend(net.schema.replica_roles.iter().map(|whose| Assumption {
        table: net.tables[judged.walk.root].clone(),
        kind: ActorKind::Setting,
        name: "session_replication_role = replica".to_string(),
        when: whose.clone(),
        may: vec![May::Unknown],
        certain: false,
        always_reached: true,
        text: format!(
            "session_replication_role = replica of {whose}: no foreign key and no trigger acts in its sessions"
        ),
    }));
    found.extend(unread.iter().map(|what| Assumption {
        table: net.tables[judged.walk.root].clone(),
        kind: ActorKind::Unread,
        name: what.clone(),
        when: "before the delete".to_string(),
        may: vec![May::Unknown],
        certain: false,
        always_reached: true,
        text: format!("not replayed: {what}, which may change foreign keys and with them what a delete does"),
    }));
    found.dedup();
    for assumption in &mut found {
        assumption.text = said(std::mem::take(&mut assumption.text));
    }
    found
}

/// Returns what may not accept what a key writes.
fn constraints(table: &Table, whole: &Table, reached: &Reached<'_>) -> Vec<Assumption> {
    let of = |doubt: super::nulls::Doubt| Assumption {
        table: table.name.clone(),
        kind: ActorKind::Constraint,
        text: doubt.text(),
        name: doubt.what,
        when: format!("SET {} of `{}`", if doubt.default { "DEFAULT" } else { "NULL" }, doubt.column),
        may: vec![May::Block],
        certain: false,
        always_reached: reached.always,
    };
    let found = if table.name == whole.name {
        doubts(table, &reached.written)
    } else {
        of_partition(table, whole, &reached.written)
    };
    found.into_iter().map(of).collect()
}

/// InnoDB: says which triggers do not fire, because a cascade changes the rows.
pub(super) fn passed_over(net: &Net<'_>, judged: &Judgement) -> Option<String> {
    if net.semantics.cascades_fire_triggers {
        return None;
    }
    let mut names = Vec::new();
    for reached in reached(net, judged).iter().filter(|r| r.number != judged.walk.root) {
        let Some(table) = net.table(reached.number) else { continue };
        let fires = table.triggers.iter().filter(|t| t.fires(table, reached.event, &reached.changed));
        names.extend(fires.map(|t| format!("`{}` on `{}`", t.name, table.name)));
    }
    names.dedup();
    let list = names.join(", ");
    (!names.is_empty()).then(|| {
        format!("cascades fire no triggers (MySQL before 9.7, MariaDB): {list} will not run for rows that go with their parent")
    })
}

fn reached<'n>(net: &Net<'n>, judged: &Judgement) -> Vec<Reached<'n>> {
    let walk = &judged.walk;
    let mut all = Vec::new();
    for &number in &walk.reached {
        // What a key of the root does is tried at every delete; below that, only if a row went.
        let always = walk.depth[number].is_some_and(|d| d <= 1);
        let written = Written::default();
        all.push(Reached { number, event: "DELETE", changed: Vec::new(), written, always });
    }
    let mut updated: Vec<(usize, Written<'n>, bool)> = Vec::new();
    for ruling in judged.rulings.iter().filter(|r| updates(net, r)) {
        let link = &net.links[ruling.link];
        let own = walk.loses_rows(link.parent);
        let numbers: Vec<u16> = if own { link.changed.clone() } else { link.columns().collect() };
        let Some(table) = net.table(link.child) else { continue };
        let key = net.graph.relations()[link.relation].foreign_key();
        let default = own && key.is_some_and(|k| k.on_delete == Action::SetDefault);
        // A key of one partition writes the defaults of that.
        let holder = net.holder(ruling.link).unwrap_or(table);
        let has_default = |c: &str| holder.column(c).and_then(|c| c.default.as_deref()).is_some_and(|d| !is_null(d));
        let columns = numbers.iter().filter_map(|c| table.columns.get(usize::from(*c))).map(|c| c.name.as_str());
        let (defaulted, nulled): (Vec<&str>, Vec<&str>) = columns.partition(|c| default && has_default(c));
        let always = link.parent == walk.root;
        match updated.iter_mut().find(|u| u.0 == link.child) {
            Some(known) => {
                known.1.nulled.extend(nulled);
                known.1.defaulted.extend(defaulted);
                known.2 |= always;
            }
            None => updated.push((link.child, Written { nulled, defaulted }, always)),
        }
    }
    all.extend(updated.into_iter().map(|(number, written, always)| {
        let changed = written.nulled.iter().chain(&written.defaulted).copied().collect();
        Reached { number, event: "UPDATE", changed, written, always }
    }));
    all
}

fn updates(net: &Net<'_>, ruling: &Ruling) -> bool {
    match ruling.effect {
        Effect::Nulls | Effect::SetsDefault => true,
        Effect::MayFail | Effect::Fails => matches!(net.links[ruling.link].act, Act::Null | Act::Default),
        _ => false,
    }
}

/// A table and its partitions, which a statement about the table gets to; and of the root the tables that inherit from it: what a
/// foreign key does, it does with ONLY.
fn family<'n>(net: &Net<'n>, table: &'n Table, root: bool) -> Vec<&'n Table> {
    let mut family = vec![table];
    if !net.families {
        return family;
    }
    let mut next = 0;
    while let Some(of) = family.get(next).copied() {
        next += 1;
        let below = |t: &&Table| t.partition_of.as_ref() == Some(&of.name) || root && t.inherits.contains(&of.name);
        for one in net.schema.tables.iter().filter(below) {
            if !family.iter().any(|f| f.name == one.name) {
                family.push(one);
            }
        }
    }
    family
}

/// A table that a delete gets to, and how.
struct Scene<'a, 'n> {
    net: &'a Net<'n>,
    judged: &'a Judgement,
    table: &'n Table,
    root: bool,
    reached: &'a Reached<'n>,
}

impl Scene<'_, '_> {
    fn named(&self, kind: ActorKind, table: &TableName, name: &str, when: &str) -> Assumption {
        Assumption {
            table: table.clone(),
            kind,
            name: name.to_string(),
            when: when.to_string(),
            may: Vec::new(),
            certain: false,
            always_reached: self.reached.always,
            text: String::new(),
        }
    }

    fn trigger(&self, of: &Table, trigger: &Trigger) -> Option<Assumption> {
        // InnoDB changes rows below the level of triggers.
        if !self.root && !self.net.semantics.cascades_fire_triggers {
            return None;
        }
        let event = self.reached.event;
        let does = trigger.at(event)?;
        let when = format!("{} {event}", trigger.timing);
        let mut found = self.named(ActorKind::Trigger, &of.name, &trigger.name, &when);
        // A row trigger waits for a row.
        found.always_reached = self.root || self.reached.always && !trigger.for_each_row;
        let mut parts: Vec<String> = Vec::new();
        let certain = |chance: Chance| chance == Chance::Always && !trigger.conditional;
        let each = if trigger.for_each_row { " for every row" } else { "" };
        if !does.raises.is_never() {
            found.may.push(May::Block);
            found.certain = certain(does.raises);
            let how = if found.certain { format!("raises an error{each}") } else { "may raise an error".to_string() };
            parts.push(how);
        }
        if !does.skips.is_never() {
            let sure = certain(does.skips);
            found.certain |= sure && found.may.is_empty();
            let refused = !self.root && self.net.engine.facts().triggers.skipped_refuses;
            found.may.push(if refused { May::Block } else { May::Skip });
            parts.push(self.skips(sure));
        }
        let restored: Vec<&str> = self.restored(does);
        if !restored.is_empty() {
            found.may.push(May::Change);
            parts.push(format!("may give {} another value", list(&restored)));
        }
        if let Some(text) = self.breaks_another(of, does) {
            found.may.push(May::Block);
            parts.push(text);
        }
        for write in &does.writes {
            if let Some(text) = self.refers_to_gone(of, write) {
                found.may.push(May::Block);
                parts.push(text);
            }
        }
        if let Some(missing) = self.missing(of, does) {
            found.may.push(May::Block);
            parts.push(missing);
        }
        if let Some(text) = writes(&does.writes) {
            found.may.push(May::Write);
            parts.push(text);
        }
        if let Some(why) = &does.unread {
            found.may.push(May::Unknown);
            parts.push(format!("could not be read: {why}"));
        }
        found.may.sort();
        found.may.dedup();
        found.text = format!("{} {}", found.named(), parts.join(", "));
        (!found.may.is_empty()).then_some(found)
    }

    /// SQLite: says that a body writes what is no table. The statement is compiled with it, so that it fails whatever the data; views
    /// are not in the model.
    fn missing(&self, of: &Table, does: &Does) -> Option<String> {
        let is_missing = |w: &&Write| written(self.net.schema, of, w).is_none();
        let write = does.writes.iter().find(is_missing).filter(|_| self.net.semantics.broken_keys_stop_deletes)?;
        Some(format!(
            "writes `{0}`, which is no table: unless it is a view, every such delete fails (`no such table: main.{0}`)",
            write.table
        ))
    }

    fn skips(&self, sure: bool) -> String {
        let (does, may) = self.net.engine.facts().triggers.skips_row.unwrap_or(("skips the row", "may skip the row"));
        let how = if sure { does } else { may };
        let then = match (self.root, self.reached.event) {
            (true, _) => "the row is not deleted",
            (false, _) if self.net.engine.facts().triggers.skipped_refuses => {
                "the row keeps its reference, and the foreign key refuses the delete"
            }
            (false, "UPDATE") => "the row keeps a reference to nothing",
            (false, _) => "the row stays and refers to nothing",
        };
        format!("{how}: {then}")
    }

    /// Returns the columns that an action sets and a trigger may set again.
    fn restored<'d>(&'d self, does: &'d Does) -> Vec<&'d str> {
        if self.reached.event != "UPDATE" {
            return Vec::new();
        }
        let any = does.sets.iter().any(|s| s == "*");
        let set = |c: &&&str| any || does.sets.iter().any(|s| s.eq_ignore_ascii_case(c));
        self.reached.changed.iter().filter(set).copied().collect()
    }

    /// Says that a trigger sets another column than the action does, and something constrains that: a foreign key, a key, a CHECK.
    fn breaks_another(&self, of: &Table, does: &Does) -> Option<String> {
        if self.reached.event != "UPDATE" {
            return None;
        }
        let changed = |c: &str| self.reached.changed.iter().any(|own| own.eq_ignore_ascii_case(c));
        let whole = self.table;
        let keys = || of.foreign_keys.iter().chain(&whole.foreign_keys).filter(|k| k.is_active());
        let has = |columns: &[String], c: &str| columns.iter().any(|own| own.eq_ignore_ascii_case(c));
        does.sets.iter().filter(|c| *c != "*" && !changed(c)).find_map(|c| {
            let index = |i: &&crate::schema::Index| {
                let part =
                    |p: &crate::schema::IndexPart| p.column.as_deref().is_some_and(|p| p.eq_ignore_ascii_case(c));
                (i.unique || i.origin == IndexOrigin::Constraint) && i.parts.iter().any(part)
            };
            let check = |k: &&crate::schema::Check| names(&k.expression, c);
            let what = if keys().any(|k| has(&k.columns, c)) {
                "the foreign key on it".to_string()
            } else if of.primary_key.iter().chain(&of.unique_keys).any(|k| has(&k.columns, c)) {
                "the key that it is part of".to_string()
            } else if let Some(index) = of.indexes.iter().find(index) {
                format!("index `{}`", index.name)
            } else {
                of.checks
                    .iter()
                    .find(check)?
                    .name
                    .as_ref()
                    .map_or_else(|| "a CHECK".to_string(), |n| format!("CHECK `{n}`"))
            };
            Some(format!("may give `{c}` a value that {what} may not accept"))
        })
    }

    /// Says that rows which a trigger inserts refer to a row that is being deleted, and a key forbids that.
    fn refers_to_gone(&self, of: &Table, write: &Write) -> Option<String> {
        if write.kind != WriteKind::Insert {
            return None;
        }
        let into = self.net.schema.table(written(self.net.schema, of, write)?)?;
        let columns = write.columns.as_deref().unwrap_or_default();
        let gone = |parent: &TableName| {
            let whole = self.net.schema.whole(parent);
            self.judged.walk.reached.iter().any(|&t| self.net.tables[t] == whole)
        };
        // The fired row itself, or what it refers to.
        let same_row = |parent: &TableName, from: &str, to: &str| {
            let own = *parent == of.name || *parent == self.table.name;
            let refers = |k: &crate::schema::ForeignKey| k.parent == *parent && k.columns.iter().any(|c| c == from);
            own && from.eq_ignore_ascii_case(to) || of.foreign_keys.iter().any(refers)
        };
        let refers = |k: &&crate::schema::ForeignKey| {
            k.is_active()
                && gone(&k.parent)
                && k.columns.iter().zip(&k.parent_columns).any(|(c, p)| {
                    let from = columns.iter().find(|w| w.column.eq_ignore_ascii_case(c)).and_then(|w| w.from.as_ref());
                    from.is_some_and(|from| same_row(&k.parent, from, p))
                })
        };
        let key = into.foreign_keys.iter().find(refers)?;
        let place = side(&into.name, &key.columns);
        Some(format!("writes `{place}` with the key of a row that is going, which its foreign key does not allow"))
    }

    fn rule(&self, rule: &RewriteRule) -> Assumption {
        let event = self.reached.event;
        let when = format!("ON {event} DO {}", if rule.instead { "INSTEAD" } else { "ALSO" });
        let mut found = self.named(ActorKind::Rule, &self.table.name, &rule.name, &when);
        let wrote = writes(&rule.writes);
        let what = match (rule.instead, rule.conditional, self.root) {
            (true, false, true) => {
                found.may = vec![May::Replace];
                found.certain = true;
                "takes the place of the delete".to_string()
            }
            // "referential integrity query … gave unexpected result" (XX000), rows or none.
            (true, false, false) => {
                found.may = vec![May::Block];
                found.certain = true;
                "rewrites what the foreign key does, and PostgreSQL stops the delete (XX000)".to_string()
            }
            (true, true, _) => {
                found.may = vec![May::Skip];
                "keeps the rows that its condition chooses".to_string()
            }
            (false, ..) => {
                found.may = vec![May::Write];
                wrote.clone().unwrap_or_else(|| "does something besides".to_string())
            }
        };
        if rule.instead && wrote.is_some() {
            found.may.push(May::Write);
        }
        found.text = format!("{} {what}", found.named());
        found
    }

    /// Names a publication that could not send the change, for which PostgreSQL refuses the statement.
    fn publication(&self, of: &Table) -> Option<Assumption> {
        // A partitioned table holds no rows; its partitions do.
        if of.kind == TableKind::Partitioned || of.unlogged {
            return None;
        }
        let event = self.reached.event;
        let publishes = |p: &&Publication| if event == "DELETE" { p.delete } else { p.update };
        let schema = self.net.schema;
        let sends = |t: &&Table| !t.publications.is_empty() && schema.is_within(&of.name, &t.name);
        for table in schema.tables.iter().filter(sends) {
            for publication in table.publications.iter().filter(publishes) {
                let Some(why) = refused(publication, of) else { continue };
                let when = format!("publishes {}", if event == "DELETE" { "deletes" } else { "updates" });
                let mut found = self.named(ActorKind::Publication, &of.name, &publication.name, &when);
                found.may = vec![May::Block];
                found.certain = true;
                found.text = format!("{} refuses it: {why}", found.named());
                return Some(found);
            }
        }
        None
    }
}

fn list(columns: &[&str]) -> String {
    columns.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ")
}

/// Says which tables a body writes.
fn writes(writes: &[Write]) -> Option<String> {
    let mut parts = Vec::new();
    let kinds =
        [(WriteKind::Insert, "inserts into"), (WriteKind::Update, "updates"), (WriteKind::Delete, "deletes from")];
    for (kind, verb) in kinds {
        let mut tables: Vec<String> =
            writes.iter().filter(|w| w.kind == kind).map(|w| format!("`{}`", w.table)).collect();
        tables.dedup();
        if !tables.is_empty() {
            parts.push(format!("{verb} {}", tables.join(", ")));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
