//! The engines, asked for real: what the inspectors say is compared with what was created.

mod sqlite;
