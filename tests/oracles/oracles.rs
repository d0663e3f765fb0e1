//! No foreign key that another parser sees is missed by referee's reader.
//!
//! squawk-syntax reads PostgreSQL, sqlite3-parser SQLite, sqlparser MySQL. What they refuse they do not judge. The texts are
//! made up here, with every key that was planted known, or real: the fixtures, the rules' pages, and the files that
//! `REFEREE_ORACLE_FILES` names, each after the engine: `postgres:a.sql:mysql:b.sql`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use referee::schema::Engine;
use referee::sql::{self, ast};

mod mysql;
mod postgres;
mod sqlite;

/// Keys in one spelling, and how often each is there.
pub type Keys = BTreeMap<String, usize>;

/// Writes a key in one spelling: `child(columns) > parent(columns) ON DELETE … ON UPDATE …`, in lower case without quotes.
pub fn key(
    child: &str,
    columns: &[String],
    parent: &str,
    parents: &[String],
    delete: Option<&str>,
    update: Option<&str>,
) -> String {
    let list = |names: &[String]| names.iter().map(|n| plain(n)).collect::<Vec<_>>().join(",");
    let action = |a: Option<&str>| {
        a.map_or("-".to_string(), |a| a.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
    };
    format!(
        "{}({}) > {}({}) {} {}",
        plain(child),
        list(columns),
        plain(parent),
        list(parents),
        action(delete),
        action(update)
    )
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '"' | '`' | '[' | ']' | '\'') && !c.is_whitespace())
        .collect::<String>()
        .to_lowercase()
}

fn full(name: &ast::Name) -> String {
    name.schema.as_ref().map_or_else(|| name.name.clone(), |s| format!("{s}.{}", name.name))
}

/// The keys that referee reads.
fn ours(engine: Engine, text: &str) -> Keys {
    let mut keys = Keys::new();
    let mut add = |table: &ast::Name, column: Option<&ast::ColumnDef>, constraint: &ast::Constraint| {
        let ast::ConstraintKind::ForeignKey(r) = &constraint.kind else { return };
        let names = |list: &[ast::Ident]| list.iter().map(|i| i.text.clone()).collect::<Vec<_>>();
        let columns = column.map_or_else(|| names(&r.columns), |c| vec![c.name.text.clone()]);
        let (delete, update) = (r.on_delete.map(|a| a.0.sql()), r.on_update.map(|a| a.0.sql()));
        *keys
            .entry(key(&full(table), &columns, &full(&r.parent), &names(&r.parent_columns), delete, update))
            .or_default() += 1;
    };
    for statement in sql::read(engine, text) {
        for located in &statement.commands {
            match &located.command {
                ast::Command::CreateTable(t) => {
                    t.columns.iter().for_each(|c| c.constraints.iter().for_each(|k| add(&t.name, Some(c), k)));
                    t.constraints.iter().for_each(|k| add(&t.name, None, k));
                }
                ast::Command::AlterTable { table, actions, .. } => {
                    for action in actions {
                        match &action.kind {
                            ast::AlterKind::AddConstraint(k) => add(table, None, k),
                            ast::AlterKind::AddColumn { column, .. } | ast::AlterKind::ReplaceColumn { column, .. } => {
                                column.constraints.iter().for_each(|k| add(table, Some(column), k));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
    keys
}

/// The keys that the other parser sees; `None` where it does not take the text.
fn theirs(engine: Engine, text: &str) -> Option<Keys> {
    match engine {
        Engine::Postgres => postgres::keys(text),
        Engine::Sqlite => sqlite::keys(text),
        _ => mysql::keys(text),
    }
}

fn missed(ours: &Keys, theirs: &Keys) -> Vec<String> {
    theirs.iter().filter(|(k, n)| ours.get(*k).copied().unwrap_or(0) < **n).map(|(k, _)| k.clone()).collect()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
}

#[test]
fn no_key_of_real_ddl_is_missed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts: Vec<(Engine, String)> = Vec::new();
    let mut paths = Vec::new();
    files(&root.join("tests/fixtures"), "sql", &mut paths);
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.to_string_lossy().into_owned();
        let engines = match () {
            () if name.contains("postgres") => vec![Engine::Postgres],
            () if name.contains("sqlite") => vec![Engine::Sqlite],
            () if name.contains("mysql") || name.contains("mariadb") => vec![Engine::Mysql],
            () => vec![Engine::Postgres, Engine::Sqlite, Engine::Mysql],
        };
        texts.extend(text.split("-- case").flat_map(|case| engines.iter().map(|e| (*e, case.to_string()))));
    }
    let mut pages = Vec::new();
    files(&root.join("docs/rules"), "md", &mut pages);
    for page in pages {
        let text = std::fs::read_to_string(page).unwrap();
        for block in text.split("```").skip(1).step_by(2).filter(|b| b.starts_with("sql")) {
            let (head, body) = block.split_once('\n').unwrap();
            let named = [
                ("postgres", Engine::Postgres),
                ("sqlite", Engine::Sqlite),
                ("mysql", Engine::Mysql),
                ("mariadb", Engine::Mysql),
            ];
            texts.extend(named.into_iter().filter(|(n, _)| head.contains(n)).map(|(_, e)| (e, body.to_string())));
        }
    }
    let more = std::env::var("REFEREE_ORACLE_FILES").unwrap_or_default();
    let more: Vec<&str> = more.split(':').filter(|p| !p.is_empty()).collect();
    for pair in more.chunks(2) {
        let engine = match pair[0] {
            "postgres" => Engine::Postgres,
            "sqlite" => Engine::Sqlite,
            _ => Engine::Mysql,
        };
        texts.push((engine, std::fs::read_to_string(pair[1]).unwrap()));
    }
    let mut seen: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    for (engine, text) in &texts {
        let counts = seen.entry(engine.to_string()).or_default();
        counts[0] += 1;
        // What the other parser does not take as a whole it is given statement by statement.
        let parts = match theirs(*engine, text) {
            Some(_) => vec![text.as_str()],
            None => sql::split::split(*engine, text).pieces.iter().map(|p| p.span.of(text)).collect(),
        };
        counts[1] += usize::from(parts.len() == 1);
        for part in parts {
            let Some(theirs) = theirs(*engine, part) else { continue };
            counts[2] += theirs.values().sum::<usize>();
            let missed = missed(&ours(*engine, part), &theirs);
            if !missed.is_empty() {
                failures.push(format!("{engine}: {missed:?}\n{}", part.chars().take(2000).collect::<String>()));
            }
        }
    }
    for (engine, [texts, judged, keys]) in &seen {
        println!("{engine}: {texts} texts, {judged} that the other parser takes whole, {keys} keys in them");
        assert!(*keys > 10, "{engine}: nothing is judged");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// A statement in the making: words, and the keys that it declares.
#[derive(Clone, Debug)]
struct Made {
    text: String,
    keys: Vec<String>,
}

fn quoted(engine: Engine, name: &str) -> String {
    if engine == Engine::Mysql { format!("`{name}`") } else { format!("\"{name}\"") }
}

fn table(engine: Engine) -> impl Strategy<Value = String> {
    let odd = quoted(engine, "Order Lines (old), x");
    select(vec!["users".to_string(), "s.accounts".into(), quoted(engine, "select"), odd, "été".into(), "t1".into()])
}

fn column(engine: Engine) -> impl Strategy<Value = String> {
    select(vec![
        "id".to_string(),
        "user_id".into(),
        quoted(engine, "references"),
        quoted(engine, "a, b"),
        "p1".into(),
        "ref".into(),
    ])
}

fn actions() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>, bool)> {
    let action = || proptest::option::of(select(vec!["CASCADE", "SET NULL", "NO ACTION", "RESTRICT", "SET DEFAULT"]));
    (action(), action(), any::<bool>())
}

/// `REFERENCES parent (columns) ON …`, and what its key says beside the child.
fn reference(
    engine: Engine,
    columns: usize,
) -> impl Strategy<Value = (String, String, Vec<String>, Option<&'static str>, Option<&'static str>)> {
    let end = match engine {
        Engine::Postgres => vec!["", " MATCH FULL", " DEFERRABLE INITIALLY DEFERRED", " NOT DEFERRABLE", " NOT VALID"],
        Engine::Sqlite => vec!["", " DEFERRABLE INITIALLY DEFERRED", " NOT DEFERRABLE INITIALLY IMMEDIATE"],
        _ => vec![""],
    };
    (table(engine), proptest::collection::vec(column(engine), columns), actions(), select(end), any::<bool>()).prop_map(
        move |(parent, columns, (delete, update, first), end, named)| {
            // MySQL's parser wants the columns; the others take the primary key.
            let columns = if named || engine == Engine::Mysql { columns } else { Vec::new() };
            let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(" , ")) };
            // MATCH comes before the actions, the rest after them.
            let (matching, end) = if end.contains("MATCH") { (end, "") } else { ("", end) };
            // NOT VALID is for keys that are added to a table.
            let end = if end.contains("VALID") { "" } else { end };
            let (d, u) = (
                delete.map(|a| format!(" ON DELETE {a}")).unwrap_or_default(),
                update.map(|a| format!(" ON UPDATE {a}")).unwrap_or_default(),
            );
            let on = if first { format!("{d}{u}") } else { format!("{u}{d}") };
            (format!("REFERENCES {parent}{list}{matching}{on}{end}"), parent, columns, delete, update)
        },
    )
}

fn noise(engine: Engine) -> impl Strategy<Value = String> {
    let mut all = vec![
        "NOT NULL",
        "DEFAULT 1",
        "DEFAULT 'a, b) REFERENCES x (y)'",
        "CHECK (1 IN (1, 2) AND ')' <> '(')",
        "DEFAULT (1 + (2 * 3))",
    ];
    match engine {
        Engine::Postgres => all.extend([
            "DEFAULT now()",
            "COLLATE \"C\"",
            "DEFAULT '{}'::jsonb",
            "GENERATED ALWAYS AS IDENTITY",
            "DEFAULT E'\\'('",
        ]),
        Engine::Sqlite => all.extend([
            "COLLATE NOCASE",
            "NOT NULL ON CONFLICT FAIL",
            "UNIQUE",
            "DEFAULT CURRENT_TIMESTAMP",
            "DEFAULT -1",
        ]),
        _ => all.extend(["AUTO_INCREMENT", "COMMENT 'it''s, (new'", "COLLATE utf8mb4_bin", "UNIQUE"]),
    }
    select(all).prop_map(str::to_string)
}

fn definition(
    engine: Engine,
) -> impl Strategy<Value = (String, String, Option<(String, Vec<String>, Option<&'static str>, Option<&'static str>)>)>
{
    let types = match engine {
        Engine::Postgres => {
            vec!["int", "character varying(20)", "numeric(10, 2)", "timestamp with time zone", "text[]", "bigint"]
        }
        Engine::Sqlite => vec!["", "INTEGER", "VARCHAR(20)", "DECIMAL(10, 2)", "double precision"],
        _ => vec!["int", "varchar(20)", "decimal(10, 2)", "int unsigned", "enum('a,b', '(')", "datetime"],
    };
    (
        column(engine),
        select(types),
        proptest::option::of(noise(engine)),
        proptest::option::of(reference(engine, 1)),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(move |(name, kind, noise, reference, before, constraint)| {
            let noise = noise.unwrap_or_default();
            let (text, said) = match reference {
                // Where MySQL's parser reads a key in a column at all it wants nothing before it.
                Some((text, parent, columns, d, u)) => {
                    let named = if constraint { format!("CONSTRAINT k {text}") } else { text };
                    let text = if before { format!("{noise} {named}") } else { format!("{named} {noise}") };
                    (text, Some((parent, columns, d, u)))
                }
                None => (noise, None),
            };
            (name.clone(), format!("{name} {kind} {text}"), said)
        })
}

fn clause(
    engine: Engine,
) -> impl Strategy<Value = (String, Option<(Vec<String>, String, Vec<String>, Option<&'static str>, Option<&'static str>)>)>
{
    let other = match engine {
        Engine::Postgres => {
            vec!["CHECK (a > 0)", "UNIQUE (a, b)", "CONSTRAINT z CHECK (x ~ '^[(,]')", "EXCLUDE USING gist (a WITH =)"]
        }
        Engine::Sqlite => vec!["CHECK (a > 0)", "UNIQUE (a, b)", "CONSTRAINT z CHECK (x <> '),')"],
        _ => vec!["CHECK (a > 0)", "UNIQUE KEY u (a, b)", "KEY k (a)", "CONSTRAINT z UNIQUE (a)"],
    };
    let key = (1usize..3)
        .prop_flat_map(move |n| (proptest::collection::vec(column(engine), n), reference(engine, n), any::<bool>()))
        .prop_map(|(columns, (text, parent, parents, d, u), named)| {
            let name = if named { "CONSTRAINT fk " } else { "" };
            (format!("{name}FOREIGN KEY ({}) {text}", columns.join(", ")), Some((columns, parent, parents, d, u)))
        });
    prop_oneof![3 => key, 1 => select(other).prop_map(|t| (t.to_string(), None))]
}

fn statement(engine: Engine) -> impl Strategy<Value = Made> {
    let create = (
        table(engine),
        proptest::collection::vec(definition(engine), 1..5),
        proptest::collection::vec(clause(engine), 0..4),
        any::<Index>(),
    )
        .prop_map(move |(name, columns, clauses, end)| {
            let mut keys = Vec::new();
            let mut parts = Vec::new();
            for (column, text, said) in columns {
                parts.push(text);
                if let Some((parent, parents, d, u)) = said {
                    keys.push(key(&name, &[column], &parent, &parents, d, u));
                }
            }
            for (text, said) in clauses {
                parts.push(text);
                if let Some((columns, parent, parents, d, u)) = said {
                    keys.push(key(&name, &columns, &parent, &parents, d, u));
                }
            }
            let ends: &[&str] = match engine {
                Engine::Postgres => &["", " WITH (fillfactor = 70)", " PARTITION BY RANGE (a)", " INHERITS (other)"],
                Engine::Sqlite => &["", " STRICT", " WITHOUT ROWID"],
                _ => &["", " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", " COMMENT='(a, b'"],
            };
            Made { text: format!("CREATE TABLE {name} ({}){}", parts.join(", "), end.get(ends)), keys }
        });
    let add = (table(engine), clause(engine), definition(engine), any::<bool>()).prop_map(
        move |(name, (clause, said), (column, text, inline), which)| {
            if which && engine != Engine::Sqlite {
                let keys = said
                    .map(|(columns, parent, parents, d, u)| key(&name, &columns, &parent, &parents, d, u))
                    .into_iter()
                    .collect();
                let clause = clause.replacen("KEY k (a)", "INDEX k (a)", 1);
                return Made { text: format!("ALTER TABLE {name} ADD {clause}"), keys };
            }
            let keys = inline
                .map(|(parent, parents, d, u)| key(&name, &[column], &parent, &parents, d, u))
                .into_iter()
                .collect();
            Made { text: format!("ALTER TABLE {name} ADD COLUMN {text}"), keys }
        },
    );
    let others: Vec<&str> = match engine {
        Engine::Postgres => vec![
            "INSERT INTO t VALUES ('CREATE TABLE x (a int REFERENCES y);')",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c; $x$",
            "COMMENT ON TABLE t IS 'it''s; REFERENCES'",
        ],
        Engine::Sqlite => vec![
            "INSERT INTO t VALUES ('CREATE TABLE x (a int REFERENCES y);')",
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN b THEN 1 END; DELETE FROM u; END",
        ],
        _ => vec!["INSERT INTO t VALUES ('it\\'s; REFERENCES')", "SELECT \"a;b\""],
    };
    let other = select(others).prop_map(|t| Made { text: t.to_string(), keys: Vec::new() });
    prop_oneof![4 => create, 3 => add, 1 => other]
}

/// Several statements, with comments and white space of every kind between their words.
fn script(engine: Engine) -> impl Strategy<Value = (String, Keys)> {
    let gaps = vec!["\n", " ", "  ", "\r\n", "\t", " /* ; REFERENCES x ( */ ", " -- it's ; (\n"];
    (proptest::collection::vec(statement(engine), 1..5), proptest::collection::vec(select(gaps), 8)).prop_map(
        |(list, gaps)| {
            let mut keys = Keys::new();
            let mut text = String::new();
            for (at, made) in list.into_iter().enumerate() {
                made.keys.iter().for_each(|k| *keys.entry(k.clone()).or_default() += 1);
                let mut text_of = made.text;
                // These stand between words only, and never in quotes.
                for (i, word) in [" REFERENCES ", " ON DELETE ", " FOREIGN KEY ", "TABLE "].into_iter().enumerate() {
                    if !text_of.contains('\'') {
                        let gap = gaps[(at + i) % gaps.len()];
                        text_of = text_of.replace(word, &format!("{gap}{}{gap}", word.trim()));
                    }
                }
                text.push_str(&text_of);
                text.push_str(gaps[at % gaps.len()].trim_start_matches(['-']));
                text.push_str(";\n");
            }
            (text, keys)
        },
    )
}

/// Runs made-up scripts of an engine, and tells how many of them the other parser took.
fn made_up(engine: Engine) -> (u32, u32, usize) {
    let (mut runs, mut taken, mut keys) = (0u32, 0u32, 0usize);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let counted = std::cell::RefCell::new((&mut runs, &mut taken, &mut keys));
    let done = runner.run(&script(engine), |(text, planted)| {
        let ours = ours(engine, &text);
        let lost = missed(&ours, &planted);
        prop_assert!(lost.is_empty(), "planted and not read: {lost:?}\n{text}");
        prop_assert!(ours == planted, "read and not planted: {:?}\n{text}", missed(&planted, &ours));
        let theirs = theirs(engine, &text);
        let mut counted = counted.borrow_mut();
        *counted.0 += 1;
        if let Some(theirs) = theirs {
            *counted.1 += 1;
            *counted.2 += theirs.values().sum::<usize>();
            let lost = missed(&ours, &theirs);
            prop_assert!(lost.is_empty(), "seen by the other parser only: {lost:?}\n{text}");
        }
        Ok(())
    });
    if let Err(error) = done {
        panic!("{engine}: {error}");
    }
    (runs, taken, keys)
}

#[test]
fn no_key_of_made_up_ddl_is_missed() {
    for engine in [Engine::Postgres, Engine::Sqlite, Engine::Mysql] {
        let (runs, taken, keys) = made_up(engine);
        println!("{engine}: {runs} scripts, {taken} that the other parser takes whole, {keys} keys in them");
        assert!(
            taken * 4 > runs && keys > 100,
            "{engine}: the other parser takes {taken} of {runs} scripts, {keys} keys"
        );
    }
}
