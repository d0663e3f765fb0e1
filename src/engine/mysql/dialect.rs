//! MySQL's and MariaDB's SQL.

use super::super::Dialect;
use crate::change::Change;
use crate::schema::{Engine, Schema};

/// MySQL's dialect.
pub static MYSQL: Mysql = Mysql(Engine::Mysql);

/// MariaDB's dialect.
pub static MARIADB: Mysql = Mysql(Engine::Mariadb);

/// See [`MYSQL`] and [`MARIADB`].
pub struct Mysql(Engine);

impl Dialect for Mysql {
    fn engine(&self) -> Engine {
        self.0
    }

    /// Reserved words differ from version to version ("Keywords and Reserved Words"), and how names are compared differs from server
    /// to server: every name is quoted.
    fn is_reserved(&self, _word: &str) -> bool {
        true
    }

    /// "Cast Functions": there is no type `text` to cast to.
    fn as_text(&self, expression: &str) -> String {
        format!("CAST({expression} AS char)")
    }

    /// `||` is OR unless the session says otherwise ("Server SQL Modes", `PIPES_AS_CONCAT`).
    fn joined_texts(&self, texts: &[String]) -> String {
        match texts {
            [one] => one.clone(),
            _ => format!("CONCAT_WS(CHAR(31), {})", texts.join(", ")),
        }
    }

    fn nulls_first(&self) -> bool {
        // "Working with NULL Values".
        true
    }

    fn sql_for(&self, _change: &Change, _schema: &Schema) -> Option<Vec<String>> {
        None
    }
}
