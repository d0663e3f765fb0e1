//! Real PostgreSQL servers for tests: found or installed, started on a socket in a temporary directory, gone with the
//! test process however that ends.
//!
//! `REFEREE_TEST_PG` names the `bin` directories of further versions, separated by colons. The first server is the one
//! that [`fresh_database`] uses; [`servers`] gives them all.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use super::packages;

/// One installed version and, once somebody needs it, its running server.
pub struct Server {
    bin: PathBuf,
    /// 15 in PostgreSQL 15.18.
    pub major: u32,
    running: OnceLock<Running>,
}

impl Server {
    /// Returns the running server, starting it first if need be.
    pub fn running(&self) -> &Running {
        self.running.get_or_init(|| self.start(&Setup::default()))
    }

    /// Makes a new, empty database and returns its URL.
    pub fn fresh_database(&self) -> String {
        self.running().fresh_database()
    }

    /// Starts one more server of this version, with settings of its own.
    pub fn start(&self, setup: &Setup) -> Running {
        start(&self.bin, self.major, setup)
    }
}

/// How a server is started.
#[derive(Default)]
pub struct Setup {
    /// Whether it listens on 127.0.0.1 too, on a free port.
    pub tcp: bool,
    /// The whole of `pg_hba.conf`; trust on the socket if `None`.
    pub hba: Option<String>,
    /// Further settings: `("ssl", "on")`. `{dir}` stands for the directory of `files`.
    pub settings: Vec<(&'static str, String)>,
    /// Files to write before the start, readable by the server only: name and text.
    pub files: Vec<(&'static str, String)>,
}

/// A server that runs until its value is dropped or the test process ends.
pub struct Running {
    /// The directory that holds its socket.
    pub dir: PathBuf,
    /// Its port, of the socket and on 127.0.0.1.
    pub port: u16,
    // The shell that guards it waits for the end of its input.
    guard: Child,
}

impl Running {
    /// Makes a new, empty database and returns its URL.
    pub fn fresh_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        // Somebody else's CREATE DATABASE may hold the template for a moment.
        execute(&self.url("postgres"), &sql);
        self.url(&name)
    }

    /// Returns the URL of a database, over the socket, as the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.dir.display(), self.port)
    }

    /// Stops the server at once ("immediate shutdown", as after a crash), starts it again, and waits until it has recovered.
    pub fn crash(&self) {
        let started = || {
            let mut client = Client::connect(&self.url("postgres"), NoTls).ok()?;
            client.query_one("SELECT pg_postmaster_start_time()::text", &[]).ok().map(|r| r.get::<_, String>(0))
        };
        let before = started().expect("a running server");
        self.guard.stdin.as_ref().expect("its input").write_all(b"crash\n").unwrap();
        let limit = Instant::now() + Duration::from_secs(30);
        while started().is_none_or(|now| now == before) {
            assert!(Instant::now() < limit, "the server did not come back");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Makes a new, empty database on the default server and returns its URL.
pub fn fresh_database() -> String {
    servers()[0].fresh_database()
}

/// Makes a new, empty database on the oldest server that is at least of this version; `None` if there is none.
pub fn fresh_database_since(major: u32) -> Option<String> {
    servers().iter().filter(|s| s.major >= major).min_by_key(|s| s.major).map(Server::fresh_database)
}

/// Runs statements on a database.
pub fn execute(url: &str, sql: &str) {
    connect(url).batch_execute(sql).unwrap_or_else(|e| panic!("{}\n{sql}", explain(&e)));
}

/// Connects to a database of a test server.
pub fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap_or_else(|e| panic!("cannot connect to {url}: {}", explain(&e)))
}

/// Waits until a session of this database runs a statement with a text in it, and returns its process.
pub fn wait_for_statement(url: &str, text: &str) -> i32 {
    wait_for(
        url,
        &format!(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid() \
             AND query LIKE '%{text}%'"
        ),
    )
}

/// Waits until a query returns a row, and returns its number.
pub fn wait_for(url: &str, query: &str) -> i32 {
    let mut client = connect(url);
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(row) = client.query(query, &[]).unwrap_or_else(|e| panic!("{}\n{query}", explain(&e))).first() {
            return row.get(0);
        }
        assert!(Instant::now() < limit, "nothing came of {query}");
        sleep(Duration::from_millis(5));
    }
}

/// Writes an error with its code.
pub fn explain(error: &postgres::Error) -> String {
    let detail = |e: &postgres::error::DbError| e.detail().map(|d| format!(" ({d})")).unwrap_or_default();
    error
        .as_db_error()
        .map_or_else(|| format!("{error}"), |e| format!("{}: {}{}", e.code().code(), e.message(), detail(e)))
}

/// Returns every PostgreSQL version there is: the system's first, then those of `REFEREE_TEST_PG`.
pub fn servers() -> &'static [Server] {
    static SERVERS: OnceLock<Vec<Server>> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let mut found = Vec::from_iter(system_bin());
        found.extend(std::env::var_os("REFEREE_TEST_PG").iter().flat_map(std::env::split_paths));
        if found.is_empty() {
            packages::install("postgresql");
            found.extend(system_bin());
        }
        assert!(
            !found.is_empty(),
            "no PostgreSQL server found: put `initdb` and `postgres` in PATH, install Debian's package `postgresql`, \
             or name a directory that holds them in REFEREE_TEST_PG"
        );
        found
            .into_iter()
            .map(|bin| {
                let output = run(Command::new(bin.join("postgres")).arg("--version"));
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let digits = text.split(|c: char| !c.is_ascii_digit()).find(|n| !n.is_empty());
                let major = digits.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no version in {text:?}"));
                Server { bin, major, running: OnceLock::new() }
            })
            .collect()
    })
}

/// Finds `initdb` and `postgres` together: in PATH, else the newest of Debian's versions.
fn system_bin() -> Option<PathBuf> {
    let whole = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(whole).or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut bins: Vec<_> = versions.map(|v| v.path().join("bin")).filter(whole).collect();
        bins.sort_by_key(|b| b.iter().nth(4).and_then(|v| v.to_str()?.parse::<u32>().ok()));
        bins.pop()
    })
}

/// Where a cluster is kept between runs. Cargo does not name it to examples.
const TEMPORARY: &str = match option_env!("CARGO_TARGET_TMPDIR") {
    Some(directory) => directory,
    None => concat!(env!("CARGO_MANIFEST_DIR"), "/target/tmp"),
};

fn start(bin: &Path, major: u32, setup: &Setup) -> Running {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // Short, because a socket's path has at most 107 bytes.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = PathBuf::from(format!("/tmp/referee-pg-{}-{number}", std::process::id()));
    fs::create_dir(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    own(&dir);
    make_cluster(bin, major, &dir);
    for (name, text) in &setup.files {
        let file = dir.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        own(&file);
    }
    if let Some(hba) = &setup.hba {
        let file = dir.join("data/pg_hba.conf");
        fs::write(&file, hba).unwrap();
        own(&file);
    }
    let port = if setup.tcp { free_port() } else { 5432 };
    let place = dir.display().to_string();
    let mut settings = vec![
        ("unix_socket_directories", place.clone()),
        ("listen_addresses", if setup.tcp { "127.0.0.1" } else { "" }.to_string()),
        ("port", port.to_string()),
        ("fsync", "off".into()),
        ("full_page_writes", "off".into()),
        ("autovacuum", "off".into()),
        ("shared_buffers", "16MB".into()),
        ("max_connections", "100".into()),
        ("max_wal_size", "256MB".into()),
        ("log_min_messages", "fatal".into()),
    ];
    settings.extend(setup.settings.iter().map(|(name, value)| (*name, value.replace("{dir}", &place))));
    let log = fs::File::create(dir.join("log")).unwrap();
    own(&dir.join("log"));
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        // The input ends when the test process does, even if it is killed. A handler that does nothing keeps an interrupt
        // from the terminal from ending the shell before it has cleaned up.
        .arg(
            // A line of input crashes the server and starts it again.
            "trap : INT TERM HUP; d=$1; shift; \"$@\" & p=$!; \
             while read -r line; do kill -QUIT $p; wait $p; \"$@\" & p=$!; done; \
             kill -INT $p 2>/dev/null; wait $p; cd /; rm -rf \"$d\"",
        )
        .arg("sh")
        .arg(&dir)
        .arg(bin.join("postgres"))
        .arg("-D")
        .arg(dir.join("data"));
    for (name, value) in &settings {
        shell.arg("-c").arg(format!("{name}={value}"));
    }
    unprivileged(&mut shell);
    let guard = shell
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start sh: {e}"));
    let mut running = Running { dir, port, guard };
    let socket = running.dir.join(format!(".s.PGSQL.{port}"));
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        // Any answer of the server will do: the test may have forbidden this user to log in.
        if socket.exists() {
            match Client::connect(&running.url("postgres"), NoTls) {
                Ok(_) => return running,
                Err(e) if e.code().is_some_and(|c| c.code() != "57P03") => return running,
                Err(_) => {}
            }
        }
        let ended = running.guard.try_wait().ok().flatten().is_some();
        if ended || Instant::now() > limit {
            let log = fs::read_to_string(running.dir.join("log")).unwrap_or_default();
            panic!("PostgreSQL {major} from {} did not start:\n{log}", bin.display());
        }
        sleep(Duration::from_millis(20));
    }
}

/// Puts a new cluster into `dir/data`. `initdb` takes seconds, so its result is kept beside the test binaries and copied.
fn make_cluster(bin: &Path, major: u32, dir: &Path) {
    let user = unprivileged_ids().map_or(0, |(uid, _)| uid);
    let place = bin.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let kept = Path::new(TEMPORARY).join(format!("cluster-{major}{place}-{user}"));
    let data = dir.join("data");
    // Several tests of one process come here at once; the first makes the cluster, the others copy it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.is_dir() {
        let mut initdb = Command::new(bin.join("initdb"));
        initdb
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .current_dir("/");
        unprivileged(&mut initdb);
        run(&mut initdb);
        // Renamed into place whole, so that another test binary never copies half a cluster.
        let half = kept.with_extension(std::process::id().to_string());
        run(Command::new("cp").arg("-aT").arg(&data).arg(&half));
        if fs::rename(&half, &kept).is_err() {
            let _ = fs::remove_dir_all(&half);
        }
    } else {
        run(Command::new("cp").arg("-aT").arg(&kept).arg(&data));
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

fn unprivileged_ids() -> Option<(u32, u32)> {
    super::unprivileged_ids("postgres")
}

fn unprivileged(command: &mut Command) {
    if let Some((uid, gid)) = unprivileged_ids() {
        command.uid(uid).gid(gid);
    }
}

fn own(path: &Path) {
    if let Some((uid, gid)) = unprivileged_ids() {
        chown(path, Some(uid), Some(gid)).unwrap_or_else(|e| panic!("chown {}: {e}", path.display()));
    }
}

pub(super) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
