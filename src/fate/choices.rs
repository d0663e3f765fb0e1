//! What can be done about one relation that is in the way: the choices of a person, with what each newly deletes.

use schemars::JsonSchema;
use serde::Serialize;

use super::judge::judge;
use super::net::{Act, Net};
use super::propose::{Null, Proposal, null};
use super::reach::{Reach, sentences};
use super::repair::apply;
use super::{NewlyDeleted, Verdict};
use crate::change::Change;
use crate::relations::Relation;
use crate::schema::{Action, ForeignKey};
use crate::text::said;

/// Something that can be done about a relation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Choosable {
    /// The word that chooses it: `--choose child.column=WORD`.
    pub word: String,
    /// What it does and comes to.
    pub does: String,
    /// What deletes newly delete by it.
    pub newly_deletes: Vec<NewlyDeleted>,
    /// What a delete comes to by it where the other relations act as proposed, by what is known.
    pub verdict: Verdict,
    /// The changes to the schema.
    #[serde(skip)]
    #[schemars(skip)]
    pub changes: Vec<Change>,
}

/// The states of a net that a choice is tried on; each is left as it is.
pub(super) struct Ground<'g, 's> {
    /// What deletes are judged.
    pub root: usize,
    /// What the choice follows from has been changed.
    pub before: &'g mut Net<'s>,
    /// How far deletes reach by that: what other changes bring is said with them.
    pub reach: &'g Reach,
    /// All relations act as proposed.
    pub then: &'g mut Net<'s>,
}

impl Ground<'_, '_> {
    /// Returns what a delete comes to by a choice, and why every delete fails by it, rows or none, if it does.
    fn try_out(&mut self, net: &Net<'_>, link: usize, how: &Proposal) -> (Verdict, Option<String>) {
        let own = std::mem::replace(&mut self.then.links[link], self.before.links[link].clone());
        let without = judge(self.then, self.root).broken;
        apply(self.then, link, how);
        if let Some(to) = how.to.filter(|to| to.refuses())
            && let (Some(table), Some(key)) =
                (net.holder(link), net.graph.relations()[net.links[link].relation].foreign_key())
        {
            let changed = &mut self.then.links[link];
            (changed.act, changed.contradiction) = net.act(table, key, to, &[]);
            changed.left = Vec::new();
        }
        let judged = judge(self.then, self.root);
        self.then.links[link] = own;
        let broken = judged.broken.filter(|_| without.is_none()).and_then(|t| net.broken[t].as_ref());
        let why = broken.map(|(relation, why)| {
            let side = net.graph.relations()[*relation].child_side();
            let root = net.tables[self.root];
            format!("but every delete from `{root}` then fails, rows or none: the foreign key {side} is broken, {why}")
        });
        (judged.verdict, why)
    }
}

/// Returns what can be done about a relation: what lets deletes succeed before what does not, of these what destroys least first.
pub(super) fn choices<'s>(
    net: &Net<'s>,
    ground: &mut Ground<'_, 's>,
    link: usize,
    proposal: &Proposal,
) -> Vec<Choosable> {
    let relation = &net.graph.relations()[net.links[link].relation];
    let (child, parent) = (&relation.child, &relation.parent);
    let mut all: Vec<Choosable> = Vec::new();
    let mut add =
        |ground: &mut Ground<'_, 's>, word: &str, mut does: String, mut newly: Vec<NewlyDeleted>, how: &Proposal| {
            let Some(to) = how.to else { return };
            let changes = changes(relation, to, how);
            let (verdict, broken) = ground.try_out(net, link, how);
            if broken.is_some() {
                // A delete that fails takes nothing with it.
                newly.iter_mut().for_each(|n| n.from.retain(|t| t != net.tables[ground.root]));
                newly.retain(|n| !n.from.is_empty());
            }
            for text in sentences(&newly).into_iter().chain(broken) {
                does.push_str(&format!("; {text}"));
            }
            all.push(Choosable { word: word.to_string(), does: said(does), newly_deletes: newly, verdict, changes });
        };
    let null_with = |set_columns: Vec<String>, drop_not_null: Vec<String>| Proposal {
        to: Some(Action::SetNull),
        set_columns,
        drop_not_null,
        ..Proposal::default()
    };
    let stay = format!("rows of `{child}` stay without their `{parent}`");
    let declared = relation.foreign_key().map(|k| k.on_delete);
    match null(net, link) {
        _ if declared == Some(Action::SetNull) && !matches!(net.links[link].act, Act::Fail(_) | Act::Orphan) => {}
        Null::Works | Null::Unsure(_) => {
            add(
                ground,
                "set-null",
                format!("Make it ON DELETE SET NULL: {stay}"),
                Vec::new(),
                &null_with(Vec::new(), Vec::new()),
            );
        }
        Null::InPart { set, .. } => {
            let does = format!("Make it ON DELETE SET NULL (`{}`): {stay}", set.join("`, `"));
            // Where SET NULL is declared, the planner's word for other columns of it.
            let word = if declared == Some(Action::SetNull) { "set-null-columns" } else { "set-null" };
            add(ground, word, does, Vec::new(), &null_with(set, Vec::new()));
        }
        Null::Rigid(columns) => {
            let does = format!("Drop NOT NULL from `{}`, with ON DELETE SET NULL: {stay}", columns.join("`, `"));
            add(ground, "drop-not-null", does, Vec::new(), &null_with(Vec::new(), columns));
        }
        Null::Never(_) => {}
    }
    if declared == Some(Action::SetNull) && matches!(net.links[link].act, Act::Fail(_)) {
        let keep = Proposal { to: Some(Action::NoAction), ..Proposal::default() };
        let does =
            format!("Protect `{parent}` with ON DELETE NO ACTION: it cannot be deleted while `{child}` refers to it");
        add(ground, "protect", does, Vec::new(), &keep);
    }
    let cascade = Proposal { to: Some(Action::Cascade), ..Proposal::default() };
    let own = ground.before.links[link].clone();
    apply(ground.before, link, &cascade);
    let newly = ground.reach.to(&ground.reach.again(ground.before));
    ground.before.links[link] = own;
    let does = format!("Make it ON DELETE CASCADE: rows of `{child}` are deleted with their `{parent}`");
    add(ground, "cascade", does, newly, &cascade);
    // Who protects a parent wants its delete to be refused.
    let fails = |c: &Choosable| if c.verdict.always_succeeds() || c.word == "protect" { None } else { Some(c.verdict) };
    all.sort_by_key(|c| (fails(c), c.word == "cascade"));
    // What is proposed without a decision comes first: it is what is done.
    if !proposal.decide
        && let Some(to) = proposal.to
        && let Some(at) = all.iter().position(|c| c.changes == changes(relation, to, proposal))
    {
        let first = all.remove(at);
        all.insert(0, first);
    }
    all
}

pub(super) fn changes(relation: &Relation, to: Action, proposal: &Proposal) -> Vec<Change> {
    let table = relation.child.clone();
    let nullable = proposal.drop_not_null.iter().map(|column| Change::SetNullable {
        table: table.clone(),
        column: column.clone(),
        nullable: true,
    });
    let mut all: Vec<Change> = nullable.collect();
    match relation.foreign_key() {
        Some(old) => {
            let new = ForeignKey {
                on_delete: to,
                set_columns: if to == old.on_delete && proposal.set_columns.is_empty() {
                    old.set_columns.clone()
                } else {
                    proposal.set_columns.clone()
                },
                enforced: true,
                disabled: None,
                ..old.clone()
            };
            if new != *old {
                all.push(Change::ReplaceForeignKey { table, old: old.clone(), new });
            }
        }
        None => {
            let mut foreign_key =
                ForeignKey::new(relation.columns.clone(), relation.parent.clone(), relation.parent_columns.clone());
            foreign_key.on_delete = to;
            foreign_key.set_columns.clone_from(&proposal.set_columns);
            all.push(Change::AddForeignKey { table, foreign_key });
        }
    }
    all
}
