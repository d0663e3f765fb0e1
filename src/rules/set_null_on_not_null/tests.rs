use super::*;
use crate::schema::{Check, Schema, Version};
use crate::testing::{findings, schema};

const USERS: &[&str] =
    &["workspaces: id uuid pk", "users: id uuid pk, primary_workspace_id uuid not-null >workspaces.id set-null"];

fn run(schema: &Schema) -> Vec<Finding> {
    findings(schema, "set-null-on-not-null")
}

/// `child(tenant_id NOT NULL, parent_id)` with one key over both.
fn composite(engine: Engine) -> Schema {
    let mut schema = schema(engine, &["parent: tenant_id int pk, id int pk", "child: id int pk, tenant_id int not-null, parent_id int"]);
    let mut key = ForeignKey::new(["tenant_id", "parent_id"], "parent".into(), ["tenant_id", "id"]);
    key.name = Some("child_parent_fkey".into());
    key.on_delete = Action::SetNull;
    schema.table_mut(&"child".into()).unwrap().foreign_keys.push(key);
    schema
}

#[test]
fn both_sides_both_consequences_and_both_repairs_are_told() {
    let schema = schema(Engine::Postgres, USERS);
    let [finding] = &run(&schema)[..] else { panic!("one finding") };
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.subject.place(), "users.primary_workspace_id");
    let labels: Vec<_> = finding.labels.iter().map(|l| (l.place.as_str(), l.text.as_str())).collect();
    assert_eq!(
        labels,
        [
            ("users.primary_workspace_id", "NOT NULL"),
            ("users_primary_workspace_id_fkey", "ON DELETE SET NULL"),
        ]
    );
    assert!(finding.why.contains(
        "ERROR 23502: null value in column \"primary_workspace_id\" of relation \"users\" violates not-null constraint"
    ));
    assert!(finding.why.contains(
        "ERROR 23503: insert or update on table \"users\" violates foreign key constraint \
         \"users_primary_workspace_id_fkey\""
    ));
    assert!(finding.fixes[0].title.starts_with("Protect the parent"));
    assert!(finding.fixes[0].sql[0].contains("ON DELETE NO ACTION"), "{:?}", finding.fixes[0].sql);
    assert!(finding.fixes[1].sql[0].contains("ALTER COLUMN primary_workspace_id DROP NOT NULL"));
}

#[test]
fn every_fix_removes_the_finding() {
    for schema in [schema(Engine::Postgres, USERS), schema(Engine::Sqlite, USERS), composite(Engine::Postgres)] {
        let found = run(&schema);
        assert!(found[0].fixes.len() > 1);
        for fix in &found[0].fixes {
            let mut after = schema.clone();
            fix.changes.iter().for_each(|c| c.apply(&mut after).unwrap());
            assert_eq!(run(&after), [], "{}", fix.title);
        }
    }
}

#[test]
fn a_nullable_column_or_another_action_is_fine() {
    for line in ["users: id int pk, w int >workspaces.id set-null", "users: id int pk, w int not-null >workspaces.id cascade"] {
        assert_eq!(run(&schema(Engine::Postgres, &["workspaces: id int pk", line])), []);
    }
}

#[test]
fn one_not_null_column_of_several_is_kept_by_a_column_list() {
    let mut schema = composite(Engine::Postgres);
    let found = run(&schema);
    assert_eq!(found[0].labels[0].place, "child.tenant_id");
    let Change::ReplaceForeignKey { new, .. } = &found[0].fixes[0].changes[0] else { panic!("a new key") };
    assert_eq!(new.set_columns, ["parent_id"]);
    assert!(found[0].fixes[0].sql[0].contains("ON DELETE SET NULL (parent_id)"));

    schema.version = Some(Version::new(14, 2, 0));
    assert!(run(&schema)[0].fixes[0].title.starts_with("Protect the parent"));
    let sqlite = run(&composite(Engine::Sqlite));
    assert!(sqlite[0].why.contains("NOT NULL constraint failed: child.tenant_id"));
    assert!(sqlite[0].fixes[0].title.starts_with("Protect the parent"));
}

#[test]
fn match_full_forbids_a_column_list() {
    let mut schema = composite(Engine::Postgres);
    let child = schema.table_mut(&"child".into()).unwrap();
    child.columns[1].nullable = true;
    child.foreign_keys[0].set_columns = vec!["parent_id".into()];
    assert_eq!(run(&schema), []);
    schema.table_mut(&"child".into()).unwrap().foreign_keys[0].matching = Match::Full;
    let found = run(&schema);
    assert!(found[0].why.contains("MATCH FULL does not allow mixing of null and nonnull key values"), "{}", found[0].why);
}

#[test]
fn the_primary_key_depends_on_the_kind_of_table() {
    let lines = &["p: id int pk", "c: p_id int pk >p.id set-null"];
    assert!(run(&schema(Engine::Postgres, lines))[0].why.contains("23502"));
    assert_eq!(run(&schema(Engine::Postgres, lines))[0].fixes.len(), 1);

    let mut sqlite = schema(Engine::Sqlite, lines);
    sqlite.table_mut(&"c".into()).unwrap().columns[0].nullable = true;
    let loose = run(&sqlite);
    assert!(loose[0].message.contains("puts NULL into the primary key"), "{}", loose[0].message);
    assert!(loose[0].why.contains("succeeds"));
    assert_eq!(loose[0].fixes[0].safety, Safety::Unsafe);

    sqlite.table_mut(&"c".into()).unwrap().without_rowid = true;
    assert!(run(&sqlite)[0].why.contains("NOT NULL constraint failed: c.p_id"));
    let child = sqlite.table_mut(&"c".into()).unwrap();
    (child.without_rowid, child.columns[0].auto_number) = (false, true);
    assert!(run(&sqlite)[0].why.contains("datatype mismatch"));
}

#[test]
fn a_generated_column_stops_every_delete_in_sqlite() {
    let mut schema = schema(Engine::Sqlite, &["p: id int pk", "c: id int pk, g int >p.id set-null"]);
    assert_eq!(run(&schema), []);
    let generated = crate::schema::Generated { expression: "id + 1".into(), stored: true };
    schema.table_mut(&"c".into()).unwrap().columns[1].generated = Some(generated);
    let found = run(&schema);
    assert!(found[0].why.contains("cannot UPDATE generated column \"g\""));
    assert!(found[0].why.contains("referred to or not"));
}

#[test]
fn on_update_has_a_finding_of_its_own() {
    let mut schema = schema(Engine::Sqlite, USERS);
    schema.table_mut(&"users".into()).unwrap().foreign_keys[0].on_update = Action::SetNull;
    let found = run(&schema);
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].fingerprint, found[1].fingerprint);
    assert!(found.iter().any(|f| f.message.contains("ON UPDATE SET NULL") && f.why.contains("key cannot be changed")));
}

#[test]
fn a_check_that_forbids_null_counts() {
    let mut schema = schema(Engine::Postgres, &["p: id int pk", "c: id int pk, p_id int >p.id set-null"]);
    let check = |expression: &str| Check { name: Some("ck".into()), expression: expression.into(), validated: true };
    schema.table_mut(&"c".into()).unwrap().checks = vec![check("(p_id IS NOT NULL)")];
    let found = run(&schema);
    assert!(found[0].why.contains("ERROR 23514: new row for relation \"c\" violates check constraint \"ck\""));
    assert_eq!(found[0].fixes.len(), 1);
    schema.table_mut(&"c".into()).unwrap().checks = vec![check("p_id > 0")];
    assert_eq!(run(&schema), []);
}

#[test]
fn only_a_plain_condition_is_read_off_a_check() {
    for yes in [
        "p_id IS NOT NULL",
        "P_ID is not null",
        "((\"p_id\" IS NOT NULL) AND (x > 0))",
        "x > 0 AND [p_id] IS NOT NULL",
        "(x > 0) AND ((`p_id` IS  NOT\nNULL) AND y)",
        "p_id NOTNULL",
    ] {
        assert!(forbids_null(yes, "p_id"), "{yes}");
    }
    for no in [
        "p_id IS NULL",
        "q.p_id_2 IS NOT NULL",
        "p_id IS NOT NULL OR x",
        "x OR y AND p_id IS NOT NULL",
        "NOT (p_id IS NOT NULL)",
        "CASE WHEN x AND p_id IS NOT NULL AND y THEN 1 END",
        "x = ' AND p_id IS NOT NULL'",
        "(p_id IS NOT NULL) = (other IS NOT NULL)",
        "\"P_ID\" IS NOT NULL",
        "",
    ] {
        assert!(!forbids_null(no, "p_id"), "{no}");
    }
}

#[test]
fn mysql_refuses_a_check_on_the_column_with_a_code_of_its_own() {
    let why = |expression: Option<&str>| {
        let nullable = if expression.is_some() { "" } else { "not-null " };
        let mut s = schema(Engine::Mysql, &["p: id bigint pk", &format!("c: id bigint pk, p bigint {nullable}>p.id set-null")]);
        let check = |e: &str| Check { name: Some("ck".into()), expression: e.into(), validated: true };
        s.table_mut(&"c".into()).unwrap().checks.extend(expression.map(check));
        run(&s)[0].why.clone()
    };
    assert!(why(Some("p IS NOT NULL")).contains("(error 3823)"));
    assert!(why(None).contains("(error 1830)"));
}

#[test]
fn not_null_that_a_domain_may_say_is_left_to_a_person() {
    let mut schema = schema(Engine::Postgres, USERS);
    let dropped = |s: &Schema| run(s)[0].fixes.iter().any(|f| f.title.contains("drop NOT NULL"));
    assert!(dropped(&schema));
    let table = schema.table_mut(&"users".into()).unwrap();
    table.columns.iter_mut().for_each(|c| c.data_type.domain = Some("present".into()));
    assert!(!dropped(&schema));
    let help = &run(&schema)[0].help;
    assert!(help.contains("`users.primary_workspace_id` has the domain `present`"), "{help}");
}
