//! The statements of a body that write rows: which table, which columns, from where.

use super::Reader;
use crate::schema::{Engine, TableName, Write, WriteKind, Written};
use crate::sql::lexer::Kind;

/// Functions that give a value and write nothing, and words that stand before a parenthesis and are no function.
const VALUES: &str = " abs all and any array as avg between bigint bit_length bool boolean by cardinality case cast ceil char \
    char_length character chr clock_timestamp coalesce collate concat concat_ws conflict constraint conv convert count \
    current_date current_database current_schema current_setting current_time current_timestamp current_user date datetime decimal \
    decode default digest distinct else elsif encode except exists exp extract filter first_value float floor format from gen_random_uuid \
    generate_series greatest group grouping having hashtext hex hstore if ifnull in index insert instr int integer interval intersect \
    is isnull key last_insert_id lag lead least left length like limit lower lpad ltrim make_interval max md5 min mod nextval not now \
    nullif numeric octet_length offset on or order over partition position power primary quote_ident quote_literal \
    quote_nullable rand random range rank references regexp_replace repeat replace returning returns reverse right round \
    row row_number row_to_json rpad rtrim select session_user set setof sha256 sign similar split_part sqrt starts_with \
    statement_timestamp strftime strpos substr substring sum sysdate tables text then time timestamp timestamptz transaction_timestamp \
    trim trunc unaccent union unique unixepoch unix_timestamp unnest update upper using utc_timestamp uuid values varchar varying when where while with \
    within bool_and bool_or every string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg \
    akeys avals hstore_to_jsonb skeys svals \
    uid jwt role email tsvector timeofday user version currval lastval pow ln log \
    age date_part date_trunc isfinite make_date make_timestamptz crypt hmac gen_salt return elseif until call perform timediff \
    timestampdiff timestampadd date_add date_sub date_format str_to_date curdate curtime last_day year month day hour \
    minute second json timezone btrim overlay initcap translate ascii width_bucket isempty lower_inf upper_inf lower_inc upper_inc \
    pg_typeof pg_backend_pid pg_trigger_depth pg_notify pg_sleep pg_column_size pg_current_xact_id pg_advisory_xact_lock \
    pg_try_advisory_xact_lock ts_headline \
    tstzrange tsrange daterange int4range int8range numrange host masklen network abbrev point scale ";

const PREFIXES: [&str; 16] = [
    "pg_get_", "json_", "jsonb_", "to_", "array_", "string_", "regexp_", "date_", "txid_", "inet_", "uuid_", "st_",
    "ts_rank", "xml", "has_", "num_",
];

/// Tells whether a function, by its name in lower case, gives a value and does nothing else; or whether the word is none.
pub(super) fn gives_a_value(name: &str) -> bool {
    VALUES.split_ascii_whitespace().any(|w| w == name) || PREFIXES.iter().any(|p| name.starts_with(p))
}

/// Names that are values of every statement, or words of expressions.
const CONSTANTS: &str = " null true false default now current_timestamp current_date current_time current_user session_user user localtimestamp \
    tg_op tg_table_name tg_table_schema tg_name tg_relname clock_timestamp statement_timestamp transaction_timestamp datetime date \
    time strftime unixepoch gen_random_uuid uuid_generate_v4 random uuid nextval text int integer bigint timestamptz timestamp \
    at zone cast as utc_timestamp varchar interval ";

const AFTER_WHERE: [&str; 6] = ["RETURNING", "ORDER", "LIMIT", "GROUP", "UNION", "ON"];

impl Reader<'_> {
    pub(super) fn writes(&self) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        for at in 0..self.steps.len() {
            let write = self.insert(at).or_else(|| self.update(at)).or_else(|| self.delete(at));
            writes.extend(write);
        }
        writes.sort_by(|a, b| (&a.table, a.kind, &a.by).cmp(&(&b.table, b.kind, &b.by)));
        writes.dedup();
        writes
    }

    fn insert(&self, at: usize) -> Option<Write> {
        let into = match () {
            () if self.is(at, "INTO") && at > 0 => at,
            // MySQL: INSERT t, REPLACE t.
            () => return None,
        };
        let verb = |at: usize| self.is_any(at, &["INSERT", "REPLACE", "MERGE"]);
        // INSERT OR REPLACE INTO, INSERT IGNORE INTO
        let before = [1usize, 2, 3].into_iter().filter_map(|n| at.checked_sub(n)).take_while(|b| !self.sign(*b, ';'));
        let before: Vec<usize> = before.collect();
        if !before.iter().any(|b| verb(*b)) {
            return None;
        }
        let (table, mut next) = self.table(into + 1)?;
        let end = self.end(next);
        let replaces = before.iter().any(|b| self.is_any(*b, &["REPLACE", "MERGE"])) || self.updates_instead(next, end);
        if self.is(next, "AS") {
            next += 2;
        }
        let query = |at: usize| self.is_any(at, &["SELECT", "WITH", "VALUES"]);
        let mut listed = None;
        if self.sign(next, '(') && !query(next + 1) {
            let behind = self.behind(next);
            let names: Vec<String> = (next + 1..behind - 1).filter_map(|i| self.name(i)).collect();
            listed = Some(names);
            next = behind;
        }
        let known = self.columns.map(|of| of(&table)).filter(|c| !c.is_empty());
        let columns = match listed.or(known) {
            None => self.assigned(next, end),
            Some(names) => Some(self.filled(names, next, end)),
        };
        Some(Write { kind: WriteKind::Insert, table, columns, by: None, replaces })
    }

    /// `ON CONFLICT … DO UPDATE`, MySQL's `ON DUPLICATE KEY UPDATE`.
    fn updates_instead(&self, from: usize, end: usize) -> bool {
        (from..end).any(|at| self.is(at, "UPDATE") && self.is_any(at - 1, &["DO", "KEY"]))
    }

    /// MySQL's `INSERT INTO t SET a = 1`; without a list of columns which are meant is not known.
    fn assigned(&self, at: usize, end: usize) -> Option<Vec<Written>> {
        self.is(at, "SET").then(|| self.assignments(at + 1, end))
    }

    /// Puts values beside the columns they are for.
    fn filled(&self, mut names: Vec<String>, from: usize, end: usize) -> Vec<Written> {
        let select = (from..end).find(|i| self.is_any(*i, &["SELECT", "VALUES"]));
        // Whether more rows or queries than the first give values.
        let (start, closed, again) = match select {
            Some(at) if self.is(at, "VALUES") && self.sign(at + 1, '(') => {
                let closed = self.end(at + 2);
                (at + 2, closed, self.sign(closed + 1, ','))
            }
            Some(at) if self.is(at, "SELECT") => {
                let start = at + 1 + usize::from(self.is_any(at + 1, &["DISTINCT", "ALL"]));
                (start, end, self.is(from, "WITH") || self.outside(start, end, &["UNION"]).is_some())
            }
            // DEFAULT VALUES
            _ => return Vec::new(),
        };
        let values = self.items(start, closed);
        if !again && self.columns.is_some() {
            names.truncate(values.len());
        }
        let unknown = again || values.len() != names.len();
        let mut written = Vec::new();
        for (i, column) in names.into_iter().enumerate() {
            match values.get(i).filter(|_| !unknown) {
                Some((from, to)) if self.is_constant(*from, *to) => {}
                Some((from, to)) => written.push(Written { column, from: self.of_row(*from, *to) }),
                None => written.push(Written { column, from: None }),
            }
        }
        written
    }

    /// Splits a list at its commas; it ends where a query goes on.
    fn items(&self, from: usize, end: usize) -> Vec<(usize, usize)> {
        let mut items = Vec::new();
        let (mut at, mut start, mut depth) = (from, from, 0usize);
        while at < end {
            if self.sign(at, '(') {
                depth += 1;
            } else if self.sign(at, ')') {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            } else if depth == 0 && self.sign(at, ',') {
                items.push((start, at));
                start = at + 1;
            } else if depth == 0 && self.is_any(at, &["FROM", "WHERE", "UNION", "ON", "RETURNING", "LIMIT", "ORDER"]) {
                break;
            }
            at += 1;
        }
        items.push((start, at));
        items
    }

    fn is_constant(&self, from: usize, to: usize) -> bool {
        (from..to).all(|at| match self.token(at) {
            Some(t) if t.kind == Kind::Word => {
                let word = t.text(self.text).to_ascii_lowercase();
                CONSTANTS.split_ascii_whitespace().any(|c| c == word)
            }
            Some(t) => t.kind != Kind::QuotedName && !self.sign(at, '*'),
            None => true,
        })
    }

    /// Returns the column in `OLD.x`, with or without a cast.
    fn of_row(&self, from: usize, to: usize) -> Option<String> {
        // A rule's own query, deparsed, has parentheses around it.
        let (from, to) = if self.sign(from, '(') && self.behind(from) == to { (from + 1, to - 1) } else { (from, to) };
        let row = self.is_any(from, &["OLD", "NEW"]) && self.sign(from + 1, '.');
        let cast = to == from + 3 || self.sign(from + 3, ':') || self.is(from + 3, "AS");
        if row && cast { self.name(from + 2) } else { None }
    }

    fn update(&self, at: usize) -> Option<Write> {
        let locks = at > 0 && self.is_any(at - 1, &["FOR", "KEY", "ON", "DO", "OR"]);
        if !self.is(at, "UPDATE") || locks || self.is(at + 1, "SET") {
            return None;
        }
        let mut next = at + 1;
        if self.is(next, "OR") {
            next += 2;
        }
        next += usize::from(self.is_any(next, &["ONLY", "LOW_PRIORITY", "IGNORE"]));
        let (table, next) = self.table(next)?;
        let end = self.end(next);
        // An alias or two words; MySQL's joins name more tables, whose columns are then not told apart.
        let set = (next..end).find(|i| self.is(*i, "SET"))?;
        let chooses = self.outside(set, end, &["WHERE", "FROM"]).unwrap_or(end);
        let columns = self.assignments(set + 1, chooses);
        let plain = set <= next + 2;
        Some(Write {
            kind: WriteKind::Update,
            table,
            columns: plain.then_some(columns),
            by: self.chosen(chooses, end),
            replaces: false,
        })
    }

    fn delete(&self, at: usize) -> Option<Write> {
        let (next, empties) = match () {
            () if self.is(at, "DELETE") && self.is(at + 1, "FROM") => (at + 2, false),
            () if self.is(at, "TRUNCATE") && self.begins(at) => (at + 1 + usize::from(self.is(at + 1, "TABLE")), true),
            () => return None,
        };
        let (table, next): (TableName, usize) = self.table(next + usize::from(self.is(next, "ONLY")))?;
        let end = self.end(next);
        let chooses = self.outside(next, end, &["WHERE", "USING"]).filter(|_| !empties).unwrap_or(end);
        Some(Write {
            kind: WriteKind::Delete,
            table,
            columns: Some(Vec::new()),
            by: self.chosen(chooses, end),
            replaces: false,
        })
    }

    /// Returns the first of these words outside parentheses.
    fn outside(&self, from: usize, end: usize, words: &[&str]) -> Option<usize> {
        let mut at = from;
        while at < end {
            if self.is_any(at, words) {
                return Some(at);
            }
            at = if self.sign(at, '(') { self.behind(at) } else { at + 1 };
        }
        None
    }

    /// Reads `a = 1, (b, c) = (2, 3)`.
    fn assignments(&self, from: usize, end: usize) -> Vec<Written> {
        let mut written = Vec::new();
        for (from, to) in self.items(from, end) {
            let Some(equals) = (from..to).find(|i| self.sign(*i, '=')) else { continue };
            if self.sign(from, '(') {
                let names = (from..equals).filter_map(|i| self.name(i));
                written.extend(names.map(|column| Written { column, from: None }));
                continue;
            }
            // `t.a = 1`: the last name is the column's.
            let column = (from..equals).rev().find_map(|i| self.name(i));
            let of = self.of_row(equals + 1, to);
            written.extend(column.map(|column| Written { column, from: of }));
        }
        written
    }

    /// Returns the names in a condition, those of the row that fired it and functions left out.
    fn chosen(&self, from: usize, end: usize) -> Option<Vec<String>> {
        if from >= end {
            return None;
        }
        let words =
            ["AND", "OR", "NOT", "IN", "IS", "NULL", "SELECT", "FROM", "WHERE", "USING", "EXISTS", "TRUE", "FALSE"];
        let mut names = Vec::new();
        for at in from + 1..end {
            if self.is_any(at, &AFTER_WHERE) {
                break;
            }
            let row = at > 1 && self.sign(at - 1, '.') && self.is_any(at - 2, &["OLD", "NEW"]);
            let other = self.sign(at + 1, '(') || self.sign(at + 1, '.') || self.is_any(at, &words);
            let string = self.token(at).is_some_and(|t| t.kind == Kind::String) && self.engine == Engine::Sqlite;
            // A type behind a cast.
            let cast = at > 0 && self.sign(at - 1, ':');
            if !row && !other && !string && !cast {
                names.extend(self.name(at));
            }
        }
        names.sort();
        names.dedup();
        Some(names)
    }
}
