//! `atlas.sum`: the checksum without which Atlas runs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::model::{Folder, OutputFile};

/// Computes the text of `atlas.sum` (Atlas, `sql/migrate/dir.go`: one hash that runs on over all files' names and texts; the
/// first line is the hash of all lines' names and hashes).
pub(super) fn sum(folder: &Folder, new: &[OutputFile]) -> String {
    let old = folder.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let new = new.iter().map(|f| (f.path.as_str(), f.text.as_str()));
    let mut files: Vec<(&str, &str)> =
        old.chain(new).filter(|(path, _)| path.ends_with(".sql") && !path.contains('/')).collect();
    files.sort_unstable();
    let mut running = Sha256::new();
    let mut whole = Sha256::new();
    let mut lines = String::new();
    for (name, text) in files {
        running.update(name);
        // A file that says so counts by its name alone.
        if text.lines().take_while(|l| l.starts_with("--")).any(|l| l.trim() == "-- atlas:sum ignore") {
            continue;
        }
        running.update(text);
        let hash = STANDARD.encode(running.clone().finalize());
        whole.update(name);
        whole.update(&hash);
        lines.push_str(&format!("{name} h1:{hash}\n"));
    }
    format!("h1:{}\n{lines}", STANDARD.encode(whole.finalize()))
}
