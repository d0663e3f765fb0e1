//! Rows are compared as the foreign key's own check compares them, whatever the search path makes of `=`.

use std::process::Command;

use super::postgres::session;
use crate::support::audit::{Ask, audit, lines};
use crate::support::postgres as server;

/// A type whose values are equal by their last digit. Its operators lie in a schema of their own, where a plain `=` does
/// not find them: it compares records.
const LAST_DIGIT: &str = "
    CREATE SCHEMA digits;
    CREATE TYPE digits.d AS (v int);
    CREATE FUNCTION digits.last(digits.d) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1).v % 10';
    CREATE FUNCTION digits.lt(digits.d, digits.d) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT digits.last($1) < digits.last($2)';
    CREATE FUNCTION digits.le(digits.d, digits.d) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT digits.last($1) <= digits.last($2)';
    CREATE FUNCTION digits.eq(digits.d, digits.d) RETURNS bool LANGUAGE plpgsql IMMUTABLE STRICT AS 'BEGIN RETURN digits.last($1) = digits.last($2); END';
    CREATE FUNCTION digits.ge(digits.d, digits.d) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT digits.last($1) >= digits.last($2)';
    CREATE FUNCTION digits.gt(digits.d, digits.d) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT digits.last($1) > digits.last($2)';
    CREATE FUNCTION digits.cmp(digits.d, digits.d) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT digits.last($1) - digits.last($2)';
    CREATE OPERATOR digits.< (leftarg = digits.d, rightarg = digits.d, function = digits.lt);
    CREATE OPERATOR digits.<= (leftarg = digits.d, rightarg = digits.d, function = digits.le);
    CREATE OPERATOR digits.= (leftarg = digits.d, rightarg = digits.d, function = digits.eq, commutator = OPERATOR(digits.=));
    CREATE OPERATOR digits.>= (leftarg = digits.d, rightarg = digits.d, function = digits.ge);
    CREATE OPERATOR digits.> (leftarg = digits.d, rightarg = digits.d, function = digits.gt);
    CREATE OPERATOR CLASS digits.by_last_digit DEFAULT FOR TYPE digits.d USING btree AS
        OPERATOR 1 digits.<, OPERATOR 2 digits.<=, OPERATOR 3 digits.=, OPERATOR 4 digits.>=, OPERATOR 5 digits.>,
        FUNCTION 1 digits.cmp(digits.d, digits.d);";

/// What is compared in each case: tables, and rows of which none is an orphan.
const CASES: &[(&str, &str)] = &[
    (
        "citext in a schema of its own",
        "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
         CREATE TABLE parent (id extensions.citext PRIMARY KEY);
         CREATE TABLE child (n int PRIMARY KEY, parent_id extensions.citext NOT NULL REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (parent_id);
         INSERT INTO parent VALUES ('Ann@x.org'); INSERT INTO child VALUES (1, 'ann@x.org')",
    ),
    (
        "a type that is equal by its last digit",
        "CREATE TABLE parent (id digits.d PRIMARY KEY);
         CREATE TABLE child (n int PRIMARY KEY, parent_id digits.d NOT NULL REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (parent_id);
         INSERT INTO parent VALUES (ROW(12)); INSERT INTO child VALUES (1, ROW(32))",
    ),
    (
        "a pair of columns, one of them a citext's domain",
        "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
         CREATE DOMAIN mail AS extensions.citext;
         CREATE TABLE parent (tenant int, id mail, PRIMARY KEY (tenant, id));
         CREATE TABLE child (n int PRIMARY KEY, tenant int NOT NULL, parent_id extensions.citext NOT NULL,
                             FOREIGN KEY (tenant, parent_id) REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (tenant, parent_id);
         INSERT INTO parent VALUES (1, 'Ann'); INSERT INTO child VALUES (1, 1, 'ANN')",
    ),
    (
        "blanks at the end of a char",
        "CREATE TABLE parent (id char(5) PRIMARY KEY);
         CREATE TABLE child (n int PRIMARY KEY, parent_id text NOT NULL REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (parent_id);
         INSERT INTO parent VALUES ('ab'); INSERT INTO child VALUES (1, 'ab  ')",
    ),
    (
        "somebody's own = of varchar",
        "CREATE FUNCTION never(varchar, varchar) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT false';
         CREATE OPERATOR = (leftarg = varchar, rightarg = varchar, function = never);
         CREATE TABLE parent (id varchar PRIMARY KEY);
         CREATE TABLE child (n int PRIMARY KEY, parent_id varchar NOT NULL REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (parent_id);
         INSERT INTO parent VALUES ('a'); INSERT INTO child VALUES (1, 'a')",
    ),
    (
        "collations that take different texts for equal",
        "CREATE COLLATION app (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE parent (id text COLLATE app PRIMARY KEY);
         CREATE TABLE child (n int PRIMARY KEY, parent_id text NOT NULL REFERENCES parent ON DELETE CASCADE);
         CREATE INDEX ON child (parent_id);
         INSERT INTO parent VALUES ('Ann'); INSERT INTO child VALUES (1, 'ann')",
    ),
];

fn each(test: impl Fn(&server::Server, &str, &str)) {
    for server in server::servers() {
        for (what, sql) in CASES {
            let url = server.fresh_database();
            if sql.contains("digits") {
                server::execute(&url, LAST_DIGIT);
            }
            // PostgreSQL 18 lets a foreign key compare by such a collation only if both columns have it (42P21).
            let sql = &if server.major >= 18 && sql.contains("COLLATE app") {
                sql.replace("parent_id text NOT", "parent_id text COLLATE app NOT")
            } else {
                (*sql).to_string()
            };
            server::execute(&url, sql);
            test(server, what, &url);
        }
    }
}

fn referee(folder: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_referee")).args(arguments).current_dir(folder).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    (run.status.code(), said)
}

fn number(url: &str, sql: &str) -> i64 {
    server::connect(url).query_one(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {}", server::explain(&e))).get(0)
}

#[test]
fn rows_that_the_key_takes_for_equal_are_no_orphans() {
    each(|_, what, url| {
        let report = audit(url, Ask { data: true, ..Ask::default() });
        let orphans: Vec<_> = lines(&report).into_iter().filter(|l| l.contains("orphan")).collect();
        assert_eq!(orphans, [""; 0], "{what}");
    });
}

#[test]
fn a_fix_takes_the_orphans_only_and_brings_them_back() {
    each(|_, what, url| {
        let folder = tempfile::tempdir().unwrap();
        let all = ["fix", url, "--orphans", "delete", "--apply", "--yes"];
        let (code, said) = referee(folder.path(), &all);
        assert_eq!(code, Some(0), "{what}: {said}");
        assert_eq!(number(url, "SELECT count(*) FROM child"), 1, "{what}: {said}");

        // One orphan beside it, under a key that was never checked.
        let pair = what.contains("pair");
        let value = if what.contains("digit") { "ROW(7)" } else { "'zz'" };
        let key = number(url, "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'child%fkey'");
        assert_eq!(key, 1, "{what}");
        let columns = if pair { "tenant, parent_id" } else { "parent_id" };
        server::execute(
            url,
            &format!(
                "DO $$ DECLARE k text; BEGIN SELECT conname INTO k FROM pg_constraint WHERE contype = 'f';
                   EXECUTE format('ALTER TABLE child DROP CONSTRAINT %I', k); END $$;
                 INSERT INTO child VALUES (2, {}{value});
                 ALTER TABLE child ADD CONSTRAINT child_later FOREIGN KEY ({columns}) REFERENCES parent ON DELETE CASCADE NOT VALID",
                if pair { "1, " } else { "" }
            ),
        );
        let report = audit(url, Ask { data: true, ..Ask::default() });
        let found = report.findings.iter().find(|f| f.rule.name() == "orphan-rows").unwrap_or_else(|| panic!("{what}"));
        assert!(found.message.starts_with("1 row of `child`"), "{what}: {}", found.message);
        let (code, said) = referee(folder.path(), &all);
        assert_eq!(code, Some(0), "{what}: {said}");
        assert_eq!(number(url, "SELECT sum(n) FROM child"), 1, "{what}: {said}");
        let valid = "SELECT count(*) FROM pg_constraint WHERE conname = 'child_later' AND convalidated";
        assert_eq!(number(url, valid), 1, "{what}");
    });
}

#[test]
fn a_fate_counts_the_rows_that_go() {
    each(|_, what, url| {
        let root = if what.contains("pair") { "tenant = 1" } else { "true" };
        let folder = tempfile::tempdir().unwrap();
        let (code, said) = referee(folder.path(), &["fate", url, "parent", "--where", root, "--count"]);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, Some(0), "{what}: {said}");
        assert!(said.contains("parent 1 deleted child 1 deleted"), "{what}: {said}");
    });
}

#[test]
fn what_nothing_declares_is_compared_as_a_key_would() {
    each(|_, what, url| {
        server::execute(
            url,
            "DO $$ DECLARE k text; BEGIN SELECT conname INTO k FROM pg_constraint WHERE contype = 'f';
               EXECUTE format('ALTER TABLE child DROP CONSTRAINT %I', k); END $$",
        );
        let (child, parent) = if what.contains("pair") {
            (
                "{ table = \"child\", columns = [\"tenant\", \"parent_id\"] }",
                "{ table = \"parent\", columns = [\"tenant\", \"id\"] }",
            )
        } else {
            ("\"child.parent_id\"", "\"parent.id\"")
        };
        let config = format!("[[relation]]\nchild = {child}\nparent = {parent}\n");
        let report = audit(url, Ask { data: true, config: &config, ..Ask::default() });
        let orphans: Vec<_> = lines(&report).into_iter().filter(|l| l.contains("orphan")).collect();
        assert_eq!(orphans, [""; 0], "{what}");
        let folder = tempfile::tempdir().unwrap();
        let (code, said) = referee(folder.path(), &["infer", url]);
        assert_eq!(code, Some(0), "{what}: {said}");
        assert!(!said.contains("1 of 1 rows have no parent") && !said.contains("could not read"), "{what}: {said}");
    });
}

#[test]
fn the_catalog_tells_how_a_key_compares_and_a_schema_of_files_is_the_same_without_it() {
    for server in server::servers() {
        let url = server.fresh_database();
        server::execute(
            &url,
            "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
             CREATE TABLE p (id extensions.citext PRIMARY KEY, n int UNIQUE);
             CREATE TABLE c (id extensions.citext REFERENCES p, n int REFERENCES p (n))",
        );
        let schema = session(&url).inspect().unwrap();
        let of = |name: &str| schema.table(&name.into()).unwrap();
        let keys = &of("c").foreign_keys;
        assert_eq!(keys[0].comparisons.0[0].operator.as_deref(), Some("extensions.="));
        assert_eq!(keys[1].comparisons.0, [], "a plain = will do");
        assert_eq!(of("p").column("id").unwrap().equality.0.as_deref(), Some("extensions.="));
        let mut without = schema.clone();
        for table in &mut without.tables {
            table.columns.iter_mut().for_each(|c| c.equality.0 = None);
            table.foreign_keys.iter_mut().for_each(|k| k.comparisons.0.clear());
        }
        assert_eq!(schema, without);
        let document = referee::schema::to_json(&schema);
        assert!(document.contains("extensions.="), "whoever has the document only can still write the query");
    }
}

#[test]
fn an_index_on_a_column_that_no_key_has_yet_is_seen_to_serve() {
    each(|_, what, url| {
        server::execute(
            url,
            "DO $$ DECLARE k text; BEGIN SELECT conname INTO k FROM pg_constraint WHERE contype = 'f';
               EXECUTE format('ALTER TABLE child DROP CONSTRAINT %I', k); END $$",
        );
        let mut session = session(url);
        let schema = session.inspect().unwrap();
        let columns: &[&str] = if what.contains("pair") { &["tenant", "parent_id"] } else { &["parent_id"] };
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let plan = session.lookup_plan(schema.table(&"child".into()).unwrap(), &columns).unwrap();
        assert!(plan.index.is_some(), "{what}: {}\n{}", plan.sql, plan.plan);
    });
}
