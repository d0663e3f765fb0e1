//! MariaDB with InnoDB: as MySQL, except for what is said here.
//!
//! Documentation: "Foreign Keys" (FK), "ALTER TABLE". Measured on 10.11.

use super::mysql::MYSQL;
use super::{CascadeLimit, CheckName, Facts, Keys, Names, SetDefault, Triggers, Types};

pub(super) static FACTS: Facts = Facts {
    names: Names {
        // information_schema.CHECK_CONSTRAINTS: the column's name, or CONSTRAINT_1.
        check: CheckName::ColumnOrNumber,
        ..MYSQL.names
    },
    keys: Keys {
        // CREATE TABLE, REFERENCES: kept since 10.5.
        inline: true,
        // Nothing restricts keys to columns that are not unique.
        not_unique: None,
        // InnoDB's own code.
        cascade_limit: Some(CascadeLimit { most: 14, error: "ERROR 1296, got error 193 from InnoDB" }),
        // CREATE TABLE: 1005, errno 150; MODIFY: 1830.
        set_null_refused: Some("1005 or 1830"),
        // Whether a CHECK on the column is refused was not tried.
        set_null_checked: None,
        // It is stored as RESTRICT.
        set_default: SetDefault::Refuses { kept: false },
        ..MYSQL.keys
    },
    types: Types {
        // "Sequences": DEFAULT NEXTVAL(…), since 10.3.
        sequence_defaults: true,
        ..MYSQL.types
    },
    triggers: Triggers {
        // CREATE TRIGGER, OR REPLACE.
        replace: true,
        // FK: cascades fire none, and no setting has them do so.
        cascades_fire_by: None,
        ..MYSQL.triggers
    },
    ..MYSQL
};
