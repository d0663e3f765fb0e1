//! How an engine changes a table.

/// How a table is changed.
pub struct Alter {
    /// Whether a foreign key is added, dropped or changed only by rebuilding the table.
    pub rebuilds: bool,
    /// How a column is given another type.
    pub set_type: SetType,
    /// Whether the same statement gives it another collation.
    pub set_collation: bool,
    /// Whether adding a key locks the parent against writes until the transaction ends.
    pub key_locks_parent: bool,
    /// The lock on the child while a key is validated, where it lets reads and writes go on.
    pub validate_lock: Option<&'static str>,
    /// Whether an index can be built beside writes by a statement of its own kind (`CONCURRENTLY`), partition by partition.
    pub concurrent_index: bool,
    /// Whether a dump writes keys sorted by name, so that a restored copy has made them in that order.
    pub dump_sorts_keys: bool,
}

/// How a column is given another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetType {
    /// Only by rebuilding the table.
    Rebuild,
    /// `ALTER COLUMN … TYPE …`.
    Alter {
        /// Whether `USING` says how values are converted.
        using: bool,
    },
    /// `MODIFY`, with the whole definition.
    Modify,
}
