//! What is chosen, in which order, and what is told of the rest.

use super::*;

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
        let scan = Scan { outcomes: all.map(|_| Outcome::Counted(counted.clone())).collect(), ..Scan::default() };
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
