//! How an engine compares names.

/// How names of tables, columns, constraints and indexes are compared.
pub struct Names {
    /// Whether names are compared without regard to case, quoted ones too.
    pub ignore_case: bool,
}
