//! What the user demands of deletes, and which demands a delete breaks.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::Judgement;
use super::levels::Levels;
use super::net::Net;
use super::{Assumption, Effect, Verdict};
use crate::relations::Relation;
use crate::schema::{Action, TableName};

/// What the user demands of deletes, for the tables of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Tables whose rows must be deletable, with the worst verdict that will do.
    pub erasable: BTreeMap<TableName, Verdict>,
    /// Tables whose rows no delete of another table may take with it.
    pub never_cascade_into: BTreeSet<TableName>,
    /// How many cascades may follow each other.
    pub max_depth: Option<usize>,
    /// What is asked of single relations. Of several entries about a relation the first one counts.
    pub asked: Vec<Asked>,
}

/// What a person asks of one relation: by a `[[policy]]`, or by a choice on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// The actions on delete that will do, the best first.
    pub actions: Vec<Action>,
    /// Whether NOT NULL may be dropped so that SET NULL works.
    pub drop_not_null: bool,
    /// Whether exactly this relation was named.
    pub by_choice: bool,
}

impl Demands {
    /// Returns what is asked of a relation.
    pub fn asked_of(&self, relation: &Relation) -> Option<&Asked> {
        let about =
            |a: &&Asked| a.child == relation.child && a.columns == relation.columns && a.parent == relation.parent;
        self.asked.iter().find(about)
    }
}

/// The words in `referee.toml` for a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// A delete from the table must work.
    Erasable,
    /// A table's rows must not go with another table's.
    NeverCascadeInto,
    /// Not more than so many cascades may follow each other.
    MaxDepth,
}

impl Demand {
    /// Returns the word in `referee.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erasable => "erasable",
            Self::NeverCascadeInto => "never_cascade_into",
            Self::MaxDepth => "max_depth",
        }
    }
}

/// A demand that a delete breaks.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Broken {
    /// Which one.
    pub demand: Demand,
    /// How, in a sentence.
    pub text: String,
}

/// Returns the demands that a delete breaks, each in a sentence.
pub(super) fn broken(net: &Net<'_>, judged: &Judgement, assumptions: &[Assumption], demands: &Demands) -> Vec<Broken> {
    let root = net.tables[judged.walk.root];
    let mut broken = Vec::new();
    let side = |link: usize| net.graph.relations()[net.links[link].relation].child_side();
    if let Some(&wanted) = demands.erasable.get(root) {
        let stops = assumptions.iter().find(|a| a.stops_every_delete());
        if judged.verdict > wanted {
            let text = format!("`{root}` is to be erasable, with the verdict {wanted} or a better one");
            broken.push(Broken { demand: Demand::Erasable, text });
        } else if let Some(stops) = stops {
            let text = format!("`{root}` is to be erasable, and {}", stops.text);
            broken.push(Broken { demand: Demand::Erasable, text });
        }
    }
    let mut takes: Vec<usize> = judged
        .rulings
        .iter()
        .filter(|r| r.effect == Effect::Deletes)
        .map(|r| r.link)
        .filter(|&l| net.links[l].child != net.links[l].parent)
        .filter(|&l| demands.never_cascade_into.contains(net.tables[net.links[l].child]))
        .collect();
    takes.sort_unstable_by_key(|&l| (net.links[l].child, l));
    takes.dedup();
    for link in takes {
        let table = net.tables[net.links[link].child];
        let text = format!("{} takes rows of `{table}` with it, which no delete may cascade into", side(link));
        broken.push(Broken { demand: Demand::NeverCascadeInto, text });
    }
    if let Some(most) = demands.max_depth {
        let levels = Levels::new(net, &|i| judged.walk.cascades(i));
        let deepest = judged.walk.reached.iter().copied().max_by_key(|&t| (levels.above[t], std::cmp::Reverse(t)));
        if let Some(table) = deepest.filter(|&t| levels.above[t] > most) {
            let path: Vec<String> = levels.path(net, table).into_iter().map(side).collect();
            let depth = levels.above[table];
            let text = format!("{depth} cascades follow each other, and {most} may: {root}, {}", path.join(", "));
            broken.push(Broken { demand: Demand::MaxDepth, text });
        }
    }
    broken
}
