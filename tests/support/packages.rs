//! Debian's packages, installed where a test needs a server and there is none.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use super::{is_root, postgres};

/// Installs a package; only where that needs nobody's consent, as root on a machine for tests.
///
/// Several tests, of several processes, may come here at once. One goes after the other: `apt-get update` fails if another holds
/// its lock (apt.conf(5): `DPkg::Lock::Timeout` is about dpkg's lock only).
pub fn install(package: &str) {
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return;
    }
    let lock = File::create(std::env::temp_dir().join("referee-packages.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    for arguments in [&["update", "-q"][..], &["install", "-y", "-q", "--no-install-recommends", package][..]] {
        postgres::run(
            Command::new("timeout")
                .args(["300", "apt-get", "-o", "DPkg::Lock::Timeout=120"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        );
    }
}
