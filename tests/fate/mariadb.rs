//! MariaDB, a server of its own on a socket.

use mysql::Conn;
use mysql::prelude::Queryable;
use referee::schema::Schema;

use super::postgres_engine::{parse_all, read_all};
use super::rows::Rows;
use super::sqlite::literals;
use super::support::mariadb::server;
use super::truth::Engine;

pub struct Mariadb {
    connection: Conn,
}

impl Mariadb {
    pub fn new(database: &str) -> Self {
        let mut connection = server().connect().unwrap();
        connection.query_drop(format!("CREATE DATABASE {database}; USE {database}")).unwrap();
        Self { connection }
    }

    pub fn make(&mut self, ddl: &[String]) {
        let old: Vec<String> = self.connection.query("SHOW TABLES").unwrap();
        // Off, so that a table can be made before its parent.
        self.connection.query_drop("SET foreign_key_checks = 0").unwrap();
        if !old.is_empty() {
            self.connection.query_drop(format!("DROP TABLE {}", old.join(", "))).unwrap();
        }
        for statement in ddl {
            self.connection.query_drop(statement).unwrap_or_else(|e| panic!("{e}: {}", ddl.join(";\n")));
        }
        self.connection.query_drop("SET foreign_key_checks = 1").unwrap();
    }
}

impl Engine for Mariadb {
    fn fill(&mut self, schema: &Schema, rows: &Rows) {
        let mut sql = String::from("SET foreign_key_checks = 0;");
        for table in &schema.tables {
            sql.push_str(&format!("DELETE FROM {};", table.name));
            let rows: Vec<String> = rows[&table.name.name].values().map(|r| format!("({})", literals(r))).collect();
            if !rows.is_empty() {
                sql.push_str(&format!("INSERT INTO {} VALUES {};", table.name, rows.join(", ")));
            }
        }
        sql.push_str("SET foreign_key_checks = 1");
        self.connection.query_drop(sql).unwrap();
    }

    fn integers(&mut self, queries: &[String]) -> Vec<Vec<i64>> {
        if queries.is_empty() {
            return Vec::new();
        }
        let sql = queries.join(";");
        let mut result = self.connection.query_iter(&sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
        let mut all = Vec::new();
        while let Some(set) = result.iter() {
            all.push(set.map(|row| mysql::from_row(row.unwrap_or_else(|e| panic!("{e}: {sql}")))).collect());
        }
        all
    }

    fn delete(&mut self, schema: &Schema, table: &str, id: i64) -> Result<Rows, String> {
        self.connection.query_drop("BEGIN").unwrap();
        let done = self.connection.query_drop(format!("DELETE FROM {table} WHERE id = {id}"));
        let result = done.map_err(|e| e.to_string()).map(|()| {
            let list = |columns: &[String]| {
                let texts: Vec<String> = columns.iter().map(|c| format!("coalesce({c}, '-')")).collect();
                format!("concat_ws(',', {})", texts.join(", "))
            };
            let lines: Vec<String> = self.connection.query(read_all(schema, list)).unwrap();
            parse_all(schema, &lines)
        });
        self.connection.query_drop("ROLLBACK").unwrap();
        result
    }
}
