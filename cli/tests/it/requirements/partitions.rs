//! A key of a partitioned table is one key, however many partitions there are.

use crate::requirements::on_every_postgres;
use crate::support::audit::{Ask, audit, expect};
use crate::support::postgres::execute;

const SQL: &str = "
    CREATE TABLE devices (id bigint PRIMARY KEY);
    CREATE TABLE readings (id bigint NOT NULL, device_id bigint NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
      at date NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
      PARTITION BY LIST (device_id);
    CREATE TABLE readings_2_a PARTITION OF readings_2 FOR VALUES IN (1);
    CREATE TABLE readings_2_b PARTITION OF readings_2 DEFAULT;
    CREATE TABLE readings_3 PARTITION OF readings DEFAULT;
    INSERT INTO devices VALUES (1), (2);
    INSERT INTO readings VALUES (1, 1, '2024-05-05'), (2, 1, '2025-05-05'), (3, 2, '2025-05-06'), (4, 2, '2030-01-01');";

#[test]
fn one_finding_for_each_logical_key() {
    on_every_postgres(SQL, |url, _| {
        let unindexed = "warning unindexed-foreign-key readings.device_id";
        for verify_indexes in [false, true] {
            let ask = Ask { data: true, verify_indexes, ..Ask::default() };
            expect(&audit(url, ask), &[unindexed]);
        }
        // An index on one partition is not enough, and one on each of them is.
        execute(url, "CREATE INDEX ON readings_1 (device_id)");
        for verify_indexes in [false, true] {
            expect(&audit(url, Ask { verify_indexes, ..Ask::default() }), &[unindexed]);
        }
        execute(url, "CREATE INDEX ON readings_2 (device_id); CREATE INDEX ON readings_3 (device_id)");
        for verify_indexes in [false, true] {
            expect(&audit(url, Ask { verify_indexes, ..Ask::default() }), &[]);
        }
    });
}

#[test]
fn key_that_each_partition_declares_is_only_a_note() {
    on_every_postgres(SQL, |url, _| {
        execute(
            url,
            "CREATE TABLE sites (id bigint PRIMARY KEY);
             ALTER TABLE readings ADD COLUMN site_id bigint;
             CREATE INDEX ON readings (device_id); CREATE INDEX ON readings (site_id);",
        );
        let undeclared = ["warning undeclared-foreign-key readings.site_id"];
        let partitions = ["readings_1", "readings_2_a", "readings_2_b", "readings_3"];
        for partition in partitions {
            expect(&audit(url, Ask { data: true, ..Ask::default() }), &undeclared);
            execute(
                url,
                &format!("ALTER TABLE {partition} ADD FOREIGN KEY (site_id) REFERENCES sites ON DELETE CASCADE"),
            );
        }
        // Rows are checked, but a partition that is added later will not have the key.
        let noted = ["info undeclared-foreign-key readings.site_id"];
        expect(&audit(url, Ask { data: true, ..Ask::default() }), &noted);
    });
}
