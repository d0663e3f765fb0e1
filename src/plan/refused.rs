//! What no step fixes, and why: data where there is something to compare, put into words here and nowhere else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::findings::Finding;
use crate::text::{quoted, said};

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

/// Why a repair is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It has to be decided.
    Decision(Decision),
    /// Whatever else there is, in words.
    Said(String),
}

impl Why {
    /// Puts it into words.
    pub fn told(&self) -> String {
        match self {
            Self::Decision(decision) => decision.told(&decision.subject),
            Self::Said(why) => said(why.clone()),
        }
    }
}

impl From<String> for Why {
    fn from(why: String) -> Self {
        Self::Said(why)
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
        let decision = if let Why::Decision(decision) = why { Some(decision.clone()) } else { None };
        let reason = Reason { rule: finding.rule, fingerprint: finding.fingerprint.clone() };
        Self { reason, subject: finding.subject.place(), why: why.told(), decision }
    }

    /// Says in words why no step fixes a finding.
    pub(super) fn said(reason: Reason, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { reason, subject: subject.into(), why: why.into(), decision: None }
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
