//! Database URLs, as libpq reads them (manual, "Connection URIs" and "Parameter Key Words"). Text in, values out: nothing
//! here reads the environment, a file, or connects.

use std::fmt;
use std::path::PathBuf;

use super::passfile;

/// A URL that cannot be understood. Never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UrlError {
    /// What is wrong with it.
    pub message: String,
}

impl UrlError {
    pub(in crate::engine) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// A password, which no output shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What stands in the place of what a URL leaves out. The command line fills it from its environment.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `PGHOST`.
    pub host: Option<String>,
    /// `PGPORT`.
    pub port: Option<String>,
    /// `PGUSER`.
    pub user: Option<String>,
    /// `PGDATABASE`.
    pub database: Option<String>,
    /// `PGPASSWORD`.
    pub password: Option<Password>,
    /// `PGSSLMODE`.
    pub sslmode: Option<String>,
    /// `PGSSLROOTCERT`.
    pub sslrootcert: Option<String>,
    /// The text of the password file (`PGPASSFILE`, else `~/.pgpass`). libpq ignores one that others may read.
    pub passfile: Option<Password>,
    /// `~/.postgresql/root.crt`, if there is such a file.
    pub default_root_certificate: Option<PathBuf>,
    /// The name of the operating system's user.
    pub os_user: Option<String>,
}

impl Environment {
    /// Fills in what variables say. The password file and the default certificate are files, and the user's name is the
    /// system's: they are the caller's to ask for.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let filled = |name: &str| variable(name).filter(|v| !v.is_empty());
        Self {
            host: filled("PGHOST"),
            port: filled("PGPORT"),
            user: filled("PGUSER"),
            database: filled("PGDATABASE"),
            password: filled("PGPASSWORD").map(Password),
            sslmode: filled("PGSSLMODE"),
            sslrootcert: filled("PGSSLROOTCERT"),
            passfile: None,
            default_root_certificate: None,
            os_user: filled("USER").or_else(|| filled("LOGNAME")),
        }
    }
}

/// How a connection is made, everything decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The servers to try, in order.
    pub hosts: Vec<Host>,
    /// The user.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, if one is known, that the URL or the environment gives for every host.
    pub password: Option<Password>,
    /// How TLS is used.
    pub sslmode: SslMode,
    /// Where trusted certificates come from.
    pub roots: Roots,
    /// The client's certificate and its key, as files.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Seconds to wait for each host; 0 for ever.
    pub connect_timeout: Option<u64>,
    /// What the server shows as the connection's name.
    pub application_name: String,
    /// Settings for the server process: `-c name=value`.
    pub options: Option<String>,
    /// What kind of server is wanted.
    pub session: SessionAttributes,
    /// Whether channel binding is used.
    pub channel_binding: ChannelBinding,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A host name, an address, or the directory of a socket.
    pub name: String,
    /// The address to connect to instead of looking up the name.
    pub address: Option<std::net::IpAddr>,
    /// The port.
    pub port: u16,
    /// The password that the password file has for it.
    pub password: Option<Password>,
}

impl Host {
    /// Tells whether it is the directory of a Unix socket.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with(['/', '@'])
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "socket {}/.s.PGSQL.{}", self.name, self.port)
        } else if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Where trusted certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Nowhere: the server's certificate is not verified.
    None,
    /// A file.
    File(PathBuf),
    /// The operating system's.
    System,
}

/// `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SessionAttributes {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// `channel_binding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

/// What a URL may say after the `?`.
const PARAMETERS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// What makes no difference to reading a catalog: tuning of libpq, and what ORMs add to a URL for themselves.
const IGNORED: &[&str] = &[
    "client_encoding",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// libpq's default directories for sockets: Debian's, then upstream's.
const SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/tmp"];

#[derive(Default)]
struct Parts {
    values: std::collections::BTreeMap<&'static str, String>,
}

impl Parts {
    fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name).filter(|v| !v.is_empty())
    }
}

impl Target {
    /// Writes where the database is: `db.example.com:5432/shop`.
    pub fn place(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(|h| format!("{}:{}", h.name, h.port)).collect();
        format!("{}/{}", hosts.join(","), self.database)
    }

    /// Reads a URL; what it leaves out comes from the environment, then from libpq's defaults.
    ///
    /// # Errors
    /// The URL is malformed, or has a parameter or a value that means nothing.
    pub fn parse(url: &str, environment: &Environment) -> Result<Self, UrlError> {
        let mut parts = split(url)?;
        let user = parts.take("user").or_else(|| environment.user.clone()).or_else(|| environment.os_user.clone());
        let user = user.ok_or_else(|| {
            UrlError::new("the URL names no user, nor does PGUSER; write postgres://USER@HOST/DATABASE")
        })?;
        let database = parts.take("dbname").or_else(|| environment.database.clone()).unwrap_or_else(|| user.clone());
        let mut hosts = hosts(&mut parts, environment)?;
        let password = parts.take("password").map(Password).or_else(|| environment.password.clone());
        if let (None, Some(text)) = (&password, &environment.passfile) {
            for host in &mut hosts {
                let place = if SOCKET_DIRECTORIES.contains(&host.name.as_str()) { "localhost" } else { &host.name };
                host.password = passfile::find(&text.0, place, host.port, &database, &user).map(Password);
            }
        }
        let (sslmode, roots) = tls(&mut parts, environment)?;
        let client_certificate = match (parts.take("sslcert"), parts.take("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(UrlError::new("sslcert and sslkey go together: the URL has only one of them")),
        };
        let connect_timeout = match parts.take("connect_timeout") {
            Some(text) => Some(text.parse().map_err(|_| bad("connect_timeout", &text, "a number of seconds"))?),
            None => None,
        };
        let session = choice(&mut parts, "target_session_attrs", SESSIONS)?.unwrap_or(SessionAttributes::Any);
        let channel_binding = choice(&mut parts, "channel_binding", BINDINGS)?.unwrap_or(ChannelBinding::Prefer);
        Ok(Self {
            hosts,
            user,
            database,
            password,
            sslmode,
            roots,
            client_certificate,
            connect_timeout,
            application_name: parts.take("application_name").unwrap_or_else(|| "referee".into()),
            options: parts.take("options"),
            session,
            channel_binding,
        })
    }
}

const MODES: &[(&str, SslMode)] = &[
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

const SESSIONS: &[(&str, SessionAttributes)] = &[
    ("any", SessionAttributes::Any),
    ("read-write", SessionAttributes::ReadWrite),
    ("read-only", SessionAttributes::ReadOnly),
    ("primary", SessionAttributes::Primary),
    ("standby", SessionAttributes::Standby),
    ("prefer-standby", SessionAttributes::PreferStandby),
];

const BINDINGS: &[(&str, ChannelBinding)] =
    &[("disable", ChannelBinding::Disable), ("prefer", ChannelBinding::Prefer), ("require", ChannelBinding::Require)];

fn bad(name: &str, value: &str, wanted: &str) -> UrlError {
    UrlError::new(format!("{name}={value} means nothing; {name} is {wanted}"))
}

fn one_of<T: Copy>(name: &str, value: &str, choices: &[(&str, T)]) -> Result<T, UrlError> {
    let found = choices.iter().find(|(word, _)| *word == value);
    let words = || choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.map(|(_, meaning)| *meaning).ok_or_else(|| bad(name, value, &format!("one of {}", words())))
}

fn choice<T: Copy>(parts: &mut Parts, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, UrlError> {
    parts.take(name).map(|value| one_of(name, &value, choices)).transpose()
}

fn tls(parts: &mut Parts, environment: &Environment) -> Result<(SslMode, Roots), UrlError> {
    let given = match (choice(parts, "sslmode", MODES)?, &environment.sslmode) {
        (Some(mode), _) => Some(mode),
        (None, Some(value)) if !value.is_empty() => Some(one_of("PGSSLMODE", value, MODES)?),
        _ => None,
    };
    let certificate = parts.take("sslrootcert").or_else(|| environment.sslrootcert.clone().filter(|v| !v.is_empty()));
    if certificate.as_deref() == Some("system") {
        // "system" trusts every public authority, which is worth nothing without the name (manual, sslrootcert).
        return match given {
            None | Some(SslMode::VerifyFull) => Ok((SslMode::VerifyFull, Roots::System)),
            Some(_) => Err(UrlError::new("sslrootcert=system needs sslmode=verify-full")),
        };
    }
    let mode = given.unwrap_or(SslMode::Prefer);
    // "If a root CA file exists, the behavior of sslmode=require will be the same as that of verify-ca" (manual, "SSL
    // Support"); the chain is verified under the weaker modes too.
    let file = certificate.map(PathBuf::from).or_else(|| environment.default_root_certificate.clone());
    match (mode, file) {
        (SslMode::Disable, _) => Ok((mode, Roots::None)),
        (_, Some(file)) => Ok((mode, Roots::File(file))),
        // libpq wants sslrootcert=system to be written out here; a public authority's word for this very name is as good.
        (SslMode::VerifyFull, None) => Ok((mode, Roots::System)),
        (SslMode::VerifyCa, None) => Err(UrlError::new(
            "sslmode=verify-ca needs the authority's certificate: add sslrootcert=FILE, or use sslmode=verify-full",
        )),
        _ => Ok((mode, Roots::None)),
    }
}

fn hosts(parts: &mut Parts, environment: &Environment) -> Result<Vec<Host>, UrlError> {
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|t| t.split(',').map(str::to_string).collect()).unwrap_or_default()
    };
    let addresses = list(parts.take("hostaddr"));
    let mut names = list(parts.take("host"));
    if names.is_empty() && addresses.is_empty() {
        names = list(environment.host.clone().filter(|h| !h.is_empty()));
    }
    let ports = list(parts.take("port").or_else(|| environment.port.clone().filter(|p| !p.is_empty())));
    let count = names.len().max(addresses.len()).max(1);
    if !addresses.is_empty() && !names.is_empty() && addresses.len() != names.len() {
        return Err(UrlError::new(format!("{} hosts but {} addresses (hostaddr)", names.len(), addresses.len())));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(UrlError::new(format!("{count} hosts but {} ports", ports.len())));
    }
    let mut found = Vec::new();
    for i in 0..count {
        let port = match ports.get(i).or(ports.first()).map(String::as_str).unwrap_or("") {
            "" => 5432,
            text => {
                // The text is not shown: it may be the beginning of a password.
                text.parse().ok().filter(|p| *p > 0).ok_or_else(|| {
                    UrlError::new(
                        "the port is not a number from 1 to 65535 (in a password, write : as %3A and / as %2F)",
                    )
                })?
            }
        };
        let address = match addresses.get(i).map(String::as_str) {
            None | Some("") => None,
            Some(text) => Some(text.parse().map_err(|_| bad("hostaddr", text, "an IP address"))?),
        };
        let host = |name: &str| Host { name: name.to_string(), address, port, password: None };
        match names.get(i).map(String::as_str).unwrap_or("") {
            "" if address.is_some() => found.push(host(&addresses[i])),
            "" => found.extend(SOCKET_DIRECTORIES.iter().map(|d| host(d))),
            name => found.push(host(name)),
        }
    }
    Ok(found)
}

/// Takes a URL apart into parameters; `user:password@host:port/dbname` is a way to write some of them.
fn split(url: &str) -> Result<Parts, UrlError> {
    let mut parts = Parts::default();
    let rest = ["postgres://", "postgresql://"].iter().find_map(|s| {
        let head = url.get(..s.len())?;
        head.eq_ignore_ascii_case(s).then(|| &url[s.len()..])
    });
    let rest = rest.ok_or_else(|| UrlError::new("the URL does not begin with postgres:// or postgresql://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // A password with a / or ? that is not encoded ends the authority early. Without this its pieces would be taken for a
    // port or a database, and shown.
    let names_hold_at = || query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name.contains('@')));
    let password_may_go_on = authority.rsplit_once('@').is_none_or(|(userinfo, _)| userinfo.contains(':'));
    if path.contains('@') && password_may_go_on || names_hold_at() {
        return Err(UrlError::new(
            "the URL has an @ after its / or ?; in a password write / as %2F, ? as %3F, @ as %40",
        ));
    }
    // The last @: a password may hold one that somebody forgot to encode.
    let (userinfo, servers) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    parts.values.insert("user", decoded(user, "user")?);
    parts.values.insert("password", decoded(password, "password")?);
    parts.values.insert("dbname", decoded(path, "database")?);
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for server in servers.split(',') {
        let (name, port) = if let Some(v6) = server.strip_prefix('[') {
            let (name, after) =
                v6.split_once(']').ok_or_else(|| UrlError::new("the IPv6 address has no closing bracket"))?;
            let port = after.strip_prefix(':').or(if after.is_empty() { Some("") } else { None });
            (name, port.ok_or_else(|| UrlError::new("after an IPv6 address in brackets comes :PORT or /DATABASE"))?)
        } else {
            if server.matches(':').count() > 1 {
                return Err(UrlError::new(
                    "an IPv6 address is written in brackets: postgres://user@[::1]:5432/database",
                ));
            }
            server.split_once(':').unwrap_or((server, ""))
        };
        names.push(decoded(name, "host")?);
        ports.push(decoded(port, "port")?);
    }
    for (name, list) in [("host", names), ("port", ports)] {
        if list.iter().any(|v| !v.is_empty()) {
            parts.values.insert(name, list.join(","));
        }
    }
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name, "parameter")?;
        let value = decoded(value, &name)?;
        if name == "ssl" && value == "true" {
            // As libpq reads it, for JDBC's sake.
            parts.values.insert("sslmode", "require".into());
        } else if let Some(known) = PARAMETERS.iter().find(|p| **p == name && name != "ssl") {
            parts.values.insert(known, value);
        } else if !IGNORED.contains(&name.as_str()) {
            let near = PARAMETERS.iter().map(|p| (strsim::damerau_levenshtein(p, &name), *p)).min();
            let near = near.filter(|(distance, _)| *distance <= 3);
            let near = near.map_or_else(String::new, |(_, p)| format!("; did you mean \"{p}\"?"));
            return Err(UrlError::new(format!("the URL has an unknown parameter \"{name}\"{near}")));
        }
    }
    Ok(parts)
}

/// Decodes `%41`. `what` names the part, because its text may be a password.
fn decoded(text: &str, what: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(0) | None => {
                return Err(UrlError::new(format!(
                    "the URL's {what} has a % that two hex digits do not follow; write %25"
                )));
            }
            Some(value) => bytes.push(value),
        }
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| UrlError::new(format!("the URL's {what} is not UTF-8")))
}

#[cfg(test)]
mod tests;
