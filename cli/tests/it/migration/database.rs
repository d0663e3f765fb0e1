//! Databases with rows in which references are missing, contradict themselves, or find no index.

use std::path::PathBuf;

use referee::audit::Guesses;
use referee::plan::{self, Definitions, Options, OrphanPolicy, Plan};
use referee::rules::Settings;
use referee::schema::{Engine, Schema};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::support::audit::{Ask, audit, open};
use crate::support::{self, postgres};

/// A key that contradicts itself in `teams` and `projects`, keys without an index, a key that is missing, and a text with
/// everything that a splitter may stumble over.
const POSTGRES: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE teams (
    id bigint PRIMARY KEY,
    owner_id bigint NOT NULL,
    name text DEFAULT 'a; b -- c',
    CONSTRAINT teams_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL
);
CREATE TABLE projects (
    id bigint PRIMARY KEY,
    lead_id bigint NOT NULL,
    team_id bigint,
    CONSTRAINT projects_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT projects_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE CASCADE
);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL, note text);
CREATE TABLE items (
    id bigint PRIMARY KEY,
    order_id bigint NOT NULL,
    CONSTRAINT items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
);
";

const ROWS: &str = "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO teams VALUES (1, 1, 'x'), (5, 2, NULL);
INSERT INTO projects VALUES (1, 1, 1), (2, 2, NULL), (9, 2, 5);
INSERT INTO orders VALUES (1, 1, 'it''s; $referee$'), (4, 3, NULL);
INSERT INTO items VALUES (1, 1), (2, 1), (3, 4);";

/// Returns the statements that make the tables.
pub fn schema_sql(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
            TEXT.get_or_init(|| POSTGRES.replace("bigint PRIMARY KEY", "INTEGER PRIMARY KEY"))
        }
        _ => POSTGRES,
    }
}

/// A database.
pub struct Database {
    pub engine: Engine,
    /// What `referee` calls it.
    pub source: String,
    _folder: TempDir,
}

impl Database {
    pub fn new(engine: Engine) -> Self {
        Self::with(engine, &format!("{}{ROWS}", schema_sql(engine)))
    }

    /// Makes one of statements.
    pub fn with(engine: Engine, sql: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let source = if engine == Engine::Sqlite {
            let path: PathBuf = folder.path().join("shop.db");
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            path.to_str().unwrap().to_string()
        } else {
            let url = postgres::fresh_database();
            postgres::execute(&url, sql);
            url
        };
        Self { engine, source, _folder: folder }
    }

    /// Connects to a SQLite file; keys are enforced.
    pub fn sqlite(&self) -> Connection {
        let connection = Connection::open(&self.source).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").unwrap();
        connection
    }

    pub fn schema(&self) -> Schema {
        open(&self.source).schema
    }

    #[track_caller]
    pub fn same(&self, expected: &Schema, when: &str) {
        support::plan::same(&self.schema(), expected, when);
    }

    /// Returns every row of every table, as text.
    pub fn rows(&self) -> Vec<(String, String)> {
        let schema = self.schema();
        if self.engine != Engine::Sqlite {
            return support::plan::rows(&mut postgres::connect(&self.source), &schema);
        }
        let connection = self.sqlite();
        let mut all = Vec::new();
        for table in &schema.tables {
            let mut query =
                connection.prepare(&format!("SELECT rowid, * FROM {} ORDER BY 1", table.name.name)).unwrap();
            let count = query.column_count();
            let row = |r: &rusqlite::Row<'_>| Ok((0..count).map(|i| r.get::<_, Value>(i).unwrap()).collect::<Vec<_>>());
            let rows: Vec<Vec<Value>> = query.query_map([], row).unwrap().map(Result::unwrap).collect();
            all.push((table.name.to_string(), format!("{rows:?}")));
        }
        all
    }

    /// Tells whether every row has its parents, and every constraint was checked.
    pub fn is_sound(&self) -> bool {
        if self.engine == Engine::Sqlite {
            let connection = self.sqlite();
            let broken: i64 =
                connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).unwrap();
            let whole: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
            return broken == 0 && whole == "ok";
        }
        let sql = "SELECT (SELECT count(*) FROM pg_constraint WHERE NOT convalidated)
                        + (SELECT count(*) FROM pg_index WHERE NOT indisvalid)";
        postgres::connect(&self.source).query_one(sql, &[]).unwrap().get::<_, i64>(0) == 0
    }
}

/// Makes the plan that `referee fix SOURCE --accept-inferred=0.5 --choose projects.lead_id=drop-not-null` shows.
pub fn plan(database: &Database) -> Plan {
    plan_with(database, None)
}

/// The same with `--orphans`.
pub fn plan_with(database: &Database, orphans: Option<OrphanPolicy>) -> Plan {
    let guesses = Guesses::SetAside { accept: Some(0.5) };
    let report = audit(&database.source, Ask { data: true, foreign_keys: Some(true), guesses, ..Ask::default() });
    let definitions = (database.engine == Engine::Sqlite).then(|| {
        let mut input = open(&database.source);
        Definitions::from_session(input.session.as_mut().unwrap().as_mut()).unwrap()
    });
    let choose = report
        .findings
        .iter()
        .filter(|f| {
            f.rule.code() == "REF201" && ["projects.lead_id", "picks.found"].contains(&f.subject.place().as_str())
        })
        .map(|f| (f.subject.place(), "drop-not-null".to_string()));
    let mut options = Options { choose: choose.collect(), orphans, lock_timeout: 2000, ..Options::default() };
    loop {
        let plan = plan::plan(&plan::Input {
            schema: &report.schema,
            relations: &report.relations,
            settings: &Settings::default(),
            findings: &report.findings,
            scan: report.scan.as_ref(),
            definitions: definitions.as_ref(),
            options: &options,
        });
        let missing = options.counts.missing();
        if missing.is_empty() {
            return plan;
        }
        let mut session = open(&database.source).session.unwrap();
        for query in missing {
            let answer = session.query(&query).unwrap_or_else(|e| panic!("{e}\n{query}"));
            let rows = answer.rows[0][0].integer().unwrap();
            options.counts.answer(query, u64::try_from(rows).unwrap());
        }
    }
}
