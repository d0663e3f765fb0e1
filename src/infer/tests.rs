use super::*;
use crate::schema::Engine;
use crate::testing::schema;

fn found(schema: &Schema) -> Vec<String> {
    let known: Vec<Relation> = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
    infer(schema, &known, 0.5).iter().map(|r| format!("{} -> {}", r.child_side(), r.parent_side())).collect()
}

fn found_in(engine: Engine, lines: &[&str]) -> Vec<String> {
    found(&schema(engine, lines))
}

/// The build service: text keys, nothing declared, two tables that refer to each other.
pub(super) fn build_service() -> Schema {
    schema(
        Engine::Sqlite,
        &[
            "users: id text pk, email text not-null unique, name text, github_id text unique, github_token text, avatar_url text, created_at integer not-null",
            "projects: id text pk, user_id text not-null, name text not-null, repository_url text, default_branch text, github_repo_id text, latest_analysis_id text, latest_config_set_id text, status text not-null, created_at integer",
            "analysis_runs: id text pk, project_id text not-null, status text not-null, commit_sha text, model_id text, error_message text, started_at integer",
            "analysis_activity_logs: id text pk, analysis_run_id text not-null, level text, message text, trace_id text, created_at integer",
            "config_sets: id text pk, project_id text not-null, analysis_run_id text, status text not-null, version integer, error_message text",
            "config_activity_logs: id text pk, config_set_id text not-null, level text, message text",
            "config_files: id text pk, config_set_id text not-null, path text not-null, content text, hash text",
            "config_optimizations: id text pk, config_set_id text not-null, kind text, npm_package_id text, applied integer",
            "build_runs: id text pk, project_id text not-null, status text, request_id text, external_id text",
            "deployments: id text pk, project_id text not-null, provider text, provider_deployment_id text, url text",
        ],
    )
}

/// The delivery service: eleven relations, one polymorphic pair.
pub(super) fn delivery_service(id: &str) -> Schema {
    let lines = [
        "users: id ID pk, phone text not-null unique, email text, role text not-null, name text not-null, device_id text, created_at timestamptz",
        "customers: id ID pk, name text not-null, phone text not-null unique, address jsonb, segment text, referred_by ID, referral_code text unique, tax_id text, stripe_customer_id text",
        "vehicles: id ID pk, registration text not-null unique, type text not-null, capacity int4, tracking_id text",
        "drivers: id ID pk, user_id ID not-null, vehicle_id ID, license_number text not-null, status text, rating numeric, session_id text",
        "pods: id ID pk, name text not-null, location jsonb, operator_id ID, operator_name text, phone text, privy_did text",
        "products: id ID pk, name text not-null, sku text not-null unique, size_kg numeric, price numeric",
        "orders: id ID pk, reference text unique, customer_id ID index, driver_id ID index, pod_id ID, status text, payment_method text, external_id text, request_id text, total numeric",
        "wallets: id ID pk, customer_id ID not-null unique, balance numeric",
        "wallet_transactions: id ID pk, wallet_id ID not-null index, type text not-null, amount numeric, reference text, reference_id text",
        "subscriptions: id ID pk, customer_id ID not-null index, product_id ID not-null, frequency text, next_delivery_date date, status text",
        "cylinders: id ID pk, serial_number text unique, size_kg numeric, status text, location_type text, location_id ID, filled_at timestamptz",
        "locations: id ID pk, name text",
    ];
    let lines: Vec<String> = lines.iter().map(|l| l.replace(" ID", &format!(" {id}"))).collect();
    schema(Engine::Postgres, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn build_service_gives_its_tree_and_nothing_else() {
    assert_eq!(
        found(&build_service()),
        [
            "analysis_activity_logs.analysis_run_id -> analysis_runs.id",
            "analysis_runs.project_id -> projects.id",
            "build_runs.project_id -> projects.id",
            "config_activity_logs.config_set_id -> config_sets.id",
            "config_files.config_set_id -> config_sets.id",
            "config_optimizations.config_set_id -> config_sets.id",
            "config_sets.analysis_run_id -> analysis_runs.id",
            "config_sets.project_id -> projects.id",
            "deployments.project_id -> projects.id",
            "projects.latest_analysis_id -> analysis_runs.id",
            "projects.latest_config_set_id -> config_sets.id",
            "projects.user_id -> users.id",
        ]
    );
}

#[test]
fn delivery_service_gives_its_eleven_and_nothing_else() {
    for id in ["uuid", "text", "varchar(36)"] {
        assert_eq!(
            found(&delivery_service(id)),
            [
                "customers.referred_by -> customers.id",
                "drivers.user_id -> users.id",
                "drivers.vehicle_id -> vehicles.id",
                "orders.customer_id -> customers.id",
                "orders.driver_id -> drivers.id",
                "orders.pod_id -> pods.id",
                "pods.operator_id -> users.id",
                "subscriptions.customer_id -> customers.id",
                "subscriptions.product_id -> products.id",
                "wallet_transactions.wallet_id -> wallets.id",
                "wallets.customer_id -> customers.id",
            ],
            "{id}"
        );
    }
}

#[test]
fn names_of_every_usual_spelling_are_read() {
    let got = found_in(
        Engine::Postgres,
        &[
            "app_addresses: id int8 pk, street text",
            "app_countries: id int8 pk, code char(2) not-null unique, name text",
            "app_organizations: id int8 pk, name text",
            "app_orders: id int8 pk, customerId int4, billing_address_id int8, country_code char(2), org_id int8, parent_id int8, created_by int8, status text",
            "app_customers: id int8 pk, name text, category int8",
            "app_people: id int8 pk, managerid int8, full_name text",
            "app_categories: id int8 pk, name text",
        ],
    );
    assert_eq!(
        got,
        [
            "app_customers.category -> app_categories.id",
            "app_orders.billing_address_id -> app_addresses.id",
            "app_orders.country_code -> app_countries.code",
            "app_orders.created_by -> app_people.id",
            "app_orders.customerId -> app_customers.id",
            "app_orders.org_id -> app_organizations.id",
            "app_orders.parent_id -> app_orders.id",
            "app_people.managerid -> app_people.id",
        ]
    );
}

#[test]
fn ids_of_other_systems_and_ids_without_a_table_stay_alone() {
    let got = found_in(
        Engine::Postgres,
        &[
            "customers: id text pk, stripe_customer_id text, external_id text, tax_id text, privy_did text",
            "web_sessions: id text pk, ip text",
            "wallet_transactions: id text pk, transaction_id text",
            "users: id text pk, google_user_id text, session_id text, device_id text, request_id text, tracking_id text, user_name text, customer_name text",
        ],
    );
    assert_eq!(got, [""; 0]);
    let with_table = ["stripe_customers: id text pk, email text", "invoices: id text pk, stripe_customer_id text"];
    assert_eq!(found_in(Engine::Postgres, &with_table), ["invoices.stripe_customer_id -> stripe_customers.id"]);
}

#[test]
fn types_that_do_not_fit_are_no_relation() {
    let users = "users: id int8 pk, name text";
    assert_eq!(found_in(Engine::Postgres, &[users, "a: id int8 pk, user_id text, created_by text"]), [""; 0]);
    assert_eq!(found_in(Engine::Postgres, &[users, "a: id int8 pk, user_id int4"]), ["a.user_id -> users.id"]);

    let text_for_uuid = schema(Engine::Postgres, &["users: id uuid pk", "a: id uuid pk, user_id text"]);
    let Basis::Inferred { confidence, .. } = infer(&text_for_uuid, &[], 0.0)[0].basis else { panic!("inferred") };
    assert!((0.5..0.8).contains(&confidence), "{confidence}");
}

#[test]
fn own_key_refers_elsewhere_only_as_an_extension() {
    let got = found_in(
        Engine::Postgres,
        &[
            "users: user_id int8 pk, email text",
            "user_settings: user_id int8 pk, theme text",
            "orders: order_id int8 pk, order_no text unique",
        ],
    );
    assert_eq!(got, ["user_settings.user_id -> users.user_id"]);
}

#[test]
fn same_schema_comes_first_and_two_equal_parents_are_none() {
    let near = ["a.users: id int8 pk", "b.users: id int8 pk", "b.posts: id int8 pk, user_id int8"];
    assert_eq!(found_in(Engine::Postgres, &near), ["b.posts.user_id -> b.users.id"]);
    let far = ["a.users: id int8 pk", "b.users: id int8 pk", "c.posts: id int8 pk, user_id int8"];
    assert_eq!(found_in(Engine::Postgres, &far), [""; 0]);
}

#[test]
fn people_are_named_by_roles_only_where_they_are_one_table() {
    let one = ["users: id int8 pk", "posts: id int8 pk, author_id int8, updated_by int8, owner_id text"];
    assert_eq!(found_in(Engine::Postgres, &one), ["posts.author_id -> users.id", "posts.updated_by -> users.id"]);
    let none = ["employees: id int8 pk", "members: id int8 pk", "posts: id int8 pk, author_id int8"];
    assert_eq!(found_in(Engine::Postgres, &none), [""; 0]);
    let managers = ["employees: id int8 pk, manager_id int8", "departments: id int8 pk, manager_id int8"];
    assert_eq!(
        found_in(Engine::Postgres, &managers),
        ["departments.manager_id -> employees.id", "employees.manager_id -> employees.id"]
    );
}

#[test]
fn known_columns_partitions_and_foreign_tables_are_left_alone() {
    let mut s = schema(
        Engine::Postgres,
        &[
            "users: id int8 pk",
            "a: id int8 pk, user_id int8 >users.id",
            "p: id int8 pk, user_id int8",
            "q: id int8 pk, user_id int8",
        ],
    );
    s.table_mut(&"p".into()).unwrap().partition_of = Some("a".into());
    s.table_mut(&"q".into()).unwrap().kind = TableKind::Foreign;
    assert_eq!(found(&s), [""; 0]);
}

#[test]
fn declared_keys_teach_what_a_column_name_means() {
    let got = found_in(
        Engine::Postgres,
        &[
            "sys_user: id int8 pk, name text",
            "a: id int8 pk, handled int8 >sys_user.id",
            "b: id int8 pk, handled int8 >sys_user.id",
            "c: id int8 pk, handled int8",
            "d: id int8 pk, handled text",
        ],
    );
    assert_eq!(got, ["c.handled -> sys_user.id"]);
}

#[test]
fn polymorphic_pairs_are_told_and_never_proposed() {
    let s = delivery_service("uuid");
    let pairs = polymorphic_pairs(&s);
    assert_eq!(pairs.len(), 1);
    assert_eq!((pairs[0].type_column.as_str(), pairs[0].id_column.as_str()), ("location_type", "location_id"));
    let camel =
        schema(Engine::Sqlite, &["notes: id integer pk, ownerType text, ownerId integer, type text, kind_id integer"]);
    assert_eq!(polymorphic_pairs(&camel).len(), 1);
}

#[test]
fn advised_actions_are_those_a_person_chose() {
    let s = delivery_service("uuid");
    let graph = crate::testing::graph(&s);
    let got: Vec<String> =
        graph.relations().iter().map(|r| format!("{} {}", r.child_side(), advise(&s, &graph, r).action)).collect();
    assert_eq!(
        got,
        [
            "customers.referred_by SET NULL",
            "drivers.user_id CASCADE",
            "drivers.vehicle_id SET NULL",
            "orders.customer_id SET NULL",
            "orders.driver_id SET NULL",
            "orders.pod_id SET NULL",
            "pods.operator_id SET NULL",
            "subscriptions.customer_id CASCADE",
            "subscriptions.product_id RESTRICT",
            "wallet_transactions.wallet_id CASCADE",
            "wallets.customer_id CASCADE",
        ]
    );
    let s = build_service();
    let graph = crate::testing::graph(&s);
    for relation in graph.relations() {
        let wanted = if relation.nullable { crate::schema::Action::SetNull } else { crate::schema::Action::Cascade };
        assert_eq!(advise(&s, &graph, relation).action, wanted, "{}", relation.child_side());
    }
}

#[test]
fn declared_keys_to_the_same_parent_decide_the_advice() {
    let s = schema(
        Engine::Postgres,
        &[
            "users: id int8 pk",
            "a: id int8 pk, user_id int8 not-null >users.id restrict",
            "b: id int8 pk, user_id int8 not-null >users.id restrict",
            "c: id int8 pk, user_id int8 not-null",
        ],
    );
    let graph = crate::testing::graph(&s);
    let relation = graph.relations().iter().find(|r| !r.is_declared()).unwrap();
    let advice = advise(&s, &graph, relation);
    assert_eq!(advice.action, crate::schema::Action::Restrict);
    assert_eq!(advice.rationale, "2 of the 2 declared foreign keys to `users` do so");
}

#[test]
fn numbers_flags_and_names_are_no_references() {
    let got = found_in(
        Engine::Sqlite,
        &[
            "orders: id integer pk, total integer",
            "comments: id integer pk, post_id integer, position integer",
            "users: id integer pk, admin integer, score integer",
            "posts: id integer pk, order integer, comments integer, sort_by integer, original integer, moderator integer, owner text, user text, user_name text",
        ],
    );
    assert_eq!(got, ["comments.post_id -> posts.id"]);
}

#[test]
fn own_identifiers_quantities_and_twins_are_no_references() {
    let none: [String; 0] = [];
    // The declared key on a column of the same name says nothing of the table whose own noun it is.
    let jobs = ["background_jobs: id text pk, job_id text", "tasks: id text pk, job_id text >background_jobs.id"];
    assert_eq!(found_in(Engine::Postgres, &jobs), none);
    let own_key = ["users: user_id uuid pk", "team_users: team_user_id uuid pk, role text"];
    assert_eq!(found_in(Engine::Postgres, &own_key), none);
    let limits = ["posts: id int4 pk", "rate_limits: id int4 pk, post int4 not-null default=10"];
    assert_eq!(found_in(Engine::Postgres, &limits), none);
    let urls = ["received_activities: ap_id text pk, at timestamptz", "posts: id int4 pk, ap_id text unique"];
    assert_eq!(found_in(Engine::Postgres, &urls), none);
    let columns = "payment_id integer, amount numeric, paid_at text";
    let parts =
        [format!("payments: {}", columns.replacen("integer", "integer pk", 1)), format!("payments_2024: {columns}")];
    assert_eq!(found_in(Engine::Sqlite, &parts.each_ref().map(String::as_str)), none);
    let part = [
        "categories: category_id int8 pk, name text, at date",
        "subcategories: id int8 pk, category_id int8, name text, at date",
    ];
    assert_eq!(found_in(Engine::Postgres, &part), ["subcategories.category_id -> categories.category_id"]);
    let pattern =
        ["users: id int8 pk", "events: id int8 pk, user_id int8 >users.id", "template_events: id int8, user_id int8"];
    assert_eq!(found_in(Engine::Postgres, &pattern), none);
}

#[test]
fn key_named_after_the_last_word_of_its_table_is_referred_to() {
    let lines = [
        "web_events: event_id uuid pk",
        "event_data: event_data_id uuid pk",
        "revenue: revenue_id uuid pk, event_id uuid",
    ];
    assert_eq!(found_in(Engine::Postgres, &lines), ["revenue.event_id -> web_events.event_id"]);
}
