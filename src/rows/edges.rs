//! Rows that are reached from others along pairs of child and parent, by their keys as texts: on any engine, and to any depth.

use super::relation::{Compared, RelationRows};
use super::set::RowSet;

/// Writes which rows are reached: tables are told apart by numbers, rows by what tells them apart as one text.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    seeds: Vec<(usize, String, RowSet)>,
    pairs: Vec<String>,
}

impl Edges {
    /// Adds rows that it begins with; `text` tells a row of the set apart.
    pub fn begin(&mut self, table: usize, text: &str, rows: &RowSet) {
        self.seeds.push((table, text.to_string(), rows.clone()));
    }

    /// Has a row of the child be reached from its parent. Both sides: what a row is called, the table's number, what tells it apart.
    pub fn follow(
        &mut self,
        rows: &RelationRows<'_>,
        how: Compared,
        (child, (child_table, child_text)): (&str, (usize, String)),
        (parent, (parent_table, parent_text)): (&str, (usize, String)),
    ) {
        self.pairs.push(format!(
            "SELECT {child_table} AS tab, {child_text} AS id, {parent_table} AS parent_tab, {parent_text} AS parent_id \
             FROM {} AS {child} JOIN {} AS {parent} ON {}",
            rows.child_source(),
            rows.parent_source(),
            rows.refers_by(how, child, parent)
        ));
    }

    /// Writes that a row is reached; `text` tells it apart.
    pub fn is_found(table: usize, text: &str) -> String {
        format!("EXISTS (SELECT 1 FROM gone AS g WHERE g.tab = {table} AND g.id = {text})")
    }

    /// Writes the query from WITH on, with a line end, to which a SELECT is added.
    pub fn with(&self) -> String {
        format!(
            "WITH RECURSIVE edges AS ({}),\ngone (tab, id) AS ({} \
             UNION SELECT e.tab, e.id FROM gone AS g JOIN edges AS e ON e.parent_tab = g.tab AND e.parent_id = g.id)\n",
            self.pairs.join(" UNION ALL "),
            self.seeds("")
        )
    }

    /// Writes the query that counts the rows that are more than `limit` steps away.
    pub fn count_deeper(&self, limit: usize) -> String {
        format!(
            "WITH RECURSIVE edges AS ({}),\nchain (tab, id, depth) AS ({} \
             UNION SELECT e.tab, e.id, c.depth + 1 FROM chain AS c JOIN edges AS e ON e.parent_tab = c.tab AND e.parent_id = c.id \
             WHERE c.depth <= {limit})\nSELECT count(*) FROM chain WHERE depth > {limit}",
            self.pairs.join(" UNION ALL "),
            self.seeds(", 0")
        )
    }

    fn seeds(&self, more: &str) -> String {
        let of = |(table, text, rows): &(usize, String, RowSet)| rows.select(&format!("{table}, {text}{more}"));
        self.seeds.iter().map(of).collect::<Vec<_>>().join(" UNION ")
    }
}
