//! SQLite's catalog to a [`Schema`]: the queries, and a pure function over their rows.
//!
//! Pragmas used as tables are joined to the list of tables, so the number of statements does not depend on how many
//! tables there are. Names are compared without regard to ASCII case, as SQLite does, and spelled as the catalog does.

use std::collections::BTreeMap;

use super::create_text::{self, KeyReference, TableText};
use crate::engine::{EngineError, EngineErrorKind, Rows, Value};
use crate::schema::{
    Action, Collation, Column, DataType, Engine, ForeignKey, Generated, Index, IndexOrigin, IndexPart, Key, Schema,
    Table, TableKind, TableName, Trigger,
};
use crate::sql::{Command, body};

pub(super) const OBJECTS: &str = include_str!("queries/objects.sql");
pub(super) const TABLES: &str = include_str!("queries/tables.sql");
pub(super) const COLUMNS: &str = include_str!("queries/columns.sql");
pub(super) const VIRTUAL_COLUMNS: &str = include_str!("queries/virtual_columns.sql");
pub(super) const INDEXES: &str = include_str!("queries/indexes.sql");
pub(super) const FOREIGN_KEYS: &str = include_str!("queries/foreign_keys.sql");
pub(super) const STATISTICS: &str = include_str!("queries/statistics.sql");

/// The rows of the catalog queries.
#[derive(Default)]
pub(super) struct Catalog {
    pub objects: Rows,
    pub tables: Rows,
    pub columns: Rows,
    pub indexes: Rows,
    pub foreign_keys: Rows,
    pub statistics: Rows,
}

/// Gives the cells of a row by position.
struct Cells<'r>(&'r [Value]);

impl Cells<'_> {
    fn text(&self, i: usize) -> String {
        self.optional(i).unwrap_or_default()
    }

    fn optional(&self, i: usize) -> Option<String> {
        self.0.get(i).and_then(Value::text)
    }

    fn integer(&self, i: usize) -> i64 {
        self.0.get(i).and_then(Value::integer).unwrap_or(0)
    }
}

fn cells(rows: &Rows) -> impl Iterator<Item = Cells<'_>> {
    rows.rows.iter().map(|r| Cells(r))
}

/// A name as SQLite compares it.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// What is known of a table while it is put together.
struct Building {
    table: Table,
    text: TableText,
    /// The place of its CREATE in the catalog.
    rowid: i64,
    primary: Vec<(i64, String)>,
}

/// Makes the schema.
///
/// # Errors
/// A part of the catalog speaks of a table that another part does not have.
pub(super) fn schema(catalog: &Catalog) -> Result<Schema, EngineError> {
    let mut texts: BTreeMap<String, (i64, String)> = BTreeMap::new();
    let mut index_texts: BTreeMap<String, String> = BTreeMap::new();
    for row in cells(&catalog.objects) {
        match row.text(1).as_str() {
            "table" => drop(texts.insert(folded(&row.text(2)), (row.integer(0), row.text(4)))),
            "index" => drop(index_texts.insert(folded(&row.text(2)), row.text(4))),
            _ => {}
        }
    }
    let mut tables: BTreeMap<String, Building> = BTreeMap::new();
    for row in cells(&catalog.tables) {
        let name = row.text(0);
        let mut table = Table::new(TableName::new(&name));
        table.without_rowid = row.integer(2) != 0;
        table.strict = row.integer(3) != 0;
        let (rowid, sql) = texts.get(&folded(&name)).cloned().ok_or_else(|| contradiction(&name))?;
        let mut text = TableText::default();
        if row.text(1) == "virtual" {
            table.kind = TableKind::Virtual;
        } else {
            text = create_text::table(&sql);
        }
        table.autoincrement = text.autoincrement;
        table.checks = text.checks.clone();
        tables.insert(folded(&name), Building { table, text, rowid, primary: Vec::new() });
    }
    for row in cells(&catalog.columns) {
        column(found(&mut tables, &row.text(0))?, &row);
    }
    for building in tables.values_mut() {
        primary_key(building);
    }
    indexes(&mut tables, &catalog.indexes, &index_texts)?;
    for building in tables.values_mut() {
        rowid_alias(building);
    }
    foreign_keys(&mut tables, &catalog.foreign_keys)?;
    for row in cells(&catalog.objects).filter(|r| r.text(1) == "trigger") {
        // A trigger of a view belongs to no table.
        if let Some(building) = tables.get_mut(&folded(&row.text(3))) {
            building.table.triggers.push(trigger(&row.text(2), &row.text(4)));
        }
    }
    for row in cells(&catalog.statistics) {
        if let Some(building) = tables.get_mut(&folded(&row.text(0))) {
            building.table.row_estimate = u64::try_from(row.integer(1)).ok();
        }
    }
    let mut schema = Schema::new(Engine::Sqlite);
    schema.tables = tables.into_values().map(|b| b.table).collect();
    schema.sort();
    Ok(schema)
}

/// Reads the text of `CREATE TRIGGER`.
fn trigger(name: &str, sql: &str) -> Trigger {
    let commands = crate::sql::read(Engine::Sqlite, sql).into_iter().flat_map(|s| s.commands);
    let made = commands.into_iter().find_map(|c| match c.command {
        Command::CreateTrigger(made) => Some(made),
        _ => None,
    });
    let made = made.unwrap_or_default();
    let mut trigger = Trigger { name: name.to_string(), ..made.trigger() };
    trigger.does = body::does(Engine::Sqlite, made.body.as_deref().unwrap_or_default(), &trigger);
    trigger
}

fn contradiction(table: &str) -> EngineError {
    EngineError::new(
        EngineErrorKind::Catalog,
        format!("the catalog contradicts itself about table `{table}`: one part of it has the table, another does not"),
    )
    .hint("run `PRAGMA integrity_check` on the database; if it says ok, run referee again")
}

fn found<'t>(tables: &'t mut BTreeMap<String, Building>, name: &str) -> Result<&'t mut Building, EngineError> {
    tables.get_mut(&folded(name)).ok_or_else(|| contradiction(name))
}

fn column(building: &mut Building, row: &Cells<'_>) {
    let name = row.text(1);
    let mut column = Column::new(&name, DataType::parse(Engine::Sqlite, &row.text(2)));
    column.nullable = row.integer(3) == 0;
    column.default = row.optional(4);
    if row.integer(5) > 0 {
        building.primary.push((row.integer(5), name.clone()));
    }
    let text = building.text.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name));
    if matches!(row.integer(6), 2 | 3) {
        let expression = text.and_then(|t| t.generated.clone()).unwrap_or_default();
        column.generated = Some(Generated { expression, stored: row.integer(6) == 3 });
    }
    column.collation = text
        .and_then(|t| t.collation.as_ref())
        .filter(|c| !c.eq_ignore_ascii_case("BINARY"))
        .map(|c| Collation { name: c.clone(), deterministic: false });
    building.table.columns.push(column);
}

/// Makes a key with what only the text of its table tells.
fn key(text: &TableText, columns: Vec<String>, primary: bool) -> Key {
    let same = |other: &[String]| {
        columns.len() == other.len() && columns.iter().zip(other).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let written = text.keys.iter().find(|k| k.primary == primary && same(&k.columns));
    let name = written.and_then(|k| k.name.clone());
    Key { name, replaces: written.is_some_and(|k| k.replaces), ..Key::new(columns) }
}

fn primary_key(building: &mut Building) {
    building.primary.sort();
    if building.primary.is_empty() {
        return;
    }
    let columns: Vec<String> = building.primary.iter().map(|(_, name)| name.clone()).collect();
    // A primary key's columns may be NULL in an ordinary table ("CREATE TABLE", 3.5): a mistake SQLite keeps for old
    // databases. WITHOUT ROWID and STRICT tables do not have it.
    if building.table.without_rowid || building.table.strict {
        for column in building.table.columns.iter_mut().filter(|c| columns.contains(&c.name)) {
            column.nullable = false;
        }
    }
    building.table.primary_key = Some(key(&building.text, columns, true));
}

/// Marks the column that is another name of the rowid ("CREATE TABLE", 5): INTEGER, alone in the primary key, and no index
/// was made for the key (`INTEGER PRIMARY KEY DESC` gets one).
fn rowid_alias(building: &mut Building) {
    let table = &mut building.table;
    let Some(Key { columns, .. }) = &table.primary_key else { return };
    let ([name], false) = (columns.as_slice(), table.without_rowid) else { return };
    if table.indexes.iter().any(|i| i.origin == IndexOrigin::PrimaryKey) {
        return;
    }
    let integer = |c: &&mut Column| c.name == *name && c.data_type.raw.eq_ignore_ascii_case("INTEGER");
    if let Some(column) = table.columns.iter_mut().find(integer) {
        column.auto_number = true;
        column.nullable = false;
    }
}

fn indexes(
    tables: &mut BTreeMap<String, Building>,
    rows: &Rows,
    texts: &BTreeMap<String, String>,
) -> Result<(), EngineError> {
    let mut made: BTreeMap<(String, String), (Index, String)> = BTreeMap::new();
    for row in cells(rows) {
        let (table, name) = (row.text(0), row.text(1));
        let text = texts.get(&folded(&name)).map(|sql| create_text::index(sql)).unwrap_or_default();
        let collations = &found(tables, &table)?.table;
        let (index, _) = made.entry((table.clone(), name.clone())).or_insert_with(|| {
            let mut index = Index::on(&name, Vec::<String>::new());
            index.unique = row.integer(2) != 0;
            index.origin = match row.text(3).as_str() {
                "pk" => IndexOrigin::PrimaryKey,
                "u" => IndexOrigin::Constraint,
                _ => IndexOrigin::User,
            };
            index.predicate = text.predicate.clone();
            (index, table.clone())
        });
        let mut part = IndexPart { descending: row.integer(6) != 0, ..IndexPart::default() };
        let mut own = None;
        match row.optional(5) {
            Some(column) => {
                own = collations.column(&column).and_then(|c| c.collation.as_ref()).map(|c| c.name.clone());
                part.column = Some(column);
            }
            // The rowid has no other name if no column stands for it.
            None if row.integer(4) == -1 => part.expression = Some("rowid".to_string()),
            None => part.expression = Some(text.parts.get(index.parts.len()).cloned().unwrap_or_default()),
        }
        let collation = row.text(7);
        if !collation.is_empty() && !collation.eq_ignore_ascii_case(own.as_deref().unwrap_or("BINARY")) {
            part.collation = Some(collation);
        }
        index.parts.push(part);
    }
    for (index, table) in made.into_values() {
        let building = found(tables, &table)?;
        if index.origin == IndexOrigin::Constraint {
            let columns: Vec<String> = index.parts.iter().filter_map(|p| p.column.clone()).collect();
            building.table.unique_keys.push(key(&building.text, columns, false));
        }
        building.table.indexes.push(index);
    }
    Ok(())
}

/// A foreign key as the pragma tells it.
struct PragmaKey {
    table: String,
    parent: String,
    from: Vec<String>,
    to: Vec<Option<String>>,
    on_update: Action,
    on_delete: Action,
}

fn foreign_keys(tables: &mut BTreeMap<String, Building>, rows: &Rows) -> Result<(), EngineError> {
    let mut keys: Vec<(i64, PragmaKey)> = Vec::new();
    for row in cells(rows) {
        let (table, id) = (row.text(0), row.integer(1));
        if !keys.last().is_some_and(|(last, k)| *last == id && k.table == table) {
            let action = |i| Action::parse(&row.text(i)).unwrap_or(Action::NoAction);
            let key = PragmaKey {
                table,
                parent: row.text(2),
                from: Vec::new(),
                to: Vec::new(),
                on_update: action(5),
                on_delete: action(6),
            };
            keys.push((id, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.from.push(row.text(3));
            key.to.push(row.optional(4));
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, key) in &keys {
        *counts.entry(&key.table).or_default() += 1;
    }
    // SQLite puts each key it reads before the others of the same parent: the last one declared acts first.
    let mut order: Vec<(i64, usize)> = Vec::new();
    let mut made: Vec<(String, ForeignKey)> = Vec::new();
    let mut position = 0;
    for (i, (_, key)) in keys.iter().enumerate() {
        position = if i > 0 && keys[i - 1].1.table == key.table { position + 1 } else { 0 };
        let building = found(tables, &key.table)?;
        order.push((building.rowid, position));
        let count = counts.get(key.table.as_str()).copied().unwrap_or(0);
        let text = text_of(building, key, position, count);
        made.push((key.table.clone(), foreign_key(tables, key, text)));
    }
    let mut sorted: Vec<usize> = (0..order.len()).collect();
    sorted.sort_by_key(|i| std::cmp::Reverse(order[*i]));
    for (place, i) in sorted.into_iter().enumerate() {
        made[i].1.firing_order = u32::try_from(place).unwrap_or(u32::MAX);
    }
    for (table, key) in made {
        found(tables, &table)?.table.foreign_keys.push(key);
    }
    Ok(())
}

/// Finds the text of a foreign key: by its place; by its columns and parent if the text has been read differently.
fn text_of(building: &Building, key: &PragmaKey, position: usize, count: usize) -> Option<KeyReference> {
    let texts = &building.text.foreign_keys;
    let same = |text: &&KeyReference| {
        text.parent.eq_ignore_ascii_case(&key.parent)
            && text.columns.len() == key.from.len()
            && text.columns.iter().zip(&key.from).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let by_place = texts.get(position).filter(|_| texts.len() == count).filter(same);
    by_place.or_else(|| texts.iter().find(same)).cloned()
}

fn foreign_key(tables: &BTreeMap<String, Building>, key: &PragmaKey, text: Option<KeyReference>) -> ForeignKey {
    let spelled = |table: Option<&Building>, column: &str| {
        let columns = table.map(|b| b.table.columns.as_slice()).unwrap_or_default();
        columns.iter().find(|c| c.name.eq_ignore_ascii_case(column)).map_or(column, |c| c.name.as_str()).to_string()
    };
    let child = tables.get(&folded(&key.table));
    let parent = tables.get(&folded(&key.parent));
    let columns: Vec<String> = key.from.iter().map(|c| spelled(child, c)).collect();
    let parent_name = parent.map_or_else(|| TableName::new(&key.parent), |b| b.table.name.clone());
    let parent_columns: Vec<String> = if key.to.iter().all(Option::is_some) {
        key.to.iter().flatten().map(|c| spelled(parent, c)).collect()
    } else {
        let primary = parent.and_then(|b| b.table.primary_key.as_ref());
        // A primary key of another length is a key that SQLite refuses to use ("foreign key mismatch").
        primary.map(|k| k.columns.clone()).filter(|c| c.len() == columns.len()).unwrap_or_default()
    };
    let mut made = ForeignKey::new(columns, parent_name, parent_columns);
    made.on_delete = key.on_delete;
    made.on_update = key.on_update;
    if let Some(text) = text {
        made.name = text.name;
        made.on_delete_written = Some(text.on_delete_written);
        made.matching = text.matching;
        made.timing = text.timing;
    }
    made
}
