//! What a statement says, as plain data with byte spans: only what bears on tables, keys, indexes and transactions.
//!
//! Names are as the engine stores them: folded to lower case where it folds, without quotes. Expressions are text.

mod alter;
mod definition;
mod routine;

pub use alter::{AlterAction, AlterKind, ColumnPlace, DropKind};
pub use definition::{ColumnDef, Constraint, ConstraintKind, CreateIndex, CreateTable, KeyClause, Like, References};
pub use routine::{Part, Routine, RoutineDdl};

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
    /// What was being read: `column definition`, `ALTER TABLE action`, …, or one of the constants here.
    pub within: &'static str,
}

impl Skipped {
    /// DDL that a `DO` block or a prepared statement puts together at run time.
    pub const EXECUTE: &str = "EXECUTE";
    /// The query of a `CREATE TABLE … AS`.
    pub const QUERY: &str = "the query of a table";
    /// DDL in the body of a function, procedure or event: it runs when that does.
    pub const ROUTINE: &str = "the body of a routine";
    /// An action of `ALTER TABLE`.
    pub const ALTER: &str = "ALTER TABLE action";
    /// What `ALTER DOMAIN` does beside `SET NOT NULL`.
    pub const DOMAIN: &str = "ALTER DOMAIN";
    /// A `COPY … FROM stdin` whose rows no line `\.` ends: everything after it is taken for rows.
    pub const ROWS: &str = "rows that never end";
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
    /// `ALTER DOMAIN … SET NOT NULL`.
    RequireDomain {
        /// The domain.
        name: Name,
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
    /// `CREATE SCHEMA`. What stands inside it comes as further commands of the statement.
    CreateSchema {
        /// The schema.
        name: String,
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
    /// `CREATE PROCEDURE` whose body has DDL (MySQL).
    CreateRoutine(Box<Routine>),
    /// `CALL`.
    Call {
        /// The procedure.
        name: Name,
        /// The arguments; `None` for what is no literal.
        arguments: Vec<Option<String>>,
    },
    /// PostgreSQL: `CREATE FUNCTION … RETURNS trigger`.
    CreateFunction(Box<CreateFunction>),
    /// PostgreSQL: `CREATE RULE`.
    CreateRule(Box<CreateRule>),
    /// PostgreSQL: `DROP RULE`.
    DropRule {
        /// The rule.
        name: String,
        /// Its table.
        table: Name,
        /// `IF EXISTS`.
        if_exists: bool,
    },
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, without a savepoint.
    Rollback,
    /// `SAVEPOINT x`: on SQLite it begins a transaction where none is open.
    Savepoint(String),
    /// `RELEASE x`: ends what the savepoint of this name began.
    Release(String),
    /// `ROLLBACK TO x`: the savepoint stays.
    RollbackTo,
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
    /// `UPDATE OF`.
    pub columns: Vec<String>,
    /// `WHEN`.
    pub conditional: bool,
    /// PostgreSQL: the condition of `WHEN`.
    pub condition: Option<String>,
    /// The body; PostgreSQL's is a function's.
    pub body: Option<String>,
    /// PostgreSQL: the function that it runs.
    pub function: Option<Name>,
}

impl CreateTrigger {
    /// Returns the trigger, without what its body does.
    pub fn trigger(&self) -> crate::schema::Trigger {
        crate::schema::Trigger {
            name: self.name.name.clone(),
            timing: self.timing.clone(),
            events: self.events.clone(),
            for_each_row: self.for_each_row,
            enabled: true,
            columns: self.columns.clone(),
            conditional: self.conditional,
            does: Vec::new(),
            print: crate::schema::CatalogOnly::default(),
        }
    }
}

/// PostgreSQL: `CREATE FUNCTION … RETURNS trigger`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateFunction {
    /// Its name.
    pub name: Name,
    /// Its language, in lower case.
    pub language: String,
    /// Its body.
    pub body: String,
}

/// PostgreSQL: `CREATE RULE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateRule {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: Name,
    /// The event.
    pub event: String,
    /// `INSTEAD`.
    pub instead: bool,
    /// `WHERE`.
    pub conditional: bool,
    /// The condition of `WHERE`.
    pub condition: String,
    /// What it does.
    pub actions: String,
}
