//! Names and texts that a tool may stumble over: spaces, quotes, signs that some tools read.

use referee::migration::TOOLS;
use referee::schema::Engine;

use crate::Written;
use crate::database::{Database, plan};
use crate::runner::{by_hand, down, leads_back, up};

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
