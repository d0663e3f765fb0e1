//! Policies: what the user demands of every key to a parent, and of deletes.

use globset::{Glob, GlobMatcher};

use super::Context;
use crate::fate::{Asked, Demands, Verdict};
use crate::relations::Graph;
use crate::schema::{Action, Engine, Schema, TableName};

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
    /// Makes the policy ready to be asked about many keys of a database.
    ///
    /// A table of the default schema is matched by its name and by its full name: `users` and `public.users`.
    pub fn compile(&self, default_schema: Option<&str>) -> Compiled<'_> {
        Compiled {
            policy: self,
            parent: self.parent.compile_matcher(),
            child: self.child.as_ref().map(Glob::compile_matcher),
            except: self.except.iter().map(Glob::compile_matcher).collect(),
            default_schema: default_schema.map(str::to_string),
        }
    }

    /// Tells whether the policy is about a key from these columns of a child to a parent.
    ///
    /// To ask about many keys, [`Policy::compile`] once.
    pub fn is_about(&self, child: &TableName, columns: &[String], parent: &TableName) -> bool {
        self.compile(None).is_about(child, columns, parent)
    }
}

/// A policy with its globs compiled.
#[derive(Clone, Debug)]
pub struct Compiled<'p> {
    /// The policy.
    pub policy: &'p Policy,
    parent: GlobMatcher,
    child: Option<GlobMatcher>,
    except: Vec<GlobMatcher>,
    default_schema: Option<String>,
}

impl<'p> Compiled<'p> {
    /// Compiles all policies of a context.
    pub(super) fn all(context: &Context<'p>) -> Vec<Self> {
        let default = context.schema.default_schema.as_deref();
        context.settings.policies.iter().map(|p| p.compile(default)).collect()
    }

    /// Tells whether the policy is about a key from these columns of a child to a parent.
    pub fn is_about(&self, child: &TableName, columns: &[String], parent: &TableName) -> bool {
        let children = self.texts(child);
        let exempt = |glob: &GlobMatcher| {
            children.iter().any(|t| glob.is_match(t) || columns.iter().any(|c| glob.is_match(format!("{t}.{c}"))))
        };
        self.texts(parent).iter().any(|t| self.parent.is_match(t))
            && self.child.as_ref().is_none_or(|g| children.iter().any(|t| g.is_match(t)))
            && !self.except.iter().any(exempt)
    }

    /// Tells whether the policy allows an action.
    ///
    /// Some engines do not tell RESTRICT from NO ACTION, so neither is asked of them.
    pub fn allows(&self, engine: Engine, action: Action) -> bool {
        let alike = engine.facts().keys.restrict_is_no_action;
        let same = |a: &Action| *a == action || alike && a.refuses() && action.refuses();
        self.policy.on_delete.is_empty() || self.policy.on_delete.iter().any(same)
    }

    fn texts(&self, table: &TableName) -> Vec<String> {
        texts(table, self.default_schema.as_deref())
    }
}

/// Returns what a pattern may call a table.
fn texts(table: &TableName, default_schema: Option<&str>) -> Vec<String> {
    let mut texts = vec![table.to_string()];
    if let (None, Some(default)) = (&table.schema, default_schema) {
        texts.push(TableName::in_schema(Some(default), table.name.as_str()).to_string());
    }
    texts
}

/// Returns what policies ask of the relations of a schema. Of several policies about a relation, what all of them allow.
pub fn asked(policies: &[Policy], graph: &Graph, default_schema: Option<&str>) -> Vec<Asked> {
    let compiled: Vec<Compiled<'_>> = policies.iter().map(|p| p.compile(default_schema)).collect();
    let mut all = Vec::new();
    for relation in graph.relations() {
        let about: Vec<&Compiled<'_>> = compiled
            .iter()
            .filter(|p| !p.policy.on_delete.is_empty())
            .filter(|p| p.is_about(&relation.child, &relation.columns, &relation.parent))
            .collect();
        let Some((first, others)) = about.split_first() else { continue };
        let allowed = |a: &&Action| others.iter().all(|p| p.policy.on_delete.contains(a));
        all.push(Asked {
            child: relation.child.clone(),
            columns: relation.columns.clone(),
            parent: relation.parent.clone(),
            actions: first.policy.on_delete.iter().filter(allowed).copied().collect(),
            drop_not_null: false,
            by_choice: false,
        });
    }
    all
}

/// What the user demands of deletes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeletePolicy {
    /// Tables from which a delete must work.
    pub erasable: Vec<Erasable>,
    /// Tables whose rows no delete of another table may take with it, as globs.
    pub never_cascade_into: Vec<Glob>,
    /// How many cascades may follow each other.
    pub max_depth: Option<usize>,
}

/// A demand that a delete from some tables works.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasable {
    /// The tables, as a glob.
    pub table: Glob,
    /// The worst verdict that will do; `None` takes back what an earlier entry demands.
    pub wanted: Option<Verdict>,
    /// Why, for the finding's text.
    pub reason: Option<String>,
}

impl DeletePolicy {
    /// Finds the tables of a schema that it is about. Of several entries about a table the last one counts.
    pub fn in_schema(&self, schema: &Schema) -> Demands {
        let mut demands = Demands { max_depth: self.max_depth, ..Demands::default() };
        for entry in &self.erasable {
            for table in matching(&entry.table, schema) {
                match entry.wanted {
                    Some(wanted) => demands.erasable.insert(table.clone(), wanted),
                    None => demands.erasable.remove(table),
                };
            }
        }
        for glob in &self.never_cascade_into {
            demands.never_cascade_into.extend(matching(glob, schema).cloned());
        }
        demands
    }

    /// Returns why a table must be erasable, if the user says.
    pub fn reason(&self, table: &TableName, schema: &Schema) -> Option<&str> {
        let texts = texts(table, schema.default_schema.as_deref());
        let about = |e: &&Erasable| texts.iter().any(|t| e.table.compile_matcher().is_match(t));
        self.erasable.iter().rev().find(about)?.reason.as_deref()
    }
}

/// Returns the tables that a pattern is about; partitions are not asked for by themselves.
pub fn matching<'s>(glob: &Glob, schema: &'s Schema) -> impl Iterator<Item = &'s TableName> {
    let matcher = glob.compile_matcher();
    let default = schema.default_schema.as_deref();
    let about = move |t: &&TableName| texts(t, default).iter().any(|text| matcher.is_match(text));
    schema.logical_tables().map(|t| &t.name).filter(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(parent: &str, except: &[&str]) -> Policy {
        Policy {
            parent: Glob::new(parent).unwrap(),
            child: None,
            on_delete: vec![Action::Restrict],
            except: except.iter().map(|e| Glob::new(e).unwrap()).collect(),
            reason: None,
            position: 0,
        }
    }

    fn about(policy: &Policy, child: &str, parent: &str) -> bool {
        let columns = ["user_id".to_string()];
        policy.compile(Some("public")).is_about(&child.parse().unwrap(), &columns, &parent.parse().unwrap())
    }

    #[test]
    fn tables_of_the_default_schema_have_two_names() {
        assert!(about(&policy("users", &[]), "a", "users"));
        assert!(about(&policy("public.users", &[]), "a", "users"));
        assert!(!about(&policy("users", &[]), "a", "billing.users"));
        assert!(about(&policy("billing.*", &[]), "a", "billing.users"));
        assert!(!about(&policy("billing.*", &[]), "a", "users"));
    }

    #[test]
    fn exceptions_name_a_table_or_a_column() {
        assert!(!about(&policy("*", &["audit_*"]), "audit_log", "users"));
        assert!(!about(&policy("*", &["posts.user_id"]), "posts", "users"));
        assert!(!about(&policy("*", &["public.posts.user_id"]), "posts", "users"));
        assert!(about(&policy("*", &["posts.other_id"]), "posts", "users"));
    }

    #[test]
    fn refusing_actions_are_one_where_the_engine_has_one() {
        let policy = policy("*", &[]);
        let compiled = policy.compile(None);
        assert!(!compiled.allows(Engine::Postgres, Action::NoAction));
        assert!(compiled.allows(Engine::Cockroach, Action::NoAction));
        assert!(!compiled.allows(Engine::Cockroach, Action::Cascade));
    }
}
