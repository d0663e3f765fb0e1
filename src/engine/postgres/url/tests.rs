//! What URLs mean.

use super::*;

fn environment() -> Environment {
    Environment { os_user: Some("ann".into()), ..Environment::default() }
}

fn target(url: &str) -> Target {
    Target::parse(url, &environment()).unwrap_or_else(|e| panic!("{url}: {e}"))
}

fn fails(url: &str) -> String {
    Target::parse(url, &environment()).map(|t| panic!("{url} is {t:?}")).unwrap_err().to_string()
}

fn hosts(url: &str) -> Vec<String> {
    target(url).hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn parts_are_decoded() {
    let t = target("postgresql://b%40b:p%2Fw%25@db.example:6000/my%20shop?application_name=me&connect_timeout=3");
    assert_eq!((t.user.as_str(), t.database.as_str(), t.application_name.as_str()), ("b@b", "my shop", "me"));
    assert_eq!(t.password, Some(Password("p/w%".into())));
    assert_eq!((t.hosts[0].to_string(), t.connect_timeout), ("db.example:6000".into(), Some(3)));
    assert_eq!(
        target("POSTGRES://u@h/d?options=-c%20statement_timeout%3D5").options.as_deref(),
        Some("-c statement_timeout=5")
    );
}

#[test]
fn what_is_left_out_comes_from_the_environment_then_from_libpq() {
    let t = target("postgres://");
    assert_eq!((t.user.as_str(), t.database.as_str(), t.sslmode), ("ann", "ann", SslMode::Prefer));
    assert_eq!(hosts("postgres://"), ["socket /var/run/postgresql/.s.PGSQL.5432", "socket /tmp/.s.PGSQL.5432"]);
    let environment = Environment {
        host: Some("h".into()),
        port: Some("7".into()),
        user: Some("u".into()),
        database: Some("d".into()),
        sslmode: Some("require".into()),
        password: Some(Password("env".into())),
        ..environment()
    };
    let t = Target::parse("postgres://", &environment).unwrap();
    assert_eq!((t.hosts[0].to_string(), t.user.as_str(), t.database.as_str()), ("h:7".into(), "u", "d"));
    assert_eq!((t.sslmode, t.password), (SslMode::Require, Some(Password("env".into()))));
    let t = Target::parse("postgres://me:own@other:8/x?sslmode=disable", &environment).unwrap();
    assert_eq!((t.hosts[0].to_string(), t.user.as_str(), t.sslmode), ("other:8".into(), "me", SslMode::Disable));
    assert_eq!(t.password, Some(Password("own".into())));
}

#[test]
fn hosts_of_every_form() {
    assert_eq!(hosts("postgres://[::1]:6/d"), ["[::1]:6"]);
    assert_eq!(hosts("postgres:///d?host=/run/pg&port=6"), ["socket /run/pg/.s.PGSQL.6"]);
    assert_eq!(hosts("postgres://%2Frun%2Fpg/d"), ["socket /run/pg/.s.PGSQL.5432"]);
    assert_eq!(hosts("postgres://a:1,b:2/d"), ["a:1", "b:2"]);
    assert_eq!(hosts("postgres://a,b/d?port=9"), ["a:9", "b:9"]);
    assert_eq!(target("postgres://h/d?hostaddr=10.0.0.1").hosts[0].address, Some([10, 0, 0, 1].into()));
    for (url, word) in [
        ("postgres://a:1,b:2,c:3/d?port=1,2", "3 hosts but 2 ports"),
        ("postgres://h:port/d", "the port is not a number"),
        ("postgres://h:0/d", "from 1 to 65535"),
        ("postgres://::1/d", "in brackets"),
        ("postgres://[::1/d", "no closing bracket"),
        ("postgres://h/d?sslmode=on", "one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("postgres://h/d?aplication_name=x", "did you mean \"application_name\"?"),
        ("postgres://h/d?zzz=1", "unknown parameter \"zzz\""),
        ("postgres://h/d?sslcert=x", "go together"),
        ("postgres://h/d?target_session_attrs=master", "one of any, read-write"),
        ("mysql://h/d", "does not begin with postgres://"),
    ] {
        let message = fails(url);
        assert!(message.contains(word), "{url}: {message}");
    }
}

#[test]
fn certificates_are_verified_as_libpq_does() {
    let tls = |query: &str| {
        let t = target(&format!("postgres://h/d?{query}"));
        (t.sslmode, t.roots)
    };
    assert_eq!(tls("sslmode=require"), (SslMode::Require, Roots::None));
    assert_eq!(tls("ssl=true"), (SslMode::Require, Roots::None));
    assert_eq!(tls("sslmode=require&sslrootcert=ca.pem"), (SslMode::Require, Roots::File("ca.pem".into())));
    assert_eq!(tls("sslrootcert=system"), (SslMode::VerifyFull, Roots::System));
    assert_eq!(tls("sslmode=verify-full"), (SslMode::VerifyFull, Roots::System));
    assert!(fails("postgres://h/d?sslmode=require&sslrootcert=system").contains("needs sslmode=verify-full"));
    assert!(fails("postgres://h/d?sslmode=verify-ca").contains("sslrootcert=FILE"));
    let environment = Environment { default_root_certificate: Some("root.crt".into()), ..environment() };
    let t = Target::parse("postgres://h/d?sslmode=verify-ca", &environment).unwrap();
    assert_eq!(t.roots, Roots::File("root.crt".into()));
}

#[test]
fn password_file_is_asked_last() {
    let environment =
        Environment { passfile: Some(Password("h:5432:*:*:one\nlocalhost:*:*:*:two\n".into())), ..environment() };
    let of = |url: &str| Target::parse(url, &environment).unwrap().hosts[0].password.clone().map(|p| p.0);
    assert_eq!(of("postgres://h/d").as_deref(), Some("one"));
    assert_eq!(of("postgres:///d").as_deref(), Some("two"), "the default sockets count as localhost");
    assert_eq!(of("postgres://other/d"), None);
    assert_eq!(of("postgres://u:p@h/d"), None);
}

#[test]
fn no_output_shows_a_password() {
    let mut environment = environment();
    environment.password = Some(Password("secret".into()));
    environment.passfile = Some(Password("*:*:*:*:secret".into()));
    let target = Target::parse("postgres://u:secret@h/d", &environment).unwrap();
    assert!(!format!("{environment:?}{target:?}").contains("secret"));
    for url in [
        "postgres://u:secret%zz@h/d",
        "postgres://u:secret@h:x/d",
        "postgres://u:secret@h/d?a=1",
        "postgres://u:secret/x@h/d",
        "postgres://u:5/secret@h/d",
        "postgres://u:5?secret@h/d",
        "postgres://u:secret:1/d",
    ] {
        assert!(!fails(url).contains("secret"), "{}", fails(url));
    }
}
