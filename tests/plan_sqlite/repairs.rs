//! What the rules propose for a SQLite database, made on that database: the finding is gone.

use std::fs;
use std::path::Path;

use referee::change::Change;
use referee::plan::{Down, Options, OrphanPolicy, Wanted};

use super::harness::{Fixture, contents, run, wanted};
use super::support::audit::{Ask, audit, line};

/// The examples of the rules' pages that are whole SQLite databases with a finding, and the fixtures.
fn databases() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for rule in referee::rules::ALL {
        let name = rule.meta.name;
        let text = fs::read_to_string(root.join(format!("docs/rules/{name}.md"))).unwrap();
        for block in text.split("\n```sql sqlite finds").skip(1) {
            let (words, body) = block.split_once('\n').unwrap();
            if !words.contains("migration") && !words.contains("fails") {
                found.push((name.to_string(), body.split("\n```").next().unwrap().to_string()));
            }
        }
    }
    for fixture in ["r1.sql", "deploy-pipeline.sqlite.sql"] {
        found.push((fixture.to_string(), fs::read_to_string(root.join("tests/fixtures").join(fixture)).unwrap()));
    }
    found
}

#[test]
fn every_repair_of_every_rule_removes_its_finding_and_can_be_undone() {
    let mut made_ways = 0;
    let mut refused_ways = Vec::new();
    for (what, sql) in databases() {
        let fixture = Fixture::new(&sql);
        let ask = Ask::default();
        let source = fixture.path.display().to_string();
        let report = audit(&source, ask);
        for finding in &report.findings {
            for fix in finding.fixes.iter().filter(|f| !f.changes.is_empty()) {
                let about = format!("{what}: {} ({})", line(finding), fix.title);
                let changes: Vec<Change> = fix.changes.clone();
                let one = Wanted { changes: changes.clone(), ..wanted(&changes[..1]).remove(0) };
                let options = Options { orphans: Some(OrphanPolicy::Quarantine), ..Options::default() };
                let made = fixture.made_with(&[one], &options);
                if let Some(refused) = made.refused.first() {
                    refused_ways.push(format!("{about}: {}", refused.why));
                    continue;
                }
                let connection = fixture.connect();
                let before = contents(&connection);
                let mut done = Vec::new();
                for step in &made.steps {
                    if step.guards.iter().any(|g| !super::harness::column(&connection, &g.sql).is_empty()) {
                        break;
                    }
                    run(&connection, &step.up).unwrap_or_else(|e| panic!("{about}: {e}"));
                    done.push(step);
                }
                if done.len() == made.steps.len() {
                    let now = audit(&source, ask);
                    let left: Vec<String> =
                        now.findings.iter().filter(|f| f.fingerprint == finding.fingerprint).map(line).collect();
                    assert!(left.is_empty(), "{about}: {left:?}");
                    made_ways += 1;
                }
                for step in done.iter().rev() {
                    let Down::Script { script, .. } = &step.down else { panic!("{about}: no way down") };
                    run(&connection, script).unwrap_or_else(|e| panic!("{about}, down: {e}"));
                }
                assert_eq!(contents(&connection), before, "{about}");
            }
        }
    }
    assert!(made_ways > 40, "only {made_ways}");
    assert!(refused_ways.is_empty(), "{}", refused_ways.join("\n"));
}
