//! How an engine changes a table, and what runs the statements.

/// How a table is changed.
pub struct Alter {
    /// Whether a foreign key is added, dropped or changed only by rebuilding the table.
    pub rebuilds: bool,
    /// Whether the catalog is the text of each definition: an action that is not written is not there, triggers follow
    /// renames, and the text is read again after each change.
    pub keeps_text: bool,
    /// Whether changes of a schema are part of a transaction, and go with it.
    pub transactional: bool,
    /// The order of the actions of one `ALTER TABLE`.
    pub order: AlterOrder,
    /// How a column is given another type.
    pub set_type: SetType,
    /// Whether the same statement gives it another collation.
    pub set_collation: bool,
    /// Whether keys are made again, as the newest, when the type of one of their columns changes.
    pub type_remakes_keys: bool,
    /// Whether a column's new definition takes the keys along that stood in its old one.
    pub definition_replaces_keys: bool,
    /// Whether a column that is dropped leaves the indexes it was part of without it.
    pub drop_column_trims_indexes: bool,
    /// Whether dropping a table or a key with CASCADE takes along the foreign keys that refer to it.
    pub drop_takes_keys: bool,
    /// Whether dropping a unique index with CASCADE does.
    pub drop_index_takes_keys: bool,
    /// Whether the primary key of a new table is made before its unique keys, wherever it is written.
    pub primary_key_first: bool,
    /// What becomes of a unique constraint like one that is there.
    pub double_unique: DoubleUnique,
    /// Whether `CREATE TABLE … LIKE` takes everything over, rather than what it lists.
    pub like_is_whole: bool,
    /// Whether tables can be partitions or heirs of other tables.
    pub inheritance: bool,
    /// Whether adding a key locks the parent against writes until the transaction ends.
    pub key_locks_parent: bool,
    /// The lock on the child while a key is validated, where it lets reads and writes go on.
    pub validate_lock: Option<&'static str>,
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

/// The order of the actions of one `ALTER TABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOrder {
    /// As they are written.
    Written,
    /// What is dropped goes first.
    DropsFirst,
    /// In passes: what is dropped, types, columns, NOT NULL, keys, foreign keys.
    Passes,
}

/// What becomes of a unique constraint like one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleUnique {
    /// It is made as well.
    Made,
    /// It shares the other's index.
    Shared,
    /// Nothing, and the other takes its name if it was given none.
    NamesOther,
    /// Nothing, if it has no name.
    LeftOut,
}

/// How sessions and scripts run.
pub struct Scripts {
    /// The program that runs a script.
    pub client: Client,
    /// How a transaction begins that means to write.
    pub begin: &'static str,
    /// Whether `SAVEPOINT` begins a transaction where none is open.
    pub savepoint_begins: bool,
    /// How a script stops.
    pub stop: Stop,
    /// Whether `SET LOCAL lock_timeout` bounds how long a transaction's statements wait for locks.
    pub local_lock_timeout: bool,
    /// Whether policies can hide rows from a session, and `row_security = off` makes an error of it.
    pub row_security: bool,
    /// Whether the engine lists the rows that break a key (`PRAGMA foreign_key_check`).
    pub lists_orphans: bool,
    /// What may happen to changes of a schema in a transaction where they are no part of it.
    pub in_part: Option<&'static str>,
    /// The command that copies a database while it is in use, up to the database's name.
    pub copy: Option<&'static str>,
}

/// The program that runs a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// PostgreSQL's.
    Psql,
    /// SQLite's.
    Sqlite3,
    /// `cockroach sql`: it stops at the first error where nobody types, and does not know psql's words (docs, "cockroach sql").
    Cockroach,
    /// MySQL's and MariaDB's.
    Mysql,
}

/// How a script stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `DO` runs a block that raises an exception where a query says so.
    Block,
    /// A row that breaks a CHECK of a temporary table, made by a query.
    Check,
    /// A cast that fails; no query decides.
    Cast,
    /// `SIGNAL`; no query decides.
    Signal,
}
