//! What each tool calls its files, how it marks them, and what it allows.
//!
//! Facts were read in the tools' sources and manuals: golang-migrate (`source/parse.go`), dbmate (`migration.go`), goose
//! (`internal/sqlparser`), sqlx (`migrate/source.rs`), diesel (`metadata.toml`), Flyway (script configuration files), Prisma
//! (one folder for each migration), refinery (every file in a transaction), Atlas (`sql/migrate/dir.go`), Drizzle
//! (`migrator.ts`).

use crate::schema::Engine;
use crate::schema::facts::Client;

/// A migration tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name, as `--layout` takes it.
    pub name: &'static str,
    /// What it makes of a migration, in words.
    pub makes: &'static str,
    pub(super) shape: Shape,
    postgres: Outside,
    sqlite: Outside,
    pub(super) numbers: Numbers,
    /// Whether the whole plan is one file.
    pub(super) one_file: bool,
}

/// How a tool lays out a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `N_name.up.sql`, `N_name.down.sql`.
    Pair,
    /// The same; the first line says `-- no-transaction`.
    MarkedPair,
    /// One file with `-- migrate:up` and `-- migrate:down`.
    Dbmate,
    /// One file with `-- +goose Up` and `-- +goose Down`.
    Goose,
    /// `N_name/up.sql`, `N_name/down.sql`, `N_name/metadata.toml`.
    Diesel,
    /// `VN__name.sql`, `UN__name.sql`, `VN__name.sql.conf`.
    Flyway,
    /// `N_name/migration.sql`.
    Prisma,
    /// `VN__name.sql`, each in a transaction.
    Refinery,
    /// `N_name.sql` and `atlas.sum`.
    Atlas,
    /// `NNNN_name.sql`, a journal, a snapshot.
    Drizzle,
}

/// What a tool allows outside of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// Everything.
    Freely,
    /// One statement a file: files are sent as one query, and PostgreSQL makes that a transaction.
    OneStatement,
    /// Nothing: every file runs in a transaction, or on whatever connection is free.
    Never,
}

/// How a tool numbers its migrations where the folder does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// `1`, `0001`, … with so many digits.
    Count(usize),
    /// `20260131235959`.
    Time,
    /// `2026-01-31-235959`.
    DashedTime,
}

/// Every tool that files are written for.
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "sql",
        makes: "N_name.up.sql and N_name.down.sql, for psql or sqlite3",
        shape: Shape::Pair,
        postgres: Outside::Freely,
        sqlite: Outside::Freely,
        numbers: Numbers::Count(4),
        one_file: true,
    },
    Tool {
        name: "drizzle",
        makes: "NNNN_name.sql, meta/_journal.json, meta/NNNN_snapshot.json",
        shape: Shape::Drizzle,
        postgres: Outside::Never,
        sqlite: Outside::Never,
        numbers: Numbers::Count(4),
        one_file: true,
    },
    Tool {
        name: "prisma",
        makes: "TIME_name/migration.sql",
        shape: Shape::Prisma,
        postgres: Outside::OneStatement,
        sqlite: Outside::Freely,
        numbers: Numbers::Time,
        one_file: false,
    },
    Tool {
        name: "flyway",
        makes: "VN__name.sql, UN__name.sql",
        shape: Shape::Flyway,
        postgres: Outside::Freely,
        sqlite: Outside::Freely,
        numbers: Numbers::Count(1),
        one_file: false,
    },
    Tool {
        name: "golang-migrate",
        makes: "N_name.up.sql, N_name.down.sql",
        shape: Shape::Pair,
        postgres: Outside::OneStatement,
        sqlite: Outside::Never,
        numbers: Numbers::Count(6),
        one_file: false,
    },
    Tool {
        name: "dbmate",
        makes: "TIME_name.sql with both ways in it",
        shape: Shape::Dbmate,
        postgres: Outside::OneStatement,
        sqlite: Outside::Freely,
        numbers: Numbers::Time,
        one_file: false,
    },
    Tool {
        name: "goose",
        makes: "N_name.sql with both ways in it",
        shape: Shape::Goose,
        postgres: Outside::Freely,
        sqlite: Outside::Never,
        numbers: Numbers::Count(5),
        one_file: false,
    },
    Tool {
        name: "sqlx",
        makes: "TIME_name.up.sql, TIME_name.down.sql",
        shape: Shape::MarkedPair,
        postgres: Outside::OneStatement,
        // `-- no-transaction` counts on PostgreSQL only (`sqlx-sqlite/src/migrate.rs`, 0.8).
        sqlite: Outside::Never,
        numbers: Numbers::Time,
        one_file: false,
    },
    Tool {
        name: "diesel",
        makes: "TIME_name/up.sql, TIME_name/down.sql",
        shape: Shape::Diesel,
        postgres: Outside::OneStatement,
        sqlite: Outside::Freely,
        numbers: Numbers::DashedTime,
        one_file: false,
    },
    Tool {
        name: "atlas",
        makes: "TIME_name.sql, atlas.sum",
        shape: Shape::Atlas,
        postgres: Outside::Freely,
        sqlite: Outside::Never,
        numbers: Numbers::Time,
        one_file: false,
    },
    Tool {
        name: "refinery",
        makes: "VN__name.sql",
        shape: Shape::Refinery,
        postgres: Outside::Never,
        sqlite: Outside::Never,
        numbers: Numbers::Count(1),
        one_file: false,
    },
];

/// Finds a tool by its name. `plain` is what reading calls `sql`.
pub fn find(name: &str) -> Option<&'static Tool> {
    let name = if name.eq_ignore_ascii_case("plain") { "sql" } else { name };
    TOOLS.iter().find(|t| t.name.eq_ignore_ascii_case(name))
}

impl Tool {
    pub(super) fn outside(&self, engine: Engine) -> Outside {
        match engine.facts().scripts.client {
            Client::Sqlite3 => self.sqlite,
            Client::Psql | Client::Cockroach => self.postgres,
            Client::Mysql => Outside::Never,
        }
    }
}
