//! What was approved is a bound: no more rows are changed than were shown, whoever else is at work in the database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use referee::apply::{self, ApplyError, Journal, Options};
use referee::engine::{SessionOptions, Writer};
use referee::job::{Context, Event, Events};
use referee::plan::{self, Definitions, OrphanPolicy, Plan};
use referee::rules::Settings;
use referee::source::Source;
use support::audit::{Ask, audit, open};
use support::postgres as server;
use tempfile::TempDir;

mod support;

const POLICIES: [OrphanPolicy; 3] = [OrphanPolicy::Delete, OrphanPolicy::SetNull, OrphanPolicy::Quarantine];

/// Three posts, the last of which has no author.
const BLOG: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE, title TEXT);
    INSERT INTO users VALUES (1, 'ann'), (2, 'bob');";
const POSTS: &str = "INSERT INTO posts VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three');";
const ALL_PARENTS_GO: &str = "DELETE FROM users";

/// A database of one engine, and who else writes to it past its keys.
enum Place {
    Sqlite(TempDir, PathBuf),
    Postgres(TempDir, String),
}

impl Place {
    fn all(more: &str) -> Vec<Self> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("blog.db");
        let mut places = vec![Self::Sqlite(folder, path)];
        for server in server::servers() {
            places.push(Self::Postgres(TempDir::new().unwrap(), server.fresh_database()));
        }
        for place in &places {
            place.execute(&format!("{BLOG}{POSTS}{more}"));
        }
        places
    }

    fn source(&self) -> String {
        match self {
            Self::Sqlite(_, path) => path.display().to_string(),
            Self::Postgres(_, url) => url.clone(),
        }
    }

    /// Runs statements past every foreign key.
    fn execute(&self, sql: &str) {
        execute(&self.source(), sql);
    }

    fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(_, path) => {
                rusqlite::Connection::open(path).unwrap().query_row(sql, [], |r| r.get(0)).unwrap()
            }
            Self::Postgres(_, url) => server::connect(url).query_one(sql, &[]).unwrap().get(0),
        }
    }

    /// Asks PostgreSQL for a text.
    fn text(&self, sql: &str) -> String {
        server::connect(&self.source()).query_one(sql, &[]).unwrap().get(0)
    }

    fn posts(&self) -> (i64, i64) {
        (self.number("SELECT count(*) FROM posts"), self.number("SELECT count(user_id) FROM posts"))
    }

    fn tables(&self) -> usize {
        open(&self.source()).schema.tables.len()
    }

    /// Makes the plan that `fix --orphans` would make.
    fn plan(&self, orphans: OrphanPolicy) -> Plan {
        let report = audit(&self.source(), Ask { data: true, ..Ask::default() });
        let definitions = match self {
            Self::Sqlite(..) => {
                Some(Definitions::from_session(open(&self.source()).session.unwrap().as_mut()).unwrap())
            }
            Self::Postgres(..) => None,
        };
        let findings: Vec<_> = report.findings.iter().filter(|f| f.rule.name() == "orphan-rows").cloned().collect();
        let made = plan::plan(&plan::Input {
            schema: &report.schema,
            relations: &report.relations,
            settings: &Settings::default(),
            findings: &findings,
            scan: report.scan.as_ref(),
            definitions: definitions.as_ref(),
            // The reference may be NULL, so that what becomes of its orphans is said of it alone.
            options: &plan::Options {
                orphans_of: vec![("posts.user_id".to_string(), Some(orphans))],
                ..plan::Options::default()
            },
        });
        assert_eq!(made.steps.iter().filter(|s| s.touches_rows).count(), 1, "{:?}", made.refused);
        made
    }

    fn journal(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder, _) | Self::Postgres(folder, _) => folder.path().join("run"),
        }
    }

    fn writer(&self) -> Box<dyn Writer> {
        Source::parse(&self.source()).unwrap().connector(&SessionOptions::default()).unwrap().unwrap().writer().unwrap()
    }

    fn apply(&self, plan: &Plan, context: &Context) -> Result<apply::Outcome, ApplyError> {
        let mut journal = Journal::open(&self.journal()).unwrap().0;
        journal.begin(plan, &[]).unwrap();
        let quick = Options { lock_timeout: Duration::from_secs(5), retries: 100, pause: Duration::from_millis(20) };
        apply::apply(&mut *self.writer(), plan, &quick, &mut journal, context)
    }
}

/// Writes past the keys of a database.
fn execute(source: &str, sql: &str) {
    if source.starts_with("postgres") {
        return server::execute(source, &format!("SET session_replication_role = replica; {sql}"));
    }
    let connection = rusqlite::Connection::open(source).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

/// Does something when a step that changes rows begins, and takes down how many it changed.
struct Meanwhile {
    plan: Plan,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    changed: Mutex<Vec<u64>>,
}

impl Meanwhile {
    fn new(plan: &Plan, act: Option<Box<dyn FnOnce() + Send>>) -> Arc<Self> {
        Arc::new(Self { plan: plan.clone(), act: Mutex::new(act), changed: Mutex::default() })
    }

    fn changed(&self) -> Vec<u64> {
        self.changed.lock().unwrap().clone()
    }

    /// What a user is told of it.
    fn told(&self) -> Vec<String> {
        let bounds = self.plan.steps.iter().filter_map(|s| s.bounds.first());
        bounds.zip(self.changed()).map(|(bound, rows)| bound.told(rows)).collect()
    }
}

impl Events for Meanwhile {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Starts { step } if self.plan.steps[step].touches_rows => {
                if let Some(act) = self.act.lock().unwrap().take() {
                    act();
                }
            }
            Event::Changed { rows, .. } => self.changed.lock().unwrap().push(rows),
            _ => {}
        }
    }
}

#[test]
fn what_became_an_orphan_since_it_was_shown_stops_the_run_and_nothing_is_changed() {
    for policy in POLICIES {
        for place in Place::all("") {
            let plan = place.plan(policy);
            let before = (place.posts(), place.tables());
            let source = place.source();
            let watch = Meanwhile::new(&plan, Some(Box::new(move || execute(&source, ALL_PARENTS_GO))));
            let error = place.apply(&plan, &Context::new(watch.clone())).unwrap_err();
            let ApplyError::MoreRows { shown, found, changed, .. } = &error else { panic!("{error}") };
            assert_eq!((*shown, *found, *changed), (1, 3, 0), "{error}");
            assert!(watch.changed().is_empty());
            assert_eq!((place.posts(), place.tables()), before);

            // Taken up, the run has the same bound.
            let recorded = Journal::open(&place.journal()).unwrap().1.expect("a run that did not end").plan;
            assert_eq!(recorded, plan);
            let error = place.apply(&recorded, &Context::default()).unwrap_err();
            assert!(matches!(error, ApplyError::MoreRows { shown: 1, found: 3, changed: 0, .. }), "{error}");
            assert_eq!((place.posts(), place.tables()), before);

            place.execute("INSERT INTO users VALUES (1, 'ann'), (2, 'bob')");
            let watch = Meanwhile::new(&recorded, None);
            place.apply(&recorded, &Context::new(watch.clone())).unwrap();
            let (left, told) = match policy {
                OrphanPolicy::Delete => ((2, 2), "deleted 1 of at most 1 row of posts"),
                OrphanPolicy::SetNull => ((3, 2), "set 1 of at most 1 row of posts to NULL"),
                OrphanPolicy::Quarantine => ((2, 2), "moved 1 of at most 1 row of posts"),
            };
            assert_eq!((place.posts(), watch.changed(), watch.told()), (left, vec![1], vec![told.to_string()]));
        }
    }
}

/// Fewer rows than were shown are no reason to stop, and what is told is what was done.
#[test]
fn fewer_rows_than_were_shown_are_changed_and_told() {
    for place in Place::all("INSERT INTO posts VALUES (4, 7, 'four'), (5, 8, 'five');") {
        let plan = place.plan(OrphanPolicy::Delete);
        let source = place.source();
        let come = move || execute(&source, "INSERT INTO users VALUES (7, 'gil')");
        let watch = Meanwhile::new(&plan, Some(Box::new(come)));
        place.apply(&plan, &Context::new(watch.clone())).unwrap();
        assert_eq!(
            (watch.changed(), watch.told()),
            (vec![2], vec!["deleted 2 of at most 3 rows of posts".to_string()])
        );
        assert_eq!(place.posts(), (3, 3));
    }
}

/// A run that was killed after a batch has changed a row already: the bound is for both.
#[test]
fn what_a_stopped_run_has_changed_counts_towards_the_bound() {
    for place in Place::all("INSERT INTO posts VALUES (4, 7, 'four'), (5, 8, 'five');") {
        let Place::Postgres(_, url) = &place else { continue };
        for more in [0, 1] {
            let plan = place.plan(OrphanPolicy::Delete);
            let step = plan.steps.iter().find(|s| s.touches_rows).unwrap();
            assert_eq!(step.bounds[0].rows, 3);
            // As the first batch would, if batches were that small.
            server::execute(url, &step.up.statements[0]);
            let kept =
                open(url).schema.tables.iter().find(|t| t.name.name.starts_with("_referee_kept")).unwrap().name.clone();
            place.execute(&format!(
                "WITH gone AS (DELETE FROM posts WHERE id = 5 RETURNING *) INSERT INTO {kept} SELECT * FROM gone"
            ));
            if more > 0 {
                place.execute("INSERT INTO posts VALUES (6, 9, 'six')");
            }
            let watch = Meanwhile::new(&plan, None);
            let result = place.apply(&plan, &Context::new(watch.clone()));
            if more > 0 {
                let error = result.unwrap_err();
                assert!(matches!(error, ApplyError::MoreRows { shown: 3, found: 4, changed: 1, .. }), "{error}");
                assert_eq!(place.posts(), (5, 5));
                place.execute(&format!("DELETE FROM posts WHERE id = 6; DROP TABLE {kept}"));
            } else {
                result.unwrap();
                assert_eq!(watch.told(), ["deleted 3 of at most 3 rows of posts"]);
                assert_eq!(place.posts(), (2, 2));
                place.execute(&format!(
                    "INSERT INTO posts VALUES (3, 3, 'three'), (4, 7, 'four'), (5, 8, 'five'); DROP TABLE {kept}"
                ));
            }
        }
    }
}

/// Another session makes the missing parent, and has not committed when the step changes rows: it is waited for.
#[test]
fn a_parent_that_another_transaction_brings_meanwhile_saves_its_child() {
    for (policy, level) in POLICIES.into_iter().flat_map(|p| [(p, "read committed"), (p, "repeatable read")]) {
        for place in Place::all("") {
            let Place::Postgres(_, url) = &place else { continue };
            let name = place.text("SELECT quote_ident(current_database())");
            place.execute(&format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'"));
            let plan = place.plan(policy);
            let mut other = server::connect(url);
            let mut transaction = other.transaction().unwrap();
            transaction.execute("INSERT INTO users VALUES (3, 'cid')", &[]).unwrap();
            thread::scope(|scope| {
                let (sender, ended) = mpsc::channel();
                let (place, plan) = (&place, &plan);
                scope.spawn(move || {
                    let watch = Meanwhile::new(plan, None);
                    let result = place.apply(plan, &Context::new(watch.clone()));
                    sender.send(result.map(|_| watch.changed())).unwrap();
                });
                let waits = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE NOT l.granted AND c.relname = 'users' \
                             AND l.mode = 'ShareLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
                while place.number(waits) == 0 {
                    assert!(ended.try_recv().is_err(), "the parent was not waited for");
                    thread::yield_now();
                }
                transaction.commit().unwrap();
                assert_eq!(ended.recv().unwrap().unwrap(), [0]);
            });
            assert_eq!(place.posts(), (3, 3));
        }
    }
}

/// A batch is committed, the next one gets no lock, however often it is tried: rows are gone, and nobody is told that they are not.
#[test]
fn a_step_that_stops_between_two_batches_tells_what_is_committed() {
    let more = "INSERT INTO posts SELECT i, i, 'more' FROM generate_series(4, 15000) AS i;";
    for server in server::servers() {
        let url = server.fresh_database();
        let place = Place::Postgres(TempDir::new().unwrap(), url.clone());
        place.execute(&format!("{BLOG}{POSTS}{more}"));
        let plan = place.plan(OrphanPolicy::Delete);
        let mut other = server::connect(&url);
        let mut transaction = other.transaction().unwrap();
        transaction.execute("SELECT FROM posts WHERE id = 15000 FOR UPDATE", &[]).unwrap();
        let mut journal = Journal::open(&place.journal()).unwrap().0;
        journal.begin(&plan, &[]).unwrap();
        let quick = Options { lock_timeout: Duration::from_millis(50), retries: 1, pause: Duration::from_millis(1) };
        let error = apply::apply(&mut *place.writer(), &plan, &quick, &mut journal, &Context::default()).unwrap_err();
        assert!(place.posts().0 < 15_000, "no batch was committed");
        let ApplyError::Step { error, partly, .. } = error else { panic!("{error}") };
        assert!(partly, "{error}");
        assert_eq!(error.code.as_deref(), Some("55P03"));
    }
}

#[test]
fn rows_that_nobody_counted_are_not_changed() {
    for place in Place::all("") {
        let plan = place.plan(OrphanPolicy::Delete);
        // As a journal of an older referee has it.
        let mut json = serde_json::to_value(&plan).unwrap();
        for step in json["steps"].as_array_mut().unwrap() {
            step.as_object_mut().unwrap().remove("bounds");
        }
        let old: Plan = serde_json::from_value(json).unwrap();
        let before = (place.posts(), place.tables());
        let error = place.apply(&old, &Context::default()).unwrap_err();
        assert!(matches!(error, ApplyError::NotCounted { .. }), "{error}");
        assert_eq!((place.posts(), place.tables()), before);
        place.apply(&plan, &Context::default()).unwrap();
        // What is done already changes nothing.
        place.apply(&old, &Context::default()).unwrap();
    }
}

/// A trigger lets the row stay: that is told, by the trigger's name, and nothing is left behind.
#[test]
fn a_trigger_that_lets_a_row_stay_is_named() {
    for place in Place::all("") {
        let trigger = match place {
            Place::Sqlite(..) => "CREATE TRIGGER no_delete BEFORE DELETE ON posts BEGIN SELECT RAISE(IGNORE); END",
            Place::Postgres(..) => {
                "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                 CREATE TRIGGER no_delete BEFORE DELETE ON posts FOR EACH ROW EXECUTE FUNCTION stay()"
            }
        };
        place.execute(trigger);
        let plan = place.plan(OrphanPolicy::Delete);
        let error = place.apply(&plan, &Context::default()).unwrap_err();
        let ApplyError::RowsStay { keepers, off, counted, changed, .. } = &error else { panic!("{error}") };
        let named: Vec<String> = keepers.iter().map(ToString::to_string).collect();
        assert_eq!((named.as_slice(), *counted, *changed), (&["no_delete on posts".to_string()][..], 1, 0));
        assert_eq!(place.posts(), (3, 3));
        // Nothing is left of the step, and with the trigger off the same plan goes on.
        assert_eq!(place.tables(), 2);
        let off = off.first().map_or("DROP TRIGGER no_delete", String::as_str);
        place.execute(off);
        place.apply(&plan, &Context::default()).unwrap();
        assert_eq!(place.posts(), (2, 2));
    }
}
