//! MySQL and MariaDB. Nothing is asked of them yet: their SQL is only written, for people to run.

mod dialect;

pub use dialect::{MARIADB, MYSQL};
