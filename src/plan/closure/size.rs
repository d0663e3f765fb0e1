//! How large a closure is, as far as it was counted.

use super::super::{Bound, Counts, RowAction};
use super::{Closure, Queries};

/// How large a closure is.
pub(in crate::plan) struct Sizes {
    pub gone: Vec<u64>,
    pub orphans: Vec<u64>,
    pub marks: Vec<u64>,
    /// For each mark, how many of its rows are orphans.
    pub stale: Vec<u64>,
    /// For each relation of [`Closure::links`], the rows that refer to one that goes.
    pub links: Vec<u64>,
    pub guesses: Vec<u64>,
}

/// What is known of the size of a closure.
pub(in crate::plan) enum Size {
    /// No row refers to an orphan, not even by a guess: each relation can be cleaned up by itself.
    NothingFollows,
    /// So many rows.
    Known(Sizes),
    /// The rows were not counted.
    Unknown,
}

impl Closure {
    /// Looks up how large it is; what is missing is taken down.
    ///
    /// # Errors
    /// Rows would go that a foreign key protects.
    pub fn size(&self, counts: &Counts, queries: &Queries) -> Result<Size, String> {
        let optional = |q: &Option<String>| q.as_ref().map_or(Some(0), |q| counts.get(q));
        let guesses: Vec<Option<u64>> = queries.guesses.iter().map(|q| counts.get(q)).collect();
        let gone: Vec<Option<u64>> = queries.gone.iter().map(|q| counts.get(q)).collect();
        let orphans: Vec<Option<u64>> = queries.orphans.iter().map(optional).collect();
        let marks: Vec<Option<u64>> = queries.marks.iter().map(|q| counts.get(q)).collect();
        let stale = queries
            .stale
            .iter()
            .zip(&self.marks)
            .zip(&marks)
            .map(|((query, mark), rows)| if mark.follows.is_empty() { *rows } else { optional(query) });
        let stale: Vec<Option<u64>> = stale.collect();
        let links: Vec<Option<u64>> = queries.links.iter().map(|q| counts.get(q)).collect();
        let blocks: Vec<Option<u64>> = queries.blocks.iter().map(|q| counts.get(q)).collect();
        if let Some((block, rows)) = self.blocks.iter().zip(&blocks).find(|(_, n)| n.is_some_and(|n| n > 0)) {
            return Err(format!("{}; nothing is deleted", self.blocked(block, *rows)));
        }
        let all = |list: Vec<Option<u64>>| list.into_iter().collect::<Option<Vec<u64>>>();
        let (Some(gone), Some(orphans), Some(marks), Some(stale), Some(links), Some(guesses), Some(_)) =
            (all(gone), all(orphans), all(marks), all(stale), all(links), all(guesses), all(blocks))
        else {
            return Ok(Size::Unknown);
        };
        // One orphan may refer to another: then both have to go at once, too.
        Ok(if links.iter().chain(&guesses).all(|n| *n == 0) {
            Size::NothingFollows
        } else {
            Size::Known(Sizes { gone, orphans, marks, stale, links, guesses })
        })
    }

    /// Returns how many rows its step may change, each table and each mark by itself.
    pub fn bounds(&self, queries: &Queries, sizes: &Sizes) -> Vec<Bound> {
        let gone = self.tables.iter().zip(queries.gone.iter().zip(&sizes.gone)).map(|(table, (count, rows))| Bound {
            count: count.clone(),
            rows: *rows,
            table: table.clone(),
            columns: Vec::new(),
            action: RowAction::Delete,
            set: Vec::new(),
            named: false,
        });
        let marks = self.marks.iter().zip(queries.marks.iter().zip(&sizes.marks)).map(|(mark, (count, rows))| Bound {
            count: count.clone(),
            rows: *rows,
            table: mark.table.clone(),
            columns: mark.columns.clone(),
            action: RowAction::SetNull,
            set: mark.columns.clone(),
            named: false,
        });
        gone.chain(marks).filter(|b| b.rows > 0).collect()
    }
}
