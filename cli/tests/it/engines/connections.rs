//! Connecting to PostgreSQL: passwords, TLS, and what is said when it fails.

use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use referee::engine::postgres::{self, Environment, Target};
use referee::engine::{EngineError, EngineErrorKind, Reader, SessionOptions};
use referee::job::Context;

use crate::support::postgres as server;

/// A server on 127.0.0.1 with TLS and passwords; user `ann`, password `right`.
pub(crate) struct Guarded {
    pub(crate) running: server::Running,
    // Not the server's directory: that one belongs to another user.
    certificates: tempfile::TempDir,
}

pub(crate) fn guarded() -> &'static Guarded {
    static GUARDED: OnceLock<Guarded> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let authority = || {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, other) = (authority(), authority());
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_string()]).unwrap().signed_by(&key, &ours).unwrap();
        let certificates = tempfile::tempdir().unwrap();
        std::fs::write(certificates.path().join("ca.pem"), ours.pem()).unwrap();
        std::fs::write(certificates.path().join("other.pem"), other.pem()).unwrap();
        std::fs::write(certificates.path().join("server.pem"), certificate.pem()).unwrap();
        let setup = server::Setup {
            tcp: true,
            hba: Some(
                "local all postgres trust\nhostssl secure all all scram-sha-256\nhostnossl plain all all scram-sha-256\n\
                 host shop all all scram-sha-256\nhost vault all all scram-sha-256\nhost postgres ann all scram-sha-256\n"
                    .into(),
            ),
            settings: vec![
                ("ssl", "on".into()),
                ("ssl_cert_file", "{dir}/server.pem".into()),
                ("ssl_key_file", "{dir}/server.key".into()),
                ("password_encryption", "scram-sha-256".into()),
            ],
            files: vec![("server.pem", certificate.pem()), ("server.key", key.serialize_pem())],
        };
        let running = server::servers()[0].start(&setup);
        for sql in [
            "CREATE ROLE ann LOGIN PASSWORD 'right'",
            "CREATE ROLE idle LOGIN PASSWORD 'right' CONNECTION LIMIT 0",
            "CREATE DATABASE shop",
            "CREATE DATABASE secure",
            "CREATE DATABASE plain",
        ] {
            server::execute(&running.url("postgres"), sql);
        }
        Guarded { running, certificates }
    })
}

impl Guarded {
    fn url(&self, login: &str, host: &str, rest: &str) -> String {
        let path = |name: &str| self.certificates.path().join(name).display().to_string();
        let rest = rest.replace("CA", &path("ca.pem")).replace("OTHER", &path("other.pem"));
        let rest = rest.replace("SERVER", &path("server.pem"));
        format!("postgres://{login}@{host}:{}/{rest}", self.running.port)
    }
}

fn open(url: &str) -> Result<Box<dyn Reader>, EngineError> {
    let target = Target::parse(url, &Environment::default()).unwrap_or_else(|e| panic!("{url}: {e}"));
    postgres::open(&target, &SessionOptions::default())
}

fn encrypted(url: &str) -> bool {
    let mut session = open(url).unwrap_or_else(|e| panic!("{url}: {e}"));
    let rows = session.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").unwrap();
    rows.rows[0][0].text().as_deref() == Some("t")
}

/// Opens what cannot be opened and checks that the error is a good one.
fn refused(url: &str, kind: EngineErrorKind, word: &str) {
    let error = open(url).err().unwrap_or_else(|| panic!("{url} was opened"));
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(word), "{error}");
    assert!(error.hint.as_ref().is_some_and(|h| !h.is_empty()), "{error} has no hint");
    assert!(!format!("{error:?}").contains("wrong"), "{error:?} shows the password");
}

#[test]
fn passwords() {
    let server = guarded();
    assert!(open(&server.url("ann:right", "127.0.0.1", "shop")).is_ok());
    let place = format!("127.0.0.1:{}", server.running.port);
    refused(&server.url("ann:wrong", "127.0.0.1", "shop"), EngineErrorKind::Authentication, &place);
    refused(&server.url("ann:wrong", "127.0.0.1", "shop?sslmode=disable"), EngineErrorKind::Authentication, "\"ann\"");
    refused(&server.url("nobody:wrong", "127.0.0.1", "shop"), EngineErrorKind::Authentication, "\"nobody\"");
    refused(&server.url("ann", "127.0.0.1", "shop"), EngineErrorKind::Authentication, "none was given");
    refused(&server.url("ann:right", "127.0.0.1", "other"), EngineErrorKind::Authentication, "pg_hba.conf");
    refused(&server.url("idle:right", "127.0.0.1", "shop"), EngineErrorKind::Busy, "no connection left");
    let url = server.url("ann", "127.0.0.1", "shop");
    let options = SessionOptions { password: Some("right".into()), ..SessionOptions::default() };
    assert!(postgres::open(&Target::parse(&url, &Environment::default()).unwrap(), &options).is_ok());
    let passfile = postgres::Password("127.0.0.1:*:shop:ann:right\n".into());
    let environment = Environment { passfile: Some(passfile), ..Environment::default() };
    assert!(postgres::open(&Target::parse(&url, &environment).unwrap(), &SessionOptions::default()).is_ok());
}

/// As a user gives them: libpq's variable and file, on a socket. Nothing that is printed holds one.
#[test]
fn passwords_of_the_environment() {
    let hba = "local all postgres trust\nlocal all all scram-sha-256\n".to_string();
    let running = server::servers()[0].start(&server::Setup { hba: Some(hba), ..server::Setup::default() });
    server::execute(&running.url("postgres"), "CREATE ROLE ann LOGIN PASSWORD 'the right one'");
    let home = tempfile::tempdir().unwrap();
    let run = |user: bool, variable: Option<&str>, file: Option<&str>, verb: &[&str]| {
        let passfile = home.path().join(".pgpass");
        let _ = std::fs::remove_file(&passfile);
        if let Some(password) = file {
            std::fs::write(&passfile, format!("*:{}:postgres:ann:{password}\n", running.port)).unwrap();
            std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let login = if user { "ann@" } else { "" };
        let url = format!("postgres://{login}/postgres?host={}&port={}", running.dir.display(), running.port);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_referee"));
        command.args(verb).arg(url).current_dir(home.path()).env("HOME", home.path());
        for name in ["PGPASSFILE", "PGUSER", "PGPASSWORD", "USER", "LOGNAME"] {
            command.env_remove(name);
        }
        if !user {
            command.env("PGUSER", "ann");
        }
        command.envs(variable.map(|password| ("PGPASSWORD", password)));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!text.contains("right one") && !text.contains("wrong one"), "{text}");
        (output.status.code(), text)
    };
    let audit: &[&str] = &["audit", "--verbose"];
    let (right, wrong) = (Some("the right one"), Some("a wrong one"));
    assert_eq!(run(true, right, None, audit).0, Some(0));
    assert_eq!(run(false, right, None, audit).0, Some(0), "PGUSER");
    assert_eq!(run(true, None, right, audit).0, Some(0));
    assert_eq!(run(true, right, wrong, audit).0, Some(0), "the variable comes first");
    for (variable, file, word) in
        [(wrong, None, "PGPASSWORD"), (None, wrong, "~/.pgpass"), (None, None, "none was given")]
    {
        for verb in [audit, &["fix", "--apply", "--yes"], &["fate"]] {
            let (code, text) = run(true, variable, file, verb);
            assert_eq!(code, Some(2), "{text}");
            assert!(text.contains("\"ann\"") && text.contains(word) && text.contains("hint: "), "{text}");
        }
    }
    // Without a user's name in the URL or a variable it is the system's.
    let name = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let name = String::from_utf8(name).unwrap();
    let url = format!("postgres:///postgres?host={}&port={}", running.dir.display(), running.port);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_referee"));
    command.args(["audit", &url]).current_dir(home.path()).env("HOME", home.path());
    for name in ["PGUSER", "PGPASSWORD", "USER", "LOGNAME"] {
        command.env_remove(name);
    }
    let text = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(text.contains(&format!("\"{}\"", name.trim())), "{text}");
}

#[test]
fn no_such_server_or_database() {
    refused("postgres://u:wrong@127.0.0.1:1/d", EngineErrorKind::NotFound, "127.0.0.1:1");
    refused("postgres://u:wrong@no-such-host.invalid/d", EngineErrorKind::NotFound, "no-such-host.invalid");
    refused("postgres://u@/d?host=/no/such/directory", EngineErrorKind::NotFound, "/no/such/directory");
    let url = server::servers()[0].running().url("absent");
    refused(&url, EngineErrorKind::NotFound, "no database \"absent\"");
    // The next host is tried.
    let running = server::servers()[0].running();
    let url = format!("postgres://postgres@/postgres?host=/no/such/directory,{}", running.dir.display());
    assert!(open(&url).is_ok());
}

#[test]
fn kinds_of_servers() {
    let url = server::fresh_database();
    assert!(open(&format!("{url}&target_session_attrs=read-write")).is_ok());
    assert!(open(&format!("{url}&target_session_attrs=prefer-standby")).is_ok());
    refused(&format!("{url}&target_session_attrs=standby"), EngineErrorKind::Connect, "target_session_attrs");
    let mut session = open(&format!("{url}&application_name=me&options=-c%20work_mem%3D3MB")).unwrap();
    let rows = session.query("SELECT current_setting('application_name'), current_setting('work_mem')").unwrap();
    assert_eq!((rows.rows[0][0].text(), rows.rows[0][1].text()), (Some("me".into()), Some("3MB".into())));
}

#[test]
fn tls_as_sslmode_says() {
    let server = guarded();
    let url = |host: &str, rest: &str| server.url("ann:right", host, rest);
    // 127.0.0.1 is not among the certificate's names; localhost is.
    assert!(!encrypted(&url("127.0.0.1", "shop?sslmode=disable")));
    assert!(!encrypted(&url("127.0.0.1", "shop?sslmode=allow")));
    assert!(encrypted(&url("127.0.0.1", "secure?sslmode=allow")), "pg_hba.conf demands it");
    assert!(encrypted(&url("127.0.0.1", "shop")), "prefer");
    assert!(!encrypted(&url("127.0.0.1", "plain")), "prefer, where pg_hba.conf forbids it");
    assert!(!encrypted(&url("127.0.0.1", "shop?sslmode=prefer&sslrootcert=OTHER")), "prefer, not verified");
    assert!(encrypted(&url("127.0.0.1", "shop?sslmode=require")));
    assert!(encrypted(&url("127.0.0.1", "shop?sslmode=require&sslrootcert=CA")));
    assert!(encrypted(&url("127.0.0.1", "shop?sslmode=verify-ca&sslrootcert=CA")));
    assert!(encrypted(&url("localhost", "shop?sslmode=verify-full&sslrootcert=CA")));
    assert!(encrypted(&url("localhost", "shop?sslmode=verify-full&sslrootcert=SERVER")), "its own certificate");
    let failed = |host: &str, rest: &str| refused(&url(host, rest), EngineErrorKind::Connect, "TLS");
    failed("127.0.0.1", "shop?sslmode=require&sslrootcert=OTHER");
    failed("127.0.0.1", "shop?sslmode=verify-ca&sslrootcert=OTHER");
    failed("127.0.0.1", "shop?sslmode=verify-full&sslrootcert=CA");
    failed("localhost", "shop?sslmode=verify-full&sslrootcert=OTHER");
    failed("127.0.0.1", "shop?sslmode=verify-full&sslrootcert=SERVER");
    refused(&url("127.0.0.1", "shop?sslrootcert=/no/such.pem"), EngineErrorKind::Connect, "/no/such.pem");
    refused(&url("127.0.0.1", "secure?sslmode=disable"), EngineErrorKind::Authentication, "pg_hba.conf");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let setup = server::Setup { tcp: true, ..server::Setup::default() };
    let running = server::servers()[0].start(&setup);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=", running.port);
    assert!(!encrypted(&format!("{url}prefer")));
    refused(&format!("{url}require"), EngineErrorKind::Connect, "does not offer TLS");
}

#[test]
fn a_statement_over_tls_can_be_stopped() {
    let url = guarded().url("ann:right", "127.0.0.1", "shop?sslmode=require");
    let context = Context::default();
    let mut session = crate::engines::postgres::opened(&url, &context).unwrap();
    let cancel = context.cancel.clone();
    let mut beside = open(&url).unwrap();
    let thread = std::thread::spawn(move || {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' \
                       AND pid <> pg_backend_pid()";
        while beside.query(running).unwrap().rows[0][0].integer() == Some(0) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        cancel.cancel();
    });
    assert_eq!(session.query("SELECT pg_sleep(60)").unwrap_err().kind, EngineErrorKind::Cancelled);
    thread.join().unwrap();
}
