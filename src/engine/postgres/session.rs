//! One connection to PostgreSQL or CockroachDB.
//!
//! All statements go by the simple protocol: one request, one answer, values as text. (The extended protocol would ask for
//! types first.) Everything is read in a `READ ONLY` transaction that has its settings with it: see [`super::settings`].

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::super::connection::{LockHolder, RUN};
use super::super::guard::Guard;
use super::super::{
    Dialect, EngineError, EngineErrorKind, LookupPlan, Progress, Reader, Replica, Row, Rows, Value, cockroach,
};
use super::bind::bind;
use super::inspect::{self, Catalog};
use super::lookup::{Lookups, ROLLBACK};
use super::settings::{ALL_ROWS, COCKROACH, HASHED, LOCAL, READ_ONLY, STRINGS, Scope, WATCHED, WRITER, one_statement};
use super::wire::Client;
use super::writer::{LOCKS, number};
use super::{DIALECT, errors};
use crate::job::Context;
use crate::schema::{Schema, Table, TableName, Version};

const SERVER: &str = include_str!("queries/server.sql");
const REPLICA: &str = include_str!("queries/replica.sql");
const TABLES: &str = include_str!("queries/tables.sql");
const COLUMNS: &str = include_str!("queries/columns.sql");
const INDEXES: &str = include_str!("queries/indexes.sql");
const FOREIGN_KEYS: &str = include_str!("queries/foreign_keys.sql");
const CHECKS: &str = include_str!("queries/checks.sql");
const TRIGGERS: &str = include_str!("queries/triggers.sql");
const RULES: &str = include_str!("queries/rules.sql");
const PUBLICATIONS: &str = include_str!("queries/publications.sql");
const REPLICA_ROLES: &str = include_str!("queries/replica_roles.sql");

/// Catalogs are seldom analysed, so the planner takes the queries for huge, and compiling them would cost more than they do.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; ";

/// The cursor of a stream, and how many rows are asked for at a time.
const CURSOR: &str = "referee_rows";
const PAGE: usize = 1_000;

/// The oldest version whose catalog has what the queries ask for.
const OLDEST: u32 = 13;

/// See the module.
pub(in crate::engine) struct PostgresSession {
    pub(super) guard: Guard,
    client: Client,
    round_trips: u64,
    /// How many rows the last request changed or returned.
    pub(super) rows: u64,
    version: Option<Version>,
    cockroach: bool,
    scope: Scope,
    /// Whether a backslash in a string means itself where nothing else is set.
    conforming: bool,
    /// Whether the server can end a query whose process is gone.
    watched: bool,
    user: String,
    lookups: Lookups,
}

impl PostgresSession {
    /// Takes over a connection and finds out what is at its other end.
    pub(super) fn start(client: Client, context: &Context) -> Result<Self, EngineError> {
        let guard = Guard::new(context, client.canceller());
        let mut session = Self {
            client,
            guard,
            round_trips: 0,
            rows: 0,
            version: None,
            cockroach: false,
            scope: Scope::Transaction,
            conforming: true,
            watched: false,
            user: String::new(),
            lookups: Lookups::default(),
        };
        let answer = session.run(SERVER)?;
        let row = answer.rows.last();
        let cell = |n: usize| row.and_then(|r| r.get(n)).and_then(Value::text).unwrap_or_default();
        let (text, number) = (cell(0), cell(1));
        session.user = cell(3);
        if text.starts_with("CockroachDB") {
            session.cockroach = true;
            session.version = Version::find_in(&text);
            session.scope = Scope::Reader;
            session.run(COCKROACH)?;
            if session.version.is_some_and(|v| v.major >= 25) {
                // It has row-level security since 25.2; the setting was a mere word before.
                drop(session.run("SET row_security = off"));
            }
            return Ok(session);
        }
        session.version = Some(supported(&number, &text)?);
        session.conforming = cell(2) != "off";
        // Other systems tell of a closed socket in later versions only, and refuse the setting before.
        session.watched = session.version.is_some_and(|v| v.major >= 14) && text.contains("linux");
        Ok(session)
    }

    /// Makes a session that writes of it. Nothing must have been sent before that another session could have got.
    pub(super) fn let_write(&mut self) -> Result<(), EngineError> {
        self.scope = Scope::Reader;
        self.run(WRITER)?;
        if !self.cockroach {
            // Nothing is changed or validated through a policy, which hides rows: the server refuses instead.
            self.run("SET row_security = off; SET hash_mem_multiplier = 16")?;
            // A statement that looks for parents again once it holds its locks has to see what was committed meanwhile (manual,
            // 13.2.1), whatever the database's or the role's default is.
            self.run("SET default_transaction_isolation = 'read committed'")?;
        }
        // What a run that was killed had begun must not go on unseen and keep the next run out. The setting is there since
        // PostgreSQL 14 and on systems that tell of closed sockets (manual, "TCP Settings"); without it the server finds out
        // at the end of the statement.
        drop(self.run("SET client_connection_check_interval = '1s'"));
        Ok(())
    }

    /// Tells whether it is CockroachDB that is at the other end.
    pub(super) fn is_cockroach(&self) -> bool {
        self.cockroach
    }

    /// Sends one request, which may hold several statements, and returns the rows of the last statement that has any.
    pub(in crate::engine) fn run(&mut self, sql: &str) -> Result<Rows, EngineError> {
        Ok(self.run_all(sql)?.pop().unwrap_or_default())
    }

    /// Runs a query on all rows that it is about, or not at all. A session that writes runs it as it is, in its transaction if one
    /// is open.
    pub(super) fn read(&mut self, sql: &str) -> Result<Rows, EngineError> {
        if self.scope == Scope::Reader {
            return self.run(sql);
        }
        one_statement(sql)?;
        if !self.conforming {
            return self.in_snapshot(&self.begin(), |session| session.run(sql));
        }
        let before = [READ_ONLY, LOCAL, ALL_ROWS, HASHED, self.watch()].concat();
        Ok(self.request(&before, sql)?.pop().unwrap_or_default())
    }

    /// Returns how a transaction begins that reads all rows.
    fn begin(&self) -> String {
        let settings = if self.scope == Scope::Reader {
            String::new()
        } else {
            [LOCAL, STRINGS, ALL_ROWS, HASHED, self.watch()].concat()
        };
        format!("BEGIN READ ONLY; {settings}")
    }

    fn watch(&self) -> &'static str {
        if self.watched { WATCHED } else { "" }
    }

    fn run_all(&mut self, sql: &str) -> Result<Vec<Rows>, EngineError> {
        self.request("", sql)
    }

    /// Sends one request: what goes before a statement, which nobody is told, and the statement.
    fn request(&mut self, before: &str, sql: &str) -> Result<Vec<Rows>, EngineError> {
        self.round_trips += 1;
        self.rows = 0;
        let Self { client, guard, .. } = self;
        let messages = guard
            .run(sql, || client.simple_query(&format!("{before}{sql}")).map_err(|e| errors::of_statement(&e, sql)))?;
        let mut answers: Vec<Rows> = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    let columns = columns.iter().map(|c| c.name().to_string()).collect();
                    answers.push(Rows { columns, rows: Vec::new() });
                }
                SimpleQueryMessage::Row(row) => {
                    let cell = |n| match row.try_get(n) {
                        Ok(Some(text)) => Ok(Value::Text(text.to_string())),
                        Ok(None) => Ok(Value::Null),
                        Err(_) => Err(EngineError::new(
                            EngineErrorKind::Statement,
                            "the server sent text that is not UTF-8 (the database's encoding is SQL_ASCII)",
                        )
                        .sql(sql)),
                    };
                    let values = (0..row.len()).map(cell).collect::<Result<_, _>>()?;
                    if let Some(answer) = answers.last_mut() {
                        answer.rows.push(values);
                    }
                }
                SimpleQueryMessage::CommandComplete(rows) => self.rows += rows,
                _ => {}
            }
        }
        Ok(answers)
    }

    /// Ends a transaction, or what else was begun, even if the job is over.
    pub(super) fn finish(&mut self, sql: &str) -> Result<(), EngineError> {
        self.round_trips += 1;
        let Self { client, guard, .. } = self;
        guard.finish(sql, || client.simple_query(sql)).map(drop).map_err(|e| errors::of_statement(&e, sql))
    }

    /// Runs something inside a read-only transaction that sees one snapshot, and ends it in any case.
    pub(in crate::engine) fn in_snapshot<T>(
        &mut self,
        begin: &str,
        work: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.run(begin)?;
        let result = work(self);
        match &result {
            Ok(_) => self.finish("COMMIT")?,
            // The first error is the one to tell.
            Err(_) => drop(self.finish("ROLLBACK")),
        }
        result
    }

    fn inspect_once(&mut self) -> Result<Schema, EngineError> {
        let catalog = self.in_snapshot(&format!("{BEGIN}{LOCAL}{STRINGS}"), |session| {
            // What few databases have is asked for in one request.
            let acting = session.run_all(&[TRIGGERS, RULES, PUBLICATIONS, REPLICA_ROLES].join(";\n"))?;
            let mut acting = acting.into_iter();
            let mut next = || acting.next().unwrap_or_default();
            Ok(Catalog {
                tables: session.run(TABLES)?,
                columns: session.run(COLUMNS)?,
                indexes: session.run(INDEXES)?,
                foreign_keys: session.run(FOREIGN_KEYS)?,
                checks: session.run(CHECKS)?,
                triggers: next(),
                rules: next(),
                publications: next(),
                replica_roles: next(),
            })
        })?;
        let schema = inspect::schema(&catalog, self.version)?;
        self.lookups = Lookups::new(&schema, &catalog);
        Ok(schema)
    }
}

/// Reads `server_version_num`; `text` is what `version()` says.
fn supported(number: &str, text: &str) -> Result<Version, EngineError> {
    // 150018 is 15.18; 90624 is 9.6.24 (manual, "server_version_num").
    let number: u32 = number.parse().unwrap_or(0);
    let version = Version::new(number / 10_000, number % 10_000, 0);
    if version.major >= OLDEST {
        return Ok(version);
    }
    // Amazon Redshift calls itself PostgreSQL 8.0.2 and says the rest at the end.
    let shown = text.split(", compiled").next().filter(|t| !t.is_empty()).unwrap_or("of an unknown version");
    let message = format!("the server is {shown}; referee reads PostgreSQL {OLDEST} and later");
    Err(EngineError::new(EngineErrorKind::Connect, message)
        .hint(format!("restore its schema (`pg_dump --schema-only`) on PostgreSQL {OLDEST} or later and audit that")))
}

impl Reader for PostgresSession {
    fn dialect(&self) -> &'static dyn Dialect {
        if self.cockroach { &cockroach::DIALECT } else { &DIALECT }
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        // The snapshot holds for rows of the catalog, but pg_get_expr and its kin look at what is there now (manual, "System
        // Information Functions"): a table dropped meanwhile makes them fail. Trying again then sees one state or the other.
        let mut attempt = 1;
        loop {
            let result = if self.cockroach { cockroach::inspect(self, self.version) } else { self.inspect_once() };
            match result {
                Err(e) if attempt < 3 && matches!(e.kind, EngineErrorKind::Gone | EngineErrorKind::Catalog) => {
                    attempt += 1
                }
                other => return other,
            }
        }
    }

    fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        self.read(sql)
    }

    fn query_with(&mut self, sql: &str, values: &[Value]) -> Result<Rows, EngineError> {
        self.read(&bind(sql, values)?)
    }

    fn stream(
        &mut self,
        sql: &str,
        values: &[Value],
        each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let sql = bind(sql, values)?;
        // A cursor, so that no more rows are under way than are asked for.
        self.in_snapshot(&self.begin(), |session| {
            session.run(&format!("DECLARE {CURSOR} NO SCROLL CURSOR FOR {sql}")).map_err(|error| error.sql(&sql))?;
            loop {
                let Rows { columns, rows } = session.run(&format!("FETCH {PAGE} FROM {CURSOR}"))?;
                let last = rows.len() < PAGE;
                for values in rows {
                    if each(Row { columns: &columns, values }).is_break() {
                        return Ok(());
                    }
                }
                if last {
                    return Ok(());
                }
            }
        })
    }

    /// Asks the view that reports index builds ("CREATE INDEX Progress Reporting"), for the session that holds the lock of a
    /// run: a lock of two keys has them in `classid` and `objid`, and 2 in `objsubid` ("pg_locks").
    fn progress(&mut self) -> Result<Option<Progress>, EngineError> {
        if self.cockroach {
            return Ok(None);
        }
        let answer = self.read(&format!(
            "SELECT p.phase, p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total FROM \
             pg_catalog.pg_stat_progress_create_index AS p JOIN pg_catalog.pg_locks AS l ON l.pid = p.pid WHERE l.locktype = \
             'advisory' AND l.classid = {} AND l.objid::pg_catalog.int8 = {} AND l.objsubid = 2 AND l.database = p.datid AND p.datname = \
             pg_catalog.current_database()",
            LOCKS,
            number(RUN).cast_unsigned()
        ))?;
        let Some([phase, numbers @ ..]) = answer.rows.first().map(Vec::as_slice) else { return Ok(None) };
        let count =
            |at: usize| numbers.get(at).and_then(Value::integer).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let phase = phase.text().unwrap_or_default();
        // Some phases count blocks, others rows; while it waits the numbers are those of the phase before.
        let counted = [(count(0), count(1)), (count(2), count(3))].into_iter().find(|(_, total)| *total > 0);
        let (done, total) = counted.filter(|_| !phase.starts_with("waiting")).unwrap_or_default();
        Ok(Some(Progress { phase, done, total }))
    }

    fn lookup_plan(&mut self, table: &Table, columns: &[String]) -> Result<LookupPlan, EngineError> {
        if self.cockroach {
            return cockroach::lookup_plan(self, table, columns);
        }
        let query = self.lookups.query(table, columns);
        let request = query.request();
        let result = self.run_all(&request);
        if result.is_err() {
            // The failed transaction is still open, and the prepared statement may be there. In one request: after the transaction a
            // pooler may hand out another session.
            drop(self.finish(ROLLBACK));
        }
        let answers = result.map_err(|e| e.sql(&query.sql))?;
        self.lookups.plan(table, columns, query.sql, &answers)
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }

    fn lock_holders(&mut self, tables: &[TableName], reads: bool) -> Result<Vec<LockHolder>, EngineError> {
        if self.cockroach || tables.is_empty() {
            return Ok(Vec::new());
        }
        let named = |table: &TableName| {
            let schema = table.schema.as_deref().unwrap_or("public");
            format!("({}, {})", DIALECT.literal(schema), DIALECT.literal(&table.name))
        };
        let tables: Vec<String> = tables.iter().map(named).collect();
        let weak = if reads { "AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')" } else { "" };
        let answer = self.read(&format!(
            "SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), a.backend_type), coalesce(a.state, 'active'), \
             date_trunc('second', a.xact_start)::text, c.relname FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = \
             l.pid JOIN pg_catalog.pg_class AS c ON c.oid = l.relation JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE l.granted AND l.locktype = 'relation' AND a.datname = pg_catalog.current_database() AND a.pid <> \
             pg_catalog.pg_backend_pid() AND (n.nspname, c.relname) IN ({}) {weak} ORDER BY 4, 1, 5",
            tables.join(", ")
        ))?;
        let text =
            |row: &[Value], at: usize| row.get(at).and_then(Value::text).map(|t| t.to_string()).unwrap_or_default();
        let holder = |row: &Vec<Value>| {
            Some(LockHolder {
                pid: row.first().and_then(Value::integer)?,
                application: text(row, 1),
                state: text(row, 2),
                since: text(row, 3),
                table: text(row, 4),
            })
        };
        Ok(answer.rows.iter().filter_map(holder).collect())
    }

    fn is_read_only_by_default(&mut self) -> Result<bool, EngineError> {
        if self.cockroach {
            return Ok(false);
        }
        // The value that RESET would give back: what the server, the database, the role or the connection says (manual, pg_settings).
        let sql = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'";
        let answer = self.read(sql)?;
        Ok(answer.rows.first().and_then(|r| r.first()).and_then(Value::text).as_deref() == Some("on"))
    }

    fn replica(&mut self) -> Result<Option<Replica>, EngineError> {
        if self.cockroach {
            return Ok(None);
        }
        let answer = match self.read(REPLICA) {
            // Services that replicate in ways of their own have no such time (Aurora refuses the function).
            Err(error) if error.kind == EngineErrorKind::Statement => {
                self.read("SELECT pg_catalog.pg_is_in_recovery(), NULL")?
            }
            other => other?,
        };
        let Some([replica, seconds]) = answer.rows.first().map(Vec::as_slice) else { return Ok(None) };
        let age = seconds.integer().map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0)));
        Ok((replica.text().as_deref() == Some("t")).then_some(Replica { age }))
    }

    fn round_trips(&self) -> u64 {
        self.round_trips
    }

    fn until(&mut self, moment: Option<Instant>) {
        self.guard.until(moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_too_old_are_named() {
        assert_eq!(supported("150018", "PostgreSQL 15.18 on x86_64").unwrap(), Version::new(15, 18, 0));
        let error = supported("90624", "PostgreSQL 9.6.24 on x86_64-pc-linux-gnu, compiled by gcc").unwrap_err();
        assert!(error.message.contains("PostgreSQL 9.6.24 on x86_64-pc-linux-gnu; referee reads"), "{error}");
        assert!(supported("", "").unwrap_err().message.contains("unknown version"));
    }
}
