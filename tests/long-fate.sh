#!/bin/sh
# Runs the truth test of `referee fate` at length: 50,000 random schemas on SQLite, 5,000 each on PostgreSQL and MariaDB.
#     tests/long-fate.sh [SEED]
# Says every 250 schemas how far it is, and at the end how often each verdict came up; a wrong one is shrunk and printed with
# its seed, and ends the run.
# REFEREE_TEST_PG names the bin directories of further PostgreSQL versions, each of which gets its 5,000.
set -eu
cd "$(dirname "$0")/.."
export FATE_SEED="${1:-1}"
for engine in sqlite postgres mariadb; do
    cargo test --release --test fate -- --ignored --nocapture --exact "${engine}_at_length"
done
