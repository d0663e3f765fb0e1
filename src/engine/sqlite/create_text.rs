//! What the CREATE statements that SQLite keeps say that no pragma tells: names of constraints, whether a check can be
//! put off, collations, CHECKs, the expressions of indexes and generated columns.
//!
//! The pragmas are the authority for everything else. The text is read by `sql`, as that of files is.

use crate::schema::{Check, Engine, Match, Timing};
use crate::sql;
use crate::sql::ast::{Command, Constraint, ConstraintKind, CreateTable, KeyClause};

/// What the text of `CREATE TABLE` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableText {
    /// The columns, in order.
    pub columns: Vec<ColumnText>,
    /// The primary key and the unique constraints, in order.
    pub keys: Vec<KeyText>,
    /// The foreign keys, in order.
    pub foreign_keys: Vec<KeyReference>,
    /// The CHECK constraints, in order.
    pub checks: Vec<Check>,
    /// Whether `AUTOINCREMENT` is written.
    pub autoincrement: bool,
}

/// A column's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnText {
    pub name: String,
    pub collation: Option<String>,
    pub generated: Option<String>,
}

/// A primary key or a unique constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyText {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub primary: bool,
    /// Whether `ON CONFLICT REPLACE` is written.
    pub replaces: bool,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyReference {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub parent: String,
    pub on_delete_written: bool,
    pub matching: Match,
    pub timing: Timing,
}

/// What the text of `CREATE INDEX` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexText {
    /// The parts, each without COLLATE and direction; a column's name in double quotes.
    pub parts: Vec<String>,
    /// The text after `WHERE`.
    pub predicate: Option<String>,
}

/// Reads the text of `CREATE TABLE`.
pub(super) fn table(sql: &str) -> TableText {
    let Some(Command::CreateTable(create)) = command(sql) else { return TableText::default() };
    let mut text = TableText::default();
    for definition in &create.columns {
        text.columns.push(ColumnText { name: definition.name.text.clone(), ..ColumnText::default() });
    }
    for (i, constraint) in in_order(&create) {
        let column = i.and_then(|i| text.columns.get_mut(i));
        let of = |columns: Vec<String>, column: &Option<&mut ColumnText>| match column {
            Some(column) => vec![column.name.clone()],
            None => columns,
        };
        let name = constraint.name.as_ref().map(|n| n.text.clone());
        match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => {
                text.autoincrement |= key.autoincrement;
                let columns = of(key_columns(key), &column);
                text.keys.push(KeyText { name, columns, primary: true, replaces: key.replaces });
            }
            ConstraintKind::Unique(key) => {
                let columns = of(key_columns(key), &column);
                text.keys.push(KeyText { name, columns, primary: false, replaces: key.replaces });
            }
            ConstraintKind::Check(condition) => {
                text.checks.push(Check { name, expression: condition.text.clone(), validated: true });
            }
            ConstraintKind::ForeignKey(references) => text.foreign_keys.push(KeyReference {
                name,
                columns: of(references.columns.iter().map(|c| c.text.clone()).collect(), &column),
                parent: references.parent.name.clone(),
                on_delete_written: references.on_delete.is_some(),
                matching: references.matching,
                timing: constraint.timing.unwrap_or_default(),
            }),
            ConstraintKind::Collate(collation) => {
                if let Some(column) = column {
                    column.collation = Some(collation.clone());
                }
            }
            ConstraintKind::Generated { expression, .. } => {
                if let Some(column) = column {
                    column.generated = Some(expression.text.clone());
                }
            }
            _ => {}
        }
    }
    text
}

/// Returns what the text creates.
fn command(sql: &str) -> Option<Command> {
    let statement = sql::read(Engine::Sqlite, sql).into_iter().next()?;
    statement.commands.into_iter().next().map(|c| c.command)
}

/// Returns the constraints in the order of the text, each with the place of the column in whose definition it stands.
fn in_order(create: &CreateTable) -> impl Iterator<Item = (Option<usize>, &Constraint)> {
    let mut all: Vec<(Option<usize>, &Constraint)> = Vec::new();
    for (i, definition) in create.columns.iter().enumerate() {
        all.extend(definition.constraints.iter().map(|c| (Some(i), c)));
    }
    all.extend(create.constraints.iter().map(|c| (None, c)));
    all.sort_by_key(|(_, c)| c.span.start);
    all.into_iter()
}

fn key_columns(key: &KeyClause) -> Vec<String> {
    key.parts.iter().filter_map(|p| p.column.clone()).collect()
}

/// Reads the text of `CREATE INDEX`.
pub(super) fn index(sql: &str) -> IndexText {
    let Some(Command::CreateIndex(create)) = command(sql) else { return IndexText::default() };
    // The pragma tells plain columns. A name that is none is a string in double quotes ("Quirks", 8).
    let quoted = |name: String| format!("\"{}\"", name.replace('"', "\"\""));
    let parts = create.parts.into_iter().map(|p| p.expression.or(p.column.map(quoted)).unwrap_or_default()).collect();
    IndexText { parts, predicate: create.predicate }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(sql: &str) -> Vec<(Option<String>, String, String)> {
        table(sql).foreign_keys.into_iter().map(|k| (k.name, k.columns.join(","), k.parent)).collect()
    }

    #[test]
    fn foreign_keys_are_found_in_both_places_in_order() {
        let text = table(
            "CREATE TABLE \"t\" (a INTEGER CONSTRAINT k1 REFERENCES p ON DELETE SET NULL ON UPDATE NO ACTION DEFERRABLE
             INITIALLY DEFERRED, [b c] TEXT NOT NULL REFERENCES \"p 2\"(x) MATCH FULL, /* REFERENCES no */ d,
             CONSTRAINT k3 FOREIGN KEY (a, [b c]) REFERENCES `q` (m, n) ON UPDATE CASCADE NOT DEFERRABLE INITIALLY DEFERRED
             FOREIGN KEY(d) REFERENCES r DEFERRABLE)",
        );
        let key = |name: Option<&str>, columns: &[&str], parent: &str, written, matching, timing| KeyReference {
            name: name.map(str::to_string),
            columns: columns.iter().map(ToString::to_string).collect(),
            parent: parent.to_string(),
            on_delete_written: written,
            matching,
            timing,
        };
        assert_eq!(
            text.foreign_keys,
            [
                key(Some("k1"), &["a"], "p", true, Match::Simple, Timing::Deferred),
                key(None, &["b c"], "p 2", false, Match::Full, Timing::Immediate),
                key(Some("k3"), &["a", "b c"], "q", false, Match::Simple, Timing::Immediate),
                key(None, &["d"], "r", false, Match::Simple, Timing::Deferrable),
            ]
        );
        assert_eq!(text.columns.len(), 3);
    }

    #[test]
    fn the_word_references_elsewhere_is_no_foreign_key() {
        assert_eq!(
            keys(
                "create table t(a text default 'x REFERENCES p(id)' check (a <> 'REFERENCES p'), -- b REFERENCES p
                 \"references\" int default (1), b int as (a || 'REFERENCES') stored, c \"REFERENCES\" int,
                 d default -1 references p)"
            ),
            [(None, "d".to_string(), "p".to_string())]
        );
    }

    #[test]
    fn names_of_keys_checks_and_collations() {
        let text = table(
            "CREATE TABLE IF NOT EXISTS main.t (id INTEGER CONSTRAINT pk PRIMARY KEY ASC ON CONFLICT FAIL AUTOINCREMENT,
             e TEXT COLLATE NOCASE CONSTRAINT u UNIQUE ON CONFLICT REPLACE CONSTRAINT c CHECK (length(e) > (1)),
             n VARCHAR(10, 2) NOT NULL, g INT GENERATED ALWAYS AS (n * (2)) VIRTUAL,
             CONSTRAINT u2 UNIQUE (e COLLATE BINARY DESC, n), CHECK (n > 0)) WITHOUT ROWID",
        );
        assert!(text.autoincrement);
        let keys: Vec<_> = text.keys.iter().map(|k| (k.name.as_deref(), k.columns.join(","), k.primary)).collect();
        assert_eq!(
            keys,
            [(Some("pk"), "id".into(), true), (Some("u"), "e".into(), false), (Some("u2"), "e,n".into(), false)]
        );
        assert_eq!(text.columns[1].collation.as_deref(), Some("NOCASE"));
        assert_eq!(text.columns[3].generated.as_deref(), Some("n * (2)"));
        let checks: Vec<_> = text.checks.iter().map(|c| (c.name.as_deref(), c.expression.as_str())).collect();
        assert_eq!(checks, [(Some("c"), "length(e) > (1)"), (None, "n > 0")]);
    }

    #[test]
    fn index_texts() {
        let text =
            index("CREATE UNIQUE INDEX i ON t(a COLLATE NOCASE DESC, lower(b, 'x,y') , [c]) WHERE a IS NOT NULL -- z");
        assert_eq!(text.parts, ["\"a\"", "lower(b, 'x,y')", "\"c\""]);
        assert_eq!(text.predicate.as_deref(), Some("a IS NOT NULL"));
    }

    #[test]
    fn what_an_index_is_on_is_what_sqlite_says() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t(a, [b c], key, \"on\")").unwrap();
        let parts = [
            "a",
            "[b c]",
            "\"on\"",
            "'a'",
            "('a')",
            "((a))",
            "(a) + (key)",
            "(a + key)",
            "a IS NULL",
            "a NOT NULL",
            "NOT a",
            "CASE a WHEN 1 THEN 2 END",
            "a COLLATE rtrim || key",
            "(a) COLLATE nocase COLLATE binary",
            "NULL",
            "coalesce(a, 'z)')",
            "a IN (1, 2)",
            "-a",
            "a -> '$.x'",
            "cast(a AS text)",
        ];
        for part in parts {
            for end in ["", " ASC", " DESC", " COLLATE NOCASE", " COLLATE \"rtrim\" DESC"] {
                let sql = format!("CREATE INDEX i ON t({part}{end}, key) WHERE (a > 1)");
                connection.execute_batch(&sql).unwrap();
                let column = "SELECT name FROM pragma_index_xinfo('i') WHERE seqno = 0";
                let column: Option<String> = connection.query_row(column, [], |r| r.get(0)).unwrap();
                connection.execute_batch("DROP INDEX i").unwrap();
                let text = index(&sql);
                assert_eq!(text.parts.len(), 2, "{sql}");
                match column {
                    Some(column) => assert_eq!(text.parts[0], format!("\"{column}\""), "{sql}"),
                    None => {
                        // The expression alone makes the same index.
                        let again = format!(
                            "CREATE INDEX i ON t({}{end}, key) WHERE {}",
                            text.parts[0],
                            text.predicate.unwrap()
                        );
                        connection.execute_batch(&format!("{again}; DROP INDEX i")).unwrap();
                        assert_eq!(index(&again).parts, text.parts, "{sql}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_deferrable_by_itself_is_about_the_key_before_it() {
        let timings = |sql: &str| table(sql).foreign_keys.into_iter().map(|k| k.timing).collect::<Vec<_>>();
        let deferred = "DEFERRABLE INITIALLY DEFERRED";
        assert_eq!(
            timings(&format!(
                "CREATE TABLE t(a REFERENCES p, b {deferred}, c NOT NULL REFERENCES q UNIQUE DEFERRABLE)"
            )),
            [Timing::Deferred, Timing::Deferrable]
        );
        assert_eq!(
            timings(&format!("CREATE TABLE t(a {deferred} REFERENCES p, b REFERENCES q)")),
            [Timing::Immediate; 2]
        );
        assert_eq!(
            timings(&format!("CREATE TABLE t(a REFERENCES p, b INT UNIQUE {deferred}, FOREIGN KEY (b) REFERENCES q)")),
            [Timing::Deferred, Timing::Immediate]
        );
        // The last one counts, whole.
        assert_eq!(timings(&format!("CREATE TABLE t(a REFERENCES p {deferred} DEFERRABLE)")), [Timing::Deferrable]);
        assert_eq!(timings("CREATE TABLE t(a REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED)"), [Timing::Immediate]);
    }

    #[test]
    fn sqlite_defers_what_is_read_as_deferred() {
        for definition in [
            "a REFERENCES p, b DEFERRABLE INITIALLY DEFERRED",
            "a REFERENCES p NOT NULL DEFERRABLE INITIALLY DEFERRED, b",
            "a REFERENCES p DEFERRABLE INITIALLY DEFERRED DEFERRABLE, b",
            "a REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED, b",
            "a DEFERRABLE INITIALLY DEFERRED REFERENCES p, b",
            "a REFERENCES p, b CONSTRAINT lost DEFERRABLE INITIALLY DEFERRED",
        ] {
            let sql = format!("CREATE TABLE t({definition})");
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            connection.execute_batch("PRAGMA foreign_keys = ON; CREATE TABLE p(id INTEGER PRIMARY KEY)").unwrap();
            connection.execute_batch(&format!("{sql}; BEGIN")).unwrap();
            let put_off = connection.execute_batch("INSERT INTO t(a) VALUES (1)").is_ok();
            assert_eq!(table(&sql).foreign_keys[0].timing == Timing::Deferred, put_off, "{sql}");
        }
    }

    const ODD: &str = "CREATE TABLE IF NOT EXISTS \"a\".t (id INTEGER CONSTRAINT k PRIMARY KEY DESC ON CONFLICT FAIL \
        AUTOINCREMENT, e TEXT COLLATE x DEFAULT (1) CHECK ((e)) REFERENCES p(id) ON DELETE SET NULL MATCH FULL NOT \
        DEFERRABLE INITIALLY DEFERRED, g AS (1) STORED, PRIMARY KEY (a, b) UNIQUE (c) CONSTRAINT z FOREIGN KEY (a) \
        REFERENCES q ON UPDATE NO ACTION) WITHOUT ROWID";

    #[test]
    fn text_that_is_cut_off_is_read_as_far_as_it_goes() {
        for end in 0..ODD.len() {
            let sql = &ODD[..end];
            let _ = (table(sql), index(sql));
            let rest = &ODD[end..];
            let _ = (table(rest), index(rest));
        }
        assert_eq!(table("CREATE TABLE t(a REFERENCES p(id) ON").foreign_keys.len(), 1);
    }

    /// What SQLite's own parser makes of a text: columns and parent of each foreign key, in order of declaration.
    fn parsed(sql: &str) -> Option<Vec<(String, String)>> {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).ok()?;
        let keys = "SELECT group_concat(\"from\", ','), \"table\" FROM pragma_foreign_key_list('t') GROUP BY id ORDER BY id DESC";
        let mut statement = connection.prepare(keys).unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        Some(rows.map(Result::unwrap).collect())
    }

    proptest! {
        #[test]
        fn foreign_keys_are_those_that_sqlite_reads(
            columns in proptest::collection::vec(0usize..COLUMNS.len(), 1..5),
            pieces in proptest::collection::vec(proptest::collection::vec(0usize..PIECES.len(), 0..6), 5),
            constraints in proptest::collection::vec((0usize..CONSTRAINTS.len(), any::<bool>()), 0..4),
        ) {
            let mut sql = String::from("CREATE TABLE t (");
            for (i, column) in columns.iter().enumerate() {
                let pieces: Vec<&str> = pieces[i].iter().map(|p| PIECES[*p]).collect();
                sql.push_str(&format!("{}c{i} {} {}", if i > 0 { ", " } else { "" }, COLUMNS[*column], pieces.join(" ")));
            }
            for (i, (constraint, comma)) in constraints.iter().enumerate() {
                sql.push_str(if i == 0 || *comma { ", " } else { " " });
                sql.push_str(CONSTRAINTS[*constraint]);
            }
            sql.push(')');
            if let Some(expected) = parsed(&sql) {
                let read: Vec<_> = table(&sql).foreign_keys.into_iter().map(|k| (k.columns.join(","), k.parent)).collect();
                prop_assert_eq!(read, expected, "{}", sql);
                prop_assert_eq!(table(&sql).columns.len(), columns.len(), "{}", sql);
            }
        }
    }

    const COLUMNS: [&str; 12] = [
        "",
        "INTEGER",
        "VARCHAR(10, 2)",
        "double precision",
        "\"REFERENCES\"",
        "[not null] (3)",
        "storage",
        "'a' comment key",
        "timestamp with time zone",
        "char set",
        "options first after",
        "initially match compression",
    ];
    const PIECES: [&str; 24] = [
        "DEFERRABLE",
        "REFERENCES p ON INSERT SET NULL ON DELETE CASCADE",
        "REFERENCES p",
        "REFERENCES \"p q\"(id)",
        "CONSTRAINT k REFERENCES [p](id) ON DELETE SET NULL ON UPDATE NO ACTION",
        "REFERENCES p MATCH FULL ON DELETE CASCADE",
        "REFERENCES `p`/* REFERENCES q */(x) ON DELETE RESTRICT -- REFERENCES z\n",
        "DEFERRABLE INITIALLY DEFERRED",
        "NOT DEFERRABLE",
        "NOT NULL ON CONFLICT IGNORE",
        "NULL",
        "UNIQUE",
        "DEFAULT 'REFERENCES x'",
        "DEFAULT -1.5",
        "DEFAULT (1 + (2))",
        "DEFAULT CURRENT_TIMESTAMP",
        "DEFAULT references_",
        "DEFAULT +x'00'",
        "CHECK (c0 <> ')' AND (c0 <> 'REFERENCES p'))",
        "CONSTRAINT x CHECK (1) ON CONFLICT ABORT",
        "COLLATE NOCASE",
        "CONSTRAINT lost",
        "GENERATED ALWAYS AS (1 + length(')')) VIRTUAL",
        "AS (2) STORED",
    ];
    const CONSTRAINTS: [&str; 8] = [
        "CONSTRAINT lost",
        "FOREIGN KEY (c0) REFERENCES p",
        "CONSTRAINT \"f k\" FOREIGN KEY (c0, \"c0\") REFERENCES 'p'(a, b) ON DELETE SET DEFAULT NOT DEFERRABLE INITIALLY IMMEDIATE",
        "FOREIGN KEY (c0) REFERENCES p ON INSERT CASCADE DEFERRABLE",
        "UNIQUE (c0 COLLATE NOCASE DESC) ON CONFLICT REPLACE",
        "CONSTRAINT a CONSTRAINT b CHECK (c0)",
        "PRIMARY KEY (c0)",
        "CHECK ('FOREIGN KEY (c0) REFERENCES p')",
    ];
}
