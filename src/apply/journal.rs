//! What a run meant to do and how far it came: a file of lines of JSON that is only ever added to.
//!
//! The file is locked while a run uses it, so that two runs cannot; the system takes the lock back when the process ends,
//! however it ends. Each line is on the disk before the step that it tells of begins.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::plan::{Plan, Step};

/// The format's name and version, in the first line of every run.
const FORMAT: &str = "referee-run/1";
/// How the first line of every journal begins.
const HEAD: &str = "{\"event\":\"run\",\"format\":\"referee-run/";

/// See the module.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

/// A run that did not come to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// What it meant to do.
    pub plan: Plan,
    /// The options that the plan was made by, each with its value (`--orphans`, `delete`); `None` if they were not recorded.
    pub asked: Option<Vec<(String, String)>>,
    /// Which database it changes, as [`Dialect::identity_query`](crate::engine::Dialect::identity_query) tells.
    pub database: Option<String>,
    /// The steps it did.
    pub done: Vec<String>,
    /// The step it was at.
    pub at: Option<String>,
    /// What went wrong, if something did; `None` if it was killed.
    pub error: Option<String>,
    /// When it began, in seconds since 1970 (UTC).
    pub began: u64,
}

/// A run that a journal holds, whether it came to its end or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number in the file, from 0.
    pub number: usize,
    /// What it meant to do.
    pub plan: Plan,
    /// Which database it changed, as [`Dialect::identity_query`](crate::engine::Dialect::identity_query) tells.
    pub database: Option<String>,
    /// The steps that it began. What it found done before it began is not its work, and is not undone.
    pub started: Vec<String>,
    /// The steps it did, or found done.
    pub done: Vec<String>,
    /// The steps of it that an undo has undone, or had begun to undo when it was killed: whether it came to that, the database
    /// tells.
    pub undone: Vec<String>,
    /// How many rows each of these restored.
    pub restored: BTreeMap<String, u64>,
    /// An undo of it began and did not come to its end.
    pub undoing: bool,
    /// It came to its end, or was given up.
    pub ended: bool,
}

impl Recorded {
    /// Makes what would be recorded of a run that did a whole plan.
    pub fn whole(plan: Plan) -> Self {
        let done: Vec<String> = plan.steps.iter().map(|s| s.id.clone()).collect();
        let (started, undone, restored) = (done.clone(), Vec::new(), BTreeMap::new());
        Self { number: 0, plan, database: None, started, done, undone, restored, undoing: false, ended: true }
    }

    /// Returns the steps that it did and that are not undone.
    pub fn left(&self) -> impl Iterator<Item = &Step> {
        let left = |step: &&Step| self.is_own(step) && self.done.contains(&step.id) && !self.undone.contains(&step.id);
        self.plan.steps.iter().filter(left)
    }

    /// Tells whether a step is this run's work, as far as it came.
    pub fn is_own(&self, step: &Step) -> bool {
        self.started.contains(&step.id)
    }
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum JournalError {
    #[error("cannot write the journal {path}: {error}")]
    Io { path: String, error: std::io::Error },
    #[error("the journal {path} is in use: another run is at work")]
    InUse { path: String },
    #[error("{path} is no journal of referee's: nothing is written to it")]
    Foreign { path: String },
    #[error("line {line} of the journal {path} cannot be read: {error}")]
    Syntax { path: String, line: usize, error: serde_json::Error },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Record {
    Run {
        format: String,
        at: u64,
        plan: Box<Plan>,
        #[serde(default)]
        asked: Option<Vec<(String, String)>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
    },
    Started {
        step: String,
        at: u64,
    },
    Skipped {
        step: String,
        at: u64,
    },
    Done {
        step: String,
        at: u64,
        /// How many rows it changed, where it is a step that does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    Failed {
        step: String,
        at: u64,
        error: String,
        /// Nothing of it is left: what was begun of it is rolled back.
        #[serde(default)]
        rolled_back: bool,
    },
    Finished {
        at: u64,
    },
    Abandoned {
        at: u64,
    },
    /// The undo of a run begins; `run` counts the runs of the file from 0.
    Undoing {
        run: usize,
        at: u64,
    },
    /// One of its steps is about to be undone.
    #[serde(rename = "undo-started")]
    UndoStarted {
        run: usize,
        step: String,
        at: u64,
        /// How many rows it restores.
        #[serde(default)]
        rows: u64,
    },
    /// It was not, and all that was begun of it was taken back.
    #[serde(rename = "undo-failed")]
    UndoFailed {
        run: usize,
        step: String,
        at: u64,
        error: String,
    },
    /// One of its steps is undone.
    Undone {
        run: usize,
        step: String,
        at: u64,
    },
    /// All of them are.
    #[serde(rename = "all-undone")]
    AllUndone {
        run: usize,
        at: u64,
    },
}

impl Journal {
    /// Opens a journal and locks it, and tells of the last run in it if that did not come to its end. Makes the file if it is
    /// not there.
    ///
    /// # Errors
    /// The file cannot be written, is in use, or is no journal.
    pub fn open(path: &Path) -> Result<(Self, Option<Unfinished>), JournalError> {
        let shown = || path.display().to_string();
        let io = |error| JournalError::Io { path: shown(), error };
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(io)?;
        let is_new = !path.exists();
        if !is_new {
            files::regular(path).map_err(io)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        let mut tries = 0;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(io(error)),
                // A process that was just started by this one holds its open files for a moment.
                TryLockError::WouldBlock if tries < 10 => tries += 1,
                TryLockError::WouldBlock => return Err(JournalError::InUse { path: shown() }),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if is_new {
            // Its name is on the disk, too, before the first step begins.
            files::sync_folder(folder).map_err(io)?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        // Before anything is cut off: a database or a report may have been named by mistake. A first line may be incomplete.
        let head = HEAD.as_bytes();
        if !bytes.starts_with(&head[..head.len().min(bytes.len())]) {
            return Err(JournalError::Foreign { path: shown() });
        }
        // A line without end was being written when the run was killed: it never counted.
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
            file.seek(SeekFrom::End(0)).map_err(io)?;
        }
        let unfinished = read(&String::from_utf8_lossy(&bytes[..whole]))
            .map_err(|(line, error)| JournalError::Syntax { path: shown(), line, error })?;
        Ok((Self { file, path: path.to_path_buf() }, unfinished))
    }

    /// Returns the runs of a journal that are not undone, whether they came to their end or not, the newest first.
    ///
    /// # Errors
    /// The file cannot be read, or is no journal.
    pub fn runs(path: &Path) -> Result<Vec<Recorded>, JournalError> {
        let shown = || path.display().to_string();
        let io = |error| JournalError::Io { path: shown(), error };
        files::regular(path).map_err(io)?;
        let text = files::read_text(path).map_err(io)?;
        if !text.is_empty() && !text.starts_with(HEAD) {
            return Err(JournalError::Foreign { path: shown() });
        }
        // A line without end was being written when the run was killed: it never counted.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let syntax = |(line, error)| JournalError::Syntax { path: shown(), line, error };
        let all = runs(&text[..whole]).map_err(syntax)?;
        Ok(all.into_iter().rev().filter_map(|(run, undone)| (!undone).then_some(run)).collect())
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a run of a plan that was made by some options.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, plan: &Plan, asked: &[(String, String)]) -> Result<(), JournalError> {
        self.begin_in(None, plan, asked)
    }

    /// Begins a run in a database that can be told from others.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_in(
        &mut self,
        database: Option<String>,
        plan: &Plan,
        asked: &[(String, String)],
    ) -> Result<(), JournalError> {
        let (plan, asked) = (Box::new(plan.clone()), Some(asked.to_vec()));
        self.add(&Record::Run { format: FORMAT.into(), at: now(), plan, asked, database })
    }

    /// Tells that the last run will not be taken up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn abandon(&mut self) -> Result<(), JournalError> {
        self.add(&Record::Abandoned { at: now() })
    }

    pub(super) fn undoing(&mut self, run: usize) -> Result<(), JournalError> {
        self.add(&Record::Undoing { run, at: now() })
    }

    pub(super) fn undo_started(&mut self, run: usize, step: &str, rows: u64) -> Result<(), JournalError> {
        self.add(&Record::UndoStarted { run, step: step.into(), at: now(), rows })
    }

    pub(super) fn undo_failed(&mut self, run: usize, step: &str, error: &str) -> Result<(), JournalError> {
        self.add(&Record::UndoFailed { run, step: step.into(), at: now(), error: error.into() })
    }

    pub(super) fn undone(&mut self, run: usize, step: &str) -> Result<(), JournalError> {
        self.add(&Record::Undone { run, step: step.into(), at: now() })
    }

    pub(super) fn all_undone(&mut self, run: usize) -> Result<(), JournalError> {
        self.add(&Record::AllUndone { run, at: now() })
    }

    pub(super) fn started(&mut self, step: &str) -> Result<(), JournalError> {
        self.add(&Record::Started { step: step.into(), at: now() })
    }

    pub(super) fn skipped(&mut self, step: &str) -> Result<(), JournalError> {
        self.add(&Record::Skipped { step: step.into(), at: now() })
    }

    pub(super) fn done(&mut self, step: &str, rows: Option<u64>) -> Result<(), JournalError> {
        self.add(&Record::Done { step: step.into(), at: now(), rows })
    }

    pub(super) fn failed(&mut self, step: &str, error: &str, rolled_back: bool) -> Result<(), JournalError> {
        self.add(&Record::Failed { step: step.into(), at: now(), error: error.into(), rolled_back })
    }

    pub(super) fn finished(&mut self) -> Result<(), JournalError> {
        self.add(&Record::Finished { at: now() })
    }

    fn add(&mut self, record: &Record) -> Result<(), JournalError> {
        let io = |error| JournalError::Io { path: self.path.display().to_string(), error };
        let mut line = serde_json::to_string(record).map_err(|e| io(e.into()))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()).map_err(io)
    }
}

/// Reads the lines of the last run; `None` if it came to its end, or there is none.
fn read(text: &str) -> Result<Option<Unfinished>, (usize, serde_json::Error)> {
    let mut last = None;
    let mut runs = 0;
    for (number, line) in text.lines().enumerate() {
        let record: Record = serde_json::from_str(line).map_err(|error| (number + 1, error))?;
        if let Record::Run { plan, asked, database, at: began, .. } = record {
            runs += 1;
            last = Some(Unfinished { plan: *plan, asked, database, done: Vec::new(), at: None, error: None, began });
            continue;
        }
        let Some(run) = &mut last else { continue };
        match record {
            Record::Started { step, .. } => (run.at, run.error) = (Some(step), None),
            Record::Done { step, .. } | Record::Skipped { step, .. } => {
                run.at = None;
                run.done.push(step);
            }
            // A guard stops a step before it starts.
            Record::Failed { step, error, .. } => (run.at, run.error) = (Some(step), Some(error)),
            Record::Finished { .. } | Record::Abandoned { .. } => last = None,
            // A run that is undone is not taken up again.
            Record::Undoing { run, .. } if run + 1 == runs => last = None,
            Record::Run { .. }
            | Record::Undoing { .. }
            | Record::UndoStarted { .. }
            | Record::UndoFailed { .. }
            | Record::Undone { .. }
            | Record::AllUndone { .. } => {}
        }
    }
    Ok(last)
}

/// Reads every run of a journal's lines, and whether all of it is undone.
fn runs(text: &str) -> Result<Vec<(Recorded, bool)>, (usize, serde_json::Error)> {
    let mut runs: Vec<(Recorded, bool)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line).map_err(|error| (number + 1, error))? {
            Record::Run { plan, database, .. } => {
                let (started, done, undone) = (Vec::new(), Vec::new(), Vec::new());
                let (number, plan, restored) = (runs.len(), *plan, BTreeMap::new());
                let (undoing, ended) = (false, false);
                let run = Recorded { number, plan, database, started, done, undone, restored, undoing, ended };
                runs.push((run, false));
            }
            Record::Started { step, .. } => {
                runs.iter_mut().last().into_iter().for_each(|(run, _)| run.started.push(step.clone()));
            }
            Record::Finished { .. } | Record::Abandoned { .. } => {
                runs.iter_mut().last().into_iter().for_each(|(run, _)| run.ended = true);
            }
            Record::Done { step, .. } | Record::Skipped { step, .. } => {
                runs.iter_mut().last().into_iter().for_each(|(run, _)| run.done.push(step.clone()));
            }
            Record::Undoing { run, .. } => runs.get_mut(run).into_iter().for_each(|(r, _)| {
                r.undoing = true;
                r.ended = true;
            }),
            Record::UndoStarted { run, step, rows, .. } => runs.get_mut(run).into_iter().for_each(|(r, _)| {
                r.restored.insert(step.clone(), rows);
                if !r.undone.contains(&step) {
                    r.undone.push(step.clone());
                }
            }),
            Record::Undone { run, step, .. } => {
                let undone = runs.get_mut(run).map(|(r, _)| &mut r.undone).filter(|all| !all.contains(&step));
                undone.into_iter().for_each(|all| all.push(step.clone()));
            }
            Record::UndoFailed { run, step, .. } => {
                runs.get_mut(run).into_iter().for_each(|(r, _)| {
                    r.undone.retain(|s| *s != step);
                    r.restored.remove(&step);
                });
            }
            Record::AllUndone { run, .. } => runs.get_mut(run).into_iter().for_each(|(r, undone)| {
                r.undoing = false;
                *undone = true;
            }),
            // This try left nothing; one that was killed before it may have.
            Record::Failed { step, rolled_back: true, .. } => {
                runs.iter_mut().last().into_iter().for_each(|(run, _)| {
                    if let Some(at) = run.started.iter().rposition(|s| *s == step) {
                        run.started.remove(at);
                    }
                })
            }
            Record::Failed { .. } => {}
        }
    }
    Ok(runs)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
