#!/bin/sh
# Runs the files of `referee fix --out` with real tools from npm on SQLite: dbmate, and drizzle-orm's migrator, after which
# drizzle-kit must find nothing to do. Needs node, npm and sqlite3.
#
#   cargo build && tests/migration-tools.sh target/debug/referee
set -eu
referee=$(realpath "${1:-target/debug/referee}")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund dbmate@2 drizzle-kit@0.31 drizzle-orm@0.45 better-sqlite3 >/dev/null 2>&1

rows="INSERT INTO users VALUES (1), (2); INSERT INTO orders VALUES (1, 1), (7, 2);"
fail() { echo "$1" >&2; exit 1; }
mended() { "$referee" fix "$1" --foreign-keys on | grep -q "nothing to do" || fail "$2: the plan is not empty"; }

# dbmate
mkdir dbmate
cat >dbmate/20240101000000_init.sql <<'SQL'
-- migrate:up
CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE SET NULL);
-- migrate:down
SQL
dbmate() { npx --no-install dbmate --url sqlite:dbmate.db -d dbmate --no-dump-schema "$@" >/dev/null 2>&1; }
dbmate up
sqlite3 dbmate.db "$rows"
"$referee" fix dbmate.db --foreign-keys on --layout dbmate --out dbmate >/dev/null 2>&1
dbmate up || fail "dbmate: up"
mended dbmate.db dbmate
for _ in dbmate/*_mend*; do dbmate down || fail "dbmate: down"; done
sqlite3 dbmate.db .schema | grep -q "ON DELETE SET NULL" || fail "dbmate: down has not led back"
dbmate up
mended dbmate.db "dbmate, again"
echo "dbmate: ok"

# Drizzle
cat >drizzle.config.json <<'JSON'
{ "dialect": "sqlite", "schema": "./schema.ts", "out": "./drizzle" }
JSON
schema() {
    cat >schema.ts <<TS
import { index, integer, sqliteTable } from "drizzle-orm/sqlite-core";
export const users = sqliteTable("users", { id: integer().primaryKey() });
export const orders = sqliteTable("orders", { id: integer().primaryKey(),
  userId: integer("user_id").notNull().references(() => users.id$1) }$2);
TS
}
cat >migrate.mjs <<'JS'
import Database from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
migrate(drizzle(new Database("drizzle.db")), { migrationsFolder: "./drizzle" });
JS
generate() { npx --no-install drizzle-kit generate --config drizzle.config.json --name next 2>/dev/null; }
schema ', { onDelete: "set null" }' ""
generate >/dev/null
node migrate.mjs
sqlite3 drizzle.db "$rows"
"$referee" fix drizzle.db --foreign-keys on --out drizzle >/dev/null 2>&1
if [ -e drizzle/mend_references.by_hand.sqlite ]; then
    sqlite3 -bail drizzle.db <drizzle/mend_references.by_hand.sqlite
fi
node migrate.mjs || fail "drizzle: the migrator"
mended drizzle.db drizzle
schema "" ', (t) => [index("orders_user_id_idx").on(t.userId)]'
generate | grep -q "No schema changes" || fail "drizzle: generate finds something to do"
echo "drizzle: ok"
