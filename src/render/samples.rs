//! Reports and graphs that hold every shape a renderer must cope with.

use crate::audit::{Failure, Report};
use crate::change::Change;
use crate::findings::suppress::{Suppressed, Suppression};
use crate::findings::{Finding, Fix, Safety, Severity, Subject};
use crate::relations::{Basis, Graph, Relation};
use crate::rules;
use crate::schema::{Action, Engine, ForeignKey, Index, Schema, Version};
use crate::testing::schema;

/// A relation that names tell.
pub(super) fn inferred(schema: &Schema, child: &str, column: &str, parent: &str, confidence: f64) -> Relation {
    let mut relation = Relation::declared(schema, &child.into(), &ForeignKey::new([column], parent.into(), ["id"]));
    relation.on_delete = None;
    relation.basis = Basis::Inferred { confidence, evidence: vec![format!("`{column}` names `{parent}`")] };
    relation
}

/// Makes the graph of the declared keys and some more relations.
pub(super) fn graph(schema: &Schema, more: Vec<Relation>) -> Graph {
    let declared = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k));
    Graph::from_relations(schema, declared.chain(more).collect())
}

/// The tables of a build service, without any foreign key: the relations are columns named `*_id`.
pub(super) fn builds() -> (Schema, Graph) {
    let s = schema(
        Engine::Sqlite,
        &[
            "users: id text pk, email text",
            "projects: id text pk, user_id text not-null index, latest_analysis_id text, latest_config_set_id text",
            "analysis_runs: id text pk, project_id text not-null index, status text",
            "analysis_activity_logs: id text pk, analysis_run_id text not-null index",
            "config_sets: id text pk, project_id text not-null index, analysis_run_id text",
            "config_activity_logs: id text pk, config_set_id text not-null index",
            "config_files: id text pk, config_set_id text not-null index",
            "config_optimizations: id text pk, config_set_id text not-null index",
            "build_runs: id text pk, project_id text not-null index",
            "deployments: id text pk, project_id text not-null",
            "schema_migrations: version text pk",
        ],
    );
    let more = [
        ("projects", "user_id", "users"),
        ("projects", "latest_analysis_id", "analysis_runs"),
        ("projects", "latest_config_set_id", "config_sets"),
        ("analysis_runs", "project_id", "projects"),
        ("analysis_activity_logs", "analysis_run_id", "analysis_runs"),
        ("config_sets", "project_id", "projects"),
        ("config_sets", "analysis_run_id", "analysis_runs"),
        ("config_activity_logs", "config_set_id", "config_sets"),
        ("config_files", "config_set_id", "config_sets"),
        ("config_optimizations", "config_set_id", "config_sets"),
        ("build_runs", "project_id", "projects"),
        ("deployments", "project_id", "projects"),
    ];
    let more = more.iter().map(|(c, column, p)| inferred(&s, c, column, p, 0.95)).collect();
    let g = graph(&s, more);
    (s, g)
}

/// The tables of a shop: declared keys of every action, a composite key, a missing parent, a second schema.
pub(super) fn shop() -> (Schema, Graph) {
    let mut s = schema(
        Engine::Postgres,
        &[
            "users: id uuid pk, email text, primary_workspace_id uuid not-null >workspaces.id set-null index",
            "workspaces: id uuid pk, owner_id uuid >users.id set-null",
            "workspace_members: workspace_id uuid pk >workspaces.id cascade, user_id uuid pk >users.id cascade index",
            "customers: id int8 pk, referred_by int8 >customers.id set-null index, region int4 default=0 >regions.id set-default",
            "orders: id int8 pk, customer_id int8 index, product_id int8 not-null >products.id restrict",
            "products: id int8 pk, legacy_id int8 unique >sales.catalogue.id",
            "sales.catalogue: id int8 pk",
            "settings: key text pk",
        ],
    );
    s.version = Some(Version::new(15, 18, 0));
    if let Some(table) = s.table_mut(&"orders".into()) {
        table.row_estimate = Some(1_234_567);
    }
    let more = vec![inferred(&s, "orders", "customer_id", "customers", 0.9)];
    let g = graph(&s, more);
    (s, g)
}

fn finding(rule: &str, subject: Subject, message: &str) -> Finding {
    let meta = rules::find(rule).expect("a rule of this name").meta;
    let mut finding = Finding::new(meta, subject, message);
    finding.severity = match rule {
        "set-null-on-not-null" | "orphan-rows" => Severity::Error,
        "polymorphic-reference" => Severity::Info,
        _ => Severity::Warning,
    };
    finding
}

/// A report with every shape of finding, suppressed ones, an unused suppression and a failure.
pub(super) fn report() -> Report {
    let (schema, relations) = shop();
    let customer =
        ForeignKey { on_delete: Action::SetNull, ..ForeignKey::new(["customer_id"], "customers".into(), ["id"]) };
    let add = |column: &str, sql: &str| Fix {
        title: "Add the foreign key".into(),
        safety: Safety::Unsafe,
        changes: vec![Change::AddForeignKey {
            table: "orders".into(),
            foreign_key: ForeignKey { columns: vec![column.into()], ..customer.clone() },
        }],
        sql: if sql.is_empty() { vec![] } else { vec![sql.into()] },
    };
    let index = |table: &str, column: &str| Fix {
        title: "Build the index".into(),
        safety: Safety::Safe,
        changes: vec![Change::AddIndex {
            table: table.into(),
            index: Index::on(format!("{table}_{column}_idx"), [column]),
        }],
        sql: vec![format!("CREATE INDEX CONCURRENTLY {table}_{column}_idx ON {table} ({column})")],
    };
    let key = schema.table(&"users".into()).map(|t| t.foreign_keys[0].clone()).expect("the key");
    let unindexed = |table: &str, column: &str, parent: &str| {
        finding("unindexed-foreign-key", Subject::column(&table.into(), column), &format!("No index finds the rows of `{table}` by `{column}`."))
            .why(format!("Every delete of a row of `{parent}`, and every change of its key, reads the whole of `{table}` to look for rows that refer to it."))
            .help(format!("Build an index that begins with `{column}`."))
            .fix(index(table, column))
    };
    let findings = vec![
        finding("foreign-keys-not-enforced", Subject::database(), "SQLite enforces foreign keys only in connections that ask for it.")
            .why("A connection that does not run `PRAGMA foreign_keys = ON` deletes parents and leaves their children behind.")
            .help("Run `PRAGMA foreign_keys = ON` first thing in every connection; then tell referee with `foreign_keys = \"on\"`."),
        finding("polymorphic-reference", Subject { columns: vec!["location_type".into(), "location_id".into()], ..Subject::table(&"cylinders".into()) }, "`cylinders.location_id` refers to a table that `location_type` names."),
        finding("orphan-rows", Subject { kind: crate::findings::SubjectKind::Relation, table: Some("orders".into()), columns: vec!["customer_id".into()], name: None }, "3 rows of `orders` refer to customers that do not exist.")
            .why("No join finds them, and the foreign key cannot be added while they are there.")
            .help("Look at them, then delete them or set `customer_id` to NULL.")
            .evidence("SELECT count(*) FROM orders AS c WHERE c.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM customers AS p WHERE p.id = c.customer_id)", "3 rows: 17, 29, 31"),
        finding("undeclared-foreign-key", Subject { kind: crate::findings::SubjectKind::Relation, table: Some("orders".into()), columns: vec!["customer_id".into()], name: None }, "`orders.customer_id` refers to `customers.id`, but no foreign key says so.")
            .why("The database lets rows refer to customers that do not exist, and a delete of a customer leaves its orders behind.")
            .help("Declare it with SET NULL: an order is history, and outlives its customer.")
            .fix(add("customer_id", "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL NOT VALID"))
            .fix(Fix { title: "Say in referee.toml that it is none".into(), safety: Safety::Manual, changes: vec![], sql: vec![] }),
        unindexed("orders", "product_id", "products"),
        finding("set-null-on-not-null", Subject::foreign_key(&"users".into(), &key), "The foreign key `users_primary_workspace_id_fkey` sets `primary_workspace_id` to NULL, but the column is NOT NULL.")
            .why("No workspace that a user refers to can be deleted: PostgreSQL accepts the declaration, and fails each delete.")
            .help("Decide which side is meant: protect the workspace with NO ACTION, or let the user outlive it by dropping NOT NULL.")
            .label("users.primary_workspace_id", "NOT NULL")
            .label("users_primary_workspace_id_fkey", "ON DELETE SET NULL")
            .fix(Fix {
                title: "Protect the parent".into(), safety: Safety::Safe,
                changes: vec![Change::ReplaceForeignKey { table: "users".into(), old: key.clone(), new: ForeignKey { on_delete: Action::NoAction, ..key.clone() } }],
                sql: vec!["ALTER TABLE users DROP CONSTRAINT users_primary_workspace_id_fkey".into(), "ALTER TABLE users ADD CONSTRAINT users_primary_workspace_id_fkey FOREIGN KEY (primary_workspace_id) REFERENCES workspaces (id) ON DELETE NO ACTION NOT VALID".into()],
            })
            .fix(Fix { title: "Let the child survive".into(), safety: Safety::Unsafe, changes: vec![], sql: vec!["ALTER TABLE users ALTER COLUMN primary_workspace_id DROP NOT NULL".into()] }),
        unindexed("workspaces", "owner_id", "users"),
    ];
    let hidden = finding(
        "undeclared-foreign-key",
        Subject::column(&"orders".into(), "product_id"),
        "`a|b` <script>alert(1)</script> & \"q\"",
    );
    let suppression = |rule: &str, reason: &str, origin: &str| Suppression {
        rule: Some(rule.into()),
        subject: None,
        fingerprint: None,
        scope: None,
        reason: reason.into(),
        origin: origin.into(),
    };
    Report {
        guesses: crate::infer::Taken::default(),
        history: crate::source::History::default(),
        source: "postgres://app:***@db.example.com/shop".into(),
        schema,
        relations,
        rows_read: None,
        scan: None,
        findings,
        suppressed: vec![Suppressed { finding: hidden, by: 0 }],
        suppressions: vec![
            suppression("undeclared-foreign-key", "the importer | writes it <first>", "referee.toml:12"),
            suppression("invalid-index", "never happens here", "referee.toml:19"),
        ],
        unused_suppressions: vec![1],
        failures: vec![Failure {
            what: "count orphans of products.legacy_id".into(),
            message: "permission denied for table products".into(),
            hint: Some("GRANT SELECT ON products TO app".into()),
        }],
    }
}

/// A report that found nothing.
pub(super) fn clean() -> Report {
    let (schema, relations) = shop();
    Report {
        guesses: crate::infer::Taken::default(),
        history: crate::source::History::default(),
        source: "shop.db".into(),
        schema,
        relations,
        rows_read: None,
        scan: None,
        findings: vec![],
        suppressed: vec![],
        suppressions: vec![],
        unused_suppressions: vec![],
        failures: vec![],
    }
}

/// Findings whose texts try to break out of the format.
pub(super) fn hostile() -> Report {
    let mut report = clean();
    report.source = "/srv/a b%\"<x>.db".into();
    let nasty = "a|b\n::error::x %25 <script>alert('1')</script> & ]]> \u{1}\u{1b}[31m \"q\" `c` ```";
    let mut finding =
        finding("missing-parent", Subject::column(&crate::schema::TableName::new("we|rd.<t>"), "c,o:l\"&"), nasty)
            .why(nasty)
            .help(nasty)
            .label(nasty, nasty)
            .evidence(nasty, nasty)
            .fix(Fix { title: nasty.into(), safety: Safety::Manual, changes: vec![], sql: vec![nasty.into()] });
    finding.severity = Severity::Error;
    report.findings = vec![finding];
    report.failures = vec![Failure { what: nasty.into(), message: nasty.into(), hint: Some(nasty.into()) }];
    report
}
