//! What can be typed: verbs, options, their help; a file for each verb or group of them. No behaviour.

mod about;
mod audit;
mod baseline;
mod fate;
mod fix;
mod graph;
mod infer;
mod lint;
mod schema;
mod values;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(super) use about::{CompletionsArgs, DemoArgs, DocumentKind, ExplainArgs, JsonSchemaArgs, RulesArgs};
pub(super) use audit::AuditArgs;
pub(super) use baseline::{BaselineArgs, BaselineCommand};
pub(super) use fate::FateArgs;
pub(super) use fix::FixArgs;
pub(super) use graph::GraphArgs;
pub(super) use infer::InferArgs;
pub(super) use lint::LintArgs;
pub(super) use schema::{InitArgs, SchemaArgs};
pub(super) use values::{ColorWhen, EngineName, OnOff, TextOrJson, unknown_rule};
pub(super) use verify::{VerifyArgs, VerifyFormat};

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
/// columns they change, that rows violate; and fixes them. It only reads until you say `fix --apply`.
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
    /// Stop each statement that runs for longer than TIME
    #[arg(long, global = true, value_name = "TIME", value_parser = values::duration)]
    pub statement_timeout: Option<Duration>,
    /// Stop the whole job after TIME
    #[arg(long, global = true, value_name = "TIME", value_parser = values::duration)]
    pub max_duration: Option<Duration>,
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
    /// Plan the migration that fixes what an audit finds
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use referee::render::ReportFormat;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_knows_every_report_format() {
        let names: Vec<_> = ReportFormat::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names, referee::config::REPORT_FORMATS);
    }
}
