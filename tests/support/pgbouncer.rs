//! Real PgBouncers for tests: found or installed, started on a socket in a temporary directory, gone with the test process
//! however that ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use super::{packages, postgres as server};

/// The port in the name of its socket.
const PORT: u16 = 6432;

/// A pooler before one server, until its value is dropped or the test process ends.
pub struct Pooler {
    dir: PathBuf,
    // The shell that guards it waits for the end of its input.
    guard: Child,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Pooler {
    /// Starts one in a mode (`transaction`, `session`) with so many connections to each database, and waits until it answers.
    pub fn start(server: &server::Running, mode: &str, connections: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let program = program();
        let dir =
            PathBuf::from(format!("/tmp/referee-pb-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let file = dir.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\nlisten_port = {PORT}\nunix_socket_dir = {place}\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = {connections}\nlogfile = {place}/log\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.dir.display(),
            server.port,
            place = dir.display()
        );
        fs::write(&file, text).unwrap();
        let ids = super::unprivileged_ids("postgres");
        for path in [&dir, &file] {
            chown(path, ids.map(|i| i.0), ids.map(|i| i.1)).unwrap();
        }
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            // The input ends when the test process does, even if it is killed.
            .arg(
                "trap : INT TERM HUP; d=$1; shift; \"$@\" & p=$!; while read -r line; do :; done; \
                 kill -TERM $p 2>/dev/null; wait $p; cd /; rm -rf \"$d\"",
            )
            .args(["sh".as_ref(), dir.as_os_str(), program.as_os_str(), "-q".as_ref(), file.as_os_str()]);
        if let Some((user, group)) = ids {
            shell.uid(user).gid(group);
        }
        shell.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = shell.spawn().unwrap_or_else(|e| panic!("cannot start sh: {e}"));
        let mut pooler = Self { dir, guard };
        let limit = Instant::now() + Duration::from_secs(60);
        while Client::connect(&pooler.url("postgres"), NoTls).is_err() {
            if pooler.guard.try_wait().ok().flatten().is_some() || Instant::now() > limit {
                let log = fs::read_to_string(pooler.dir.join("log")).unwrap_or_default();
                panic!("PgBouncer did not start:\n{log}");
            }
            sleep(Duration::from_millis(20));
        }
        pooler
    }

    /// Returns the URL of a database through it, over its socket, as the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={PORT}", self.dir.display())
    }

    /// Returns the URL by which a database is reached through it.
    pub fn before(&self, url: &str) -> String {
        self.url(url.split(['/', '?']).nth(3).expect("a database"))
    }
}

fn program() -> PathBuf {
    find().unwrap_or_else(|| {
        packages::install("pgbouncer");
        find().expect("no PgBouncer found: put `pgbouncer` in PATH or install Debian's package `pgbouncer`")
    })
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|dir| dir.join("pgbouncer")).find(|file| file.is_file())
}
