//! Older states of files, out of git, by its own program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::CliError;

/// The repository that a path is in.
pub(super) struct Repository {
    top: PathBuf,
    /// The path concerned, seen from the top.
    path: PathBuf,
}

/// The files of a tree, written to a folder that goes with this value.
pub(super) struct Tree {
    folder: PathBuf,
    top: PathBuf,
    old: bool,
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Tree {
    /// Tells whether it is an older state, not the index.
    pub(super) fn is_old(&self) -> bool {
        self.old
    }

    /// Where a path of the working tree is in this one.
    pub(super) fn path(&self, path: &Path) -> Result<PathBuf, CliError> {
        Ok(self.folder.join("tree").join(inside(&self.top, path)?))
    }
}

fn inside(top: &Path, path: &Path) -> Result<PathBuf, CliError> {
    let failed = |e: &std::io::Error| CliError::file("find", path, e);
    // A path that is only in the older state has a folder that is still there.
    let full = std::path::absolute(path).map_err(|e| failed(&e))?;
    let full = full.canonicalize().unwrap_or(full);
    full.strip_prefix(top)
        .map(Path::to_path_buf)
        .map_err(|_| CliError::new(format!("{} is not in the repository {}", path.display(), top.display())))
}

impl Repository {
    /// Finds the repository.
    pub(super) fn of(path: &Path) -> Result<Self, CliError> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let top = git(folder, &["rev-parse", "--show-toplevel"], None, None)?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim_end());
        let top = top.canonicalize().map_err(|e| CliError::file("find", &top, &e))?;
        let path = inside(&top, path)?;
        Ok(Self { top, path })
    }

    /// Returns the commit where the branch left another.
    pub(super) fn fork_point(&self, since: &str) -> Result<String, CliError> {
        let base = git(&self.top, &["merge-base", "--end-of-options", since, "HEAD"], None, None)?;
        Ok(String::from_utf8_lossy(&base).trim_end().to_string())
    }

    /// Tells whether there is a commit at all: before the first one there is no older state.
    pub(super) fn has_commits(&self) -> bool {
        git(&self.top, &["rev-parse", "--quiet", "--verify", "HEAD"], None, None).is_ok()
    }

    /// Writes the `.sql` files and what layouts go by: of a commit, or of the index. Nothing in the repository changes.
    pub(super) fn tree(&self, commit: Option<&str>) -> Result<Tree, CliError> {
        let name = format!("referee-{}-{}", std::process::id(), commit.unwrap_or("index"));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(|e| CliError::file("make", &folder, &e))?;
        let tree = Tree { folder, top: self.top.clone(), old: commit.is_some() };
        let index = tree.folder.join("index");
        let own = commit.map(|_| index.as_os_str());
        if let Some(commit) = commit {
            git(&self.top, &["read-tree", commit], own, None)?;
        }
        let listed = git(&self.top, &["ls-files", "-z"], own, None)?;
        let wanted = listed.split(|b| *b == 0).filter(|name| {
            let name = String::from_utf8_lossy(name);
            let near = Path::new(name.as_ref()).starts_with(&self.path);
            let is = |end: &str| name.ends_with(end);
            is(".sql") || near && (is(".json") || is(".toml") || is(".sum"))
        });
        let mut names = Vec::new();
        for name in wanted {
            names.extend_from_slice(name);
            names.push(0);
        }
        let prefix = format!("--prefix={}/tree/", tree.folder.display());
        git(&self.top, &["checkout-index", "-z", "--stdin", "--quiet", &prefix], own, Some(&names))?;
        Ok(tree)
    }
}

fn git(folder: &Path, arguments: &[&str], index: Option<&OsStr>, input: Option<&[u8]>) -> Result<Vec<u8>, CliError> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let failed = |why: String| {
        CliError::new(format!("git {} failed: {why}", arguments.first().unwrap_or(&"")))
            .hint("--since, --staged and --changed need git, and a path inside of a repository")
    };
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input).map_err(|e| failed(e.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_string()));
    }
    Ok(output.stdout)
}
