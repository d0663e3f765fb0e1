//! Column defaults that give another value each time: such a default cannot name a parent row.

use crate::schema::{Column, Engine};

/// Why a default is another value each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    /// A random or otherwise unique value: `gen_random_uuid()`.
    Random,
    /// The next number of a counter: `nextval(…)`, an identity column.
    Counter,
    /// The current time.
    Time,
}

/// Functions whose every call returns a value that was never there before.
const RANDOM: &[&str] = &[
    "gen_random_bytes",
    "gen_random_ulid",
    "gen_random_uuid",
    "gen_ulid",
    "generate_ulid",
    "newid",
    "newsequentialid",
    "rand",
    "random",
    "random_uuid",
    "randomblob",
    "sys_guid",
    "unique_rowid",
    "unordered_unique_rowid",
    "uuid",
    "uuid4",
    "uuid7",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuid_generate_v7",
    "uuid_short",
    "uuid_v4",
    "uuid_v7",
    "uuidv4",
    "uuidv7",
];

const TIME: &[&str] = &[
    "clock_timestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "now",
    "statement_timestamp",
    "transaction_timestamp",
    "unixepoch",
];

/// Tells whether a column's default is another value each time, and how it is written.
///
/// SQLite's rowid alias is not among them: nobody wrote that default, and a key on it is how a one-to-one extension of
/// another table is made there.
pub(super) fn fresh(engine: Engine, column: &Column) -> Option<(Fresh, String)> {
    if column.generated.is_some() {
        return None;
    }
    if let Some(default) = &column.default {
        let names = called_names(default);
        let any = |set: &[&str]| names.iter().any(|n| set.contains(&n.as_str()));
        let kind = match () {
            () if any(&["nextval"]) => Fresh::Counter,
            () if any(RANDOM) => Fresh::Random,
            () if any(TIME) => Fresh::Time,
            () => return None,
        };
        return Some((kind, default.clone()));
    }
    let word = engine.facts().types.auto_number.filter(|_| column.auto_number)?;
    Some((Fresh::Counter, word.to_string()))
}

/// Returns the lower-case names of the functions that an expression calls, `current_timestamp` and the like included;
/// what stands in string literals is not read, of `public.f(…)` only `f`.
fn called_names(expression: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            // A doubled quote ends one literal and begins the next, which comes to the same here.
            chars.by_ref().find(|c| *c == '\'');
        } else if c == '"' || c.is_alphabetic() || c == '_' {
            let mut name = String::new();
            if c == '"' {
                name.extend(chars.by_ref().take_while(|c| *c != '"'));
            } else {
                name.push(c.to_ascii_lowercase());
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c.to_ascii_lowercase());
                }
            }
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            if chars.peek() == Some(&'(') || TIME.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::DataType;

    fn kind(engine: Engine, default: &str) -> Option<Fresh> {
        let mut column = Column::new("c", DataType::parse(engine, "text"));
        column.default = Some(default.to_string());
        fresh(engine, &column).map(|(kind, _)| kind)
    }

    #[test]
    fn calls_are_seen_through_casts_quotes_and_schemas() {
        let pg = Engine::Postgres;
        assert_eq!(kind(pg, "gen_random_uuid()"), Some(Fresh::Random));
        assert_eq!(kind(pg, "public.uuid_generate_v4()::text"), Some(Fresh::Random));
        assert_eq!(kind(pg, "nextval('random_seq'::regclass)"), Some(Fresh::Counter));
        assert_eq!(kind(pg, "(random() * 100)::integer"), Some(Fresh::Random));
        assert_eq!(kind(Engine::Sqlite, "lower(hex(randomblob(16)))"), Some(Fresh::Random));
        assert_eq!(kind(Engine::Mariadb, "UUID_v7 ()"), Some(Fresh::Random));
        assert_eq!(kind(Engine::Cockroach, "unique_rowid()"), Some(Fresh::Random));
        assert_eq!(kind(pg, "CURRENT_TIMESTAMP"), Some(Fresh::Time));
    }

    #[test]
    fn literals_and_lasting_values_are_not_fresh() {
        let pg = Engine::Postgres;
        for default in
            ["0", "'uuid()'::text", "NULL", "'00000000-0000-0000-0000-000000000000'::uuid", "'it''s random()'"]
        {
            assert_eq!(kind(pg, default), None, "{default}");
        }
        assert_eq!(kind(pg, "uuid_generate_v5(uuid_ns_url(), 'x')"), None);
        assert_eq!(kind(pg, "uuid_nil()"), None);
        assert_eq!(kind(pg, "current_setting('app.tenant')"), None);
    }

    #[test]
    fn identity_is_a_counter_and_the_rowid_alias_is_not() {
        let mut column = Column::new("c", DataType::parse(Engine::Postgres, "bigint"));
        column.auto_number = true;
        assert_eq!(fresh(Engine::Postgres, &column), Some((Fresh::Counter, "IDENTITY".into())));
        assert_eq!(fresh(Engine::Sqlite, &column), None);
    }
}
