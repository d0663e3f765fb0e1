//! referee knows what happens to every row when another row is deleted.
//!
//! The library behind the `referee` command. Data flows one way, and every stage is a function with plain data on both
//! sides: a [`source`] gives a [`schema::Schema`], [`relations`] make it a graph, [`rules`] find what is wrong, [`render`]
//! shows it. Only `cli` prints, prompts, reads the environment or exits.

pub mod app;
pub mod apply;
pub mod audit;
pub mod change;
pub mod config;
#[cfg(feature = "sqlite")]
pub mod demo;
pub mod engine;
pub mod fate;
pub mod files;
pub mod findings;
pub mod hints;
pub mod infer;
pub mod job;
pub mod migration;
pub mod orphans;
pub mod plan;
pub mod relations;
pub mod render;
pub mod rows;
pub mod rules;
pub mod schema;
pub mod source;
pub mod sql;
pub mod text;
pub mod verify;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
