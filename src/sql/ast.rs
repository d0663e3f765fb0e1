//! What a statement says, as plain data with byte spans: only what bears on tables, keys, indexes and transactions.
//!
//! Names are as the engine stores them: folded to lower case where it folds, without quotes. Expressions are text.

use crate::schema::{Action, IndexPart, Match, Timing};

/// Bytes of one text: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Where the first byte is.
    pub start: usize,
    /// Where the byte after the last one is.
    pub end: usize,
}

impl Span {
    /// Makes a span.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the text it covers; empty if it does not lie in this text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns the smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One statement of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Where it is, without the semicolon and without the comments around it.
    pub span: Span,
    /// What it says. A `DO` block's literal DDL comes as several commands, each with its own span.
    pub commands: Vec<Located>,
    /// What was passed over, because the reader does not know it: clauses, not whole statements.
    pub skipped: Vec<Skipped>,
    /// Where the comments directly before it begin, the statement's start if there are none.
    pub comments_from: usize,
}

impl Statement {
    /// Iterates over the commands without their places.
    pub fn kinds(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().map(|c| &c.command)
    }
}

/// A command, where it is, and whether it is certain to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// What it says.
    pub command: Command,
    /// Where it is; inside a `DO` block, the place of the inner statement.
    pub span: Span,
    /// Whether a `DO` block's code decides if it runs.
    pub conditional: bool,
}

/// A clause that the reader passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is.
    pub span: Span,
    /// What was being read: `column definition`, `ALTER TABLE action`, …
    pub within: &'static str,
}

/// A name of one part, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ident {
    /// The name as the engine stores it.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

/// A name of one to three parts, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The schema (MySQL: the database), where it is written.
    pub schema: Option<String>,
    /// The object's own name.
    pub name: String,
    /// Where it is.
    pub span: Span,
}

/// SQL text that is kept as it is, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, trimmed.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `CREATE TABLE`, with `AS`, `PARTITION OF`, `LIKE`, `FOREIGN` and `VIRTUAL`.
    CreateTable(Box<CreateTable>),
    /// `DROP TABLE`.
    DropTable {
        /// The tables.
        tables: Vec<Name>,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `ALTER TABLE`, and MySQL's `RENAME TABLE` as one command for each table.
    AlterTable {
        /// The table.
        table: Name,
        /// `IF EXISTS`.
        if_exists: bool,
        /// The actions, in order.
        actions: Vec<AlterAction>,
    },
    /// `CREATE INDEX`.
    CreateIndex(Box<CreateIndex>),
    /// `DROP INDEX`.
    DropIndex {
        /// The indexes; each with its table where that is written (`t@i`, `ON t`).
        indexes: Vec<(Option<Name>, Name)>,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
        /// `CONCURRENTLY`, or `ALGORITHM = INPLACE`, `LOCK = NONE` on MySQL.
        concurrently: bool,
    },
    /// `ALTER INDEX … RENAME TO`.
    RenameIndex {
        /// The table, where it is written.
        table: Option<Name>,
        /// The index.
        index: Name,
        /// Its new name.
        to: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `ALTER INDEX … ATTACH PARTITION`.
    AttachIndex {
        /// The partitioned table's index.
        index: Name,
        /// The partition's.
        partition: Name,
    },
    /// `COMMENT ON`.
    Comment {
        /// What it is about.
        on: CommentOn,
        /// The comment; `None` removes it.
        text: Option<String>,
    },
    /// `SET x = y`, `PRAGMA x = y`, `SELECT set_config('x', 'y', …)`, `USE y` (as `database`).
    Set {
        /// The setting's name, in lower case.
        name: String,
        /// The values, without quotes.
        values: Vec<String>,
        /// Whether it is a `PRAGMA`.
        pragma: bool,
    },
    /// `TRUNCATE`.
    Truncate {
        /// The tables.
        tables: Vec<Name>,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `BEGIN`, `COMMIT` and the like.
    Transaction(Transaction),
    /// `CREATE TYPE`, `CREATE DOMAIN`.
    CreateType {
        /// The type.
        name: Name,
        /// What it is.
        kind: TypeKind,
    },
    /// `ALTER TYPE … RENAME TO` or `SET SCHEMA`, and the same for domains.
    RenameType {
        /// The type.
        name: Name,
        /// Its new name.
        to: Name,
    },
    /// `ALTER TYPE … ADD VALUE` of an enumeration.
    AddLabel {
        /// The type.
        name: Name,
        /// The new label.
        label: String,
        /// The label it stands beside, and whether before it; at the end if `None`.
        beside: Option<(String, bool)>,
    },
    /// `ALTER TYPE … RENAME VALUE` of an enumeration.
    RenameLabel {
        /// The type.
        name: Name,
        /// The label.
        label: String,
        /// The label afterwards.
        to: String,
    },
    /// `DROP TYPE`, `DROP DOMAIN`.
    DropType {
        /// The types.
        names: Vec<Name>,
        /// `CASCADE`: columns of the type go, too.
        cascade: bool,
    },
    /// `CREATE VIEW`, `CREATE MATERIALIZED VIEW`, `CREATE SEQUENCE`: names that are no tables.
    CreateOther {
        /// The name.
        name: Name,
    },
    /// `ALTER SEQUENCE … OWNED BY`: numbers a column.
    OwnSequence {
        /// The sequence.
        sequence: Name,
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// `DROP SCHEMA`.
    DropSchema {
        /// The schemas.
        names: Vec<String>,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `ALTER SCHEMA … RENAME TO`.
    RenameSchema {
        /// The schema.
        name: String,
        /// Its new name.
        to: String,
    },
    /// `CREATE TRIGGER`.
    CreateTrigger(Box<CreateTrigger>),
    /// `DROP TRIGGER`.
    DropTrigger {
        /// The trigger.
        name: Name,
        /// The table, where it is written.
        table: Option<Name>,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `INSERT`, `UPDATE`, `DELETE`, `COPY`: changes rows of a table.
    Rows {
        /// `INSERT`, `UPDATE`, …
        verb: &'static str,
        /// The table, where it is plain.
        table: Option<Name>,
    },
    /// Anything else: the first words, in upper case.
    Other(String),
}

/// Statements about transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, without a savepoint.
    Rollback,
    /// Savepoints: nothing that counts here.
    Savepoint,
}

/// What a user-made type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// An enumeration.
    Enum {
        /// Its labels, in order.
        labels: Vec<String>,
    },
    /// A domain over another type.
    Domain {
        /// The base type.
        base: Text,
        /// `NOT NULL`.
        not_null: bool,
        /// `DEFAULT`.
        default: Option<Text>,
        /// `COLLATE`.
        collation: Option<String>,
    },
    /// Any other.
    Other,
}

/// What a comment is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommentOn {
    /// A table.
    Table(Name),
    /// A column.
    Column(Name, String),
    /// A constraint of a table.
    Constraint(Name, String),
    /// Anything else.
    Other,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: Name,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `TEMPORARY`: gone with the session.
    pub temporary: bool,
    /// `UNLOGGED`.
    pub unlogged: bool,
    /// `CREATE FOREIGN TABLE`.
    pub foreign: bool,
    /// `CREATE VIRTUAL TABLE`.
    pub virtual_table: bool,
    /// The columns.
    pub columns: Vec<ColumnDef>,
    /// Constraints and indexes that stand by themselves, in order.
    pub constraints: Vec<Constraint>,
    /// `LIKE` clauses: the table and what is included, in lower case; the place among the columns.
    pub likes: Vec<Like>,
    /// `PARTITION OF`.
    pub partition_of: Option<Name>,
    /// `INHERITS`.
    pub inherits: Vec<Name>,
    /// `PARTITION BY`.
    pub partitioned: bool,
    /// `AS SELECT …`: the columns cannot be told.
    pub as_query: bool,
    /// SQLite: `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// SQLite: `STRICT`.
    pub strict: bool,
    /// MySQL: `ENGINE = …`, in lower case.
    pub storage: Option<String>,
    /// MySQL: `COMMENT = '…'`.
    pub comment: Option<String>,
}

/// `LIKE other INCLUDING …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Like {
    /// The table that is copied.
    pub table: Name,
    /// How many columns stand before it.
    pub position: usize,
    /// What is included, in lower case: `all`, `indexes`, `defaults`, …; after taking off what is excluded.
    pub including: Vec<String>,
}

/// A column's definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type, as written; empty text on SQLite where there is none.
    pub data_type: Text,
    /// What is written after the type, in order.
    pub constraints: Vec<Constraint>,
    /// The whole definition.
    pub span: Span,
}

/// A constraint, an index or another fact about a column, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it says.
    pub kind: ConstraintKind,
    /// `DEFERRABLE`, where written.
    pub timing: Option<Timing>,
    /// `NOT VALID`.
    pub not_valid: bool,
    /// `NOT ENFORCED`.
    pub not_enforced: bool,
    /// `IF NOT EXISTS` (MariaDB, CockroachDB).
    pub if_not_exists: bool,
    /// Where it is, with its name.
    pub span: Span,
}

/// What a constraint says. Where it stands in a column's definition its columns are empty: they are that column.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintKind {
    /// `NOT NULL`; PostgreSQL 18's table constraint names its column.
    NotNull(Option<String>),
    /// `NULL`.
    Null,
    /// `DEFAULT`.
    Default(Text),
    /// `PRIMARY KEY`.
    PrimaryKey(KeyClause),
    /// `UNIQUE`.
    Unique(KeyClause),
    /// `CHECK`.
    Check(Text),
    /// `REFERENCES`, `FOREIGN KEY`.
    ForeignKey(Box<References>),
    /// `GENERATED ALWAYS AS (…)`.
    Generated {
        /// The expression.
        expression: Text,
        /// Whether it is stored.
        stored: bool,
    },
    /// `GENERATED … AS IDENTITY`, `AUTO_INCREMENT`.
    AutoNumber,
    /// `COLLATE`.
    Collate(String),
    /// `COMMENT '…'` (MySQL).
    Comment(String),
    /// An index that stands in the table (MySQL, CockroachDB).
    Index(Box<CreateIndex>),
    /// `EXCLUDE`.
    Exclude(Box<CreateIndex>),
}

/// The columns and options of a primary key or a unique constraint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyClause {
    /// The columns, in order.
    pub parts: Vec<IndexPart>,
    /// `INCLUDE`, `STORING`.
    pub included: Vec<String>,
    /// `USING INDEX name` (PostgreSQL).
    pub using_index: Option<Ident>,
    /// The index's name (MySQL).
    pub index_name: Option<String>,
    /// SQLite: `AUTOINCREMENT`.
    pub autoincrement: bool,
    /// CockroachDB, MySQL: the partial or hash form's predicate.
    pub predicate: Option<String>,
}

/// `REFERENCES …`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct References {
    /// The child's columns; empty in a column's definition.
    pub columns: Vec<Ident>,
    /// MySQL: the index's name.
    pub index_name: Option<String>,
    /// The parent.
    pub parent: Name,
    /// The parent's columns; empty for its primary key.
    pub parent_columns: Vec<Ident>,
    /// `ON DELETE`, and where it is.
    pub on_delete: Option<(Action, Span)>,
    /// `ON UPDATE`, and where it is.
    pub on_update: Option<(Action, Span)>,
    /// The columns of `SET NULL (…)`.
    pub set_columns: Vec<String>,
    /// `MATCH`.
    pub matching: Match,
    /// Whether the last column is a `PERIOD`.
    pub temporal: bool,
    /// From `REFERENCES` on.
    pub span: Span,
}

/// `CREATE INDEX`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateIndex {
    /// Its name, where it has one.
    pub name: Option<Ident>,
    /// Its table; empty where it stands in the table.
    pub table: Name,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `UNIQUE`.
    pub unique: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// `ON ONLY`.
    pub only: bool,
    /// `USING`.
    pub method: Option<String>,
    /// Its parts.
    pub parts: Vec<IndexPart>,
    /// `INCLUDE`, `STORING`.
    pub included: Vec<String>,
    /// `WHERE`.
    pub predicate: Option<String>,
}

/// `CREATE TRIGGER`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTrigger {
    /// Its name.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `BEFORE`, `AFTER`, `INSTEAD OF`.
    pub timing: String,
    /// The events.
    pub events: Vec<String>,
    /// `FOR EACH ROW`.
    pub for_each_row: bool,
}

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
