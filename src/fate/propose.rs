//! What is proposed for a relation that keeps a delete from what is wanted, and whether a person has to decide it.
//!
//! It leans to what destroys nothing: a reference that can be NULL becomes NULL, a declared SET NULL or SET DEFAULT stays, and
//! CASCADE is proposed of its own accord only where a row plainly belongs to its parent. What somebody asked for goes before.

use super::levels::{Levels, cascades};
use super::net::{Act, Net};
use super::nulls::{Doubt, Written, doubts, of_partition};
use super::{Asked, Demands, Goal};
use crate::infer::{is_record, is_reference_data, names_actor};
use crate::relations::{can_become_nullable, defeated};
use crate::schema::{Action, ForeignKey, Match, Table};
use crate::text::said;

/// What a relation shall do from now on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Proposal {
    /// The action; `None` where none can be proposed.
    pub to: Option<Action>,
    /// Which columns SET NULL changes, if not all.
    pub set_columns: Vec<String>,
    /// The columns from which NOT NULL is dropped.
    pub drop_not_null: Vec<String>,
    /// Whether a person has to decide.
    pub decide: bool,
    /// Whether exactly this was chosen.
    pub chosen: bool,
    /// Why.
    pub reason: String,
}

impl Proposal {
    fn of(to: Action, reason: String) -> Self {
        Self { to: Some(to), reason: said(reason), ..Self::default() }
    }

    fn decide(self) -> Self {
        Self { decide: true, ..self }
    }

    /// Leaves it to a person, with nothing to propose.
    fn leave(reason: String) -> Self {
        Self { decide: true, reason: said(reason), ..Self::default() }
    }
}

/// Returns what is proposed for a relation that is in the way of a goal.
pub(super) fn propose(net: &Net<'_>, link: usize, goal: Goal, demands: &Demands) -> Proposal {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    if let (Some(_), false) = (l.unlike, matches!(l.act, Act::Check(_))) {
        return Proposal::leave(format!(
            "no other action helps while {} and {} have different affinities: give the child column the parent's type",
            relation.child_side(),
            relation.parent_side()
        ));
    }
    let mut proposal = match demands.asked_of(relation) {
        Some(asked) => as_asked(net, link, asked),
        None => by_shape(net, link, goal),
    };
    if l.unlike.is_some() && proposal.to.is_some() {
        proposal.reason = format!(
            "{}; but {} and {} have different affinities, and as long as they do, rows can stop the delete all the same or \
             stay behind",
            proposal.reason,
            relation.child_side(),
            relation.parent_side()
        );
    }
    let proposal = unless_triggers_defeat(net, link, proposal);
    if proposal.to != Some(Action::Cascade) || l.child == l.parent {
        return proposal;
    }
    if demands.never_cascade_into.contains(&relation.child) {
        return Proposal::leave(format!("referee.toml lists `{}` under never_cascade_into", relation.child));
    }
    match demands.max_depth {
        Some(most) if deepens(net, link, most) => Proposal::leave(format!(
            "CASCADE would make a chain of more than {most} cascades, the max_depth of referee.toml"
        )),
        _ => proposal,
    }
}

/// Leaves it to a person where a trigger or rule defeats the action; who chose it is told.
fn unless_triggers_defeat(net: &Net<'_>, link: usize, proposal: Proposal) -> Proposal {
    let relation = &net.graph.relations()[net.links[link].relation];
    let Some(to) = proposal.to else { return proposal };
    let (child, parent) = (&relation.child, &relation.parent);
    let mut key = ForeignKey::new(&relation.columns, parent.clone(), &relation.parent_columns);
    key.set_columns.clone_from(&proposal.set_columns);
    let Some(why) = defeated(net.schema, child, &key, to) else { return proposal };
    if proposal.chosen {
        let reason = format!("{}, but {why}", proposal.reason);
        return Proposal { reason, ..proposal };
    }
    Proposal { reason: why, ..proposal }.decide()
}

/// Tells whether one more cascade makes a chain of more than `most`.
fn deepens(net: &Net<'_>, link: usize, most: usize) -> bool {
    let levels = Levels::new(net, &|i| cascades(net, i) || i == link);
    let l = &net.links[link];
    levels.circle[l.parent] != levels.circle[l.child] && levels.above[l.parent] + 1 + levels.below[l.child] > most
}

fn as_asked(net: &Net<'_>, link: usize, asked: &Asked) -> Proposal {
    let relation = &net.graph.relations()[net.links[link].relation];
    let (Some(table), side) = (net.holder(link), relation.child_side()) else {
        return Proposal::leave("the table is not in this schema".to_string());
    };
    let by = if asked.by_choice { "it was chosen" } else { "a [[policy]] of referee.toml asks for it" };
    let works = |action: Action| match action {
        Action::Cascade => Some(Proposal::of(action, by.to_string())),
        Action::SetNull => match null(net, link) {
            Null::Works => Some(Proposal::of(action, by.to_string())),
            Null::InPart { set, .. } if asked.by_choice => {
                Some(Proposal { set_columns: set, ..Proposal::of(action, by.to_string()) })
            }
            Null::Unsure(_) if asked.by_choice => Some(Proposal::of(action, by.to_string())),
            Null::Rigid(columns) if asked.drop_not_null => {
                Some(Proposal { drop_not_null: columns, ..Proposal::of(action, by.to_string()) })
            }
            _ => None,
        },
        Action::SetDefault | Action::NoAction | Action::Restrict => None,
    };
    let first = asked.actions.first().copied().unwrap_or(Action::NoAction);
    let found = asked.actions.iter().find_map(|&a| works(a));
    let Some(mut proposal) = found else {
        let words: Vec<&str> = asked.actions.iter().map(|a| a.sql()).collect();
        let (who, words) =
            (if asked.by_choice { "the choice" } else { "a [[policy]] of referee.toml" }, words.join(" or "));
        return Proposal::leave(format!("{who} wants ON DELETE {words} for `{side}`"));
    };
    proposal.chosen = asked.by_choice;
    // A policy that names an action that blocks first leaves the other one to a person.
    if first.refuses() {
        proposal = proposal.decide();
    }
    // CASCADE second best, where the row could stay.
    if proposal.to == Some(Action::Cascade) && first == Action::SetNull && table.is_nullable(&relation.columns[0]) {
        proposal = proposal.decide();
    }
    proposal
}

fn by_shape(net: &Net<'_>, link: usize, goal: Goal) -> Proposal {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let columns = relation.columns.join("`, `");
    let (child, parent) = (&relation.child, &relation.parent);
    let declared = relation.foreign_key().map(|k| k.on_delete);
    if goal == Goal::Complete {
        // Nothing may stay behind: only a person can say so of rows that are meant to.
        if let Some(action @ (Action::SetNull | Action::SetDefault)) = declared {
            let reason = format!(
                "ON DELETE {action} keeps rows of `{child}` when their `{parent}` goes: give that up only if the rows may go"
            );
            return Proposal::of(Action::Cascade, reason).decide();
        }
        if relation.nullable {
            let reason = format!(
                "`{columns}` can be NULL, so rows of `{child}` can stay without `{parent}`: CASCADE deletes them"
            );
            return Proposal::of(Action::Cascade, reason).decide();
        }
    }
    match (declared, l.act) {
        (Some(Action::SetNull), Act::Fail(_)) => contradiction(net, link),
        (Some(action @ (Action::SetNull | Action::SetDefault)), Act::Orphan) => {
            Proposal::of(action, format!("ON DELETE {action} is declared, and not enforced"))
        }
        (Some(action @ (Action::SetNull | Action::SetDefault)), _) => Proposal::leave(format!(
            "ON DELETE {action} is declared, so rows of `{child}` are meant to outlive their `{parent}`: it is not changed by itself"
        )),
        (Some(Action::Cascade), act) if act != Act::Orphan => Proposal::leave(format!(
            "ON DELETE CASCADE is declared, and another foreign key on the same columns of `{child}` says something else"
        )),
        _ if relation.nullable => survive(net, link),
        _ => match ownership(net, link) {
            Ok(reason) => Proposal::of(Action::Cascade, reason),
            Err(reason) => Proposal::of(Action::Cascade, reason).decide(),
        },
    }
}

/// SET NULL that cannot be carried out.
fn contradiction(net: &Net<'_>, link: usize) -> Proposal {
    let relation = &net.graph.relations()[net.links[link].relation];
    let (child, parent) = (&relation.child, &relation.parent);
    let says = format!("the key says SET NULL, so a row of `{child}` is meant to outlive its `{parent}`");
    match null(net, link) {
        Null::Rigid(columns) => {
            let reason = format!(
                "{says}, but `{}` is NOT NULL: either drop NOT NULL, or protect `{parent}` with NO ACTION",
                columns.join("`, `")
            );
            Proposal { drop_not_null: columns, ..Proposal::of(Action::SetNull, reason) }.decide()
        }
        Null::InPart { why, set } => {
            Proposal { set_columns: set, ..Proposal::of(Action::SetNull, format!("{says}, but {why}")) }.decide()
        }
        Null::Never(why) | Null::Unsure(why) => Proposal::leave(format!("{says}, but {why}")),
        Null::Works => Proposal::leave(format!("{says}, but SET NULL fails")),
    }
}

/// A reference that can be NULL: its row stays, and never goes with the parent unless somebody asks for that.
fn survive(net: &Net<'_>, link: usize) -> Proposal {
    let relation = &net.graph.relations()[net.links[link].relation];
    let (child, parent, columns) = (&relation.child, &relation.parent, relation.columns.join("`, `"));
    let stays = format!("`{columns}` can be NULL: rows of `{child}` stay without their `{parent}`");
    match null(net, link) {
        Null::Works => Proposal::of(Action::SetNull, stays),
        Null::InPart { why, set } => {
            let names = set.join("`, `");
            let reason =
                format!("{why}; SET NULL (`{names}`), which PostgreSQL has since version 15, would leave it as it is");
            Proposal { set_columns: set, ..Proposal::of(Action::SetNull, reason) }.decide()
        }
        Null::Unsure(why) => Proposal::of(Action::SetNull, format!("{stays}, but {why}")).decide(),
        Null::Never(why) => Proposal::leave(format!("SET NULL would fail: {why}")),
        Null::Rigid(columns) => Proposal::leave(format!("SET NULL would fail: `{}` is NOT NULL", columns.join("`, `"))),
    }
}

/// Whether a reference can be set to NULL.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Null {
    Works,
    /// Something may not accept NULL that is not evaluated.
    Unsure(String),
    /// Only some of its columns, which PostgreSQL 15 can say.
    InPart {
        why: String,
        set: Vec<String>,
    },
    /// These columns are NOT NULL, and nothing else is against it.
    Rigid(Vec<String>),
    Never(String),
}

/// Tells whether SET NULL works on a relation's columns, and what is against it.
pub(super) fn null(net: &Net<'_>, link: usize) -> Null {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let Some(table) = net.holder(link).filter(|_| !l.pairs.is_empty()) else {
        return Null::Never("its columns are not known".to_string());
    };
    let column = |c: &String| table.column(c);
    if let Some(name) = relation.columns.iter().find(|c| column(c).is_none_or(|c| c.generated.is_some())) {
        return Null::Never(format!("`{name}` is a generated column"));
    }
    let rigid = |c: &&String| table.in_primary_key(c) || !table.is_nullable(c);
    let (fixed, free): (Vec<&String>, Vec<&String>) = relation.columns.iter().partition(rigid);
    let full = relation.foreign_key().is_some_and(|k| k.matching == Match::Full);
    let mut key = relation
        .foreign_key()
        .cloned()
        .unwrap_or_else(|| ForeignKey::new(&relation.columns, relation.parent.clone(), &relation.parent_columns));
    key.set_columns.clear();
    if let Some(first) = fixed.first() {
        let what = if table.in_primary_key(first) { "part of the primary key" } else { "NOT NULL" };
        let why = format!("`{first}` is {what}");
        let newer = net.engine.facts().keys.sets_columns(net.schema.version);
        let set: Vec<String> = free.iter().map(|c| (*c).clone()).collect();
        if !set.is_empty() {
            key.set_columns.clone_from(&set);
            let works =
                matches!(net.act(table, &key, Action::SetNull, &set), (Act::Null, _)) && doubt(table, &set).is_none();
            return if newer && !full && works { Null::InPart { why, set } } else { Null::Never(why) };
        }
        if relation.columns.iter().any(|c| table.in_primary_key(c)) {
            return Null::Never(why);
        }
        if let Some(column) = fixed.iter().find(|c| !can_become_nullable(table, c)) {
            let domain = table.column(column).and_then(|c| c.data_type.domain.as_ref());
            let of = domain.map_or_else(String::new, |domain| format!(", and its domain `{domain}` may forbid NULL"));
            return Null::Never(format!("`{column}` is NOT NULL{of}"));
        }
        let columns: Vec<String> = fixed.into_iter().cloned().collect();
        let mut lenient = table.clone();
        lenient.columns.iter_mut().filter(|c| columns.contains(&c.name)).for_each(|c| c.nullable = true);
        return match doubt(&lenient, &relation.columns) {
            Some(why) => Null::Never(why),
            None => Null::Rigid(columns),
        };
    }
    match net.act(table, &key, Action::SetNull, &relation.columns) {
        (Act::Null, _) => {
            let doubt = partition_doubt(net, table, &relation.columns).or_else(|| doubt(table, &relation.columns));
            doubt.map_or(Null::Works, Null::Unsure)
        }
        (_, why) => Null::Never(why.unwrap_or_else(|| "its columns cannot be set to NULL".to_string())),
    }
}

/// Says what may not accept NULL in these columns.
fn doubt(table: &Table, columns: &[String]) -> Option<String> {
    let written = Written { nulled: columns.iter().map(String::as_str).collect(), defaulted: Vec::new() };
    doubts(table, &written).first().map(Doubt::text)
}

/// Says which partition of a table does not accept NULL in these columns.
fn partition_doubt(net: &Net<'_>, table: &Table, columns: &[String]) -> Option<String> {
    let written = Written { nulled: columns.iter().map(String::as_str).collect(), defaulted: Vec::new() };
    let parts = net.schema.parts(&table.name).into_iter().filter(|t| t.name != table.name);
    parts.flat_map(|t| of_partition(t, table, &written)).next().map(|d| d.text())
}

/// Says why a NOT NULL row plainly belongs to its parent, or else why a person should decide.
fn ownership(net: &Net<'_>, link: usize) -> Result<String, String> {
    let l = &net.links[link];
    let relation = &net.graph.relations()[l.relation];
    let (child, parent, columns) = (&relation.child, &relation.parent, relation.columns.join("`, `"));
    if relation.foreign_key().is_some_and(|k| k.on_delete == Action::Restrict) {
        return Err(format!("ON DELETE RESTRICT protects `{parent}` from going while rows of `{child}` refer to it"));
    }
    if is_record(child) {
        return Err(format!("`{child}` looks like business records you would keep"));
    }
    if l.child == l.parent {
        return Err(format!("a delete in `{child}` would take a whole tree of its rows with it"));
    }
    if let Some(actor) = relation.columns.iter().find(|c| names_actor(c)) {
        return Err(format!("`{actor}` names who did something, and not what the row of `{child}` belongs to"));
    }
    if is_reference_data(parent) {
        return Err(format!("`{parent}` looks like reference data: rows of `{child}` use it and do not belong to it"));
    }
    // What is only guessed is no reason to delete rows, but one to ask first.
    let other = net.graph.parents_of(child).map(|(_, r)| r).find(|r| !r.nullable && r.columns != relation.columns);
    if is_join_table(net, link) {
        return Ok(format!("`{child}` is a join table: a row means nothing without its `{parent}`"));
    }
    match other {
        Some(other) => Err(format!(
            "a row of `{child}` {} to its `{}` as well (`{}`)",
            if other.is_guess() { "may belong" } else { "belongs" },
            other.parent,
            other.columns.join("`, `")
        )),
        None => Ok(format!("`{child}.{columns}` is NOT NULL and nothing else owns the row")),
    }
}

/// Tells whether a table's primary key is made of two references or more and of nothing else, this one among them.
fn is_join_table(net: &Net<'_>, link: usize) -> bool {
    let child = net.links[link].child;
    let Some(key) = net.table(child).and_then(|t| t.primary_key.as_ref()) else { return false };
    let within = |o: &usize| {
        let columns = &net.graph.relations()[net.links[*o].relation].columns;
        columns.iter().all(|c| key.columns.contains(c)).then_some(columns)
    };
    let mut references: Vec<&Vec<String>> = net.above[child].iter().filter_map(within).collect();
    references.sort();
    references.dedup();
    let covered = key.columns.iter().all(|c| references.iter().any(|r| r.contains(c)));
    references.len() > 1 && covered && within(&link).is_some()
}
