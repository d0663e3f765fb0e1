//! What changes a table: the actions of `ALTER TABLE`.

use super::{ColumnDef, Constraint, Ident, KeyClause, Name, Span, Text};
use crate::schema::Timing;

/// One action of `ALTER TABLE`, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterAction {
    /// What it does.
    pub kind: AlterKind,
    /// Where it is.
    pub span: Span,
}

/// What an action of `ALTER TABLE` does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterKind {
    /// `ADD COLUMN`.
    AddColumn {
        /// The column.
        column: ColumnDef,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// MySQL: `FIRST`, `AFTER x`.
        place: Option<ColumnPlace>,
    },
    /// `DROP COLUMN`.
    DropColumn {
        /// The column.
        column: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `RENAME COLUMN`.
    RenameColumn {
        /// The column.
        column: Ident,
        /// Its new name.
        to: Ident,
    },
    /// MySQL: `MODIFY`, `CHANGE`: the whole column anew.
    ReplaceColumn {
        /// The column's name so far.
        old: Ident,
        /// The column as it shall be.
        column: ColumnDef,
        /// `FIRST`, `AFTER x`.
        place: Option<ColumnPlace>,
    },
    /// `ALTER COLUMN … TYPE`.
    SetType {
        /// The column.
        column: Ident,
        /// The type.
        data_type: Text,
        /// `COLLATE`.
        collation: Option<String>,
    },
    /// `ALTER COLUMN … SET NOT NULL`, `DROP NOT NULL`.
    SetNullable {
        /// The column.
        column: Ident,
        /// Whether it can hold NULL afterwards.
        nullable: bool,
    },
    /// `ALTER COLUMN … SET DEFAULT`, `DROP DEFAULT`.
    SetDefault {
        /// The column.
        column: Ident,
        /// The default; `None` drops it.
        default: Option<Text>,
    },
    /// `ALTER COLUMN … ADD GENERATED … AS IDENTITY`, `DROP IDENTITY`.
    SetAutoNumber {
        /// The column.
        column: Ident,
        /// Whether the engine numbers it afterwards.
        auto_number: bool,
    },
    /// `ALTER COLUMN … DROP EXPRESSION`.
    DropExpression {
        /// The column.
        column: Ident,
    },
    /// `ADD CONSTRAINT`, `ADD INDEX`, `ADD PRIMARY KEY`.
    AddConstraint(Constraint),
    /// `DROP CONSTRAINT`, MySQL's `DROP FOREIGN KEY`, `DROP INDEX`, `DROP PRIMARY KEY` (named `PRIMARY`).
    DropConstraint {
        /// The constraint.
        name: Ident,
        /// Which kinds it may be.
        kind: DropKind,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `RENAME CONSTRAINT`.
    RenameConstraint {
        /// The constraint.
        name: Ident,
        /// Its new name.
        to: Ident,
    },
    /// MySQL: `RENAME INDEX`.
    RenameIndex {
        /// The index.
        index: Ident,
        /// Its new name.
        to: Ident,
    },
    /// `VALIDATE CONSTRAINT`.
    Validate {
        /// The constraint.
        name: Ident,
    },
    /// `ALTER CONSTRAINT`.
    AlterConstraint {
        /// The constraint.
        name: Ident,
        /// `DEFERRABLE` and the like.
        timing: Option<Timing>,
        /// `ENFORCED`, `NOT ENFORCED`.
        enforced: Option<bool>,
    },
    /// `RENAME TO`, `SET SCHEMA`.
    RenameTable {
        /// The new schema, where it changes.
        schema: Option<String>,
        /// The new name, where it changes.
        name: Option<String>,
    },
    /// `ATTACH PARTITION`.
    AttachPartition {
        /// The partition.
        partition: Name,
    },
    /// `DETACH PARTITION`.
    DetachPartition {
        /// The partition.
        partition: Name,
    },
    /// `INHERIT`, `NO INHERIT`.
    Inherit {
        /// The parent.
        parent: Name,
        /// Whether it inherits afterwards.
        inherits: bool,
    },
    /// `ENABLE TRIGGER`, `DISABLE TRIGGER`.
    SetTrigger {
        /// The trigger's name; `None` for `ALL`, foreign keys' own included; `Some("USER")` never occurs.
        name: Option<String>,
        /// `USER`: all that users made.
        user: bool,
        /// Whether it fires afterwards.
        enabled: bool,
    },
    /// PostgreSQL: `ENABLE RULE`, `DISABLE RULE`.
    SetRule {
        /// The rule.
        name: String,
        /// Whether it acts afterwards.
        enabled: bool,
    },
    /// `SET LOGGED`, `SET UNLOGGED`.
    SetLogged(bool),
    /// CockroachDB: `ALTER PRIMARY KEY USING COLUMNS (…)`.
    ReplacePrimaryKey(KeyClause),
    /// MySQL: `COMMENT = '…'`.
    Comment(String),
    /// Known, and of no account here (`OWNER TO`, `SET (…)`, `CLUSTER ON`).
    Nothing,
}

/// Which kinds of constraint a drop may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropKind {
    /// Any constraint.
    Any,
    /// A foreign key (MySQL).
    ForeignKey,
    /// An index, with the key that it carries (MySQL).
    Index,
    /// The primary key (MySQL).
    PrimaryKey,
    /// A check (MySQL).
    Check,
}

/// Where a column is put (MySQL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnPlace {
    /// Before all others.
    First,
    /// After this one.
    After(String),
}
