//! PostgreSQL, and the connection that CockroachDB shares.

mod bind;
mod connect;
mod dialect;
mod errors;
mod fires;
mod inspect;
mod lookup;
mod passfile;
pub(in crate::engine) mod policies;
mod pooler;
mod session;
mod settings;
mod tls;
mod url;
mod wire;
mod writer;

pub use connect::{open, open_writer};
pub use dialect::DIALECT;
pub(crate) use fires::{RULE_PRINT, TRIGGER_JOINS, TRIGGER_PRINT};
pub use inspect::{Catalog, schema};
pub(in crate::engine) use inspect::{action, unwrapped};
pub use passfile::find as password_in_file;
pub(in crate::engine) use session::PostgresSession;
pub use url::{ChannelBinding, Environment, Host, Password, Roots, SessionAttributes, SslMode, Target, UrlError};
pub(crate) use writer::{ALLOWED, CHANGED, MORE_ROWS};
