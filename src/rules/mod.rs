//! The rules: one file, one page (`docs/rules/<name>.md`), one test each.
//!
//! A rule is a value: metadata and a function that looks at a [`Context`] and adds findings. It never talks to a database:
//! what has to be asked of one (orphans, plans) is asked before, and handed in. Adding a rule means one file here, one
//! page, and one line in [`ALL`].

mod defaults;
mod helpers;
pub mod policy;
mod wording;

use std::collections::BTreeMap;

use crate::engine::{Dialect, LookupPlan};
use crate::findings::Finding;
use crate::orphans::Scan;
use crate::relations::Graph;
use crate::schema::{Engine, Schema, TableName};

pub use crate::findings::Meta;

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, sorted by code.
        pub static ALL: &[Rule] = &[$(Rule { meta: &$module::META, check: $module::check }),*];
    };
}

rules![
    no_foreign_keys,
    undeclared_foreign_key,
    missing_parent,
    parent_not_unique,
    unindexed_foreign_key,
    invalid_index,
    foreign_key_type_mismatch,
    foreign_key_collation_mismatch,
    duplicate_foreign_key,
    conflicting_foreign_keys,
    partial_composite_foreign_key,
    polymorphic_reference,
    set_null_on_not_null,
    set_default_without_parent,
    dangling_default,
    restrict_never_defers,
    implicit_on_delete,
    inconsistent_on_delete,
    policy_violation,
    foreign_keys_not_enforced,
    unvalidated_foreign_key,
    disabled_foreign_key,
    orphan_rows,
];

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is known of it without running it.
    pub meta: &'static Meta,
    /// Looks for it. Must be deterministic.
    pub check: fn(&Context<'_>, &mut Vec<Finding>),
}

/// Every engine.
pub const EVERY_ENGINE: &[Engine] =
    &[Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

/// Finds a rule by its name or its code, in any case.
pub fn find(name_or_code: &str) -> Option<&'static Rule> {
    let same = |a: &str| a.eq_ignore_ascii_case(name_or_code);
    ALL.iter().find(|r| same(r.meta.name) || same(r.meta.code))
}

/// What rules look at.
pub struct Context<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// Its relations: declared, configured, inferred.
    pub relations: &'a Graph,
    /// The engine's dialect, for the SQL in messages; `None` for an engine referee does not speak yet.
    pub dialect: Option<&'static dyn Dialect>,
    /// What the user has said.
    pub settings: &'a Settings,
    /// What the rows say, if they were read.
    pub scan: Option<&'a Scan>,
    /// What the planner says of the look-up of child rows, by table and columns, if it was asked.
    pub plans: Option<&'a BTreeMap<(TableName, Vec<String>), LookupPlan>>,
}

/// What the user has said that rules go by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Policies about actions.
    pub policies: Vec<policy::Policy>,
    /// Whether the application switches SQLite's enforcement on in every connection; `None` if the user has not said.
    pub foreign_keys: Option<bool>,
}

/// Runs rules and returns their findings, sorted by table (the database first), columns, code.
pub fn check<'r>(rules: impl IntoIterator<Item = &'r Rule>, context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        if rule.meta.engines.contains(&context.schema.engine) {
            (rule.check)(context, &mut findings);
        }
    }
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.subject.table.clone(), f.subject.columns.clone(), f.code, f.subject.name.clone());
        key(a).cmp(&key(b)).then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    findings
}
