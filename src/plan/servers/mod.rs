//! What the recipes of PostgreSQL and CockroachDB have in common: the schema as the steps so far leave it and the making of a step
//! (`builder`), what a key asks for before it is made (`keys`), backups of the rows that are changed (`backups`), and the SQL that
//! both write alike (`sql`). Nothing here is for another engine, and nothing outside of the two folders uses it.

pub(super) mod backups;
pub(super) mod builder;
pub(super) mod keys;
pub(super) mod sql;
