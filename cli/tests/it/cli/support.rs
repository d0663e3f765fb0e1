//! A folder, the binary in it, and a schema document.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use referee::schema::{Action, Column, DataType, Engine, ForeignKey, Key, Schema, Table, to_json};

pub struct Sandbox {
    folder: tempfile::TempDir,
}

pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With `shop.json`, whose schema has a contradiction: SET NULL on a column that is NOT NULL.
    pub fn with_shop() -> Self {
        let sandbox = Self::new();
        sandbox.write("shop.json", &to_json(&shop()));
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        finish(self.command(arguments).output().unwrap())
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

pub fn finish(output: Output) -> Run {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let run =
        Run { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) };
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

pub fn shop() -> Schema {
    let mut schema = Schema::new(Engine::Postgres);
    let int = || DataType::parse(Engine::Postgres, "int8");
    for (name, columns) in [("customers", &["id"][..]), ("orders", &["id", "customer_id"])] {
        let mut table = Table::new(name.into());
        table.columns = columns.iter().map(|c| Column { nullable: false, ..Column::new(*c, int()) }).collect();
        table.primary_key = Some(Key::new(["id"]));
        schema.tables.push(table);
    }
    let key = ForeignKey::new(["customer_id"], "customers".into(), ["id"]);
    schema.tables[1].foreign_keys.push(ForeignKey { on_delete: Action::SetNull, ..key });
    schema.sort();
    schema
}
