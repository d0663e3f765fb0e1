//! What can be done about one relation that is in the way: the choices of a person, with what each newly deletes.

use schemars::JsonSchema;
use serde::Serialize;

use super::NewlyDeleted;
use super::net::{Act, Net};
use super::propose::{Null, Proposal, null};
use super::reach::{Reach, sentences};
use super::repair::apply;
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
    /// The changes to the schema.
    #[serde(skip)]
    #[schemars(skip)]
    pub changes: Vec<Change>,
}

/// Returns what can be done about a relation, what destroys least first. `before` has what it follows from, and is left as it is;
/// `reach` is how far its deletes reach: what other changes bring is said with them.
pub(super) fn choices(
    net: &Net<'_>,
    (before, reach): (&mut Net<'_>, &Reach),
    link: usize,
    proposal: &Proposal,
) -> Vec<Choosable> {
    let relation = &net.graph.relations()[net.links[link].relation];
    let (child, parent) = (&relation.child, &relation.parent);
    let mut all = Vec::new();
    let mut add = |word: &str, does: String, newly_deletes, how: &Proposal| {
        let Some(to) = how.to else { return };
        let changes = changes(relation, to, how);
        all.push(Choosable { word: word.to_string(), does: said(does), newly_deletes, changes });
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
            add(word, does, Vec::new(), &null_with(set, Vec::new()));
        }
        Null::Rigid(columns) => {
            let does = format!("Drop NOT NULL from `{}`, with ON DELETE SET NULL: {stay}", columns.join("`, `"));
            add("drop-not-null", does, Vec::new(), &null_with(Vec::new(), columns));
        }
        Null::Never(_) => {}
    }
    if declared == Some(Action::SetNull) && matches!(net.links[link].act, Act::Fail(_)) {
        let keep = Proposal { to: Some(Action::NoAction), ..Proposal::default() };
        let does =
            format!("Protect `{parent}` with ON DELETE NO ACTION: it cannot be deleted while `{child}` refers to it");
        add("protect", does, Vec::new(), &keep);
    }
    let cascade = Proposal { to: Some(Action::Cascade), ..Proposal::default() };
    let own = before.links[link].clone();
    apply(before, link, &cascade);
    let newly = reach.to(&reach.again(before));
    before.links[link] = own;
    let mut does = format!("Make it ON DELETE CASCADE: rows of `{child}` are deleted with their `{parent}`");
    for sentence in sentences(&newly) {
        does.push_str(&format!("; {sentence}"));
    }
    add("cascade", does, newly, &cascade);
    all.sort_by_key(|c| c.word == "cascade");
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
