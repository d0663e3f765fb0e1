//! Partitions: which tables' rows are the same ones.
//!
//! A row of a partitioned table lies in one of its partitions: a foreign key that refers to that partition, or that the
//! partition holds by itself, acts on the row like one of the whole table.

use super::{Schema, Table, TableName};

impl Schema {
    /// Returns the table that a table's rows belong to in the end: the partitioned table at the top, or the table itself.
    pub fn whole<'a>(&'a self, name: &'a TableName) -> &'a TableName {
        let mut whole = name;
        // A document may be wrong, and run in a circle.
        for _ in 0..self.tables.len() {
            let Some(above) = self.table(whole).and_then(|t| t.partition_of.as_ref()) else { break };
            whole = above;
        }
        whole
    }

    /// Tells whether a table is another one or, in the end, a partition of it.
    pub fn is_within(&self, name: &TableName, other: &TableName) -> bool {
        let mut at = name;
        for _ in 0..=self.tables.len() {
            if at == other {
                return true;
            }
            let Some(above) = self.table(at).and_then(|t| t.partition_of.as_ref()) else { break };
            at = above;
        }
        false
    }

    /// Tells whether rows of one table may be rows of another: it is the same one, or a partition of it, or the other way round.
    pub fn share_rows(&self, one: &TableName, other: &TableName) -> bool {
        one == other || self.is_within(one, other) || self.is_within(other, one)
    }

    /// Returns the tables that may hold a table's rows: itself and its partitions, theirs too, in order of name.
    pub fn parts<'s>(&'s self, name: &TableName) -> Vec<&'s Table> {
        let is_one = |t: &&Table| t.name == *name || t.partition_of.is_some() && self.is_within(&t.name, name);
        self.tables.iter().filter(is_one).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::schema;

    #[test]
    fn rows_of_a_partition_are_rows_of_all_above_it() {
        let mut s = schema(Engine::Postgres, &["a: id int8", "a_1: id int8", "a_1_x: id int8", "a_2: id int8"]);
        for (part, of) in [("a_1", "a"), ("a_1_x", "a_1"), ("a_2", "a")] {
            s.table_mut(&part.into()).unwrap().partition_of = Some(of.into());
        }
        assert_eq!(s.whole(&"a_1_x".into()), &"a".into());
        assert!(s.share_rows(&"a".into(), &"a_1_x".into()) && s.share_rows(&"a_1_x".into(), &"a".into()));
        assert!(!s.share_rows(&"a_1_x".into(), &"a_2".into()));
        let parts: Vec<String> = s.parts(&"a_1".into()).iter().map(|t| t.name.to_string()).collect();
        assert_eq!(parts, ["a_1", "a_1_x"]);
        // A document that is wrong ends all the same.
        s.table_mut(&"a".into()).unwrap().partition_of = Some("a_1".into());
        assert!(s.share_rows(&"a".into(), &"a_1".into()));
        s.whole(&"a_2".into());
    }
}
