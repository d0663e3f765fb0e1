//! Relations whose rows triggers and rules look after: a foreign key would get in their way.
//!
//! A trigger that writes a deleted row's key into another table keeps a history, whose rows outlive what they name. A trigger
//! that deletes or changes the child rows does by hand what ON DELETE would do.

use super::{Relation, side};
use crate::schema::{Action, Schema, Table, TableName, Trigger, Write, WriteKind};

/// Why a relation should have no foreign key as things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// What the trigger or rule does with the child rows.
    pub handling: Handling,
    /// The reason, in a sentence without an end.
    pub text: String,
}

/// What a trigger or a rule does with child rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It writes rows that refer to what is gone, or not there yet: they are a record.
    Records,
    /// It deletes or changes the rows when their parent goes.
    Removes,
}

/// A statement in the body of a trigger or rule, and when it runs.
struct Acting<'s> {
    on: &'s Table,
    /// `trigger `x`` or `rule `x``.
    what: String,
    timing: &'s str,
    event: &'s str,
    trigger: Option<&'s Trigger>,
    write: &'s Write,
}

/// What triggers and rules of a schema write, to be asked about many relations.
pub struct Objections<'s> {
    schema: &'s Schema,
    acting: Vec<Acting<'s>>,
}

impl<'s> Objections<'s> {
    /// Reads the bodies of a schema.
    pub fn new(schema: &'s Schema) -> Self {
        let mut acting = Vec::new();
        for on in &schema.tables {
            for trigger in on.triggers.iter().filter(|t| t.enabled) {
                for does in &trigger.does {
                    acting.extend(does.writes.iter().map(|write| Acting {
                        on,
                        what: format!("trigger `{}`", trigger.name),
                        timing: &trigger.timing,
                        event: &does.event,
                        trigger: Some(trigger),
                        write,
                    }));
                }
            }
            for rule in on.rewrite_rules.iter().filter(|r| r.enabled) {
                acting.extend(rule.writes.iter().map(|write| Acting {
                    on,
                    what: format!("rule `{}`", rule.name),
                    timing: "",
                    event: &rule.event,
                    trigger: None,
                    write,
                }));
            }
        }
        Self { schema, acting }
    }

    /// Says why a relation should have no key; `others` are the relations known beside it.
    pub fn to(&self, relation: &Relation, others: &[Relation]) -> Option<Objection> {
        let of_child = |a: &&Acting<'_>| written(self.schema, a.on, a.write).is_some_and(|t| *t == relation.child);
        let found = self.acting.iter().filter(of_child);
        found.filter_map(|a| self.objects(a, relation, others)).min_by_key(|o| o.handling == Handling::Removes)
    }

    fn objects(&self, acting: &Acting<'_>, relation: &Relation, others: &[Relation]) -> Option<Objection> {
        let Acting { on, what, timing, event, write, .. } = acting;
        let (child, parent) = (&relation.child, &relation.parent);
        let sets = relation.columns.iter().any(|c| write.sets(c));
        let place = side(child, &relation.columns);
        let records = |when: String, then: &str| {
            let text = format!("{what} on `{}` writes `{place}` {when}: {then}", on.name);
            Some(Objection { handling: Handling::Records, text })
        };
        if !self.schema.is_within(&on.name, parent) {
            return self.by_the_way(acting, relation, others);
        }
        match (*event, write.kind) {
            ("DELETE", WriteKind::Insert) if sets => records(
                format!("when a row of `{parent}` is deleted"),
                "a foreign key would block the delete or undo what was written",
            ),
            ("UPDATE", WriteKind::Insert) if sets && child != parent => records(
                format!("when a row of `{parent}` changes"),
                "it records what was, and a foreign key would block deletes or undo the record",
            ),
            ("INSERT", WriteKind::Insert)
                if sets && *timing == "BEFORE" && !self.schema.engine.facts().triggers.checks_wait =>
            {
                records(format!("before the row of `{parent}` is there"), "a foreign key would block every insert")
            }
            ("DELETE", WriteKind::Update | WriteKind::Delete) if relation.columns.iter().any(|c| write.touches(c)) => {
                let does = if write.kind == WriteKind::Delete { "deletes" } else { "changes" };
                let text = format!(
                    "{what} on `{}` {does} the rows of `{child}` when a row of `{parent}` is deleted: a foreign key would act \
                     before it or block it; whether a key is to do its work instead is a decision",
                    on.name
                );
                Some(Objection { handling: Handling::Removes, text })
            }
            ("UPDATE", WriteKind::Update) if sets => {
                let text = format!(
                    "{what} on `{}` changes `{place}` when a row of `{parent}` changes: a foreign key without the same ON \
                     UPDATE would block it",
                    on.name
                );
                Some(Objection { handling: Handling::Removes, text })
            }
            _ => None,
        }
    }

    /// A table between: its rows go or change with the parent's, and its trigger writes what they referred to.
    fn by_the_way(&self, acting: &Acting<'_>, relation: &Relation, others: &[Relation]) -> Option<Objection> {
        let (on, event) = (acting.on, acting.event);
        if acting.write.kind != WriteKind::Insert || on.name == relation.child {
            return None;
        }
        let columns = acting.write.columns.as_deref().unwrap_or_default();
        let from = columns.iter().filter(|w| relation.columns.contains(&w.column)).find_map(|w| w.from.as_ref())?;
        let between = others.iter().find(|o| {
            let fires = acting.trigger.is_none_or(|t| t.fires(on, event, &[from]));
            let goes = match o.on_delete {
                Some(Action::Cascade) => event == "DELETE",
                Some(Action::SetNull | Action::SetDefault) => event == "UPDATE" && fires,
                Some(Action::NoAction | Action::Restrict) => false,
                None => event == "DELETE" || event == "UPDATE" && fires,
            };
            o.child == on.name && o.parent == relation.parent && o.columns.contains(from) && goes
        })?;
        let text = format!(
            "{} on `{}` writes `{}` from `{}` when a row of `{}` is deleted: a foreign key would block the delete or undo what \
             was written",
            acting.what,
            on.name,
            side(&relation.child, &relation.columns),
            between.child_side(),
            relation.parent
        );
        Some(Objection { handling: Handling::Records, text })
    }
}

/// Finds the table that a statement of a table's trigger or rule writes; `None` if it is none of the schema's.
pub fn written<'s>(schema: &'s Schema, on: &Table, write: &Write) -> Option<&'s TableName> {
    let name = &write.table;
    let whole = |table: &'s Table| schema.whole(&table.name);
    if let Some(table) = schema.table(name) {
        return Some(whole(table));
    }
    if schema.engine.facts().names.ignore_case {
        let same = |t: &&Table| t.name.name.eq_ignore_ascii_case(&name.name);
        return schema.tables.iter().find(same).map(|t| &t.name);
    }
    if name.schema.is_some() {
        return None;
    }
    // What a search path says is not known; the trigger's own schema is the likeliest.
    schema.table(&TableName { schema: on.name.schema.clone(), name: name.name.clone() }).map(whole)
}

/// Names the triggers of a parent that cannot be read, and may do to child rows whatever they like when a parent row goes.
pub fn unread(schema: &Schema, relation: &Relation) -> Vec<String> {
    let Some(parent) = schema.table(&relation.parent) else { return Vec::new() };
    let triggers = parent.triggers.iter().filter(|t| t.enabled);
    let why = triggers.filter_map(|t| Some((t, t.at("DELETE")?.unread.as_ref()?)));
    why.map(|(t, why)| format!("trigger `{}` on `{}` could not be read: {why}", t.name, parent.name)).collect()
}
