#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# connect.bats - no connection to the database: what it is due to, and what to do, in words that differ.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE item (id int)"
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() {
    release_port
    test_end
}

# refused URL WORDS REMEDY [STATUS]
refused() {
    PRODUCTION_DATABASE_URL=$1 run -"${4:-1}" --separate-stderr sfb backup --local-only
    has "$stderr" "$2"
    has "$(sed -n 2,3p <<<"$stderr")" "$3"
    has_not "$output$stderr" "$PG_PASSWORD"
    empty_dir "$SFB_WORK_DIR"
}

# A port that somebody listens on who is no PostgreSQL: take_port mute|http|deaf. deaf: the queue is full, so that nobody is
# even accepted, as behind a firewall. Sets TAKEN.
take_port() {
    perl "$TOP/test/live/not-postgresql.pl" "$1" >"$T/taken" 2>"$T/taken.log" 3>&- &
    echo $! >"$T/taken.pid"
    wait_for 10 test -s "$T/taken"
    TAKEN=$(<"$T/taken")
}
release_port() { [ ! -f "$T/taken.pid" ] || kill "$(<"$T/taken.pid")"; }

@test "a wrong password is told apart from none" {
    refused "$(db_url shop postgres wrong)" 'password authentication failed' 'check user postgres and its password'
    refused "postgresql://postgres@$PG_HOST:$PG_PORT/shop" 'no password supplied' 'PGPASSWORD'
}

@test "a database that does not exist is named" {
    refused "$(db_url nosuch)" 'database "nosuch" does not exist' 'psql -l'
}

@test "a port where nobody listens is told apart from a name that nobody knows" {
    refused "postgresql://postgres:$PG_PASSWORD@$PG_HOST:1/shop" 'Connection refused' 'nothing listens on port 1'
    refused "postgresql://postgres:$PG_PASSWORD@nowhere.invalid:$PG_PORT/shop" 'could not translate host name' 'spelled right'
    refused "postgresql://postgres@/shop?host=$T&port=$PG_PORT" 'No such file' "directory $T"
}

@test "a host that does not answer is given up in time" {
    take_port deaf
    SECONDS=0
    refused "postgresql://postgres:x@127.0.0.1:$TAKEN/shop?connect_timeout=1" 'no answer within 1 s' 'firewall'
    [ $SECONDS -lt 10 ]
}

@test "a server that accepts and says nothing is given up in time" {
    take_port mute
    SECONDS=0
    refused "postgresql://postgres:x@127.0.0.1:$TAKEN/shop?connect_timeout=1" 'no answer within 1 s' 'connect_timeout'
    [ $SECONDS -lt 10 ]
}

@test "the second host of a URL serves when the first does not answer" {
    take_port deaf
    PRODUCTION_DATABASE_URL="postgresql://postgres:$PG_PASSWORD@127.0.0.1:$TAKEN,$PG_HOST:$PG_PORT/shop?connect_timeout=1" \
        run -0 sfb backup --local-only
}

@test "something that is no PostgreSQL is recognized" {
    take_port http
    refused "postgresql://postgres:x@127.0.0.1:$TAKEN/shop" 'invalid response|expected authentication' 'is it PostgreSQL'
}

@test "roles that may not are told why" {
    sql postgres "CREATE ROLE nologin PASSWORD 'x'; CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0"
    sql postgres "REVOKE CONNECT ON DATABASE shop FROM PUBLIC; CREATE ROLE stranger LOGIN PASSWORD 'x'"
    refused "$(db_url shop nologin x)" 'not permitted to log in' 'ALTER ROLE "nologin" LOGIN'
    refused "$(db_url shop stranger x)" 'permission denied for database' 'GRANT CONNECT ON DATABASE "shop" TO "stranger"'
    refused "$(db_url postgres crowded x)" 'too many connections' 'CONNECTION LIMIT'
    sql postgres "GRANT CONNECT ON DATABASE shop TO PUBLIC"
}

@test "a database that accepts no connections is told with the way out" {
    db_new closed
    sql postgres "ALTER DATABASE closed ALLOW_CONNECTIONS false"
    refused "$(db_url closed)" 'not currently accepting connections' 'ALTER DATABASE "closed" ALLOW_CONNECTIONS true'
}

@test "a mistake in the URL is a configuration error that shows no password" {
    refused "postgresql://postgres:secret@$PG_PASSWORD@db/shop" 'more than one @' '%40' 6
    refused "postgresql://postgres:1/$PG_PASSWORD@db/shop" '/ before its @' '%2F' 6
    refused "postgresql://postgres:$PG_PASSWORD%@db/shop" 'percent-encoded' '%25' 6
    refused "postgresql://postgres:x@db:$PG_PASSWORD/shop" 'port' '%3A' 6
    refused "mysql://root:$PG_PASSWORD@db/shop" 'mysql://' 'postgresql://USER' 6
    refused "$(db_url shop)?schema=public" '"schema"' 'remove' 6
    refused "$(db_url shop)?sslmode=sometimes" 'invalid sslmode' 'PGSSLMODE' 6
}

@test "SQLAlchemy's URLs are understood" {
    url=$(db_url shop)
    PRODUCTION_DATABASE_URL=postgresql+psycopg2${url#postgresql} run -0 sfb backup --local-only
}

@test "libpq's variables, password file and service file fill what the URL leaves out" {
    printf '%s:%s:shop:postgres:%s\n' "$PG_HOST" "$PG_PORT" "$PG_PASSWORD" >"$T/pgpass"
    chmod 600 "$T/pgpass"
    PGPASSFILE=$T/pgpass PRODUCTION_DATABASE_URL="postgresql://postgres@$PG_HOST:$PG_PORT/shop" run -0 sfb backup --local-only
    printf '[shop]\nhost=%s\nport=%s\nuser=postgres\ndbname=shop\n' "$PG_HOST" "$PG_PORT" >"$T/services"
    PGSERVICEFILE=$T/services PGPASSWORD=$PG_PASSWORD PRODUCTION_DATABASE_URL="postgresql://?service=shop" \
        run -0 --separate-stderr sfb backup --local-only --label service
    the_file "$SFB_WORK_DIR" '*service*.dump'
}

@test "a role's own settings neither end the dump nor change it" {
    sql shop "CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;
              CREATE FUNCTION trap.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 1/0'"
    sql postgres "CREATE ROLE hasty LOGIN SUPERUSER PASSWORD 'x'"
    for setting in "statement_timeout = '250ms'" "lock_timeout = '250ms'" "idle_in_transaction_session_timeout = '250ms'" \
        "search_path = 'trap, pg_catalog'" "client_encoding = 'LATIN1'" "DateStyle = 'German'" "TimeZone = 'Asia/Kolkata'"; do
        sql postgres "ALTER ROLE hasty SET $setting"
    done
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop hasty x)
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    wait_for 20 answers postgres "SELECT bool_and(now() - state_change > '1 s') FROM pg_stat_activity WHERE usename = 'hasty'"
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    [ -z "$stderr" ]
    has "$(pg pg_restore -f - "$(the_file "$WORK" '*.dump')")" "^SET client_encoding = 'UTF8';"
}
