//! Policies: what the user demands of every key to a parent.

use globset::Glob;

use crate::schema::{Action, TableName};

/// A demand on the foreign keys to some parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The parent tables, as a glob over their text form: `users`, `billing.*`, `*`.
    pub parent: Glob,
    /// The child tables it is about, as a glob; `None` for all.
    pub child: Option<Glob>,
    /// The actions on delete that are allowed; the first one is what a repair sets.
    pub on_delete: Vec<Action>,
    /// Children that are exempt: `table` or `table.column`, as globs.
    pub except: Vec<Glob>,
    /// Why, for the finding's text.
    pub reason: Option<String>,
    /// Where it stands in the configuration, to tell policies apart; 0 is the first.
    pub position: usize,
}

impl Policy {
    /// Tells whether the policy is about a key from these columns of a child to a parent.
    pub fn is_about(&self, child: &TableName, columns: &[String], parent: &TableName) -> bool {
        let matches = |glob: &Glob, text: &str| glob.compile_matcher().is_match(text);
        let child_text = child.to_string();
        matches(&self.parent, &parent.to_string())
            && self.child.as_ref().is_none_or(|g| matches(g, &child_text))
            && !self
                .except
                .iter()
                .any(|g| matches(g, &child_text) || columns.iter().any(|c| matches(g, &format!("{child_text}.{c}"))))
    }
}
