//! The environment: the only place where variables, the clock and the home directory are read.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use referee::config::Date;
use referee::engine::postgres::{Environment, Password};

/// What the environment says about colour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ColourWishes {
    /// `NO_COLOR` is set.
    pub never: bool,
    /// `CLICOLOR_FORCE` is set.
    pub always: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
}

pub(super) fn colour_wishes() -> ColourWishes {
    let set = |name: &str| env::var_os(name).is_some_and(|v| !v.is_empty());
    ColourWishes {
        // https://no-color.org: set and not empty, whatever the value.
        never: set("NO_COLOR"),
        always: set("CLICOLOR_FORCE") && env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0"),
        dumb: env::var_os("TERM").is_some_and(|v| v == "dumb"),
    }
}

/// Returns how wide the user says the terminal is.
pub(super) fn columns() -> Option<usize> {
    env::var("COLUMNS").ok()?.trim().parse().ok().filter(|c| *c > 0)
}

/// Returns what libpq's variables and files say where a PostgreSQL URL does not.
pub(super) fn postgres() -> Environment {
    let home = env::var_os("HOME").map(PathBuf::from);
    let passfile = env::var_os("PGPASSFILE").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".pgpass")));
    let certificate = home.as_ref().map(|h| h.join(".postgresql/root.crt"));
    let said = Environment::from_variables(|name| env::var(name).ok());
    Environment {
        passfile: passfile.and_then(|p| private_text(&p)).map(Password),
        default_root_certificate: certificate.filter(|c| c.is_file()),
        // libpq asks the system for the process's user, and only that (manual, "Parameter Key Words", user). A container's
        // user may have no name there: then the variables are better than nothing.
        os_user: whoami::username().ok().filter(|name| !name.is_empty()).or(said.os_user),
        ..said
    }
}

/// Reads a file that nobody else may read; like libpq, takes no password from another one.
/// (PostgreSQL manual, "The Password File": "If the permissions are less strict than this, the file will be ignored.")
fn private_text(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return None;
    }
    let _ = &metadata;
    fs::read_to_string(path).ok()
}

/// Returns today's date in UTC.
pub(super) fn today() -> Date {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    date(seconds / 86_400)
}

/// Returns the time as migration tools write it into names (fourteen digits, UTC), and in milliseconds since 1970.
pub(super) fn now() -> (String, u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (day, second) = (date(seconds / 86_400), seconds % 86_400);
    let digits = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        day.year,
        day.month,
        day.day,
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    (digits, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Returns the date that is some days after 1970-01-01.
fn date(mut days: u64) -> Date {
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let small = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
    Date { year: u16::try_from(year).unwrap_or(u16::MAX), month, day: small(days + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_password_file_that_others_may_read_is_ignored() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        fs::write(&path, "*:*:*:*:secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(private_text(&path), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(private_text(&path).is_some());
        assert_eq!(private_text(folder.path()), None);
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0).to_string(), "1970-01-01");
        assert_eq!(date(11_016).to_string(), "2000-02-29");
        assert_eq!(date(11_017).to_string(), "2000-03-01");
        assert_eq!(date(20_453).to_string(), "2025-12-31");
        assert_eq!(date(20_454).to_string(), "2026-01-01");
    }
}
