//! Files before they are opened: opening a named pipe waits for whoever writes into it, for ever if nobody does.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// What is no regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// What it is.
    pub what: &'static str,
    /// What to do instead; empty if nothing is known.
    pub advice: &'static str,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// Says what a path is, if it is no regular file, and what to do about it.
pub fn special(metadata: &Metadata) -> Option<Special> {
    let special = |what, advice| Some(Special { what, advice });
    if metadata.is_file() {
        return None;
    }
    if metadata.is_dir() {
        return special("it is a folder", "name a file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return special("it is a pipe, which can be read only once", "save what it gives to a file and name that");
        }
        if kind.is_socket() {
            return special("it is a socket", "name a file");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return special("it is a device", "name a file");
        }
    }
    special("it is no regular file", "")
}

/// Fails for what is no regular file, and opens nothing.
///
/// # Errors
/// There is no such file, or it is a folder, a pipe, a socket or a device.
pub fn regular(path: &Path) -> io::Result<Metadata> {
    let metadata = fs::metadata(path)?;
    match special(&metadata) {
        None => Ok(metadata),
        Some(why) => Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_string())),
    }
}

/// Reads a regular file.
///
/// # Errors
/// It is none, or cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular(path)?;
    fs::read(path)
}

/// Reads a regular file as text.
///
/// # Errors
/// It is none, cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    regular(path)?;
    fs::read_to_string(path)
}

/// Has a folder know a new name in it after a power cut, too. A system that cannot open folders is left alone.
///
/// # Errors
/// The folder cannot be synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match fs::File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(_) => Ok(()),
    }
}

/// Tells whether two paths lead to one file: through links of either kind, too.
pub fn same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (fs::metadata(one), fs::metadata(other)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    match (place(one), place(other)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Returns where a file is or would be: its folder without links, and its name.
fn place(path: &Path) -> Option<std::path::PathBuf> {
    if let Ok(whole) = fs::canonicalize(path) {
        return Some(whole);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_of_either_kind_lead_to_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let [file, hard, soft, other, none] = ["file", "hard", "soft", "other", "none"].map(|n| folder.path().join(n));
        fs::write(&file, "x").unwrap();
        fs::write(&other, "x").unwrap();
        fs::hard_link(&file, &hard).unwrap();
        std::os::unix::fs::symlink(&file, &soft).unwrap();
        assert!(same(&file, &hard) && same(&soft, &hard) && same(&file, &folder.path().join("./file")));
        assert!(!same(&file, &other) && !same(&file, &none));
        assert!(same(&none, &folder.path().join("./none")), "also where nothing is yet");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read(&pipe).unwrap_err().to_string().contains("pipe"));
        assert!(read_text(folder.path()).unwrap_err().to_string().contains("folder"));
        assert!(read(Path::new("/dev/null")).unwrap_err().to_string().contains("device"));
        assert_eq!(regular(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
