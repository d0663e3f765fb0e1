//! The rows that stop a delete, in words and as a query that counts them.

use super::judge::{Judgement, Ruling, Shape};
use super::net::Net;
use super::sql::{NoKey, Sql, any};
use super::walk::Walk;
use super::{Condition, Effect};
use crate::relations::unlike::Unlike;

/// Returns the condition of a ruling; `None` if no row can make its link stop the delete.
pub(crate) fn condition(net: &Net<'_>, walk: &Walk, ruling: &Ruling) -> Option<Condition> {
    if ruling.shape == Shape::Nothing || ruling.effect == Effect::LeavesOrphans {
        return None;
    }
    let relation = &net.graph.relations()[net.links[ruling.link].relation];
    Some(Condition {
        relation: relation.child_side(),
        rows: words(net, walk, ruling),
        sql: count(net, walk, ruling, None).ok(),
        exact: ruling.exact,
    })
}

/// SQLite: returns the condition by which orphans stop an update (`Judgement::rechecked`).
pub(super) fn orphans(net: &Net<'_>, judged: &Judgement, pair: (usize, usize)) -> Condition {
    let of = |link: usize| &net.graph.relations()[net.links[link].relation];
    let (setter, own) = (of(pair.0), of(pair.1));
    Condition {
        relation: own.child_side(),
        rows: format!(
            "rows of `{}` that are updated by {} and are orphans by {}: SQLite checks that foreign key again at such an update",
            own.child,
            setter.child_side(),
            own.child_side()
        ),
        sql: count_orphans(net, &judged.walk, pair, None).ok(),
        exact: certain(net, judged, pair),
    }
}

/// Tells whether each orphan that is counted stops the delete.
pub(super) fn certain(net: &Net<'_>, judged: &Judgement, (_, own): (usize, usize)) -> bool {
    let child = net.links[own].child;
    judged.rulings.iter().filter(|r| net.links[r.link].child == child).all(|r| r.exact)
}

/// Counts the orphans that stop an update.
pub(super) fn count_orphans(
    net: &Net<'_>,
    walk: &Walk,
    (setter, own): (usize, usize),
    rows: Option<&str>,
) -> Result<String, NoKey> {
    if !walk.loses_rows(net.links[setter].parent) {
        return Err(NoKey);
    }
    let mut sql = Sql::new(net, walk, rows);
    let row = sql.alias();
    let refers = sql.refers_to_gone(setter, &row)?;
    let mut condition = format!("{refers} AND {}", sql.is_orphan(own, &row)?);
    if walk.loses_rows(net.links[own].child) {
        // Its deletion takes back what its update counted.
        condition.push_str(&format!(" AND NOT {}", sql.gone(net.links[own].child, &row)?));
    }
    let rows = sql.rows(net.links[own].child, &row, condition);
    Ok(format!("{}{}", sql.with()?, rows.count()))
}

fn words(net: &Net<'_>, walk: &Walk, ruling: &Ruling) -> String {
    let relation = &net.graph.relations()[net.links[ruling.link].relation];
    let (child, parent) = (&relation.child, &relation.parent);
    let refers =
        format!("rows of `{child}` whose {} refers to a deleted row of `{parent}`", relation.columns.join(", "));
    match &ruling.shape {
        Shape::Nothing => String::new(),
        Shape::Survivors(_) if matches!(ruling.effect, Effect::Refuses | Effect::Fails) => refers,
        Shape::Survivors(setters) if setters.is_empty() && !walk.loses_rows(net.links[ruling.link].child) => refers,
        Shape::Survivors(setters) if setters.is_empty() => {
            format!("{refers}, and that are not deleted themselves because another parent of theirs stays")
        }
        Shape::Survivors(_) => format!("{refers}, and that are neither deleted nor set to NULL by another key"),
        Shape::Late(_) if matches!(ruling.effect, Effect::Refuses | Effect::Fails) => {
            format!("{refers}, and that are not deleted before `{parent}`'s row is checked")
        }
        Shape::Late(_) => format!("{refers}, and that no other key has deleted or set to NULL by then"),
        Shape::Referring { .. } if ruling.exact => refers,
        Shape::Referring { .. } => format!("{refers} (some of them may be gone when their turn comes)"),
        Shape::NoDefaultParent => {
            format!("{refers}, if the row of `{parent}` that their default refers to is missing or deleted too")
        }
        Shape::KeyTaken(_) => {
            format!("rows of `{child}` that refer to a row of `{parent}` whose key the delete sets to NULL")
        }
        Shape::ChangedTwice => format!("{refers}, and that two other keys change before this key has had its turn"),
        Shape::ComparedUnlike(how) => {
            let (column, key) = (relation.child_side(), relation.parent_side());
            match how {
                Unlike::ActionMisses => format!(
                    "rows whose {column} refers to a deleted row of `{parent}` only as a number (`'007'` to 7): the foreign \
                     key's check counts them, and its action passes them over"
                ),
                Unlike::TakesOthers => format!(
                    "rows of `{child}` whose {column} equals a deleted {key} only as a number (7 and `'007'`): the delete takes \
                     them for its own, though they refer to another row"
                ),
                Unlike::ActionTakesOthers => format!(
                    "rows of `{child}` whose {column} equals a deleted {key} only as a text (`'7'` and 7): RESTRICT takes them \
                     for rows that refer to it"
                ),
                Unlike::LeftBehind | Unlike::Mixed => format!(
                    "rows of `{child}` whose {column} equals a deleted {key} in some of SQLite's comparisons and not in all"
                ),
            }
        }
        Shape::TooDeep(limit) => format!("rows more than {limit} cascades away from the deleted one"),
        Shape::Unknown => format!("{refers}; only the delete itself can tell which"),
    }
}

/// Counts the rows that stop a delete of the root's `rows`; without a condition, of the one row whose key is asked for.
pub(super) fn count(net: &Net<'_>, walk: &Walk, ruling: &Ruling, rows: Option<&str>) -> Result<String, NoKey> {
    let link = &net.links[ruling.link];
    let mut sql = Sql::new(net, walk, rows);
    if let Shape::TooDeep(limit) = ruling.shape {
        return sql.too_deep(limit);
    }
    let row = sql.alias();
    let predicate = match &ruling.shape {
        Shape::Survivors(setters) => {
            let mut parts = vec![sql.refers_to_gone(ruling.link, &row)?];
            if walk.loses_rows(link.child) {
                parts.push(format!("NOT {}", sql.gone(link.child, &row)?));
            }
            for &s in setters {
                parts.push(format!("NOT {}", sql.refers_to_gone(s, &row)?));
            }
            parts.join(" AND ")
        }
        Shape::Late(cases) => {
            let mut ways = Vec::new();
            for (path, escapes) in cases {
                let chain: Vec<usize> = path.iter().copied().chain([ruling.link]).collect();
                let mut parts = vec![sql.via(&chain, &row)?];
                for escape in escapes {
                    parts.push(format!("NOT ({})", sql.via(escape, &row)?));
                }
                ways.push(format!("({})", parts.join(" AND ")));
            }
            any(ways)
        }
        Shape::Referring { but_root } => {
            let refers = sql.refers_to_gone(ruling.link, &row)?;
            if *but_root && link.child == walk.root {
                format!("{refers} AND NOT ({})", sql.root_row(&row)?)
            } else {
                refers
            }
        }
        Shape::NoDefaultParent => {
            let refers = sql.refers_to_gone(ruling.link, &row)?;
            let stays = if walk.loses_rows(link.child) {
                format!(" AND NOT ({})", sql.gone(link.child, &row)?)
            } else {
                String::new()
            };
            format!("{refers}{stays} AND {}", sql.no_default_parent(ruling.link, &row)?)
        }
        Shape::ChangedTwice => sql.refers_to_gone(ruling.link, &row)?,
        Shape::KeyTaken(chain) => sql.key_taken(chain, &row)?,
        Shape::ComparedUnlike(how) => sql.compared_unlike(ruling.link, *how, &row)?,
        Shape::Nothing | Shape::TooDeep(_) | Shape::Unknown => return Err(NoKey),
    };
    let rows = sql.rows(link.child, &row, predicate);
    Ok(format!("{}{}", sql.with()?, rows.count()))
}
