//! SQLite, in this process.

use std::collections::BTreeMap;

use referee::schema::Schema;
use rusqlite::Connection;

use super::rows::Rows;
use super::truth::Engine;

pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    pub fn new(ddl: &[String]) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&ddl.join(";\n")).unwrap();
        Self { connection }
    }
}

impl Engine for Sqlite {
    fn fill(&mut self, schema: &Schema, rows: &Rows) {
        let mut sql = String::from("PRAGMA foreign_keys = OFF;");
        for table in &schema.tables {
            sql.push_str(&format!("DELETE FROM {};", table.name));
            for row in rows[&table.name.name].values() {
                sql.push_str(&format!("INSERT INTO {} VALUES ({});", table.name, literals(row)));
            }
        }
        sql.push_str("PRAGMA foreign_keys = ON;");
        self.connection.execute_batch(&sql).unwrap();
        let bad: i64 =
            self.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).unwrap();
        assert_eq!(bad, 0, "the rows satisfy every key");
    }

    fn integers(&mut self, queries: &[String]) -> Vec<Vec<i64>> {
        let one = |sql: &String| {
            let mut statement = self.connection.prepare(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
            statement.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
        };
        queries.iter().map(one).collect()
    }

    fn delete(&mut self, schema: &Schema, table: &str, id: i64) -> Result<Rows, String> {
        let c = &self.connection;
        c.execute_batch("BEGIN; SAVEPOINT s").unwrap();
        let done = c.execute(&format!("DELETE FROM {table} WHERE id = {id}"), []).map_err(|e| e.to_string());
        // A deferred key's violation shows when the outermost savepoint is released, which is not to happen here.
        let done = done.and_then(|_| {
            let bad: i64 = c.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).unwrap();
            if bad > 0 { Err("a deferred foreign key is violated".to_string()) } else { Ok(()) }
        });
        let result = done.map(|()| self.read(schema));
        self.connection.execute_batch("ROLLBACK TO s; ROLLBACK").unwrap();
        result
    }
}

impl Sqlite {
    fn read(&self, schema: &Schema) -> Rows {
        let mut all = Rows::new();
        for table in &schema.tables {
            let mut rows = BTreeMap::new();
            let mut statement = self.connection.prepare_cached(&format!("SELECT * FROM {}", table.name)).unwrap();
            let width = table.columns.len();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let values: Vec<Option<i64>> = (0..width).map(|i| row.get(i).unwrap()).collect();
                rows.insert(values[0].unwrap(), values);
            }
            all.insert(table.name.name.clone(), rows);
        }
        all
    }
}

pub fn literals(row: &[Option<i64>]) -> String {
    row.iter().map(|v| v.map_or("NULL".to_string(), |v| v.to_string())).collect::<Vec<_>>().join(", ")
}
