#!/usr/bin/env bash
# seeds.sh - makes the archives that fuzzing starts from: small ones, by the real pg_dump of every major that ./sfb
# holds, with every compression. The result is in the repository (seeds/); run this when a new major comes.
#
#   test/fuzz/seeds.sh [DIR]     needs ./sfb, and PostgreSQL's server programs for a throwaway server
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:-test/fuzz/seeds}
bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 | sort -V | tail -n 1)
work=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then # the server refuses to be root's
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$work"
fi
stop() {
    if [ -s "$work/data/postmaster.pid" ]; then kill -INT "$(head -n 1 "$work/data/postmaster.pid")"; fi
    while [ -e "$work/data/postmaster.pid" ]; do sleep 0.1; done
    rm -rf "$work"
}
trap stop EXIT

"${as[@]}" "$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null \
    -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off"
export PGHOST=$work PGUSER=postgres PGDATABASE=postgres
./sfb psql -qX -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE TABLE t (id serial PRIMARY KEY, name text, at timestamptz DEFAULT '2025-10-23');
INSERT INTO t (name) SELECT 'name ' || i || E'\t\\' FROM generate_series(1, 40) i;
CREATE TABLE "od""d; FROM stdin" ("a (b" text, "ü" int);
INSERT INTO "od""d; FROM stdin" VALUES (E'x\ny', 1), (NULL, 2), ('', NULL);
CREATE TABLE none ();
INSERT INTO none SELECT;
CREATE VIEW v AS SELECT name FROM t;
COMMENT ON TABLE t IS E'two\nlines';
SELECT lo_from_bytea(90000 + i, convert_to('object ' || i, 'UTF8')) FROM generate_series(1, 3) i;
SQL
mkdir -p "$out"
for major in 15 17 18; do
    methods=(0 6)
    if [ "$major" -ge 16 ]; then methods+=(zstd:1 lz4); fi
    for method in "${methods[@]}"; do
        ./sfb pg_dump --pg "$major" -Fc "-Z$method" >"$out/$major-${method/:/-}.dump"
    done
done
./sfb pg_dump --pg 18 -Fc -Z0 --inserts -t t >"$out/18-inserts.dump"
ls -l "$out"
