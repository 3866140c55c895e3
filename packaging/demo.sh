#!/usr/bin/env bash
# demo.sh - sfb saves a database that is then destroyed: make demo
#
# Starts a PostgreSQL server of its own in a temporary directory, reachable by nobody else, and removes it at the end.
# No other PostgreSQL is touched, and nothing is written outside that directory.
set -euo pipefail
cd "$(dirname "$0")/.."
TOP=$PWD
unset "${!PG@}" "${!SFB_@}" DATABASE_URL PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
export LC_ALL=C.UTF-8

bold='' plain=''
[ ! -t 1 ] || bold=$'\033[1m' plain=$'\033[0m'
step=0
chapter() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold" "$step" "$1" "$plain"; }
say() { printf '   %s\n' "$@"; }
fail() { printf '\nThe demo stopped: %s\n' "$*" >&2; exit 1; }
show() {
    printf '\n   $ %s\n' "${*@Q}" | sed "s/'\([-a-z0-9_.:=/]*\)'/\1/gI" # quotes where a shell needs them
    "$@" 2>&1 | sed 's/^/   | /'
}

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || fail "there is no PostgreSQL server here to play with; \"make deps\" installs one"
[ -x ./sfb ] || fail "there is no ./sfb; \"make\" builds it"

# PostgreSQL refuses to run as root.
DIR=$(mktemp -d "${TMPDIR:-/tmp}/sfb-demo.XXXXXX")
server() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    chown postgres "$DIR"
    server() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
fi
clean_up() {
    server "$bin/pg_ctl" stop -s -m immediate -D "$DIR/data" >/dev/null 2>&1 || :
    rm -rf "$DIR"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

psql() { "$bin/psql" -X -h "$DIR" -U postgres "$@"; }
sql() { psql -Atq -v ON_ERROR_STOP=1 "$@"; }

# What is in the database, by PostgreSQL's own means and not by sfb's: of each table the rows and a checksum of all of
# them, of all large objects too, and the schema as the server's own pg_dump shows it.
fingerprint() {
    sql -d signupflow -F '  ' <<'END'
SELECT format('SELECT %L, count(*), md5(string_agg(md5(t::text), '''' ORDER BY md5(t::text))) FROM %I t',
              relname || CASE relkind WHEN 'm' THEN ' (view)' ELSE '' END, relname)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm') AND NOT relispartition ORDER BY relname
\gexec
SELECT 'large objects', count(*), md5(string_agg(oid || md5(lo_get(oid)), '' ORDER BY oid)) FROM pg_largeobject_metadata;
END
    printf 'schema  1  %s\n' "$("$bin/pg_dump" -h "$DIR" -U postgres --schema-only signupflow |
        sed '/^-- Dumped /d; /^\\\(un\)\{0,1\}restrict /d' | md5sum | cut -d' ' -f1)"
}
table() { awk -F'  ' '{ printf "   %-16s %8d rows   %s\n", $1, $2, $3 }' "$1" | sed 's/\(schema .*\)1 rows/\1      /'; }

chapter "A PostgreSQL server to play with"
server "$bin/initdb" -D "$DIR/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$DIR/initdb.log" 2>&1 ||
    fail "initdb says: $(tail -n 3 "$DIR/initdb.log")"
server "$bin/pg_ctl" start -s -w -D "$DIR/data" -l "$DIR/data/log" \
    -o "-k '$DIR' -c listen_addresses= -c fsync=off -c max_wal_size=1GB" >/dev/null 2>&1 </dev/null ||
    fail "the server says: $(tail -n 3 "$DIR/data/log")"
say "PostgreSQL $(sql -d postgres -c 'SHOW server_version') runs in $DIR," \
    "on a socket that only this demo knows. Any PostgreSQL you have is left alone."

chapter "A database worth keeping"
sql -d postgres -c "CREATE ROLE signupflow_app" -c "CREATE DATABASE signupflow OWNER signupflow_app"
sql -d signupflow -f packaging/demo.sql >/dev/null
fingerprint >"$DIR/before"
say "signupflow holds the people, events and sign-ups of 300 clubs, $(sql -d signupflow -c "SELECT pg_size_pretty(pg_database_size('signupflow'))") of them." \
    "Each table's checksum is taken with PostgreSQL's own md5(), to compare at the end:" ""
table "$DIR/before"

chapter "The backup"
say "sfb needs to know where the database is and where its files may go:" ""
export PRODUCTION_DATABASE_URL="postgresql://postgres@/signupflow?host=$DIR"
export SFB_WORK_DIR=$DIR/backups SFB_CACHE_DIR=$DIR/cache SFB_LOG_DIR=$DIR/log SFB_STATE_DIR=$DIR/state
say "PRODUCTION_DATABASE_URL=$PRODUCTION_DATABASE_URL" "SFB_WORK_DIR=$SFB_WORK_DIR (and three more)"
PATH=$TOP:$PATH
show sfb backup --local-only || fail "the backup failed"
dump=$(find "$DIR/backups" -name '*.dump')
[ -f "$dump" ] || fail "there is no dump"
say "" "PostgreSQL's own pg_restore can read that file, too: it lists $("$bin/pg_restore" --list "$dump" | grep -vc '^;') objects in it."

chapter "The disaster"
show psql -d postgres -c 'DROP DATABASE signupflow'
say "All of it is gone:"
show psql -d signupflow -c 'SELECT count(*) FROM signups' || :

chapter "The rescue"
show sfb restore --force --environment production "$dump" || fail "the restore failed"

chapter "The proof"
fingerprint >"$DIR/after"
table "$DIR/after"
cmp -s "$DIR/before" "$DIR/after" || { diff "$DIR/before" "$DIR/after" || :; fail "the database is not what it was"; }
rows=$(awk -F'  ' '$1 !~ / / && $1 != "schema" { n += $2 } END { print n }' "$DIR/after")
while [[ $rows =~ ^([0-9]+)([0-9]{3}.*)$ ]]; do rows=${BASH_REMATCH[1]},${BASH_REMATCH[2]}; done
say "" "✅ $rows rows, the large objects and the schema are what they were: every checksum is the same."

printf '\n%s\n' "That took $SECONDS seconds. The server and all its files are removed now. What next: ./sfb backup --help"
