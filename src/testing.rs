//! Schemas in a few words, for unit tests.

use crate::audit::{self, Report};
use crate::demo;
use crate::engine::{self, SessionOptions};
use crate::findings::Finding;
use crate::orphans::ScanOptions;
use crate::relations::Graph;
use crate::rules::Timeline;
use crate::rules::{self, Context, Settings};
use crate::schema::{Action, Column, DataType, Engine, ForeignKey, Index, Key, Schema, Table, TableName};
use crate::source::history::{File, Migration, Place};
use crate::source::{Source, replay};
use crate::sql::Span;

/// Makes a schema, one line a table: `orders: id int8 pk, customer_id int8 not-null >customers.id cascade index`.
///
/// After a column's name and type: `pk`, `not-null`, `unique`, `index`, `default=EXPR` (no spaces), `>parent.column`
/// followed by an action (`cascade`, `set-null`, …; NO ACTION if left out). Several `pk` columns make one key.
pub(crate) fn schema(engine: Engine, lines: &[&str]) -> Schema {
    let mut schema = Schema::new(engine);
    let mut order = 0;
    for line in lines {
        let (name, columns) = line.split_once(':').expect("table: columns");
        let mut table = Table::new(name.trim().parse::<TableName>().expect("table name"));
        let mut primary = Vec::new();
        for column in columns.split(", ").map(str::trim).filter(|c| !c.is_empty()) {
            let mut words = column.split_whitespace();
            let name = words.next().expect("column name").to_string();
            let mut made = Column::new(&name, DataType::parse(engine, words.next().unwrap_or("")));
            for word in words {
                match word {
                    "pk" => {
                        made.nullable = false;
                        primary.push(name.clone());
                    }
                    "not-null" => made.nullable = false,
                    "unique" => table.unique_keys.push(Key::new([&name])),
                    "index" => {
                        let index = Index::on(format!("{}_{name}_idx", table.name.name), [&name]);
                        table.indexes.push(index);
                    }
                    _ if word.starts_with("default=") => made.default = Some(word["default=".len()..].to_string()),
                    _ if word.starts_with('>') => {
                        let (parent, key) = word[1..].rsplit_once('.').expect(">parent.column");
                        let mut foreign_key = ForeignKey::new([&name], parent.parse().expect("parent"), [key]);
                        foreign_key.name = Some(format!("{}_{name}_fkey", table.name.name));
                        foreign_key.firing_order = order;
                        order += 1;
                        table.foreign_keys.push(foreign_key);
                    }
                    action => {
                        let action = Action::parse(action).unwrap_or_else(|| panic!("unknown word {action}"));
                        table.foreign_keys.last_mut().expect("an action after >parent.column").on_delete = action;
                    }
                }
            }
            table.columns.push(made);
        }
        if !primary.is_empty() {
            let mut index = Index::on(format!("{}_pkey", table.name.name), &primary);
            index.unique = true;
            index.origin = crate::schema::IndexOrigin::PrimaryKey;
            table.primary_key = Some(Key::new(primary));
            // SQLite makes none for a name of the rowid.
            if engine != Engine::Sqlite || !table.columns.iter().any(|c| table.is_rowid(c)) {
                table.indexes.push(index);
            }
        }
        schema.tables.push(table);
    }
    schema.sort();
    schema
}

/// Returns the graph of a schema, inferred relations from a confidence of 0.5 on included.
pub(crate) fn graph(schema: &Schema) -> Graph {
    Graph::new(schema, &[], 0.5)
}

/// Runs one rule with no rows read and nothing configured.
pub(crate) fn findings(schema: &Schema, rule: &str) -> Vec<Finding> {
    findings_with(schema, rule, &Settings::default())
}

/// Runs one rule with no rows read.
pub(crate) fn findings_with(schema: &Schema, rule: &str, settings: &Settings) -> Vec<Finding> {
    let relations = graph(schema);
    let dialect = engine::dialect(schema.engine);
    let context = Context {
        schema,
        relations: &relations,
        dialect,
        settings,
        scan: None,
        timeline: None,
        plans: None,
        deletes: rules::Deletes::default(),
    };
    rules::check([rules::find(rule).expect("a rule of this name")], &context)
}

/// Makes the demo's database and audits it with all rules, rows read.
pub(crate) fn demo() -> (tempfile::TempDir, Report) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("demo.db");
    demo::write(&path).expect("the demo");
    let source = Source::parse(&path.display().to_string()).expect("a source");
    let input = source.open(&SessionOptions::default()).expect("a database");
    let report = audit::audit(input, everything(), &crate::job::Context::default()).expect("an audit");
    (folder, report)
}

/// Returns the options of an audit that leaves nothing out.
pub(crate) fn everything() -> audit::Options {
    audit::Options {
        relations: Vec::new(),
        threshold: 0.5,
        guesses: audit::Guesses::Judged,
        settings: Settings::default(),
        rules: rules::ALL.iter().collect(),
        tables: Vec::new(),
        data: Some(ScanOptions { samples: 5 }),
        budget: std::time::Duration::from_secs(30),
        verify_indexes: false,
        migrations: true,
        suppressions: Vec::new(),
    }
}

/// Runs one rule on migrations, each a text, and tells its findings: `warning orders.user_id 2:1`, the last of it the
/// migration and the line.
///
/// A migration runs in a transaction, unless it begins with `-- alone`; one that begins with `-- base` is the base schema;
/// what follows a line `-- down` in it leads back.
pub(crate) fn lint(engine: Engine, rule: &str, migrations: &[&str]) -> Vec<String> {
    lint_with(engine, rule, migrations, &Settings::default())
}

/// Does what [`lint`] does, with what the user has said.
pub(crate) fn lint_with(engine: Engine, rule: &str, migrations: &[&str], settings: &Settings) -> Vec<String> {
    let mut made = Vec::new();
    for (file, text) in migrations.iter().enumerate() {
        let place = |start, end| Place { file, span: Span::new(start, end) };
        let down = text.find("-- down");
        made.push(Migration {
            name: format!("{}", file + 1),
            up: place(0, down.unwrap_or(text.len())),
            down: down.map(|start| place(start, text.len())),
            reversible: true,
            transaction: !text.starts_with("-- alone"),
            base: text.starts_with("-- base"),
        });
    }
    let file = |(number, text): (usize, &&str)| File { path: format!("{}", number + 1), text: text.to_string() };
    let files = migrations.iter().enumerate().map(file).collect();
    let (schema, history) = replay::replay(engine, files, made);
    let timeline = Timeline::new(engine, &history);
    let context = Context {
        schema: &schema,
        relations: &graph(&schema),
        dialect: engine::dialect(engine),
        settings,
        scan: None,
        timeline: Some(&timeline),
        plans: None,
        deletes: rules::Deletes::default(),
    };
    let findings = rules::check([rules::find(rule).expect("a rule of this name")], &context);
    let place = |f: &Finding| f.locations.first().map_or(String::new(), |l| format!("{}:{}", l.file, l.line));
    findings.iter().map(|f| format!("{} {} {}", f.severity.name(), f.subject.place(), place(f))).collect()
}
