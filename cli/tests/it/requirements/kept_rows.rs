//! PostgreSQL: rows that outlive their parent although a key says CASCADE, because a trigger or a rule of the child keeps them. What is
//! said of how they came, and what a clean-up that cannot change them leaves behind.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::requirements::on_every_postgres;
use crate::support::audit::{Ask, audit, only};
use crate::support::postgres::{connect, execute};

const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent ON DELETE CASCADE);
    CREATE INDEX ON child (parent_id);
    INSERT INTO parent VALUES (1), (2), (3); INSERT INTO child VALUES (1, 1), (2, 2), (3, 3), (4, 3);";
const TRIGGER: &str = "
    CREATE FUNCTION silly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER silly BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION silly();
    DELETE FROM parent WHERE id = 1;";
const PAST: &str = "SET session_replication_role = replica; DELETE FROM parent WHERE id = 1;";

/// Runs `referee fix` in a folder of its own; returns what it wrote, in one line each.
fn fix(folder: &TempDir, url: &str, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_referee"))
        .args(["fix", url, "--no-config", "--color", "never"])
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|o| String::from_utf8(o).unwrap()).concat();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tables(url: &str) -> String {
    let sql = "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    connect(url).query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn what_kept_the_rows_is_named_and_what_may_have_is_called_possible() {
    on_every_postgres(&format!("{TABLES}{TRIGGER}"), |url, _| {
        let report = audit(url, Ask { data: true, ..Ask::default() });
        let found = only(&report, "orphan-rows");
        assert!(
            found.why.contains("Trigger `silly` on `child` can keep rows whose parent is deleted. Or a session"),
            "{}",
            found.why
        );
        assert!(found.help.contains("--orphans child.parent_id=delete`"), "{}", found.help);
        assert_eq!(found.fixes[0].title, "Delete the rows, without a backup; no other table refers to them");
    });
    on_every_postgres(&format!("{TABLES}{PAST}"), |url, _| {
        let report = audit(url, Ask { data: true, ..Ask::default() });
        let found = only(&report, "orphan-rows");
        assert!(found.why.contains("How they came is not recorded. Perhaps a session"), "{}", found.why);
    });
    let rule =
        "CREATE RULE stays AS ON DELETE TO child WHERE old.id = 2 DO INSTEAD NOTHING; DELETE FROM parent WHERE id = 2;";
    on_every_postgres(&format!("{TABLES}{rule}"), |url, _| {
        let report = audit(url, Ask { data: true, ..Ask::default() });
        assert!(only(&report, "orphan-rows").why.contains("Rule `stays` on `child` can keep rows"));
    });
}

#[test]
fn a_clean_up_that_a_trigger_undoes_leaves_nothing_and_says_how_to_go_on() {
    on_every_postgres(&format!("{TABLES}{TRIGGER}"), |url, _| {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let apply = ["--orphans", "child.parent_id=delete", "--apply", "--yes"];
        for folder in [&here, &there, &here] {
            let said = fix(folder, url, &apply);
            assert!(said.contains("error: nothing changed: step 1 rolled back"), "{said}");
            let hint = "if silly on child may be off for this: ALTER TABLE child DISABLE TRIGGER silly; run the same command again; then enable it again";
            assert!(said.contains(hint), "{said}");
            assert_eq!(tables(url), "child parent", "{said}");
        }
        execute(url, "ALTER TABLE child DISABLE TRIGGER silly");
        let said = fix(&here, url, &apply);
        assert_eq!(connect(url).query_one("SELECT count(*) FROM child", &[]).unwrap().get::<_, i64>(0), 3, "{said}");
        let back = fix(&here, url, &["--undo", "--apply", "--yes"]);
        assert_eq!(tables(url), "child parent", "{back}");
        assert_eq!(connect(url).query_one("SELECT count(*) FROM child", &[]).unwrap().get::<_, i64>(0), 4, "{back}");
    });
}

#[test]
fn only_words_that_do_something_are_offered() {
    on_every_postgres(&format!("{TABLES}{PAST}"), |url, _| {
        let said = fix(&TempDir::new().unwrap(), url, &[]);
        let offered = "Rows are changed only when you say how: `--orphans delete` or `--orphans quarantine` (moved to a table of their own); \
                       or `--orphans child.parent_id=set-null` (the column becomes nullable first).";
        assert!(said.contains(offered), "{said}");
    });
    // More than half of the rows that refer: no word for all relations deletes them.
    on_every_postgres(&format!("{TABLES}SET session_replication_role = replica; DELETE FROM parent"), |url, _| {
        let said = fix(&TempDir::new().unwrap(), url, &[]);
        assert!(
            said.contains("say how: `--orphans child.parent_id=delete` or `--orphans child.parent_id=quarantine`"),
            "{said}"
        );
    });
}

#[test]
fn a_guess_is_never_the_reverse_of_a_declared_key() {
    let sql = "
        CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text);
        CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users (id), first_name text);
        INSERT INTO auth.users (email) VALUES ('a'), ('b'); INSERT INTO profiles SELECT id, email FROM auth.users;";
    on_every_postgres(sql, |url, _| {
        let report = audit(url, Ask { data: true, ..Ask::default() });
        let about: Vec<_> = report.findings.iter().filter(|f| f.subject.place() == "auth.users.id").collect();
        assert!(about.is_empty(), "{about:?}");
    });
}

#[test]
fn a_null_that_would_move_a_row_to_another_partition_is_refused_for_that() {
    let sql = "
        CREATE TABLE employee (emp_id int, department text NOT NULL, manager_id int, PRIMARY KEY (emp_id, department),
            CONSTRAINT fk_manager FOREIGN KEY (manager_id, department) REFERENCES employee (emp_id, department) ON DELETE SET NULL)
            PARTITION BY LIST (department);
        CREATE TABLE employee_sales PARTITION OF employee FOR VALUES IN ('Sales');
        INSERT INTO employee VALUES (1, 'Sales', NULL), (2, 'Sales', 1);";
    on_every_postgres(sql, |url, _| {
        let error = connect(url).batch_execute("DELETE FROM employee WHERE emp_id = 1").unwrap_err();
        let error = error.as_db_error().unwrap();
        let said = format!("ERROR {}: {}", error.code().code(), error.message());
        assert_eq!(said, "ERROR 23514: no partition of relation \"employee\" found for row");
        let report = audit(url, Ask::default());
        assert!(only(&report, "set-null-on-not-null").why.contains(&said), "{report:?}");
    });
}
