//! The rules: one file, one page (`docs/rules/<name>.md`), one test each.
//!
//! A rule is a value: metadata and a function that looks at a [`Context`] and adds findings. It never talks to a database:
//! what has to be asked of one (orphans, plans) is asked before, and handed in. Adding a rule means one file here, one
//! page, and one line in [`ALL`].

mod action_changes;
mod defaults;
mod helpers;
mod id;
pub mod policy;
pub mod timeline;
mod together;
mod wording;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Dialect, LookupPlan};
use crate::fate::{Conflict, Demands, Fates, Options};
use crate::findings::{Finding, RuleId, Subject};
use crate::orphans::Scan;
use crate::relations::Graph;
use crate::schema::{Engine, Schema, TableName};

pub use crate::findings::Meta;
pub use id::FATE;
pub(crate) use orphan_rows::relation_of;
pub use timeline::Timeline;
pub use undeclared_foreign_key::obstacle as undeclarable;

macro_rules! rules {
    (schemas: [$($schema:ident),* $(,)?], migrations: [$($migration:ident),* $(,)?]) => {
        $(pub(crate) mod $schema;)*
        $(pub(crate) mod $migration;)*

        /// Every rule, sorted by code.
        pub static ALL: &[Rule] = &[
            $(Rule { meta: &$schema::META, check: $schema::check, judges: Judges::Schemas },)*
            $(Rule { meta: &$migration::META, check: $migration::check, judges: Judges::Migrations },)*
        ];
    };
}

rules![
    schemas: [
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
        unfillable_cycle,
        set_null_on_not_null,
        set_default_without_parent,
        dangling_default,
        restrict_never_defers,
        implicit_on_delete,
        inconsistent_on_delete,
        policy_violation,
        refused_delete,
        order_dependent_delete,
        conflicting_cascade_paths,
        cascade_into_protected_table,
        cascade_too_deep,
        cascade_skips_triggers,
        foreign_keys_not_enforced,
        unvalidated_foreign_key,
        disabled_foreign_key,
        orphan_rows,
    ],
    migrations: [
        not_null_added_under_set_null,
        rebuild_deletes_children,
        foreign_key_scan_under_lock,
        validated_in_same_transaction,
        never_validated,
        index_blocks_writes,
        index_after_foreign_key,
        foreign_key_dropped,
        cascade_added,
        cascade_removed,
        inline_references_ignored,
        set_default_ignored,
        irreversible_without_down,
        if_not_exists_hides_difference,
        created_twice,
        unguarded_drop_constraint,
        several_keys_in_one_transaction,
        copying_alter,
        default_breaks_foreign_key,
    ]
];

/// What a rule judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judges {
    /// What a schema is.
    Schemas,
    /// What migrations do.
    Migrations,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is known of it without running it.
    pub meta: &'static Meta,
    /// Looks for it. Must be deterministic.
    pub check: fn(&Context<'_>, &mut Vec<Finding>),
    /// What it judges.
    pub judges: Judges,
}

impl Rule {
    /// Tells whether it judges what migrations do, not what a schema is.
    pub fn is_about_migrations(&self) -> bool {
        self.judges == Judges::Migrations
    }
}

/// Every engine.
pub const EVERY_ENGINE: &[Engine] = Engine::ALL;

/// Finds a rule by its name or its code, in any case.
pub fn find(name_or_code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|r| r.meta.id().is_called(name_or_code))
}

/// Returns a rule by its id; `None` for what is no rule.
pub fn of(id: RuleId) -> Option<&'static Rule> {
    ALL.iter().find(|r| r.meta.id() == id)
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
    /// What migrations do, if it is them that are judged.
    pub timeline: Option<&'a Timeline<'a>>,
    /// What the planner says of the look-up of child rows, by table and columns, if it was asked.
    pub plans: Option<&'a BTreeMap<(TableName, Vec<String>), LookupPlan>>,
    /// What deletes come to, worked out for the first rule that asks.
    pub deletes: Deletes<'a>,
}

/// What deletes come to. Judged at most once, for all rules together.
#[derive(Default)]
pub struct Deletes<'a> {
    fates: OnceCell<Fates<'a>>,
    conflicts: OnceCell<Vec<Conflict>>,
}

impl<'a> Context<'a> {
    /// Returns the schema made ready to be asked about deletes, with what the user demands of them.
    fn fates(&self) -> &Fates<'a> {
        self.deletes.fates.get_or_init(|| {
            let options = Options {
                foreign_keys: self.settings.foreign_keys.unwrap_or(true),
                demands: self.settings.demands(self.schema, self.relations),
                ..Options::default()
            };
            Fates::new(self.schema, self.relations, options)
        })
    }

    /// Returns where two ways through the schema want different things of the same rows.
    fn conflicts(&self) -> &[Conflict] {
        self.deletes.conflicts.get_or_init(|| self.fates().conflicts())
    }
}

/// What the user has said that rules go by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Policies about actions.
    pub policies: Vec<policy::Policy>,
    /// What is demanded of deletes.
    pub deletes: policy::DeletePolicy,
    /// Whether the application switches SQLite's enforcement on in every connection; `None` if the user has not said.
    pub foreign_keys: Option<bool>,
}

impl Settings {
    /// Returns what the user demands of deletes from the tables of a schema, and what the policies ask of its relations.
    pub fn demands(&self, schema: &Schema, relations: &Graph) -> Demands {
        let asked = policy::asked(&self.policies, relations, schema.default_schema.as_deref());
        Demands { asked, ..self.deletes.in_schema(schema) }
    }
}

/// Rules about migrations, and the rules about schemas that would say the same of the same key.
const SAID_BETTER: &[(RuleId, RuleId)] = &[
    (not_null_added_under_set_null::META.id(), set_null_on_not_null::META.id()),
    (never_validated::META.id(), unvalidated_foreign_key::META.id()),
];

/// Runs rules and returns their findings, sorted by table (the database first), columns, code.
pub fn check<'r>(rules: impl IntoIterator<Item = &'r Rule>, context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        if rule.meta.engines.contains(&context.schema.engine) {
            (rule.check)(context, &mut findings);
        }
    }
    // A rule about migrations tells the same at the line that did it.
    let told: BTreeSet<(RuleId, Subject)> = findings
        .iter()
        .filter_map(|f| SAID_BETTER.iter().find(|(m, _)| *m == f.rule).map(|(_, s)| (*s, f.subject.clone())))
        .collect();
    if !told.is_empty() {
        findings.retain(|f| !told.contains(&(f.rule, f.subject.clone())));
    }
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.subject.table.clone(), f.subject.columns.clone(), f.rule, f.subject.name.clone());
        key(a).cmp(&key(b)).then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    findings
}
