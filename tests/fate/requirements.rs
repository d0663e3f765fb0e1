//! The four schemas that referee was made for, on real engines: what is decided, and what a delete then does.

use std::collections::BTreeMap;

use referee::engine::SessionOptions;
use referee::fate::{Effect, Fate, Fates, Goal, Options, TableFate, Verdict};
use referee::relations::Graph;
use referee::schema::{Action, Engine, Schema, TableName};
use referee::source::Source;

use super::support::postgres::{connect, execute, fresh_database};

fn inspect(source: &str) -> Schema {
    Source::parse(source).unwrap().open(&SessionOptions::default()).unwrap().schema
}

fn postgres(ddl: &str) -> (String, Schema) {
    let url = fresh_database();
    execute(&url, ddl);
    let schema = inspect(&url);
    (url, schema)
}

fn fate(schema: &Schema, root: &str) -> Fate {
    let graph = Graph::new(schema, &[], 0.5);
    Fates::new(schema, &graph, Options::default()).of(&root.into()).unwrap()
}

fn table(fate: &Fate, name: &str) -> TableFate {
    fate.tables.iter().find(|t| t.table == name.into()).unwrap().fate
}

/// Makes a row of every table for each of two owners, each row with parents of its owner alone.
fn fill(url: &str, schema: &Schema) {
    let graph = Graph::new(schema, &[], 1.0);
    let order = graph.parents_first();
    let number: BTreeMap<&TableName, usize> = order.iter().enumerate().map(|(i, t)| (t, i)).collect();
    let id = |owner: usize, table: &TableName| format!("'00000000-0000-0000-{owner:04}-{:012}'", number[table]);
    let mut sql = String::new();
    for owner in 1..=2 {
        for table in &order {
            let mut columns = vec!["id".to_string()];
            let mut values = vec![id(owner, table)];
            for (_, relation) in graph.parents_of(table).filter(|(_, r)| !r.is_self_reference()) {
                columns.extend(relation.columns.iter().cloned());
                values.push(id(owner, &relation.parent));
            }
            sql.push_str(&format!("INSERT INTO {table} ({}) VALUES ({});\n", columns.join(", "), values.join(", ")));
        }
    }
    execute(url, &sql);
}

/// Deletes one of the two rows of a table and returns how many rows each table has left, or the error's SQLSTATE.
fn delete_first(url: &str, schema: &Schema, root: &str) -> Result<BTreeMap<String, i64>, String> {
    let mut client = connect(url);
    let statement = format!("DELETE FROM {root} WHERE id = (SELECT min(id::text)::uuid FROM {root})");
    client.batch_execute(&statement).map_err(|e| e.code().unwrap().code().to_string())?;
    let count = |t: &referee::schema::Table| {
        let rows: i64 = client.query_one(&format!("SELECT count(*) FROM {}", t.name), &[]).unwrap().get(0);
        (t.name.to_string(), rows)
    };
    Ok(schema.tables.iter().map(count).collect())
}

#[test]
fn r1_undeclared_relations_leave_orphans() {
    let file = tempfile::Builder::new().suffix(".db").tempfile().unwrap();
    rusqlite::Connection::open(file.path()).unwrap().execute_batch(include_str!("../fixtures/r1.sql")).unwrap();
    let mut schema = inspect(&file.path().display().to_string());
    let before = fate(&schema, "projects");
    assert_eq!(before.verdict, Verdict::LeavesOrphans);
    assert_eq!(table(&before, "analysis_runs"), TableFate::Orphaned);
    assert_eq!(table(&before, "users"), TableFate::Untouched);

    // To the fixed point: the logs hang below the runs, and come within reach only once the runs go.
    // For what is only guessed nothing is proposed, and what would be left behind is named.
    let guessed = before.repair.unwrap();
    assert_eq!((guessed.verdict, guessed.changes.len()), (Verdict::LeavesOrphans, 0));
    assert!(guessed.guessed.iter().any(|g| g.relation == "analysis_runs.project_id->projects.id" && !g.planned));
    let (graph, accepted, _) = Graph::settled(&schema, &[], &[], 0.5, Some(0.5), None);
    let repair = Fates::new(&schema, &graph, Options::default()).of(&"projects".into()).unwrap().repair.unwrap();
    assert!(repair.guessed.is_empty() && !accepted.relations.is_empty());
    assert_eq!(repair.verdict, Verdict::LeavesRows);
    let round = |side: &str| repair.changes.iter().find(|c| c.path.last().unwrap() == side).map(|c| c.round);
    assert_eq!(round("analysis_runs.project_id"), Some(1));
    assert_eq!(round("analysis_activity_logs.analysis_run_id"), Some(2));
    for change in &repair.changes {
        change.changes.iter().for_each(|c| c.apply(&mut schema).unwrap());
    }
    // One project's delete then takes its seven descendants with it. The circle that leads back to the projects, and from a
    // run to the configurations made of it, only sets NULL.
    let after = fate(&schema, "projects");
    assert_eq!(after.verdict, Verdict::LeavesRows);
    for child in ["analysis_runs", "analysis_activity_logs", "config_sets", "config_files", "build_runs", "deployments"]
    {
        assert_eq!(table(&after, child), TableFate::Deleted, "{child}");
    }
    for back in ["latest_analysis_id", "latest_config_set_id", "analysis_run_id"] {
        let nullable = repair.changes.iter().filter(|c| c.columns == [back] && c.recommended == Action::SetNull);
        assert!(nullable.clone().count() > 0 && nullable.clone().all(|c| c.to == Some(Action::SetNull)), "{back}");
    }
    assert_eq!(table(&fate(&schema, "analysis_runs"), "projects"), TableFate::Updated);
}

#[test]
fn r2_the_contradiction() {
    let (url, schema) = postgres(include_str!("../fixtures/r2.sql"));
    let judged = fate(&schema, "workspaces");
    assert_eq!(judged.verdict, Verdict::Fails);
    let blocker: Vec<_> = judged.blockers().collect();
    assert_eq!(blocker.len(), 1);
    assert_eq!(
        (blocker[0].path.as_slice(), blocker[0].effect),
        (&["users.primary_workspace_id".to_string()][..], Effect::Fails)
    );
    assert!(blocker[0].reason.contains("NOT NULL"), "{}", blocker[0].reason);
    assert_eq!(table(&judged, "workspace_members"), TableFate::Deleted);
    fill(&url, &schema);
    assert_eq!(delete_first(&url, &schema, "workspaces"), Err("23502".to_string()));
    assert_eq!(fate(&schema, "users").verdict, Verdict::Complete);
    assert!(delete_first(&url, &schema, "users").is_ok());
}

#[test]
fn r3_the_eleven_keys() {
    let (url, schema) = postgres(include_str!("../fixtures/r3.sql"));
    assert_eq!(schema.foreign_keys().count(), 11);
    for (root, verdict) in [
        ("customers", Verdict::LeavesRows),
        ("users", Verdict::LeavesRows),
        ("vehicles", Verdict::LeavesRows),
        ("pods", Verdict::LeavesRows),
        ("drivers", Verdict::LeavesRows),
        ("wallets", Verdict::Complete),
        ("orders", Verdict::Complete),
        ("products", Verdict::Refused),
    ] {
        assert_eq!(fate(&schema, root).verdict, verdict, "{root}");
    }
    let products = fate(&schema, "products");
    let change = &products.repair.as_ref().unwrap().changes[0];
    assert!(change.decide && change.recommended == Action::Restrict, "a sold product is somebody's choice: {change:?}");
    fill(&url, &schema);
    assert!(delete_first(&url, &schema, "products").is_err());
    let left = delete_first(&url, &schema, "customers").unwrap();
    assert_eq!((left["orders"], left["wallets"], left["wallet_transactions"], left["subscriptions"]), (2, 1, 1, 1));
}

#[test]
fn r4_what_the_document_missed() {
    let (url, mut schema) = postgres(include_str!("../fixtures/r4.sql"));
    schema.engine = Engine::Cockroach;
    let bare = |schema: &Schema| -> Vec<(TableName, referee::schema::ForeignKey)> {
        let keys = schema.foreign_keys().filter(|(_, k)| k.parent == "users".into() && k.on_delete != Action::Cascade);
        keys.map(|(t, k)| (t.name.clone(), k.clone())).collect()
    };
    assert_eq!(bare(&schema).len(), 32);
    let before = fate(&schema, "users");
    assert_eq!((before.verdict, before.blockers().count()), (Verdict::Refused, 32));
    let repair = before.repair.as_ref().unwrap();
    assert_eq!(repair.verdict, Verdict::LeavesRows);
    assert_eq!(repair.changes.iter().filter(|c| c.round == 1).count(), 32);
    // What is automatic keeps every row that can do without, and says what it takes; what is unclear is a decision.
    for change in &repair.changes {
        let takes = change.to == Some(Action::Cascade);
        assert_eq!(takes, !change.newly_deletes.is_empty(), "{change:?}");
        assert!(!takes || change.recommended != Action::SetNull, "{change:?}");
        assert!(change.automatic || !change.choices.is_empty(), "{change:?}");
    }
    let later: Vec<&str> =
        repair.changes.iter().filter(|c| c.round > 1).map(|c| c.path.last().unwrap().as_str()).collect();
    for missed in [
        "twin_profile_versions.profile_id",
        "candidate_actions.decision_id",
        "decision_outcomes.decision_id",
        "execution_plans.decision_id",
        "explanation_records.decision_id",
        "execution_results.plan_id",
        "execution_events.plan_id",
    ] {
        assert!(later.contains(&missed), "{missed} in {later:?}");
    }

    // What the team did: all 32 cascade.
    for (table, old) in bare(&schema) {
        let new = referee::schema::ForeignKey { on_delete: Action::Cascade, ..old.clone() };
        referee::change::Change::ReplaceForeignKey { table, old, new }.apply(&mut schema).unwrap();
    }
    let after = fate(&schema, "users");
    assert_eq!(after.verdict, Verdict::Refused);
    let path =
        |side: &str| after.blockers().find(|b| b.path.last().unwrap() == side).map(|b| (b.effect, b.path.join(" < ")));
    for (side, parent) in [
        ("twin_profile_versions.profile_id", "twin_profiles.user_id"),
        ("candidate_actions.decision_id", "decisions.user_id"),
        ("decision_outcomes.decision_id", "decisions.user_id"),
        ("execution_plans.decision_id", "decisions.user_id"),
        ("explanation_records.decision_id", "decisions.user_id"),
    ] {
        assert_eq!(path(side), Some((Effect::Refuses, format!("{parent} < {side}"))));
    }
    // These have a way of their own: they stop it only where the decision is another user's.
    let (effect, _) = path("approval_requests.decision_id").unwrap();
    assert_eq!(effect, Effect::MayRefuse);

    // On a server (PostgreSQL, whose checks come earlier than CockroachDB's): refused, then repaired, then gone.
    schema.engine = Engine::Postgres;
    for (table, key) in schema.foreign_keys().filter(|(_, k)| k.on_delete == Action::Cascade) {
        let (t, name) = (&table.name, key.name.as_deref().unwrap());
        let (c, p) = (&key.columns[0], &key.parent);
        execute(
            &url,
            &format!(
                "ALTER TABLE {t} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} FOREIGN KEY ({c}) REFERENCES {p} (id) ON DELETE CASCADE"
            ),
        );
    }
    let schema = inspect(&url);
    fill(&url, &schema);
    assert_eq!(fate(&schema, "users").verdict, Verdict::Refused);
    assert_eq!(delete_first(&url, &schema, "users"), Err("23503".to_string()));
    let repair = fate(&schema, "users").repair.unwrap();
    let sql: Vec<String> = repair.changes.iter().flat_map(|c| c.sql.clone()).collect();
    execute(&url, &sql.join(";\n"));
    let repaired = inspect(&url);
    let decided = fate(&repaired, "users");
    assert_eq!(decided.verdict, Verdict::LeavesRows);
    let kept = |name: &str| table(&decided, name) != TableFate::Deleted;
    let left = delete_first(&url, &repaired, "users").unwrap();
    for (name, rows) in left {
        assert_eq!(rows, if kept(&name) { 2 } else { 1 }, "{name}: only what can do without its parent stays");
    }
}

#[test]
fn r4_with_references_that_may_become_null() {
    let (_, mut schema) = postgres(include_str!("../fixtures/r4.sql"));
    schema.engine = Engine::Cockroach;
    let graph = Graph::new(&schema, &[], 1.0);
    let options = Options { goal: Goal::LeavesRows, ..Options::default() };
    let repair = Fates::new(&schema, &graph, options).of(&"users".into()).unwrap().repair.unwrap();
    assert_eq!(repair.verdict, Verdict::LeavesRows);
    let to = |side: &str| repair.changes.iter().find(|c| c.path.last().unwrap() == side).map(|c| c.to);
    assert_eq!(to("briefings.scan_id"), Some(Some(Action::SetNull)));
    assert_eq!(to("decision_outcomes.decision_id"), Some(Some(Action::Cascade)));
}
