//! Runs the steps of a plan on a PostgreSQL test server, as a plan says that they are run.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::thread::sleep;
use std::time::Duration;

use postgres::{Client, SimpleQueryMessage};
use referee::engine::{SessionOptions, postgres as engine};
use referee::findings::Safety;
use referee::plan::{Down, Guard, Made, Options, PlanContext, Reason, Script, Step, Transaction, Wanted, recipes};
use referee::relations::{Graph, Relation};
use referee::schema::Schema;

use super::postgres as server;

/// How often a statement that did not get its lock is tried again.
const RETRIES: u32 = 200;

/// Reads the catalog as `referee` does.
pub fn inspect(url: &str) -> Schema {
    let options = SessionOptions::default();
    let target = engine::Target::parse(url, &options.environment).unwrap();
    let mut session = engine::open(&target, &options).unwrap_or_else(|e| panic!("{e}"));
    session.inspect().unwrap_or_else(|e| panic!("{e} {:?}", e.sql))
}

/// Takes off what a statement changes that says nothing of rows: when a key was made, how many rows are estimated.
pub fn comparable(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for table in &mut schema.tables {
        table.row_estimate = None;
        table.foreign_keys.iter_mut().for_each(|k| k.firing_order = 0);
    }
    schema.sort();
    schema
}

/// Holds two schemas against each other and tells the lines that differ.
#[track_caller]
pub fn same(found: &Schema, expected: &Schema, when: &str) {
    let (found, expected) = (comparable(found), comparable(expected));
    if found == expected {
        return;
    }
    let mut text = String::new();
    for table in found.tables.iter().filter(|t| expected.table(&t.name).is_none()) {
        writeln!(text, "{}: not expected", table.name).unwrap();
    }
    for table in &expected.tables {
        match found.table(&table.name) {
            None => writeln!(text, "{}: missing", table.name).unwrap(),
            Some(other) if other != table => {
                let (a, b) = (format!("{other:#?}"), format!("{table:#?}"));
                writeln!(text, "{}:", table.name).unwrap();
                let differing = a.lines().zip(b.lines()).filter(|(a, b)| a != b).take(8);
                differing.for_each(|(a, b)| writeln!(text, "  found {} | expected {}", a.trim(), b.trim()).unwrap());
                if a.lines().count() != b.lines().count() {
                    writeln!(text, "  found    {other:?}\n  expected {table:?}").unwrap();
                }
            }
            Some(_) => {}
        }
    }
    panic!("{when}: the schema is not what the plan says\n{text}");
}

/// Makes something wanted of changes.
pub fn wanted(changes: Vec<referee::change::Change>) -> Wanted {
    Wanted {
        title: "Fix it".into(),
        why: "It is broken.".into(),
        findings: vec![Reason { rule: referee::rules::ALL[0].meta.id(), fingerprint: "0".repeat(16) }],
        safety: Safety::Safe,
        changes,
        orphans: Some(0),
    }
}

/// Makes steps of what is wanted, in the planner's order.
pub fn plan(schema: &Schema, wanted: &[Wanted], options: &Options) -> Made {
    plan_knowing(schema, wanted, options, Vec::new())
}

/// Makes steps where there are relations that no key declares.
pub fn plan_knowing(schema: &Schema, wanted: &[Wanted], options: &Options, relations: Vec<Relation>) -> Made {
    let relations = Graph::from_relations(schema, relations);
    let mut made = recipes(
        &PlanContext { schema, relations: &relations, definitions: None, options, protected: &BTreeSet::new() },
        wanted,
    );
    made.steps.sort_by_key(|s| s.phase);
    made
}

/// Every row of every table, a digest for each table.
pub fn rows(client: &mut Client, schema: &Schema) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for table in schema.tables.iter().filter(|t| !t.name.name.starts_with("_referee_")) {
        let name = quoted(&table.name);
        let sql = format!(
            "SELECT count(*)::text || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {name} AS t"
        );
        all.push((table.name.to_string(), client.query_one(&sql, &[]).unwrap().get(0)));
    }
    all
}

fn quoted(name: &referee::schema::TableName) -> String {
    let quote = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    format!("{}.{}", quote(name.schema.as_deref().unwrap_or("public")), quote(&name.name))
}

/// Runs a query and tells whether it returns a row that is not false.
pub fn answers(client: &mut Client, sql: &str) -> bool {
    let messages = client.simple_query(sql).unwrap_or_else(|e| panic!("{}\n{sql}", server::explain(&e)));
    messages.iter().any(|m| match m {
        SimpleQueryMessage::Row(row) => !matches!(row.get(0), Some("f" | "false" | "0") | None),
        _ => false,
    })
}

/// Tells whether a step has been done.
pub fn is_done(client: &mut Client, step: &Step) -> bool {
    step.done.as_deref().is_some_and(|sql| answers(client, sql))
}

/// Returns the messages of the guards that stop.
pub fn stopped_by(client: &mut Client, guards: &[Guard]) -> Vec<String> {
    let mut stopping = Vec::new();
    for guard in guards {
        let messages =
            client.simple_query(&guard.sql).unwrap_or_else(|e| panic!("{}\n{}", server::explain(&e), guard.sql));
        if messages.iter().any(|m| matches!(m, SimpleQueryMessage::Row(_))) {
            stopping.push(guard.message());
        }
    }
    stopping
}

/// Runs what a step does, waiting for its locks no longer than the plan says; returns how often it was tried.
pub fn run_up(client: &mut Client, step: &Step, longest: Duration) -> u32 {
    run(client, &step.up, step.lock_timeout(longest))
        .unwrap_or_else(|e| panic!("{}: {}", step.title, server::explain(&e)))
}

/// Runs a script: before, statements, after; again from the first statement while it does not get its lock in time.
pub fn run(client: &mut Client, script: &Script, lock_timeout: Option<Duration>) -> Result<u32, postgres::Error> {
    client.batch_execute(&format!("SET lock_timeout = {}", lock_timeout.map_or(0, |t| t.as_millis()))).unwrap();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let result = once(client, script);
        match result {
            Err(e) if e.code().is_some_and(|c| c.code() == "55P03") && attempts < RETRIES => {
                // Long enough for those who waited behind to go on.
                sleep(Duration::from_millis(20));
            }
            Ok(()) => return Ok(attempts),
            Err(e) => return Err(e),
        }
    }
}

/// Runs a script that is one transaction, and returns the strongest lock that it holds of each table at its end.
pub fn run_seeing_locks(client: &mut Client, script: &Script) -> Result<Vec<(String, String)>, postgres::Error> {
    assert_eq!(script.transaction, Transaction::Own);
    client.batch_execute("BEGIN")?;
    script.statements.iter().try_for_each(|sql| client.batch_execute(sql))?;
    let sql = "SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
                      (array_agg(l.mode ORDER BY m.place DESC))[1]
               FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
               JOIN unnest(ARRAY['RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                                 'ExclusiveLock', 'AccessExclusiveLock']) WITH ORDINALITY AS m (mode, place) ON m.mode = l.mode
               WHERE l.pid = pg_backend_pid() AND l.granted AND n.nspname !~ '^(pg_|information_schema)' GROUP BY 1 ORDER BY 1";
    let rows = client.query(sql, &[])?;
    client.batch_execute("COMMIT")?;
    Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
}

/// Returns the strongest lock that a step declares for each table, in the catalog's words.
pub fn declared_locks(step: &Step) -> Vec<(String, String)> {
    let order = [
        "ROW SHARE",
        "ROW EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE",
        "SHARE",
        "SHARE ROW EXCLUSIVE",
        "EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ];
    let rank = |mode: &str| order.iter().position(|m| *m == mode).unwrap_or_else(|| panic!("no such lock: {mode}"));
    let mut all: Vec<(String, usize)> = Vec::new();
    for lock in step.locks.iter().filter(|l| !l.mode.ends_with("on the index")) {
        let table = match &lock.table.schema {
            Some(schema) => format!("{schema}.{}", lock.table.name),
            None => lock.table.name.clone(),
        };
        match all.iter_mut().find(|(t, _)| *t == table) {
            Some((_, most)) => *most = (*most).max(rank(&lock.mode)),
            None => all.push((table, rank(&lock.mode))),
        }
    }
    all.sort();
    let words = |mode: &str| {
        let words = mode.split(' ').map(|w| format!("{}{}", &w[..1], w[1..].to_lowercase()));
        words.collect::<String>() + "Lock"
    };
    all.into_iter().map(|(table, rank)| (table, words(order[rank]))).collect()
}

fn once(client: &mut Client, script: &Script) -> Result<(), postgres::Error> {
    let each = |client: &mut Client, all: &[String]| all.iter().try_for_each(|sql| client.batch_execute(sql));
    each(client, &script.before)?;
    let result = match script.transaction {
        Transaction::None => each(client, &script.statements),
        Transaction::Own => {
            client.batch_execute("BEGIN")?;
            let result = each(client, &script.statements).and_then(|()| client.batch_execute("COMMIT"));
            if result.is_err() {
                client.batch_execute("ROLLBACK")?;
            }
            result
        }
    };
    let after = each(client, &script.after);
    result.and(after)
}

/// Returns how a step is undone.
#[track_caller]
pub fn down(step: &Step) -> (&Script, &[Guard]) {
    match &step.down {
        Down::Script { script, guards } => (script, guards),
        Down::Impossible(why) => panic!("{} cannot be undone: {why}", step.title),
    }
}
