//! Column types: the engine's own text, and a form that two columns can be compared by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Engine;

/// A column's type, raw and comparable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct DataType {
    /// The type as the engine prints it: `character varying(64)`, `INTEGER`, `bigint unsigned`.
    pub raw: String,
    /// One lower-case name for all spellings of a type, without arguments: `varchar`, `int4`, `numeric`.
    pub base: String,
    /// The family the type belongs to.
    pub family: Family,
    /// The arguments in parentheses: `[64]` of `varchar(64)`, `[10, 2]` of `numeric(10,2)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<u32>,
    /// Whether an integer has no sign (MySQL, MariaDB).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// The domain's name where the column's type is a domain (PostgreSQL); the other fields tell its base type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The labels of an enum type, in order, where the catalog was asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// What kind of value a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Family {
    Integer,
    Decimal,
    Float,
    Text,
    Uuid,
    Boolean,
    Date,
    Time,
    Timestamp,
    Interval,
    Bytes,
    Json,
    Enum,
    Array,
    Network,
    /// SQLite: a column declared without a type, which holds anything.
    Any,
    Other,
}

impl DataType {
    /// Reads a type as the engine prints or the user writes it. Never fails: an unknown type is `Family::Other`.
    pub fn parse(engine: Engine, raw: &str) -> Self {
        let trimmed = raw.trim();
        let lower = trimmed.to_ascii_lowercase();
        let mut plain = String::new();
        let mut arguments = Vec::new();
        let mut depth = 0usize;
        let mut argument = String::new();
        for c in lower.chars() {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    arguments.extend(argument.trim().parse::<u32>());
                    argument.clear();
                }
                ',' if depth > 0 => {
                    arguments.extend(argument.trim().parse::<u32>());
                    argument.clear();
                }
                _ if depth > 0 => argument.push(c),
                _ => plain.push(c),
            }
        }
        let mut words: Vec<&str> = plain.split_whitespace().collect();
        let mysql = matches!(engine, Engine::Mysql | Engine::Mariadb);
        // MySQL manual, 13.1.1: SERIAL is BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE, and ZEROFILL makes a column UNSIGNED.
        let implied = |w: &&str| *w == "zerofill" || *w == "serial";
        let unsigned = words.contains(&"unsigned") || mysql && words.iter().any(implied);
        words.retain(|w| !matches!(*w, "unsigned" | "zerofill" | "signed"));
        if mysql && words.len() > 1 {
            // `VARCHAR(9) BINARY` is a text that is compared by its bytes (MySQL manual, 13.3.1).
            words.retain(|w| !matches!(*w, "binary" | "ascii" | "unicode"));
        }
        let plain = words.join(" ");
        let (base, family) = if plain.ends_with("[]") || plain.ends_with(" array") {
            (plain.clone(), Family::Array)
        } else {
            named(engine, &plain)
        };
        Self { raw: trimmed.to_string(), base, family, arguments, unsigned, domain: None, labels: Vec::new() }
    }

    /// Returns how many bytes an integer type has; `None` for other types, and on SQLite, where every integer has 8.
    pub fn integer_bytes(&self) -> Option<u8> {
        match self.base.as_str() {
            "int1" => Some(1),
            "int2" => Some(2),
            "int3" => Some(3),
            "int4" => Some(4),
            "int8" => Some(8),
            _ => None,
        }
    }
}

fn named(engine: Engine, plain: &str) -> (String, Family) {
    if engine == Engine::Sqlite {
        return sqlite(plain);
    }
    let mysql = matches!(engine, Engine::Mysql | Engine::Mariadb);
    let (base, family) = match plain {
        "tinyint" => ("int1", Family::Integer),
        "smallint" | "int2" | "smallserial" | "serial2" => ("int2", Family::Integer),
        "mediumint" => ("int3", Family::Integer),
        // CockroachDB's INT is 8 bytes wide (docs, "INT").
        "int" | "integer" if engine == Engine::Cockroach => ("int8", Family::Integer),
        "int" | "integer" | "int4" | "serial4" => ("int4", Family::Integer),
        "serial" if engine == Engine::Postgres => ("int4", Family::Integer),
        "serial" => ("int8", Family::Integer),
        "bigint" | "int8" | "int64" | "bigserial" | "serial8" => ("int8", Family::Integer),
        "numeric" | "decimal" | "dec" | "fixed" => ("numeric", Family::Decimal),
        "real" | "float4" => ("float4", Family::Float),
        "float" if mysql => ("float4", Family::Float),
        "double precision" | "float8" | "float" | "double" => ("float8", Family::Float),
        "character varying" | "varchar" => ("varchar", Family::Text),
        "character" | "char" | "bpchar" => ("char", Family::Text),
        "text" | "string" => ("text", Family::Text),
        "tinytext" | "mediumtext" | "longtext" | "citext" | "name" => (plain, Family::Text),
        "uuid" => ("uuid", Family::Uuid),
        "boolean" | "bool" => ("bool", Family::Boolean),
        "date" => ("date", Family::Date),
        "time" | "time without time zone" => ("time", Family::Time),
        "timetz" | "time with time zone" => ("timetz", Family::Time),
        "timestamptz" | "timestamp with time zone" => ("timestamptz", Family::Timestamp),
        "timestamp" | "timestamp without time zone" | "datetime" => ("timestamp", Family::Timestamp),
        "interval" => ("interval", Family::Interval),
        "bytea" | "bytes" | "blob" | "tinyblob" | "mediumblob" | "longblob" | "binary" | "varbinary" => {
            (plain, Family::Bytes)
        }
        "json" | "jsonb" => (plain, Family::Json),
        "inet" | "cidr" | "macaddr" | "macaddr8" => (plain, Family::Network),
        "enum" | "set" => (plain, Family::Enum),
        _ => (plain, Family::Other),
    };
    (base.to_string(), family)
}

/// SQLite decides by substring ("Datatypes In SQLite", 3.1): the order of these tests is the manual's.
/// `UUID`, `BOOLEAN`, dates and JSON have no affinity of their own there; the family keeps what the author meant.
fn sqlite(plain: &str) -> (String, Family) {
    let family = match plain {
        "" => Family::Any,
        "any" => Family::Any,
        "uuid" => Family::Uuid,
        "boolean" | "bool" => Family::Boolean,
        "date" => Family::Date,
        "datetime" | "timestamp" => Family::Timestamp,
        "json" | "jsonb" => Family::Json,
        _ if plain.contains("int") => Family::Integer,
        _ if plain.contains("char") || plain.contains("clob") || plain.contains("text") => Family::Text,
        _ if plain.contains("blob") => Family::Bytes,
        _ if plain.contains("real") || plain.contains("floa") || plain.contains("doub") => Family::Float,
        _ if plain.starts_with("numeric") || plain.starts_with("decimal") => Family::Decimal,
        _ => Family::Other,
    };
    (plain.to_string(), family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(engine: Engine, raw: &str) -> (String, Family, Vec<u32>) {
        let t = DataType::parse(engine, raw);
        (t.base, t.family, t.arguments)
    }

    #[test]
    fn spellings_of_one_type_compare_equal() {
        let pg = Engine::Postgres;
        assert_eq!(parsed(pg, "character varying(64)"), ("varchar".into(), Family::Text, vec![64]));
        assert_eq!(parsed(pg, "varchar(64)"), parsed(pg, "character varying(64)"));
        assert_eq!(parsed(pg, "numeric(10,2)"), ("numeric".into(), Family::Decimal, vec![10, 2]));
        assert_eq!(parsed(pg, "timestamp(3) with time zone"), ("timestamptz".into(), Family::Timestamp, vec![3]));
        assert_eq!(parsed(pg, "uuid[]").1, Family::Array);
        assert_eq!(parsed(Engine::Cockroach, "INT").0, "int8");
        assert!(DataType::parse(Engine::Mysql, "bigint(20) unsigned").unsigned);
        assert_eq!(parsed(Engine::Mariadb, "VARCHAR(40) BINARY"), parsed(Engine::Mariadb, "varchar(40)"));
        assert_eq!(parsed(Engine::Mysql, "binary(16)").0, "binary");
    }

    #[test]
    fn sqlite_types_follow_the_substring_rule() {
        assert_eq!(parsed(Engine::Sqlite, "UNSIGNED BIG INT").1, Family::Integer);
        assert_eq!(parsed(Engine::Sqlite, "NVARCHAR(160)").1, Family::Text);
        assert_eq!(parsed(Engine::Sqlite, "").1, Family::Any);
    }
}
