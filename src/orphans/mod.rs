//! Orphans: child rows whose parent row is missing.

mod scan;

pub use scan::{
    OrphanRows, Orphans, Outcome, ReferringRows, Scan, ScanOptions, obstacle, orphan_query, orphan_rows,
    referring_rows, sample_query, scan,
};
