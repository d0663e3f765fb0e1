//! PostgreSQL: a key is a set of internal triggers on both tables.
//!
//! Manual: CREATE TABLE, ALTER TABLE, "Collation Support" (24.2). Measured on 15.18 and 18.4.

use super::{
    Alter, AlterOrder, CheckName, Client, ConstraintNames, Converts, DefaultSchema, Deferral, DoubleUnique, Errors,
    Facts, FiringOrder, ForeignKeyName, IndexName, Indexes, Keys, LateCheck, LookupCollation, MissingParent, Names,
    ParentKey, Scripts, SetDefault, SetType, Stop, Triggers, Types,
};
use crate::schema::{DataType, Family};

pub(super) static FACTS: Facts = Facts {
    names: Names {
        // "SQL Syntax", 4.1.1: unquoted names are folded, quoted ones are compared as they are.
        ignore_case: false,
        quote: '"',
        quoted_may_be_string: false,
        // "Schemas", 5.10.2.
        default_schema: DefaultSchema::SearchPath("public"),
        constraints: ConstraintNames::OfTable,
        // Release notes, 18: NOT NULL constraints are stored in pg_constraint.
        not_null: true,
        // CREATE INDEX, name: distinct from any relation of the schema.
        indexes_by_table: false,
        // indexcmds.c, ChooseConstraintName.
        foreign_key: ForeignKeyName::Columns,
        index: IndexName::Columns { unique: "idx" },
        check: CheckName::Columns,
    },
    keys: Keys {
        // CREATE TABLE, REFERENCES: a non-deferrable unique or primary key (42830, 55000).
        parent: ParentKey::Unique,
        not_unique: None,
        // 42P01, 42703.
        missing_parent: MissingParent::Refused,
        // An index of another collation is accepted as the parent's key.
        parent_index_collation: false,
        enforced_by_connection: false,
        // CREATE TABLE, MATCH.
        match_full: true,
        // CREATE TABLE, DEFERRABLE.
        deferral: Deferral::Any,
        // CREATE TABLE, RESTRICT: "the same as NO ACTION except that the check is not deferrable".
        restrict_is_no_action: false,
        // "Overview of Trigger Behavior", 39.1; CREATE TABLE: only NO ACTION can be put off.
        late_check: LateCheck::NoActionDeferred,
        refusal_wins: false,
        // 39.1: triggers fire in the order of their names, and the internal ones' are numbers.
        order: FiringOrder::Created,
        cascade_limit: None,
        // Accepted; the delete fails with 23502.
        set_null_refused: None,
        set_null_checked: None,
        // Release notes, 15: SET NULL and SET DEFAULT with a list of columns.
        set_columns_since: Some(15),
        set_default: SetDefault::CarriedOut,
        inline: true,
        storage: None,
        unique_deferral_ignored: false,
        // "invalid ON DELETE action for foreign key constraint containing generated column".
        writes_generated: false,
        // "Constraints", 5.4.5: the declaration makes no index on the referencing columns.
        makes_index: false,
        rechecks_own: false,
        // ri_triggers.c, ri_GenerateQualCollation: written out only if the parent's is not deterministic. 18 refuses a key
        // between two collations one of which is not (42P21).
        lookup_collation: LookupCollation::ParentUnlessDeterministic,
    },
    types: Types {
        key: accepts,
        dynamic: false,
        // "Character Types", 8.3: char is padded, and the blanks are no part of its comparisons.
        char_is_varchar: false,
        // tablecmds.c, ATAddForeignKeyConstraint: without an operator for the two types the child's value is cast.
        converts: Converts::WithoutOperator,
        // "String Constants", 4.1.2.1: only in E'…', as long as standard_conforming_strings is on.
        backslash_escapes: false,
        default_collation: "default",
        collations_ignore_case: false,
        // CREATE COLLATION, DETERMINISTIC: only where one was made otherwise; the catalog tells.
        deterministic: |_| true,
        // "Collation Support", 24.2.2.4: deterministic collations go by the bytes.
        bytes_decide: true,
        auto_number: Some("IDENTITY"),
        sequence_defaults: true,
        // "Serial Types", 8.1.4.
        serial_sequence: true,
        // heap.c, AddRelationNewConstraints.
        forgets_null_default: true,
        rowid: false,
        nullable_primary_key: false,
    },
    alter: Alter {
        rebuilds: false,
        keeps_text: false,
        transactional: true,
        // tablecmds.c, AT_PASS_DROP and so on.
        order: AlterOrder::Passes,
        // ALTER TABLE, SET DATA TYPE.
        set_type: SetType::Alter { using: true },
        set_collation: true,
        // tablecmds.c, ATPostAlterTypeCleanup.
        type_remakes_keys: true,
        definition_replaces_keys: false,
        // ALTER TABLE, DROP COLUMN: indexes of the column go.
        drop_column_trims_indexes: false,
        // DROP TABLE, CASCADE.
        drop_takes_keys: true,
        // DROP INDEX, CASCADE.
        drop_index_takes_keys: true,
        // parse_utilcmd.c, transformIndexConstraints.
        primary_key_first: true,
        // parse_utilcmd.c: the one that stays takes the name over.
        double_unique: DoubleUnique::NamesOther,
        like_is_whole: false,
        // "Inheritance", 5.11; "Table Partitioning", 5.12.
        inheritance: true,
        // ALTER TABLE: SHARE ROW EXCLUSIVE on both tables.
        key_locks_parent: true,
        // ALTER TABLE, VALIDATE CONSTRAINT: and ROW SHARE on the parent.
        validate_lock: Some("SHARE UPDATE EXCLUSIVE"),
        // pg_dump_sort.c, DOTypeNameCompare.
        dump_sorts_keys: true,
    },
    indexes: Indexes {
        // CREATE INDEX, INCLUDE.
        included: Some("INCLUDE"),
        // CREATE INDEX, CONCURRENTLY: not on a partitioned table, but on each partition.
        concurrent: true,
        // "Multicolumn Indexes", 11.3.
        parts_alone: true,
    },
    scripts: Scripts {
        client: Client::Psql,
        begin: "BEGIN",
        // An error outside of a transaction block.
        savepoint_begins: false,
        // DO.
        stop: Stop::Block,
        // "Client Connection Defaults", lock_timeout.
        local_lock_timeout: true,
        // "Row Security Policies", 5.9.
        row_security: true,
        lists_orphans: false,
        in_part: None,
        copy: Some("pg_dump --format=custom --file=before.dump"),
    },
    triggers: Triggers {
        // CREATE TRIGGER, OR REPLACE.
        replace: true,
        // "Overview of Trigger Behavior", 39.1: a BEFORE trigger that returns NULL.
        skips_row: Some(("returns NULL", "may return NULL")),
        // `ri_triggers.c` looks at no row again that its own statement passed over.
        skipped_refuses: false,
        // ALTER TABLE, DISABLE TRIGGER, DISABLE RULE.
        can_be_disabled: true,
        // 39.1: a trigger's own statements end, and are checked, within it.
        checks_wait: false,
        cascades_fire_by: None,
    },
    errors: Errors {
        not_null: Some(|table, column| {
            format!(
                "ERROR 23502: null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"
            )
        }),
        no_parent: refused_insert,
        // `execPartition.c`; it is looked for before NOT NULL is checked (measured on 15.18).
        no_partition: Some(|table| format!("ERROR 23514: no partition of relation \"{table}\" found for row")),
        check: Some(|table, _, name| match name {
            Some(name) => format!("ERROR 23514: new row for relation \"{table}\" violates check constraint \"{name}\""),
            None => "ERROR 23514, check_violation".to_string(),
        }),
    },
};

/// Writes the error of a child row without a parent, as PostgreSQL does.
pub(super) fn refused_insert(table: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => {
            format!("ERROR 23503: insert or update on table \"{table}\" violates foreign key constraint \"{key}\"")
        }
        None => "ERROR 23503, foreign_key_violation".to_string(),
    }
}

/// Measured on 15.18: an `=` with the parent's type, or an implicit cast to it (42804 otherwise).
fn accepts(child: &DataType, parent: &DataType) -> bool {
    use Family::{Date, Decimal, Float, Integer, Text, Timestamp};
    let families = (child.family, parent.family);
    // No operator of citext's class takes a text without a cast ("Key columns … are of incompatible types", 42804).
    if parent.base == "citext" && child.base != "citext" {
        return false;
    }
    child.base == parent.base
        || matches!(
            families,
            (Integer, Integer | Decimal | Float)
                | (Decimal, Decimal | Float)
                | (Float, Float)
                | (Text, Text)
                | (Date | Timestamp, Date | Timestamp)
        )
        || matches!(
            (child.base.as_str(), parent.base.as_str()),
            // `cidr` and `inet` have one operator; the casts between the two addresses, and of `time`, are implicit.
            ("inet" | "cidr", "inet" | "cidr")
                | ("macaddr" | "macaddr8", "macaddr" | "macaddr8")
                | ("time", "timetz" | "interval")
        )
}
