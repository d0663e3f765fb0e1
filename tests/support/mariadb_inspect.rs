//! What a MariaDB server tells of a database, as far as a test compares it: `information_schema` read into the model.

use std::collections::BTreeMap;

use mysql::Conn;
use mysql::prelude::Queryable;
use referee::schema::{
    Action, Check, Column, DataType, Engine, ForeignKey, Generated, Index, IndexOrigin, IndexPart, Key, Schema, Table,
    TableName, Trigger,
};

type Rows = Vec<Vec<Option<String>>>;

fn rows(connection: &mut Conn, sql: &str) -> Rows {
    let found: Vec<mysql::Row> = connection.query(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    let text = |value: mysql::Value| match value {
        mysql::Value::NULL => None,
        mysql::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_string()),
    };
    found.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
}

fn text(row: &[Option<String>], at: usize) -> String {
    row[at].clone().unwrap_or_default()
}

/// Reads a database.
pub fn inspect(connection: &mut Conn, database: &str) -> Schema {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let list = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES
             WHERE TABLE_SCHEMA = '{database}' AND TABLE_TYPE = 'BASE TABLE'"
        ),
    );
    for row in list {
        let mut table = Table::new(TableName::new(text(&row, 0)));
        table.comment = Some(text(&row, 1)).filter(|c| !c.is_empty());
        tables.insert(text(&row, 0), table);
    }
    columns(connection, database, &mut tables);
    indexes(connection, database, &mut tables);
    foreign_keys(connection, database, &mut tables);
    let checks = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
             WHERE CONSTRAINT_SCHEMA = '{database}'"
        ),
    );
    for row in checks {
        let (name, expression) = (text(&row, 1), text(&row, 2));
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        // MariaDB's JSON is a long text with such a check (manual, JSON Data Type).
        let valid = |c: &&mut Column| expression == format!("json_valid(`{}`)", c.name);
        if let Some(column) = table.columns.iter_mut().find(valid) {
            column.data_type = DataType::parse(Engine::Mariadb, "json");
            continue;
        }
        table.checks.push(Check { name: Some(name), expression, validated: true });
    }
    let triggers = rows(
        connection,
        &format!(
            "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT
             FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{database}'"
        ),
    );
    for row in triggers {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let (name, timing, events) = (text(&row, 1), text(&row, 2), vec![text(&row, 3)]);
        let mut trigger = Trigger { name, timing, events, for_each_row: true, enabled: true, ..Trigger::default() };
        trigger.does = referee::sql::body::does(Engine::Mariadb, &text(&row, 4), &trigger);
        table.triggers.push(trigger);
    }
    let mut schema = Schema::new(Engine::Mariadb);
    schema.tables = tables.into_values().collect();
    number_keys(&mut schema);
    schema.sort();
    schema
}

fn columns(connection: &mut Conn, database: &str, tables: &mut BTreeMap<String, Table>) {
    let list = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, GENERATION_EXPRESSION,
                    COLUMN_COMMENT
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{database}' ORDER BY TABLE_NAME, ORDINAL_POSITION"
        ),
    );
    for row in list {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let mut column = Column::new(text(&row, 1), DataType::parse(Engine::Mariadb, &text(&row, 2)));
        column.nullable = text(&row, 3) == "YES";
        column.default.clone_from(&row[4]);
        let extra = text(&row, 5).to_lowercase();
        column.auto_number = extra.contains("auto_increment");
        column.generated = row[6]
            .clone()
            .filter(|e| !e.is_empty())
            .map(|expression| Generated { expression, stored: extra.contains("stored") });
        column.comment = row[7].clone().filter(|c| !c.is_empty());
        table.columns.push(column);
    }
}

fn indexes(connection: &mut Conn, database: &str, tables: &mut BTreeMap<String, Table>) {
    let list = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, INDEX_TYPE
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '{database}'
             ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        ),
    );
    for row in list {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let name = text(&row, 1);
        let unique = text(&row, 2) == "0";
        let part = IndexPart { descending: text(&row, 4) == "D", ..IndexPart::column(text(&row, 3)) };
        if let Some(index) = table.indexes.iter_mut().find(|i| i.name == name) {
            index.parts.push(part);
            continue;
        }
        let origin = match (name.as_str(), unique) {
            ("PRIMARY", _) => IndexOrigin::PrimaryKey,
            // A unique constraint and a unique index are one thing to MariaDB.
            (_, true) => IndexOrigin::Constraint,
            _ => IndexOrigin::User,
        };
        let method = text(&row, 5).to_lowercase();
        table.indexes.push(Index {
            unique,
            origin,
            method,
            parts: vec![part],
            ..Index::on(name, Vec::<String>::new())
        });
    }
    for table in tables.values_mut() {
        for index in &table.indexes {
            let columns: Vec<String> = index.parts.iter().filter_map(|p| p.column.clone()).collect();
            let key = Key { name: Some(index.name.clone()), ..Key::new(columns) };
            match index.origin {
                IndexOrigin::PrimaryKey => table.primary_key = Some(key),
                IndexOrigin::Constraint => table.unique_keys.push(key),
                _ => {}
            }
        }
    }
}

fn foreign_keys(connection: &mut Conn, database: &str, tables: &mut BTreeMap<String, Table>) {
    let actions: BTreeMap<(String, String), (Action, Action)> = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE
             FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = '{database}'"
        ),
    )
    .into_iter()
    .map(|row| {
        let action = |at| Action::parse(&text(&row, at)).unwrap();
        ((text(&row, 0), text(&row, 1)), (action(2), action(3)))
    })
    .collect();
    let list = rows(
        connection,
        &format!(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,
                    REFERENCED_COLUMN_NAME
             FROM information_schema.KEY_COLUMN_USAGE
             WHERE TABLE_SCHEMA = '{database}' AND REFERENCED_TABLE_NAME IS NOT NULL
             ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
        ),
    );
    for row in list {
        let Some(table) = tables.get_mut(&text(&row, 0)) else { continue };
        let name = text(&row, 1);
        if let Some(key) = table.foreign_keys.iter_mut().find(|k| k.name.as_deref() == Some(name.as_str())) {
            key.columns.push(text(&row, 2));
            key.parent_columns.push(text(&row, 5));
            continue;
        }
        let schema = text(&row, 3);
        let parent = TableName::in_schema(Some(schema.as_str()).filter(|s| *s != database), text(&row, 4));
        let mut key = ForeignKey::new([text(&row, 2)], parent, [text(&row, 5)]);
        (key.on_delete, key.on_update) = actions[&(text(&row, 0), name.clone())];
        key.name = Some(name);
        table.foreign_keys.push(key);
    }
}

/// InnoDB goes through a table's keys in the order of their names.
fn number_keys(schema: &mut Schema) {
    let mut names: Vec<(String, TableName)> =
        schema.foreign_keys().map(|(table, key)| (key.name.clone().unwrap_or_default(), table.name.clone())).collect();
    names.sort();
    for table in &mut schema.tables {
        for key in &mut table.foreign_keys {
            let at = (key.name.clone().unwrap_or_default(), table.name.clone());
            key.firing_order = u32::try_from(names.binary_search(&at).unwrap()).unwrap();
        }
    }
}
