//! What stops deletes: names alone, so that two states of a schema can be held against each other.

use std::collections::BTreeSet;

use super::judge::judge;
use super::levels::cascades;
use super::{Effect, Fates, report};
use crate::schema::TableName;

/// A relation as it is told apart in two states of a schema: child, its columns in order of name, parent.
pub type RelationName = (TableName, Vec<String>, TableName);

/// A relation that can stop a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The relation.
    pub relation: RelationName,
    /// Whether a row stops it only where nothing else in the delete removes the row in time.
    pub may: bool,
    /// The relations from the root to it, itself last.
    pub path: Vec<RelationName>,
}

/// What stops a delete from one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// The key for which every such delete fails, rows or none, and what is wrong with it.
    pub broken: Option<(RelationName, String)>,
    /// The relations that stop it while there are rows.
    pub by: Vec<Stop>,
}

impl Fates<'_> {
    /// Returns what stops a delete from a table; nothing if there is no such table.
    pub fn stops(&self, root: &TableName) -> Stops {
        let net = &self.net;
        let Ok(number) = net.tables.binary_search(&root) else { return Stops::default() };
        let name = |relation: usize| {
            let relation = &net.graph.relations()[relation];
            let mut columns = relation.columns.clone();
            columns.sort();
            (relation.child.clone(), columns, relation.parent.clone())
        };
        let judged = judge(net, number);
        let broken = judged.broken.and_then(|t| net.broken[t].as_ref());
        let broken = broken.map(|(relation, why)| (name(*relation), why.clone()));
        let stop = |ruling: &super::judge::Ruling| Stop {
            relation: name(net.links[ruling.link].relation),
            may: matches!(ruling.effect, Effect::MayRefuse | Effect::MayFail),
            path: report::path(net, &judged, ruling).iter().map(|&i| name(net.links[i].relation)).collect(),
        };
        Stops { broken, by: judged.rulings.iter().filter(|r| r.effect.can_stop()).map(stop).collect() }
    }

    /// Returns these tables and all from which cascades lead to one of them.
    pub fn above(&self, tables: &BTreeSet<&TableName>) -> BTreeSet<TableName> {
        let net = &self.net;
        let number = |t: &&TableName| net.tables.binary_search(&net.schema.whole(t)).ok();
        let mut open: Vec<usize> = tables.iter().filter_map(number).collect();
        let mut found: BTreeSet<usize> = open.iter().copied().collect();
        while let Some(table) = open.pop() {
            for &link in net.above[table].iter().filter(|&&i| cascades(net, i)) {
                let parent = net.links[link].parent;
                if found.insert(parent) {
                    open.push(parent);
                }
            }
        }
        found.into_iter().map(|t| net.tables[t].clone()).collect()
    }
}
