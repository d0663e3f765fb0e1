//! Connections that write: transactions that never stay open, locks by name, and what makes them.

use referee::engine::postgres::Target;
use referee::engine::{Connector, EngineError, EngineErrorKind, SessionOptions, Value, Writer};
use referee::job::Context;

use crate::support::postgres as server;

/// Runs a test on a database of every engine, with a table `t (a)` in it.
fn everywhere(test: impl Fn(&Connector, &Context)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let context = Context::default();
    let options = SessionOptions { context: context.clone(), ..SessionOptions::default() };
    test(&Connector::file(path, &options), &context);
    let url = server::fresh_database();
    server::execute(&url, "CREATE TABLE t (a int)");
    let context = Context::default();
    let options = SessionOptions { context: context.clone(), ..SessionOptions::default() };
    let target = Target::parse(&url, &options.environment).unwrap();
    test(&Connector::server(target, &options), &context);
}

fn rows(connector: &Connector) -> Option<i64> {
    connector.reader().unwrap().query("SELECT count(*) FROM t").unwrap().rows[0][0].integer()
}

#[test]
fn a_transaction_is_committed_or_rolled_back_whatever_comes_of_its_work() {
    everywhere(|connector, context| {
        let mut writer = connector.writer().unwrap();
        let two = writer.transaction(|writer| {
            writer.execute("INSERT INTO t VALUES (1)")?;
            writer.execute("INSERT INTO t VALUES (2)")
        });
        assert_eq!((two.unwrap(), rows(connector)), (1, Some(2)));
        let early: Result<(), EngineError> = writer.transaction(|writer| {
            writer.execute("INSERT INTO t VALUES (3)")?;
            Err(EngineError::new(EngineErrorKind::Statement, "changed its mind"))
        });
        assert_eq!(early.unwrap_err().message, "changed its mind");
        let refused = writer.transaction(|writer| {
            writer.execute("INSERT INTO t VALUES (3)")?;
            writer.execute("INSERT INTO nowhere VALUES (3)")
        });
        assert!(refused.is_err());
        // One that was still open would refuse this BEGIN on SQLite, and keep the row on PostgreSQL.
        writer.transaction(|writer| writer.execute("DELETE FROM t WHERE a = 1")).unwrap();
        assert_eq!(rows(&connector.of(Context::default())), Some(1));
        // The job ends while it works: nothing more is begun, the end of the transaction is sent in any case.
        let stopped = writer.transaction(|writer| {
            writer.execute("INSERT INTO t VALUES (4)")?;
            context.cancel.cancel();
            Ok::<_, EngineError>(())
        });
        assert_eq!(stopped.unwrap_err().kind, EngineErrorKind::Cancelled);
        let other = connector.of(Context::default());
        assert_eq!(rows(&other), Some(1));
        let mut second = other.writer().unwrap();
        second.wait_for_locks(Some(std::time::Duration::from_millis(1))).unwrap();
        assert_eq!(second.transaction(|writer| writer.execute("DELETE FROM t")).unwrap(), 1);
        drop(writer);
    });
}

#[test]
fn a_writer_reads_what_it_has_written() {
    everywhere(|connector, _| {
        let mut writer = connector.writer().unwrap();
        let seen = writer.transaction(|writer: &mut dyn Writer| {
            writer.execute("INSERT INTO t VALUES (7)")?;
            writer.query_with("SELECT count(*) FROM t WHERE a = $1", &[Value::Integer(7)])
        });
        assert_eq!(seen.unwrap().rows[0][0].integer(), Some(1));
        assert!(writer.inspect().unwrap().table(&"t".into()).is_some());
    });
}

#[test]
fn locks_are_told_apart_by_their_names() {
    let options = SessionOptions::default();
    let target = Target::parse(&server::fresh_database(), &options.environment).unwrap();
    let connector = Connector::server(target, &options);
    let (mut one, mut two) = (connector.writer().unwrap(), connector.writer().unwrap());
    assert!(one.lock("run").unwrap());
    assert!(!two.lock("run").unwrap());
    assert!(two.lock("other").unwrap());
    drop(one);
    // The server notices in its own time that a connection is gone.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !two.lock("run").unwrap() {
        assert!(std::time::Instant::now() < limit, "the lock ends with its connection");
    }
}
