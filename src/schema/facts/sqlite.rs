//! SQLite: keys are read with the table's text, looked at when a row changes, and only where the connection asks for it.
//!
//! Manual: "SQLite Foreign Key Support" (FK), "Datatypes In SQLite" (types), "CREATE TABLE", "ALTER TABLE". Measured on
//! 3.40.1 and 3.53.4.

use super::{
    Alter, AlterOrder, CheckName, Client, ConstraintNames, Converts, DefaultSchema, Deferral, DoubleUnique, Errors,
    Facts, FiringOrder, ForeignKeyName, IndexName, Indexes, Keys, LateCheck, LookupCollation, MissingParent, Names,
    ParentKey, Scripts, SetDefault, SetType, Stop, Triggers, Types,
};

pub(super) static FACTS: Facts = Facts {
    names: Names {
        ignore_case: true,
        quote: '"',
        // "Quirks", 8: double-quoted string literals.
        quoted_may_be_string: true,
        default_schema: DefaultSchema::Fixed("main"),
        // Two constraints may be called alike; no statement names one.
        constraints: ConstraintNames::Remarks,
        not_null: false,
        // Indexes and tables share the names of a schema.
        indexes_by_table: false,
        foreign_key: ForeignKeyName::None,
        // build.c, sqlite3CreateIndex.
        index: IndexName::Autoindex,
        check: CheckName::None,
    },
    keys: Keys {
        // FK, 3: "foreign key mismatch", when the statement is prepared.
        parent: ParentKey::UniqueWhenUsed,
        not_unique: None,
        // FK, 3: a DML error, raised when the statement is prepared.
        missing_parent: MissingParent::Accepted,
        // FK, 3: the index must use the collations of the table's definition.
        parent_index_collation: true,
        // FK, 2: off unless the connection runs PRAGMA foreign_keys = ON.
        enforced_by_connection: true,
        // FK, 6: MATCH is read and ignored.
        match_full: false,
        // FK, 4.2: only DEFERRABLE INITIALLY DEFERRED.
        deferral: Deferral::Initially,
        // FK, 4.3: RESTRICT acts at once, even on a deferred key.
        restrict_is_no_action: false,
        // FK, 4.3: NO ACTION is checked at the end of the statement.
        late_check: LateCheck::NoAction,
        refusal_wins: false,
        // fkey.c, sqlite3FkReferences: a list at whose head each new key is put.
        order: FiringOrder::NewestFirst,
        // SQLITE_MAX_TRIGGER_DEPTH, 1,000: rows reach that, a schema does not.
        cascade_limit: None,
        // Accepted; the delete fails.
        set_null_refused: None,
        set_null_checked: None,
        set_columns_since: None,
        set_default: SetDefault::CarriedOut,
        inline: true,
        storage: None,
        // "CREATE TABLE", 3.7: a unique constraint has no deferral.
        unique_deferral_ignored: true,
        // The statement that the action makes fails: "cannot UPDATE generated column".
        writes_generated: true,
        // FK, 3: "an index should be created on the child key columns".
        makes_index: false,
        // fkey.c, sqlite3FkCheck: `fkChildIsModified` is not asked where the parent is the table itself.
        rechecks_own: true,
        // FK, 3: the parent's collation is used.
        lookup_collation: LookupCollation::Parent,
    },
    types: Types {
        key: |_, _| true,
        // Types, 3: affinity.
        dynamic: true,
        // Types, 3.1: both have text affinity, and no length means anything.
        char_is_varchar: true,
        // Types, 4.2: numeric affinity of the parent is applied to the child.
        converts: Converts::ByAffinity,
        backslash_escapes: false,
        // Types, 7.
        default_collation: "BINARY",
        collations_ignore_case: true,
        // Types, 7: NOCASE and RTRIM take different texts for equal, others may.
        deterministic: |_| false,
        bytes_decide: false,
        // "CREATE TABLE", 5: any INTEGER PRIMARY KEY is the rowid.
        auto_number: None,
        sequence_defaults: false,
        serial_sequence: false,
        forgets_null_default: false,
        rowid: true,
        // "CREATE TABLE", 3.5: a bug that is kept, except in STRICT and WITHOUT ROWID tables and for the rowid.
        nullable_primary_key: true,
    },
    alter: Alter {
        // "ALTER TABLE": no form of it adds or changes a key; 7 has the rebuild.
        rebuilds: true,
        // "The Schema Table", 2: the text of CREATE TABLE; alter.c edits it and reads it again.
        keeps_text: true,
        // "Isolation In SQLite": a change of the schema is a change like others.
        transactional: true,
        // One action a statement.
        order: AlterOrder::Written,
        set_type: SetType::Rebuild,
        set_collation: false,
        type_remakes_keys: false,
        // libSQL, ALTER COLUMN … TO.
        definition_replaces_keys: true,
        // Refused while an index names the column ("ALTER TABLE", 5).
        drop_column_trims_indexes: false,
        // FK, 5: the keys stay, and name a table that is not there.
        drop_takes_keys: false,
        drop_index_takes_keys: false,
        primary_key_first: false,
        // build.c, sqlite3CreateIndex: "there is already an index … no need to create another".
        double_unique: DoubleUnique::Shared,
        like_is_whole: false,
        inheritance: false,
        // A writer locks the whole file, with a key or without.
        key_locks_parent: false,
        validate_lock: None,
        // `.dump` writes the tables' own texts.
        dump_sorts_keys: false,
    },
    indexes: Indexes { included: None, concurrent: false, parts_alone: false },
    scripts: Scripts {
        client: Client::Sqlite3,
        // "Transaction", 2.2: the lock is taken at once, and not by the first write.
        begin: "BEGIN IMMEDIATE",
        // "SAVEPOINT": "the outermost savepoint … BEGIN DEFERRED TRANSACTION".
        savepoint_begins: true,
        stop: Stop::Check,
        local_lock_timeout: false,
        row_security: false,
        // PRAGMA foreign_key_check.
        lists_orphans: true,
        in_part: None,
        // A file is copied by VACUUM INTO, whose statement names the copy.
        copy: None,
    },
    triggers: Triggers {
        // 3.53: CREATE TRIGGER has IF NOT EXISTS only.
        replace: false,
        // "CREATE TRIGGER", 6.
        skips_row: Some(("ends with RAISE(IGNORE)", "may end with RAISE(IGNORE)")),
        // FK, 4.3; `fkey.c`: the violation that was counted for the parent stays counted.
        skipped_refuses: true,
        can_be_disabled: false,
        // FK, 4.2: an immediate key is checked when the statement ends, triggers included.
        checks_wait: true,
        cascades_fire_by: None,
    },
    errors: Errors {
        not_null: Some(|table, column| format!("NOT NULL constraint failed: {table}.{column}")),
        // 787, SQLITE_CONSTRAINT_FOREIGNKEY: no name of table or key.
        no_parent: |_, _| "FOREIGN KEY constraint failed".to_string(),
        no_partition: None,
        check: Some(|_, column, name| {
            format!("CHECK constraint failed: {}", name.map_or_else(|| format!("{column} IS NOT NULL"), str::to_string))
        }),
    },
};
