//! How an engine compares values, types and collations.

use crate::schema::DataType;

/// How values, types and collations are compared.
pub struct Types {
    /// Whether a foreign key can be declared from a child's type to a parent's.
    pub key: fn(&DataType, &DataType) -> bool,
    /// Whether a column holds values of any type, and its own is only a preference (affinity).
    pub dynamic: bool,
    /// Whether a key between types without a common operator casts the child's value, which no index then finds.
    pub casts_child: bool,
    /// Whether `char` and `varchar` are compared without a conversion, blanks at the end aside.
    pub char_is_varchar: bool,
    /// The collation of a column that names none.
    pub default_collation: &'static str,
    /// Whether names of collations are compared without regard to case.
    pub collations_ignore_case: bool,
    /// Whether texts of deterministic collations are equal if their bytes are, whichever the collations.
    pub bytes_decide: bool,
    /// What a column says whose rows the engine numbers; `None` where that is the rowid's number and the column's own word
    /// is no sign of it.
    pub auto_number: Option<&'static str>,
    /// Whether rows have a hidden number, which an integer primary key is another name of.
    pub rowid: bool,
    /// Whether columns of a primary key can hold NULL.
    pub nullable_primary_key: bool,
}

impl Types {
    /// Tells whether two collations' names are one collation's.
    pub fn same_collation(&self, a: &str, b: &str) -> bool {
        if self.collations_ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }
}
