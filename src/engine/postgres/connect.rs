//! Makes a connection: host by host, with and without TLS in the order that `sslmode` says, as libpq does.

use std::io;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding as DriverBinding, SslMode as DriverMode};
use tokio_postgres::{Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{Dialect, EngineError, EngineErrorKind, Reader, SessionOptions, Writer};
use super::session::PostgresSession;
use super::url::{ChannelBinding, Host, SessionAttributes, SslMode, Target};
use super::wire::{Client, Failure};
use super::{errors, pooler, tls};
use crate::text::argument;

/// Connects to PostgreSQL, or to what speaks its protocol, to read.
///
/// # Errors
/// No host answers, refuses or is of the wanted kind: what the last one said.
pub fn open(target: &Target, options: &SessionOptions) -> Result<Box<dyn Reader>, EngineError> {
    Ok(Box::new(start(target, options)?.0))
}

/// Connects to PostgreSQL, or to what speaks its protocol, to write.
///
/// # Errors
/// No host answers, refuses or is of the wanted kind: what the last one said. The server is a replica, or a pooler is in between that
/// keeps no session for a connection.
pub fn open_writer(target: &Target, options: &SessionOptions) -> Result<Box<dyn Writer>, EngineError> {
    let (mut session, host) = start(target, options)?;
    if session.replica()?.is_some() {
        let message = format!("the server at {host} is a replica, and takes no changes");
        return Err(EngineError::new(EngineErrorKind::Connect, message)
            .hint("name the primary in the URL, or all hosts with target_session_attrs=read-write"));
    }
    if !session.is_cockroach() {
        let there = Target { hosts: vec![host.clone()], session: SessionAttributes::Any, ..target.clone() };
        let silent = SessionOptions { context: options.context.silent(), ..options.clone() };
        pooler::refuse(&mut session, move || Ok(start(&there, &silent)?.0), host)?;
    }
    session.let_write()?;
    Ok(Box::new(session))
}

fn start<'t>(target: &'t Target, options: &SessionOptions) -> Result<(PostgresSession, &'t Host), EngineError> {
    let connector = if target.sslmode == SslMode::Disable { None } else { Some(tls::connector(target)?) };
    let mut failure = None;
    // A standby is only preferred: in a second round any server will do.
    let rounds: &[SessionAttributes] = match target.session {
        SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
        ref one => std::slice::from_ref(one),
    };
    for wanted in rounds {
        for host in &target.hosts {
            match connect(target, host, connector.as_ref(), options) {
                Ok(mut client) => match suits(&mut client, *wanted) {
                    Ok(true) => return Ok((PostgresSession::start(client, &options.context)?, host)),
                    Ok(false) => {
                        let message =
                            format!("the server at {host} is not of the kind that target_session_attrs asks for");
                        failure = Some(
                            EngineError::new(EngineErrorKind::Connect, message)
                                .hint("add a host that is, or ask for another kind: target_session_attrs=any"),
                        );
                    }
                    Err(error) => failure = Some(explain(&error, target, host, true)),
                },
                // Another host would say the same of a user it does not know; libpq stops here too.
                Err(error) if error.kind == EngineErrorKind::Authentication => return Err(error),
                // Of libpq's two default sockets, the one that is there has more to say.
                Err(error) => {
                    if failure.is_none() || error.kind != EngineErrorKind::NotFound {
                        failure = Some(error);
                    }
                }
            }
        }
    }
    Err(failure.unwrap_or_else(|| EngineError::new(EngineErrorKind::Connect, "the URL names no host")))
}

fn connect(
    target: &Target,
    host: &Host,
    connector: Option<&MakeRustlsConnect>,
    options: &SessionOptions,
) -> Result<Client, EngineError> {
    let mut config = Config::new();
    config.user(&target.user).dbname(&target.database).application_name(&target.application_name);
    let password = target.password.as_ref().map(|p| &p.0).or(options.password.as_ref());
    let password = password.or(host.password.as_ref().map(|p| &p.0));
    if let Some(password) = password {
        config.password(password);
    }
    if let Some(settings) = &target.options {
        config.options(settings);
    }
    let limit = match target.connect_timeout.or(options.connect_timeout) {
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => Some(Duration::from_secs(30)),
    };
    config.channel_binding(match target.channel_binding {
        ChannelBinding::Disable => DriverBinding::Disable,
        ChannelBinding::Prefer => DriverBinding::Prefer,
        ChannelBinding::Require => DriverBinding::Require,
    });
    let explained = |failure| match failure {
        Failure::Socket(error) => unreachable(&error, host),
        Failure::Driver(error) => explain(&error, target, host, password.is_some()),
    };
    let plain = |config: &mut Config| Client::connect(config.ssl_mode(DriverMode::Disable), host, None, limit);
    let Some(connector) = connector.filter(|_| !host.is_socket()) else {
        // "sslmode is ignored for Unix domain socket communication" (manual).
        return plain(&mut config).map_err(explained);
    };
    let encrypted = |config: &mut Config, mode| Client::connect(config.ssl_mode(mode), host, Some(connector), limit);
    let result = match target.sslmode {
        SslMode::Disable => plain(&mut config),
        SslMode::Allow => plain(&mut config)
            .or_else(|first| if refused(&first) { encrypted(&mut config, DriverMode::Require) } else { Err(first) }),
        SslMode::Prefer => encrypted(&mut config, DriverMode::Prefer).or_else(|first| {
            // Not for a name or an address that leads nowhere: that has nothing to do with TLS.
            let other = matches!(&first, Failure::Driver(error) if refused(&first) || handshake_failed(error));
            if other { plain(&mut config).map_err(|_| first) } else { Err(first) }
        }),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => encrypted(&mut config, DriverMode::Require),
    };
    result.map_err(explained)
}

/// Tells whether the server refused this user over this kind of connection; `pg_hba.conf` may allow the other kind.
fn refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Driver(error) if error.code().is_some_and(|c| c.code().starts_with("28")))
}

fn handshake_failed(error: &Error) -> bool {
    error.to_string().contains("TLS")
}

fn suits(client: &mut Client, wanted: SessionAttributes) -> Result<bool, Error> {
    if wanted == SessionAttributes::Any {
        return Ok(true);
    }
    let sql = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    let answer = client.simple_query(sql)?;
    let row = answer.iter().find_map(|m| if let SimpleQueryMessage::Row(row) = m { Some(row) } else { None });
    let standby = row.and_then(|r| r.get(0)) == Some("t");
    let read_only = row.and_then(|r| r.get(1)) == Some("on");
    Ok(match wanted {
        SessionAttributes::Any | SessionAttributes::PreferStandby => true,
        SessionAttributes::ReadWrite => !read_only,
        SessionAttributes::ReadOnly => read_only,
        SessionAttributes::Primary => !standby,
        SessionAttributes::Standby => standby,
    })
}

/// Says what went wrong, at which server, and what to do.
fn explain(error: &Error, target: &Target, host: &Host, password_given: bool) -> EngineError {
    let (user, database) = (&target.user, &target.database);
    let make = |kind, message: String, hint: String| {
        let mut made = EngineError::new(kind, message).hint(hint);
        made.code = error.code().map(|c| c.code().to_string());
        made
    };
    let text = errors::chain(error);
    if let Some(db) = error.as_db_error() {
        let said = db.message();
        return match db.code().code() {
            "28P01" => make(
                EngineErrorKind::Authentication,
                format!("the server at {host} refused the password of user \"{user}\""),
                "correct the password in the URL, PGPASSWORD or ~/.pgpass".into(),
            ),
            "28000" if said.contains("pg_hba.conf") => make(
                EngineErrorKind::Authentication,
                format!("the server at {host} does not let user \"{user}\" connect to database \"{database}\": {said}"),
                "add a line to the server's pg_hba.conf, or try another host, user or sslmode".into(),
            ),
            "28000" => make(
                EngineErrorKind::Authentication,
                format!("the server at {host} refused user \"{user}\": {said}"),
                "correct the user in the URL or PGUSER".into(),
            ),
            "3D000" => make(
                EngineErrorKind::NotFound,
                format!("the server at {host} has no database \"{database}\""),
                format!(
                    "`psql -h {} -p {} -U {} -l` lists its databases",
                    argument(&host.name),
                    host.port,
                    argument(user)
                ),
            ),
            "53300" => make(
                EngineErrorKind::Busy,
                format!("the server at {host} has no connection left for user \"{user}\": {said}"),
                "try again later, or raise max_connections".into(),
            ),
            "57P03" => make(
                EngineErrorKind::Busy,
                format!("the server at {host} is not ready: {said}"),
                "try again in a moment".into(),
            ),
            "42501" => make(
                EngineErrorKind::Permission,
                format!("user \"{user}\" may not connect to database \"{database}\" at {host}: {said}"),
                format!(
                    "GRANT CONNECT ON DATABASE {} TO {}",
                    super::DIALECT.quote(database),
                    super::DIALECT.quote(user)
                ),
            ),
            // PgBouncer's, of everything that its `ignore_startup_parameters` does not name.
            _ if said.contains("unsupported startup parameter: options") => make(
                EngineErrorKind::Connect,
                format!("the pooler at {host} takes no settings with a connection: {said}"),
                "leave `options` out of the URL, or connect to PostgreSQL itself".into(),
            ),
            _ => make(
                EngineErrorKind::Connect,
                format!("the server at {host} refused the connection of user \"{user}\" to \"{database}\": {said}"),
                "look into the server's log".into(),
            ),
        };
    }
    if text.contains("password missing") || (text.contains("authentication") && !password_given) {
        return make(
            EngineErrorKind::Authentication,
            format!("the server at {host} wants a password for user \"{user}\", and none was given"),
            "set PGPASSWORD, or write it to ~/.pgpass".into(),
        );
    }
    if text.contains("does not support TLS") {
        return make(
            EngineErrorKind::Connect,
            format!("the server at {host} does not offer TLS, which this sslmode demands"),
            "switch ssl on in the server's postgresql.conf, or use sslmode=prefer".into(),
        );
    }
    if handshake_failed(error) {
        return make(
            EngineErrorKind::Connect,
            format!("TLS with the server at {host} failed: {text}"),
            "name the authority's certificate (sslrootcert=FILE) and the host as the certificate names it".into(),
        );
    }
    if text.contains("authentication") {
        return make(
            EngineErrorKind::Authentication,
            format!("user \"{user}\" could not be authenticated at {host}: {text}"),
            "check the password and channel_binding".into(),
        );
    }
    make(
        EngineErrorKind::Connect,
        format!("the connection to {host} broke while it was made: {text}"),
        "check that a PostgreSQL server listens there".into(),
    )
}

/// Says that a server cannot be reached.
fn unreachable(error: &io::Error, host: &Host) -> EngineError {
    if error.kind() == io::ErrorKind::TimedOut {
        return EngineError::new(EngineErrorKind::Connect, format!("the server at {host} did not answer in time"))
            .hint("check host, port and firewall, or wait longer: connect_timeout=SECONDS");
    }
    EngineError::new(EngineErrorKind::NotFound, format!("no server answers at {host}: {error}"))
        .hint("check host and port, and that the server runs")
}
