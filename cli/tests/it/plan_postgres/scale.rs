//! What many orphans in a table that refers to itself cost: every query about them is one pass over the table.

use referee::plan::OrphanPolicy;

use super::closure::{asked_first, declared, of_all};
use super::rows::prepared;
use crate::support::plan::{down, stopped_by};
use crate::support::{plan, postgres as server};

/// 20,000 rows, half of them orphans, each referring to another one.
const ROWS: &str = "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 100);
    CREATE TABLE c (id int PRIMARY KEY, p_id int NOT NULL, q_id int REFERENCES c);
    INSERT INTO c SELECT g, CASE g % 2 WHEN 0 THEN 1000 + g ELSE g % 100 + 1 END, nullif(g / 2, 0) FROM generate_series(1, 20000) g;
    ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p NOT VALID;";

#[test]
fn no_query_about_rows_that_go_compares_each_row_with_each_other() {
    let slow = |text: &str| {
        text.lines()
            .any(|l| l.contains("Nested Loop Anti Join") || (l.contains("SubPlan") && l.contains("(NOT (SubPlan")))
    };
    for server in server::servers() {
        for analyzed in ["", "ANALYZE"] {
            let (_, schema, mut client) = prepared(server, &format!("{ROWS} {analyzed}"));
            let orphans = declared(&schema, "c", "p_id", 10_000);
            let mut asked = 0;
            // Every way of counting is explained before it is run.
            let made =
                asked_first(&mut client, &schema, &[orphans], of_all(OrphanPolicy::Delete), &mut |client, query| {
                    if query.contains("RECURSIVE") {
                        let explained = client.query(&format!("EXPLAIN {query}"), &[]).unwrap();
                        let text: Vec<String> = explained.iter().map(|row| row.get(0)).collect();
                        let text = text.join("\n");
                        assert!(!slow(&text), "{query}\n{text}");
                        asked += 1;
                    }
                });
            assert!(asked > 0, "nothing was asked of what goes along");
            let step = made.steps.iter().find(|s| s.touches_rows).unwrap();
            assert_eq!(stopped_by(&mut client, &step.guards), Vec::<String>::new());
            plan::run(&mut client, &step.up, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
            let (script, guards) = down(step);
            assert_eq!(stopped_by(&mut client, guards), Vec::<String>::new());
            plan::run(&mut client, script, None).unwrap_or_else(|e| panic!("{}", server::explain(&e)));
        }
    }
}
