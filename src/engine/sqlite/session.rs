//! One connection to a SQLite file, opened to read only.
//!
//! The database is never changed and none is ever made. A write-ahead-logged database with an empty log is read without the
//! `-wal` and `-shm` files that a reader would leave behind; one whose log holds rows can only be read with them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};

use super::{DIALECT, inspect};
use crate::engine::guard::Guard;
use crate::engine::{Dialect, EngineError, EngineErrorKind, LookupPlan, Reader, Row, Rows, SessionOptions, Value};
use crate::job::Context;
use crate::schema::{Schema, Table, Version};
use crate::text::operand;

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Sqlite {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) guard: Guard,
    round_trips: u64,
    /// What the file was when it was opened without locks; `None` if SQLite's locks guard it.
    unlocked: Option<Stamp>,
    /// The schema last read, by which a look-up knows its parent's columns.
    schema: Option<Schema>,
    /// Whether it was opened to write.
    writes: bool,
    /// Kept open: closing any handle of a file drops the locks of all this process's connections to it
    /// ("How To Corrupt An SQLite Database File", 2.2).
    _file: Option<File>,
}

/// Size and time of change of a file.
type Stamp = (u64, Option<SystemTime>);

/// Opens a database file, to read only.
///
/// # Errors
/// There is no such file, it is no database, it may not be read, or another process holds it.
pub fn open(path: &Path, options: &SessionOptions) -> Result<Box<dyn Reader>, EngineError> {
    Ok(Box::new(start(path, options, false)?))
}

pub(super) fn start(path: &Path, options: &SessionOptions, writes: bool) -> Result<Sqlite, EngineError> {
    let shown = path.display();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let metadata = fs::metadata(&absolute).map_err(|e| file_error(path, &e))?;
    if metadata.is_dir() {
        return Err(EngineError::new(
            EngineErrorKind::NotADatabase,
            format!("`{shown}` is a directory, not a SQLite database"),
        )
        .hint("name the database file in it"));
    }
    if !metadata.is_file() {
        return Err(EngineError::new(EngineErrorKind::NotADatabase, format!("`{shown}` is not a regular file"))
            .hint("name a SQLite database file"));
    }
    let mut file = File::open(&absolute).map_err(|e| file_error(path, &e))?;
    let mut header = Vec::new();
    (&mut file).take(100).read_to_end(&mut header).map_err(|e| file_error(path, &e))?;
    check_header(path, &header)?;

    let wal_has_rows = fs::metadata(beside(&absolute, "-wal")).is_ok_and(|m| m.len() > 0);
    // Bytes 18 and 19 are 2 in a write-ahead-logged database ("Database File Format", 1.3). With nothing in the log, the
    // file is all there is, and reading it without locks needs no files beside it. That also works in a directory one may
    // not write to.
    let unlocked = !writes && header.get(19) == Some(&2) && !wal_has_rows;
    let connection = connect(&absolute, unlocked, writes).map_err(|e| error(path, &e, None))?;
    let mut session = Sqlite {
        guard: guard(&connection, &options.context),
        connection,
        path: path.to_path_buf(),
        round_trips: 0,
        unlocked: unlocked.then(|| stamp(&absolute)).flatten(),
        schema: None,
        writes,
        _file: Some(file),
    };
    session.connection.busy_timeout(BUSY).map_err(|e| error(path, &e, None))?;
    if !writes {
        session.query("PRAGMA query_only = ON")?;
    }
    // Nothing has been read yet: a damaged, encrypted or locked file shows here.
    session.query("SELECT count(*) FROM main.sqlite_schema")?;
    Ok(session)
}

fn guard(connection: &Connection, context: &Context) -> Guard {
    let handle = connection.get_interrupt_handle();
    Guard::new(context, move || handle.interrupt())
}

fn connect(path: &Path, unlocked: bool, writes: bool) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_CREATE: a file that is gone meanwhile is not made anew.
    let access = if writes { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !unlocked {
        // An absolute path: `file:…` and `:memory:` are file names here, not what SQLite would take them for.
        return Connection::open_with_flags(path, flags);
    }
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok()))
}

fn file_error(path: &Path, error: &std::io::Error) -> EngineError {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            EngineError::new(EngineErrorKind::NotFound, format!("there is no file `{shown}`"))
                .hint("check the path; `referee demo` makes a database to try referee on")
        }
        ErrorKind::PermissionDenied => {
            EngineError::new(EngineErrorKind::Permission, format!("`{shown}` may not be read by this user"))
                .hint(format!("ask its owner for it, or allow it with `chmod +r {}`", operand(&shown.to_string())))
        }
        _ => EngineError::new(EngineErrorKind::Connect, format!("cannot read `{shown}`: {error}")),
    }
}

fn check_header(path: &Path, header: &[u8]) -> Result<(), EngineError> {
    let shown = path.display();
    let no_database = |message: String| EngineError::new(EngineErrorKind::NotADatabase, message);
    if header.is_empty() {
        return Err(no_database(format!("`{shown}` is empty: it has no tables"))
            .hint("a mistyped path often leaves such a file; check which file your application uses"));
    }
    if header.starts_with(b"SQLite format 3\0") {
        return Ok(());
    }
    let error = no_database(format!("`{shown}` is not a SQLite database, or it is encrypted"));
    Err(if header.starts_with(b"PGDMP") {
        error.hint("it is a dump made by `pg_dump -Fc`; restore it with `pg_restore` and name the server's URL")
    } else if header.starts_with(b"** This file contains an SQLite 2") {
        error.hint("it is a database of SQLite 2; convert it with `sqlite old.db .dump | sqlite3 new.db`")
    } else if header.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        error.hint(format!(
            "it looks like text; if it is SQL, load it first: `sqlite3 new.db < {}`",
            operand(&shown.to_string())
        ))
    } else {
        error.hint("name a SQLite 3 file; decrypt one made by SQLCipher or SEE before (`sqlcipher_export`)")
    })
}

pub(super) fn error(path: &Path, from: &rusqlite::Error, sql: Option<&str>) -> EngineError {
    use EngineErrorKind as K;
    let shown = path.display();
    let file = operand(&shown.to_string());
    let code = from.sqlite_error().map(|e| (e.code, e.extended_code));
    let said = match from {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let mut made = match code.map(|(code, _)| code) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            EngineError::new(K::Busy, format!("`{shown}` is locked by another process")).hint(format!(
                "wait until it has finished writing: until then `sqlite3 {file} '.backup copy.db'` makes no copy either"
            ))
        }
        // SQLITE_READONLY itself and SQLITE_READONLY_DIRECTORY: nothing is wrong with the file.
        Some(ErrorCode::ReadOnly) if matches!(code, Some((_, 8 | 1544))) => {
            EngineError::new(K::Permission, format!("`{shown}` cannot be written: {said}"))
                .hint("applying a plan needs a user who may write the file and the folder that it lies in")
        }
        Some(ErrorCode::ReadOnly) => EngineError::new(
            K::Busy,
            format!("`{shown}` was left in the middle of a write, and to repair it would change it: {said}"),
        )
        .hint(format!(
            "open it once with the application that writes it, or `sqlite3 {file} 'PRAGMA quick_check'`; then run \
             referee again"
        )),
        Some(ErrorCode::CannotOpen) => EngineError::new(K::Connect, format!("cannot open `{shown}`: {said}")).hint(format!(
            "its log or journal cannot be used where it lies; copy `{shown}` and the files `{shown}-*` beside it to a \
             directory that you may write to, and name the copy"
        )),
        Some(ErrorCode::NotADatabase) => {
            EngineError::new(K::NotADatabase, format!("`{shown}` is not a SQLite database, or it is encrypted"))
                .hint("name a SQLite 3 file; decrypt one made by SQLCipher or SEE before (`sqlcipher_export`)")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            EngineError::new(K::NotADatabase, format!("`{shown}` is damaged: {said}"))
                .hint(format!("see `sqlite3 {file} 'PRAGMA integrity_check'`; `sqlite3 {file} .recover` saves what can be saved"))
        }
        Some(ErrorCode::OperationInterrupted) => EngineError::new(K::Terminated, "stopped"),
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            EngineError::new(K::Permission, format!("`{shown}`: {said}"))
        }
        _ if said.starts_with("no such table") || said.starts_with("no such column") => {
            EngineError::new(K::Gone, said).hint("the schema has changed while referee ran; run it again")
        }
        _ => EngineError::new(K::Statement, said),
    };
    made.code = code.map(|(_, extended)| extended.to_string());
    made.sql = sql.map(str::to_string);
    made
}

impl Sqlite {
    /// Takes a connection to a database without a file.
    pub(super) fn in_memory(connection: Connection, path: PathBuf) -> Self {
        let guard = guard(&connection, &Context::default());
        Self { connection, path, guard, round_trips: 0, unlocked: None, schema: None, writes: true, _file: None }
    }

    /// Runs a statement that may write; its rows are thrown away.
    pub(super) fn execute(&mut self, sql: &str) -> Result<(), EngineError> {
        let Self { connection, guard, path, .. } = self;
        guard.run(sql, || connection.execute_batch(sql).map_err(|e| error(path, &e, Some(sql))))
    }

    fn run(&mut self, sql: &str) -> Result<Rows, EngineError> {
        self.run_with(sql, &[], rows)
    }

    fn run_with<T>(
        &mut self,
        sql: &str,
        values: &[Value],
        work: impl FnOnce(Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, EngineError> {
        self.round_trips += 1;
        let Self { connection, guard, path, writes, .. } = self;
        guard.run(sql, || {
            let mut statement = connection.prepare(sql).map_err(|e| error(path, &e, Some(sql)))?;
            // A read-only connection refuses to change its file, but VACUUM INTO would make another.
            if !*writes && !statement.readonly() {
                let message = "this statement would write, and the session is open to read only";
                return Err(EngineError::new(EngineErrorKind::Permission, message).sql(sql));
            }
            if !values.is_empty() {
                bind(&mut statement, values).map_err(|e| e.sql(sql))?;
            }
            work(statement).map_err(|e| error(path, &e, Some(sql)))
        })
    }

    /// Gives up the reading without locks when somebody has begun to write.
    fn unchanged(&self) -> Result<(), EngineError> {
        let Some(before) = &self.unlocked else { return Ok(()) };
        if stamp(&self.path).as_ref() == Some(before) {
            return Ok(());
        }
        let shown = self.path.display();
        Err(EngineError::new(
            EngineErrorKind::Busy,
            format!("`{shown}` was changed by another process while it was read"),
        )
        .hint("run referee again"))
    }

    fn catalog(&mut self) -> Result<Schema, EngineError> {
        let mut catalog = inspect::Catalog {
            objects: self.run(inspect::OBJECTS)?,
            tables: self.run(inspect::TABLES)?,
            columns: self.run(inspect::COLUMNS)?,
            indexes: self.run(inspect::INDEXES)?,
            foreign_keys: self.run(inspect::FOREIGN_KEYS)?,
            ..inspect::Catalog::default()
        };
        let text = |v: Option<&Value>| v.and_then(Value::text).unwrap_or_default();
        if catalog.tables.rows.iter().any(|r| text(r.get(1)) == "virtual") {
            // Virtual tables of a module that is not loaded cannot be asked for their columns; they have none then.
            match self.run(inspect::VIRTUAL_COLUMNS) {
                Ok(rows) => catalog.columns.rows.extend(rows.rows),
                Err(e) if e.kind == EngineErrorKind::Statement => {}
                Err(e) => return Err(e),
            }
        }
        if catalog.objects.rows.iter().any(|r| text(r.get(2)) == "sqlite_stat1") {
            catalog.statistics = self.run(inspect::STATISTICS)?;
        }
        inspect::schema(&catalog)
    }
}

/// Puts values in the places of `$1` or `?1`, and so on. SQLite numbers places as they come; their names say which value is meant.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), EngineError> {
    let wrong = |what: String| EngineError::new(EngineErrorKind::Statement, what);
    let mut used = vec![false; values.len()];
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).unwrap_or("?").to_string();
        let number = name.get(1..).and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let Some((at, value)) = number.and_then(|at| Some((at, values.get(at)?))) else {
            return Err(wrong(format!("there is no value for {name}")));
        };
        used[at] = true;
        let value = match value {
            Value::Null => ValueRef::Null,
            Value::Integer(n) => ValueRef::Integer(*n),
            Value::Real(x) => ValueRef::Real(*x),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        };
        statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value)).map_err(|e| wrong(e.to_string()))?;
    }
    used.iter().position(|used| !used).map_or(Ok(()), |at| Err(wrong(format!("no place ${} for a value", at + 1))))
}

fn rows(statement: Statement<'_>) -> rusqlite::Result<Rows> {
    let mut result = Rows { columns: names(&statement), rows: Vec::new() };
    each_row(statement, &mut |row| {
        result.rows.push(row.values);
        ControlFlow::Continue(())
    })?;
    Ok(result)
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_string).collect()
}

fn each_row(mut statement: Statement<'_>, each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>) -> rusqlite::Result<()> {
    let columns = names(&statement);
    // Raw: a plan is asked for without values for its parameters.
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for i in 0..columns.len() {
            values.push(match row.get_ref(i)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => Value::Integer(n),
                ValueRef::Real(x) => Value::Real(x),
                ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
                ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            });
        }
        if each(Row { columns: &columns, values }).is_break() {
            break;
        }
    }
    Ok(())
}

/// The affinity by which SQLite converts what is compared with a column ("Datatypes In SQLite", 3.1).
fn affinity(raw: &str) -> &'static str {
    let raw = raw.to_ascii_uppercase();
    let has = |part: &str| raw.contains(part);
    if has("INT") {
        "INTEGER"
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        "TEXT"
    } else if has("BLOB") || raw.is_empty() {
        "BLOB"
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        "REAL"
    } else {
        "NUMERIC"
    }
}

impl Reader for Sqlite {
    fn dialect(&self) -> &'static dyn Dialect {
        &DIALECT
    }

    fn inspect(&mut self) -> Result<Schema, EngineError> {
        self.run("BEGIN")?;
        let schema = self.catalog();
        self.round_trips += 1;
        let Self { connection, guard, path, .. } = self;
        guard.finish("ROLLBACK", || connection.execute_batch("ROLLBACK")).map_err(|e| error(path, &e, None))?;
        self.unchanged()?;
        let mut schema = schema?;
        schema.version = Version::find_in(rusqlite::version());
        self.schema = Some(schema.clone());
        Ok(schema)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, EngineError> {
        let rows = self.run(sql);
        // First: what was read while somebody wrote may look like damage.
        self.unchanged()?;
        rows
    }

    fn query_with(&mut self, sql: &str, values: &[Value]) -> Result<Rows, EngineError> {
        let answer = self.run_with(sql, values, rows);
        self.unchanged()?;
        answer
    }

    fn stream(
        &mut self,
        sql: &str,
        values: &[Value],
        each: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let ended = self.run_with(sql, values, |statement| each_row(statement, each));
        self.unchanged()?;
        ended
    }

    fn lookup_plan(&mut self, table: &Table, columns: &[String]) -> Result<LookupPlan, EngineError> {
        // The engine compares by the parent's affinity and collation ("Foreign Key Support", 3); the look-up has to, too,
        // or an index would seem usable that is not.
        let key = table.foreign_keys.iter().find(|k| k.columns == columns && k.parent_columns.len() == columns.len());
        let parent = key.and_then(|k| self.schema.as_ref()?.table(&k.parent));
        let mut conditions = Vec::new();
        for (i, name) in columns.iter().enumerate() {
            let own = table.column(name);
            let other = key.and_then(|k| parent?.column(&k.parent_columns[i]));
            let mut value = format!("?{}", i + 1);
            if let (Some(own), Some(other)) = (own, other) {
                let wanted = affinity(&other.data_type.raw);
                if wanted != affinity(&own.data_type.raw) {
                    value = format!("CAST({value} AS {wanted})");
                }
                let collation =
                    |c: Option<&crate::schema::Collation>| c.map_or("BINARY".to_string(), |c| c.name.clone());
                let wanted = collation(other.collation.as_ref());
                if !wanted.eq_ignore_ascii_case(&collation(own.collation.as_ref())) {
                    value = format!("{value} COLLATE {}", DIALECT.identifier(&wanted));
                }
            }
            conditions.push(format!("{} = {value}", DIALECT.identifier(name)));
        }
        let from = DIALECT.table(&table.name);
        let sql = format!("SELECT 1 FROM {from} WHERE {}", conditions.join(" AND "));
        let rows = self.query(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let lines: Vec<String> = rows.rows.iter().filter_map(|r| r.last().and_then(Value::text)).collect();
        let index = lines.iter().find_map(|line| searched_index(line, table));
        Ok(LookupPlan { sql, index, plan: lines.join("\n") })
    }

    fn round_trips(&self) -> u64 {
        self.round_trips
    }

    fn until(&mut self, moment: Option<Instant>) {
        self.guard.until(moment);
    }
}

/// Reads the index out of a line such as `SEARCH t USING COVERING INDEX i (a=?)`. A `SCAN … USING COVERING INDEX` reads the
/// whole index: that is no search.
fn searched_index(line: &str, table: &Table) -> Option<String> {
    let line = line.strip_prefix("SEARCH ")?;
    let (_, using) = line.split_once(" USING ")?;
    if using.starts_with("INTEGER PRIMARY KEY") {
        return Some("INTEGER PRIMARY KEY".to_string());
    }
    if using.starts_with("PRIMARY KEY") {
        let primary = table.indexes.iter().find(|i| i.origin == crate::schema::IndexOrigin::PrimaryKey);
        return Some(primary.map_or_else(|| "PRIMARY KEY".to_string(), |i| i.name.clone()));
    }
    let rest = using.strip_prefix("COVERING ").unwrap_or(using).strip_prefix("INDEX ")?;
    // The name is printed without quotes: the longest one that fits is meant.
    let names = table.indexes.iter().map(|i| i.name.as_str()).filter(|n| rest.starts_with(*n));
    names.max_by_key(|n| n.len()).map(str::to_string)
}
