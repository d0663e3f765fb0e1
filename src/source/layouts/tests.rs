use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn loaded(files: &[(&str, &str)]) -> Loaded {
    let dir = folder(files);
    load(&SqlFiles { path: dir.path().to_path_buf(), engine: Some(Engine::Postgres), ..SqlFiles::default() }).unwrap()
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.migrations.iter().map(|m| m.name.as_str()).collect()
}

const SQL: &str = "CREATE TABLE t (a int);\n";

#[test]
fn drizzle_goes_by_its_journal() {
    let journal = r#"{"version":"7","dialect":"sqlite","entries":[{"idx":1,"tag":"0001_b"},{"idx":0,"tag":"0000_a"}]}"#;
    let dir =
        folder(&[("meta/_journal.json", journal), ("0000_a.sql", SQL), ("0001_b.sql", SQL), ("0002_no.sql", SQL)]);
    let found = load(&SqlFiles { path: dir.path().to_path_buf(), ..SqlFiles::default() }).unwrap();
    assert_eq!((found.layout, found.engine), ("drizzle", Engine::Sqlite));
    assert_eq!(names(&found), ["0000_a", "0001_b"]);
    let new = loaded(&[("20260101000000_a/migration.sql", SQL), ("20260101000000_a/snapshot.json", "{}")]);
    assert_eq!((new.layout, new.migrations[0].transaction), ("drizzle", true));
    let new = loaded(&[
        ("20260101000000_a/migration.sql", SQL),
        ("20260101000000_a/snapshot.json", "{}"),
        ("20260102000000_b/migration.sql", SQL),
    ]);
    assert_eq!((new.layout, names(&new)), ("drizzle", vec!["20260101000000_a", "20260102000000_b"]));
}

#[test]
fn what_is_run_by_hand_comes_before_the_file_that_asks_for_it() {
    let asks = "CREATE TABLE u (a int);\n-- referee: after mend.by_hand.sqlite\nSELECT 1;\n";
    let found = loaded(&[
        ("1_a.up.sql", SQL),
        ("2_b.up.sql", asks),
        ("2_b.down.sql", "DROP TABLE u;"),
        ("3_c.up.sql", SQL),
        ("mend.by_hand.sqlite", "SELECT 2;"),
        ("mend.by_hand.down.sqlite", "SELECT 3;"),
        ("other.by_hand.sqlite", "SELECT 4;"),
    ]);
    assert_eq!(names(&found), ["1_a", "mend.by_hand.sqlite", "2_b", "3_c"]);
    let script = &found.migrations[1];
    assert!(!script.transaction && script.down.is_some());
}

#[test]
fn folders_of_prisma_and_diesel() {
    let dir = folder(&[("migration_lock.toml", "provider = \"mysql\"\n"), ("20230101000000_a/migration.sql", SQL)]);
    let found = load(&SqlFiles { path: dir.path().to_path_buf(), ..SqlFiles::default() }).unwrap();
    assert_eq!((found.layout, found.engine), ("prisma", Engine::Mysql));
    let found = loaded(&[
        ("2-0_b/up.sql", SQL),
        ("2-0_b/metadata.toml", "run_in_transaction = false"),
        ("30_c/up.sql", SQL),
        ("1_a/up.sql", SQL),
        ("1_a/down.sql", "DROP TABLE t;"),
    ]);
    assert_eq!((found.layout, names(&found)), ("diesel", vec!["1_a", "2-0_b", "30_c"]));
    let facts: Vec<_> = found.migrations.iter().map(|m| (m.down.is_some(), m.transaction)).collect();
    assert_eq!(facts, [(true, true), (false, false), (false, true)]);
}

#[test]
fn sections_lead_up_and_down() {
    let text = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE t (a int);\n-- +goose Down\nDROP TABLE t;\n";
    let found = loaded(&[("001_a.sql", text)]);
    assert_eq!(found.layout, "goose");
    let spaced = loaded(&[("001_a.sql", "--+goose NO TRANSACTION\n--  +goose Up\nSELECT 1;\n--+goose Down\n")]);
    assert_eq!((spaced.layout, spaced.migrations[0].transaction), ("goose", false));
    let migration = &found.migrations[0];
    assert_eq!(migration.up.span.of(text).trim(), "CREATE TABLE t (a int);");
    assert_eq!(migration.down.unwrap().span.of(text).trim(), "DROP TABLE t;");
    assert!(!migration.transaction);

    let text = "-- migrate:up transaction:false\nCREATE TABLE t (a int);\n\n-- migrate:down\nDROP TABLE t;\n";
    let found = loaded(&[("20200101000000_a.sql", text)]);
    assert_eq!((found.layout, found.migrations[0].transaction), ("dbmate", false));
    assert_eq!(found.migrations[0].up.span.of(text).trim(), "CREATE TABLE t (a int);");
}

#[test]
fn versions_are_numbers() {
    let found = loaded(&[
        ("V10__c.sql", SQL),
        ("V2__b.sql", SQL),
        ("V1.1__a.sql", SQL),
        ("U2__b.sql", SQL),
        ("R__views.sql", SQL),
        ("V10__c.sql.conf", "executeInTransaction=false\n"),
    ]);
    assert_eq!(
        (found.layout, names(&found)),
        ("flyway", vec!["V1.1__a.sql", "V2__b.sql", "V10__c.sql", "R__views.sql"])
    );
    assert!(found.migrations[1].down.is_some() && !found.migrations[2].transaction);
    let found = loaded(&[("V1__a.sql", SQL), ("U3__c.sql", SQL)]);
    assert_eq!((found.layout, names(&found)), ("refinery", vec!["V1__a.sql", "U3__c.sql"]));
}

#[test]
fn numbered_files() {
    let found = loaded(&[("2_b.up.sql", SQL), ("2_b.down.sql", SQL), ("1_a.up.sql", SQL)]);
    assert_eq!((found.layout, names(&found)), ("golang-migrate", vec!["1_a", "2_b"]));
    assert!(found.migrations[0].down.is_none() && found.migrations[1].down.is_some());
    let found = loaded(&[("1_a.sql", SQL), ("2_b.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);")]);
    assert_eq!((found.layout, found.migrations[1].transaction), ("sqlx", false));
    let found = loaded(&[("atlas.sum", ""), ("1_a.sql", "-- atlas:txmode none\n\nCREATE TABLE t (a int);")]);
    assert_eq!((found.layout, found.migrations[0].transaction), ("atlas", false));
    let found = loaded(&[("10-b.sql", SQL), ("002-a.sql", SQL), ("seed.sql", SQL)]);
    assert_eq!((found.layout, names(&found)), ("plain", vec!["002-a.sql", "10-b.sql", "seed.sql"]));
}

#[test]
fn the_usual_place_and_the_base() {
    let dir = folder(&[("prisma/migrations/1_a/migration.sql", SQL), ("schema.sql", SQL), ("package.json", "{}")]);
    let base = Some(dir.path().join("schema.sql"));
    let engine = Some(Engine::Postgres);
    let source = SqlFiles { path: dir.path().join("prisma/migrations"), engine, base, ..SqlFiles::default() };
    let found = load(&source).unwrap();
    assert!(found.migrations[0].base && !found.migrations[1].base);
}

#[test]
fn what_cannot_be_told_is_asked_for() {
    let dir = folder(&[("readme.md", "")]);
    let error = load(&SqlFiles { path: dir.path().to_path_buf(), ..SqlFiles::default() }).unwrap_err();
    let SourceError::Unknown { hint, .. } = error else { panic!("{error}") };
    assert!(hint.contains("_journal.json") && hint.contains("atlas.sum"), "{hint}");
    let dir = folder(&[("1.sql", SQL)]);
    let error = load(&SqlFiles { path: dir.path().to_path_buf(), ..SqlFiles::default() }).unwrap_err();
    let SourceError::Unknown { hint, .. } = error else { panic!("{error}") };
    assert!(hint.contains("--engine"), "{hint}");
}

#[test]
fn engines_are_told_by_their_words() {
    let guess = |text: &str| guess_engine([text].into_iter());
    assert_eq!(guess("CREATE TABLE t (id BIGSERIAL)"), Some(Engine::Postgres));
    assert_eq!(guess("CREATE TABLE `t` (id INTEGER PRIMARY KEY AUTOINCREMENT)"), Some(Engine::Sqlite));
    assert_eq!(guess("CREATE TABLE `t` (id INT AUTO_INCREMENT) ENGINE=InnoDB"), Some(Engine::Mysql));
    assert_eq!(guess("CREATE TABLE t (id INT DEFAULT unique_rowid(), n STRING)"), Some(Engine::Cockroach));
    assert_eq!(guess(SQL), None);
}

#[test]
fn pop_has_a_file_for_each_engine_or_one_for_all() {
    let dir = folder(&[
        ("20200102000000_b.up.sql", SQL),
        ("20200102000000_b.down.sql", "DROP TABLE t;"),
        ("20200102000000_b.sqlite3.up.sql", SQL),
        ("20200101000000_a.postgres.up.sql", SQL),
        ("20200101000000_a.mysql.up.sql", SQL),
        ("20200103000000_c.postgres.autocommit.up.sql", SQL),
    ]);
    let found = |engine| load(&SqlFiles { path: dir.path().to_path_buf(), engine, ..SqlFiles::default() });
    let files = |engine| {
        let loaded: Loaded = found(Some(engine)).unwrap();
        let ups = loaded.migrations.iter().map(|m| (m.up.file, m.transaction, m.down.is_some()));
        let name = |file: usize| loaded.files[file].path.rsplit('/').next().unwrap().to_string();
        assert_eq!((loaded.layout, loaded.engine), ("pop", engine));
        ups.map(|(file, transaction, down)| (name(file), transaction, down)).collect::<Vec<_>>()
    };
    let expected = [
        ("20200101000000_a.postgres.up.sql".to_string(), true, false),
        ("20200102000000_b.up.sql".to_string(), true, true),
        ("20200103000000_c.postgres.autocommit.up.sql".to_string(), false, false),
    ];
    assert_eq!(files(Engine::Postgres), expected);
    assert_eq!(files(Engine::Sqlite), [("20200102000000_b.sqlite3.up.sql".to_string(), true, true)]);
    assert_eq!(files(Engine::Mariadb)[0].0, "20200101000000_a.mysql.up.sql");
    let error = found(None).unwrap_err().to_string();
    assert!(error.ends_with("holds migrations for several engines: MySQL, PostgreSQL, SQLite"), "{error}");
}

#[test]
fn migrations_that_are_programs_are_named() {
    let found = loaded(&[
        ("1_a.sql", "-- +goose Up\nCREATE TABLE t (a int);\n"),
        ("10_c.go", ""),
        ("2_b.go", ""),
        ("2_b_test.go", ""),
        ("main.go", ""),
        ("meta/3_x.go", ""),
    ]);
    assert_eq!((found.layout, found.migrations.len()), ("goose", 1));
    assert_eq!(found.programs, ["2_b.go", "10_c.go"]);
    assert!(loaded(&[("V1__a.sql", SQL)]).programs.is_empty());
}
