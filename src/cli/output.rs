//! Files that referee writes: whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::ui::Ui;

/// Prints a result, or writes it to a file.
pub(super) fn write(ui: &Ui, file: Option<&Path>, text: &str) -> Result<(), CliError> {
    match file {
        None => ui.print(text),
        Some(path) => write_file(path, text),
    }
}

/// Complains now, not after a long run, if a file's folder is not there.
pub(super) fn check(file: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = file else { return Ok(()) };
    if path.is_dir() {
        return Err(CliError::new(format!("cannot write {}: it is a folder", path.display())).hint("name a file in it"));
    }
    match fs::metadata(folder(path)) {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::file("write", path, &error)),
    }
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, never half of it.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    replace(path, text).map_err(|e| CliError::file("write", path, &e))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|m| !m.is_file()) {
        // /dev/stdout, a named pipe: nothing to replace.
        return OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    }
    // Through a symbolic link, the file it leads to is replaced, not the link.
    let target = if old.is_some() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let (temporary, mut file) = create_beside(&target)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| old.map_or(Ok(()), |m| fs::set_permissions(&temporary, m.permissions())))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder(target).join(name);
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    Ok((temporary, file))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_a_file_leaves_no_other_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.txt");
        write_file(&path, "old").unwrap();
        write_file(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_still_leads_to_the_file_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_missing_folder_is_told_before_the_work() {
        assert!(check(Some(Path::new("/no/such/folder/file"))).is_err());
        assert!(check(Some(Path::new("file"))).is_ok());
        assert!(check(None).is_ok());
    }
}
