//! What a clean-up changed, as the server counts it: whatever a trigger, a rule, a cast or a function did, rows that were not to
//! change are noticed before the transaction is committed, and it is rolled back.
//!
//! `pg_stat_xact_user_tables` counts the rows that a transaction has inserted, updated and deleted in each table (manual, 28.2.3).
//! The numbers may hold those of transactions before it, so that only their differences tell. A row that moves to another
//! partition is deleted and inserted.

use super::super::servers::bench::Bench;
use super::since;
use crate::schema::TableName;

/// The SQLSTATE with which a block stops that finds other rows changed. No class of the server's begins so (manual, Appendix A).
const OTHER_ROWS: &str = "RF002";

/// The setting in which the numbers of a transaction of several statements are held.
const HELD: &str = "referee.counters";

/// How many tables the transaction has locked against everybody.
const LOCKED: &str = "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' \
                      AND l.mode = 'AccessExclusiveLock')";

/// How many rows of all tables the transaction has updated or deleted.
pub(super) const ALL_CHANGED: &str = "(SELECT COALESCE(pg_catalog.sum(s.n_tup_upd + s.n_tup_del), 0)::pg_catalog.int8 FROM pg_catalog.pg_stat_xact_user_tables s)";

/// What is expected of the tables whose rows a clean-up changes, in PL/pgSQL: how many rows are updated and deleted.
pub(super) struct Expected<'e> {
    pub updated: &'e str,
    pub deleted: &'e str,
}

/// Counts changes of some tables, and of all others.
pub(super) struct Counters<'c> {
    pub bench: &'c Bench<'c>,
    /// The tables whose rows are to change, with all their partitions.
    pub tables: Vec<&'c TableName>,
    /// The user has named the relation, and been told what triggers change beside its rows.
    pub waived: bool,
    /// It is an undo that is counted.
    pub undo: bool,
}

impl Counters<'_> {
    /// The same for an undo.
    pub fn of_undo(self) -> Self {
        Self { undo: true, ..self }
    }

    /// Writes an array of numbers: rows of the tables that were updated, and deleted; rows of others that were updated or deleted;
    /// and tables that this transaction has locked against everybody, as it must to empty, rewrite, change or drop one (manual,
    /// 13.3.1, ACCESS EXCLUSIVE).
    fn numbers(&self) -> String {
        let sum = |what: &str, of: &str| {
            format!("COALESCE(pg_catalog.sum({what}) FILTER (WHERE f.oid IS {of}), 0)::pg_catalog.int8")
        };
        format!(
            "(SELECT ARRAY[{}, {}, {}, {LOCKED}] FROM pg_catalog.pg_stat_xact_user_tables s LEFT JOIN ({}) AS f (oid) ON f.oid = s.relid)",
            sum("s.n_tup_upd", "NOT NULL"),
            sum("s.n_tup_del", "NOT NULL"),
            sum("s.n_tup_upd + s.n_tup_del", "NULL"),
            since::all_of(self.bench, &self.tables),
        )
    }

    /// The declarations of a block that counts.
    pub fn declared() -> &'static str {
        "_referee_before pg_catalog.int8[];\n  _referee_after pg_catalog.int8[];"
    }

    /// The statement before the change.
    pub fn before(&self) -> String {
        format!("_referee_before := {};", self.numbers())
    }

    /// The statements after the change. What waits for the end of the transaction runs before it is counted.
    pub fn after(&self, expected: &Expected<'_>, indent: &str) -> String {
        let literal = |text: &str| self.bench.dialect.literal(text);
        let stop = |found: &str, message: &str, hint: &str| {
            format!(
                "IF {found} THEN RAISE EXCEPTION USING ERRCODE = '{OTHER_ROWS}', MESSAGE = {message}, HINT = {}; END IF;",
                literal(hint)
            )
        };
        let found = |number: usize| format!("(_referee_after[{number}] - _referee_before[{number}])");
        let names = self.tables.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
        let Expected { updated, deleted } = expected;
        // One that fires now may put others off.
        let deferred = "SET CONSTRAINTS ALL IMMEDIATE;".to_string();
        let mut lines = vec![
            deferred.clone(),
            deferred.clone(),
            deferred,
            format!("_referee_after := {};", self.numbers()),
            stop(
                "pg_catalog.current_setting('track_counts') <> 'on'",
                &literal(
                    "track_counts is off, so the server does not count the rows that triggers change; nothing was changed",
                ),
                "SET track_counts = on, as a superuser.",
            ),
            stop(
                &format!("{} <> {updated} OR {} <> {deleted}", found(1), found(2)),
                &format!(
                    "pg_catalog.concat({}, {}, {}, {}, {}, {updated}, {}, {deleted}, {})",
                    literal(&format!("{names}: rows updated: ")),
                    found(1),
                    literal(", deleted: "),
                    found(2),
                    literal("; the step was to update "),
                    literal(" and to delete "),
                    literal("; rolled back"),
                ),
                "A trigger or rule changes, moves or keeps rows. Look at it, and change these rows by hand.",
            ),
        ];
        if !self.waived {
            lines.push(stop(
                &format!("{} <> 0 OR _referee_after[4] <> _referee_before[4]", found(3)),
                &format!(
                    "pg_catalog.concat({}, (SELECT pg_catalog.string_agg(pg_catalog.concat(s.schemaname, '.', s.relname), ', ') FROM \
                     pg_catalog.pg_stat_xact_user_tables s WHERE s.n_tup_upd + s.n_tup_del > 0 AND s.relid NOT IN ({})), {})",
                    literal("rows of other tables changed, too, or a table was emptied, rewritten or dropped: "),
                    since::all_of(self.bench, &self.tables),
                    literal("; rolled back"),
                ),
                if self.undo {
                    "A trigger, a rule or a function does so. Disable it, undo, and enable it again."
                } else {
                    "A trigger, a rule or a function does so. Look at it, and change these rows by hand; or, if it does no harm, name the \
                     relation after --orphans."
                },
            ));
        }
        lines.join(&format!("\n{indent}"))
    }

    /// The statement, of a transaction of several, before the change.
    pub fn hold(&self) -> String {
        format!(
            "DO $referee$\nBEGIN\n  PERFORM pg_catalog.set_config('{HELD}', {}::pg_catalog.text, true);\nEND\n$referee$",
            self.numbers()
        )
    }

    /// The block, of a transaction of several, after the change.
    pub fn check(&self, expected: &Expected<'_>) -> String {
        format!(
            "DO $referee$\nDECLARE\n  {}\nBEGIN\n  _referee_before := pg_catalog.current_setting('{HELD}')::pg_catalog.int8[];\n  {}\nEND\n\
             $referee$",
            Self::declared(),
            self.after(expected, "  ")
        )
    }
}
