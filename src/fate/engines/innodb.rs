//! InnoDB (MySQL, MariaDB): every key is checked and acted on at once, row by row.
//!
//! MySQL manual, "FOREIGN KEY Constraints": InnoDB "checks UNIQUE and FOREIGN KEY constraints row-by-row" and NO ACTION is
//! RESTRICT. The keys that refer to a table are kept sorted by constraint name (`dict0mem.h`, `dict_foreign_compare`); on a
//! delete those that refer to the clustered index come first, then those of each other index. What a cascade sets off is
//! finished before the next child row. A row under deletion is marked in its clustered index first and in its other
//! indexes last (`row0upd.cc`), so a check that searches another index still finds it: a row that refers to itself, or that
//! stands in a circle, is in its own way. Levels of cascades are counted to 15 (`FK_MAX_CASCADE_DEL`), the deleted row's own
//! included: the fifteenth cascade fails (measured on MariaDB 10.11). SET DEFAULT is not carried out.

use super::{Semantics, When};

pub(super) static SEMANTICS: Semantics = Semantics {
    check: |_, _| When::Descent,
    contradiction: When::Descent,
    primary_first: true,
    ancestors_in_the_way: true,
    rechecks_changed_rows: false,
    cascades_fire_triggers: false,
    broken_keys_stop_deletes: false,
    order: "the names of the constraints",
    notes: |_| Vec::new(),
};
