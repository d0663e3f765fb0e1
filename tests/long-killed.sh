#!/bin/sh
# Kills `referee fix --apply` at every step, and in the middle of it, on a SQLite file with a million rows in each of its four
# tables: what is left has to be one of the plan's states with no row lost, and the same command has to finish.
#     tests/long-killed.sh
# Takes four to five minutes and 1 GB of the temporary directory (TMPDIR); says at the end how many runs were killed at work.
set -eu
cd "$(dirname "$0")/.."
cargo test -p referee-cli --test it -- --ignored --nocapture --exact killed::a_run_on_a_million_rows_that_is_killed_is_taken_up
