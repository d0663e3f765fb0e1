//! `foreign-keys-not-enforced`: SQLite carries out foreign keys only in connections that ask for it.

use super::wording::{list, rows};
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::orphans::Outcome;
use crate::schema::Engine;

pub(crate) static META: Meta = Meta {
    code: "REF301",
    name: "foreign-keys-not-enforced",
    severity: Severity::Info,
    summary: "SQLite enforces foreign keys only in connections that switch them on",
    engines: &[Engine::Sqlite],
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-keys-not-enforced.md"),
};

/// SQLite, "Foreign Key Support", 2: off by default, per connection, and no effect inside a transaction.
const WHY: &str = "SQLite enforces foreign keys per connection, and the default is off: no file remembers it. A connection \
    that has not run PRAGMA foreign_keys = ON inserts children without a parent and deletes parents from under their \
    children, without an error and without ON DELETE. Inside a transaction the pragma does nothing, silently.";

/// What the makers of the drivers say, or their sources.
const HOW: &str = "Run PRAGMA foreign_keys = ON as the first statement of every connection, outside a transaction. On by \
    default: better-sqlite3, node:sqlite, rusqlite with its bundled SQLite, sqlx, Django, Cloudflare D1. To be switched on: \
    Python's sqlite3 and SQLAlchemy (in a `connect` event), Go's mattn/go-sqlite3 (`?_foreign_keys=on`) and modernc.org/sqlite \
    (`?_pragma=foreign_keys(1)`). Then tell referee: --foreign-keys on, or \
    foreign_keys = \"on\" under [database] in referee.toml.";

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let relations = context.relations.relations();
    if context.settings.foreign_keys == Some(true) || relations.is_empty() {
        return;
    }
    let declared = relations.iter().filter(|r| r.is_declared()).count();
    let keys = if declared == 1 { "1 foreign key is".to_string() } else { format!("{declared} foreign keys are") };
    let outcomes = context.scan.map(|s| s.outcomes.as_slice()).unwrap_or_default();
    let proof: Vec<_> = relations
        .iter()
        .zip(outcomes)
        .filter_map(|(relation, outcome)| match outcome {
            Outcome::Counted(orphans) if relation.is_declared() && orphans.count > 0 => Some((relation, orphans)),
            _ => None,
        })
        .collect();
    let off = context.settings.foreign_keys == Some(false);
    let (severity, message) = match (off, declared, proof.is_empty()) {
        (_, _, false) => {
            let places: Vec<String> = proof.iter().map(|(r, _)| format!("`{}`", r.child_side())).collect();
            (Severity::Error, format!("{keys} declared, but rows were written without enforcement: orphans in {}", list(&places)))
        }
        (true, 1.., _) => (Severity::Error, format!("{keys} declared, but the application does not enforce foreign keys")),
        (false, 1.., _) => {
            (Severity::Info, format!("{keys} declared; whether they are enforced is up to each connection of the application"))
        }
        (_, 0, _) => (
            Severity::Info,
            "Tables refer to each other without foreign keys; once keys are declared, each connection has to enforce them"
                .to_string(),
        ),
    };
    let mut finding = Finding::new(&META, Subject::database(), message).severity(severity).why(WHY).help(HOW).label(
        "database",
        match off {
            true => "foreign_keys = \"off\", as you said",
            false => "PRAGMA foreign_keys: 0 in a connection that does not set it",
        },
    );
    for (relation, orphans) in proof {
        finding = finding
            .label(relation.child_side(), format!("{} without a parent in {}", rows(orphans.count), relation.parent))
            .evidence(&orphans.query, rows(orphans.count));
    }
    findings.push(finding);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orphans::{Orphans, Scan};
    use crate::rules::{self, Settings};
    use crate::testing::{findings_with, graph, schema};

    const KEYED: &[&str] = &["p: id integer pk", "c: id integer pk, p_id integer >p.id cascade"];
    const RULE: &str = "foreign-keys-not-enforced";

    fn said(foreign_keys: Option<bool>) -> Settings {
        Settings { foreign_keys, ..Settings::default() }
    }

    #[test]
    fn what_the_user_says_decides() {
        let schema = schema(Engine::Sqlite, KEYED);
        assert_eq!(findings_with(&schema, RULE, &said(Some(true))), []);
        assert_eq!(findings_with(&schema, RULE, &said(None))[0].severity, Severity::Info);
        let off = findings_with(&schema, RULE, &said(Some(false)));
        assert_eq!(off[0].severity, Severity::Error);
        assert!(off[0].message.starts_with("1 foreign key is declared"));
        assert!(off[0].why.contains("per connection") && off[0].help.contains("PRAGMA foreign_keys = ON"));
    }

    #[test]
    fn tables_without_relations_and_other_engines_are_left_alone() {
        assert_eq!(findings_with(&schema(Engine::Sqlite, &["a: id int pk"]), RULE, &said(None)), []);
        assert_eq!(findings_with(&schema(Engine::Postgres, KEYED), RULE, &said(Some(false))), []);
    }

    #[test]
    fn orphans_under_a_declared_key_prove_it() {
        let schema = schema(Engine::Sqlite, KEYED);
        let orphans = Orphans { count: 2, samples: vec![vec!["7".into()]], query: "SELECT count(*) …".into() };
        let scan = Scan { outcomes: vec![Outcome::Counted(orphans)], ..Scan::default() };
        let (relations, settings) = (graph(&schema), said(None));
        let context = Context {
            schema: &schema,
            relations: &relations,
            dialect: None,
            settings: &settings,
            scan: Some(&scan),
            timeline: None,
            plans: None, deletes: rules::Deletes::default(),
        };
        let found = rules::check([rules::find(RULE).unwrap()], &context);
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.contains("orphans in `c.p_id`"));
        assert_eq!(found[0].evidence[0].returned, "2 rows");
    }
}
