//! Files that referee writes: whole or not at all, and never in the place of what somebody needs.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::args::Global;
use super::error::CliError;
use super::ui::Ui;
use referee::config;
use referee::files;
use referee::source::{Source, SourceText};
use referee::text::argument;

/// What a verb reads: none of it may be written over.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    /// Paths, each with what it is.
    files: Vec<(&'static str, PathBuf)>,
    /// What is written may replace an older document of its own kind.
    replaces: Option<Kind>,
}

/// What a file holds, as far as it matters to whoever would write over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Database,
    Journal,
    Plan,
}

impl Inputs {
    /// What every verb reads: the source, the configuration, the base schema.
    pub fn of(source: &SourceText, global: &Global) -> Self {
        let source = Self::source(source);
        let mut inputs = Self::config(global);
        inputs.files.extend(source.files);
        inputs
    }

    /// The source alone.
    pub fn source(source: &SourceText) -> Self {
        // What names no file here is told when it is opened.
        let path = match Source::parse(source.secret()) {
            Ok(Source::Sqlite(path) | Source::Document(path)) => Some(path),
            Ok(Source::Sql(files)) => Some(files.path),
            Ok(Source::Postgres(_)) | Err(_) => None,
        };
        Self::default().with("the source", path.as_deref())
    }

    /// What is read where no source is.
    pub fn config(global: &Global) -> Self {
        let mut inputs = Self::default();
        if !global.no_config {
            let path = global.config.clone().unwrap_or_else(|| PathBuf::from(config::FILE_NAME));
            inputs.files.push(("the configuration", path));
        }
        inputs.with("the base schema", global.base.as_deref())
    }

    /// Adds a file.
    pub fn with(mut self, what: &'static str, path: Option<&Path>) -> Self {
        self.files.extend(path.map(|p| (what, p.to_path_buf())));
        self
    }

    /// Lets a plan take the place of an older one.
    pub fn replacing(mut self, kind: Option<Kind>) -> Self {
        self.replaces = kind;
        self
    }

    /// Says why a path may not be written.
    fn refuse(&self, path: &Path) -> Option<String> {
        for (what, input) in &self.files {
            if path.exists() && files::same(path, input) {
                return Some(format!("it is {what}, which this command reads"));
            }
            let folder = fs::canonicalize(input).ok().filter(|f| f.is_dir());
            let inside = folder.zip(fs::canonicalize(path).ok()).is_some_and(|(folder, path)| path.starts_with(folder));
            if inside && is_read_in_folders(path) {
                return Some(format!("it is a file of {what}, which this command reads"));
            }
            let is_own =
                |name: &PathBuf| self.replaces == Some(Kind::Journal) && name.to_string_lossy().ends_with(JOURNAL);
            if let Some(name) = companions(input).find(|c| files::same(path, c) && !is_own(c)) {
                return Some(format!("`{}` belongs to {what}", name.display()));
            }
        }
        beside_database(path).or_else(|| match kind(path)? {
            kind if self.replaces == Some(kind) => None,
            Kind::Database => Some("it is a SQLite database, or a part of one".to_string()),
            Kind::Journal => Some("it is the journal of a run of `referee fix --apply`".to_string()),
            Kind::Plan => Some("it is a plan, which `referee verify` needs as it is".to_string()),
        })
    }
}

/// The files that SQLite keeps beside a database while it is used (sqlite.org, "Temporary Files Used By SQLite", 2).
const COMPANIONS: &[&str] = &["-wal", "-shm", "-journal"];

/// Tells whether a file may be a part of a folder of migrations: a report may lie there, too.
fn is_read_in_folders(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let numbered = name.trim_start_matches(['V', 'U', 'R']).starts_with(|c: char| c.is_ascii_digit());
    ["sql", "sum", "toml", "conf", "psql", "sqlite"].contains(&extension)
        || numbered
        || path.components().any(|c| c.as_os_str() == "meta")
}

/// How the journal of a run is named that is recorded beside a file.
pub(super) const JOURNAL: &str = ".referee-run";

fn companions(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    COMPANIONS.iter().chain(&[JOURNAL]).map(|end| {
        let mut name = path.as_os_str().to_os_string();
        name.push(end);
        PathBuf::from(name)
    })
}

/// SQLite would take what is written there for its own log, and play it back into the database.
fn beside_database(path: &Path) -> Option<String> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let base = COMPANIONS.iter().find_map(|end| name.strip_suffix(end)).filter(|base| !base.is_empty())?;
    let base = path.with_file_name(base);
    (kind(&base) == Some(Kind::Database)).then(|| format!("SQLite keeps a log of {} there", base.display()))
}

/// Tells by a file's first bytes what it holds.
fn kind(path: &Path) -> Option<Kind> {
    files::regular(path).ok()?;
    let mut head = Vec::new();
    File::open(path).ok()?.take(4096).read_to_end(&mut head).ok()?;
    // "Database File Format", 1.3.1, 3 and 4.1: a database, a rollback journal, a write-ahead log.
    const SQLITE: &[&[u8]] = &[
        b"SQLite format 3\0",
        &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7],
        &[0x37, 0x7f, 0x06, 0x82],
        &[0x37, 0x7f, 0x06, 0x83],
    ];
    if SQLITE.iter().any(|magic| head.starts_with(magic)) {
        return Some(Kind::Database);
    }
    let text: String = String::from_utf8_lossy(&head).split_whitespace().collect();
    if text.starts_with("{\"event\":\"run\",\"format\":\"referee-run/") {
        Some(Kind::Journal)
    } else if text.starts_with("{\"format\":\"referee-plan/") {
        Some(Kind::Plan)
    } else {
        None
    }
}

/// Prints a result, or writes it to a file that [`check`] was asked about.
pub(super) fn write(ui: &Ui, file: Option<&Path>, text: &str) -> Result<(), CliError> {
    match file {
        None => ui.print(text),
        Some(path) => replace(path, text).map_err(|e| CliError::file("write", path, &e)),
    }
}

/// Complains now, not after a long run, if a file cannot be written or must not be.
pub(super) fn check(file: Option<&Path>, inputs: &Inputs) -> Result<(), CliError> {
    let Some(path) = file else { return Ok(()) };
    allowed(path, inputs)?;
    match fs::metadata(folder(path)) {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::file("write", path, &error)),
    }
}

/// The same for a file whose folder is made if it is not there.
pub(super) fn allowed(path: &Path, inputs: &Inputs) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::new(format!("cannot write {}: it is a folder", path.display())).hint("name a file in it"));
    }
    if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) && fs::metadata(path).is_err() {
        return Err(CliError::new(format!("cannot write {}: it is a link that leads nowhere", path.display()))
            .hint("remove the link, or name another file"));
    }
    if let Some(why) = fs::metadata(path).ok().and_then(|m| unwritable(path, &m)) {
        return Err(CliError::new(format!("cannot write {}: {why}", path.display())).hint("name a regular file"));
    }
    if let Some(why) = inputs.refuse(path) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let other = path.with_file_name(format!("{}.out", name.trim_start_matches('-')));
        return Err(CliError::new(format!("{} is not overwritten: {why}", path.display()))
            .hint(format!("name another file, for example {}", argument(&other.display().to_string()))));
    }
    Ok(())
}

/// Says why a path that is no regular file is not written to. `/dev/stdout`, a terminal and a shell's `>(…)` are.
fn unwritable(path: &Path, metadata: &Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        let descriptor = ["/dev/fd", "/proc/self/fd", "/dev/std"].iter().any(|d| path.to_string_lossy().starts_with(d));
        if kind.is_char_device() || (descriptor && !metadata.is_dir()) {
            return None;
        }
        if kind.is_fifo() {
            return Some("it is a pipe");
        }
    }
    let _ = path;
    files::special(metadata).map(|special| special.what)
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, never half of it.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    check(Some(path), &Inputs::default())?;
    replace(path, text).map_err(|e| CliError::file("write", path, &e))
}

/// Writes a file that is not there yet, in one step: it is there whole or not at all.
pub(super) fn create_file(path: &Path, text: &str) -> Result<(), CliError> {
    let made = || -> io::Result<()> {
        let (temporary, mut file) = create_beside(path)?;
        // A second name fails where one is there already; renaming would not.
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let written = written.and_then(|()| match fs::hard_link(&temporary, path) {
            // A file system without links of this kind.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                File::create_new(path).and_then(|_| fs::rename(&temporary, path))
            }
            linked => linked,
        });
        let _ = fs::remove_file(&temporary);
        written.inspect(|()| drop(files::sync_folder(folder(path))))
    };
    made().map_err(|e| CliError::file("write", path, &e))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|m| !m.is_file()) {
        // /dev/stdout, a shell's >(…): nothing to replace.
        return OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    }
    // Through a symbolic link, the file it leads to is replaced, not the link.
    let target = if old.is_some() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let (temporary, mut file) = create_beside(&target)?;
    // Before there is anything to read in it.
    let written = old
        .map_or(Ok(()), |m| fs::set_permissions(&temporary, m.permissions()))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    // A system that cannot do so has written the file all the same.
    written.inspect(|()| drop(files::sync_folder(folder(&target))))
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
        assert!(create_file(&path, "other").is_err(), "one is there");
        create_file(&folder.path().join("second"), "x").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
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
        let dangling = folder.path().join("dangling");
        std::os::unix::fs::symlink(folder.path().join("nothing"), &dangling).unwrap();
        assert!(write_file(&dangling, "new").is_err());
    }

    #[test]
    fn a_missing_folder_is_told_before_the_work() {
        let inputs = Inputs::default();
        assert!(check(Some(Path::new("/no/such/folder/file")), &inputs).is_err());
        assert!(check(Some(Path::new("file")), &inputs).is_ok());
        assert!(check(None, &inputs).is_ok());
    }

    #[test]
    fn what_somebody_needs_is_known_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let database = path("any", b"SQLite format 3\0 and more");
        let journal = path("run", b"{\"event\":\"run\",\"format\":\"referee-run/1\",\"at\":1}\n");
        let plan = path("plan", b"{\n  \"format\": \"referee-plan/1\",\n  \"source\": \"x\"\n}\n");
        let report = path("report", b"{\n  \"format\": \"referee-findings/1\"\n}\n");
        let inputs = Inputs::default();
        for path in [&database, &journal, &plan] {
            assert!(check(Some(path), &inputs).is_err(), "{}", path.display());
            assert!(write_file(path, "x").is_err(), "{}", path.display());
        }
        assert!(check(Some(&report), &inputs).is_ok());
        assert!(check(Some(&folder.path().join("any-wal")), &inputs).is_err(), "not there, and SQLite's all the same");
        assert!(check(Some(&folder.path().join("report-wal")), &inputs).is_ok());
        assert!(check(Some(&plan), &inputs.replacing(Some(Kind::Plan))).is_ok());
    }
}
