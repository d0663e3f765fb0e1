//! The arguments of the verbs that look at no database of yours: `rules`, `explain`, `demo`, `json-schema`, `completions`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::TextOrJson;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee rules\n  referee rules --format json")]
pub(crate) struct RulesArgs {
    /// How to list them
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee explain set-null-on-not-null\n  referee explain REF105")]
pub(crate) struct ExplainArgs {
    /// The rule, by name or code
    pub rule: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee demo\n  referee demo --keep demo.db")]
pub(crate) struct DemoArgs {
    /// Keep the database as FILE, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  referee json-schema config > referee.schema.json")]
pub(crate) struct JsonSchemaArgs {
    /// Which file
    pub document: DocumentKind,
}

/// The documents whose JSON Schema is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentKind {
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
pub(crate) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
