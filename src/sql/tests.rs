use proptest::prelude::*;

use super::ast::{AlterKind, ConstraintKind, CreateTable};
use super::*;
use crate::schema::{Action, Timing};

const ENGINES: [Engine; 5] = [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

fn one(engine: Engine, sql: &str) -> (Command, Vec<String>) {
    let statements = read(engine, sql);
    assert_eq!(statements.len(), 1, "{sql}");
    let skipped = statements[0].skipped.iter().map(|s| s.span.of(sql).to_string()).collect();
    (statements[0].commands[0].command.clone(), skipped)
}

fn table(engine: Engine, sql: &str) -> CreateTable {
    let (Command::CreateTable(table), skipped) = one(engine, sql) else { panic!("no table: {sql}") };
    assert_eq!(skipped, [""; 0], "{sql}");
    *table
}

/// Every foreign key as `columns>parent(columns) action`.
fn keys(table: &CreateTable) -> Vec<String> {
    let inline = table.columns.iter().flat_map(|c| c.constraints.iter().map(move |k| (k, Some(&c.name.text))));
    let all = inline.chain(table.constraints.iter().map(|k| (k, None)));
    let texts = all.filter_map(|(k, column)| {
        let ConstraintKind::ForeignKey(r) = &k.kind else { return None };
        let own: Vec<&str> =
            column.map(String::as_str).into_iter().chain(r.columns.iter().map(|c| c.text.as_str())).collect();
        let parent: Vec<&str> = r.parent_columns.iter().map(|c| c.text.as_str()).collect();
        let action = r.on_delete.map_or("-", |(a, _)| a.sql());
        Some(format!("{}>{}({}) {action}", own.join(","), r.parent.name, parent.join(",")))
    });
    texts.collect()
}

#[test]
fn cockroach_tables_with_indexes_and_families() {
    let made = table(
        Engine::Cockroach,
        "CREATE TABLE t (id UUID NOT NULL DEFAULT gen_random_uuid(), a INT8 REFERENCES p (id) ON DELETE CASCADE, n STRING(20) \
         FAMILY f1, PRIMARY KEY (id ASC) USING HASH, INDEX i (a ASC) STORING (n), UNIQUE INDEX u (n DESC), INVERTED INDEX v \
         (n), CONSTRAINT fk FOREIGN KEY (a) REFERENCES q, UNIQUE (a, n), FAMILY \"primary\" (id, a), INDEX (n) WHERE a > 0)",
    );
    assert_eq!(keys(&made), ["a>p(id) CASCADE", "a>q() -"]);
    assert_eq!(made.columns.len(), 3);
    let indexes = made.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Index(_))).count();
    assert_eq!(indexes, 4);
    let (Command::DropIndex { indexes, .. }, _) = one(Engine::Cockroach, "DROP INDEX IF EXISTS db.t@i CASCADE") else {
        panic!()
    };
    assert_eq!((indexes[0].0.as_ref().unwrap().name.as_str(), indexes[0].1.name.as_str()), ("t", "i"));
}

#[test]
fn mysql_tables_with_keys_and_comments() {
    let made = table(
        Engine::Mysql,
        "CREATE TABLE IF NOT EXISTS `t` (`id` int(11) unsigned NOT NULL AUTO_INCREMENT COMMENT 'a, b', `a` enum('x','y)') \
         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT 'x', `u` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE \
         CURRENT_TIMESTAMP, `g` int GENERATED ALWAYS AS (`id` + 1) VIRTUAL, `b` bigint, PRIMARY KEY (`id`), UNIQUE KEY `uk` \
         (`a`(10), `b`) USING BTREE, KEY `k` (`b`), FULLTEXT KEY `ft` (`a`), CONSTRAINT `fk` FOREIGN KEY `idx` (`b`) \
         REFERENCES `p` (`id`) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='c'",
    );
    assert_eq!(keys(&made), ["b>p(id) SET NULL"]);
    assert_eq!((made.columns.len(), made.constraints.len()), (5, 5));
    assert_eq!((made.storage.as_deref(), made.comment.as_deref()), (Some("innodb"), Some("c")));
    let (Command::AlterTable { actions, .. }, skipped) = one(
        Engine::Mysql,
        "ALTER TABLE t MODIFY a int NOT NULL AFTER b, CHANGE COLUMN c d text FIRST, DROP FOREIGN KEY fk, DROP PRIMARY KEY, \
         ADD COLUMN (x int, y int), RENAME INDEX i TO j, ALGORITHM=INPLACE, LOCK=NONE",
    ) else {
        panic!()
    };
    assert_eq!((actions.len(), skipped.len()), (9, 0));
}

#[test]
fn spans_point_at_the_clause() {
    let sql =
        "CREATE TABLE c (a int NOT NULL, b int CONSTRAINT k REFERENCES p (x) ON UPDATE CASCADE ON DELETE SET NULL);";
    let made = table(Engine::Postgres, sql);
    let not_null = &made.columns[0].constraints[0];
    assert_eq!(not_null.span.of(sql), "NOT NULL");
    let key = &made.columns[1].constraints[0];
    assert_eq!(key.span.of(sql), "CONSTRAINT k REFERENCES p (x) ON UPDATE CASCADE ON DELETE SET NULL");
    let ConstraintKind::ForeignKey(references) = &key.kind else { panic!() };
    let (action, span) = references.on_delete.unwrap();
    assert_eq!((action, span.of(sql)), (Action::SetNull, "ON DELETE SET NULL"));
}

#[test]
fn postgres_keys_of_newer_versions() {
    let made = table(
        Engine::Postgres,
        "CREATE TABLE c (a int, v daterange, FOREIGN KEY (a, PERIOD v) REFERENCES p (id, PERIOD during) NOT ENFORCED, FOREIGN \
         KEY (a) REFERENCES q ON DELETE SET NULL (a) INITIALLY DEFERRED, PRIMARY KEY (a, v WITHOUT OVERLAPS))",
    );
    assert_eq!(keys(&made), ["a,v>p(id,during) -", "a>q() SET NULL"]);
    assert!(made.constraints[0].not_enforced);
    assert_eq!(made.constraints[1].timing, Some(Timing::Deferred));
    let ConstraintKind::ForeignKey(references) = &made.constraints[0].kind else { panic!() };
    assert!(references.temporal);
}

#[test]
fn what_is_not_known_is_skipped_and_told() {
    let (command, skipped) = one(
        Engine::Postgres,
        "ALTER TABLE t FROBNICATE (a, b) WITH c, ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p NOT VALID",
    );
    let Command::AlterTable { actions, .. } = command else { panic!() };
    assert!(matches!(&actions[0].kind, AlterKind::AddConstraint(c) if c.not_valid));
    assert_eq!(skipped, ["FROBNICATE (a, b) WITH c"]);
    let (command, skipped) = one(Engine::Postgres, "CREATE TABLE t (a int WIBBLE 3 NOT NULL, b int REFERENCES p)");
    let Command::CreateTable(made) = command else { panic!() };
    assert_eq!((keys(&made), made.columns[0].constraints.len()), (vec!["b>p() -".to_string()], 1));
    assert_eq!(skipped, ["3"]);
}

#[test]
fn do_blocks_are_conditional() {
    let sql = "DO $$ BEGIN IF x THEN ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p; END IF;\n EXECUTE 'DROP TABLE d'; \
               PERFORM 1; EXCEPTION WHEN duplicate_object THEN null; END $$;";
    let statements = read(Engine::Postgres, sql);
    let commands = &statements[0].commands;
    assert_eq!(commands.len(), 2);
    assert!(commands.iter().all(|c| c.conditional));
    assert_eq!(commands[0].span.of(sql), "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p");
}

#[test]
fn what_mysql_prepares_is_conditional() {
    let sql = "SET @sql = IF((SELECT true FROM x WHERE NAME = 'k') = true, 'ALTER TABLE c DROP FOREIGN KEY k', 'SELECT 1');\n\
               PREPARE s FROM @sql; EXECUTE s; PREPARE u FROM 'DROP TABLE d';\n\
               SET @more = CONCAT('ALTER TABLE ', @name, ' DROP COLUMN c');";
    let statements = read(Engine::Mysql, sql);
    let found: Vec<_> = statements.iter().flat_map(|s| &s.commands).filter(|c| c.conditional).collect();
    let texts: Vec<&str> = found.iter().map(|c| c.span.of(sql)).collect();
    assert_eq!(texts, ["ALTER TABLE c DROP FOREIGN KEY k", "DROP TABLE d"]);
    assert!(matches!(&found[0].command, Command::AlterTable { .. }));
    let skipped: Vec<&str> = statements.iter().flat_map(|s| &s.skipped).map(|s| s.span.of(sql)).collect();
    assert_eq!(skipped, ["ALTER TABLE"]);
}

#[test]
fn what_is_put_together_at_run_time_is_told() {
    let sql =
        "DO $$ BEGIN EXECUTE format('ALTER TABLE %I DROP CONSTRAINT k', name); EXECUTE 'ANALYZE ' || name; END $$";
    let statements = read(Engine::Postgres, sql);
    let skipped: Vec<&str> = statements.iter().flat_map(|s| &s.skipped).map(|s| s.span.of(sql)).collect();
    assert_eq!((statements[0].commands.len(), skipped), (0, vec!["'ALTER TABLE %I DROP CONSTRAINT k'"]));
}

#[test]
fn libsql_writes_a_column_anew() {
    let (command, skipped) = one(Engine::Sqlite, "ALTER TABLE t ALTER COLUMN a TO b text NOT NULL REFERENCES p (id)");
    let Command::AlterTable { actions, .. } = command else { panic!() };
    let AlterKind::ReplaceColumn { old, column, .. } = &actions[0].kind else { panic!() };
    assert_eq!((old.text.as_str(), column.name.text.as_str(), column.constraints.len()), ("a", "b", 2));
    assert!(skipped.is_empty());
}

fn soup() -> impl Strategy<Value = String> {
    let words = "CREATE TABLE ALTER DROP INDEX ADD COLUMN CONSTRAINT FOREIGN KEY REFERENCES ON DELETE SET NULL DEFAULT NOT UNIQUE \
                 PRIMARY CHECK ( ) , ; . a b t int 'x' \"q\" `m` $$ -- /* */ /*!1 IF EXISTS DO BEGIN END SCHEMA PARTITION OF LIKE \
                 GENERATED AS IDENTITY COMMENT IS TRIGGER RENAME TO TYPE ENUM USING WHERE @ = [ ] COPY FROM stdin \\ MODIFY 1 ä";
    let words: Vec<String> = words.split_whitespace().map(str::to_string).collect();
    proptest::collection::vec(proptest::sample::select(words), 0..60).prop_map(|w| w.join(" "))
}

fn check(text: &str) {
    for engine in ENGINES {
        let mut at = 0;
        for statement in read(engine, text) {
            assert!(statement.span.start >= at && statement.span.end <= text.len(), "{engine} {text}");
            at = statement.span.end;
            for located in &statement.commands {
                assert!(text.get(located.span.start..located.span.end).is_some(), "{engine} {text}");
            }
            for skipped in &statement.skipped {
                assert!(text.get(skipped.span.start..skipped.span.end).is_some(), "{engine} {text}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_words_are_read(text in soup()) {
        check(&text);
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,80}") {
        check(&text);
    }
}

#[test]
fn ddl_in_the_body_of_a_routine_is_noted() {
    let noted = |engine, sql: &str| {
        let statements = read(engine, sql);
        let skipped = statements.iter().flat_map(|s| &s.skipped);
        skipped.map(|s| (s.within, s.span.of(sql).to_string())).collect::<Vec<_>>()
    };
    let routine = |text: &str| (ast::Skipped::ROUTINE, text.to_string());
    assert_eq!(
        noted(
            Engine::Postgres,
            "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE x (a int); DROP TABLE x; \
             IF true THEN ALTER TABLE t ADD COLUMN a int; END IF; EXECUTE 'DROP TABLE ' || y; DELETE FROM t; END $$;"
        ),
        [routine("ALTER TABLE t ADD COLUMN a int"), routine("DROP TABLE")]
    );
    assert_eq!(
        noted(
            Engine::Mysql,
            "DELIMITER //\nCREATE FUNCTION f() RETURNS int BEGIN DROP TABLE u; END//\n\
             CREATE PROCEDURE q() BEGIN SET @s = CONCAT('DROP TABLE ', @t); END//"
        ),
        [routine("DROP TABLE u"), routine("'DROP TABLE '")]
    );
    assert_eq!(
        noted(Engine::Sqlite, "CREATE TABLE function (event int); CREATE VIEW f AS SELECT event FROM function"),
        []
    );
}

#[test]
fn a_procedure_has_the_ddl_of_its_body() {
    let sql = "CREATE DEFINER=`a`@`b` PROCEDURE IF NOT EXISTS p(IN tab VARCHAR(64), OUT x decimal(1, 2)) BEGIN DECLARE CONTINUE \
               HANDLER FOR 1060 BEGIN END; ALTER TABLE t ADD a int; IF x THEN SET @q = CONCAT('DROP TABLE ', TAB, ';'); END IF; \
               PREPARE s FROM 'CREATE TABLE v (a int)'; END; CALL `p`('it''s', NULL)";
    let statements = read(Engine::Mysql, sql);
    let (Command::CreateRoutine(made), Command::Call { name, arguments }) =
        (&statements[0].commands[0].command, &statements[1].commands[0].command)
    else {
        panic!("{statements:?}")
    };
    assert_eq!((made.name.name.as_str(), name.name.as_str()), ("p", "p"));
    assert_eq!(made.parameters, ["tab", "x"]);
    let ddl: Vec<&str> = made.ddl.iter().map(|d| d.span().of(sql)).collect();
    assert_eq!(ddl, ["ALTER TABLE t ADD a int", "'DROP TABLE '", "'CREATE TABLE v (a int)'"]);
    assert_eq!(made.ddl[1].filled(arguments).as_deref(), Some("DROP TABLE it's;"));
    assert_eq!(made.ddl[2].filled(&[]).as_deref(), Some("CREATE TABLE v (a int)"));
}
