//! Types as the engine prints them, from the words that users write.

use std::collections::BTreeMap;

use crate::engine;
use crate::schema::{DataType, Engine, Family};
use crate::sql::lexer::{Kind, significant};

/// A type that a user made.
#[derive(Clone, Debug)]
pub(super) enum UserType {
    Enum(Vec<String>),
    Domain { base: DataType, not_null: bool, default: Option<String>, collation: Option<String> },
    Other,
}

/// The types that users made, by schema (`None` is the default one) and name.
pub(super) type UserTypes = BTreeMap<(Option<String>, String), UserType>;

/// A column's type, and what comes with it.
pub(super) struct Resolved {
    pub data_type: DataType,
    pub not_null: bool,
    pub default: Option<String>,
    pub collation: Option<String>,
    /// `serial`: numbered by a sequence of its own.
    pub serial: bool,
}

/// SQLite spells these in upper case, however they are written (build.c, `sqlite3StdType`).
const SQLITE_STANDARD: [&str; 6] = ["ANY", "BLOB", "INT", "INTEGER", "REAL", "TEXT"];

pub(super) fn resolve(engine: Engine, text: &str, users: &UserTypes, path: &[Option<String>]) -> Resolved {
    let plain = |data_type| Resolved { data_type, not_null: false, default: None, collation: None, serial: false };
    match engine {
        Engine::Postgres => {}
        Engine::Sqlite => {
            let upper = text.to_ascii_uppercase();
            let text = if SQLITE_STANDARD.contains(&upper.as_str()) { &upper } else { text };
            // Of a type that begins with a quote SQLite keeps what is inside the quotes, and nothing else.
            let quoted =
                significant(engine, text).first().filter(|t| t.kind == Kind::QuotedName).and_then(|t| t.name(text));
            let text = quoted.as_deref().unwrap_or(text);
            return plain(DataType::parse(engine, text));
        }
        Engine::Cockroach | Engine::Mysql | Engine::Mariadb => {
            let lower = text.to_ascii_lowercase();
            // MySQL's SERIAL is NOT NULL AUTO_INCREMENT (manual, 13.1.1).
            let numbered = engine != Engine::Cockroach && lower == "serial";
            let serial = numbered || engine == Engine::Cockroach && lower.contains("serial");
            let mut resolved = Resolved { serial, not_null: numbered, ..plain(DataType::parse(engine, text)) };
            if let Some((_, UserType::Enum(labels))) = find(&name_parts(engine, text), users, path) {
                resolved.data_type.family = Family::Enum;
                resolved.data_type.labels = labels;
            }
            return resolved;
        }
    }
    let array = text.ends_with(']') || text.to_ascii_uppercase().ends_with("ARRAY");
    let element = text.split('[').next().unwrap_or(text).trim();
    let element = if array { strip_word(element, "array") } else { element };
    let suffix = if array { "[]" } else { "" };
    // The one-byte type, which has its quotes to tell it from character(1).
    if element.trim_start_matches("pg_catalog.") == "\"char\"" {
        return plain(DataType::parse(engine, &format!("\"char\"{suffix}")));
    }
    if let Some((raw, serial)) = built_in(element) {
        let data_type = DataType::parse(engine, &format!("{raw}{suffix}"));
        return Resolved { serial, not_null: serial, ..plain(data_type) };
    }
    let parts = name_parts(engine, element);
    let (name, user) = match find(&parts, users, path) {
        Some(((schema, name), user)) => (spelled(schema.as_deref(), &name), Some(user)),
        // A type of an extension, or one that these files do not make.
        None => (
            parts.last().map_or_else(
                || element.to_string(),
                |last| {
                    let schema = parts.len().checked_sub(2).and_then(|i| parts.get(i)).map(String::as_str);
                    let arguments = element.find('(').map_or("", |at| &element[at..]);
                    format!("{}{arguments}", spelled(schema.filter(|s| !matches!(*s, "public" | "pg_catalog")), last))
                },
            ),
            None,
        ),
    };
    let mut made = plain(DataType::parse(engine, &format!("{name}{suffix}")));
    match user {
        Some(UserType::Enum(labels)) if !array => {
            made.data_type.family = Family::Enum;
            made.data_type.labels = labels;
        }
        Some(UserType::Domain { base, not_null, default, collation }) if !array => {
            made.data_type = DataType { domain: Some(name), ..base };
            (made.not_null, made.default, made.collation) = (not_null, default, collation);
        }
        _ => {}
    }
    made
}

fn strip_word<'t>(text: &'t str, word: &str) -> &'t str {
    let at = text.len().saturating_sub(word.len());
    match text.get(at..) {
        Some(end) if end.eq_ignore_ascii_case(word) => text.get(..at).unwrap_or(text).trim(),
        _ => text,
    }
}

fn spelled(schema: Option<&str>, name: &str) -> String {
    let identifier = |n: &str| engine::dialect(Engine::Postgres).map_or_else(|| n.to_string(), |d| d.identifier(n));
    match schema {
        Some(schema) => format!("{}.{}", identifier(schema), identifier(name)),
        None => identifier(name),
    }
}

/// Writes a name for `regclass`: with its schema unless that is the default one.
pub(super) fn regclass(schema: Option<&str>, name: &str) -> String {
    spelled(schema, name).replace('\'', "''")
}

/// Returns the parts of a dotted name, folded; arguments left out.
pub(super) fn name_parts(engine: Engine, text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for token in significant(engine, text) {
        match token.kind {
            Kind::Word => parts.push(token.text(text).to_ascii_lowercase()),
            Kind::QuotedName => parts.extend(token.name(text)),
            _ if token.is_punctuation(text, '(') => break,
            _ => {}
        }
    }
    parts
}

fn find(parts: &[String], users: &UserTypes, path: &[Option<String>]) -> Option<((Option<String>, String), UserType)> {
    let (name, schema) = match parts {
        [name] => (name, None),
        [.., schema, name] => (name, Some(if schema == "public" { None } else { Some(schema.clone()) })),
        [] => return None,
    };
    let places = schema.map_or_else(|| path.to_vec(), |s| vec![s]);
    places.into_iter().find_map(|schema| {
        let key = (schema, name.clone());
        users.get(&key).map(|u| (key.clone(), u.clone()))
    })
}

/// Returns how `format_type` prints a built-in type, and whether it is one of the serial ones; `None` for others.
fn built_in(text: &str) -> Option<(String, bool)> {
    if text.starts_with('"') {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_prefix("pg_catalog.").unwrap_or(&lower).to_string();
    let arguments = match (lower.find('('), lower.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let list: Vec<&str> = lower[open + 1..close].split(',').map(str::trim).collect();
            format!("({})", list.join(","))
        }
        _ => String::new(),
    };
    let mut plain = lower.clone();
    if let (Some(open), Some(close)) = (lower.find('('), lower.find(')'))
        && open < close
    {
        plain = format!("{} {}", &lower[..open], &lower[close + 1..]);
    }
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let with = |base: &str| Some((format!("{base}{arguments}"), false));
    let alone = |base: &str| Some((base.to_string(), false));
    match words.as_str() {
        "int" | "int4" | "integer" => alone("integer"),
        "int2" | "smallint" => alone("smallint"),
        "int8" | "bigint" => alone("bigint"),
        "serial" | "serial4" => Some(("integer".to_string(), true)),
        "bigserial" | "serial8" => Some(("bigint".to_string(), true)),
        "smallserial" | "serial2" => Some(("smallint".to_string(), true)),
        "float4" | "real" => alone("real"),
        "float" if !arguments.is_empty() => {
            let bits: u32 = arguments.trim_matches(['(', ')']).parse().unwrap_or(53);
            alone(if bits <= 24 { "real" } else { "double precision" })
        }
        "float" | "float8" | "double precision" => alone("double precision"),
        "decimal" | "dec" | "numeric" if !arguments.is_empty() && !arguments.contains(',') => {
            Some((format!("numeric{},0)", arguments.trim_end_matches(')')), false))
        }
        "decimal" | "dec" | "numeric" => with("numeric"),
        "bool" | "boolean" => alone("boolean"),
        "varchar" | "character varying" | "char varying" => with("character varying"),
        "char" | "character" | "nchar" if arguments.is_empty() => alone("character(1)"),
        "char" | "character" | "nchar" | "bpchar" if !arguments.is_empty() => with("character"),
        "timestamptz" | "timestamp with time zone" => Some((format!("timestamp{arguments} with time zone"), false)),
        "timestamp" | "timestamp without time zone" => Some((format!("timestamp{arguments} without time zone"), false)),
        "timetz" | "time with time zone" => Some((format!("time{arguments} with time zone"), false)),
        "time" | "time without time zone" => Some((format!("time{arguments} without time zone"), false)),
        "bit" if arguments.is_empty() => alone("bit(1)"),
        "bit" => with("bit"),
        "varbit" | "bit varying" => with("bit varying"),
        "text" | "uuid" | "json" | "jsonb" | "jsonpath" | "bytea" | "date" | "inet" | "cidr" | "macaddr"
        | "macaddr8" | "money" | "name" | "oid" | "xml" | "point" | "line" | "lseg" | "box" | "path" | "polygon"
        | "circle" | "tsvector" | "tsquery" | "int4range" | "int8range" | "numrange" | "tsrange" | "tstzrange"
        | "daterange" | "int4multirange" | "int8multirange" | "nummultirange" | "tsmultirange" | "tstzmultirange"
        | "datemultirange" | "regclass" | "regproc" | "regtype" | "bpchar" | "xid" | "pg_lsn" => alone(&words),
        "interval" => with("interval"),
        words if words.starts_with("interval ") => alone(words),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_spelled_as_postgresql_prints_them() {
        let raw = |text| resolve(Engine::Postgres, text, &UserTypes::new(), &[None]).data_type.raw;
        assert_eq!(raw("VARCHAR (20)"), "character varying(20)");
        assert_eq!(raw("timestamptz(3)"), "timestamp(3) with time zone");
        assert_eq!(raw("numeric(10)"), "numeric(10,0)");
        assert_eq!(raw("int[]"), "integer[]");
        assert_eq!(raw("text ARRAY"), "text[]");
        assert_eq!(raw("\"Mood\""), "\"Mood\"");
        assert_eq!(raw("public.citext"), "citext");
        assert_eq!(raw("vector(3)"), "vector(3)");
    }
}
