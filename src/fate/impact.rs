//! What a delete takes with it, as queries: which rows of each table go, change, or are left without a parent.

use serde::Serialize;

use super::Effect;
use super::conditions;
use super::judge::{Judgement, Ruling, Shape, judge};
use super::net::Net;
use super::sql::{NoKey, Sql, any};
use crate::rows::RowSet;
use crate::schema::TableName;

/// What a delete takes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// The table that the row is deleted from.
    pub root: TableName,
    /// Every table that the delete touches, the root first, nearest first.
    pub tables: Vec<TableImpact>,
    /// The relations whose rows can block the delete, sorted by child.
    pub blocking: Vec<Blocking>,
    /// Whether the queries tell exactly which rows. False where the rows' own order decides: then it is the most there
    /// can be.
    pub exact: bool,
}

/// The rows of a relation that can block a delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocking {
    /// The table that they are in.
    pub table: TableName,
    /// The relation by which they block: `orders.user_id`.
    pub relation: String,
    /// Counts them; `None` where no query can tell which they are.
    pub sql: Option<String>,
    /// Whether each of them blocks. Otherwise one of them may be gone when its turn comes.
    pub exact: bool,
    /// The engine's estimate of how many rows the table has.
    pub estimate: Option<u64>,
}

/// How many rows of a table block a delete by one relation, once somebody has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The relation by which they block: `orders.user_id`.
    pub relation: String,
    /// How many; `None` if they were not counted.
    pub rows: Option<u64>,
    /// Whether each of them blocks. Otherwise it is the most there can be.
    pub exact: bool,
}

/// A table's share. Each query counts rows; `:column` stands for the value of the root row's key column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableImpact {
    /// The table.
    pub table: TableName,
    /// How many cascades away from the root; `None` for a table whose rows are not deleted.
    pub depth: Option<usize>,
    /// Counts the rows that go.
    pub deleted: Option<Rows>,
    /// Counts the rows of which columns become NULL or their default.
    pub updated: Option<Rows>,
    /// Counts the rows that stay and refer to nothing.
    pub orphaned: Option<Rows>,
    /// The engine's estimate of how many rows the table has.
    pub estimate: Option<u64>,
}

/// How many rows of a table a delete takes with it, once somebody has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The table.
    pub table: TableName,
    /// How many cascades away from the root; `None` for a table whose rows are not deleted.
    pub depth: Option<usize>,
    /// How many rows go.
    pub deleted: Option<u64>,
    /// Of how many rows columns become NULL or their default.
    pub updated: Option<u64>,
    /// How many rows stay and refer to nothing.
    pub orphaned: Option<u64>,
    /// The engine's estimate of how many rows the table has.
    pub estimate: Option<u64>,
    /// The rows that block the delete, relation by relation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocking: Vec<Blocked>,
    /// Why the rows could not be counted, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncounted: Option<String>,
    /// How many rows go in addition once the automatic changes of the fix are made; `None` if that was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_deleted: Option<u64>,
}

impl TableImpact {
    /// Puts counts beside the table; `count` runs a query.
    ///
    /// # Errors
    /// Those of `count`.
    pub fn counted<E>(&self, mut count: impl FnMut(&str) -> Result<u64, E>) -> Result<Counted, E> {
        let mut of = |rows: &Option<Rows>| rows.as_ref().map(|r| count(&r.sql)).transpose();
        Ok(Counted {
            table: self.table.clone(),
            depth: self.depth,
            deleted: of(&self.deleted)?,
            updated: of(&self.updated)?,
            orphaned: of(&self.orphaned)?,
            estimate: self.estimate,
            blocking: Vec::new(),
            uncounted: None,
            newly_deleted: None,
        })
    }
}

/// Some rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The `WITH` clause, with a line end, or nothing.
    #[serde(skip)]
    with: String,
    #[serde(skip)]
    rows: RowSet,
    /// Counts them.
    pub sql: String,
}

impl Rows {
    fn new(with: String, rows: RowSet) -> Self {
        let sql = format!("{with}{}", rows.count());
        Self { with, rows, sql }
    }

    /// Selects columns of them; the table's alias is `x`.
    pub fn select(&self, columns: &str) -> String {
        format!("{}{}", self.with, self.rows.select(columns))
    }
}

pub(super) fn impact(net: &Net<'_>, root: usize, rows: Option<&str>) -> Option<Impact> {
    let judged = judge(net, root);
    impact_of(net, &judged, rows).ok()
}

fn impact_of(net: &Net<'_>, judged: &Judgement, rows: Option<&str>) -> Result<Impact, NoKey> {
    let walk = &judged.walk;
    let of = |effect: &dyn Fn(Effect) -> bool, table: usize| -> Vec<usize> {
        let rulings = judged.rulings.iter().filter(|r| net.links[r.link].child == table && effect(r.effect));
        rulings.filter(|r| !matches!(r.shape, Shape::KeyTaken(_))).map(|r| r.link).collect()
    };
    let updating = |c: Effect| matches!(c, Effect::Nulls | Effect::SetsDefault);
    let mut touched = walk.reached.clone();
    for ruling in &judged.rulings {
        let child = net.links[ruling.link].child;
        if (updating(ruling.effect) || ruling.effect == Effect::LeavesOrphans) && !touched.contains(&child) {
            touched.push(child);
        }
    }
    let stops = judged
        .rulings
        .iter()
        .filter(|r| (r.effect.can_stop() || r.effect == Effect::SetsDefault) && r.shape != Shape::Nothing);
    let mut blocking: Vec<Blocking> = stops
        .map(|ruling| {
            let link = &net.links[ruling.link];
            Blocking {
                table: net.tables[link.child].clone(),
                relation: net.graph.relations()[link.relation].child_side(),
                sql: conditions::count(net, walk, ruling, rows).ok(),
                exact: ruling.exact,
                estimate: net.table(link.child).and_then(|t| t.row_estimate),
            }
        })
        .collect();
    for &pair in &judged.rechecked {
        let link = &net.links[pair.1];
        let Ok(sql) = conditions::count_orphans(net, walk, pair, rows) else { continue };
        blocking.push(Blocking {
            table: net.tables[link.child].clone(),
            relation: net.graph.relations()[link.relation].child_side(),
            sql: Some(sql),
            exact: conditions::certain(net, judged, pair),
            estimate: net.table(link.child).and_then(|t| t.row_estimate),
        });
    }
    blocking.sort_by(|a, b| (&a.table, &a.relation).cmp(&(&b.table, &b.relation)));
    blocking.dedup();
    let mut tables = Vec::new();
    for table in touched {
        let rows_of = |links: Vec<usize>, less: Vec<usize>, left: bool| -> Result<Option<Rows>, NoKey> {
            if links.is_empty() {
                return Ok(None);
            }
            let mut sql = Sql::new(net, walk, rows);
            let x = sql.alias();
            let ways: Result<Vec<String>, NoKey> =
                links.iter().map(|&l| reach(&mut sql, net, judged, (l, left), &x)).collect();
            let mut parts = vec![any(ways?)];
            if walk.loses_rows(table) {
                parts.push(format!("NOT {}", sql.gone(table, &x)?));
            }
            for link in less {
                parts.push(format!("NOT {}", reach(&mut sql, net, judged, (link, false), &x)?));
            }
            let found = sql.rows(table, &x, parts.join(" AND "));
            Ok(Some(Rows::new(sql.with()?, found)))
        };
        let deleted = if walk.loses_rows(table) {
            let mut sql = Sql::new(net, walk, rows);
            let x = sql.alias();
            let gone = sql.gone(table, &x)?;
            let found = sql.rows(table, &x, gone);
            Some(Rows::new(sql.with()?, found))
        } else {
            None
        };
        let setters = of(&updating, table);
        let orphaning = of(&|c| c == Effect::LeavesOrphans, table);
        tables.push(TableImpact {
            table: net.tables[table].clone(),
            depth: walk.depth[table],
            deleted,
            updated: rows_of(setters.clone(), Vec::new(), false)?,
            orphaned: rows_of(orphaning, setters, true)?,
            estimate: net.table(table).and_then(|t| t.row_estimate),
        });
    }
    Ok(Impact { root: net.tables[walk.root].clone(), tables, blocking, exact: judged.rulings.iter().all(|r| r.exact) })
}

/// "The row is one that this link changes, or leaves behind where that is asked for."
fn reach(
    sql: &mut Sql<'_, '_>,
    net: &Net<'_>,
    judged: &Judgement,
    (link, left): (usize, bool),
    alias: &str,
) -> Result<String, NoKey> {
    let missed = |r: &&Ruling| left && r.link == link && r.effect == Effect::LeavesOrphans;
    if let Some(Shape::ComparedUnlike(how)) = judged.rulings.iter().find(missed).map(|r| &r.shape) {
        return sql.compared_unlike(link, *how, alias);
    }
    if judged.walk.loses_rows(net.links[link].parent) {
        return sql.refers_to_gone(link, alias);
    }
    let chain = judged.ripple_chain(net, link).ok_or(NoKey)?;
    sql.key_taken(&chain, alias)
}
