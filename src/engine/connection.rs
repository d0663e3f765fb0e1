//! Connections: one that reads, one that writes, and what makes them.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Dialect, EngineError, Row, Rows, Value, postgres, sqlite};
use crate::job::Context;
use crate::schema::{Schema, Table, TableName};

/// The name of the lock that a run holds.
pub const RUN: &str = "run";

/// Makes connections to one database, as many as are needed, also another one where one broke. Clones lead to the same database.
#[derive(Clone, Debug)]
pub struct Connector {
    to: Place,
    options: SessionOptions,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Server(Box<postgres::Target>),
}

impl Connector {
    /// Leads to a SQLite file.
    pub fn file(path: impl Into<PathBuf>, options: &SessionOptions) -> Self {
        Self { to: Place::File(path.into()), options: options.clone() }
    }

    /// Leads to a server of PostgreSQL's protocol.
    pub fn server(target: postgres::Target, options: &SessionOptions) -> Self {
        Self { to: Place::Server(Box::new(target)), options: options.clone() }
    }

    /// Returns the same for another job, or for one that is told to somebody else.
    #[must_use]
    pub fn of(&self, context: Context) -> Self {
        Self { to: self.to.clone(), options: SessionOptions { context, ..self.options.clone() } }
    }

    /// Connects to read.
    ///
    /// # Errors
    /// What the engine says.
    pub fn reader(&self) -> Result<Box<dyn Reader>, EngineError> {
        match &self.to {
            Place::File(path) => sqlite::open(path, &self.options),
            Place::Server(target) => postgres::open(target, &self.options),
        }
    }

    /// Connects to look on while another connection writes; `None` for a file, which cannot tell how far a statement has come.
    ///
    /// # Errors
    /// What the engine says.
    pub fn beside(&self) -> Result<Option<Box<dyn Reader>>, EngineError> {
        match &self.to {
            Place::File(_) => Ok(None),
            Place::Server(_) => self.of(self.options.context.silent()).reader().map(Some),
        }
    }

    /// Connects to write.
    ///
    /// # Errors
    /// What the engine says; the server is a replica; a pooler is in between that keeps no session for a connection.
    pub fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        match &self.to {
            Place::File(path) => sqlite::open_writer(path, &self.options),
            Place::Server(target) => postgres::open_writer(target, &self.options),
        }
    }

    /// Looks, before anything is planned, whether a server lets a plan be carried out. A file is asked when it is opened to write,
    /// which may change it: what a killed process left half done is rolled back. Tells whether the server has this user only read by
    /// default, which one that writes overrides.
    ///
    /// # Errors
    /// As [`Connector::writer`].
    pub fn check_writer(&self) -> Result<bool, EngineError> {
        match &self.to {
            Place::File(_) => Ok(false),
            Place::Server(_) => self.writer()?.is_read_only_by_default(),
        }
    }
}

/// One connection, opened to read only.
pub trait Reader: Send {
    /// Returns the dialect it speaks.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Reads the whole catalog in one consistent snapshot.
    ///
    /// # Errors
    /// The catalog cannot be read, or changed so that it contradicts itself.
    fn inspect(&mut self) -> Result<Schema, EngineError>;

    /// Runs one statement that returns rows.
    ///
    /// # Errors
    /// What the engine says.
    fn query(&mut self, sql: &str) -> Result<Rows, EngineError>;

    /// Runs one statement with values, which stand in it for `$1`, `$2`, … on every engine. On PostgreSQL a text has no type of its
    /// own there, as a parameter has none.
    ///
    /// # Errors
    /// What the engine says; a place without a value, or a value without a place.
    fn query_with(&mut self, sql: &str, values: &[Value]) -> Result<Rows, EngineError>;

    /// Runs such a query and hands its rows over one by one, in bounded memory, until none is left or `each` stops it. What the query
    /// sees is one snapshot, which is given up when it returns.
    ///
    /// # Errors
    /// As [`Reader::query_with`]; rows may have been handed over before.
    fn stream(
        &mut self,
        sql: &str,
        values: &[Value],
        each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError>;

    /// Asks the planner whether the engine's own look-up of child rows by `columns` can use an index: the plan of the
    /// very query that the engine's foreign key check runs.
    ///
    /// # Errors
    /// What the engine says.
    fn lookup_plan(&mut self, table: &Table, columns: &[String]) -> Result<LookupPlan, EngineError>;

    /// Tells how far the statement has come that a run in this database is at (it holds [`Writer::lock`] under [`RUN`]); `None` if there is
    /// none, or the engine does not report it.
    ///
    /// # Errors
    /// What the engine says.
    fn progress(&mut self) -> Result<Option<Progress>, EngineError> {
        Ok(None)
    }

    /// Returns the sessions that hold locks on tables, as far as this user sees them; of each the strongest lock, the longest first.
    /// What only reads is left out where `reads` may go on.
    ///
    /// # Errors
    /// What the engine says.
    fn lock_holders(&mut self, _tables: &[TableName], _reads: bool) -> Result<Vec<LockHolder>, EngineError> {
        Ok(Vec::new())
    }

    /// Returns the user or role that it reads as, as the engine names it; `None` where there are no users.
    fn user(&self) -> Option<&str> {
        None
    }

    /// Tells whether sessions of this user only read in this database unless they say otherwise.
    ///
    /// # Errors
    /// What the engine says.
    fn is_read_only_by_default(&mut self) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// Tells whether the server only follows another one, and may be behind it; `None` if not.
    ///
    /// # Errors
    /// What the engine says.
    fn replica(&mut self) -> Result<Option<Replica>, EngineError> {
        Ok(None)
    }

    /// Returns how many requests have been sent and answered so far.
    fn round_trips(&self) -> u64;

    /// Stops statements at a moment ([`Timeout`](super::EngineErrorKind::Timeout)), also one that runs by then; `None` for never.
    fn until(&mut self, moment: Option<Instant>);
}

/// A server that follows another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replica {
    /// How long ago the last transaction was committed that it has; `None` if it got none since it was started.
    pub age: Option<Duration>,
}

/// A session that holds a lock on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process.
    pub pid: i64,
    /// What the application calls itself; empty if it does not.
    pub application: String,
    /// What it does: `idle in transaction`.
    pub state: String,
    /// Since when its transaction is open, as the server writes it.
    pub since: String,
    /// The table.
    pub table: String,
}

/// How far a statement has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, as the engine calls it: `building index: scanning table`.
    pub phase: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do; 0 if it is not known.
    pub total: u64,
}

/// One connection that may write: for what applies a plan, never for what reads.
pub trait Writer: Reader {
    /// Runs one statement for what it does, and returns how many rows it changed.
    ///
    /// # Errors
    /// What the engine says.
    fn execute(&mut self, sql: &str) -> Result<u64, EngineError>;

    /// Tells blocks of statements that commit by themselves how many rows they may change, one number for each bound of a step;
    /// none for no bound. Where no such block is run it does nothing.
    ///
    /// # Errors
    /// What the engine says.
    fn allow(&mut self, _rows: &[u64]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Returns how many rows such a block has changed and committed since it was told.
    ///
    /// # Errors
    /// What the engine says.
    fn changed(&mut self) -> Result<u64, EngineError> {
        Ok(0)
    }

    /// Says how long a statement waits for a lock before it gives up with [`Busy`](super::EngineErrorKind::Busy); `None` for ever.
    ///
    /// # Errors
    /// What the engine says.
    fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), EngineError>;

    /// Takes the lock of a name in this database until the connection ends; `false` if another connection has it. Where the engine
    /// has no such lock (SQLite, CockroachDB) it is always `true`: the run's journal is then what is locked.
    ///
    /// # Errors
    /// What the engine says.
    fn lock(&mut self, name: &str) -> Result<bool, EngineError>;

    /// Runs a statement that ends what another began, even if the job is over by now.
    ///
    /// # Errors
    /// What the engine says.
    fn finish(&mut self, sql: &str) -> Result<(), EngineError>;
}

impl dyn Writer + '_ {
    /// Does work in one transaction that means to write, and commits what it did. If it fails, or cannot be committed, it is rolled back:
    /// no transaction is left open.
    ///
    /// # Errors
    /// Those of the work, or what the engine says.
    pub fn transaction<T, E: From<EngineError>>(
        &mut self,
        work: impl FnOnce(&mut dyn Writer) -> Result<T, E>,
    ) -> Result<T, E> {
        self.execute(self.dialect().engine().facts().scripts.begin)?;
        let result = work(self).and_then(|done| {
            self.execute("COMMIT")?;
            Ok(done)
        });
        if result.is_err() {
            // Some errors have ended the transaction already.
            drop(self.finish("ROLLBACK"));
        }
        result
    }
}

/// How the planner would find the child rows of a parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupPlan {
    /// The statement whose plan was asked for.
    pub sql: String,
    /// The index it would use; `None` if it would read the whole table.
    pub index: Option<String>,
    /// The plan's text, one line a row.
    pub plan: String,
}

/// What a session is opened with.
#[derive(Clone, Default)]
pub struct SessionOptions {
    /// The job that it works for: what stops it, who is told its statements, how long one may run.
    pub context: Context,
    /// The password where the URL has none (`PGPASSWORD`, `.pgpass`); the caller reads the environment.
    pub password: Option<String>,
    /// How many seconds to wait for the connection.
    pub connect_timeout: Option<u64>,
    /// What a URL leaves out; the caller reads the environment.
    pub environment: postgres::Environment,
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions").field("connect_timeout", &self.connect_timeout).finish_non_exhaustive()
    }
}
