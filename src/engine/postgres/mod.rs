//! PostgreSQL.

mod dialect;

pub use dialect::DIALECT;

// TEMPORARY SHIM, to be replaced whole when the engine is merged: what the command line fills from its environment.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Environment {
    pub host: Option<String>,
    pub port: Option<String>,
    pub user: Option<String>,
    pub database: Option<String>,
    pub password: Option<Password>,
    pub sslmode: Option<String>,
    pub sslrootcert: Option<String>,
    pub passfile: Option<Password>,
    pub default_root_certificate: Option<std::path::PathBuf>,
    pub os_user: Option<String>,
}
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Password(pub String);
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
