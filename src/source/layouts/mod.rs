//! Folders of migrations, and single files: which tool's they are, in which order they run, what leads up and what down.
//!
//! One file for each tool. A layout reads names and texts; it does not read SQL. Nothing is guessed where a tool's own file
//! tells it (`_journal.json`, `migration_lock.toml`).

mod atlas;
mod dbmate;
mod diesel;
mod drizzle;
mod flyway;
mod golang_migrate;
mod goose;
mod guess;
mod plain;
mod pop;
mod prisma;
mod refinery;
mod sqlx;

use std::path::{Path, PathBuf};

use super::history::{File, Migration, Place};
use super::{SourceError, unknown};
use crate::files;
use crate::schema::Engine;
use crate::sql::Span;

pub use guess::guess as guess_engine;

/// Files of SQL, not yet read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlFiles {
    /// A folder of migrations or one file.
    pub path: PathBuf,
    /// Whose SQL it is, where the user says so.
    pub engine: Option<Engine>,
    /// The schema that the migrations begin with.
    pub base: Option<PathBuf>,
    /// Which tool's layout it is, where the user says so: a name of [`LAYOUTS`].
    pub layout: Option<String>,
}

/// Files that were read: everything a replay needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Whose SQL it is.
    pub engine: Engine,
    /// The tool's name; `file` for a single file.
    pub layout: &'static str,
    /// The files.
    pub files: Vec<File>,
    /// What is run, in order.
    pub migrations: Vec<Migration>,
    /// Files between them that are programs: what they do is not known.
    pub programs: Vec<String>,
}

/// A tool's layout.
pub struct Layout {
    /// Its name, as `--layout` takes it.
    pub name: &'static str,
    /// What it is known by, in words.
    pub known_by: &'static str,
    read: fn(&Folder) -> Option<Found>,
}

/// All layouts, in the order in which they are tried: what has a file of its own first, plain files last.
pub const LAYOUTS: &[Layout] = &[
    Layout { name: "drizzle", known_by: "meta/_journal.json, or NAME/snapshot.json", read: drizzle::read },
    Layout { name: "prisma", known_by: "migration_lock.toml, or NUMBER_NAME/migration.sql", read: prisma::read },
    Layout { name: "diesel", known_by: "NAME/up.sql", read: diesel::read },
    Layout { name: "atlas", known_by: "atlas.sum", read: atlas::read },
    Layout { name: "goose", known_by: "`-- +goose Up` in the files", read: goose::read },
    Layout { name: "dbmate", known_by: "`-- migrate:up` in the files", read: dbmate::read },
    Layout { name: "flyway", known_by: "V1__NAME.sql", read: flyway::read },
    Layout { name: "refinery", known_by: "V1__NAME.sql and U2__NAME.sql", read: refinery::read },
    Layout { name: "sqlx", known_by: "NUMBER_NAME.sql that begin with `-- no-transaction`", read: sqlx::read },
    Layout { name: "pop", known_by: "NUMBER_NAME.DIALECT.up.sql", read: pop::read },
    Layout { name: "golang-migrate", known_by: "NUMBER_NAME.up.sql", read: golang_migrate::read },
    Layout { name: "plain", known_by: "files ending in .sql, in order of number and name", read: plain::read },
];

/// What a layout makes of a folder.
#[derive(Default)]
struct Found {
    engine: Option<Engine>,
    /// The engines of which the user has to say one, where the files are for several.
    choice: Vec<Engine>,
    migrations: Vec<Unit>,
    programs: Vec<String>,
}

/// A migration whose files are not numbered yet.
struct Unit {
    name: String,
    up: (PathBuf, Option<Span>),
    down: Option<(PathBuf, Option<Span>)>,
    reversible: bool,
    transaction: bool,
}

impl Unit {
    fn file(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), up: (path.into(), None), down: None, reversible: false, transaction: true }
    }
}

/// A folder's files, two levels deep, and their texts.
struct Folder {
    root: PathBuf,
    /// Whose SQL the user wants, where the folder has several engines'.
    engine: Option<Engine>,
    /// Whether the user says which tool's it is.
    named: bool,
    /// Paths under the root with `/` between their parts, sorted.
    files: Vec<String>,
}

impl Folder {
    fn list(root: &Path, engine: Option<Engine>, named: bool) -> Result<Self, SourceError> {
        let files = list(root)?;
        Ok(Self { root: root.to_path_buf(), engine, named, files })
    }

    fn has(&self, file: &str) -> bool {
        self.files.binary_search_by(|f| f.as_str().cmp(file)).is_ok()
    }

    fn text(&self, file: &str) -> String {
        files::read(&self.root.join(file)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// Iterates over the `.sql` files of the folder itself, in order of their leading number, then of their names.
    fn sql_files(&self) -> Vec<&str> {
        let mut files: Vec<&str> =
            self.files.iter().map(String::as_str).filter(|f| !f.contains('/') && f.ends_with(".sql")).collect();
        files.sort_by_key(|f| order(f));
        files
    }

    /// Returns the files of the folder itself that are numbered like migrations and are programs: goose runs `2_NAME.go`,
    /// Flyway `V2__NAME.java`.
    fn programs(&self) -> Vec<String> {
        const LANGUAGES: [&str; 11] = ["go", "java", "kt", "groovy", "py", "js", "ts", "rb", "php", "rs", "sh"];
        let numbered = |f: &str| f.trim_start_matches(['V', 'R']).starts_with(|c: char| c.is_ascii_digit());
        let program = |f: &&str| {
            let extension = f.rsplit_once('.').map(|(_, e)| e);
            !f.contains('/')
                && !f.contains("_test.")
                && numbered(f)
                && extension.is_some_and(|e| LANGUAGES.contains(&e))
        };
        let mut files: Vec<&str> = self.files.iter().map(String::as_str).filter(program).collect();
        files.sort_by_key(|f| order(f));
        files.into_iter().map(str::to_string).collect()
    }

    /// Iterates over the sub-folders that hold a file of this name, in order.
    fn folders_with(&self, file: &str) -> Vec<&str> {
        let mut folders: Vec<&str> =
            self.files.iter().filter_map(|f| f.strip_suffix(file)?.strip_suffix('/')).collect();
        folders.sort_by_key(|f| order(f));
        folders
    }
}

/// Lists the files that a folder of migrations may be made of: two levels deep, hidden ones and `node_modules` left out; as
/// paths under it with `/` between their parts, sorted.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(root: &Path) -> Result<Vec<String>, SourceError> {
    let mut files = Vec::new();
    collect(root, "", 2, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(root: &Path, under: &str, depth: usize, files: &mut Vec<String>) -> Result<(), SourceError> {
    let directory = root.join(under);
    let io = |error| SourceError::Io { path: directory.display().to_string(), error };
    for entry in std::fs::read_dir(&directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "node_modules" {
            continue;
        }
        let path = if under.is_empty() { name } else { format!("{under}/{name}") };
        let is_folder = entry.path().is_dir();
        if !is_folder {
            files.push(path);
        } else if depth > 1 {
            collect(root, &path, depth - 1, files)?;
        }
    }
    Ok(())
}

/// Orders names by their leading number, whatever its width, then by the name.
fn order(name: &str) -> (u128, &str) {
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (name[..digits].parse().unwrap_or(u128::MAX), name)
}

/// Where migrations usually are, seen from a project's folder.
const USUAL: &[&str] =
    &["migrations", "drizzle", "prisma/migrations", "db/migrations", "db/migration", "src/main/resources/db/migration"];

/// Reads a folder or a file.
///
/// # Errors
/// A file that cannot be read, a folder with no layout that is known, files whose engine cannot be told.
pub fn load(source: &SqlFiles) -> Result<Loaded, SourceError> {
    let shown = source.path.display().to_string();
    let (layout, mut found, root) = if source.path.is_dir() {
        folder(source)?
    } else {
        let name = source.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut unit = Unit::file(name, source.path.clone());
        unit.transaction = false;
        ("file", Found { migrations: vec![unit], ..Found::default() }, PathBuf::new())
    };
    let mut files: Vec<File> = Vec::new();
    let mut migrations = Vec::new();
    if let Some(base) = &source.base {
        let place = file(base, &mut files)?;
        let name = base.display().to_string();
        migrations.push(Migration { name, up: place, down: None, reversible: false, transaction: false, base: true });
    }
    for unit in std::mem::take(&mut found.migrations) {
        let up = part(&root, &unit.up, &mut files)?;
        let down = unit.down.as_ref().map(|d| part(&root, d, &mut files)).transpose()?;
        let (reversible, transaction) = (unit.reversible, unit.transaction);
        migrations.push(Migration { name: unit.name, up, down, reversible, transaction, base: false });
    }
    if migrations.iter().all(|m| m.base) {
        return Err(unknown(format!("{shown} holds no migrations"), "name a folder with .sql files, or one .sql file"));
    }
    let guessed = || {
        let texts = migrations.iter().filter_map(|m| files.get(m.up.file)).map(|f| f.text.as_str());
        guess::by_path(&source.path).or_else(|| guess::guess(texts))
    };
    let Some(engine) = source.engine.or(found.engine).or_else(guessed) else {
        return Err(unknown(
            format!("cannot tell which engine the SQL in {shown} is for"),
            "say it: --engine postgres, cockroach, sqlite, mysql or mariadb",
        ));
    };
    Ok(Loaded { engine, layout, files, migrations, programs: found.programs })
}

/// Tells whose folder it is, if there is a migration in it; the folder itself, not one below it.
pub fn recognise(folder: &Path) -> Option<&'static str> {
    let folder = Folder::list(folder, None, false).ok()?;
    let of =
        |layout: &&Layout| (layout.read)(&folder).is_some_and(|f| !f.migrations.is_empty() || !f.choice.is_empty());
    LAYOUTS.iter().find(of).map(|l| l.name)
}

/// Tells which tool's folder it is, and where its migrations are: there or in one of the usual folders below.
///
/// # Errors
/// A folder that cannot be read, or that holds no migrations that are known.
pub fn locate(source: &SqlFiles) -> Result<(&'static str, PathBuf), SourceError> {
    folder(source).map(|(layout, _, place)| (layout, place))
}

fn folder(source: &SqlFiles) -> Result<(&'static str, Found, PathBuf), SourceError> {
    let shown = source.path.display();
    let wanted: Vec<&Layout> = match &source.layout {
        None => LAYOUTS.iter().collect(),
        Some(name) => LAYOUTS.iter().filter(|l| l.name == name).collect(),
    };
    if wanted.is_empty() {
        let names: Vec<&str> = LAYOUTS.iter().map(|l| l.name).collect();
        let name = source.layout.as_deref().unwrap_or_default();
        return Err(unknown(format!("there is no layout `{name}`"), format!("the layouts are {}", names.join(", "))));
    }
    let mut places = vec![source.path.clone()];
    places.extend(USUAL.iter().map(|u| source.path.join(u)).filter(|p| p.is_dir()));
    for place in places {
        let folder = Folder::list(&place, source.engine, source.layout.is_some())?;
        for layout in &wanted {
            let Some(found) = (layout.read)(&folder) else { continue };
            if !found.choice.is_empty() {
                let names: Vec<&str> = found.choice.iter().map(|e| e.title()).collect();
                return Err(unknown(
                    format!("{shown} holds migrations for several engines: {}", names.join(", ")),
                    "say which: --engine postgres, for example",
                ));
            }
            if !found.migrations.is_empty() {
                let migrations = with_scripts(&folder, found.migrations);
                let found = Found { migrations, programs: folder.programs(), ..found };
                return Ok((layout.name, found, place));
            }
        }
    }
    // A Rails project keeps its whole schema in one file.
    for name in ["db/structure.sql", "structure.sql"] {
        let path = source.path.join(name);
        if path.is_file() {
            let mut unit = Unit::file(name, path);
            unit.transaction = false;
            return Ok(("file", Found { migrations: vec![unit], ..Found::default() }, PathBuf::new()));
        }
    }
    let looked_for: Vec<String> = wanted.iter().map(|l| format!("{} ({})", l.known_by, l.name)).collect();
    Err(unknown(
        format!("{shown} holds no migrations that referee knows"),
        format!("it was searched, with {}, for {}", USUAL.join(", "), looked_for.join("; ")),
    ))
}

/// How the scripts end that are run by hand, where a tool's transaction rules a change out.
const BY_HAND: &str = ".by_hand.sqlite";

/// Puts scripts that are run by hand where they are run: before the migration that stops if they were not, which says
/// `-- referee: after FILE`.
fn with_scripts(folder: &Folder, migrations: Vec<Unit>) -> Vec<Unit> {
    let mut scripts: Vec<&str> = folder.files.iter().map(String::as_str).filter(|f| f.ends_with(BY_HAND)).collect();
    if scripts.is_empty() {
        return migrations;
    }
    let mut all = Vec::new();
    for unit in migrations {
        let text = folder.text(&unit.up.0.to_string_lossy());
        let named = |s: &&str| text.lines().any(|l| l.strip_prefix("-- referee: after ").map(str::trim) == Some(*s));
        if let Some(at) = scripts.iter().position(named) {
            let script = scripts.remove(at);
            let back = format!("{}.by_hand.down.sqlite", script.trim_end_matches(BY_HAND));
            all.push(Unit {
                down: unit.down.as_ref().filter(|_| folder.has(&back)).map(|_| (PathBuf::from(&back), None)),
                reversible: unit.reversible,
                transaction: false,
                ..Unit::file(script, script)
            });
        }
        all.push(unit);
    }
    all
}

fn part(root: &Path, (path, span): &(PathBuf, Option<Span>), files: &mut Vec<File>) -> Result<Place, SourceError> {
    let whole = file(&root.join(path), files)?;
    Ok(Place { span: span.unwrap_or(whole.span), ..whole })
}

/// Reads a file once; returns the place of its whole text. Bytes that are no UTF-8 are replaced.
fn file(path: &Path, files: &mut Vec<File>) -> Result<Place, SourceError> {
    let shown = path.display().to_string();
    if let Some(at) = files.iter().position(|f| f.path == shown) {
        return Ok(Place { file: at, span: Span::new(0, files[at].text.len()) });
    }
    let bytes = files::read(path).map_err(|error| SourceError::Io { path: shown.clone(), error })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    files.push(File { path: shown, text });
    let at = files.len() - 1;
    Ok(Place { file: at, span: Span::new(0, files[at].text.len()) })
}

/// Finds the parts of a text that begin at marked lines: each from after its line to the next marked line.
fn sections(text: &str, mark: impl Fn(&str) -> Option<&'static str>) -> Vec<(&'static str, String, Span)> {
    let mut found: Vec<(&'static str, String, Span)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(kind) = mark(line.trim_end()) {
            if let Some((_, _, span)) = found.last_mut() {
                span.end = at;
            }
            found.push((kind, line.trim_end().to_string(), Span::new(end, text.len())));
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests;
