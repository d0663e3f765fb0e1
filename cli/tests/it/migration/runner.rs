//! Runs files as each tool does: what it splits, what it sends in one piece, where it opens a transaction.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use referee::schema::Engine;
use sha2::{Digest, Sha256};

use crate::migration::database::Database;
use crate::support::postgres::{connect, explain};

type Files = [(String, String)];

/// Writes a tool's first migration.
pub fn first(tool: &str, engine: Engine, sql: &str) -> BTreeMap<String, String> {
    let files: Vec<(&str, String)> = match tool {
        "sql" => vec![("0001_init.up.sql", sql.into()), ("0001_init.down.sql", "DROP TABLE items;\n".into())],
        "golang-migrate" => {
            vec![("000001_init.up.sql", sql.into()), ("000001_init.down.sql", "DROP TABLE items;\n".into())]
        }
        "dbmate" => {
            vec![("20240101000000_init.sql", format!("-- migrate:up\n{sql}\n-- migrate:down\nDROP TABLE items;\n"))]
        }
        "goose" => vec![("00001_init.sql", format!("-- +goose Up\n{sql}\n-- +goose Down\nDROP TABLE items;\n"))],
        "sqlx" => vec![
            ("20240101000000_init.up.sql", sql.into()),
            ("20240101000000_init.down.sql", "DROP TABLE items;\n".into()),
        ],
        "diesel" => vec![
            ("2024-01-01-000000_init/up.sql", sql.into()),
            ("2024-01-01-000000_init/down.sql", "DROP TABLE items;\n".into()),
        ],
        "flyway" => vec![("V1__init.sql", sql.into()), ("U1__init.sql", "DROP TABLE items;\n".into())],
        "refinery" => vec![("V1__init.sql", sql.into())],
        "prisma" => {
            let provider = if engine == Engine::Sqlite { "sqlite" } else { "postgresql" };
            vec![
                ("20240101000000_init/migration.sql", sql.into()),
                ("migration_lock.toml", format!("provider = \"{provider}\"\n")),
            ]
        }
        "atlas" => {
            let name = "20240101000000_init.sql";
            let one = STANDARD.encode(Sha256::digest(format!("{name}{sql}")));
            let all = STANDARD.encode(Sha256::digest(format!("{name}{one}")));
            vec![(name, sql.into()), ("atlas.sum", format!("h1:{all}\n{name} h1:{one}\n"))]
        }
        "drizzle" => {
            let dialect = if engine == Engine::Sqlite { "sqlite" } else { "postgresql" };
            let version = if engine == Engine::Sqlite { "6" } else { "7" };
            let journal = serde_json::json!({"version": "7", "dialect": dialect, "entries": [
                {"idx": 0, "version": version, "when": 1_704_067_200_000_u64, "tag": "0000_init", "breakpoints": true}]});
            let snapshot = serde_json::json!({"id": "00000000-0000-4000-8000-000000000001",
                "prevId": "00000000-0000-0000-0000-000000000000", "version": version, "dialect": dialect, "tables": {}});
            vec![
                ("0000_init.sql", sql.replace(";\n", ";\n--> statement-breakpoint\n")),
                ("meta/_journal.json", serde_json::to_string_pretty(&journal).unwrap()),
                ("meta/0000_snapshot.json", snapshot.to_string()),
            ]
        }
        "drizzle-1" => {
            let dialect = if engine == Engine::Sqlite { "sqlite" } else { "postgres" };
            let snapshot = include_str!("drizzle-1.json").replace("DIALECT", dialect);
            let snapshot = if engine == Engine::Sqlite {
                snapshot.replace("      \"schema\": \"public\",\n", "")
            } else {
                snapshot
            };
            vec![
                ("20240101000000_init/migration.sql", sql.replace(";\n", ";\n--> statement-breakpoint\n")),
                ("20240101000000_init/snapshot.json", snapshot),
            ]
        }
        other => panic!("no such tool: {other}"),
    };
    files.into_iter().map(|(path, text)| (path.to_string(), text)).collect()
}

/// Returns the tool's own name: `drizzle-1` is how Drizzle lays out a folder from 1.0 on.
pub fn real(tool: &str) -> &str {
    tool.trim_end_matches("-1")
}

/// Tells whether the tool has files that lead back.
pub fn leads_back(tool: &str) -> bool {
    !matches!(real(tool), "prisma" | "refinery" | "drizzle" | "atlas")
}

/// How a file is sent.
struct Sent {
    /// What goes to the server in one piece.
    pieces: Vec<String>,
    /// Whether the tool opens a transaction.
    transaction: bool,
}

impl Sent {
    fn whole(text: &str, transaction: bool) -> Self {
        Self { pieces: vec![text.to_string()], transaction }
    }
}

/// Runs what leads up.
pub fn up(tool: &str, database: &Database, files: &Files) -> Result<(), String> {
    let text = |path: &str| files.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str());
    let mut all = Vec::new();
    for (path, file) in files {
        match real(tool) {
            "sql" if path.ends_with(".up.sql") => return by_hand(database, file),
            // SQLite's driver opens a transaction (`database/sqlite`, `Run`), PostgreSQL's does not.
            "golang-migrate" if path.ends_with(".up.sql") => {
                all.push(Sent::whole(file, database.engine == Engine::Sqlite));
            }
            "dbmate" if path.ends_with(".sql") => all.push(dbmate(file).0),
            "goose" if path.ends_with(".sql") => all.push(goose(file).0),
            "sqlx" if path.ends_with(".up.sql") => all.push(sqlx(database, file)),
            "diesel" if path.ends_with("/up.sql") => {
                let metadata = text(&path.replace("up.sql", "metadata.toml"));
                all.push(Sent::whole(file, metadata.is_none_or(|m| !m.contains("run_in_transaction = false"))));
            }
            "flyway" if path.starts_with('V') && path.ends_with(".sql") => all.push(flyway(path, file, text)),
            "prisma" if path.ends_with("/migration.sql") => all.push(Sent::whole(file, false)),
            "refinery" if path.ends_with(".sql") => all.push(Sent::whole(file, true)),
            "atlas" if path.ends_with(".sql") => {
                // A directive stands alone at the head of the file, an empty line after it (`sql/migrate/dir.go`).
                let none = file.starts_with("-- atlas:txmode none\n\n");
                all.push(Sent { pieces: split(file), transaction: !none });
            }
            "drizzle" if path.ends_with(".sql") => {
                let pieces = file.split("--> statement-breakpoint").map(ToString::to_string).collect();
                all.push(Sent { pieces, transaction: true });
            }
            _ => {}
        }
    }
    assert!(!all.is_empty(), "{tool}: nothing to run in {:?}", files.iter().map(|f| &f.0).collect::<Vec<_>>());
    run(database, &all)
}

/// Runs what leads back, the last file first.
pub fn down(tool: &str, database: &Database, files: &Files) -> Result<(), String> {
    let text = |path: &str| files.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str());
    let mut all = Vec::new();
    for (path, file) in files.iter().rev() {
        match tool {
            "sql" if path.ends_with(".down.sql") => return by_hand(database, file),
            "golang-migrate" if path.ends_with(".down.sql") => {
                all.push(Sent::whole(file, database.engine == Engine::Sqlite));
            }
            "dbmate" if path.ends_with(".sql") => all.push(dbmate(file).1),
            "goose" if path.ends_with(".sql") => all.push(goose(file).1),
            "sqlx" if path.ends_with(".down.sql") => all.push(sqlx(database, file)),
            "diesel" if path.ends_with("/down.sql") => {
                let metadata = text(&path.replace("down.sql", "metadata.toml"));
                all.push(Sent::whole(file, metadata.is_none_or(|m| !m.contains("run_in_transaction = false"))));
            }
            "flyway" if path.starts_with('U') && path.ends_with(".sql") => all.push(flyway(path, file, text)),
            _ => {}
        }
    }
    assert!(!all.is_empty(), "{tool}: nothing leads back");
    run(database, &all)
}

/// Runs a script: PostgreSQL's by psql itself, SQLite's as `sqlite3 -bail` does.
pub fn by_hand(database: &Database, script: &str) -> Result<(), String> {
    if database.engine == Engine::Sqlite {
        let sql: String = script.lines().filter(|l| !l.starts_with(".bail")).map(|l| format!("{l}\n")).collect();
        return run(database, &[Sent { pieces: split(&sql), transaction: false }]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let mut psql = std::process::Command::new("psql");
    psql.args(["-X", "-q", "-f"]).arg(file.path()).arg(&database.source);
    let output = psql.output().unwrap_or_else(|e| panic!("psql, which comes with PostgreSQL, cannot be run: {e}"));
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn flyway<'t>(path: &str, file: &str, text: impl Fn(&str) -> Option<&'t str>) -> Sent {
    let conf = text(&format!("{path}.conf")).unwrap_or_default();
    let none = conf.contains("executeInTransaction=false");
    assert!(!file.contains("${") || conf.contains("placeholderReplacement=false"), "{path}: no value for placeholder");
    Sent { pieces: split(file), transaction: !none }
}

/// The mark counts on PostgreSQL only (`sqlx-sqlite/src/migrate.rs`, 0.8).
fn sqlx(database: &Database, file: &str) -> Sent {
    Sent::whole(file, database.engine == Engine::Sqlite || !file.starts_with("-- no-transaction"))
}

fn dbmate(file: &str) -> (Sent, Sent) {
    let (up, down) = file.split_once("-- migrate:down").expect("a way back");
    let up = up.strip_prefix("-- migrate:up").expect("a way up");
    let part = |text: &str| {
        let (options, sql) = text.split_once('\n').unwrap();
        Sent::whole(sql, options.trim() != "transaction:false")
    };
    (part(up), part(down))
}

fn goose(file: &str) -> (Sent, Sent) {
    let transaction = !file.starts_with("-- +goose NO TRANSACTION\n");
    let (up, down) = file.split_once("-- +goose Down\n").expect("a way back");
    let (_, up) = up.split_once("-- +goose Up\n").expect("a way up");
    let part = |text: &str| {
        let (mut pieces, mut one, mut inside) = (Vec::new(), String::new(), false);
        // As goose's parser does: comments before a statement are left out, and it ends with a line whose last word before
        // any that begins with `--` ends in a semicolon.
        let ends = |line: &str| {
            line.split_whitespace().take_while(|w| !w.starts_with("--")).last().is_some_and(|w| w.ends_with(';'))
        };
        for line in text.lines() {
            match line.trim() {
                "-- +goose StatementBegin" => inside = true,
                "-- +goose StatementEnd" => {
                    inside = false;
                    pieces.push(std::mem::take(&mut one));
                }
                comment if (comment.starts_with("--") || comment.is_empty()) && one.is_empty() => {}
                _ => {
                    one.push_str(line);
                    one.push('\n');
                    if !inside && ends(line) {
                        pieces.push(std::mem::take(&mut one));
                    }
                }
            }
        }
        assert_eq!(one.trim(), "", "goose: a statement without an end");
        Sent { pieces, transaction }
    };
    (part(up), part(down))
}

/// Splits at semicolons outside of texts, names, comments and dollar quotes; a trigger's body stays whole.
pub fn split(text: &str) -> Vec<String> {
    let (mut pieces, mut one, mut rest) = (Vec::new(), String::new(), text);
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\'' | '"' => rest[1..].find(next).map_or(rest.len(), |at| at + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '$' => match rest[1..].find('$') {
                Some(at) if rest[1..=at].chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    let mark = &rest[..at + 2];
                    rest[mark.len()..].find(mark).map_or(rest.len(), |end| end + 2 * mark.len())
                }
                _ => 1,
            },
            other => other.len_utf8(),
        };
        one.push_str(&rest[..length]);
        rest = &rest[length..];
        if next == ';' {
            pieces.push(std::mem::take(&mut one));
        }
    }
    pieces.push(one);
    let holds_sql = |p: &String| p.lines().any(|l| !l.trim().is_empty() && !l.trim().starts_with("--"));
    pieces.into_iter().filter(holds_sql).collect()
}

fn run(database: &Database, all: &[Sent]) -> Result<(), String> {
    if database.engine == Engine::Sqlite {
        let connection = database.sqlite();
        return each(all, |sql| connection.execute_batch(sql).map_err(|e| e.to_string()));
    }
    let mut client = connect(&database.source);
    each(all, |sql| client.batch_execute(sql).map_err(|e| explain(&e)))
}

/// Sends files; the first error ends it, and a transaction is rolled back.
fn each(all: &[Sent], mut send: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    for sent in all {
        if sent.transaction {
            send("BEGIN")?;
        }
        for sql in &sent.pieces {
            if let Err(error) = send(sql) {
                let _ = send("ROLLBACK");
                return Err(format!("{error}\n{sql}"));
            }
        }
        if sent.transaction {
            send("COMMIT")?;
        }
    }
    Ok(())
}
