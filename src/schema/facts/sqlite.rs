//! SQLite: keys are read with the table's text, looked at when a row changes, and only where the connection asks for it.
//!
//! Manual: "SQLite Foreign Key Support" (FK), "Datatypes In SQLite" (types), "CREATE TABLE", "ALTER TABLE". Measured on
//! 3.40.1 and 3.53.4.

use super::{
    Alter, Deferral, Errors, Facts, FiringOrder, Keys, LateCheck, LookupCollation, MissingParent, Names, ParentKey,
    SetDefault, SetType, Triggers, Types,
};

pub(super) static FACTS: Facts = Facts {
    names: Names { ignore_case: true },
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
        set_columns_since: None,
        set_default: SetDefault::CarriedOut,
        // The statement that the action makes fails: "cannot UPDATE generated column".
        writes_generated: true,
        // FK, 3: "an index should be created on the child key columns".
        makes_index: false,
        // FK, 3: the parent's collation is used.
        lookup_collation: LookupCollation::Parent,
    },
    types: Types {
        key: |_, _| true,
        // Types, 3: affinity.
        dynamic: true,
        casts_child: false,
        // Types, 3.1: both have text affinity, and no length means anything.
        char_is_varchar: true,
        // Types, 7.
        default_collation: "BINARY",
        collations_ignore_case: true,
        bytes_decide: false,
        // "CREATE TABLE", 5: any INTEGER PRIMARY KEY is the rowid.
        auto_number: None,
        rowid: true,
        // "CREATE TABLE", 3.5: a bug that is kept, except in STRICT and WITHOUT ROWID tables and for the rowid.
        nullable_primary_key: true,
    },
    alter: Alter {
        // "ALTER TABLE": no form of it adds or changes a key; 7 has the rebuild.
        rebuilds: true,
        set_type: SetType::Rebuild,
        set_collation: false,
        // A writer locks the whole file, with a key or without.
        key_locks_parent: false,
        validate_lock: None,
        concurrent_index: false,
        // `.dump` writes the tables' own texts.
        dump_sorts_keys: false,
    },
    triggers: Triggers { cascades_fire_by: None },
    errors: Errors {
        not_null: Some(|table, column| format!("NOT NULL constraint failed: {table}.{column}")),
        // 787, SQLITE_CONSTRAINT_FOREIGNKEY: no name of table or key.
        no_parent: |_, _| "FOREIGN KEY constraint failed".to_string(),
        check: Some(|_, column, name| {
            format!("CHECK constraint failed: {}", name.map_or_else(|| format!("{column} IS NOT NULL"), str::to_string))
        }),
    },
};
