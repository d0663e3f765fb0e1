//! Runs plans against real databases: guards, retries, journals, undoing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use referee::apply::{self, ApplyError, Approved, Journal, JournalError, Lost, Options, Outcome, Recorded};
use referee::engine::{EngineErrorKind, SessionOptions, Writer};
use referee::findings::Safety;
use referee::job::{Context, Event};
use referee::plan::{Blocks, Down, Guard, Held, Lock, Phase, Plan, Script, Step, Transaction};
use referee::schema::{Engine, Schema};
use referee::source::Source;
use rusqlite::Connection;
use tempfile::TempDir;

mod support;

fn script(statements: &[&str]) -> Script {
    Script { statements: statements.iter().map(ToString::to_string).collect(), ..Script::default() }
}

fn step(id: &str, up: Script, down: Script, done: &str) -> Step {
    Step {
        id: id.into(),
        phase: Phase::Index,
        title: format!("Do {id}"),
        why: String::new(),
        findings: Vec::new(),
        safety: Safety::Safe,
        changes: Vec::new(),
        newly_deletes: Vec::new(),
        newly_refuses: Vec::new(),
        touches_rows: false,
        up,
        down: Down::Script { script: down, guards: Vec::new() },
        locks: Vec::new(),
        guards: Vec::new(),
        bounds: Vec::new(),
        done: Some(done.into()),
    }
}

fn plan(engine: Engine, steps: Vec<Step>) -> Plan {
    let schema = Schema::new(engine);
    Plan {
        engine,
        before: schema.clone(),
        after: schema,
        steps,
        choices: Vec::new(),
        refused: Vec::new(),
        guessed: Vec::new(),
        not_counted: Vec::new(),
        still_fails: None,
    }
}

/// Makes an index `name` on `t (a)`.
fn index(name: &str) -> Step {
    step(
        name,
        script(&[&format!("CREATE INDEX {name} ON t (a)")]),
        script(&[&format!("DROP INDEX {name}")]),
        &format!("SELECT 1 FROM sqlite_schema WHERE name = '{name}'"),
    )
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        place.connect().execute_batch("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2), (3)").unwrap();
        place
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("t.db")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("runs").join("t.jsonl")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }

    fn indexes(&self) -> Vec<String> {
        let connection = self.connect();
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY 1").unwrap();
        query.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn apply(&self, plan: &Plan) -> Result<Outcome, ApplyError> {
        self.apply_watched(plan, &Context::default())
    }

    fn undo(&self, plan: &Plan) -> Result<Outcome, ApplyError> {
        let mut journal = Journal::open(&self.journal()).unwrap().0;
        let run = Recorded::whole(plan.clone());
        let mut writer = writer(&self.database());
        let approved = approved(&mut *writer, &run);
        apply::undo(&mut *writer, &run, &approved, &quick(), &mut journal, &Context::default())
    }

    fn apply_watched(&self, plan: &Plan, context: &Context) -> Result<Outcome, ApplyError> {
        let mut journal = Journal::open(&self.journal()).unwrap().0;
        journal.begin(plan, &[]).unwrap();
        apply::apply(&mut *writer(&self.database()), plan, &quick(), &mut journal, context)
    }
}

/// Approves of all that an undo would do.
fn approved(writer: &mut dyn Writer, run: &Recorded) -> Approved {
    let (schema, dialect) = (writer.inspect().unwrap(), writer.dialect());
    let found = apply::to_undo(run, &schema, &mut |sql| writer.query(sql)).unwrap();
    let rows = found.backed_up(&schema, dialect, &mut |sql| writer.query(sql)).unwrap();
    found.shown(&rows)
}

fn writer(path: &Path) -> Box<dyn Writer> {
    Source::Sqlite(path.to_path_buf()).connector(&SessionOptions::default()).unwrap().unwrap().writer().unwrap()
}

fn quick() -> Options {
    Options { lock_timeout: Duration::from_millis(50), retries: 100, pause: Duration::from_millis(20) }
}

#[test]
fn what_is_done_is_not_done_again_and_can_be_undone() {
    let place = Place::new();
    let plan = plan(Engine::Sqlite, vec![index("one"), index("two")]);
    assert_eq!(place.apply(&plan).unwrap(), Outcome { done: 2, skipped: 0, restored: 0 });
    assert_eq!(place.indexes(), ["one", "two"]);
    assert_eq!(place.apply(&plan).unwrap(), Outcome { done: 0, skipped: 2, restored: 0 });
    assert!(Journal::open(&place.journal()).unwrap().1.is_none());

    place.connect().execute_batch("DROP INDEX one").unwrap();
    let undone = place.undo(&plan).unwrap();
    assert_eq!(undone, Outcome { done: 1, skipped: 1, restored: 0 });
    assert!(place.indexes().is_empty());
}

#[test]
fn a_step_that_cannot_be_undone_is_named_and_the_others_are_undone() {
    let place = Place::new();
    let lost = Step { down: Down::Impossible("its rows are gone".into()), ..index("one") };
    let plan = plan(Engine::Sqlite, vec![lost, index("two")]);
    place.apply(&plan).unwrap();
    let run = Recorded::whole(plan.clone());
    let mut writer = writer(&place.database());
    let schema = writer.inspect().unwrap();
    let found = apply::to_undo(&run, &schema, &mut |sql| writer.query(sql)).unwrap();
    let named: Vec<_> = found.lost.iter().map(|(number, _, why)| (*number, why.clone())).collect();
    assert_eq!(named, [(0, Lost::Irreversible("its rows are gone".into()))]);
    assert_eq!(place.undo(&plan).unwrap().done, 1);
    assert_eq!(place.indexes(), ["one"]);
}

#[test]
fn an_undo_leaves_alone_what_was_there_before_the_run() {
    let place = Place::new();
    place.connect().execute_batch("CREATE INDEX two ON t (a)").unwrap();
    place.apply(&plan(Engine::Sqlite, vec![index("one"), index("two")])).unwrap();
    let runs = Journal::runs(&place.journal()).unwrap();
    let mut writer = writer(&place.database());
    let approved = approved(&mut *writer, &runs[0]);
    let mut journal = Journal::open(&place.journal()).unwrap().0;
    let undone = apply::undo(&mut *writer, &runs[0], &approved, &quick(), &mut journal, &Context::default()).unwrap();
    assert_eq!(undone.done, 1);
    assert_eq!(place.indexes(), ["two"]);
}

#[test]
fn an_undo_leaves_alone_what_another_did_after_the_run_was_rolled_back() {
    let place = Place::new();
    let mut broken = index("one");
    broken.up.statements.push("INSERT INTO nowhere VALUES (1)".into());
    place.apply(&plan(Engine::Sqlite, vec![broken])).unwrap_err();
    place.connect().execute_batch("CREATE INDEX one ON t (a)").unwrap();
    let runs = Journal::runs(&place.journal()).unwrap();
    let mut writer = writer(&place.database());
    let schema = writer.inspect().unwrap();
    assert!(apply::to_undo(&runs[0], &schema, &mut |sql| writer.query(sql)).unwrap().applied.is_empty());
}

#[test]
fn an_undo_does_no_more_than_was_approved() {
    let place = Place::new();
    let plan = plan(Engine::Sqlite, vec![index("one"), index("two")]);
    place.apply(&plan).unwrap();
    let run = Recorded::whole(plan);
    let mut writer = writer(&place.database());
    place.connect().execute_batch("DROP INDEX two").unwrap();
    let approved = approved(&mut *writer, &run);
    place.connect().execute_batch("CREATE INDEX two ON t (a)").unwrap();
    let mut journal = Journal::open(&place.journal()).unwrap().0;
    let undone = apply::undo(&mut *writer, &run, &approved, &quick(), &mut journal, &Context::default());
    assert!(matches!(undone, Err(ApplyError::UndoDiffers)), "{undone:?}");
    assert_eq!(place.indexes(), ["one", "two"]);
}

#[test]
fn the_undo_of_an_older_run_forgets_no_later_one_that_has_not_ended() {
    let place = Place::new();
    let old = plan(Engine::Sqlite, vec![index("one")]);
    place.apply(&old).unwrap();
    let guard = Guard { sql: "SELECT 1".into(), found: "something".into(), advice: String::new() };
    let later = plan(Engine::Sqlite, vec![Step { guards: vec![guard], ..index("two") }]);
    place.apply(&later).unwrap_err();
    let runs = Journal::runs(&place.journal()).unwrap();
    assert_eq!(runs.iter().map(|r| (r.number, r.ended)).collect::<Vec<_>>(), [(1, false), (0, true)]);
    let mut writer = writer(&place.database());
    let approved = approved(&mut *writer, &runs[1]);
    let mut journal = Journal::open(&place.journal()).unwrap().0;
    apply::undo(&mut *writer, &runs[1], &approved, &quick(), &mut journal, &Context::default()).unwrap();
    drop(journal);
    assert_eq!(Journal::open(&place.journal()).unwrap().1.unwrap().plan, later);
}

#[test]
fn a_guard_stops_the_run_and_tells_the_rows() {
    let place = Place::new();
    let guard =
        Guard { sql: "SELECT a FROM t WHERE a > 1".into(), found: "t has large rows".into(), advice: String::new() };
    let guarded = Step { guards: vec![guard], ..index("two") };
    let plan = plan(Engine::Sqlite, vec![index("one"), guarded, index("three")]);
    let Err(ApplyError::Guard { message, rows, .. }) = place.apply(&plan) else { panic!("no guard") };
    assert_eq!((message.as_str(), rows.as_str()), ("t has large rows", "a = 2\na = 3"));
    assert_eq!(place.indexes(), ["one"]);

    let unfinished = Journal::open(&place.journal()).unwrap().1.unwrap();
    assert_eq!(unfinished.plan, plan);
    assert_eq!(unfinished.done, ["one"]);
    place.connect().execute_batch("DELETE FROM t WHERE a > 1").unwrap();
    assert_eq!(place.apply(&plan).unwrap(), Outcome { done: 2, skipped: 1, restored: 0 });
}

#[test]
fn a_statement_that_fails_takes_its_whole_step_back() {
    let place = Place::new();
    let mut broken = index("one");
    broken.up.before = vec!["PRAGMA foreign_keys = OFF".into()];
    broken.up.statements.push("INSERT INTO nowhere VALUES (1)".into());
    broken.up.after = vec!["CREATE INDEX after ON t (a)".into()];
    let plan = plan(Engine::Sqlite, vec![broken, index("two")]);
    let Err(ApplyError::Step { error, partly, .. }) = place.apply(&plan) else { panic!("no error") };
    assert!(error.message.contains("nowhere") && !partly, "{error}");
    // What has to run afterwards ran; nothing else is left.
    assert_eq!(place.indexes(), ["after"]);
    let unfinished = Journal::open(&place.journal()).unwrap().1.unwrap();
    assert!(unfinished.error.unwrap().contains("nowhere"));
    assert_eq!(unfinished.at.as_deref(), Some("one"));

    // The connection is usable and no transaction is open.
    place.connect().execute_batch("CREATE TABLE free (a)").unwrap();
}

#[test]
fn without_a_transaction_the_error_says_that_something_is_left() {
    let place = Place::new();
    let mut broken = index("one");
    broken.up.transaction = Transaction::None;
    broken.up.statements.push("INSERT INTO nowhere VALUES (1)".into());
    let Err(ApplyError::Step { partly, .. }) = place.apply(&plan(Engine::Sqlite, vec![broken])) else { panic!() };
    assert!(partly);
    assert_eq!(place.indexes(), ["one"]);
}

#[test]
fn statements_that_do_not_make_what_they_should_are_told() {
    let place = Place::new();
    let lies = Step { up: script(&["CREATE INDEX other ON t (a)"]), ..index("one") };
    let error = place.apply(&plan(Engine::Sqlite, vec![lies, index("two")])).unwrap_err();
    assert!(matches!(error, ApplyError::NotDone { .. }), "{error}");
    assert_eq!(place.indexes(), ["other"]);
}

/// A job that counts how often a step waits, and tells of the first time.
fn counting() -> (Context, Arc<AtomicU32>, mpsc::Receiver<()>) {
    let (sender, waits) = mpsc::channel();
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let context = Context::new(Arc::new(move |event: &Event<'_>| {
        if matches!(event, Event::Waits { .. }) && counter.fetch_add(1, Ordering::SeqCst) == 0 {
            // Nobody may listen.
            let _ = sender.send(());
        }
    }));
    (context, count, waits)
}

fn locking(name: &str) -> Step {
    let lock = Lock { table: "t".into(), mode: "all".into(), blocks: Blocks::Writers, held: Held::Instant };
    Step { locks: vec![lock], ..index(name) }
}

#[test]
fn a_lock_that_somebody_holds_is_tried_for_again() {
    let place = Place::new();
    let other = place.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (context, count, waits) = counting();
    let release = thread::spawn(move || {
        waits.recv_timeout(Duration::from_secs(30)).unwrap();
        other.execute_batch("COMMIT").unwrap();
    });
    assert_eq!(place.apply_watched(&plan(Engine::Sqlite, vec![locking("one")]), &context).unwrap().done, 1);
    release.join().unwrap();
    assert!(count.load(Ordering::SeqCst) >= 1);
}

#[test]
fn a_lock_that_never_comes_ends_the_run_with_nothing_done() {
    let place = Place::new();
    let other = place.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let plan = plan(Engine::Sqlite, vec![locking("one")]);
    let mut journal = Journal::open(&place.journal()).unwrap().0;
    journal.begin(&plan, &[]).unwrap();
    let options = Options { retries: 2, ..quick() };
    let (context, count, _waits) = counting();
    let error = apply::apply(&mut *writer(&place.database()), &plan, &options, &mut journal, &context).unwrap_err();
    assert!(matches!(&error, ApplyError::Step { partly: false, .. }), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    other.execute_batch("ROLLBACK").unwrap();
    assert!(place.indexes().is_empty());
}

#[test]
fn a_journal_is_used_by_one_run_at_a_time() {
    let place = Place::new();
    let (first, _) = Journal::open(&place.journal()).unwrap();
    assert!(matches!(Journal::open(&place.journal()), Err(JournalError::InUse { .. })));
    drop(first);
    Journal::open(&place.journal()).unwrap();
}

#[test]
fn half_a_line_of_a_journal_never_counted() {
    let place = Place::new();
    let plan = plan(Engine::Sqlite, vec![index("one")]);
    place.apply(&plan).unwrap();
    let whole = fs::read_to_string(place.journal()).unwrap();
    let finished = whole.trim_end().rfind('\n').unwrap() + 1;
    for cut in finished..whole.len() - 1 {
        fs::write(place.journal(), &whole[..cut]).unwrap();
        let (journal, unfinished) = Journal::open(&place.journal()).unwrap();
        assert_eq!(unfinished.unwrap().done, ["one"], "cut at {cut}");
        drop(journal);
        assert_eq!(fs::read_to_string(place.journal()).unwrap(), whole[..finished]);
    }
    // What is whole and still no record is an error, and the file stays as it is.
    let lines = whole.lines().count();
    fs::write(place.journal(), format!("{whole}{{}}\n")).unwrap();
    let opened = Journal::open(&place.journal());
    assert!(matches!(opened, Err(JournalError::Syntax { line, .. }) if line == lines + 1), "{opened:?}");
    assert_eq!(fs::read_to_string(place.journal()).unwrap(), format!("{whole}{{}}\n"));
    // Nor is anything cut off a file that never was a journal.
    for foreign in ["{}\n", "no line break at the end", "one line\nand half of"] {
        fs::write(place.journal(), foreign).unwrap();
        assert!(matches!(Journal::open(&place.journal()), Err(JournalError::Foreign { .. })), "{foreign}");
        assert_eq!(fs::read_to_string(place.journal()).unwrap(), foreign);
    }
}

#[test]
fn an_abandoned_run_is_not_taken_up() {
    let place = Place::new();
    let (mut journal, _) = Journal::open(&place.journal()).unwrap();
    journal.begin(&plan(Engine::Sqlite, vec![index("one")]), &[]).unwrap();
    journal.abandon().unwrap();
    drop(journal);
    assert!(Journal::open(&place.journal()).unwrap().1.is_none());
}

#[test]
fn postgres_lets_one_run_at_a_time_into_a_database() {
    let url = support::postgres::fresh_database();
    let open =
        || Source::parse(&url).unwrap().connector(&SessionOptions::default()).unwrap().unwrap().writer().unwrap();
    let (mut one, mut two) = (open(), open());
    assert!(one.lock("run").unwrap());
    let folder = TempDir::new().unwrap();
    let mut journal = Journal::open(&folder.path().join("j")).unwrap().0;
    let plan = plan(Engine::Postgres, Vec::new());
    let error = apply::apply(&mut *two, &plan, &quick(), &mut journal, &Context::default()).unwrap_err();
    assert!(matches!(error, ApplyError::Busy), "{error}");
    drop(one);
    // The server notices the end of a connection a moment later.
    for _ in 0..100 {
        if apply::apply(&mut *two, &plan, &quick(), &mut journal, &Context::default()).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the lock outlived its connection");
}

#[test]
fn postgres_waits_for_a_lock_no_longer_than_it_may() {
    let url = support::postgres::fresh_database();
    support::postgres::execute(&url, "CREATE TABLE t (a int)");
    let mut other = support::postgres::connect(&url);
    other.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut writer =
        Source::parse(&url).unwrap().connector(&SessionOptions::default()).unwrap().unwrap().writer().unwrap();
    let done = "SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'b' AND NOT attisdropped";
    let add = Step {
        locks: locking("x").locks,
        ..step("add", script(&["ALTER TABLE t ADD COLUMN b int"]), script(&["ALTER TABLE t DROP COLUMN b"]), done)
    };
    let plan = plan(Engine::Postgres, vec![add]);
    let folder = TempDir::new().unwrap();
    let mut journal = Journal::open(&folder.path().join("j")).unwrap().0;
    let options = Options { retries: 1, ..quick() };
    let error = apply::apply(&mut *writer, &plan, &options, &mut journal, &Context::default()).unwrap_err();
    let ApplyError::Step { error, .. } = error else { panic!("{error}") };
    assert_eq!(error.code.as_deref(), Some("55P03"));
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(apply::apply(&mut *writer, &plan, &options, &mut journal, &Context::default()).unwrap().done, 1);
    let run = Recorded::whole(plan);
    let approved = approved(&mut *writer, &run);
    assert_eq!(
        apply::undo(&mut *writer, &run, &approved, &options, &mut journal, &Context::default()).unwrap().done,
        1
    );
}

#[test]
fn who_may_not_change_a_table_is_told_who_may() {
    let url = support::postgres::fresh_database();
    let role = format!("guest_{}", url.split(['/', '?']).nth(3).unwrap());
    let sql = "CREATE TABLE t (a int); CREATE TABLE theirs (a int); CREATE ROLE guest LOGIN; \
               GRANT ALL ON t TO guest; ALTER TABLE theirs OWNER TO guest; REVOKE CREATE ON SCHEMA public FROM public;";
    support::postgres::execute(&url, &sql.replace("guest", &role));
    let url = url.replace("postgres@", &format!("{role}@"));
    let mut writer =
        Source::parse(&url).unwrap().connector(&SessionOptions::default()).unwrap().unwrap().writer().unwrap();
    let hint = |error: referee::engine::EngineError| error.hint.unwrap_or_default();
    let error = writer.execute("CREATE INDEX ON t (a)").unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::Permission);
    assert!(hint(error).contains("only the owner"));
    let error = writer.execute("CREATE INDEX ON theirs (a)").unwrap_err();
    assert!(hint(error).contains("CREATE as well"));
}

#[test]
fn a_file_that_may_not_be_written_is_not_called_damaged() {
    let place = Place::new();
    let mut writer = writer(&place.database());
    // As if the file were: the tests may run as root, whom no permission keeps out.
    writer.execute("PRAGMA query_only = ON").unwrap();
    let error = writer.execute("CREATE TABLE more (a)").unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::Permission);
    assert!(error.hint.unwrap().contains("may write the file and the folder"));
}

/// A guard was once written as one sentence, what it found and what to do.
#[test]
fn a_journal_of_an_earlier_build_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run");
    fs::copy("tests/fixtures/journal-before-found.referee-run", &path).unwrap();
    let (journal, unfinished) = Journal::open(&path).unwrap();
    let guards = unfinished.unwrap().plan.steps.swap_remove(0).guards;
    assert_eq!(
        guards[0].message(),
        "_referee_kept_orders_customer_id already exists; rename or drop it, then plan again"
    );
    assert!(guards.iter().all(|g| g.found == g.message() && !g.found.is_empty()));
    drop(journal);
    assert_eq!(Journal::runs(&path).unwrap().len(), 1);
}
