//! Every repair of every rule, on the rules' own examples and on random schemas, in a simulator: recipes that make each
//! change a step and write no SQL.

mod choices;
mod random;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::change::Change;
use crate::config;
use crate::engine::dialect;
use crate::relations::ConfiguredRelation;
use crate::rules::{self, Context};
use crate::schema::{Action, Column, DataType, DisabledSide, ForeignKey, Index, Key, Table, Timing};
use crate::source::history::{File, Migration, Place};
use crate::source::replay::replay;
use crate::sql::Span;
use crate::testing::{graph, schema};

/// Steps without SQL. A key is added unchecked and checked later, as it is on a busy server.
fn simulator(context: &PlanContext<'_>, wanted: &[Wanted]) -> Made {
    let mut made = Made::default();
    let step = |want: &Wanted, phase: Phase, change: Change| Step {
        id: String::new(),
        phase,
        title: want.title.clone(),
        why: want.why.clone(),
        findings: want.findings.clone(),
        safety: want.safety,
        changes: vec![change],
        newly_deletes: Vec::new(),
        newly_refuses: Vec::new(),
        touches_rows: false,
        up: Script::default(),
        down: Down::Impossible("a simulator".into()),
        locks: Vec::new(),
        guards: Vec::new(),
        bounds: Vec::new(),
        done: None,
    };
    let in_two = matches!(context.schema.engine, Engine::Postgres | Engine::Cockroach);
    for want in wanted {
        assert!(!want.changes.is_empty() && !want.findings.is_empty(), "{want:?}");
        if want.orphans.is_some_and(|n| n > 0) {
            assert!(context.options.orphans.is_some(), "a key over orphans: {want:?}");
            let mut repair = step(want, Phase::Orphans, want.changes[0].clone());
            repair.changes.clear();
            repair.touches_rows = true;
            made.steps.push(repair);
        }
        for change in want.changes.iter().cloned() {
            let unchecked = |key: &ForeignKey| ForeignKey { validated: false, ..key.clone() };
            let later = |table: &TableName, key: &ForeignKey| Change::ValidateForeignKey {
                table: table.clone(),
                foreign_key: unchecked(key),
            };
            match change {
                Change::AddForeignKey { table, foreign_key } if in_two && foreign_key.validated => {
                    let add = Change::AddForeignKey { table: table.clone(), foreign_key: unchecked(&foreign_key) };
                    made.steps.push(step(want, Phase::Validate, later(&table, &foreign_key)));
                    made.steps.push(step(want, Phase::Constrain, add));
                }
                Change::ReplaceForeignKey { table, old, new } if in_two && new.validated => {
                    made.steps.push(step(want, Phase::Validate, later(&table, &new)));
                    let new = unchecked(&new);
                    made.steps.push(step(want, Phase::Constrain, Change::ReplaceForeignKey { table, old, new }));
                }
                change => {
                    let phase = plain::phase(&change);
                    made.steps.push(step(want, phase, change));
                }
            }
        }
    }
    made
}

/// Accepts every guess, as `--accept-inferred=0.5` does.
fn accepted(schema: &Schema, mut configured: Vec<ConfiguredRelation>) -> (Graph, Vec<ConfiguredRelation>) {
    let (graph, taken, _) = Graph::settled(schema, &configured, &[], 0.5, Some(0.5), None);
    configured.extend(taken.relations);
    (graph, configured)
}

struct Case {
    schema: Schema,
    relations: Graph,
    settings: Settings,
    /// What is configured, and what of the guesses was accepted.
    configured: Vec<ConfiguredRelation>,
    definitions: Option<Definitions>,
    recipes: fn(&PlanContext<'_>, &[Wanted]) -> Made,
    /// Which of what is wanted the recipes refuse, for no reason: told by a number.
    refuses: Option<u64>,
}

impl Case {
    fn of(schema: Schema) -> Self {
        let (relations, configured) = accepted(&schema, Vec::new());
        Self {
            schema,
            relations,
            settings: Settings::default(),
            configured,
            definitions: None,
            recipes: simulator,
            refuses: None,
        }
    }

    fn findings(&self, schema: &Schema, relations: &Graph) -> Vec<Finding> {
        let context = Context {
            schema,
            relations,
            dialect: dialect(schema.engine),
            settings: &self.settings,
            scan: None,
            timeline: None,
            plans: None,
            deletes: rules::Deletes::default(),
        };
        rules::check(rules::ALL, &context)
    }

    fn plan(&self, options: &Options) -> Plan {
        let findings = self.findings(&self.schema, &self.relations);
        self.plan_of(&findings, options)
    }

    fn plan_of(&self, findings: &[Finding], options: &Options) -> Plan {
        let input = Input {
            schema: &self.schema,
            relations: &self.relations,
            settings: &self.settings,
            findings,
            scan: None,
            definitions: self.definitions.as_ref(),
            options,
        };
        plan_by(&input, |context, wanted| {
            let refuses = |want: &Wanted| self.refuses.is_some_and(|seed| refuses(seed, want));
            let kept: Vec<Wanted> = wanted.iter().filter(|w| !refuses(w)).cloned().collect();
            let mut made = (self.recipes)(context, &kept);
            for want in wanted.iter().filter(|w| refuses(w)) {
                let why = Why::Recipe("The dice say no.".to_string());
                let one = |reason: &Reason| Refused::by_reason(reason.clone(), &want.title, &why);
                made.refused.extend(want.findings.iter().map(one));
            }
            made
        })
    }

    /// What every plan must be, whatever the schema.
    fn holds(&self, options: &Options) -> Result<Plan, String> {
        let findings = self.findings(&self.schema, &self.relations);
        let plan = self.plan_of(&findings, options);
        let mut now = self.schema.clone();
        for step in &plan.steps {
            for change in &step.changes {
                change.apply(&mut now).map_err(|e| format!("{}: {change:?}: {e}", step.title))?;
            }
        }
        if now != plan.after {
            return Err("before with the steps' changes is not after".into());
        }
        if let Some(bad) = plan.refused.iter().find(|r| r.why.contains("does not fit")) {
            return Err(format!("a step fits nowhere: {bad:?}"));
        }
        if !plan.steps.is_sorted_by_key(|s| s.phase) {
            return Err("the phases are out of order".into());
        }
        let ids: BTreeSet<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
        if ids.len() != plan.steps.len() {
            return Err("two steps have one name".into());
        }
        if plan != self.plan_of(&findings, options) {
            return Err("another plan the second time".into());
        }
        let planned: BTreeSet<&Reason> = plan.steps.iter().flat_map(|s| &s.findings).collect();
        let refused: BTreeSet<&Reason> = plan.refused.iter().map(|r| &r.reason).collect();
        for finding in &findings {
            let reason = select::reason(finding);
            // Keys on the same columns share a fingerprint: one may be planned and the other refused.
            let shared = findings.iter().filter(|f| select::reason(f) == reason).count() > 1;
            if planned.contains(&reason) == refused.contains(&reason) && !(shared && planned.contains(&reason)) {
                return Err(format!("planned and refused, or neither: {finding:?}"));
            }
        }
        // As the next run would see it.
        let relations = Graph::from_relations(&now, Graph::known(&now, &self.configured));
        let after = self.findings(&now, &relations);
        let known: BTreeSet<(&str, &str)> = findings.iter().map(|f| (f.rule.name(), f.fingerprint.as_str())).collect();
        for finding in &after {
            let reason = select::reason(finding);
            if planned.contains(&reason) && !refused.contains(&reason) {
                return Err(format!("still there: {} {} {}", finding.rule, finding.subject.place(), finding.message));
            }
            // What a plan brings along and does not fix, it tells.
            if !known.contains(&(finding.rule.name(), finding.fingerprint.as_str())) && !refused.contains(&reason) {
                return Err(format!("new: {} {} {}", finding.rule, finding.subject.place(), finding.message));
            }
        }
        Ok(plan)
    }
}

/// Throws dice for what is wanted, by its changes: the same every time.
fn refuses(seed: u64, want: &Wanted) -> bool {
    let text = serde_json::to_string(&want.changes).unwrap();
    let hash =
        text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) % 3 == 0
}

/// The examples of the rules' pages that find something, read as SQL.
fn examples() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for rule in rules::ALL.iter().filter(|r| !r.is_about_migrations()) {
        let mut config = String::new();
        let mut block: Option<(String, Vec<&str>)> = None;
        for line in rule.meta.page.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(info)) => block = Some((info.to_string(), Vec::new())),
                (Some((_, body)), None) => body.push(line),
                (Some(_), Some(_)) => {
                    let (info, body) = block.take().unwrap();
                    let words: Vec<&str> = info.split_whitespace().collect();
                    match words.as_slice() {
                        ["toml", ..] => config = body.join("\n"),
                        ["sql", engine, "finds", ..] => {
                            let engine = match *engine {
                                "sqlite" => Engine::Sqlite,
                                "postgres" => Engine::Postgres,
                                "mysql" => Engine::Mysql,
                                "mariadb" => Engine::Mariadb,
                                other => panic!("{other}"),
                            };
                            let text = body.join("\n");
                            let made = Definitions::from_sql([text.as_str()]);
                            let definitions = made.ok().filter(|_| engine == Engine::Sqlite);
                            let span = Span::new(0, text.len());
                            let files = vec![File { path: "example.sql".into(), text }];
                            let migrations = vec![Migration {
                                name: "example.sql".into(),
                                up: Place { file: 0, span },
                                down: None,
                                reversible: false,
                                transaction: false,
                                base: false,
                            }];
                            let (schema, _) = replay(engine, files, migrations);
                            let config = config::parse("referee.toml", &std::mem::take(&mut config)).unwrap();
                            let configured = config.resolve(&schema).relations;
                            let (relations, configured) = accepted(&schema, configured);
                            let case = Case {
                                relations,
                                settings: Settings {
                                    policies: config.policies(),
                                    foreign_keys: None,
                                    deletes: config.deletes(),
                                },
                                schema,
                                configured,
                                definitions,
                                recipes: simulator,
                                refuses: None,
                            };
                            cases.push((format!("{} {info}", rule.meta.name), case));
                        }
                        _ => config.clear(),
                    }
                }
                (None, None) => {}
            }
        }
    }
    cases
}

/// Plans every example with and without `--manual`, and returns the rules whose findings were fixed.
fn fixed(recipes: fn(&PlanContext<'_>, &[Wanted]) -> Made) -> BTreeSet<&'static str> {
    let mut cases = examples();
    assert!(cases.len() > 40, "{}", cases.len());
    let mut wrong = Vec::new();
    let mut fixed: BTreeSet<&str> = BTreeSet::new();
    for (name, case) in &mut cases {
        case.recipes = recipes;
        for manual in [false, true] {
            match case.holds(&Options { manual, ..Options::default() }) {
                Ok(plan) => fixed.extend(plan.steps.iter().flat_map(|s| s.findings.iter().map(|r| r.rule.name()))),
                Err(why) => wrong.push(format!("{name} (manual: {manual}): {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fixed
}

const FIXED: &[&str] = &[
    "conflicting-foreign-keys",
    "dangling-default",
    "duplicate-foreign-key",
    "foreign-key-type-mismatch",
    "implicit-on-delete",
    "inconsistent-on-delete",
    "missing-parent",
    "no-foreign-keys",
    "parent-not-unique",
    "partial-composite-foreign-key",
    "policy-violation",
    "restrict-never-defers",
    "set-default-without-parent",
    "set-null-on-not-null",
    "undeclared-foreign-key",
    "unindexed-foreign-key",
    "unvalidated-foreign-key",
];

#[test]
fn every_example_is_fixed_and_nothing_new_comes_of_it() {
    let by_simulator = fixed(simulator);
    let by_recipes = fixed(recipes);
    for rule in FIXED {
        assert!(by_simulator.contains(rule), "no example of {rule} is fixed: {by_simulator:?}");
        assert!(by_recipes.contains(rule), "no example of {rule} is fixed by the recipes: {by_recipes:?}");
    }
}

fn policy(text: &str) -> Vec<crate::rules::policy::Policy> {
    config::parse("referee.toml", text).unwrap().policies()
}
