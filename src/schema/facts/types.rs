//! How an engine compares values, types and collations.

use crate::schema::DataType;

/// How values, types and collations are compared.
pub struct Types {
    /// Whether a foreign key can be declared from a child's type to a parent's.
    pub key: fn(&DataType, &DataType) -> bool,
    /// Whether a column holds values of any type, and its own is only a preference (affinity).
    pub dynamic: bool,
    /// When the child's value is converted to be compared with the parent's: no index of the child then finds it.
    pub converts: Converts,
    /// Whether `char` and `varchar` are compared without a conversion, blanks at the end aside.
    pub char_is_varchar: bool,
    /// Whether a backslash in a string literal gives what follows another meaning.
    pub backslash_escapes: bool,
    /// The collation of a column that names none.
    pub default_collation: &'static str,
    /// Whether names of collations are compared without regard to case.
    pub collations_ignore_case: bool,
    /// Whether values that are equal under a collation of this name are the same value.
    pub deterministic: fn(&str) -> bool,
    /// Whether texts of deterministic collations are equal if their bytes are, whichever the collations.
    pub bytes_decide: bool,
    /// What a column says whose rows the engine numbers; `None` where that is the rowid's number and the column's own word
    /// is no sign of it.
    pub auto_number: Option<&'static str>,
    /// Whether a default of `nextval(…)` numbers a column.
    pub sequence_defaults: bool,
    /// Whether a `serial` column has a default that is the next value of a sequence named after it.
    pub serial_sequence: bool,
    /// Whether the catalog keeps no `DEFAULT NULL`.
    pub forgets_null_default: bool,
    /// Whether rows have a hidden number, which an integer primary key is another name of.
    pub rowid: bool,
    /// Whether columns of a primary key can hold NULL.
    pub nullable_primary_key: bool,
}

/// When the child's value is converted to be compared with the parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Converts {
    /// Where the parent's affinity is numeric and the child's is not.
    ByAffinity,
    /// Where the two types have no operator in common.
    WithoutOperator,
    /// Never: a key between such types is refused.
    Never,
}

impl Types {
    /// Tells whether two collations' names are one collation's.
    pub fn same_collation(&self, a: &str, b: &str) -> bool {
        if self.collations_ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }
}
