//! PostgreSQL, a server of its own on a socket.

use std::collections::BTreeMap;

use postgres::{Client, SimpleQueryMessage};
use referee::schema::{Schema, Table};

use super::rows::Rows;
use super::sqlite::literals;
use super::support::postgres::{Server, connect};
use super::truth::Engine;

pub struct Postgres<'s> {
    server: &'s Server,
    client: Client,
    schemas: usize,
}

impl<'s> Postgres<'s> {
    pub fn new(server: &'s Server) -> Self {
        let client = connect(&server.fresh_database());
        Self { server, client, schemas: 0 }
    }

    /// Speaks to a database of a server.
    pub fn at(server: &'s Server, url: &str) -> Self {
        Self { server, client: connect(url), schemas: 0 }
    }

    pub fn execute(&mut self, sql: &str) -> Result<(), postgres::Error> {
        self.client.batch_execute(sql)
    }

    /// Makes the schema, and puts the order in which its triggers fire into the model.
    pub fn make(&mut self, schema: &mut Schema, ddl: &[String]) {
        self.schemas += 1;
        // Catalogs grow with every dropped table; a new database starts small.
        if self.schemas.is_multiple_of(200) {
            self.client = connect(&self.server.fresh_database());
        }
        let sql = format!(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET client_min_messages = error; {}",
            ddl.join(";")
        );
        self.client.batch_execute(&sql).unwrap_or_else(|e| panic!("{e:?}: {sql}"));
        let order = self.texts(
            // The delete trigger only: where its number is 99999 the update trigger's is 100000, which sorts before it.
            "SELECT c.conname FROM pg_constraint c JOIN pg_trigger t ON t.tgconstraint = c.oid JOIN pg_proc p ON p.oid = t.tgfoid \
             WHERE t.tgrelid = c.confrelid AND p.proname LIKE '%\\_del' GROUP BY c.conname \
             ORDER BY min(t.tgname COLLATE \"C\")",
        );
        for table in &mut schema.tables {
            for key in &mut table.foreign_keys {
                let place = order.iter().position(|n| Some(n) == key.name.as_ref());
                key.firing_order = u32::try_from(place.unwrap()).unwrap();
            }
        }
    }

    fn texts(&mut self, sql: &str) -> Vec<String> {
        texts(self.client.simple_query(sql).unwrap_or_else(|e| panic!("{e:?}: {sql}")))
    }
}

/// The first column of all rows.
fn texts(messages: Vec<SimpleQueryMessage>) -> Vec<String> {
    let row = |m: SimpleQueryMessage| match m {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// One query for the rows of all tables: the table's number, then its values.
pub fn read_all(schema: &Schema, concat: impl Fn(&[String]) -> String) -> String {
    let selects: Vec<String> = schema
        .logical_tables()
        .enumerate()
        .map(|(i, t)| {
            let columns: Vec<String> = t.columns.iter().map(|c| c.name.clone()).collect();
            format!("SELECT {} FROM {}", concat(&[vec![i.to_string()], columns].concat()), t.name)
        })
        .collect();
    selects.join(" UNION ALL ")
}

pub fn parse_all(schema: &Schema, lines: &[String]) -> Rows {
    let tables: Vec<&Table> = schema.logical_tables().collect();
    let mut rows: Rows = tables.iter().map(|t| (t.name.name.clone(), BTreeMap::new())).collect();
    for line in lines {
        let mut fields = line.split(',');
        let table = tables[fields.next().unwrap().parse::<usize>().unwrap()];
        let values: Vec<Option<i64>> = fields.map(|f| f.parse().ok()).collect();
        rows.get_mut(&table.name.name).unwrap().insert(values[0].unwrap(), values);
    }
    rows
}

impl Engine for Postgres<'_> {
    fn fill(&mut self, schema: &Schema, rows: &Rows) {
        // One simple query is one transaction. The rows must be committed before a delete: PostgreSQL checks an updated row
        // of the same transaction anew by every key.
        let mut sql = String::from("SET session_replication_role = replica;");
        for table in schema.logical_tables() {
            sql.push_str(&format!("DELETE FROM {};", table.name));
            for row in rows[&table.name.name].values() {
                sql.push_str(&format!("INSERT INTO {} VALUES ({});", table.name, literals(row)));
            }
        }
        sql.push_str("SET session_replication_role = origin");
        self.client.batch_execute(&sql).unwrap_or_else(|e| panic!("{e:?}: {sql}"));
    }

    fn integers(&mut self, queries: &[String]) -> Vec<Vec<i64>> {
        let sql = queries.join(";");
        let messages = self.client.simple_query(&sql).unwrap_or_else(|e| panic!("{e:?}: {sql}"));
        let mut all = vec![Vec::new()];
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => all.last_mut().unwrap().push(row.get(0).unwrap().parse().unwrap()),
                SimpleQueryMessage::CommandComplete(_) => all.push(Vec::new()),
                _ => {}
            }
        }
        all.truncate(queries.len());
        all
    }

    fn delete(&mut self, schema: &Schema, table: &str, id: i64) -> Result<Rows, String> {
        let list = |columns: &[String]| {
            let texts: Vec<String> = columns.iter().map(|c| format!("coalesce({c}::text, '-')")).collect();
            format!("concat_ws(',', {})", texts.join(", "))
        };
        let rows = read_all(schema, list);
        let sql =
            format!("BEGIN; DELETE FROM {table} WHERE id = {id}; SET CONSTRAINTS ALL IMMEDIATE; {rows}; ROLLBACK");
        match self.client.simple_query(&sql) {
            Ok(messages) => Ok(parse_all(schema, &texts(messages))),
            Err(e) => {
                self.client.batch_execute("ROLLBACK").unwrap();
                Err(e.as_db_error().map_or_else(|| e.to_string(), |e| format!("{}: {}", e.code().code(), e.message())))
            }
        }
    }
}
