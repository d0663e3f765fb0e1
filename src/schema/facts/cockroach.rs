//! CockroachDB: PostgreSQL's language, foreign keys of its own.
//!
//! Docs: "Foreign Key Constraint" (FK), "Online Schema Changes", "ALTER TABLE"; the logic tests `fk`, `cascade` and
//! `alter_table`. None of it was tried on a server.

use super::{
    Alter, AlterOrder, CheckName, Client, ConstraintNames, Converts, DefaultSchema, Deferral, DoubleUnique, Errors,
    Facts, FiringOrder, ForeignKeyName, IndexName, Indexes, Keys, LateCheck, LookupCollation, MissingParent, Names,
    ParentKey, Scripts, SetDefault, SetType, Stop, Triggers, Types, postgres,
};
use crate::schema::{DataType, Family};

pub(super) static FACTS: Facts = Facts {
    names: Names {
        ignore_case: false,
        quote: '"',
        quoted_may_be_string: false,
        default_schema: DefaultSchema::SearchPath("public"),
        constraints: ConstraintNames::OfTable,
        not_null: false,
        // DROP INDEX names table@index.
        indexes_by_table: true,
        foreign_key: ForeignKeyName::Columns,
        // A unique index is named like a constraint.
        index: IndexName::Columns { unique: "key" },
        check: CheckName::Columns,
    },
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
        set_null_checked: None,
        set_columns_since: None,
        set_default: SetDefault::CarriedOut,
        inline: true,
        storage: None,
        unique_deferral_ignored: false,
        writes_generated: false,
        // Release notes, 20.2: indexes on the referencing columns are no longer required, nor made.
        makes_index: false,
        rechecks_own: false,
        // Both have one collation: a collated string is a type of its own.
        lookup_collation: LookupCollation::Same,
    },
    types: Types {
        // FK: both of one type family (42804).
        key: |child: &DataType, parent: &DataType| {
            child.base == parent.base || child.family == parent.family && child.family != Family::Timestamp
        },
        dynamic: false,
        char_is_varchar: false,
        converts: Converts::Never,
        backslash_escapes: false,
        default_collation: "default",
        collations_ignore_case: false,
        deterministic: |_| true,
        bytes_decide: false,
        auto_number: Some("IDENTITY"),
        sequence_defaults: true,
        // Docs, "SERIAL": unique_rowid(), unless a setting says otherwise.
        serial_sequence: false,
        forgets_null_default: true,
        rowid: false,
        nullable_primary_key: false,
    },
    alter: Alter {
        rebuilds: false,
        keeps_text: false,
        // "Online Schema Changes": since v25.1 a change commits the open transaction first (autocommit_before_ddl).
        transactional: false,
        order: AlterOrder::Written,
        set_type: SetType::Alter { using: false },
        set_collation: false,
        type_remakes_keys: false,
        definition_replaces_keys: false,
        drop_column_trims_indexes: false,
        // Docs, "DROP TABLE", CASCADE.
        drop_takes_keys: true,
        // Docs, "DROP INDEX", CASCADE has them dropped; not replayed so far.
        drop_index_takes_keys: false,
        primary_key_first: true,
        double_unique: DoubleUnique::LeftOut,
        like_is_whole: false,
        // Partitions are parts of indexes, no tables.
        inheritance: false,
        // "Online Schema Changes": a job validates the key, without locks on the tables.
        key_locks_parent: false,
        validate_lock: None,
        dump_sorts_keys: false,
    },
    indexes: Indexes {
        // Docs, "CREATE INDEX".
        included: Some("STORING"),
        // Every index is built beside writes; the word only earns a notice.
        concurrent: false,
        parts_alone: false,
    },
    scripts: Scripts {
        // `cockroach sql` is as good; psql speaks to it, and files for it are the same.
        client: Client::Cockroach,
        begin: "BEGIN",
        // As PostgreSQL.
        savepoint_begins: false,
        // DO is known since v24.1 and not relied on.
        stop: Stop::Cast,
        local_lock_timeout: false,
        row_security: false,
        lists_orphans: false,
        in_part: Some(
            "CockroachDB before v25.1 (or with autocommit_before_ddl off) may make changes of a schema in part only",
        ),
        // Docs, "BACKUP": a copy needs a place of its own.
        copy: None,
    },
    triggers: Triggers {
        replace: true,
        skips_row: Some(("returns NULL", "may return NULL")),
        skipped_refuses: false,
        can_be_disabled: false,
        checks_wait: false,
        cascades_fire_by: None,
    },
    errors: Errors { not_null: None, no_parent: postgres::refused_insert, check: None, no_partition: None },
};
