//! The arguments of `fix`: what is planned, where it is written, how it is carried out.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::SOURCES;
use super::audit::SelectionArgs;
use super::values::{by_name, choice, confidence, duration, migration_name};
use referee::plan::OrphanPolicy;
use referee::render::PlanFormat;
use referee::source::SourceText;

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fix shop.db\n  referee fix migrations --only unindexed-foreign-key --format sql\n  referee fix shop.db --choose users.team_id=drop-not-null --orphans quarantine\n  referee fix shop.db --accept-inferred=0.95 --apply\n  referee fix postgres://app@localhost/shop --root users --format markdown\n\nGuessed relations are listed and not planned. Accept those that are true:\n  referee infer shop.db --accept 'orders.customer_id->customers.id'"))]
#[command(mut_arg("only", |a| a.help("Fix only what these rules find, by name or code")))]
#[command(mut_arg("skip", |a| a.help("Do not fix what these rules find")))]
#[command(mut_arg("tables", |a| a.help("Fix tables that match GLOB only; can be given several times")))]
#[command(mut_arg("min_confidence", |a| a.help("From which confidence on a guessed relation is listed, 0 to 1 [default: 0.5]")))]
pub(crate) struct FixArgs {
    /// The database, folder of migrations or schema document
    pub source: SourceText,
    /// How to write the plan
    #[arg(long, default_value = "text", value_parser = by_name::<PlanFormat>())]
    pub format: PlanFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Make the smallest set of changes by which every delete from TABLE succeeds (see
    /// `referee fate`); what needs a decision only with --choose, other findings only
    /// with --only
    #[arg(long, value_name = "TABLE")]
    pub root: Option<String>,
    /// Where there is a choice: the finding's place (or its constraint or rule) and
    /// the word of the option; can be given several times
    #[arg(long, value_name = "SUBJECT=WORD", value_parser = choice)]
    pub choose: Vec<(String, String)>,
    /// What becomes of orphans (child rows whose parent is missing) where a foreign key
    /// needs them gone: delete, set-null or quarantine. A reference that may be NULL
    /// always becomes NULL. For one relation: child.column=delete, =set-null,
    /// =quarantine or =leave; can be given several times
    #[arg(long, value_name = "WHAT", value_parser = orphans)]
    pub orphans: Vec<OrphansArg>,
    /// Plan fixes that need a decision, too, by their first option, unless it makes a
    /// foreign key cascade: that takes a --choose
    #[arg(long)]
    pub manual: bool,
    /// How long a statement may wait for a lock: 2s, 500ms. Building an index on
    /// PostgreSQL shuts nobody out, and waits as long as it takes
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Do not count orphan rows first
    #[arg(long)]
    pub no_data: bool,
    /// Count guessed relations as accepted in this run that are at least so sure, 0 to 1 (0.9 if X is
    /// left out), except those that rows contradict. Without it nothing is changed for a guess
    #[arg(long, value_name = "X", num_args = 0..=1, require_equals = true, default_missing_value = "0.9", value_parser = confidence)]
    pub accept_inferred: Option<f64>,
    #[command(flatten)]
    pub files: FilesArgs,
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// What becomes of orphans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrphansArg {
    /// The relation; `None` for all.
    pub relation: Option<String>,
    /// What is done; `None` leaves them.
    pub policy: Option<OrphanPolicy>,
    /// As it was typed.
    pub typed: String,
}

/// Reads a word, or a relation and a word.
fn orphans(typed: &str) -> Result<OrphansArg, String> {
    let (relation, word) = match typed.rsplit_once('=') {
        Some((relation, word)) => (Some(relation.trim()), word.trim()),
        None => (None, typed.trim()),
    };
    let policy = match (word.to_ascii_lowercase().as_str(), relation) {
        ("delete", _) => Some(OrphanPolicy::Delete),
        ("set-null", _) => Some(OrphanPolicy::SetNull),
        ("quarantine", _) => Some(OrphanPolicy::Quarantine),
        ("leave", Some(_)) => None,
        _ => {
            return Err("must be delete, set-null or quarantine, or for one relation child.column=WORD, where WORD can also be leave".into());
        }
    };
    if relation == Some("") {
        return Err("names no relation before the `=`: child.column=delete".into());
    }
    Ok(OrphansArg { relation: relation.map(str::to_string), policy, typed: typed.to_string() })
}

impl FixArgs {
    /// Returns what becomes of the orphans of all relations; the last word counts.
    pub fn orphans_of_all(&self) -> Option<OrphanPolicy> {
        self.orphans.iter().rev().find(|o| o.relation.is_none()).and_then(|o| o.policy)
    }

    /// Returns what becomes of the orphans of single relations.
    pub fn orphans_of_one(&self) -> Vec<(String, Option<OrphanPolicy>)> {
        self.orphans.iter().filter_map(|o| Some((o.relation.clone()?, o.policy))).collect()
    }
}

/// Writing a plan as files of a migration tool.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FilesArgs {
    /// Write the plan as migrations into DIR, for the tool that --layout names or DIR
    /// shows: sql, drizzle, prisma, flyway, golang-migrate, dbmate, goose, sqlx,
    /// diesel, atlas, refinery
    #[arg(long, value_name = "DIR", conflicts_with = "apply")]
    pub out: Option<PathBuf>,
    /// What the migration is called
    #[arg(long, value_name = "NAME", default_value = "fix_references", value_parser = migration_name)]
    pub name: String,
}

/// Running a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Apply", group = ArgGroup::new("applied_or_undone").args(["apply", "undo"]).multiple(true))]
pub(crate) struct ApplyArgs {
    /// Carry the plan out, after a question, and verify what came of it. A run that was
    /// killed is taken up where it stopped
    #[arg(long)]
    pub apply: bool,
    /// Do not ask
    #[arg(long, requires = "apply")]
    pub yes: bool,
    /// How often a step that gets no lock is tried again
    #[arg(long, value_name = "N", default_value_t = 10, requires = "apply")]
    pub retries: u32,
    /// Where the run is recorded, or which record --undo reads [default: beside a SQLite
    /// file, else in .referee]
    #[arg(long, value_name = "FILE", requires = "applied_or_undone")]
    pub journal: Option<PathBuf>,
    /// Do not take up the run that was killed: make a new plan
    #[arg(long, requires = "apply")]
    pub new_plan: bool,
    /// Show how the last recorded run is undone, its last step first; with --apply, do it
    #[arg(long, conflicts_with_all = ["new_plan", "only", "skip", "tables", "root", "choose", "orphans", "manual", "accept_inferred", "out", "format", "output"])]
    pub undo: bool,
}
