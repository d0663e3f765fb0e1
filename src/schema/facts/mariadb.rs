//! MariaDB with InnoDB: as MySQL, except for what is said here.
//!
//! Documentation: "Foreign Keys" (FK), "ALTER TABLE". Measured on 10.11.

use super::mysql::MYSQL;
use super::{CascadeLimit, Facts, Keys, SetDefault, Triggers};

pub(super) static FACTS: Facts = Facts {
    keys: Keys {
        // Nothing restricts keys to columns that are not unique.
        not_unique: None,
        // InnoDB's own code.
        cascade_limit: Some(CascadeLimit { most: 14, error: "ERROR 1296, got error 193 from InnoDB" }),
        // CREATE TABLE: 1005, errno 150; MODIFY: 1830.
        set_null_refused: Some("1005 or 1830"),
        // It is stored as RESTRICT.
        set_default: SetDefault::Refuses { kept: false },
        ..MYSQL.keys
    },
    // FK, "Triggers": cascades fire none.
    triggers: Triggers { cascades_fire_by: None },
    ..MYSQL
};
