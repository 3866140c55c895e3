#!/usr/bin/env bash
# regression.sh - a cluster that PostgreSQL's own regression suite has filled, for test/live/regression.bats
#
#   test/regression.sh MAJOR...         make what is missing; print "MAJOR DIR" for each
#   test/regression.sh --print MAJOR    print the directory if it is there; make nothing
#
# DIR/data is the cluster of a server that was shut down, DIR/password its superuser's (postgres), DIR/failed the tests
# that went otherwise than PostgreSQL expects: some depend on timing. The database is called regression. Functions name
# their libraries as $libdir/... in the end, so that the cluster runs wherever the server of test/servers.sh is copied to. Made
# once for each version, in one to three minutes, and kept beside the servers.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sfb/servers
FAILURES=5 # more than these, and it is not the database that PostgreSQL's developers test with

is_root() { [ "$(id -u)" = 0 ]; }
as_postgres() { if is_root; then setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work" "$@"; else "$@"; fi; }

directory_of() { # PREFIX: changes when the server does, or how it is filled
    echo "$CACHE/regression-${1##*/postgresql-}-$(declare -f fill suite further | sha256sum | cut -c1-8)"
}

# What the suite leaves out: tables larger than what is compressed at a time, rows larger than that, more large objects
# than one entry of the table of contents holds, of several owners, one of them larger than a megabyte.
further() {
    cat <<'SQL'
CREATE SCHEMA sfb;
CREATE TABLE sfb.long AS SELECT i, md5(i::text) || repeat(md5((i + 1)::text), i % 7) AS t FROM generate_series(1, 60000) i;
CREATE TABLE sfb.wide (n int PRIMARY KEY, b bytea, t text);
ALTER TABLE sfb.wide ALTER b SET STORAGE EXTERNAL;
INSERT INTO sfb.wide SELECT n, convert_to(repeat(md5(n::text) || E'\\\n', n * 33333), 'UTF8'), repeat(E'\t\\.\n', n * 99999)
    FROM generate_series(0, 5) n;
CREATE TABLE sfb."of the time" AS
    SELECT t, t::timestamp AS plain, t::timetz AS of_day, t - timestamptz 'epoch' AS since
    FROM generate_series(timestamptz '1969-12-25 00:00+00', '2038-02-01', '97:31:17.123456') t;
CREATE ROLE regress_sfb_objects;
SELECT count(lo_from_bytea(0, decode(md5(i::text), 'hex'))) FROM generate_series(1, 2500) i;
SELECT lo_from_bytea(470000, convert_to(repeat(md5('large'), 100000), 'UTF8'));
SELECT lo_create(470001);
COMMENT ON LARGE OBJECT 470000 IS 'larger than a segment';
ALTER LARGE OBJECT 470001 OWNER TO regress_sfb_objects;
GRANT SELECT ON LARGE OBJECT 470000 TO regress_sfb_objects;
SQL
}

suite() {
    mkdir "$work/out"
    ! is_root || chown postgres "$work/out"
    as_postgres env -C "$work/out" PGHOST="$work" "$work/pg/bin/pg_regress" --bindir="$work/pg/bin" --dlpath="$work/pg/lib" \
        --inputdir="$work/pg/regress" --outputdir="$work/out" --schedule="$work/pg/regress/parallel_schedule" \
        --host="$work" --port=5432 --user=postgres --no-locale --encoding=UTF8 --max-connections=4 --dbname=regression
}

fill() {
    local ctl=("$work/pg/bin/pg_ctl" -s -w -t 120 -D "$work/new/data")
    as_postgres "$work/pg/bin/initdb" -D "$work/new/data" -U postgres -A trust --no-locale -E UTF8 --wal-segsize=1 --no-sync
    as_postgres tee -a "$work/new/data/postgresql.conf" <<'CONF'
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_connections = 40
max_locks_per_transaction = 512
max_wal_size = 512MB
dynamic_shared_memory_type = mmap
logging_collector = off
log_min_messages = warning
unix_socket_permissions = 0777
CONF
    as_postgres "${ctl[@]}" start -l "$work/server.log" -o "-k '$work' -c listen_addresses="
    suite || [ $? = 1 ] # 1: some went otherwise
    further | as_postgres "$work/pg/bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$work" -U postgres -d regression
    echo "UPDATE pg_proc SET probin = replace(probin, '$work/pg/lib', '\$libdir') WHERE probin LIKE '$work/%';
          ALTER ROLE postgres PASSWORD '$(<"$work/new/password")'" |
        as_postgres "$work/pg/bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$work" -U postgres -d regression
    as_postgres "${ctl[@]}" stop -m fast
    printf '%s\n' 'local all all scram-sha-256' 'host all all 127.0.0.1/32 scram-sha-256' |
        as_postgres tee "$work/new/data/pg_hba.conf"
    echo 'autovacuum = off' | as_postgres tee -a "$work/new/data/postgresql.conf"
}

# Whatever happens, no server stays: its pid is in the data directory.
tidy() {
    local pid
    pid=$(head -n 1 "$work/new/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && timeout 60 tail --pid="$pid" -s 0.2 -f /dev/null
    rm -rf "$work"
}

make_one() {
    local major=$1 prefix=$2 directory=$3 start=$SECONDS failed
    work=$(mktemp -d)
    trap tidy EXIT
    chmod 755 "$work"
    mkdir -m 755 "$work/new"
    cp -a "$prefix" "$work/pg" # where user postgres may read it
    ! is_root || chown postgres "$work" "$work/new"
    (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$work/new/password")
    echo "regression: PostgreSQL $major runs its tests" >&2
    set +e # in a condition the subshell's own -e would not count
    (set -e; renice -n 10 $BASHPID; fill) >"$work/log" 2>&1 </dev/null
    failed=$?
    set -e
    if [ $failed != 0 ]; then
        tail -n 25 "$work/log" >&2
        echo "regression: PostgreSQL $major has no regression database" >&2
        return 1
    fi
    awk '/^not ok / { print $5 } / \.\.\. FAILED/ { print $1 == "test" ? $2 : $1 }' "$work/log" >"$work/new/failed"
    if [ "$(wc -l <"$work/new/failed")" -gt $FAILURES ]; then
        echo "regression: PostgreSQL $major: too many tests failed: $(tr '\n' ' ' <"$work/new/failed")" >&2
        return 1
    fi
    mkdir -p "$CACHE"
    rm -rf "$directory.new"
    cp -a "$work/new" "$directory.new"
    mv -T "$directory.new" "$directory"
    tidy
    trap - EXIT
    echo "regression: PostgreSQL $major done in $((SECONDS - start)) s; failed: $(tr '\n' ' ' <"$directory/failed")" >&2
}

if [ "${1-}" = --print ]; then
    prefix=$("$TOP/test/servers.sh" --print "$2")
    directory=$(directory_of "$prefix")
    [ -d "$directory" ] && echo "$directory"
    exit
fi
[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; }
for major; do
    prefix=$("$TOP/test/servers.sh" "$major" | cut -d' ' -f2)
    directory=$(directory_of "$prefix")
    if [ ! -d "$directory" ]; then
        mkdir -p "$CACHE"
        exec 8>"$CACHE/lock-regression"
        flock 8
        [ -d "$directory" ] || make_one "$major" "$prefix" "$directory" 8>&-
        exec 8>&-
    fi
    echo "$major $directory"
done
