//! What a clean-up changed, as the server counts it: whatever a trigger, a rule, a cast or a function did, rows that were not to
//! change are noticed before the transaction is committed, and it is rolled back.
//!
//! `pg_stat_xact_user_tables` counts the rows that a transaction has inserted, updated and deleted in each table (manual, 28.2.3).
//! The numbers may hold those of transactions before it, so that only their differences tell. A row that moves to another
//! partition is deleted and inserted.

use super::super::servers::builder::Builder;
use super::since;
use crate::schema::TableName;

/// The SQLSTATE with which a block stops that finds other rows changed. No class of the server's begins so (manual, Appendix A).
const OTHER_ROWS: &str = "RF002";

/// The setting in which the numbers of a transaction of several statements are held.
const HELD: &str = "referee.counters";

/// How many tables the transaction has locked against everybody, beside temporary ones.
const LOCKED: &str = "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' \
                      AND l.mode = 'AccessExclusiveLock' AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = l.relation AND \
                      c.relnamespace = pg_catalog.pg_my_temp_schema()))";

/// How many rows of all tables the transaction has written in any way.
const WRITTEN: &str = "(SELECT COALESCE(pg_catalog.sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del), 0)::pg_catalog.int8 FROM \
                       pg_catalog.pg_stat_xact_user_tables s)";

/// How often deferred triggers may put off others before the commit.
const ROUNDS: u32 = 64;

/// What is expected of the tables whose rows a clean-up changes, in PL/pgSQL: how many rows are updated and deleted.
pub(super) struct Expected<'e> {
    pub updated: &'e str,
    pub deleted: &'e str,
}

/// Counts changes of some tables, and of all others.
pub(super) struct Counters<'c> {
    pub builder: &'c Builder<'c>,
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
            format!(
                "COALESCE(pg_catalog.sum({what}) FILTER (WHERE s.relid {of} (_referee_tables)), 0)::pg_catalog.int8"
            )
        };
        format!(
            "(SELECT ARRAY[{}, {}, {}, {LOCKED}] FROM pg_catalog.pg_stat_xact_user_tables s)",
            sum("s.n_tup_upd", "= ANY"),
            sum("s.n_tup_del", "= ANY"),
            sum("s.n_tup_upd + s.n_tup_del", "<> ALL"),
        )
    }

    /// The statement that looks up the tables, which the numbers are those of.
    fn look_up(&self) -> String {
        format!("_referee_tables := ARRAY({});", since::all_of(self.builder, &self.tables))
    }

    /// The declarations of a block that counts.
    pub fn declared() -> &'static str {
        "_referee_tables pg_catalog.oid[];\n  _referee_before pg_catalog.int8[];\n  _referee_after pg_catalog.int8[];\n  \
         _referee_written pg_catalog.int8;"
    }

    /// The statements before the change.
    pub fn before(&self, indent: &str) -> String {
        format!("{}\n{indent}_referee_before := {};", self.look_up(), self.numbers())
    }

    /// The statements after the change. What waits for the end of the transaction runs before it is counted.
    pub fn after(&self, expected: &Expected<'_>, indent: &str) -> String {
        let literal = |text: &str| self.builder.dialect.literal(text);
        let stop = |found: &str, message: &str, hint: &str| stop(self.builder, found, message, hint);
        let found = |number: usize| format!("(_referee_after[{number}] - _referee_before[{number}])");
        let names = self.tables.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
        let Expected { updated, deleted } = expected;
        let mut lines = settled(self.builder);
        lines.extend([
            format!("_referee_after := {};", self.numbers()),
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
        ]);
        if !self.waived {
            lines.push(stop(
                &format!("{} <> 0 OR _referee_after[4] <> _referee_before[4]", found(3)),
                &format!(
                    "pg_catalog.concat({}, (SELECT pg_catalog.string_agg(pg_catalog.concat(s.schemaname, '.', s.relname), ', ') FROM \
                     pg_catalog.pg_stat_xact_user_tables s WHERE s.n_tup_upd + s.n_tup_del > 0 AND s.relid <> ALL (_referee_tables)), {})",
                    literal("rows of other tables changed, too, or a table was emptied, rewritten or dropped: "),
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
            "DO $referee$\nDECLARE\n  _referee_tables pg_catalog.oid[];\nBEGIN\n  {}\n  PERFORM pg_catalog.set_config('{HELD}', \
             {}::pg_catalog.text, true);\nEND\n$referee$",
            self.look_up(),
            self.numbers()
        )
    }

    /// The block, of a transaction of several, after the change. What was counted is held from there on.
    pub fn check(&self, expected: &Expected<'_>) -> String {
        self.block(&self.after(expected, "  "))
    }

    /// The block, of a transaction of several, after statements that change no rows: an event trigger may.
    pub fn unchanged(&self) -> String {
        let mut lines = settled(self.builder);
        lines.push(format!("_referee_after := {};", self.numbers()));
        lines.push(stop(
            self.builder,
            "_referee_after[1:3] <> _referee_before[1:3]",
            &self
                .builder
                .dialect
                .literal("rows changed when foreign keys were dropped or made, or a backup was dropped; rolled back"),
            EVENT_TRIGGERS,
        ));
        self.block(&lines.join("\n  "))
    }

    fn block(&self, lines: &str) -> String {
        format!(
            "DO $referee$\nDECLARE\n  {}\nBEGIN\n  {}\n  _referee_before := pg_catalog.current_setting('{HELD}')::pg_catalog.int8[];\n  \
             {lines}\n  PERFORM pg_catalog.set_config('{HELD}', _referee_after::pg_catalog.text, true);\nEND\n$referee$",
            Self::declared(),
            self.look_up(),
        )
    }
}

/// Writes the statement that stops a block with a message, which is an expression.
fn stop(builder: &Builder<'_>, found: &str, message: &str, hint: &str) -> String {
    format!(
        "IF {found} THEN RAISE EXCEPTION USING ERRCODE = '{OTHER_ROWS}', MESSAGE = {message}, HINT = {}; END IF;",
        builder.dialect.literal(hint)
    )
}

/// Writes the statements after which nothing of this transaction acts any more without a statement of its own, so that what is counted
/// then is what is committed.
///
/// Deferred triggers fire (manual, SET CONSTRAINTS). One that fires may put others off again; each of those waits for a row that was
/// written, so that none is left once a round has written nothing. The query of a cursor WITH HOLD runs at the commit (manual, DECLARE).
fn settled(builder: &Builder<'_>) -> Vec<String> {
    let literal = |text: &str| builder.dialect.literal(text);
    vec![
        stop(
            builder,
            "pg_catalog.current_setting('track_counts') <> 'on'",
            &literal(
                "track_counts is off, so the server does not count the rows that triggers change; nothing was changed",
            ),
            "SET track_counts = on, as a superuser.",
        ),
        format!("FOR _referee_round IN 0..{ROUNDS} LOOP"),
        format!("  _referee_written := {WRITTEN};"),
        "  SET CONSTRAINTS ALL IMMEDIATE;".to_string(),
        format!("  EXIT WHEN {WRITTEN} = _referee_written;"),
        format!(
            "  {}",
            stop(
                builder,
                &format!("_referee_round = {ROUNDS}"),
                &literal("deferred triggers put off others again and again; rolled back"),
                "A constraint trigger defers itself or another one (SET CONSTRAINTS). Look at it, and change these rows by hand.",
            )
        ),
        "END LOOP;".to_string(),
        stop(
            builder,
            "EXISTS (SELECT 1 FROM pg_catalog.pg_cursors c WHERE c.is_holdable)",
            "pg_catalog.concat('a cursor WITH HOLD is open, whose query runs at the commit: ', (SELECT \
             pg_catalog.string_agg(c.name, ', ') FROM pg_catalog.pg_cursors c WHERE c.is_holdable), '; rolled back')",
            "A trigger or function opens it, or this session did before: CLOSE it.",
        ),
    ]
}

/// Writes the statements around some that make a table, and what stops the block if they change anything else: `own` are the
/// relations made, a query of their oids.
pub(super) fn beside_making(builder: &Builder<'_>, own: &str, indent: &str) -> (String, String) {
    let numbers = format!(
        "(SELECT ARRAY[COALESCE(pg_catalog.sum(s.n_tup_upd + s.n_tup_del), 0)::pg_catalog.int8, {}] FROM \
         pg_catalog.pg_stat_xact_user_tables s)",
        LOCKED.replacen("WHERE", &format!("WHERE l.relation NOT IN ({own}) AND"), 1)
    );
    let mut lines = settled(builder);
    lines.push(format!("_referee_after := {numbers};"));
    lines.push(stop(
        builder,
        "_referee_after <> _referee_before",
        &builder.dialect.literal(
            "when the backup table was made, rows of other tables changed, or one was emptied, rewritten, made or dropped; rolled back",
        ),
        EVENT_TRIGGERS,
    ));
    (format!("_referee_before := {numbers};"), lines.join(&format!("\n{indent}")))
}

/// What to do about a backup table that something meddles with.
pub(super) const EVENT_TRIGGERS: &str = "An event trigger does so (\\dy in psql): ALTER EVENT TRIGGER its name DISABLE, run this again, and enable it again.";
