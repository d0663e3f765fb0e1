//! PostgreSQL, and the connection that CockroachDB shares.
//!
//! The feature `postgres` holds the connection; what is known of the engine without one is always here.

#[cfg(not(feature = "postgres"))]
mod absent;
#[cfg(feature = "postgres")]
mod bind;
mod blocks;
#[cfg(feature = "postgres")]
mod connect;
mod dialect;
#[cfg(feature = "postgres")]
mod errors;
mod fires;
mod inspect;
#[cfg(feature = "postgres")]
mod lookup;
mod passfile;
pub(in crate::engine) mod policies;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod session;
#[cfg(feature = "postgres")]
mod settings;
#[cfg(feature = "postgres")]
mod tls;
mod url;
#[cfg(feature = "postgres")]
mod wire;
#[cfg(feature = "postgres")]
mod writer;

#[cfg(not(feature = "postgres"))]
pub use absent::{open, open_writer};
pub(crate) use blocks::{ALLOWED, CHANGED, MORE_ROWS};
#[cfg(feature = "postgres")]
pub use connect::{open, open_writer};
pub use dialect::DIALECT;
pub(crate) use fires::{RULE_PRINT, TRIGGER_JOINS, TRIGGER_PRINT};
pub use inspect::{Catalog, schema};
pub(in crate::engine) use inspect::{action, unwrapped};
pub use passfile::find as password_in_file;
#[cfg(feature = "postgres")]
pub(in crate::engine) use session::PostgresSession;
pub use url::{ChannelBinding, Environment, Host, Password, Roots, SessionAttributes, SslMode, Target, UrlError};
