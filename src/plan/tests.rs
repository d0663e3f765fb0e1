//! Every repair of every rule, on the rules' own examples and on random schemas, in a simulator: recipes that make each
//! change a step and write no SQL.

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
fn simulator(workshop: &Workshop<'_>, wanted: &[Wanted]) -> Made {
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
        touches_rows: false,
        up: Script::default(),
        down: Down::Impossible("a simulator".into()),
        locks: Vec::new(),
        guards: Vec::new(),
        bounds: Vec::new(),
        done: None,
    };
    let in_two = matches!(workshop.schema.engine, Engine::Postgres | Engine::Cockroach);
    for want in wanted {
        assert!(!want.changes.is_empty() && !want.findings.is_empty(), "{want:?}");
        if want.orphans.is_some_and(|n| n > 0) {
            assert!(workshop.options.orphans.is_some(), "a key over orphans: {want:?}");
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
    recipes: fn(&Workshop<'_>, &[Wanted]) -> Made,
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
        plan_by(&input, |workshop, wanted| {
            let refuses = |want: &Wanted| self.refuses.is_some_and(|seed| refuses(seed, want));
            let kept: Vec<Wanted> = wanted.iter().filter(|w| !refuses(w)).cloned().collect();
            let mut made = (self.recipes)(workshop, &kept);
            for want in wanted.iter().filter(|w| refuses(w)) {
                let one = |reason: &Reason| Refused {
                    reason: reason.clone(),
                    subject: want.title.clone(),
                    why: "The dice say no.".into(),
                };
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
fn fixed(recipes: fn(&Workshop<'_>, &[Wanted]) -> Made) -> BTreeSet<&'static str> {
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

/// One column of a random table: parent, action, what is odd about the key.
#[derive(Clone, Debug)]
struct Reference {
    parent: usize,
    kind: u8,
    action: u8,
    nullable: bool,
    index: bool,
    default: bool,
    odd: u8,
}

fn reference() -> impl Strategy<Value = Reference> {
    (0..5usize, 0..6u8, 0..5u8, any::<bool>(), any::<bool>(), prop::bool::weighted(0.15), 0..12u8).prop_map(
        |(parent, kind, action, nullable, index, default, odd)| Reference {
            parent,
            kind,
            action,
            nullable,
            index,
            default,
            odd,
        },
    )
}

const NAMES: [&str; 5] = ["users", "orders", "invoices", "vehicles", "depots"];
const ACTIONS: [Action; 5] = [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

fn random(engine: Engine, tables: &[Vec<Reference>]) -> Schema {
    let mut schema = Schema::new(engine);
    let number = |raw| DataType::parse(engine, raw);
    let id = if engine == Engine::Sqlite { "integer" } else { "int8" };
    let mut order = 0;
    for (name, references) in NAMES.iter().zip(tables) {
        let mut table = Table::new(TableName::new(*name));
        table.columns.push(Column { nullable: false, ..Column::new("id", number(id)) });
        let mut index = Index::on(format!("{name}_pkey"), ["id"]);
        (index.unique, index.origin) = (true, crate::schema::IndexOrigin::PrimaryKey);
        table.indexes.push(index);
        table.primary_key = Some(Key { name: Some(format!("{name}_pkey")), ..Key::new(["id"]) });
        for (at, r) in references.iter().enumerate() {
            let parent = NAMES[r.parent % tables.len()];
            let singular = parent.trim_end_matches('s');
            let column = if at == 0 { format!("{singular}_id") } else { format!("{singular}_{at}_id") };
            let raw = if r.odd == 1 && engine == Engine::Postgres { "int4" } else { id };
            let mut made = Column { nullable: r.nullable, ..Column::new(&column, number(raw)) };
            made.default = r.default.then(|| "0".to_string());
            table.columns.push(made);
            if r.index {
                table.indexes.push(Index::on(format!("{name}_{column}_idx"), [&column]));
            }
            if r.kind == 0 {
                continue;
            }
            let mut key = ForeignKey::new([&column], TableName::new(parent), ["id"]);
            key.name = Some(format!("{name}_{column}_fkey"));
            key.on_delete = ACTIONS[usize::from(r.action)];
            key.firing_order = order;
            key.on_delete_written = Some(key.on_delete != Action::NoAction || r.kind > 2);
            order += 1;
            let server = matches!(engine, Engine::Postgres | Engine::Cockroach);
            match r.odd {
                2 if server => key.validated = false,
                3 if engine == Engine::Postgres => key.disabled = Some(DisabledSide::Both),
                4 if engine == Engine::Postgres => (key.enforced, key.validated) = (false, false),
                5 => key.timing = Timing::Deferred,
                6 => key.on_update = Action::SetNull,
                7 if engine == Engine::Sqlite => key.parent = TableName::new("gone"),
                _ => {}
            }
            if matches!(r.odd, 8 | 9) {
                let mut again = key.clone();
                again.name = Some(format!("{name}_{column}_again"));
                again.firing_order = order;
                order += 1;
                if r.odd == 9 {
                    again.on_delete = ACTIONS[(usize::from(r.action) + 2) % 5];
                }
                table.foreign_keys.push(again);
            }
            table.foreign_keys.push(key);
        }
        schema.tables.push(table);
    }
    schema.sort();
    schema
}

fn policy(text: &str) -> Vec<crate::rules::policy::Policy> {
    config::parse("referee.toml", text).unwrap().policies()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn whatever_the_schema_the_plan_holds(
        tables in prop::collection::vec(prop::collection::vec(reference(), 0..5), 1..5),
        engine in prop_oneof![Just(Engine::Postgres), Just(Engine::Sqlite), Just(Engine::Cockroach)],
        manual in any::<bool>(),
        demanded in prop_oneof![3 => Just(""), 1 => Just("CASCADE"), 1 => Just("SET NULL"), 1 => Just("RESTRICT")],
        seed in any::<u64>(),
    ) {
        let mut case = Case::of(random(engine, &tables));
        if !demanded.is_empty() {
            case.settings.policies = policy(&format!("[[policy]]\nparent = \"users\"\non_delete = \"{demanded}\"\n"));
        }
        for recipes in [simulator, recipes] {
            for refuses in [None, Some(seed)] {
                (case.recipes, case.refuses) = (recipes, refuses);
                let result = case.holds(&Options { manual, ..Options::default() });
                prop_assert!(result.is_ok(), "{}", result.unwrap_err());
            }
        }
    }
}

fn titles(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.title.as_str()).collect()
}

#[test]
fn a_policy_goes_before_a_finding_and_fixes_it_as_well() {
    let lines = ["users: id int8 pk", "notes: id int8 pk, user_id int8 not-null >users.id set-null index"];
    let mut case = Case::of(schema(Engine::Cockroach, &lines));
    case.settings.policies = policy("[[policy]]\nparent = \"users\"\non_delete = \"CASCADE\"\n");
    let plan = case.holds(&Options::default()).unwrap();
    let key = &plan.after.table(&"notes".into()).unwrap().foreign_keys[0];
    assert_eq!(key.on_delete, Action::Cascade);
    let rules: Vec<&str> = plan.steps[0].findings.iter().map(|r| r.rule.name()).collect();
    assert_eq!(rules, ["set-null-on-not-null", "policy-violation"]);
}

#[test]
fn the_user_chooses_by_place_name_or_rule() {
    let lines = ["teams: id int8 pk", "users: id int8 pk, team_id int8 not-null >teams.id set-null index"];
    let case = Case::of(schema(Engine::Postgres, &lines));
    let recommended = case.holds(&Options::default()).unwrap();
    assert_eq!(
        titles(&recommended)[0],
        "Make the foreign key users.team_id -> teams.id ON DELETE NO ACTION instead of SET NULL"
    );
    let choice = &recommended.choices[0];
    assert_eq!((choice.subject.as_str(), choice.chosen, choice.by_user), ("users.team_id", 0, false));
    let words: Vec<&str> = choice.options.iter().map(|o| o.word.as_str()).collect();
    assert_eq!(words, ["protect", "drop-not-null"]);
    for subject in ["users.team_id", "users_team_id_fkey", "set-null-on-not-null", "ref201"] {
        let choose = vec![(subject.to_string(), "drop-not-null".to_string())];
        let options = Options { choose, ..Options::default() };
        let plan = case.holds(&options).unwrap();
        assert_eq!(titles(&plan), ["Drop NOT NULL from users.team_id"], "{subject}");
        assert!(plan.unused_choices(&options).is_empty() && plan.choices[0].by_user);
    }
    let choose = vec![("users.team_id".to_string(), "cascade".to_string())];
    let options = Options { choose, ..Options::default() };
    assert_eq!(case.plan(&options).unused_choices(&options).len(), 1);
}

#[test]
fn a_new_key_brings_its_index_and_takes_its_action_from_a_policy() {
    let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int8"];
    let mut case = Case::of(schema(Engine::Postgres, &lines));
    let findings = case.findings(&case.schema, &case.relations);
    let only: Vec<Finding> = findings.into_iter().filter(|f| f.rule.name() == "undeclared-foreign-key").collect();
    let plan = case.plan_of(&only, &Options::default());
    assert_eq!(
        titles(&plan),
        [
            "Add the index orders_user_id_idx on orders (user_id)",
            "Add the foreign key orders.user_id -> users.id ON DELETE SET NULL",
            "Add the foreign key orders.user_id -> users.id ON DELETE SET NULL",
        ]
    );
    assert!(plan.steps.iter().all(|s| s.findings.iter().all(|r| r.rule.name() == "undeclared-foreign-key")));
    assert_eq!(
        plan.after.table(&"orders".into()).unwrap().foreign_keys[0].name.as_deref(),
        Some("orders_user_id_fkey")
    );
    case.settings.policies = policy("[[policy]]\nparent = \"users\"\non_delete = \"RESTRICT\"\n");
    let plan = case.plan_of(&only, &Options::default());
    assert_eq!(plan.after.table(&"orders".into()).unwrap().foreign_keys[0].on_delete, Action::Restrict);
}

#[test]
fn what_a_plan_brings_and_does_not_fix_is_told() {
    let lines = [
        "charges: id int8 pk",
        "groups: id int8 pk, charge_id int8 not-null >charges.id cascade",
        "fees: id int8 pk, charge_id int8 not-null >charges.id",
        "taxes: id int8 pk, charge_id int8 not-null >charges.id",
        "events: id int8 pk, charge_id int8 not-null",
        "plans: id int8 pk",
        "items: id int8 pk, plan_id int8 not-null >plans.id",
        "offers: id int8 pk, plan_id int8 not-null >plans.id",
        "prices: id int8 pk, plan_id int8 not-null >plans.id",
    ];
    let mut case = Case::of(schema(Engine::Postgres, &lines));
    // A person wrote it, so its key is an example for others: what is accepted from a guess would be none.
    case.configured.iter_mut().for_each(|r| r.accepted = None);
    case.relations = Graph::from_relations(&case.schema, Graph::known(&case.schema, &case.configured));
    let options = Options { choose: vec![("events.charge_id".into(), "protect".into())], ..Options::default() };
    let plan = case.holds(&options).unwrap();
    assert!(titles(&plan).iter().any(|t| t.contains("events.charge_id -> charges.id ON DELETE NO ACTION")));
    let told: Vec<&str> =
        plan.refused.iter().filter(|r| r.subject == "groups.charge_id").map(|r| r.why.as_str()).collect();
    assert!(matches!(told[..], [why] if why.starts_with("It comes with this plan: ")), "{told:?}");

    // The key waits for the same decision as its columns' types.
    let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int4 not-null index"];
    let plan = Case::of(schema(Engine::Postgres, &lines)).holds(&Options::default()).unwrap();
    let of_key = plan.refused.iter().filter(|r| r.subject == "orders.user_id");
    let told: Vec<(&str, &str)> = of_key.map(|r| (r.reason.rule.name(), r.why.as_str())).collect();
    let [(one, why), (other, same)] = told[..] else { panic!("{told:?}") };
    assert_eq!((one, other), ("undeclared-foreign-key", "foreign-key-type-mismatch"));
    assert!(why == same && why.contains("--choose 'orders.user_id=convert'"), "{told:?}");
}

#[test]
fn keys_that_were_made_of_guesses_make_no_other_guess_likely() {
    // A column whose name says nothing; that its namesakes refer somewhere would say something.
    let lines = [
        "console1984_sessions: id int8 pk",
        "console1984_commands: id int8 pk, session_id int8 not-null",
        "console1984_accesses: id int8 pk, session_id int8 not-null",
        "audits: id int8 pk, session_id int8 not-null",
    ];
    let case = Case::of(schema(Engine::Postgres, &lines));
    let plan = case.holds(&Options::default()).unwrap();
    let keys = |schema: &Schema| schema.foreign_keys().count();
    assert_eq!((keys(&plan.after), plan.refused.len()), (2, 0), "{:?}", plan.refused);
    let told = |schema: &Schema, configured| {
        let (_, taken, _) = Graph::settled(schema, configured, &[], 0.5, None, None);
        taken.guesses.into_iter().map(|g| (g.relation, g.confidence)).collect::<Vec<_>>()
    };
    let before = told(&case.schema, &[]);
    let others: Vec<_> = before.iter().filter(|(r, _)| r.starts_with("audits")).cloned().collect();
    assert_eq!(told(&plan.after, &case.configured), others);
    // Were the keys a person's, they would tell more.
    assert_ne!(told(&plan.after, &[]), others);
    let relations = Graph::from_relations(&plan.after, Graph::known(&plan.after, &case.configured));
    let again = Case { schema: plan.after.clone(), relations, ..case };
    assert!(again.holds(&Options::default()).unwrap().is_empty(), "the second run plans nothing");
}

#[test]
fn nothing_is_planned_for_a_guess_whatever_finds_it() {
    let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int8", "notes: id int8 pk, user_id int8 >users.id"];
    let mut case = Case::of(schema(Engine::Postgres, &lines));
    // The planner is handed guesses and what rules say of them: the key, its index, a policy.
    case.relations = graph(&case.schema);
    case.settings.policies = policy("[[policy]]\nparent = \"users\"\non_delete = \"RESTRICT\"\n");
    let findings = case.findings(&case.schema, &case.relations);
    let of_guess: Vec<&Finding> = findings.iter().filter(|f| f.subject.place() == "orders.user_id").collect();
    assert!(of_guess.len() > 1, "{of_guess:?}");
    let options = Options { manual: true, orphans: Some(OrphanPolicy::Delete), ..Options::default() };
    let plan = case.plan_of(&findings, &options);
    assert!(!plan.is_empty() && plan.steps.iter().all(|s| s.changes.iter().all(|c| *c.table() != "orders".into())));
    let refused: Vec<&Refused> = plan.refused.iter().filter(|r| r.subject == "orders.user_id").collect();
    assert_eq!(refused.len(), of_guess.len());
    assert!(refused.iter().all(|r| r.why.contains("--accept 'orders.user_id->users.id'")), "{refused:?}");
}

#[test]
fn a_key_that_goes_is_not_made_again_of_a_guess() {
    let lines = ["users: id integer pk", "orders: id integer pk, user_id integer >gone.id index"];
    let case = Case::of(schema(Engine::Sqlite, &lines));
    let plan = case.holds(&Options { manual: true, ..Options::default() }).unwrap();
    assert_eq!(plan.after.foreign_keys().count(), 0, "{:?}", titles(&plan));
}

#[test]
fn a_steps_name_does_not_depend_on_other_steps() {
    let lines = ["p: id int8 pk", "c: id int8 pk, a int8 >p.id, b int8 >p.id"];
    let case = Case::of(schema(Engine::Postgres, &lines));
    let findings = case.findings(&case.schema, &case.relations);
    let (all, one) = (case.plan_of(&findings, &Options::default()), case.plan_of(&findings[1..], &Options::default()));
    let ids = |plan: &Plan| plan.steps.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&all).len(), 2);
    assert!(ids(&all).contains(&ids(&one)[0]) && ids(&one).len() == 1);
    assert!(ids(&all)[0].starts_with("add-c-a-idx-"), "{:?}", ids(&all));
}

#[test]
fn a_plan_is_read_back_as_it_was_written() {
    let lines = ["users: id int8 pk", "notes: id int8 pk, user_id int8 not-null >users.id"];
    let mut case = Case::of(schema(Engine::Postgres, &lines));
    let fate = crate::fate::fate(&case.schema, &case.relations, &Default::default(), &"users".into()).unwrap();
    let mut findings = case.findings(&case.schema, &case.relations);
    findings.extend(repairs(&fate));
    case.settings.foreign_keys = Some(true);
    let plan = case.plan_of(&findings, &Options::default());
    assert!(plan.steps.iter().any(|s| s.findings.iter().any(|r| r.rule == crate::rules::FATE.id())), "{plan:?}");
    assert!(plan.steps.iter().any(|s| !s.newly_deletes.is_empty()), "{plan:?}");
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
}

mod orphans {
    use super::*;
    use crate::orphans::{Orphans, Outcome, Scan};

    fn plan(lines: &[&str], orphans: Option<OrphanPolicy>) -> Plan {
        let case = Case::of(schema(Engine::Postgres, lines));
        let counted = Orphans { count: 3, samples: Vec::new(), query: "SELECT 3".into() };
        let all = case.relations.relations().iter();
        let scan = Scan { outcomes: all.map(|_| Outcome::Counted(counted.clone())).collect() };
        let context = Context {
            schema: &case.schema,
            relations: &case.relations,
            dialect: dialect(Engine::Postgres),
            settings: &case.settings,
            scan: Some(&scan),
            timeline: None,
            plans: None,
            deletes: rules::Deletes::default(),
        };
        let findings = rules::check(rules::ALL, &context);
        let options = Options { orphans, ..Options::default() };
        let input = Input {
            schema: &case.schema,
            relations: &case.relations,
            settings: &case.settings,
            findings: &findings,
            scan: Some(&scan),
            definitions: None,
            options: &options,
        };
        plan_by(&input, simulator)
    }

    #[test]
    fn no_key_is_made_over_them_until_the_user_says_what_becomes_of_them() {
        let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int8 not-null index"];
        let refused = plan(&lines, None);
        assert!(refused.is_empty(), "{:?}", titles(&refused));
        let why = |rule: &str| refused.refused.iter().find(|r| r.reason.rule.name() == rule).unwrap().why.clone();
        assert!(why("undeclared-foreign-key").starts_with("3 rows refer to no row of `users`"));
        assert!(why("undeclared-foreign-key").contains("--orphans quarantine"));
        assert_eq!(why("orphan-rows"), why("undeclared-foreign-key"), "one decision is told once");

        for policy in [OrphanPolicy::Delete, OrphanPolicy::Quarantine] {
            let plan = plan(&lines, Some(policy));
            let phases: Vec<Phase> = plan.steps.iter().map(|s| s.phase).collect();
            assert_eq!(phases, [Phase::Orphans, Phase::Constrain, Phase::Validate]);
            assert!(plan.steps[0].findings.iter().any(|r| r.rule.name() == "orphan-rows"));
            assert!(plan.refused.is_empty(), "{:?}", plan.refused);
        }
        let nothing_to_set = plan(&lines, Some(OrphanPolicy::SetNull));
        assert!(nothing_to_set.is_empty());
        assert!(nothing_to_set.refused.iter().any(|r| r.why.contains("cannot be NULL")));
    }

    #[test]
    fn rows_of_a_declared_key_are_repaired_and_checked_again() {
        let lines = ["users: id int8 pk", "orders: id int8 pk, user_id int8 >users.id index"];
        assert!(plan(&lines, None).is_empty());
        let repaired = plan(&lines, Some(OrphanPolicy::SetNull));
        let phases: Vec<Phase> = repaired.steps.iter().map(|s| s.phase).collect();
        assert_eq!(phases, [Phase::Orphans, Phase::Validate]);
        assert_eq!(repaired.after, repaired.before);
    }
}
