//! Orphans: child rows whose parent row is missing.

mod scan;

pub use scan::{
    OrphanRows, Orphans, Outcome, Scan, ScanOptions, obstacle, orphan_query, orphan_rows, sample_query, scan,
};
