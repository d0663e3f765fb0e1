//! Random schemas with random rows: some keys are declared, the others are added; of the declared ones some change.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use referee::change::Change;
use referee::schema::{Action, Engine, ForeignKey, Index, Schema, Table, Timing};

use super::fate_plan::{Plan, plans};
use super::fate_rows::{self, Random, Rows};
use super::harness::{Fixture, add, deferred, drop_key, nullable, replace};

fn clause(key: &ForeignKey, inline: bool) -> String {
    let name = key.name.as_deref().map(|n| format!("CONSTRAINT {n} ")).unwrap_or_default();
    let columns = if inline { String::new() } else { format!("FOREIGN KEY ({}) ", key.columns.join(", ")) };
    let update =
        if key.on_update == Action::NoAction { String::new() } else { format!(" ON UPDATE {}", key.on_update) };
    let timing = if key.timing == Timing::Deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
    format!(
        "{name}{columns}REFERENCES \"{}\" /* ( */ ({}) ON DELETE {}{update}{timing}",
        key.parent,
        key.parent_columns.join(", "),
        key.on_delete
    )
}

/// Writes a table in one of many ways.
fn create(table: &Table, declared: &[&ForeignKey], random: &mut Random) -> String {
    let mut coin = |n: usize| random.below(n) == 0;
    let (strict, without_rowid, auto) = (coin(3), coin(4), coin(4));
    let line = if coin(2) { "\n  " } else { " " };
    let note = if line == " " { "" } else { " -- it's a note, (really" };
    let mut parts = Vec::new();
    let mut written = Vec::new();
    for column in &table.columns {
        let mut part = format!("{} INT", column.name);
        if column.name == "id" {
            part = match (without_rowid, auto) {
                (false, true) => "id INTEGER PRIMARY KEY AUTOINCREMENT".into(),
                (false, false) => "\"id\" INTEGER PRIMARY KEY".into(),
                (true, _) => "[id] INT NOT NULL PRIMARY KEY".into(),
            };
        } else if !column.nullable {
            part.push_str(" CONSTRAINT nn NOT NULL ON CONFLICT ABORT");
        }
        if let Some(default) = &column.default {
            part.push_str(&format!(" DEFAULT ({default})"));
        }
        let inline = declared.iter().find(|k| k.columns == [column.name.clone()] && k.timing == Timing::Immediate);
        if let Some(key) = inline.filter(|_| coin(2)) {
            part.push_str(&format!(" {}", clause(key, true)));
            written.push((*key).clone());
        }
        parts.push(part);
    }
    if coin(3) {
        parts.push("g INT AS (id * 2) STORED CHECK (g <> -1)".into());
    }
    parts.extend(table.unique_keys.iter().map(|k| format!("UNIQUE ({})", k.columns.join(", "))));
    parts.extend(declared.iter().filter(|k| !written.contains(k)).map(|k| clause(k, false)));
    let last = parts.len() - 1;
    let body: Vec<String> =
        parts.iter().enumerate().map(|(i, p)| format!("{line}{p}{}{note}", if i == last { "" } else { "," })).collect();
    let end = if note.is_empty() { "" } else { "\n" };
    let options = match (strict, without_rowid) {
        (true, true) => " STRICT, WITHOUT ROWID",
        (true, false) => " STRICT",
        (false, true) => " WITHOUT ROWID",
        (false, false) => "",
    };
    let name = &table.name.name;
    let mut sql = format!("CREATE TABLE {name} ({}{end}){options};\n", body.join(""));
    if coin(2) {
        let column = &table.columns[table.columns.len() - 1].name;
        sql.push_str(&format!("CREATE INDEX {name}_i ON {name} ({column} DESC, abs(id)) WHERE {column} > 0;\n"));
    }
    if coin(3) {
        sql.push_str(&format!(
            "CREATE TRIGGER {name}_r AFTER UPDATE ON {name} BEGIN DELETE FROM {name} WHERE id = -1; END;\n\
             CREATE VIEW {name}_v AS SELECT * FROM {name};\n"
        ));
    }
    sql
}

fn fill(schema: &Schema, rows: &Rows) -> String {
    let mut sql = String::new();
    for table in &schema.tables {
        let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        for row in rows[&table.name.name].values() {
            let values: Vec<String> = row.iter().map(|v| v.map_or("NULL".into(), |v| v.to_string())).collect();
            let (table, columns, values) = (&table.name, columns.join(", "), values.join(", "));
            sql.push_str(&format!("INSERT INTO {table} ({columns}) VALUES ({values});\n"));
        }
    }
    sql
}

fn check(plan: &Plan) -> Result<(), String> {
    let whole = plan.schema(Engine::Sqlite);
    let mut random = Random::new(plan.seed);
    let rows = fate_rows::random(&whole, &mut random, 6);
    let mut sql = String::new();
    let mut changes = Vec::new();
    for table in &whole.tables {
        let mut declared = Vec::new();
        for key in &table.foreign_keys {
            if random.below(2) == 0 {
                declared.push(key);
            } else {
                changes.push(add(&table.name.name, key.clone()));
            }
        }
        sql.push_str(&create(table, &declared, &mut random));
    }
    sql.push_str(&fill(&whole, &rows));
    let fixture = Fixture::new(&sql);
    for table in &fixture.schema.tables {
        let name = &table.name.name;
        let mut touched: Vec<Vec<String>> = Vec::new();
        for key in &table.foreign_keys {
            // Two keys on the same columns that change places are the same to a pragma.
            if touched.contains(&key.columns) {
                continue;
            }
            touched.push(key.columns.clone());
            let all = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];
            let on_delete = all[random.below(5)];
            let new = ForeignKey { on_delete, on_delete_written: Some(true), ..key.clone() };
            match random.below(4) {
                0 => changes.push(drop_key(name, key)),
                1 if new != *key => changes.push(replace(name, key, new)),
                2 if key.timing == Timing::Immediate => {
                    changes.push(replace(name, key, deferred(ForeignKey { name: Some("new name".into()), ..new })));
                }
                _ => {}
            }
        }
        for column in table.columns.iter().filter(|c| !c.nullable && c.name != "id") {
            if random.below(3) == 0 {
                changes.push(nullable(name, &column.name, true));
            }
        }
        if random.below(3) == 0 {
            let column = &table.columns[random.below(table.columns.len())].name;
            let index = Index::on(format!("{name}_new"), [column]);
            changes.push(Change::AddIndex { table: name.as_str().into(), index });
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let trip = std::panic::AssertUnwindSafe(|| fixture.round_trip("random", &changes));
    match std::panic::catch_unwind(trip) {
        Ok(_) => Ok(()),
        Err(cause) => {
            let text = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            Err(format!("{text}\n{sql}\n{changes:#?}"))
        }
    }
}

/// As many schemas as take some seconds, or as `PLAN_SCHEMAS` says.
#[test]
fn random_changes_of_random_schemas_lead_there_and_back() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let cases = number("PLAN_SCHEMAS").unwrap_or(40) as u32;
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&number("PLAN_SEED").unwrap_or(1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(&plans().boxed(), |plan| check(&plan).map_err(TestCaseError::fail)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
