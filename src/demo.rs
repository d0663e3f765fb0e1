//! A database to try referee on, with the defects it looks for.
//!
//! The same rows come out every time. Writes one new file and nothing else; never changes a file that is there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::engine::{EngineError, EngineErrorKind};

const SCHEMA: &str = include_str!("demo.sql");

/// Writes the demo database into a new file.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn write(path: &Path) -> Result<(), EngineError> {
    let shown = path.display();
    File::create_new(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => {
            EngineError::new(EngineErrorKind::Permission, format!("`{shown}` exists, and the demo overwrites nothing"))
                .hint("name another file, or remove that one first")
        }
        ErrorKind::NotFound => {
            EngineError::new(EngineErrorKind::NotFound, format!("there is no directory for `{shown}`"))
                .hint("make the directory first, or name another file")
        }
        _ => EngineError::new(EngineErrorKind::Permission, format!("cannot write `{shown}`: {e}"))
            .hint("name a file in a directory that you may write to"),
    })?;
    // An absolute path: SQLite would take a name such as `file:x` for a URI.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    fill(&absolute).map_err(|e| {
        // The file is ours, and half a demo is of no use.
        let _ = fs::remove_file(path);
        EngineError::new(EngineErrorKind::Statement, format!("cannot fill `{shown}`: {e}"))
    })
}

fn fill(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    // As most applications leave it; the orphans below could not come to be otherwise.
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let mut demo = Demo { connection: &transaction, numbers: Numbers(2_026) };
    let users = demo.people()?;
    demo.workshop(&users)?;
    demo.deliveries(&users)?;
    demo.workspaces(&users)?;
    transaction.commit()
}

/// A linear congruential generator (Knuth's MMIX constants): the demo has to be the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 16
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let i = self.below(from.len());
        from.get(i).copied().unwrap_or_default()
    }

    fn one(&mut self, from: &[String]) -> String {
        let i = self.below(from.len());
        from.get(i).cloned().unwrap_or_default()
    }

    /// Returns a text shaped like a random UUID.
    fn id(&mut self) -> String {
        let (a, b, c) = (self.next(), self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a & 0xffff_ffff,
            b & 0xffff,
            (b >> 16) & 0xfff,
            (b >> 28) & 0xfff,
            c & 0xffff_ffff_ffff
        )
    }

    fn moment(&mut self) -> i64 {
        1_750_000_000_000 + i64::try_from(self.next() % 15_000_000_000).unwrap_or(0)
    }

    fn day(&mut self) -> String {
        format!("2026-{:02}-{:02}", 1 + self.below(12), 1 + self.below(28))
    }
}

struct Demo<'c> {
    connection: &'c Connection,
    numbers: Numbers,
}

/// Makes the values of a row out of texts, numbers and `Option`s of them.
macro_rules! row {
    ($($value:expr),+ $(,)?) => { vec![$(Value::from($value)),+] };
}

impl Demo<'_> {
    fn insert(&self, table: &str, values: Vec<Value>) -> rusqlite::Result<()> {
        let marks = vec!["?"; values.len()].join(", ");
        let mut statement = self.connection.prepare(&format!("INSERT INTO {table} VALUES ({marks})"))?;
        statement.execute(params_from_iter(values))?;
        Ok(())
    }

    fn people(&mut self) -> rusqlite::Result<Vec<String>> {
        let mut users = Vec::new();
        for i in 0..120 {
            let n = &mut self.numbers;
            let id = n.id();
            let first =
                n.pick(&["Ada", "Bea", "Cem", "Dana", "Eli", "Finn", "Gül", "Hugo", "Ines", "Jan", "Kaya", "Liv"]);
            let last = n.pick(&["Abel", "Brandt", "Cruz", "Demir", "Engel", "Falk", "Grau", "Hahn", "Ito", "Jung"]);
            let values = row![id.clone(), format!("user{i:03}@example.org"), format!("{first} {last}"), n.moment()];
            self.insert("users", values)?;
            users.push(id);
        }
        for i in 0..90 {
            let n = &mut self.numbers;
            let values = row![n.id(), n.one(&users), format!("hash-{i:04}-{:08x}", n.next() & 0xffff_ffff), n.moment()];
            self.insert("api_tokens", values)?;
        }
        Ok(users)
    }

    fn workshop(&mut self, users: &[String]) -> rusqlite::Result<()> {
        for i in 0..160 {
            let project = self.numbers.id();
            // Every twentieth project has been deleted, and nothing deleted what belonged to it.
            let deleted = i % 20 == 7;
            let mut runs = Vec::new();
            for _ in 0..1 + self.numbers.below(4) {
                runs.push(self.analysis(&project)?);
            }
            let mut sets = Vec::new();
            for _ in 0..1 + self.numbers.below(2) {
                let from_run = runs.last().cloned().filter(|_| self.numbers.below(4) > 0);
                sets.push(self.config_set(&project, from_run)?);
            }
            for _ in 0..self.numbers.below(4) {
                let n = &mut self.numbers;
                let values =
                    row![n.id(), project.clone(), n.pick(&["passed", "passed", "failed"]).to_string(), n.moment()];
                self.insert("build_runs", values)?;
            }
            for j in 0..self.numbers.below(3) {
                let n = &mut self.numbers;
                let values = row![n.id(), project.clone(), format!("https://p{i}-{j}.example.net"), n.moment()];
                self.insert("deployments", values)?;
            }
            if !deleted {
                let n = &mut self.numbers;
                let title = format!(
                    "{} {}",
                    n.pick(&["Copper", "Maple", "Quiet", "Red", "Tidal"]),
                    n.pick(&["Garden", "Mill", "Pier", "Tower"])
                );
                let values = row![project, n.one(users), title, runs.last().cloned(), sets.last().cloned(), n.moment()];
                self.insert("projects", values)?;
            }
        }
        Ok(())
    }

    fn analysis(&mut self, project: &str) -> rusqlite::Result<String> {
        let n = &mut self.numbers;
        let id = n.id();
        let failed = n.below(5) == 0;
        let status = if failed { "failed" } else { "completed" };
        let error = failed.then(|| n.pick(&["clone timed out", "no manifest found", "out of disk space"]).to_string());
        let values = row![id.clone(), project.to_string(), status.to_string(), error, n.moment()];
        self.insert("analysis_runs", values)?;
        for step in 0..2 + self.numbers.below(4) {
            let values = row![Value::Null, id.clone(), format!("step {step} done"), self.numbers.moment()];
            self.insert("analysis_activity_logs", values)?;
        }
        Ok(id)
    }

    fn config_set(&mut self, project: &str, run: Option<String>) -> rusqlite::Result<String> {
        let n = &mut self.numbers;
        let id = n.id();
        let status = n.pick(&["ready", "ready", "ready", "failed"]).to_string();
        let values = row![id.clone(), project.to_string(), run, status, n.moment()];
        self.insert("config_sets", values)?;
        for step in 0..1 + self.numbers.below(3) {
            let values = row![Value::Null, id.clone(), format!("wrote part {step}"), self.numbers.moment()];
            self.insert("config_activity_logs", values)?;
        }
        for name in ["Dockerfile", "ci.yml"] {
            let values = row![self.numbers.id(), id.clone(), name.to_string(), "# generated".to_string()];
            self.insert("config_files", values)?;
        }
        if self.numbers.below(2) == 0 {
            let n = &mut self.numbers;
            let saved = f64::from(u32::try_from(n.below(400)).unwrap_or(0)) / 10.0;
            let values = row![n.id(), id.clone(), "cache the dependencies".to_string(), saved];
            self.insert("config_optimizations", values)?;
        }
        Ok(id)
    }

    fn deliveries(&mut self, users: &[String]) -> rusqlite::Result<()> {
        let ids = |n: &mut Numbers, count: usize| (0..count).map(|_| n.id()).collect::<Vec<_>>();
        let n = &mut self.numbers;
        let (customers, vehicles, drivers) = (ids(n, 150), ids(n, 12), ids(n, 18));
        let (pods, products, wallets) = (ids(n, 10), ids(n, 6), ids(n, 150));
        for (i, id) in customers.iter().enumerate() {
            let n = &mut self.numbers;
            let referred = if i > 10 && n.below(3) == 0 { Some(n.one(&customers[..i])) } else { None };
            let values = row![id.clone(), format!("Customer {i:03}"), format!("+49 151 {i:07}"), referred, n.day()];
            self.insert("customers", values)?;
        }
        for (i, id) in vehicles.iter().enumerate() {
            self.insert("vehicles", row![id.clone(), format!("B-RF {:03}", 100 + i), 24_i64])?;
        }
        for (i, id) in drivers.iter().enumerate() {
            let vehicle = (i % 6 != 5).then(|| self.numbers.one(&vehicles));
            let user = users.get(i).cloned().unwrap_or_default();
            self.insert("drivers", row![id.clone(), user, vehicle, format!("L{i:05}")])?;
        }
        for (i, id) in pods.iter().enumerate() {
            // Two operators have left; their pods still name them.
            let operator = if i < 2 { self.numbers.id() } else { self.numbers.one(users) };
            self.insert("pods", row![id.clone(), format!("Harbour Street {}", i + 1), operator])?;
        }
        for (i, id) in products.iter().enumerate() {
            let price = 1_500 + 400 * i64::try_from(i).unwrap_or(0);
            self.insert("products", row![id.clone(), format!("Cylinder {} kg", 3 + 2 * i), price])?;
        }
        for i in 0..900 {
            let n = &mut self.numbers;
            let customer = if i % 60 == 13 { n.id() } else { n.one(&customers) };
            let pod = (n.below(3) == 0).then(|| n.one(&pods));
            let driver = pod.is_none().then(|| n.one(&drivers));
            let status = n.pick(&["placed", "delivered", "delivered", "cancelled"]).to_string();
            let cents = 1_500 + i64::try_from(n.below(9_000)).unwrap_or(0);
            let values = row![n.id(), customer, driver, pod, status, cents, n.day()];
            self.insert("orders", values)?;
        }
        for (id, customer) in wallets.iter().zip(&customers) {
            let cents = i64::try_from(self.numbers.below(20_000)).unwrap_or(0);
            self.insert("wallets", row![id.clone(), customer.clone(), cents])?;
        }
        for i in 0..600 {
            let n = &mut self.numbers;
            let wallet = if i % 150 == 149 { n.id() } else { n.one(&wallets) };
            let kind = n.pick(&["top_up", "payment", "refund"]).to_string();
            let cents = i64::try_from(n.below(5_000)).unwrap_or(0);
            let values = row![n.id(), wallet, kind, cents, n.day()];
            self.insert("wallet_transactions", values)?;
        }
        for _ in 0..80 {
            let n = &mut self.numbers;
            let values = row![n.id(), n.one(&customers), n.one(&products), n.day()];
            self.insert("subscriptions", values)?;
        }
        for i in 0..120 {
            let n = &mut self.numbers;
            let (kind, place) = match n.below(3) {
                0 => ("pod", n.one(&pods)),
                1 => ("vehicle", n.one(&vehicles)),
                _ => ("customer", n.one(&customers)),
            };
            let values = row![n.id(), format!("CYL-{i:05}"), kind.to_string(), place];
            self.insert("cylinders", values)?;
        }
        Ok(())
    }

    fn workspaces(&mut self, users: &[String]) -> rusqlite::Result<()> {
        let mut workspaces = Vec::new();
        for i in 0..15 {
            let id = self.numbers.id();
            self.insert("workspaces", row![id.clone(), format!("team-{i:02}")])?;
            workspaces.push(id);
        }
        // Deleted through a connection that did not enforce keys.
        let gone = self.numbers.id();
        for (i, user) in users.iter().enumerate() {
            let n = &mut self.numbers;
            let workspace = n.one(&workspaces);
            let role = if i < 15 { "owner" } else { n.pick(&["editor", "viewer"]) };
            let theme = n.pick(&["light", "dark"]).to_string();
            self.insert("workspace_members", row![workspace.clone(), user.clone(), role.to_string()])?;
            self.insert("user_preferences", row![user.clone(), workspace, theme])?;
            if i % 17 == 5 {
                self.insert("workspace_members", row![gone.clone(), user.clone(), "viewer".to_string()])?;
            }
        }
        for (i, workspace) in workspaces.iter().enumerate() {
            let n = &mut self.numbers;
            let (invitation, domain, invoice) = (n.id(), n.id(), n.id());
            let cents = 900 + i64::try_from(n.below(4_000)).unwrap_or(0);
            self.insert("workspace_invitations", row![invitation, workspace.clone(), format!("guest{i}@example.org")])?;
            self.insert("workspace_domains", row![domain, workspace.clone(), format!("team{i}.example.com")])?;
            self.insert("workspace_invoices", row![invoice, workspace.clone(), cents])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{SessionOptions, sqlite};
    use crate::schema::Action;

    #[test]
    fn the_demo_has_the_tables_the_rows_and_the_contradiction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.db");
        write(&path).unwrap();
        let mut session = sqlite::open(&path, &SessionOptions::default()).unwrap();
        let schema = session.inspect().unwrap();
        assert_eq!(schema.tables.len(), 11 + 10 + 6);
        let preferences = schema.table(&"user_preferences".into()).unwrap();
        let key = preferences.foreign_keys.iter().find(|k| k.on_delete == Action::SetNull).unwrap();
        assert!(!preferences.is_nullable(&key.columns[0]));
        let mut count = |sql: &str| session.query(sql).unwrap().rows[0][0].integer().unwrap();
        let rows: i64 = schema.tables.iter().map(|t| count(&format!("SELECT count(*) FROM {}", t.name))).sum();
        assert!((3_000..10_000).contains(&rows), "{rows}");
        let orphans = "SELECT count(*) FROM analysis_runs WHERE project_id NOT IN (SELECT id FROM projects)";
        assert!(count(orphans) > 0);
        assert_eq!(count("SELECT count(*) FROM pods WHERE operator_id NOT IN (SELECT id FROM users)"), 2);
        assert!(
            count("SELECT count(*) FROM workspace_members WHERE workspace_id NOT IN (SELECT id FROM workspaces)") > 0
        );
    }

    #[test]
    fn the_demo_is_the_same_every_time_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
        write(&one).unwrap();
        write(&other).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
        fs::write(&other, "mine").unwrap();
        let error = write(&other).unwrap_err();
        assert!(error.hint.is_some());
        assert_eq!(fs::read(&other).unwrap(), b"mine");
    }
}
