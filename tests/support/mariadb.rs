//! A real MariaDB server for tests: found or installed, started on a socket in a temporary directory, gone with the test
//! process however that ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};

/// The running server.
pub struct Server {
    dir: PathBuf,
    // The shell that guards it waits for the end of its input.
    guard: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Server {
    /// Returns the path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    /// Makes a new, empty database and returns its name.
    pub fn fresh_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("p{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().unwrap();
        connection.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).unwrap();
        name
    }

    /// Opens a connection as root.
    pub fn connect(&self) -> Result<Conn, mysql::Error> {
        let socket = self.socket().display().to_string();
        Conn::new(OptsBuilder::new().socket(Some(socket)).user(Some("root")).prefer_socket(true))
    }
}

/// Runs statements; returns the first that the server refuses. `query_drop` looks at the first one only.
pub fn execute(connection: &mut Conn, sql: &str) -> Result<(), mysql::Error> {
    let mut results = connection.query_iter(sql)?;
    loop {
        let Some(result) = results.iter() else { return Ok(()) };
        for row in result {
            row?;
        }
    }
}

/// Returns the server, started at the first call.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        if find("mariadbd").is_none() {
            super::packages::install("mariadb-server");
        }
        let server = find("mariadbd").unwrap_or_else(|| {
            panic!("no MariaDB server found: put `mariadbd` in PATH or install Debian's package `mariadb-server`")
        });
        start(&server)
    })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .map(|d| d.join(program))
        .find(|p| p.is_file())
}

fn start(server: &Path) -> Server {
    // In memory where there is such a place: every table made or dropped is written out.
    let place = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" };
    let dir = PathBuf::from(format!("{place}/referee-maria-{}", std::process::id()));
    fs::create_dir(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let user = super::unprivileged_ids("mysql");
    if let Some((uid, gid)) = user {
        chown(&dir, Some(uid), Some(gid)).unwrap();
    }
    let unprivileged = |command: &mut Command| {
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
    };
    let data = format!("--datadir={}", dir.join("data").display());
    let installer = find("mariadb-install-db").expect("`mariadb-install-db` comes with the server");
    let mut make = Command::new(installer);
    make.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &data]).current_dir("/");
    unprivileged(&mut make);
    let made = make.stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "mariadb-install-db failed: {}", String::from_utf8_lossy(&made.stderr));
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        // The input ends when the test process does, even if it is killed.
        .arg("trap : INT TERM HUP; d=$1; shift; \"$@\" & p=$!; cat >/dev/null; kill -KILL $p 2>/dev/null; wait $p; cd /; rm -rf \"$d\"")
        .arg("sh")
        .arg(&dir)
        .arg(server)
        .args(["--no-defaults", "--skip-networking", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"])
        .args(["--innodb-file-per-table=0", "--innodb-flush-method=nosync", "--performance-schema=OFF"])
        .args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-doublewrite=0"])
        .arg(&data)
        .arg(format!("--socket={}", dir.join("socket").display()))
        .arg(format!("--pid-file={}", dir.join("pid").display()));
    unprivileged(&mut shell);
    let guard = shell
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start sh: {e}"));
    let mut server = Server { dir, guard };
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if server.connect().is_ok() {
            return server;
        }
        let ended = server.guard.try_wait().ok().flatten().is_some();
        if ended || Instant::now() > limit {
            let log = fs::read_to_string(server.dir.join("log")).unwrap_or_default();
            panic!("MariaDB did not start:\n{log}");
        }
        sleep(Duration::from_millis(50));
    }
}
