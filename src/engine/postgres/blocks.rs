//! By which names a block of a plan and the connection that runs it talk to each other.

/// The setting by which a block of a plan is told how many rows it may change: a number for each bound of its step, with commas.
/// It only lowers the bound that is written in the block itself, which is all that a file has.
pub(crate) const ALLOWED: &str = "referee.rows";

/// The setting in which such a block leaves how many rows it changed. What is set in a transaction that is rolled back is undone
/// (manual, SET), so the number is that of the rows that were committed.
pub(crate) const CHANGED: &str = "referee.changed";

/// The SQLSTATE with which such a block stops before it changes more. No class of the server's begins so (manual, Appendix A).
pub(crate) const MORE_ROWS: &str = "RF001";
