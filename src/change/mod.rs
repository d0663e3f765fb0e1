//! Changes to a schema, as values: what a migration does, what a finding proposes, what a simulator applies.
//!
//! A change says everything itself: names are resolved and defaults filled in before it is made. [`Change::apply`] adds only
//! what the engine does of its own accord.

mod apply;
mod bodies;
mod consequences;
mod diff;
mod expressions;
mod kin;
pub mod names;
mod object;
mod retype;

pub use apply::rename_key;
pub(crate) use consequences::descendants;
pub use consequences::{copy_indexes, copy_triggers, part_names};
pub use diff::{diff, diff_tables};
pub use kin::Kin;
pub use object::Object;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{
    Check, Collation, Column, DataType, ForeignKey, Generated, Index, Key, Publication, ReplicaIdentity, RewriteRule,
    Table, TableKind, TableName, Trigger,
};

/// One change to a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Declares a foreign key.
    AddForeignKey {
        /// The child.
        table: TableName,
        /// The key.
        foreign_key: ForeignKey,
    },
    /// Removes a foreign key.
    DropForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        foreign_key: ForeignKey,
    },
    /// Puts one foreign key in the place of another, under the same name.
    ReplaceForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        old: ForeignKey,
        /// The key, as it shall be.
        new: ForeignKey,
    },
    /// Has the engine check the rows of a key that was added `NOT VALID`.
    ValidateForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        foreign_key: ForeignKey,
    },
    /// Builds an index.
    AddIndex {
        /// The table.
        table: TableName,
        /// The index.
        index: Index,
    },
    /// Removes an index.
    DropIndex {
        /// The table.
        table: TableName,
        /// The index, as it is.
        index: Index,
    },
    /// Sets or drops `NOT NULL`.
    SetNullable {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Whether the column can hold NULL afterwards.
        nullable: bool,
    },
    /// Sets or drops a column's default.
    SetDefault {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The new default as SQL text; `None` drops it.
        default: Option<String>,
    },
    /// Makes a table with everything that its definition declares.
    CreateTable {
        /// The table, as it is afterwards.
        definition: Box<Table>,
    },
    /// Removes a table.
    DropTable {
        /// The table.
        table: TableName,
        /// Whether keys that refer to it go, too (`CASCADE`).
        cascade: bool,
    },
    /// Gives a table another name, another schema or both.
    RenameTable {
        /// The table.
        table: TableName,
        /// Its new name.
        to: TableName,
    },
    /// Adds a column, without keys.
    AddColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: Column,
        /// Its place among the columns; `None` for the last.
        position: Option<usize>,
    },
    /// Removes a column, and the keys and indexes that it is part of.
    DropColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Whether keys of other tables that refer to it go, too.
        cascade: bool,
    },
    /// Gives a column another name.
    RenameColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Its new name.
        to: String,
    },
    /// Puts a column at another place among the columns.
    MoveColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Its place afterwards, from 0.
        position: usize,
    },
    /// Gives a column another type.
    SetType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type.
        data_type: DataType,
        /// The collation; `None` for the type's own.
        collation: Option<Collation>,
    },
    /// Has the engine number a column, or no longer.
    SetAutoNumber {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Whether it is numbered afterwards.
        auto_number: bool,
    },
    /// Makes a generated column an ordinary one (`None`), or the other way.
    SetGenerated {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// How it is computed.
        generated: Option<Generated>,
    },
    /// Declares a primary key or a unique constraint.
    AddKey {
        /// The table.
        table: TableName,
        /// The key.
        key: Key,
        /// Whether it is the primary key.
        primary: bool,
        /// The index that the engine makes for it; `None` if it needs none (SQLite's rowid).
        index: Option<Index>,
        /// The name of an existing index that becomes the key's (`USING INDEX`): `index` takes its place.
        using: Option<String>,
    },
    /// Removes a primary key, a unique or exclusion constraint or a check, by name.
    DropConstraint {
        /// The table.
        table: TableName,
        /// The constraint.
        name: String,
        /// Whether foreign keys that need it go, too.
        cascade: bool,
    },
    /// Removes a primary key or a unique constraint that its name alone does not tell (SQLite's need none), with its index.
    DropKey {
        /// The table.
        table: TableName,
        /// The key, as it is.
        key: Key,
        /// Whether it is the primary key.
        primary: bool,
        /// The index that the engine made for it.
        index: Option<String>,
    },
    /// Removes a `CHECK` that its name alone does not tell.
    DropCheck {
        /// The table.
        table: TableName,
        /// The check, as it is.
        check: Check,
    },
    /// Declares a `CHECK`.
    AddCheck {
        /// The table.
        table: TableName,
        /// The check.
        check: Check,
    },
    /// Has the engine check the rows of a `CHECK` that was added `NOT VALID`.
    ValidateCheck {
        /// The table.
        table: TableName,
        /// The check.
        name: String,
    },
    /// Gives a constraint another name, and the index behind it.
    RenameConstraint {
        /// The table.
        table: TableName,
        /// The constraint.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Gives an index another name, and the constraint that it stands behind.
    RenameIndex {
        /// The table.
        table: TableName,
        /// The index.
        index: String,
        /// Its new name.
        to: String,
    },
    /// Makes an index usable, or not.
    SetIndexValid {
        /// The table.
        table: TableName,
        /// The index.
        index: String,
        /// Whether the engine uses it afterwards.
        valid: bool,
    },
    /// Changes when a foreign key is checked, or whether; the rest of it stays.
    AlterForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        old: ForeignKey,
        /// The key, as it shall be.
        new: ForeignKey,
    },
    /// Makes a table a partition of another.
    AttachPartition {
        /// The partition.
        table: TableName,
        /// The partitioned table.
        parent: TableName,
    },
    /// Makes a partition a table of its own.
    DetachPartition {
        /// The partition.
        table: TableName,
    },
    /// Sets the tables that one inherits from.
    SetInherits {
        /// The table.
        table: TableName,
        /// The tables it inherits from afterwards.
        inherits: Vec<TableName>,
    },
    /// Makes a table `UNLOGGED`, or `LOGGED` again.
    SetUnlogged {
        /// The table.
        table: TableName,
        /// Whether it is unlogged afterwards.
        unlogged: bool,
    },
    /// Puts a table into other publications.
    SetPublications {
        /// The table.
        table: TableName,
        /// Those it is in afterwards.
        publications: Vec<Publication>,
    },
    /// Changes what tells a table's rows apart for those who replicate them.
    SetReplicaIdentity {
        /// The table.
        table: TableName,
        /// What does so afterwards.
        identity: ReplicaIdentity,
    },
    /// Makes a table one of another kind. Most engines do so only by building it again.
    SetOptions {
        /// The table.
        table: TableName,
        /// What it is afterwards.
        options: TableOptions,
    },
    /// Sets or removes the comment of a table, a column or a foreign key.
    Comment {
        /// The table.
        table: TableName,
        /// What of it.
        on: Commented,
        /// The comment; `None` removes it.
        text: Option<String>,
    },
    /// Makes a trigger.
    AddTrigger {
        /// The table.
        table: TableName,
        /// The trigger.
        trigger: Trigger,
    },
    /// Removes a trigger.
    DropTrigger {
        /// The table.
        table: TableName,
        /// The trigger.
        name: String,
    },
    /// Gives a table other rules that rewrite statements.
    SetRewriteRules {
        /// The table.
        table: TableName,
        /// The rules it has afterwards.
        rules: Vec<RewriteRule>,
    },
    /// Switches a trigger on or off.
    SetTrigger {
        /// The table.
        table: TableName,
        /// The trigger.
        name: String,
        /// Whether it fires afterwards.
        enabled: bool,
    },
}

/// What of a table a comment is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Commented {
    /// The table.
    Table,
    /// A column.
    Column(String),
    /// A foreign key, by name. Comments of other constraints are not kept.
    ForeignKey(String),
}

/// What a table is, beside what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableOptions {
    /// What kind of table it is.
    pub kind: TableKind,
    /// SQLite: `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// SQLite: `STRICT`.
    pub strict: bool,
    /// SQLite: `AUTOINCREMENT`.
    pub autoincrement: bool,
}

/// A change that does not fit the schema it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The table is not there.
    #[error("there is no table `{0}`")]
    NoTable(TableName),
    /// The table to be made is there already.
    #[error("there is a table `{0}` already")]
    TableExists(TableName),
    /// The object to be changed is not there.
    #[error("table `{table}` has no {what}")]
    NoSuch {
        /// The table.
        table: TableName,
        /// What is missing.
        what: Object,
    },
    /// The object to be made is there already.
    #[error("table `{table}` has {what} already")]
    Exists {
        /// The table.
        table: TableName,
        /// What is there.
        what: Object,
    },
}

impl Change {
    /// Returns the table the change is made to.
    pub fn table(&self) -> &TableName {
        match self {
            Self::CreateTable { definition } => &definition.name,
            Self::AddForeignKey { table, .. }
            | Self::DropForeignKey { table, .. }
            | Self::ReplaceForeignKey { table, .. }
            | Self::ValidateForeignKey { table, .. }
            | Self::AddIndex { table, .. }
            | Self::DropIndex { table, .. }
            | Self::SetNullable { table, .. }
            | Self::SetDefault { table, .. }
            | Self::DropTable { table, .. }
            | Self::RenameTable { table, .. }
            | Self::AddColumn { table, .. }
            | Self::DropColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::MoveColumn { table, .. }
            | Self::SetType { table, .. }
            | Self::SetAutoNumber { table, .. }
            | Self::SetGenerated { table, .. }
            | Self::AddKey { table, .. }
            | Self::DropConstraint { table, .. }
            | Self::DropKey { table, .. }
            | Self::DropCheck { table, .. }
            | Self::AddCheck { table, .. }
            | Self::ValidateCheck { table, .. }
            | Self::RenameConstraint { table, .. }
            | Self::RenameIndex { table, .. }
            | Self::SetIndexValid { table, .. }
            | Self::AlterForeignKey { table, .. }
            | Self::AttachPartition { table, .. }
            | Self::DetachPartition { table }
            | Self::SetInherits { table, .. }
            | Self::SetUnlogged { table, .. }
            | Self::SetPublications { table, .. }
            | Self::SetReplicaIdentity { table, .. }
            | Self::SetOptions { table, .. }
            | Self::Comment { table, .. }
            | Self::AddTrigger { table, .. }
            | Self::DropTrigger { table, .. }
            | Self::SetRewriteRules { table, .. }
            | Self::SetTrigger { table, .. } => table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Action, Engine, Schema};

    #[test]
    fn replacing_a_key_that_is_not_there_changes_nothing() {
        let mut schema = Schema::new(Engine::Postgres);
        schema.tables.push(Table::new("child".into()));
        let old = ForeignKey::new(["parent_id"], "parent".into(), ["id"]);
        let new = ForeignKey { on_delete: Action::Cascade, ..old.clone() };
        let before = schema.clone();
        let replace = Change::ReplaceForeignKey { table: "child".into(), old: old.clone(), new: new.clone() };
        assert!(matches!(replace.apply(&mut schema), Err(ChangeError::NoSuch { .. })));
        assert_eq!(schema, before);

        Change::AddForeignKey { table: "child".into(), foreign_key: old }.apply(&mut schema).unwrap();
        replace.apply(&mut schema).unwrap();
        assert_eq!(schema.tables[0].foreign_keys, [new]);
    }
}
