//! MySQL with InnoDB: every key is checked and acted on at once, row by row.
//!
//! Manual: "FOREIGN KEY Constraints" (FK, 15.1.20.5), "Online DDL Operations" (17.12.1). Measured on 9.7.4.

use super::{
    Alter, AlterOrder, CascadeLimit, CheckName, Client, ConstraintNames, Converts, DefaultSchema, Deferral,
    DoubleUnique, Errors, Facts, FiringOrder, ForeignKeyName, IndexName, Indexes, Keys, LateCheck, LookupCollation,
    MissingParent, Names, ParentKey, Scripts, SetDefault, SetType, Stop, Triggers, Types,
};
use crate::schema::{DataType, Family};

/// MySQL's facts; MariaDB says where it differs.
pub(super) const MYSQL: Facts = Facts {
    names: Names {
        // "Identifier Case Sensitivity", 11.2.3: columns, indexes and constraints always; tables by lower_case_table_names.
        ignore_case: true,
        // "Schema Object Names", 11.2.
        quote: '`',
        quoted_may_be_string: false,
        default_schema: DefaultSchema::InUse,
        // FK, "Conditions and Restrictions": 1826 for two foreign keys; an index may have the name.
        constraints: ConstraintNames::OfKind,
        not_null: false,
        // CREATE INDEX.
        indexes_by_table: true,
        // FK: table_ibfk_1.
        foreign_key: ForeignKeyName::Number,
        // CREATE TABLE: the first column's name, with a number where it is taken.
        index: IndexName::FirstColumn,
        // "CHECK Constraints", 15.1.20.6: table_chk_1.
        check: CheckName::TableNumber,
    },
    keys: Keys {
        // FK, "Restrictions": an index whose first columns are the ones referred to (1822 without).
        parent: ParentKey::Indexed,
        // "Server System Variables", restrict_fk_on_non_standard_key (6125).
        not_unique: Some("MySQL 8.4 refuses new keys of this kind by default (`restrict_fk_on_non_standard_key`)."),
        // FK: 1824; "Server System Variables", foreign_key_checks: not if that is 0, as dumps have it.
        missing_parent: MissingParent::RefusedUnlessOff,
        parent_index_collation: false,
        enforced_by_connection: false,
        // FK: MATCH is read and ignored.
        match_full: false,
        // FK: no syntax for it (1064).
        deferral: Deferral::Never,
        // FK, "Referential Actions": NO ACTION is equivalent to RESTRICT.
        restrict_is_no_action: true,
        // FK: InnoDB checks row by row, at once.
        late_check: LateCheck::Never,
        // RESTRICT and CASCADE on one column: 1451.
        refusal_wins: true,
        // dict0mem.h, dict_foreign_compare.
        order: FiringOrder::Named,
        // FK, "Referential Actions": 15 levels, the deleted row's own included.
        cascade_limit: Some(CascadeLimit {
            most: 14,
            error: "ERROR 3008, foreign key cascade delete/update exceeds max depth of 15",
        }),
        set_null_refused: Some("1830"),
        // "CHECK Constraints", 15.1.20.6: prohibited on columns that a referential action writes.
        set_null_checked: Some("3823"),
        set_columns_since: None,
        // The manual has InnoDB refuse the word; 9.7 keeps it and refuses the delete (1451).
        set_default: SetDefault::Refuses { kept: true },
        // FK: read and ignored up to 8.4; 9 keeps it.
        inline: false,
        // FK: other storage engines read the clause and forget it.
        storage: Some("innodb"),
        unique_deferral_ignored: false,
        // 3104 where it is declared.
        writes_generated: false,
        // FK, "Conditions and Restrictions": made by itself if there is none.
        makes_index: true,
        rechecks_own: false,
        // Both have one (3780 otherwise).
        lookup_collation: LookupCollation::Same,
    },
    types: Types {
        key: accepts,
        dynamic: false,
        // "The CHAR and VARCHAR Types", 13.3.2: blanks are taken off when a CHAR is read; 10.3.1 compares without them.
        char_is_varchar: true,
        // 3780 between types that would have to be converted.
        converts: Converts::Never,
        // "String Literals", 11.1.1, unless NO_BACKSLASH_ESCAPES is set.
        backslash_escapes: true,
        default_collation: "default",
        collations_ignore_case: false,
        // "Collation Naming Conventions", 12.3.1.
        deterministic: |name| name.ends_with("_bin"),
        bytes_decide: false,
        auto_number: Some("AUTO_INCREMENT"),
        // There are no sequences.
        sequence_defaults: false,
        serial_sequence: false,
        forgets_null_default: false,
        rowid: false,
        nullable_primary_key: false,
    },
    alter: Alter {
        rebuilds: false,
        keeps_text: false,
        // "Statements That Cause an Implicit Commit", 15.3.3.
        transactional: false,
        // sql_table.cc, mysql_prepare_alter_table.
        order: AlterOrder::DropsFirst,
        // ALTER TABLE, MODIFY: the whole definition is written again.
        set_type: SetType::Modify,
        set_collation: false,
        type_remakes_keys: false,
        definition_replaces_keys: false,
        // ALTER TABLE, DROP COLUMN: "the columns are also removed from any index of which they are a part".
        drop_column_trims_indexes: true,
        // DROP TABLE: CASCADE means nothing; 3730 while a key refers to it.
        drop_takes_keys: false,
        drop_index_takes_keys: false,
        primary_key_first: false,
        double_unique: DoubleUnique::Made,
        // CREATE TABLE … LIKE: all columns, indexes and CHECKs, no foreign keys.
        like_is_whole: true,
        inheritance: false,
        // A statement of DDL commits at its end ("Statements That Cause an Implicit Commit", 15.3.3).
        key_locks_parent: false,
        // There is nothing like it: a key is validated when it is added, or never.
        validate_lock: None,
        dump_sorts_keys: false,
    },
    indexes: Indexes {
        included: None,
        // "Online DDL Operations", 17.12.1: every index is built beside writes where it can be.
        concurrent: false,
        parts_alone: false,
    },
    scripts: Scripts {
        client: Client::Mysql,
        begin: "START TRANSACTION",
        // It is gone with its own statement.
        savepoint_begins: false,
        // "SIGNAL Statement", 15.6.7.5.
        stop: Stop::Signal,
        local_lock_timeout: false,
        row_security: false,
        lists_orphans: false,
        in_part: Some("every change of a schema commits by itself"),
        copy: None,
    },
    triggers: Triggers {
        // 1359: there is no OR REPLACE.
        replace: false,
        // A BEFORE trigger refuses a row by SIGNAL, and passes over none.
        skips_row: None,
        skipped_refuses: false,
        can_be_disabled: false,
        checks_wait: false,
        cascades_fire_by: Some(
            "MySQL 9.7 and later fire them if enable_cascade_triggers is ON, which is not the default.",
        ),
    },
    errors: Errors {
        not_null: None,
        no_parent: |_, _| "ERROR 1452, a foreign key constraint fails".to_string(),
        check: None,
        no_partition: None,
    },
};

pub(super) static FACTS: Facts = MYSQL;

/// FK, "Conditions and Restrictions": size and sign of fixed precision types must be the same (3780), the length of texts
/// need not be. A DECIMAL may differ in precision (measured on 9.7.4).
fn accepts(child: &DataType, parent: &DataType) -> bool {
    child.family == parent.family
        && (child.base == parent.base || child.family == Family::Text)
        && child.unsigned == parent.unsigned
}
