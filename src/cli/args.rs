//! What can be typed: verbs, options, their help. No behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use globset::Glob;

use crate::config::{FAIL_ON, FailOn, did_you_mean, nearest};
use crate::fate::Goal;
use crate::plan::OrphanPolicy;
use crate::render::infer::InferFormat;
use crate::render::{FateFormat, GraphFormat, PlanFormat, ReportFormat};
use crate::rules::{self, Rule};
use crate::schema::Engine;

const SOURCES: &str = "\
A SOURCE is one of:
  shop.db, sqlite:shop.db        a SQLite file
  postgres://user@host/database  PostgreSQL or CockroachDB; the password comes
                                 from PGPASSWORD or ~/.pgpass
  migrations/, dump.sql          a folder of migrations, a dump, a file of SQL
  schema.json                    what `referee schema --format json` wrote";

const EXIT: &str = "\
Exit codes: 0 done, 1 findings at or above --fail-on, 2 it could not be done,
            130 interrupted";

/// Knows what happens to every row when another row is deleted.
///
/// Audits the relations of a database: foreign keys that are missing, that nothing indexes, whose actions contradict the
/// columns they change, that rows violate. Reads only; never changes anything.
#[derive(Debug, Parser)]
#[command(
    name = "referee",
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    after_help = format!("{SOURCES}\n\nExamples:\n  referee demo\n  referee audit shop.db\n  referee graph postgres://app@localhost/shop --root users\n\n{EXIT}")
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Say only what was asked for: no notes, no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print every SQL statement before it is sent
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub color: ColorWhen,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Read the configuration from FILE instead of ./referee.toml
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long, global = true)]
    pub no_config: bool,
    /// SQL files: whose SQL it is, where they do not tell
    #[arg(long, global = true, value_name = "ENGINE")]
    pub engine: Option<EngineName>,
    /// SQL files: the schema that the migrations begin with
    #[arg(long, global = true, value_name = "FILE")]
    pub base: Option<PathBuf>,
    /// SQL files: which tool's folder it is, where that cannot be told
    #[arg(long, global = true, value_name = "TOOL")]
    pub layout: Option<String>,
}

/// When colour is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Report what is wrong with a database's relations
    Audit(AuditArgs),
    /// Report what is wrong with migrations, at the lines that cause it
    Lint(LintArgs),
    /// Draw which table's rows refer to which
    Graph(GraphArgs),
    /// Tell what becomes of every table when a row of one is deleted
    Fate(FateArgs),
    /// Find the relations that nothing declares, and say why
    Infer(InferArgs),
    /// Plan the migration that mends what an audit finds
    Fix(FixArgs),
    /// Hold a database against a plan that was carried out
    Verify(VerifyArgs),
    /// Print the schema as referee sees it
    Schema(SchemaArgs),
    /// Accept the findings of today, so that only new ones are reported
    Baseline(BaselineArgs),
    /// List the rules
    Rules(RulesArgs),
    /// Explain a rule: what it finds, why it hurts, what to do
    Explain(ExplainArgs),
    /// Write a commented referee.toml for a database
    Init(InitArgs),
    /// Make a small database with every kind of defect, and audit it
    Demo(DemoArgs),
    /// Print the JSON Schema of a file that referee reads or writes
    JsonSchema(JsonSchemaArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee audit shop.db\n  referee audit shop.db --data --foreign-keys on\n  referee audit postgres://app@localhost/shop --format sarif -o referee.sarif\n  referee audit shop.db --only unindexed-foreign-key --table 'order*'\n\n{EXIT}"))]
pub(super) struct AuditArgs {
    /// The database or schema document
    pub source: String,
    /// How to write the report [default: text]
    #[arg(long)]
    pub format: Option<ReportFormat>,
    /// Write the report to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub what: WhatArgs,
    /// Ask the planner whether each look-up of child rows uses an index
    #[arg(long)]
    pub verify_indexes: bool,
    /// From which severity on findings make the exit code 1 [default: warning]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Do not report the findings that FILE lists (see `referee baseline`)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = format!("A PATH is a folder of migrations, a dump or another file of SQL. Lines of SQL can say\nwhat is not to be heard:\n  -- referee: ignore RULE REASON       about the next statement\n  -- referee: ignore-file RULE REASON  about the whole file\n\nExamples:\n  referee lint migrations\n  referee lint migrations --base schema.sql --engine cockroach\n  referee lint drizzle --since origin/main --format github\n  referee lint db/structure.sql --only set-null-on-not-null\n\n{EXIT}"))]
pub(super) struct LintArgs {
    /// The folder of migrations, or the file of SQL
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to write the report [default: text]
    #[arg(long)]
    pub format: Option<ReportFormat>,
    /// Write the report to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Report only what is new since the branch left REF
    #[arg(long, value_name = "REF", conflicts_with_all = ["staged", "changed"])]
    pub since: Option<String>,
    /// Report only what the staged changes bring
    #[arg(long, conflicts_with = "changed")]
    pub staged: bool,
    /// Report only what changes that are not committed bring
    #[arg(long)]
    pub changed: bool,
    /// Run these rules only, by name or code
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub only: Vec<&'static Rule>,
    /// Do not run these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub skip: Vec<&'static Rule>,
    /// Report on tables that match GLOB only; can be given several times
    #[arg(long = "table", value_name = "GLOB", value_parser = glob)]
    pub tables: Vec<Glob>,
    /// SQLite: whether connections run PRAGMA foreign_keys = ON
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// From which severity on findings make the exit code 1 [default: warning]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Do not report the findings that FILE lists (see `referee baseline`)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// The engines by the names a user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineName {
    Postgres,
    Cockroach,
    Sqlite,
    Mysql,
    Mariadb,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Postgres => Self::Postgres,
            EngineName::Cockroach => Self::Cockroach,
            EngineName::Sqlite => Self::Sqlite,
            EngineName::Mysql => Self::Mysql,
            EngineName::Mariadb => Self::Mariadb,
        }
    }
}

/// What an audit looks at.
#[derive(Debug, Args)]
pub(super) struct WhatArgs {
    /// Read rows too, to count orphans
    #[arg(long)]
    pub data: bool,
    /// With rows: how long to read them to tell guessed relations from chance: 30s, 2m, 500ms
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub budget: Duration,
    /// Run these rules only, by name or code
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub only: Vec<&'static Rule>,
    /// Do not run these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub skip: Vec<&'static Rule>,
    /// Report on tables that match GLOB only; can be given several times
    #[arg(long = "table", value_name = "GLOB", value_parser = glob)]
    pub tables: Vec<Glob>,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnOff {
    On,
    Off,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee graph shop.db\n  referee graph shop.db --root users --depth 2\n  referee graph shop.db --format svg -o shop.svg"))]
pub(super) struct GraphArgs {
    /// The database or schema document
    pub source: String,
    /// How to draw it
    #[arg(long, default_value = "tree")]
    pub format: GraphFormat,
    /// Read rows too, to tell guessed relations from chance
    #[arg(long)]
    pub data: bool,
    /// With rows: how long to read them: 30s, 2m, 500ms; what is not read by then is told by names
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub budget: Duration,
    /// Draw only what hangs on TABLE: the rows that go, or stay behind, with its rows
    #[arg(long, value_name = "TABLE")]
    pub root: Option<String>,
    /// Follow relations N steps from the root
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fate shop.db\n  referee fate shop.db users\n  referee fate shop.db users --where 'id = 5' --count\n  referee fate postgres://app@localhost/shop users --format svg -o users.svg"))]
pub(super) struct FateArgs {
    /// The database or schema document
    pub source: String,
    /// The table a row is deleted from; every table in turn if left out
    pub table: Option<String>,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub format: FateFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What the repair shall reach: nothing stays behind, or references that
    /// can be NULL may
    #[arg(long, value_name = "VERDICT", default_value = "complete")]
    pub goal: GoalArg,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    /// [default: on]
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// Tell how many rows a delete of the rows that CONDITION selects takes with
    /// it, by the engine's estimates
    #[arg(long = "where", value_name = "CONDITION", requires = "table")]
    pub rows: Option<String>,
    /// Count those rows exactly
    #[arg(long, requires = "rows")]
    pub count: bool,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
}

/// What a repair shall reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GoalArg {
    Complete,
    LeavesRows,
}

impl From<GoalArg> for Goal {
    fn from(goal: GoalArg) -> Self {
        match goal {
            GoalArg::Complete => Self::Complete,
            GoalArg::LeavesRows => Self::LeavesRows,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee infer shop.db\n  referee infer postgres://app@localhost/shop --budget 2m --format markdown -o relations.md\n  referee infer shop.db --no-data --min-confidence 0.8 --write-config"))]
pub(super) struct InferArgs {
    /// The database or schema document
    pub source: String,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub format: InferFormat,
    /// Read no rows: names, types and keys only
    #[arg(long)]
    pub no_data: bool,
    /// How long rows may be read: 30s, 2m, 500ms; what is not read by then stays unknown
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, conflicts_with = "no_data")]
    pub budget: Duration,
    /// From which confidence on a relation is proposed, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// Add what is proposed to referee.toml, as [[relation]] entries
    #[arg(long, conflicts_with = "no_config")]
    pub write_config: bool,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fix shop.db\n  referee fix migrations --only unindexed-foreign-key --format sql\n  referee fix shop.db --choose users.team_id=set-null --orphans quarantine\n  referee fix postgres://app@localhost/shop --root users --format markdown"))]
pub(super) struct FixArgs {
    /// The database, folder of migrations or schema document
    pub source: String,
    /// How to write the plan
    #[arg(long, default_value = "text")]
    pub format: PlanFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Mend what these rules find only, by name or code
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub only: Vec<&'static Rule>,
    /// Do not mend what these rules find
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub skip: Vec<&'static Rule>,
    /// Mend tables that match GLOB only; can be given several times
    #[arg(long = "table", value_name = "GLOB", value_parser = glob)]
    pub tables: Vec<Glob>,
    /// Make the smallest repair by which a delete of TABLE's rows goes through and
    /// leaves nothing behind (see `referee fate`); other findings only with --only
    #[arg(long, value_name = "TABLE")]
    pub root: Option<String>,
    /// Where there is a choice: the finding's place (or its constraint or rule) and
    /// the word of the option; can be given several times
    #[arg(long, value_name = "SUBJECT=WORD", value_parser = choice)]
    pub choose: Vec<(String, String)>,
    /// What becomes of rows without a parent where a key needs them gone
    #[arg(long, value_name = "WHAT")]
    pub orphans: Option<OrphansArg>,
    /// Plan repairs that need a decision, too, by their recommended option
    #[arg(long)]
    pub manual: bool,
    /// How long a statement may wait for a lock: 2s, 500ms
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Do not count rows without a parent first
    #[arg(long)]
    pub no_data: bool,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
    /// From which confidence on a guessed relation counts, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "X", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    #[command(flatten)]
    pub files: FilesArgs,
    #[command(flatten)]
    pub apply: ApplyArgs,
}

/// Writing a plan as files of a migration tool.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(super) struct FilesArgs {
    /// Write the plan as migrations into DIR, for the tool that --layout names or DIR
    /// shows: sql, drizzle, prisma, flyway, golang-migrate, dbmate, goose, sqlx,
    /// diesel, atlas, refinery
    #[arg(long, value_name = "DIR", conflicts_with = "apply")]
    pub out: Option<PathBuf>,
    /// What the migration is called
    #[arg(long, value_name = "NAME", default_value = "mend_references", value_parser = migration_name)]
    pub name: String,
}

/// Running a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Apply")]
pub(super) struct ApplyArgs {
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
    /// Where the run is recorded [default: beside a SQLite file, else in .referee]
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub journal: Option<PathBuf>,
    /// Do not take up the run that was killed: make a new plan
    #[arg(long, requires = "apply")]
    pub anew: bool,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee fix shop.db --format json -o plan.json\n  referee verify shop.db --plan plan.json\n  referee verify shop.db --plan plan.json --format markdown -o report.md\n\nExit codes: 0 verified, 1 not, 2 it could not be done, 130 interrupted"))]
pub(super) struct VerifyArgs {
    /// The database
    pub source: String,
    /// The plan: what `referee fix --format json` wrote
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// How to write the report
    #[arg(long, default_value = "text")]
    pub format: VerifyFormat,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// SQLite: whether the application runs PRAGMA foreign_keys = ON
    #[arg(long, value_name = "STATE")]
    pub foreign_keys: Option<OnOff>,
}

/// The formats of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyFormat {
    Text,
    Markdown,
    Json,
}

/// What becomes of rows without a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OrphansArg {
    /// They are deleted
    Delete,
    /// Their reference becomes NULL
    SetNull,
    /// They are moved to a table of their own
    Quarantine,
}

impl From<OrphansArg> for OrphanPolicy {
    fn from(orphans: OrphansArg) -> Self {
        match orphans {
            OrphansArg::Delete => Self::Delete,
            OrphansArg::SetNull => Self::SetNull,
            OrphansArg::Quarantine => Self::Quarantine,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee schema shop.db\n  referee schema shop.db --format json -o shop.json\n  referee audit shop.json"))]
pub(super) struct SchemaArgs {
    /// The database or schema document
    pub source: String,
    /// How to write it
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TextOrJson {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  referee baseline write shop.db\n  referee audit shop.db --baseline referee-baseline.json"
)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    pub command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineCommand {
    /// Write the findings of today to a file
    Write(BaselineWriteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = format!("Reasons that you wrote into an older file of the same name are kept.\n\n{SOURCES}\n\nExamples:\n  referee baseline write shop.db\n  referee baseline write shop.db --data -o known.json\n  referee audit shop.db --data --baseline known.json"))]
pub(super) struct BaselineWriteArgs {
    /// The database or schema document
    pub source: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "referee-baseline.json")]
    pub output: PathBuf,
    #[command(flatten)]
    pub what: WhatArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee rules\n  referee rules --format json")]
pub(super) struct RulesArgs {
    /// How to list them
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee explain set-null-on-not-null\n  referee explain REF105")]
pub(super) struct ExplainArgs {
    /// The rule, by name or code
    pub rule: String,
}

#[derive(Debug, Args)]
#[command(after_help = format!("{SOURCES}\n\nExamples:\n  referee init shop.db\n  referee init shop.db -o config/referee.toml"))]
pub(super) struct InitArgs {
    /// The database or schema document
    pub source: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = crate::config::FILE_NAME)]
    pub output: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee demo\n  referee demo --keep demo.db")]
pub(super) struct DemoArgs {
    /// Keep the database as FILE, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee json-schema config > referee.schema.json")]
pub(super) struct JsonSchemaArgs {
    /// Which file
    pub document: DocumentKind,
}

/// The documents whose JSON Schema is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DocumentKind {
    /// referee.toml
    Config,
    /// What `referee audit --format json` writes
    Findings,
    /// What `referee lint PATH PATH --format json` writes
    Reports,
    /// What `referee schema --format json` writes
    Schema,
    /// What `referee baseline write` writes
    Baseline,
    /// What `referee fix --format json` writes
    Plan,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  referee completions bash > ~/.local/share/bash-completion/completions/referee\n  referee completions fish > ~/.config/fish/completions/referee.fish"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

impl ValueEnum for ReportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for GraphFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for FateFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for PlanFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for InferFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for FailOn {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let at = Self::ALL.iter().position(|f| f == self)?;
        Some(PossibleValue::new(FAIL_ON[at]))
    }
}

fn rule(text: &str) -> Result<&'static Rule, String> {
    rules::find(text).ok_or_else(|| unknown_rule(text))
}

/// Says that there is no such rule, and which ones are near.
pub(super) fn unknown_rule(text: &str) -> String {
    let near = nearest(text, rules::ALL.iter().flat_map(|r| [r.meta.name, r.meta.code]));
    let hint = did_you_mean(&near).unwrap_or_else(|| "`referee rules` lists them all".to_string());
    format!("there is no rule `{text}`; {hint}")
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::new(text).map_err(|e| {
        format!("{}; a pattern is a name with `*` for any characters, `?` for one, `[ab]`, `{{one,other}}`", e.kind())
    })
}

fn choice(text: &str) -> Result<(String, String), String> {
    let parts = text.rsplit_once('=').map(|(subject, word)| (subject.trim(), word.trim()));
    match parts.filter(|(subject, word)| !subject.is_empty() && !word.is_empty()) {
        Some((subject, word)) => Ok((subject.to_string(), word.to_string())),
        None => Err("must be SUBJECT=WORD, as in users.team_id=set-null".to_string()),
    }
}

/// Reads a migration's name: what every tool takes in the name of a file.
fn migration_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || !text.chars().all(fits) {
        return Err("letters, digits and underscores only".to_string());
    }
    Ok(text.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    read.filter(|d| *d <= Duration::from_secs(86_400))
        .ok_or_else(|| "must be a time up to a day: 30s, 2m, 500ms".to_string())
}

fn confidence(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| "must be a number from 0 to 1".to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_knows_every_report_format() {
        let names: Vec<_> = ReportFormat::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names, crate::config::REPORT_FORMATS);
    }
}
