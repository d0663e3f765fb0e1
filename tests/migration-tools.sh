#!/bin/sh
# Runs the files of `referee fix --out` by the real tools, up, down and up again, on databases with rows:
#   from npm              dbmate, Prisma 6 (SQLite), Drizzle 0.45 and 1.0 (drizzle-orm's migrator, after which drizzle-kit
#                         must find nothing to do)
#   from Rust's package registry: sqlx, diesel (needs libpq), refinery, as libraries, by the programs in tests/migrators
#   if they are in PATH   goose, migrate (golang-migrate)
# On SQLite; with the URL of a PostgreSQL server on which databases may be made, all but Prisma there, too.
# Needs node, npm, cargo and sqlite3, and psql for a server.
#
#   cargo build && tests/migration-tools.sh target/debug/referee [postgres://postgres@127.0.0.1:5432]
set -eu
referee=$(realpath "${1:-target/debug/referee}")
server=${2:-}
here=$(realpath "$(dirname "$0")")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

fail() { echo "$1" >&2; [ ! -e log ] || tail -20 log >&2; exit 1; }
mended() { "$referee" fix "$1" --foreign-keys on | grep -q "nothing to do" || fail "$2: the plan is not empty"; }

npm init -y >/dev/null 2>&1
npm install --silent --no-audit --no-fund dbmate@2 drizzle-kit@0.31 drizzle-orm@0.45 better-sqlite3@11 pg@8 >/dev/null 2>&1

tables='CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE SET NULL);
CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE);'
drops='DROP TABLE items; DROP TABLE orders; DROP TABLE users;'
rows='INSERT INTO users VALUES (1), (2); INSERT INTO orders VALUES (1, 1), (7, 2); INSERT INTO items VALUES (3, 7);'

# Both ways, by a tool that has them: round_trip TOOL ENGINE, after `prepare` has made the folder, `up` and `back`.
round_trip() {
    tool=$1 engine=$2 name=$1-$2
    mkdir "$name"
    if [ "$engine" = sqlite ]; then
        source=$place/$name.db
        sql() { sqlite3 "$source" "$1"; }
    else
        source=$server/$name
        psql -q "$server/postgres" -c "DROP DATABASE IF EXISTS \"$name\"" -c "CREATE DATABASE \"$name\"" 2>/dev/null
        sql() { psql -qAt "$source" -c "$1"; }
    fi
    prepare "$tool"
    up || fail "$name: the first migration"
    sql "$rows"
    "$referee" fix "$source" --foreign-keys on --layout "$tool" --out "$name" >/dev/null 2>log || fail "$name: fix"
    hand=$name/fix_references.by_hand.sqlite
    if [ -e "$hand" ]; then
        if up; then fail "$name: goes on though the script to run by hand was not run"; fi
        grep -q run_the_script_by_hand_first log || fail "$name: fails otherwise than it should"
        forgive
        sqlite3 -bail "$source" <"$hand" || fail "$name: by hand"
    fi
    up || fail "$name: up"
    mended "$source" "$name"
    count=$(find "$name" -path '*fix_references*' -name '*.sql' ! -name '*down.sql' | wc -l)
    [ "$tool" = refinery ] || again
    [ "$(sql 'SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM items)')" = 3 ] || fail "$name: rows are lost"
    echo "$name: ok, $count migrations"
}

# Back, and up once more.
again() {
    [ ! -e "$hand" ] || sqlite3 -bail "$source" <"$name/fix_references.by_hand.down.sqlite" || fail "$name: back by hand"
    for _ in $(seq "$count"); do back || fail "$name: down"; done
    ! "$referee" fix "$source" --foreign-keys on | grep -q "nothing to do" || fail "$name: down has not led back"
    [ ! -e "$hand" ] || sqlite3 -bail "$source" <"$hand" || fail "$name: by hand, again"
    up || fail "$name: up again"
    mended "$source" "$name, again"
}

# Builds the program that runs migrations by a library.
build() {
    cargo build --quiet --locked --manifest-path "$here/migrators/$1/Cargo.toml" --target-dir "$here/../target/migrators/$1" 2>log
}

prepare() {
    forgive() { :; }
    migrator=$here/../target/migrators/$1/debug/migrator
    case $1 in
    dbmate)
        printf -- '-- migrate:up\n%s\n-- migrate:down\n%s\n' "$tables" "$drops" >"$name/20240101000000_init.sql"
        if [ "$engine" = sqlite ]; then url=sqlite:$source; else url=$source?sslmode=disable; fi
        run() { npx --no-install dbmate --url "$url" -d "$name" --no-dump-schema "$1" >log 2>&1; }
        up() { run up; }
        back() { run down; }
        ;;
    goose)
        printf -- '-- +goose Up\n%s\n-- +goose Down\n%s\n' "$tables" "$drops" >"$name/00001_init.sql"
        if [ "$engine" = sqlite ]; then url=$source; else url=$source?sslmode=disable; fi
        if [ "$engine" = sqlite ]; then driver=sqlite3; else driver=postgres; fi
        run() { goose -dir "$name" "$driver" "$url" "$1" >log 2>&1; }
        up() { run up; }
        back() { run down; }
        ;;
    golang-migrate)
        echo "$tables" >"$name/000001_init.up.sql"
        echo "$drops" >"$name/000001_init.down.sql"
        if [ "$engine" = sqlite ]; then url=sqlite3://$source; else url=$source?sslmode=disable; fi
        up() { migrate -path "$name" -database "$url" up >log 2>&1; }
        back() { migrate -path "$name" -database "$url" down 1 >log 2>&1; }
        forgive() { migrate -path "$name" -database "$url" force $(($(sql 'SELECT version FROM schema_migrations') - 1)); }
        ;;
    sqlx)
        echo "$tables" >"$name/20240101000000_init.up.sql"
        echo "$drops" >"$name/20240101000000_init.down.sql"
        if [ "$engine" = sqlite ]; then url=sqlite:$source?mode=rwc; else url=$source; fi
        up() { "$migrator" "$url" "$name" up >log 2>&1; }
        # All that came after the first one; the second time there is nothing to do.
        back() { "$migrator" "$url" "$name" back >log 2>&1; }
        ;;
    diesel)
        mkdir "$name/2024-01-01-000000_init"
        echo "$tables" >"$name/2024-01-01-000000_init/up.sql"
        echo "$drops" >"$name/2024-01-01-000000_init/down.sql"
        up() { "$migrator" "$source" "$name" up >log 2>&1; }
        back() { "$migrator" "$source" "$name" back >log 2>&1; }
        ;;
    refinery)
        echo "$tables" >"$name/V1__init.sql"
        up() { "$migrator" "$source" "$name" >log 2>&1; }
        ;;
    esac
}

for tool in sqlx diesel refinery; do
    if ! command -v cargo >/dev/null; then echo "$tool: no cargo"; continue; fi
    if ! build "$tool"; then echo "$tool: not built: $(tail -1 log)"; continue; fi
    for engine in sqlite ${server:+postgres}; do round_trip "$tool" "$engine"; done
done
for engine in sqlite ${server:+postgres}; do
    round_trip dbmate "$engine"
    if command -v goose >/dev/null; then round_trip goose "$engine"; else echo "goose: not in PATH"; fi
    if command -v migrate >/dev/null; then round_trip golang-migrate "$engine"; else echo "migrate: not in PATH"; fi
done

# Drizzle: the schema in TypeScript without and with what is mended.
schema() {
    if [ "$engine" = sqlite ]; then kind=sqlite table=sqliteTable; else kind=pg table=pgTable; fi
    cat >schema.ts <<TS
import { index, integer, $table } from "drizzle-orm/$kind-core";
export const users = $table("users", { id: integer().primaryKey() });
export const orders = $table("orders", { id: integer().primaryKey(),
  userId: integer("user_id").notNull().references(() => users.id$1) }$2);
TS
}
drizzle() {
    engine=$2 name="$1, $2"
    rm -rf drizzle drizzle.db
    if [ "$engine" = sqlite ]; then
        dialect=sqlite driver=better-sqlite3 open='import D from "better-sqlite3"; const client = new D("drizzle.db");' end=''
        source=drizzle.db
        sql() { sqlite3 "$source" "$1"; }
    else
        dialect=postgresql driver=node-postgres source=$server/referee_drizzle end='await client.end();'
        open="import pg from 'pg'; const client = new pg.Pool({ connectionString: '$source' });"
        psql -q "$server/postgres" -c 'DROP DATABASE IF EXISTS referee_drizzle' -c 'CREATE DATABASE referee_drizzle' 2>/dev/null
        sql() { psql -qAt "$source" -c "$1"; }
    fi
    echo "export default { dialect: '$dialect', schema: './schema.ts', out: './drizzle' };" >drizzle.config.ts
    cat >migrate.mjs <<JS
import { drizzle } from "drizzle-orm/$driver";
import { migrate } from "drizzle-orm/$driver/migrator";
$open
await migrate(drizzle({ client }), { migrationsFolder: "./drizzle" });
$end
JS
    kit() { npx --no-install drizzle-kit "$@" --config drizzle.config.ts 2>log; }
    schema ', { onDelete: "set null" }' ""
    kit generate --name init >/dev/null || fail "$name: init"
    node migrate.mjs 2>log || fail "$name: the migrator, init"
    sql 'INSERT INTO users VALUES (1), (2); INSERT INTO orders VALUES (1, 1), (7, 2);'
    "$referee" fix "$source" --foreign-keys on --out drizzle >/dev/null 2>log || fail "$name: fix"
    node migrate.mjs 2>log || fail "$name: the migrator"
    mended "$source" "$name"
    schema "" ', (t) => [index("orders_user_id_idx").on(t.userId)]'
    kit generate --name next | grep -q "No schema changes" || fail "$name: generate finds something to do"
    kit check >/dev/null || fail "$name: check"
    [ "$(sql 'SELECT count(*) FROM orders')" = 2 ] || fail "$name: rows are lost"
    echo "$name: ok"
}
for engine in sqlite ${server:+postgres}; do drizzle "Drizzle 0.45" "$engine"; done
npm install --silent --no-audit --no-fund drizzle-kit@1.0.0-rc.5-ab785fc drizzle-orm@1.0.0-rc.5-ab785fc >/dev/null 2>&1
for engine in sqlite ${server:+postgres}; do drizzle "Drizzle 1.0 (rc.5)" "$engine"; done

# Prisma: its schema engine in WebAssembly, by a driver adapter. (That for PostgreSQL sends what is between semicolons,
# whatever they stand in, and cannot run a DO block.)
npm install --silent --no-audit --no-fund --ignore-scripts prisma@6.19 @prisma/adapter-better-sqlite3@6.19 >/dev/null 2>&1
# The engines that are downloaded are asked for, and not used.
export PRISMA_QUERY_ENGINE_LIBRARY=/bin/true PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1 URL="file:$place/prisma.db"
mkdir -p prisma/migrations/20240101000000_init
echo "$tables" >prisma/migrations/20240101000000_init/migration.sql
echo 'provider = "sqlite"' >prisma/migrations/migration_lock.toml
printf 'datasource db {\n  provider = "sqlite"\n  url = "%s"\n}\nmodel users {\n  id Int @id\n}\n' "$URL" >prisma/schema.prisma
cat >prisma.config.ts <<'TS'
import { defineConfig } from "prisma/config";
import { PrismaBetterSQLite3 } from "@prisma/adapter-better-sqlite3";
export default defineConfig({ schema: "prisma/schema.prisma", migrations: { path: "prisma/migrations" }, engine: "js",
  experimental: { adapter: true }, adapter: async () => new PrismaBetterSQLite3({ url: process.env.URL! }) });
TS
prisma() { npx --no-install prisma "$@" >log 2>&1; }
prisma migrate deploy || fail "Prisma: init"
sqlite3 prisma.db "$rows"
"$referee" fix prisma.db --foreign-keys on --out prisma/migrations >/dev/null 2>log || fail "Prisma: fix"
prisma migrate deploy || fail "Prisma: deploy"
mended prisma.db Prisma
[ "$(sqlite3 prisma.db 'SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM items)')" = 3 ] || fail "Prisma: rows are lost"
prisma migrate status || fail "Prisma: status"
grep -q "up to date" log || fail "Prisma: status"
echo "Prisma: ok"
