//! Databases in order: nothing is said of them.

use crate::requirements::on_every_postgres;
use crate::support::audit::{Ask, audit, expect, lines, sqlite};

/// Small shapes that look like trouble and are none. None of the words is any engine's own.
const TRICKY: &[(&str, &str)] = &[
    (
        "ids of other systems",
        "CREATE TABLE customers (id integer PRIMARY KEY, stripe_customer_id text UNIQUE, external_id text, \
           google_account_id text, session_id text);
         CREATE TABLE payments (id integer PRIMARY KEY, \
           customer_id integer NOT NULL REFERENCES customers (id) ON DELETE CASCADE, stripe_charge_id text, \
           transaction_id text, trace_id text, correlation_id text);
         CREATE INDEX payments_customer ON payments (customer_id);",
    ),
    (
        "a one-to-one extension",
        "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL);
         CREATE TABLE employees (id integer PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE, salary integer);
         CREATE TABLE managers (id integer PRIMARY KEY REFERENCES employees (id) ON DELETE CASCADE, bonus integer);",
    ),
    (
        "natural keys",
        "CREATE TABLE countries (code text PRIMARY KEY NOT NULL, name text NOT NULL);
         CREATE TABLE regions (country_code text NOT NULL REFERENCES countries (code) ON DELETE RESTRICT, \
           code text NOT NULL, name text NOT NULL, PRIMARY KEY (country_code, code));
         CREATE TABLE towns (id integer PRIMARY KEY, country_code text NOT NULL, region_code text NOT NULL, \
           postal_code text, area_code text, \
           FOREIGN KEY (country_code, region_code) REFERENCES regions (country_code, code) ON DELETE RESTRICT);
         CREATE INDEX towns_region ON towns (country_code, region_code);",
    ),
    (
        "a table without any reference",
        "CREATE TABLE settings (key text PRIMARY KEY NOT NULL, value text, device_id text, client_id text);
         CREATE TABLE flags (name text PRIMARY KEY NOT NULL, owner text, status text, type text);",
    ),
    (
        "one index for two keys that begin alike",
        "CREATE TABLE shops (id integer PRIMARY KEY);
         CREATE TABLE stocks (shop_id integer NOT NULL REFERENCES shops (id) ON DELETE CASCADE, \
           sku text NOT NULL, PRIMARY KEY (shop_id, sku));
         CREATE TABLE moves (id integer PRIMARY KEY, shop_id integer NOT NULL, sku text NOT NULL, \
           FOREIGN KEY (shop_id, sku) REFERENCES stocks (shop_id, sku) ON DELETE CASCADE);
         CREATE INDEX moves_stock ON moves (sku, shop_id);",
    ),
    (
        "two roles of one parent",
        "CREATE TABLE accounts (id integer PRIMARY KEY);
         CREATE TABLE transfers (id integer PRIMARY KEY, \
           from_account_id integer NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT, \
           to_account_id integer NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT, amount integer NOT NULL);
         CREATE INDEX transfers_from ON transfers (from_account_id);
         CREATE INDEX transfers_to ON transfers (to_account_id);",
    ),
    (
        "columns that end in id and refer to nothing",
        "CREATE TABLE sensors (id integer PRIMARY KEY, grid text, paid integer, valid integer, void integer, \
           uuid text UNIQUE, order_no integer, sort_key integer);
         CREATE TABLE readings (id integer PRIMARY KEY, \
           sensor_id integer NOT NULL REFERENCES sensors (id) ON DELETE CASCADE, bid integer, humid integer);
         CREATE INDEX readings_sensor ON readings (sensor_id);",
    ),
];

fn on() -> Ask<'static> {
    Ask { data: true, verify_indexes: true, foreign_keys: Some(true), ..Ask::default() }
}

#[test]
fn clean_sqlite_database_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source =
        sqlite(&folder.path().join("library.db"), include_str!("../../../../tests/fixtures/clean-library.sqlite.sql"));
    expect(&audit(&source, on()), &[]);
    let (code, _) =
        crate::requirements::referee(&["audit", &source, "--data", "--foreign-keys", "on", "--fail-on", "info"]);
    assert_eq!(code, 0);
    // Without the promise that connections enforce the keys, just that is said.
    let unsaid = audit(&source, Ask { data: true, ..Ask::default() });
    assert_eq!(unsaid.findings.iter().map(|f| f.rule.name()).collect::<Vec<_>>(), ["foreign-keys-not-enforced"]);
}

#[test]
fn clean_postgres_database_gives_nothing() {
    on_every_postgres(include_str!("../../../../tests/fixtures/clean-tenants.postgres.sql"), |url, _| {
        expect(&audit(url, on()), &[]);
        assert_eq!(crate::requirements::referee(&["audit", url, "--data", "--fail-on", "info"]).0, 0);
    });
}

#[test]
fn what_only_looks_like_trouble_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (what, sql)) in TRICKY.iter().enumerate() {
        let source = sqlite(&folder.path().join(format!("{number}.db")), sql);
        let report = audit(&source, on());
        assert!(report.findings.is_empty(), "SQLite, {what}: {:?}", lines(&report));
        on_every_postgres(sql, |url, major| {
            let report = audit(url, on());
            assert!(report.findings.is_empty(), "PostgreSQL {major}, {what}: {:?}", lines(&report));
        });
    }
}

/// What a history table is to do when its row goes is the point of it: it has no key, and needs none.
#[test]
fn history_without_a_key_is_at_most_information() {
    let sql = "CREATE TABLE documents (id integer PRIMARY KEY, body text);
        CREATE TABLE documents_history (history_id integer PRIMARY KEY, id integer NOT NULL, body text, \
          changed_at text NOT NULL);
        CREATE INDEX documents_history_id ON documents_history (id);
        CREATE TABLE notes (id integer PRIMARY KEY, \
          document_id integer NOT NULL REFERENCES documents (id) ON DELETE CASCADE);
        CREATE INDEX notes_document ON notes (document_id);";
    let folder = tempfile::tempdir().unwrap();
    expect(&audit(&sqlite(&folder.path().join("h.db"), sql), on()), &[]);
    on_every_postgres(sql, |url, _| expect(&audit(url, on()), &[]));
}
