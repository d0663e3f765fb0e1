//! Foreign text in a place where it could mean something else: a shell, a terminal, a comment of SQL, a message.
//!
//! Names, values and paths come from databases and users. One function for each place, used by everything that writes there.
//! Markdown and XML have theirs in `render`, the only room that writes them.

mod commands;
mod said;
mod secret;
mod shell;
mod sql;
mod visible;

pub use commands::with_source;
#[cfg(test)]
pub(crate) use said::reworded;
pub(crate) use said::said;
pub use secret::{masked, redact};
pub use shell::{argument, operand, quoted};
pub use sql::{closed, comment, do_block};
pub use visible::{commands_terminal, in_json, one_line, visible};
