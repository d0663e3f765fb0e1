//! The plans for the four: what is planned is the table that each team wrote by hand.

use std::collections::BTreeSet;
use std::path::PathBuf;

use referee::audit::{self, Options as AuditOptions, Report};
use referee::change::Change;
use referee::config;
use referee::engine::SessionOptions;
use referee::fate::{Demands, Fates, Options as FateOptions, Verdict};
use referee::job::Context;
use referee::plan::{self, Definitions, Options, OrphanPolicy, Phase, Plan};
use referee::relations::{Graph, side};
use referee::rules::{self, Settings};
use referee::schema::{Action, Engine, Schema};
use referee::source::Source;

use crate::support::audit::sqlite;

struct Planner {
    report: Report,
    settings: Settings,
    definitions: Option<Definitions>,
}

impl Planner {
    fn of(source: &str, engine: Option<Engine>, config: &str) -> Self {
        let mut input =
            Source::parse(source).unwrap().with_sql(engine, None, None).open(&SessionOptions::default()).unwrap();
        let config = config::parse("referee.toml", config).unwrap();
        let settings = Settings { policies: config.policies(), foreign_keys: None, deletes: config.deletes() };
        let definitions = match (&mut input.session, input.schema.engine) {
            (Some(session), Engine::Sqlite) => Some(Definitions::from_session(session.as_mut()).unwrap()),
            _ => None,
        };
        let options = AuditOptions {
            budget: std::time::Duration::from_secs(60),
            relations: config.resolve(&input.schema).relations,
            threshold: config::THRESHOLD,
            // What is guessed here is true, and whoever plans says so.
            guesses: audit::Guesses::SetAside { accept: Some(config::THRESHOLD) },
            settings: settings.clone(),
            rules: rules::ALL.iter().collect(),
            tables: Vec::new(),
            data: input.session.is_some().then_some(referee::orphans::ScanOptions { samples: 0 }),
            verify_indexes: false,
            migrations: false,
            suppressions: Vec::new(),
        };
        let report = audit::audit(input, options, &Context::default()).unwrap();
        Self { report, settings, definitions }
    }

    fn fixture(name: &str, engine: Engine, config: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
        Self::of(&path.display().to_string(), Some(engine), config)
    }

    fn plan(&self, options: &Options) -> Plan {
        self.plan_of(&self.report.findings, options)
    }

    fn plan_of(&self, findings: &[referee::findings::Finding], options: &Options) -> Plan {
        let plan = plan::plan(&plan::Input {
            schema: &self.report.schema,
            relations: &self.report.relations,
            settings: &self.settings,
            findings,
            scan: self.report.scan.as_ref(),
            definitions: self.definitions.as_ref(),
            options,
        });
        let mut now = plan.before.clone();
        for step in &plan.steps {
            for change in &step.changes {
                change.apply(&mut now).unwrap_or_else(|e| panic!("{}: {e}", step.title));
            }
            assert!(step.touches_rows || step.phase != Phase::Orphans, "{step:?}");
            let deletes = step.up.statements.iter().any(|s| s.trim_start().to_uppercase().starts_with("DELETE"));
            assert!(step.touches_rows || !deletes, "{step:?}");
        }
        assert_eq!(now, plan.after);
        plan
    }
}

fn keys(schema: &Schema) -> BTreeSet<String> {
    let one = |(t, k): (&referee::schema::Table, &referee::schema::ForeignKey)| {
        format!("{} {} {}", side(&t.name, &k.columns), side(&k.parent, &k.parent_columns), k.on_delete)
    };
    schema.foreign_keys().map(one).collect()
}

fn findings_of(plan: &Plan, rule: &str) -> usize {
    let all = plan.steps.iter().flat_map(|s| &s.findings).filter(|r| r.rule.name() == rule);
    all.map(|r| r.fingerprint.as_str()).collect::<BTreeSet<_>>().len()
}

#[test]
fn r1_the_keys_that_nothing_declares_and_their_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(
        &folder.path().join("pipeline.db"),
        include_str!("../../../../tests/fixtures/deploy-pipeline.sqlite.sql"),
    );
    let planner = Planner::of(&source, None, "");
    let plan = planner.plan(&Options { orphans: Some(OrphanPolicy::Quarantine), ..Options::default() });
    let keys = keys(&plan.after);
    for expected in [
        "projects.user_id users.id CASCADE",
        "analysis_runs.project_id projects.id CASCADE",
        "analysis_activity_logs.analysis_run_id analysis_runs.id CASCADE",
        "config_sets.project_id projects.id CASCADE",
        "config_activity_logs.config_set_id config_sets.id CASCADE",
        "config_files.config_set_id config_sets.id CASCADE",
        "config_optimizations.config_set_id config_sets.id CASCADE",
        "build_runs.project_id projects.id CASCADE",
        "deployments.project_id projects.id CASCADE",
    ] {
        assert!(keys.contains(expected), "{expected} in {keys:?}; refused: {:?}", plan.refused);
    }
    let after = Graph::new(&plan.after, &planner.report.guesses.relations, config::THRESHOLD);
    let fate = Fates::new(&plan.after, &after, FateOptions::default()).of(&"projects".into()).unwrap();
    assert!(fate.verdict.always_succeeds(), "{:?}", fate.verdict);
    for table in &plan.after.tables {
        for key in &table.foreign_keys {
            let grade = referee::relations::lookup::grade(&plan.after, table, &key.columns).0;
            assert_eq!(grade, referee::relations::lookup::Grade::Covers, "{} {key:?}", table.name);
        }
    }
}

#[test]
fn r2_both_ways_out_and_the_one_that_is_recommended() {
    let planner = Planner::fixture("workspaces.postgres.sql", Engine::Postgres, "");
    let plan = planner.plan(&Options::default());
    let choice = &plan.choices[0];
    assert_eq!((plan.choices.len(), choice.subject.as_str(), choice.chosen), (1, "users.primary_workspace_id", 0));
    let words: Vec<&str> = choice.options.iter().map(|o| o.word.as_str()).collect();
    assert_eq!(words, ["protect", "drop-not-null"]);
    let protected = plan.after.table(&"users".into()).unwrap();
    assert_eq!(protected.foreign_keys[0].on_delete, Action::NoAction);
    assert!(!protected.is_nullable("primary_workspace_id") && plan.refused.is_empty(), "{:?}", plan.refused);

    let choose = vec![("users.primary_workspace_id".to_string(), "drop-not-null".to_string())];
    let plan = planner.plan(&Options { choose, ..Options::default() });
    let survives = plan.after.table(&"users".into()).unwrap();
    assert_eq!(survives.foreign_keys[0].on_delete, Action::SetNull);
    assert!(survives.is_nullable("primary_workspace_id") && plan.refused.is_empty());
}

#[test]
fn r3_eleven_keys_and_five_indexes_indexes_first() {
    let planner = Planner::fixture("delivery.postgres.sql", Engine::Postgres, "");
    let plan = planner.plan(&Options::default());
    let expected: BTreeSet<String> = [
        "customers.referred_by customers.id SET NULL",
        "drivers.user_id users.id CASCADE",
        "drivers.vehicle_id vehicles.id SET NULL",
        "orders.customer_id customers.id SET NULL",
        "orders.driver_id drivers.id SET NULL",
        "orders.pod_id pods.id SET NULL",
        "pods.operator_id users.id SET NULL",
        "subscriptions.customer_id customers.id CASCADE",
        "subscriptions.product_id products.id RESTRICT",
        "wallet_transactions.wallet_id wallets.id CASCADE",
        "wallets.customer_id customers.id CASCADE",
    ]
    .map(str::to_string)
    .into();
    assert_eq!(keys(&plan.after), expected);
    let indexes: Vec<String> = plan
        .steps
        .iter()
        .take_while(|s| s.phase == Phase::Index)
        .flat_map(|s| &s.changes)
        .filter_map(|c| match c {
            Change::AddIndex { table, index } => Some(format!("{table}.{}", index.plain_columns()?.join(","))),
            _ => None,
        })
        .collect();
    assert_eq!(
        indexes,
        ["customers.referred_by", "drivers.user_id", "orders.pod_id", "pods.operator_id", "subscriptions.product_id"]
    );
    let later = plan.steps.iter().skip_while(|s| s.phase == Phase::Index).flat_map(|s| &s.changes);
    assert!(later.into_iter().all(|c| !matches!(c, Change::AddIndex { .. })));
    let refused: Vec<&str> = plan.refused.iter().map(|r| r.reason.rule.name()).collect();
    assert_eq!(refused, ["polymorphic-reference"]);
    // Each key's action is a choice, and its reason is told.
    assert_eq!(plan.choices.len(), 11);
    let product = plan.choices.iter().find(|c| c.subject == "subscriptions.product_id").unwrap();
    assert_eq!(product.options[0].word, "restrict");
    assert!(plan.steps.iter().any(|s| s.why.contains("ON DELETE RESTRICT is advised")));
}

#[test]
fn r4_the_policy_then_the_smallest_fix() {
    let policy = "[[policy]]\nparent = \"users\"\non_delete = \"cascade\"\n";
    for engine in [Engine::Cockroach, Engine::Postgres] {
        let planner = Planner::fixture("r4.sql", engine, policy);
        let only: Vec<_> =
            planner.report.findings.iter().filter(|f| f.rule.name() == "policy-violation").cloned().collect();
        assert_eq!(only.len(), 32);
        let plan = planner.plan_of(&only, &Options::default());
        assert_eq!(findings_of(&plan, "policy-violation"), 32, "{:?}", plan.refused);
        let not = |s: &Schema| {
            s.foreign_keys().filter(|(_, k)| k.parent == "users".into() && k.on_delete != Action::Cascade).count()
        };
        assert_eq!((not(&plan.before), not(&plan.after)), (32, 0));

        // Without anybody's decision no reference that can be NULL cascades, and what is left has its choices.
        let (schema, relations) = (&planner.report.schema, &planner.report.relations);
        let root = |demands: Demands| {
            let options = FateOptions { demands, ..FateOptions::default() };
            Fates::new(schema, relations, options).of(&"users".into()).unwrap()
        };
        let repairs = plan::repairs(&root(Demands::default()));
        assert!(repairs.len() > 32, "{}", repairs.len());
        let plan = planner.plan_of(&repairs, &Options::default());
        for (table, key) in plan.after.foreign_keys().filter(|(_, k)| k.on_delete == Action::Cascade) {
            let was = plan.before.table(&table.name).unwrap().foreign_keys.iter().find(|k| k.name == key.name).unwrap();
            let nullable = key.columns.iter().any(|c| table.is_nullable(c));
            assert!(was.on_delete == Action::Cascade || !nullable, "{} {key:?}", table.name);
        }
        assert!(plan.refused.iter().all(|r| r.why.contains("--choose")), "{:?}", plan.refused);

        // The policy decides for the 32, and the user for the rest.
        let asked = planner.settings.demands(schema, relations);
        let policy = root(asked.clone()).repair.unwrap();
        let mut choose = Vec::new();
        for change in policy.changes.iter().filter(|c| !c.automatic) {
            choose.push((side(&change.child, &change.columns), change.choices.last().unwrap().word.clone()));
        }
        assert!(!choose.is_empty() && choose.len() < policy.changes.len() / 2, "{choose:?}");
        let mut demands = asked;
        demands.asked.splice(0..0, plan::asked(&choose, relations));
        let repairs = plan::repairs(&root(demands));
        let plan = planner.plan_of(&repairs, &Options { choose, ..Options::default() });
        assert_eq!(findings_of(&plan, "fate"), repairs.len(), "{:?}", plan.refused);
        let graph = Graph::new(&plan.after, &[], 1.0);
        let after = Fates::new(&plan.after, &graph, FateOptions::default()).of(&"users".into()).unwrap();
        assert!(after.verdict <= Verdict::LeavesRows, "{engine}: {}", after.verdict);
        let cascading = plan.steps.iter().filter(|s| s.changes.iter().any(referee::fate::is_cascading));
        assert!(cascading.clone().count() > 0 && cascading.clone().all(|s| !s.newly_deletes.is_empty()));
    }
}
