//! SQLite, nothing declared: the relations are found all the same.

use crate::requirements::referee;
use crate::support::audit::{Ask, audit, expect, only, sqlite};

const SQL: &str = include_str!("../../../../tests/fixtures/deploy-pipeline.sqlite.sql");

fn database() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder.path().join("pipeline.db"), SQL);
    (folder, source)
}

/// Writes `N%` for every confidence: fitting the weights anew moves them.
fn without_numbers(tree: &str) -> String {
    let word = |w: &str| if w.ends_with('%') { "N%".to_string() } else { w.to_string() };
    let line = |l: &str| l.split(' ').map(word).collect::<Vec<_>>().join(" ");
    tree.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn tree_comes_out_of_a_database_that_declares_no_key() {
    let (_folder, source) = database();
    let (code, tree) = referee(&["graph", &source]);
    assert_eq!(code, 0);
    let expected = "\
users
└── projects (user_id)  undeclared N% · no index
    ├── analysis_runs (project_id)  undeclared N% · no index
    │   ├── analysis_activity_logs (analysis_run_id)  undeclared N% · no index
    │   ├── config_sets (analysis_run_id)
    │   │       undeclared N% · nullable · no index  (see below)
    │   └── ↻ projects (latest_analysis_id)
    │           undeclared N% · nullable · no index
    ├── config_sets (project_id)  undeclared N% · no index
    │   ├── config_activity_logs (config_set_id)  undeclared N% · no index
    │   ├── config_files (config_set_id)  undeclared N% · no index
    │   ├── config_optimizations (config_set_id)  undeclared N% · no index
    │   └── ↻ projects (latest_config_set_id)
    │           undeclared N% · nullable · no index
    ├── build_runs (project_id)  undeclared N% · no index
    └── deployments (project_id)  undeclared N% · no index
";
    assert_eq!(without_numbers(&tree), expected);
}

#[test]
fn every_relation_is_found_and_that_nothing_is_enforced() {
    let (_folder, source) = database();
    let report = audit(&source, Ask::default());
    expect(
        &report,
        &[
            "warning no-foreign-keys database",
            "info foreign-keys-not-enforced database",
            "warning undeclared-foreign-key analysis_activity_logs.analysis_run_id",
            "warning unindexed-foreign-key analysis_activity_logs.analysis_run_id",
            "warning undeclared-foreign-key analysis_runs.project_id",
            "warning unindexed-foreign-key analysis_runs.project_id",
            "warning undeclared-foreign-key build_runs.project_id",
            "warning unindexed-foreign-key build_runs.project_id",
            "warning undeclared-foreign-key config_activity_logs.config_set_id",
            "warning unindexed-foreign-key config_activity_logs.config_set_id",
            "warning undeclared-foreign-key config_files.config_set_id",
            "warning unindexed-foreign-key config_files.config_set_id",
            "warning undeclared-foreign-key config_optimizations.config_set_id",
            "warning unindexed-foreign-key config_optimizations.config_set_id",
            "warning undeclared-foreign-key config_sets.analysis_run_id",
            "warning unindexed-foreign-key config_sets.analysis_run_id",
            "warning undeclared-foreign-key config_sets.project_id",
            "warning unindexed-foreign-key config_sets.project_id",
            "warning undeclared-foreign-key deployments.project_id",
            "warning unindexed-foreign-key deployments.project_id",
            "info undeclared-foreign-key projects.latest_analysis_id",
            "info unindexed-foreign-key projects.latest_analysis_id",
            "warning undeclared-foreign-key projects.latest_config_set_id",
            "warning unindexed-foreign-key projects.latest_config_set_id",
            "warning undeclared-foreign-key projects.user_id",
            "warning unindexed-foreign-key projects.user_id",
        ],
    );
    let finding = only(&report, "foreign-keys-not-enforced");
    assert!(format!("{}{}", finding.why, finding.help).contains("PRAGMA foreign_keys"), "{finding:?}");
    let parents: Vec<_> = report
        .relations
        .relations()
        .iter()
        .map(|r| format!("{} > {}", r.child_side(), r.parent_side()))
        .filter(|r| r.starts_with("projects."))
        .collect();
    assert_eq!(
        parents,
        [
            "projects.latest_analysis_id > analysis_runs.id",
            "projects.latest_config_set_id > config_sets.id",
            "projects.user_id > users.id"
        ]
    );
}

#[test]
fn orphans_are_counted_although_nothing_is_declared() {
    let (folder, source) = database();
    assert!(
        !audit(&source, Ask { data: true, ..Ask::default() }).findings.iter().any(|f| f.rule.name() == "orphan-rows")
    );
    let connection = rusqlite::Connection::open(folder.path().join("pipeline.db")).unwrap();
    connection.execute("DELETE FROM projects WHERE id = 'p1'", ()).unwrap();
    let report = audit(&source, Ask { data: true, ..Ask::default() });
    let orphans: Vec<_> =
        report.findings.iter().filter(|f| f.rule.name() == "orphan-rows").map(|f| f.subject.place()).collect();
    assert_eq!(
        orphans,
        ["analysis_runs.project_id", "build_runs.project_id", "config_sets.project_id", "deployments.project_id"]
    );
    let runs = report.findings.iter().find(|f| f.rule.name() == "orphan-rows").unwrap();
    assert!(runs.message.contains('2'), "two runs of the project: {}", runs.message);
}
