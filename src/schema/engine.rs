//! The engines referee knows, and their versions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A database engine. Engines differ in what the same foreign key means, so every schema says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite 3, and what keeps its file format.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// CockroachDB: PostgreSQL's protocol, foreign keys of its own.
    Cockroach,
    /// MySQL with InnoDB.
    Mysql,
    /// MariaDB with InnoDB.
    Mariadb,
}

impl Engine {
    /// Every engine.
    pub const ALL: &[Self] = &[Self::Sqlite, Self::Postgres, Self::Cockroach, Self::Mysql, Self::Mariadb];

    /// Returns the name the engine's makers write.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Cockroach => "CockroachDB",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

/// A server's version, comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The first number: 15 in PostgreSQL 15.18, 3 in SQLite 3.40.1.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number, 0 where the engine has none.
    #[serde(default)]
    pub patch: u32,
}

impl Version {
    /// Makes a version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads the first dotted number in a text such as `CockroachDB CCL v25.4.1 (x86_64…)` or `15.18 (Debian …)`.
    pub fn find_in(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let mut numbers = text[start..]
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?
            .split('.')
            .map(|n| n.parse().unwrap_or(0));
        Some(Self { major: numbers.next()?, minor: numbers.next().unwrap_or(0), patch: numbers.next().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_in_what_servers_say() {
        assert_eq!(Version::find_in("CockroachDB CCL v25.4.1 (x86_64-pc-linux-gnu)"), Some(Version::new(25, 4, 1)));
        assert_eq!(Version::find_in("15.18 (Debian 15.18-0+deb12u1)"), Some(Version::new(15, 18, 0)));
        assert_eq!(Version::find_in("19beta1"), Some(Version::new(19, 0, 0)));
        assert_eq!(Version::find_in("none"), None);
    }
}
