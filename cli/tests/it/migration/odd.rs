//! Names and texts that a tool may stumble over: spaces, quotes, signs that some tools read.

use referee::migration::{self, Folder, MigrationError, Options, TOOLS};
use referee::schema::Engine;

use crate::migration::Written;
use crate::migration::database::{Database, plan};
use crate::migration::runner::{by_hand, down, leads_back, up};
use crate::support;

const TABLES: &str = r#"CREATE TABLE "Użytkownicy 1" (id bigint PRIMARY KEY, "e mail" text);
CREATE TABLE "order's" (
    -- kept; with a comment
    id bigint PRIMARY KEY,
    "user id" bigint NOT NULL CONSTRAINT "a ""key"" -- of it" REFERENCES "Użytkownicy 1" (id) ON DELETE SET NULL,
    note text DEFAULT '${name} -- ; \ :x $1 $$' CHECK (note <> 'it''s; --> statement' AND note <> '
-- +goose Down
;')
);
CREATE TABLE "select" (id bigint PRIMARY KEY, tag text DEFAULT '${a -- b', "order" bigint NOT NULL CONSTRAINT "select_order;" REFERENCES "order's" (id) ON DELETE SET NULL);
CREATE TABLE plain (id bigint PRIMARY KEY, tag text DEFAULT 'a -- b', "order" bigint NOT NULL REFERENCES "order's" (id) ON DELETE SET NULL);
INSERT INTO "Użytkownicy 1" VALUES (1, 'a'), (2, 'b');
INSERT INTO "order's" VALUES (1, 1, 'x'), (2, 2, '$referee$');
INSERT INTO "select" VALUES (1, 'x', 1), (2, NULL, 2);
INSERT INTO plain VALUES (1, 'x', 1), (2, NULL, 2);"#;

fn round_trip(tool: &str, engine: Engine) {
    let what = format!("{tool}, {engine:?}");
    let tables = TABLES.replace(
        "bigint PRIMARY KEY",
        if engine == Engine::Sqlite { "INTEGER PRIMARY KEY" } else { "bigint PRIMARY KEY" },
    );
    let database = Database::with(engine, &tables);
    let plan = plan(&database);
    assert!(plan.refused.is_empty() && plan.steps.len() > 1, "{what}: {:?}", plan.refused);
    let written = Written::of(tool, &database, &plan);
    let (hand, hand_back) = written.by_hand();
    let go = |when: &str| {
        if let (Some(script), true) = (hand, hand_back.is_some()) {
            by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, {when}, by hand: {e}"));
        }
        up(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, {when}: {e}"));
        database.same(&plan.after, &format!("{what}, {when}"));
        assert!(database.is_sound(), "{what}, {when}");
    };
    go("up");
    if leads_back(tool) {
        if let Some(script) = hand_back {
            by_hand(&database, script).unwrap_or_else(|e| panic!("{what}, back by hand: {e}"));
        }
        down(tool, &database, &written.files).unwrap_or_else(|e| panic!("{what}, back: {e}"));
        database.same(&plan.before, &format!("{what}, back"));
        go("up again");
    }
}

fn every_tool(engine: Engine) {
    let mut failures = Vec::new();
    for tool in TOOLS {
        if let Err(panic) = std::panic::catch_unwind(|| round_trip(tool.name, engine)) {
            let text = panic.downcast_ref::<String>().cloned();
            failures.push(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default());
        }
    }
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), TOOLS.len(), failures.join("\n\n"));
}

#[test]
fn odd_names_and_texts_on_sqlite() {
    every_tool(Engine::Sqlite);
}

#[test]
fn odd_names_and_texts_on_postgres() {
    every_tool(Engine::Postgres);
}

/// PL/pgSQL has a variable FOUND in every block.
#[test]
fn a_column_may_be_called_found() {
    let database = Database::with(
        Engine::Postgres,
        "CREATE TABLE things (id bigint PRIMARY KEY);
        CREATE TABLE picks (id bigint PRIMARY KEY, found bigint NOT NULL REFERENCES things (id) ON DELETE SET NULL);
        INSERT INTO things VALUES (1);
        INSERT INTO picks VALUES (1, 1);",
    );
    let plan = plan(&database);
    let written = Written::of("flyway", &database, &plan);
    up("flyway", &database, &written.files).unwrap();
    database.same(&plan.after, "up");
    support::postgres::execute(&database.source, "UPDATE picks SET found = NULL");
    let error = down("flyway", &database, &written.files).unwrap_err();
    assert!(error.contains("picks.found") && !error.contains("ambiguous"), "{error}");
    support::postgres::execute(&database.source, "UPDATE picks SET found = 1");
    down("flyway", &database, &written.files).unwrap();
    database.same(&plan.before, "back");
}

/// A table's own text stands in the file, and a line in it ends the part that leads up.
#[test]
fn a_text_that_a_tool_takes_for_its_mark_is_refused() {
    for (tool, line) in [
        ("goose", "-- +goose Down"),
        ("dbmate", "-- migrate:down"),
        ("drizzle", "note DEFAULT 'x --> statement-breakpoint',"),
    ] {
        let database = Database::with(
            Engine::Sqlite,
            &format!(
                "CREATE TABLE users (id INTEGER PRIMARY KEY);
                CREATE TABLE notes (\n  id INTEGER PRIMARY KEY,\n{line}\n  user_id bigint NOT NULL REFERENCES users (id) ON DELETE SET NULL\n);"
            ),
        );
        let plan = plan(&database);
        assert!(!plan.steps.is_empty(), "{:?}", plan.refused);
        let options = Options { name: "fix".into(), digits: "20260131235959".into(), millis: 1_769_903_999_000 };
        let written =
            |tool: &str| migration::write(&plan, migration::find(tool).unwrap(), &Folder::default(), &options);
        let error = written(tool).unwrap_err();
        assert!(matches!(&error, MigrationError::Mark { tool: of, .. } if *of == tool), "{error}");
        assert!(written("flyway").is_ok(), "{line}");
    }
}
