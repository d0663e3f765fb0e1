//! Reads the CREATE statements that SQLite keeps, for what no pragma tells: names of constraints, whether a check can be
//! put off, collations, CHECKs, the expressions of indexes and generated columns.
//!
//! The pragmas are the authority for everything else. SQLite has parsed the text before, so it is valid SQL; what this
//! reader does not understand it passes over.

use crate::schema::{Check, Engine, Match, Timing};
use crate::sql::COLUMN_WORDS;
use crate::sql::lexer::{Token, significant};

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
    /// The parts, each without COLLATE and direction.
    pub parts: Vec<String>,
    /// The text after `WHERE`.
    pub predicate: Option<String>,
}

struct Reader<'s> {
    sql: &'s str,
    tokens: Vec<Token>,
    at: usize,
}

impl<'s> Reader<'s> {
    fn new(sql: &'s str) -> Self {
        Self { sql, tokens: significant(Engine::Sqlite, sql), at: 0 }
    }

    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn is(&self, word: &str) -> bool {
        self.peek().is_some_and(|t| t.is_word(self.sql, word))
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.is(w))
    }

    fn eat(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.at += usize::from(is);
        is
    }

    fn at_punctuation(&self, character: char) -> bool {
        self.peek().is_some_and(|t| t.is_punctuation(self.sql, character))
    }

    fn name(&mut self) -> Option<String> {
        let name = self.peek()?.name(self.sql)?;
        self.at += 1;
        Some(name)
    }

    /// Passes over `name` or `schema.name`; returns the last part.
    fn dotted_name(&mut self) -> Option<String> {
        let mut name = self.name()?;
        while self.at_punctuation('.') {
            self.at += 1;
            name = self.name()?;
        }
        Some(name)
    }

    fn if_not_exists(&mut self) {
        if self.is("IF") && self.tokens.get(self.at + 1).is_some_and(|t| t.is_word(self.sql, "NOT")) {
            self.at += 3;
        }
    }

    /// Passes over `( … )` and returns the text inside; `None` if no parenthesis is here.
    fn parenthesized(&mut self) -> Option<&'s str> {
        if !self.at_punctuation('(') {
            return None;
        }
        let start = self.next()?.end;
        let mut depth = 1usize;
        while let Some(token) = self.next() {
            if token.is_punctuation(self.sql, '(') {
                depth += 1;
            } else if token.is_punctuation(self.sql, ')') {
                depth -= 1;
                if depth == 0 {
                    return self.sql.get(start..token.start).map(str::trim);
                }
            }
        }
        self.sql.get(start..).map(str::trim)
    }

    /// Reads the names in `(a, b COLLATE x DESC)`.
    fn column_list(&mut self) -> Vec<String> {
        let Some(inside) = self.parenthesized() else { return Vec::new() };
        list_items(inside).iter().filter_map(|item| Reader::new(item).name()).collect()
    }

    fn text_from(&self, start: usize) -> String {
        let end = self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(start, |t| t.end);
        self.sql.get(start..end).unwrap_or_default().trim().to_string()
    }

    /// Reads what follows REFERENCES.
    fn references(&mut self, name: Option<String>, columns: Vec<String>) -> KeyReference {
        let mut key = KeyReference { name, columns, ..KeyReference::default() };
        key.parent = self.name().unwrap_or_default();
        let _ = self.parenthesized();
        loop {
            if self.eat("ON") {
                key.on_delete_written |= self.is("DELETE");
                self.at += 1;
                // SET NULL, SET DEFAULT and NO ACTION are two words.
                if self.is_any(&["SET", "NO"]) {
                    self.at += 1;
                }
                self.at += 1;
            } else if self.eat("MATCH") {
                key.matching = if self.is("FULL") { Match::Full } else { Match::Simple };
                self.at += 1;
            } else {
                return key;
            }
        }
    }

    /// Reads `[NOT] DEFERRABLE [INITIALLY …]`; `None` if none is here.
    fn deferrable(&mut self) -> Option<Timing> {
        let not = self.is("NOT") && self.tokens.get(self.at + 1).is_some_and(|t| t.is_word(self.sql, "DEFERRABLE"));
        self.at += usize::from(not);
        if !self.eat("DEFERRABLE") {
            return None;
        }
        let deferred = self.eat("INITIALLY") && {
            let deferred = self.is("DEFERRED");
            self.at += 1;
            deferred
        };
        Some(match (not, deferred) {
            (true, _) => Timing::Immediate,
            (false, true) => Timing::Deferred,
            (false, false) => Timing::Deferrable,
        })
    }

    fn conflict_clause(&mut self) {
        if self.is("ON") && self.tokens.get(self.at + 1).is_some_and(|t| t.is_word(self.sql, "CONFLICT")) {
            self.at += 3;
        }
    }
}

/// Splits text at the commas outside parentheses.
fn list_items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (0usize, 0usize);
    for token in significant(Engine::Sqlite, text) {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                items.push(text[start..token.start].trim());
                start = token.end;
            }
            _ => {}
        }
    }
    items.push(text[start..].trim());
    items
}

/// Reads the text of `CREATE TABLE`.
pub(super) fn table(sql: &str) -> TableText {
    let mut reader = Reader::new(sql);
    let mut text = TableText::default();
    while reader.peek().is_some() && !reader.eat("TABLE") {
        reader.at += 1;
    }
    reader.if_not_exists();
    if reader.dotted_name().is_none() || !reader.at_punctuation('(') {
        return text;
    }
    reader.at += 1;
    while reader.peek().is_some() && !reader.at_punctuation(')') {
        // The comma between two table constraints may be left out: each is read by itself.
        if reader.at_punctuation(',') {
            reader.at += 1;
        } else if reader.is_any(&["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]) {
            table_constraint(&mut reader, &mut text);
        } else {
            column(&mut reader, &mut text);
        }
    }
    text
}

fn table_constraint(reader: &mut Reader<'_>, text: &mut TableText) {
    let mut name = None;
    while reader.eat("CONSTRAINT") {
        name = reader.name();
    }
    if reader.eat("PRIMARY") {
        reader.eat("KEY");
        // `PRIMARY KEY (id AUTOINCREMENT)` is allowed, too.
        let before = reader.at;
        let columns = reader.column_list();
        text.autoincrement |= reader.tokens[before..reader.at].iter().any(|t| t.is_word(reader.sql, "AUTOINCREMENT"));
        text.keys.push(KeyText { name, columns, primary: true });
        reader.conflict_clause();
    } else if reader.eat("UNIQUE") {
        let columns = reader.column_list();
        text.keys.push(KeyText { name, columns, primary: false });
        reader.conflict_clause();
    } else if reader.eat("CHECK") {
        check(reader, text, name);
    } else if reader.eat("FOREIGN") {
        reader.eat("KEY");
        let columns = reader.column_list();
        if reader.eat("REFERENCES") {
            let key = reader.references(name, columns);
            text.foreign_keys.push(key);
            if let (Some(timing), Some(key)) = (reader.deferrable(), text.foreign_keys.last_mut()) {
                key.timing = timing;
            }
        }
    } else if !reader.at_punctuation(',') && !reader.at_punctuation(')') {
        reader.at += 1;
    }
}

fn check(reader: &mut Reader<'_>, text: &mut TableText, name: Option<String>) {
    if let Some(expression) = reader.parenthesized() {
        text.checks.push(Check { name, expression: expression.to_string(), validated: true });
    }
    reader.conflict_clause();
}

fn column(reader: &mut Reader<'_>, text: &mut TableText) {
    let Some(column_name) = reader.name() else {
        reader.at += 1;
        return;
    };
    let mut column = ColumnText { name: column_name.clone(), ..ColumnText::default() };
    // The type: words and one pair of parentheses.
    while reader.peek().is_some_and(|t| t.name(reader.sql).is_some()) && !reader.is_any(&COLUMN_WORDS) {
        reader.at += 1;
    }
    let _ = reader.parenthesized();
    let mut name = None;
    while reader.peek().is_some() && !reader.at_punctuation(',') && !reader.at_punctuation(')') {
        if let Some(timing) = reader.deferrable() {
            // SQLite takes it for the last foreign key read so far, whichever column that belongs to.
            if let Some(key) = text.foreign_keys.last_mut() {
                key.timing = timing;
            }
        } else if reader.eat("CONSTRAINT") {
            name = reader.name();
            continue;
        } else if reader.eat("PRIMARY") {
            reader.eat("KEY");
            let _ = reader.eat("ASC") || reader.eat("DESC");
            reader.conflict_clause();
            text.autoincrement |= reader.eat("AUTOINCREMENT");
            text.keys.push(KeyText { name: name.take(), columns: vec![column_name.clone()], primary: true });
        } else if reader.eat("UNIQUE") {
            reader.conflict_clause();
            text.keys.push(KeyText { name: name.take(), columns: vec![column_name.clone()], primary: false });
        } else if reader.eat("CHECK") {
            check(reader, text, name.take());
        } else if reader.eat("COLLATE") {
            column.collation = reader.name();
        } else if reader.eat("REFERENCES") {
            let key = reader.references(name.take(), vec![column_name.clone()]);
            text.foreign_keys.push(key);
        } else if reader.eat("GENERATED") {
            reader.eat("ALWAYS");
            continue;
        } else if reader.eat("AS") {
            column.generated = reader.parenthesized().map(str::to_string);
        } else if reader.eat("DEFAULT") {
            default_value(reader);
        } else if reader.eat("NOT") || reader.eat("NULL") {
            reader.eat("NULL");
            reader.conflict_clause();
        } else if reader.parenthesized().is_none() {
            reader.at += 1;
        }
        name = None;
    }
    text.columns.push(column);
}

/// Passes over a default: a word such as REFERENCES may be one (`DEFAULT 'x'`, `DEFAULT -1`, `DEFAULT (expr)`).
fn default_value(reader: &mut Reader<'_>) {
    if reader.parenthesized().is_some() {
        return;
    }
    while reader.at_punctuation('-') || reader.at_punctuation('+') {
        reader.at += 1;
    }
    if !reader.at_punctuation(',') && !reader.at_punctuation(')') {
        reader.at += 1;
    }
}

/// Reads the text of `CREATE INDEX`.
pub(super) fn index(sql: &str) -> IndexText {
    let mut reader = Reader::new(sql);
    while reader.peek().is_some() && !reader.eat("INDEX") {
        reader.at += 1;
    }
    reader.if_not_exists();
    let _ = reader.dotted_name();
    reader.eat("ON");
    let _ = reader.dotted_name();
    let inside = reader.parenthesized().unwrap_or_default();
    let parts = list_items(inside).into_iter().map(index_part).collect();
    let predicate = reader.eat("WHERE").then(|| {
        let start = reader.peek().map_or(sql.len(), |t| t.start);
        reader.at = reader.tokens.len();
        reader.text_from(start)
    });
    IndexText { parts, predicate }
}

/// Cuts COLLATE and direction off an indexed expression.
fn index_part(item: &str) -> String {
    let mut reader = Reader::new(item);
    let mut end = reader.tokens.len();
    let word = |reader: &Reader<'_>, i: usize, word: &str| reader.tokens[i].is_word(reader.sql, word);
    if end > 1 && (word(&reader, end - 1, "ASC") || word(&reader, end - 1, "DESC")) {
        end -= 1;
    }
    if end > 2 && word(&reader, end - 2, "COLLATE") {
        end -= 2;
    }
    reader.at = end;
    reader.text_from(0)
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
        assert_eq!(text.parts, ["a", "lower(b, 'x,y')", "[c]"]);
        assert_eq!(text.predicate.as_deref(), Some("a IS NOT NULL"));
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

    const COLUMNS: [&str; 6] =
        ["", "INTEGER", "VARCHAR(10, 2)", "double precision", "\"REFERENCES\"", "[not null] (3)"];
    const PIECES: [&str; 22] = [
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
    const CONSTRAINTS: [&str; 7] = [
        "FOREIGN KEY (c0) REFERENCES p",
        "CONSTRAINT \"f k\" FOREIGN KEY (c0, \"c0\") REFERENCES 'p'(a, b) ON DELETE SET DEFAULT NOT DEFERRABLE INITIALLY IMMEDIATE",
        "FOREIGN KEY (c0) REFERENCES p ON INSERT CASCADE DEFERRABLE",
        "UNIQUE (c0 COLLATE NOCASE DESC) ON CONFLICT REPLACE",
        "CONSTRAINT a CONSTRAINT b CHECK (c0)",
        "PRIMARY KEY (c0)",
        "CHECK ('FOREIGN KEY (c0) REFERENCES p')",
    ];
}
