//! referee knows what happens to every row when another row is deleted.
//!
//! The library behind the `referee` command. [`app`] has a function for each job, from a `Request` to a `Response`; `examples/`
//! shows each:
//!
//! ```no_run
//! use referee::app::{self, audit};
//! use referee::engine::SessionOptions;
//! use referee::job::Context;
//! use referee::source::Source;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (input, _notes) = app::open(&Source::parse("shop.db")?, &SessionOptions::default())?;
//! let response = app::audit(audit::Request::new(input), &Context::default())?;
//! for finding in &response.report.findings {
//!     println!("{}: {}", finding.subject.place(), finding.message);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Below it data flows one way, and every stage is a function with plain data on both sides: a [`source`] gives a
//! [`schema::Schema`], [`relations`] make it a graph, [`rules`] find what is wrong, [`render`] shows it. Only `cli` prints, prompts,
//! reads the environment or exits. What is hidden here is for the command line and the tests, and changes without notice.

pub mod app;
pub mod apply;
pub mod audit;
pub mod change;
pub mod config;
#[cfg(feature = "sqlite")]
#[doc(hidden)]
pub mod demo;
pub mod engine;
pub mod fate;
#[doc(hidden)]
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
#[doc(hidden)]
pub mod rows;
pub mod rules;
pub mod schema;
pub mod source;
#[doc(hidden)]
pub mod sql;
#[doc(hidden)]
pub mod text;
pub mod verify;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
