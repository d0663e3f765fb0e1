//! CockroachDB: PostgreSQL's language, foreign keys of its own.
//!
//! Docs: "Foreign Key Constraint" (FK), "Online Schema Changes", "ALTER TABLE"; the logic tests `fk`, `cascade` and
//! `alter_table`. None of it was tried on a server.

use super::{
    Alter, Deferral, Errors, Facts, FiringOrder, Keys, LateCheck, LookupCollation, MissingParent, Names, ParentKey,
    SetDefault, SetType, Triggers, Types, postgres,
};
use crate::schema::{DataType, Family};

pub(super) static FACTS: Facts = Facts {
    names: Names { ignore_case: false },
    keys: Keys {
        // Logic test fk: a primary key or a full unique index, in any order of its columns (42830).
        parent: ParentKey::Unique,
        not_unique: None,
        missing_parent: MissingParent::Refused,
        parent_index_collation: false,
        enforced_by_connection: false,
        // FK, "Composite foreign key matching".
        match_full: true,
        // DEFERRABLE is no syntax of it (issue 31632).
        deferral: Deferral::Never,
        // FK: the same, "since CockroachDB does not support deferring constraint checking".
        restrict_is_no_action: true,
        // Logic test fk: cascades are carried out before refusals are checked.
        late_check: LateCheck::Always,
        refusal_wins: false,
        // Logic test fk: cascades in the order of creation.
        order: FiringOrder::Created,
        // foreign_key_cascades_limit, 10,000: rows reach that, a schema does not.
        cascade_limit: None,
        // Logic test fk: "cannot add a SET NULL cascading action on column … which has a NOT NULL constraint".
        set_null_refused: Some("42830"),
        set_columns_since: None,
        set_default: SetDefault::CarriedOut,
        writes_generated: false,
        // Release notes, 20.2: indexes on the referencing columns are no longer required, nor made.
        makes_index: false,
        // Both have one collation: a collated string is a type of its own.
        lookup_collation: LookupCollation::Same,
    },
    types: Types {
        // FK: both of one type family (42804).
        key: |child: &DataType, parent: &DataType| {
            child.base == parent.base || child.family == parent.family && child.family != Family::Timestamp
        },
        dynamic: false,
        casts_child: false,
        char_is_varchar: false,
        default_collation: "default",
        collations_ignore_case: false,
        bytes_decide: false,
        auto_number: Some("IDENTITY"),
        rowid: false,
        nullable_primary_key: false,
    },
    alter: Alter {
        rebuilds: false,
        set_type: SetType::Alter { using: false },
        set_collation: false,
        // "Online Schema Changes": a job validates the key, without locks on the tables.
        key_locks_parent: false,
        validate_lock: None,
        // Every index is built beside writes; the word only earns a notice.
        concurrent_index: false,
        dump_sorts_keys: false,
    },
    triggers: Triggers { cascades_fire_by: None },
    errors: Errors { not_null: None, no_parent: postgres::refused_insert, check: None },
};
