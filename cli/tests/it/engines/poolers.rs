//! PgBouncer in between: nothing is left behind on its connections, and nothing is changed through those that it switches.

use std::process::{Command, Stdio};
use std::sync::mpsc;

use referee::engine::postgres::{self, Target};
use referee::engine::{EngineError, EngineErrorKind, SessionOptions, Writer};
use referee::job::Context;

use super::postgres::{opened, session};
use crate::support::pgbouncer::Pooler;
use crate::support::postgres as server;

const TABLES: &str = "
    CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (id int PRIMARY KEY, user_id int);
    INSERT INTO users VALUES (1); INSERT INTO posts VALUES (1, 1), (2, 9); CREATE INDEX ON posts (user_id);
    ALTER TABLE posts ADD CONSTRAINT posts_user FOREIGN KEY (user_id) REFERENCES users NOT VALID;";

/// Runs a verb of the binary, and returns its exit code and everything that it printed, each run of blanks one blank.
fn run(verb: &str, url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    let output = command.arg(verb).arg(url).args(arguments).current_dir(folder.path()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn writer(url: &str) -> Result<Box<dyn Writer>, EngineError> {
    let options = SessionOptions::default();
    postgres::open_writer(&Target::parse(url, &options.environment).unwrap(), &options)
}

/// Everything that one client can leave behind on a connection for the next: settings, prepared statements, advisory locks.
const LEFT: &str = "
    SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%' AND name NOT IN
        ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
    UNION ALL SELECT 'prepared ' || name FROM pg_prepared_statements
    UNION ALL SELECT 'lock ' || classid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";

fn left(url: &str) -> Vec<String> {
    // Simple queries: the driver's other protocol prepares each of its own.
    let answer = server::connect(url).simple_query(LEFT).unwrap();
    let text = |m| if let ::postgres::SimpleQueryMessage::Row(row) = m { row.get(0).map(String::from) } else { None };
    answer.into_iter().filter_map(text).collect()
}

fn process(url: &str) -> String {
    let mut session = session(url);
    session.query("SELECT pg_backend_pid()").unwrap().rows[0][0].to_string()
}

#[test]
fn an_audit_through_a_pooler_works_and_leaves_nothing_behind() {
    for server in server::servers() {
        let direct = server.fresh_database();
        server::execute(&direct, TABLES);
        // One connection: whoever comes next gets the one that the audit had.
        let pooler = Pooler::start(server.running(), "transaction", 1);
        let url = pooler.before(&direct);
        let before = process(&url);
        let options = ["--data", "--verify-indexes"];
        let (code, said) = run("audit", &url, &options);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("1 row of `posts` refers by `user_id` to rows of `users` that do not exist"), "{said}");
        assert_eq!(said.replace(&url, ""), run("audit", &direct, &options).1.replace(&direct, ""));
        for (verb, arguments) in
            [("fix", &[][..]), ("fate", &["users", "--where", "id = 1", "--count"]), ("infer", &[])]
        {
            let (code, said) = run(verb, &url, arguments);
            assert!(matches!(code, Some(0 | 1)), "{verb}: {code:?} {said}");
        }
        assert_eq!(process(&url), before, "the same connection");
        assert_eq!(left(&url), [""; 0]);
        server::execute(&url, "INSERT INTO posts VALUES (3, 1)");
    }
}

#[test]
fn a_reader_reads_only_and_leaves_nothing_behind_when_it_fails() {
    let direct = server::fresh_database();
    server::execute(&direct, TABLES);
    let pooler = Pooler::start(server::servers()[0].running(), "transaction", 1);
    let url = pooler.before(&direct);
    for url in [&url, &direct] {
        let mut session = session(url);
        let schema = session.inspect().unwrap();
        for sql in ["DELETE FROM posts", "CREATE TABLE t (a int)", "SELECT id FROM posts FOR UPDATE"] {
            let error = session.query(sql).unwrap_err();
            assert_eq!(error.code.as_deref(), Some("25006"), "{sql}: {error}");
            assert_eq!(error.sql.as_deref(), Some(sql));
        }
        for more in ["COMMIT; DELETE FROM posts", "SET TRANSACTION READ WRITE; DELETE FROM posts"] {
            let error = session.query(&format!("SELECT 1; {more}")).unwrap_err();
            assert_eq!(error.message, "a query is one statement");
        }
        assert!(session.query("SELECT 1 / 0").is_err());
        let posts = schema.table(&"posts".into()).unwrap();
        assert!(session.lookup_plan(posts, &["user_id".into()]).unwrap().index.is_some());
        server::execute(&direct, "ALTER TABLE posts RENAME TO letters");
        assert!(session.lookup_plan(posts, &["user_id".into()]).is_err());
        server::execute(&direct, "ALTER TABLE letters RENAME TO posts");
        assert!(session.lookup_plan(posts, &["user_id".into()]).is_ok(), "no statement is left prepared");
        assert_eq!(session.query("SELECT count(*) FROM posts").unwrap().rows[0][0].to_string(), "2");
    }
    assert_eq!(left(&url), [""; 0]);
}

#[test]
fn nothing_is_changed_through_a_pooler_that_switches_sessions() {
    let direct = server::fresh_database();
    server::execute(&direct, TABLES);
    for connections in [1, 2, 5] {
        let pooler = Pooler::start(server::servers()[0].running(), "transaction", connections);
        let url = pooler.before(&direct);
        // More than one of the pooler's connections is there before.
        let others: Vec<_> = (0..connections)
            .map(|_| {
                let mut client = server::connect(&url);
                client.batch_execute("BEGIN").unwrap();
                client
            })
            .collect();
        drop(others);
        for arguments in [&["--apply", "--yes"][..], &["--apply", "--yes", "--orphans", "delete"]] {
            let (code, said) = run("fix", &url, arguments);
            assert_eq!(code, Some(2), "{said}");
            assert!(said.contains("is a pooler that hands each transaction to another session"), "{said}");
            assert!(said.contains("hint: connect to PostgreSQL itself, not to the pooler"), "{said}");
            assert!(!said.contains("Step 1"), "before anything is planned: {said}");
        }
        let error = writer(&url).err().unwrap();
        assert_eq!(error.kind, EngineErrorKind::Connect, "{error}");
        assert_eq!(left(&url), [""; 0]);
    }
    let (valid, posts) =
        ("SELECT convalidated FROM pg_constraint WHERE conname = 'posts_user'", "SELECT count(*) FROM posts");
    let mut client = server::connect(&direct);
    assert!(!client.query_one(valid, &[]).unwrap().get::<_, bool>(0));
    assert_eq!(client.query_one(posts, &[]).unwrap().get::<_, i64>(0), 2);
}

#[test]
fn a_pooler_that_is_in_use_is_recognised() {
    let direct = server::fresh_database();
    let pooler = Pooler::start(server::servers()[0].running(), "transaction", 3);
    let url = pooler.before(&direct);
    let (stop, stopped) = mpsc::channel::<()>();
    let others = url.clone();
    let thread = std::thread::spawn(move || {
        let mut clients: Vec<_> = (0..4).map(|_| server::connect(&others)).collect();
        while stopped.try_recv().is_err() {
            clients.iter_mut().for_each(|c| c.batch_execute("SELECT pg_sleep(0.001)").unwrap());
        }
    });
    let refused = (0..10).filter(|_| writer(&url).is_err()).count();
    stop.send(()).unwrap();
    thread.join().unwrap();
    assert_eq!(refused, 10);
}

#[test]
fn a_pooler_that_keeps_sessions_is_as_good_as_none() {
    let direct = server::fresh_database();
    server::execute(&direct, TABLES);
    // With a single connection the one that looks whether sessions are switched gets none.
    for connections in [1, 5] {
        let pooler = Pooler::start(server::servers()[0].running(), "session", connections);
        let mut writer = writer(&pooler.before(&direct)).unwrap_or_else(|e| panic!("{e}"));
        assert!(writer.lock("run").unwrap());
        assert_eq!(writer.execute("UPDATE posts SET user_id = 9 WHERE id = 2").unwrap(), 1);
    }
    let pooler = Pooler::start(server::servers()[0].running(), "session", 5);
    let url = pooler.before(&direct);
    let (code, said) = run("fix", &url, &["--apply", "--yes", "--orphans", "delete"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Verified"), "{said}");
    assert_eq!(left(&url), [""; 0], "DISCARD ALL");
}

#[test]
fn a_statement_behind_a_pooler_can_be_stopped() {
    for mode in ["transaction", "session"] {
        let direct = server::fresh_database();
        let pooler = Pooler::start(server::servers()[0].running(), mode, 5);
        let context = Context::default();
        let mut session = opened(&pooler.before(&direct), &context).unwrap();
        let cancel = context.cancel.clone();
        let watched = direct.clone();
        let thread = std::thread::spawn(move || {
            server::wait_for_statement(&watched, "pg_sleep(60)");
            cancel.cancel();
        });
        let error = session.query("SELECT pg_sleep(60)").unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Cancelled, "{mode}: {error:?}");
        thread.join().unwrap();
        // The pooler has outlived the request, which PgBouncer 1.18 does only if whoever made it waits for an answer.
        server::execute(&pooler.before(&direct), "SELECT 1");
        // Nothing goes on on the server.
        let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' \
                       AND datname = current_database() AND pid <> pg_backend_pid()";
        assert_eq!(server::connect(&direct).query_one(running, &[]).unwrap().get::<_, i64>(0), 0);
    }
}

#[test]
fn a_pooler_outlives_a_process_that_is_interrupted() {
    let direct = server::fresh_database();
    server::execute(&direct, TABLES);
    let pooler = Pooler::start(server::servers()[0].running(), "transaction", 5);
    let url = pooler.before(&direct);
    for _ in 0..5 {
        let mut holder = server::connect(&direct);
        holder.batch_execute("BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
        command.args(["audit", &url, "--data"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        server::wait_for_statement(&direct, "public.posts");
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        drop(holder);
        server::execute(&url, "SELECT 1");
    }
}

#[test]
fn settings_in_a_url_that_the_pooler_does_not_take_are_named() {
    let pooler = Pooler::start(server::servers()[0].running(), "transaction", 1);
    let url = format!("{}&options=-c%20work_mem%3D3MB", pooler.before(&server::fresh_database()));
    let error = super::postgres::try_session(&url).err().unwrap();
    assert!(error.message.contains("takes no settings with a connection"), "{error}");
    assert!(error.hint.unwrap().contains("leave `options` out of the URL"));
}
