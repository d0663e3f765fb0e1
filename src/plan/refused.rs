//! What no step fixes, and why: data, put into words here and nowhere else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, words};
use crate::change::Change;
use crate::findings::{Finding, RuleId};
use crate::schema::{ForeignKey, TableName};
use crate::text::{argument, quoted, said};

/// A finding that no step fixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The finding.
    pub reason: Reason,
    /// What it is about: `orders.customer_id`.
    pub subject: String,
    /// Why no step fixes it, and what to do.
    pub why: String,
    /// What there is to decide, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A decision that only the user can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What is decided about, as the command line names it: `orders.customer_id`.
    pub subject: String,
    /// What there is to know.
    pub help: String,
    /// What there is to choose from.
    pub options: Vec<DecisionOption>,
}

/// One of the options of a [`Decision`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionOption {
    /// The word that chooses it: `cascade`.
    pub word: String,
    /// What it does, and what deletes newly delete by it.
    pub does: String,
}

/// Why a repair is not made. Whatever compares or sorts goes by this; the words are made last, by [`Why::told`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Why {
    /// It has to be decided.
    Decision(Decision),
    /// It rests on a guess: the relation, as `--accept` names it.
    Guess(String),
    /// It is about a migration that was applied.
    Applied { help: String },
    /// No change of the schema fixes it.
    NoChange { help: String },
    /// Its repair was planned, and no step that came of it fixes it.
    NoStep { help: String },
    /// Nobody has said what becomes of rows that fail the check of a key.
    FailsCheck { rows: u64, can: Can },
    /// Nobody has said what becomes of its rows.
    Unsaid { can: Can, help: String },
    /// Its rows are cleaned up with a key that is not planned.
    NoKey,
    /// SQLite: orphans of a key by which a table refers to itself are in the way of another key on these columns.
    OwnOrphans { rows: u64, table: TableName, key: Box<ForeignKey>, columns: Vec<String>, can: Can },
    /// Orphans are in the way of their key.
    Orphans { rows: u64, table: TableName, key: Box<ForeignKey>, left: Left },
    /// Something else is wanted of the same key or column, and goes before.
    Outranked { by: RuleId, changes: Vec<Change> },
    /// It would bring another finding.
    Brings { rule: RuleId, message: String },
    /// It is brought by the plan, and this is why the plan does not fix it; nothing if the next plan does.
    Comes { message: String, then: Option<Box<Why>> },
    /// Its step fits the schema at no place.
    DoesNotFit(String),
    /// Orphans cannot be cleaned up as they are, in the words of `remedy`.
    Remedy(String),
    /// The engine's recipes make no step of it, in their words.
    Recipe(String),
}

/// What can become of orphans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Can {
    /// Their reference can become NULL, or they go.
    BecomeNull,
    /// They go.
    Go {
        /// The relation, as the command line names it.
        of: String,
        /// Whether no word for all relations makes them go.
        by_name: bool,
        /// Whether the column can be made nullable first.
        loosens: bool,
    },
}

impl Can {
    /// Names the words of the command line that do something.
    fn words(&self) -> String {
        let moved = "(moved to a table of their own)";
        let Self::Go { of, by_name, loosens } = self else {
            return format!("`--orphans delete`, `--orphans set-null` or `--orphans quarantine` {moved}");
        };
        let named = |word: &str| argument(&format!("{of}={word}"));
        let word = |word: &str| if *by_name { named(word) } else { word.to_string() };
        let removed = format!("`--orphans {}` or `--orphans {}` {moved}", word("delete"), word("quarantine"));
        match loosens {
            true => format!("{removed}; or `--orphans {}` (the column becomes nullable first)", named("set-null")),
            false => removed,
        }
    }
}

/// Why orphans are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The engine's rows are not written.
    Unwritten,
    /// Nobody has said what becomes of them.
    Unsaid(Can),
    /// The user leaves them.
    Asked,
}

impl Why {
    /// Puts it into words.
    pub fn told(&self) -> String {
        let refer = |rows: u64| if rows == 1 { "1 row refers".to_string() } else { format!("{rows} rows refer") };
        said(match self {
            Self::Decision(decision) => decision.told(&decision.subject),
            Self::Guess(relation) => format!(
                "It rests on a guess, and nothing is changed for one. If it is true, accept it: `referee infer SOURCE --accept {}`.",
                argument(relation)
            ),
            Self::Applied { help } => {
                format!("It is about a migration, and one that was applied is not rewritten. {help}")
            }
            Self::NoChange { help } => format!("No change of the schema fixes it by itself. {help}"),
            Self::NoStep { help } => format!("No step of this plan fixes it. {help}"),
            Self::FailsCheck { rows, can } => {
                let rows = if *rows == 1 { "1 row fails".to_string() } else { format!("{rows} rows fail") };
                format!("{rows} the check. It is planned once you say what becomes of them: {}.", can.words())
            }
            Self::Unsaid { can, help } => {
                format!("Rows are changed only when you say how: {}. {help}", can.words())
            }
            Self::NoKey => {
                "They are cleaned up together with the foreign key that keeps them out, and none is planned here."
                    .to_string()
            }
            Self::OwnOrphans { rows, table, key, columns, can } => format!(
                "{} to no row of `{table}` itself ({}). SQLite checks that foreign key again whenever a column of another one \
                 changes, so with this one no UPDATE of `{}` of such a row would succeed any more. Give them a parent, or say what \
                 becomes of them: {}.",
                refer(*rows),
                words::arrow(table, key),
                columns.join("`, `"),
                can.words()
            ),
            Self::Orphans { rows, table, key, left } => {
                let what = format!("{} to no row of `{}` ({})", refer(*rows), key.parent, words::arrow(table, key));
                match left {
                    Left::Unwritten => format!("{what}: the foreign key cannot be made over them."),
                    Left::Unsaid(can) => format!(
                        "{what}: the foreign key cannot be made over them. Give them a parent, or say what becomes of them: {}.",
                        can.words()
                    ),
                    Left::Asked => format!("{what}. They are left, as you asked, so the foreign key is not made."),
                }
            }
            Self::Outranked { by, changes } => format!(
                "`{by}` ({}) wants something else of the same key or column, and goes before: {}.",
                by.code(),
                words::title(changes)
            ),
            Self::Brings { rule, message } => format!("Fixing it would bring another finding, `{rule}`: {message}."),
            Self::Comes { message, then } => {
                let then = then.as_ref().map_or("Run `referee fix` again afterwards.".to_string(), |why| why.told());
                format!("It comes with this plan: {message}. {then}")
            }
            Self::DoesNotFit(error) => format!("It does not fit the schema at its place: {error}."),
            Self::Remedy(why) | Self::Recipe(why) => why.clone(),
        })
    }
}

impl Decision {
    /// Writes what there is to decide about a subject, with the words for it.
    fn told(&self, subject: &str) -> String {
        let option =
            |o: &DecisionOption| format!("`--choose {}` ({})", quoted(&format!("{subject}={}", o.word)), o.does);
        let options: Vec<String> = self.options.iter().map(option).collect();
        said(format!("It needs a decision. {} To have it planned: {}.", self.help, options.join(" or ")))
    }
}

/// The reason why findings are not fixed, whichever finding it is: what has the same cause is told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'r> {
    /// The same has to be decided.
    Decision {
        /// What there is to know.
        help: &'r str,
        /// What there is to choose from.
        options: &'r [DecisionOption],
    },
    /// The same is said of them.
    Said(&'r str),
}

impl Refused {
    /// Says of a finding why no step fixes it.
    pub(super) fn of(finding: &Finding, why: &Why) -> Self {
        let reason = Reason { rule: finding.rule, fingerprint: finding.fingerprint.clone() };
        Self::by_reason(reason, finding.subject.place(), why)
    }

    /// Says why no step fixes a finding that is known by its reason alone.
    pub(super) fn by_reason(reason: Reason, subject: impl Into<String>, why: &Why) -> Self {
        let decision = if let Why::Decision(decision) = why { Some(decision.clone()) } else { None };
        Self { reason, subject: subject.into(), why: why.told(), decision }
    }

    /// Returns why no step fixes it, without what it is about.
    pub fn cause(&self) -> Cause<'_> {
        match &self.decision {
            // A repair can also wait for the decision about another finding: then that is what is said.
            Some(Decision { subject, help, options }) if *subject == self.subject => Cause::Decision { help, options },
            _ => Cause::Said(&self.why),
        }
    }
}

impl Cause<'_> {
    /// Puts it into words for all findings that have it; `SUBJECT` stands for what each is about.
    pub fn told(&self) -> String {
        match self {
            Self::Decision { help, options } => {
                Decision { subject: String::new(), help: (*help).to_string(), options: options.to_vec() }
                    .told("SUBJECT")
            }
            Self::Said(why) => (*why).to_string(),
        }
    }
}
