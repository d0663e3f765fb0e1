//! Files that clean orphans up: by every tool, up, back and up again.
//!
//! What a step keeps of the rows is up to the plan. A way back brings every row back as it was, or refuses and leaves them.

use referee::migration::TOOLS;
use referee::plan::{Down, OrphanPolicy, Phase};
use referee::schema::Engine;

use crate::migration::Written;
use crate::migration::database::{Database, plan_with};
use crate::migration::runner::{by_hand, down, leads_back, up};

/// `notes` has two rows whose user is missing, few enough that its relation is still inferred; `stars` refers to notes, and to none of those.
const TABLES: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint, body text DEFAULT 'a; b -- c');
CREATE TABLE stars (
    id bigint PRIMARY KEY,
    note_id bigint NOT NULL,
    CONSTRAINT stars_note_id_fkey FOREIGN KEY (note_id) REFERENCES notes (id) ON DELETE CASCADE
);
CREATE INDEX stars_note_id ON stars (note_id);
INSERT INTO users VALUES (1, 'a'), (2, 'b');
INSERT INTO notes VALUES (1, 1, 'x'), (2, 77, 'it''s; $referee$'), (3, 2, NULL), (4, 78, 'z'), (5, NULL, 'y');
WITH RECURSIVE n (i) AS (SELECT 101 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO notes SELECT i, 1, 'w' FROM n;
INSERT INTO stars VALUES (1, 1), (2, 3);";

const ORPHANS: &str =
    "SELECT count(*) FROM notes n WHERE user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = n.user_id)";

fn count(database: &Database, sql: &str) -> i64 {
    if database.engine == Engine::Sqlite {
        return database.sqlite().query_row(sql, [], |r| r.get(0)).unwrap();
    }
    crate::support::postgres::connect(&database.source).query_one(sql, &[]).unwrap().get(0)
}

/// The rows of the tables that were there before.
fn rows(database: &Database) -> Vec<(String, String)> {
    let mut rows = database.rows();
    rows.retain(|(table, _)| !table.contains("_referee_"));
    rows
}

/// Returns the tables, with references that must not be NULL where rows are to go; `follows` has a row refer to one of those.
fn tables(policy: OrphanPolicy, follows: bool) -> String {
    let mut tables = TABLES.to_string();
    if policy != OrphanPolicy::SetNull {
        tables = tables.replace("user_id bigint,", "user_id bigint NOT NULL,").replace(", (5, NULL, 'y')", "");
    }
    if follows { tables.replace("(2, 3);", "(2, 3), (3, 2);") } else { tables }
}

fn round_trip(tool: &str, engine: Engine, policy: OrphanPolicy, follows: bool) {
    let what = format!("{tool}, {engine:?}, {policy:?}, {follows}");
    let mut tables = tables(policy, follows);
    if engine == Engine::Sqlite {
        tables = tables.replace("bigint PRIMARY KEY", "INTEGER PRIMARY KEY");
    }
    let database = Database::with(engine, &tables);
    let before = rows(&database);
    let plan = plan_with(&database, Some(policy));
    assert!(plan.refused.is_empty(), "{what}: {:?}", plan.refused);
    let repair = plan.steps.iter().find(|s| s.phase == Phase::Orphans).unwrap_or_else(|| panic!("{what}: no repair"));
    let comes_back = matches!(repair.down, Down::Script { .. });
    let written = Written::of(tool, &database, &plan);
    let (hand, hand_back) = written.by_hand();
    // A repair of PostgreSQL commits in between: a tool that runs everything in a transaction can only look for it.
    let stops =
        |(path, text): &(String, String)| path.ends_with(".sql") && text.contains("run the script by hand first");
    let needed = hand_back.is_some() || written.files.iter().any(stops);

    let go = |when: &str| {
        if let (true, Some(script)) = (needed, hand) {
            by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, {when}, by hand: {e}"));
        }
        up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, {when}: {e}"));
        database.same(&plan.after, &format!("{what}, {when}"));
        assert_eq!(count(&database, ORPHANS), 0, "{what}, {when}");
        let kept = if policy == OrphanPolicy::SetNull { 105 } else { 102 };
        assert_eq!(count(&database, "SELECT count(*) FROM notes"), kept, "{what}, {when}");
        assert_eq!(count(&database, "SELECT count(*) FROM stars"), 2, "{what}, {when}");
        assert!(database.is_sound(), "{what}, {when}");
    };
    go("up");
    let repaired = rows(&database);

    if leads_back(tool) {
        let mut back = Ok(());
        if let Some(script) = hand_back {
            back = by_hand(&database, script);
        }
        let back = back.and_then(|()| down(tool, &database, &written.files));
        assert_eq!(back.is_ok(), comes_back, "{what}, back: {back:?}");
        if comes_back {
            database.same(&plan.before, &format!("{what}, back"));
            assert_eq!(rows(&database), before, "{what}, back");
        } else {
            assert_eq!(rows(&database), repaired, "{what}: what cannot be undone is left alone: {back:?}");
        }
        if comes_back {
            go("up again");
            assert_eq!(rows(&database), repaired, "{what}, up again");
        }
    } else if !needed && let Some(script) = hand {
        let database = Database::with(engine, &tables);
        by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, by hand alone: {e}"));
        by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, by hand twice: {e}"));
        up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, after by hand: {e}"));
        database.same(&plan.after, &format!("{what}, after by hand"));
        assert_eq!(rows(&database), repaired, "{what}, after by hand");
    }
}

fn every_tool(engine: Engine) {
    let mut failures = Vec::new();
    let all = [
        (OrphanPolicy::Delete, false),
        (OrphanPolicy::Delete, true),
        (OrphanPolicy::SetNull, false),
        (OrphanPolicy::Quarantine, false),
        (OrphanPolicy::Quarantine, true),
    ];
    for (policy, follows) in all {
        for tool in TOOLS {
            if let Err(panic) = std::panic::catch_unwind(|| round_trip(tool.name, engine, policy, follows)) {
                let text = panic.downcast_ref::<String>().cloned();
                failures.push(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default());
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), all.len() * TOOLS.len(), failures.join("\n\n"));
}

#[test]
fn orphans_on_sqlite() {
    every_tool(Engine::Sqlite);
}

#[test]
fn orphans_on_postgres() {
    every_tool(Engine::Postgres);
}

#[test]
fn a_guard_is_asked_where_there_is_no_room_for_it_beside_the_statement() {
    for tool in ["golang-migrate", "dbmate", "sqlx", "diesel", "prisma"] {
        let database = Database::with(Engine::Postgres, &tables(OrphanPolicy::Quarantine, false));
        let plan = plan_with(&database, Some(OrphanPolicy::Quarantine));
        let written = Written::of(tool, &database, &plan);
        // After the plan was made: with the note, the cascade would take the star, which nothing would bring back.
        crate::support::postgres::execute(&database.source, "INSERT INTO stars VALUES (3, 2)");
        let before = rows(&database);
        let error = up(tool, &database, &written.files).unwrap_err();
        assert!(error.contains("stars.note_id refers to rows of `notes`"), "{tool}: {error}");
        assert_eq!(rows(&database), before, "{tool}");
    }
}
