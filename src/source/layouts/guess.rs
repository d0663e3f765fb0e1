//! Guesses an engine from what only its SQL has. A guess needs one sign and no sign of another engine that weighs more.

use std::path::Path;

use crate::schema::Engine;
use crate::sql::lexer::{Kind, Lexer};

/// How much text is looked at: signs that do not come early do not come.
const ENOUGH: usize = 200_000;

/// Words, in lower case, that only one engine's SQL has; how much each weighs.
const WORDS: &[(&str, Engine, u32)] = &[
    ("serial", Engine::Postgres, 2),
    ("bigserial", Engine::Postgres, 2),
    ("jsonb", Engine::Postgres, 1),
    ("timestamptz", Engine::Postgres, 1),
    ("bytea", Engine::Postgres, 2),
    ("plpgsql", Engine::Postgres, 3),
    ("extension", Engine::Postgres, 2),
    ("nextval", Engine::Postgres, 2),
    ("regclass", Engine::Postgres, 2),
    ("gen_random_uuid", Engine::Postgres, 1),
    ("concurrently", Engine::Postgres, 2),
    ("domain", Engine::Postgres, 1),
    ("unique_rowid", Engine::Cockroach, 8),
    ("storing", Engine::Cockroach, 4),
    ("family", Engine::Cockroach, 3),
    ("string", Engine::Cockroach, 3),
    ("upsert", Engine::Cockroach, 4),
    ("autoincrement", Engine::Sqlite, 4),
    ("pragma", Engine::Sqlite, 4),
    ("rowid", Engine::Sqlite, 4),
    ("strict", Engine::Sqlite, 1),
    ("glob", Engine::Sqlite, 1),
    ("auto_increment", Engine::Mysql, 4),
    ("engine", Engine::Mysql, 3),
    ("innodb", Engine::Mysql, 4),
    ("unsigned", Engine::Mysql, 2),
    ("delimiter", Engine::Mysql, 3),
    ("utf8mb4", Engine::Mysql, 3),
    ("tinyint", Engine::Mysql, 1),
    ("mediumtext", Engine::Mysql, 2),
    ("longtext", Engine::Mysql, 2),
];

/// Guesses from the names of the folders on the way to the files.
pub(super) fn by_path(path: &Path) -> Option<Engine> {
    path.components().rev().take(3).find_map(|part| {
        match part.as_os_str().to_string_lossy().to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" | "pg" => Some(Engine::Postgres),
            "sqlite" | "sqlite3" => Some(Engine::Sqlite),
            "mysql" => Some(Engine::Mysql),
            "mariadb" => Some(Engine::Mariadb),
            "cockroach" | "cockroachdb" | "crdb" => Some(Engine::Cockroach),
            _ => None,
        }
    })
}

/// Guesses from the texts; `None` if nothing in them tells.
pub fn guess<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Engine> {
    let engines = [Engine::Postgres, Engine::Cockroach, Engine::Sqlite, Engine::Mysql];
    let mut weights = [0u32; 4];
    let mut add = |engine: Engine, weight: u32| {
        if let Some(at) = engines.iter().position(|e| *e == engine) {
            weights[at] += weight;
        }
    };
    let mut seen = 0;
    let mut mariadb = false;
    for text in texts {
        if text.starts_with("SQLite format") {
            continue;
        }
        mariadb |= text.contains("MariaDB dump") || text.contains("/*M!");
        if text.contains("PostgreSQL database dump") {
            add(Engine::Postgres, 50);
        }
        if text.contains("MySQL dump") {
            add(Engine::Mysql, 50);
        }
        // SQLite's reading knows every kind of quote, and no dollar quotes: bodies come as words, which do no harm.
        for token in Lexer::new(Engine::Sqlite, text).take_while(|t| t.start < ENOUGH) {
            let text_of = token.text(text);
            match token.kind {
                Kind::Word => {
                    let word = text_of.to_ascii_lowercase();
                    if let Some((_, engine, weight)) = WORDS.iter().find(|(w, ..)| *w == word) {
                        add(*engine, *weight);
                    }
                }
                Kind::QuotedName if text_of.starts_with('`') => {
                    add(Engine::Mysql, 1);
                    add(Engine::Sqlite, 1);
                }
                Kind::Punctuation if text[token.start..].starts_with("::") => add(Engine::Postgres, 1),
                _ => {}
            }
        }
        seen += text.len();
        if seen > ENOUGH {
            break;
        }
    }
    // CockroachDB speaks PostgreSQL's words as well: its own decide.
    if weights[1] > 4 && weights[1] * 3 > weights[0] {
        return Some(Engine::Cockroach);
    }
    let best = *weights.iter().max()?;
    let leaders: Vec<Engine> = engines.iter().zip(weights).filter(|(_, w)| *w == best).map(|(e, _)| *e).collect();
    match leaders.as_slice() {
        [_] if best == 0 => None,
        [Engine::Mysql] if mariadb => Some(Engine::Mariadb),
        [engine] => Some(*engine),
        _ => None,
    }
}
