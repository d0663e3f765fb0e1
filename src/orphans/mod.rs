//! Orphans: child rows whose parent row is missing.

mod scan;

pub use scan::{DefaultParent, Orphans, Outcome, Scan, ScanOptions, obstacle, scan};
