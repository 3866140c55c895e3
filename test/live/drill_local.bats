#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# drill_local.bats - a recovery is rehearsed without any server: a throwaway one is made, used by nobody else, and gone.
load harness
load drill-tools

setup_file() {
    file_begin
    pg_start
    drill_shop
}
teardown_file() { file_end; }
setup() {
    test_begin
    drill_environment
    unset STAGING_DATABASE_URL
    export SFB_PG_BINDIR=$PG_BIN
}
teardown() {
    for db in $(sql postgres "SELECT datname FROM pg_database WHERE datname ~ '^shop_'"); do db_drop "$db"; done
    test_end
}
# No directory, and no server that worked in one.
no_trace() { empty_dir "$WORK" && [ -z "$(scratch_servers)" ]; }
scratch_servers() { pgrep -f -- "postgres -D $WORK/sfb-drill-" || :; }

@test "--local needs no server: it starts one, restores, proves, examines, and removes it" {
    take_backup
    run -0 --separate-stderr sfb drill --local --smoke-cmd "$PG_BIN/psql -XAtqc \"SELECT current_database(), current_setting('listen_addresses') = ''\" | grep -qx 'shop|t'"
    has "$output" 'Starting a throwaway PostgreSQL 15'
    has "$output" '✅ the server answers.*PostgreSQL 15\.'
    has "$output" '✅ every row is as it was backed up.*2 tables, 2,003 rows, rows and fingerprints equal'
    has "$output" '✅ every index is sound.*[0-9]+ B-tree indexes'
    has "$output" '✅ production has not drifted away'
    has "$output" '✅ the smoke command succeeds'
    [ -z "$stderr" ]
    no_trace
}

@test "an ordinary user can do it, too, wherever it is called" {
    is_root || skip "we are nobody else"
    take_backup
    chmod -R a+rX "$CACHE"
    mkdir -m 0700 "$T/closed" # only root may be here
    cd "$T/closed"
    run -0 --separate-stderr as_user env SFB_STATE_DIR="$T/state" "$SFB" drill --local "$BACKUP"
    has "$output" '✅ every row is as it was backed up'
    no_trace
}

@test "the variables of libpq lead it nowhere else" {
    take_backup
    export PGHOST=10.255.255.1 PGHOSTADDR=10.255.255.1 PGPORT=1 PGUSER=nobody PGPASSWORD=x PGSSLMODE=verify-full PGREQUIRESSL=1 \
        PGCHANNELBINDING=require PGGSSENCMODE=require PGTARGETSESSIONATTRS=standby PGOPTIONS='-c search_path=nowhere' PGDATABASE=other
    run -0 --separate-stderr sfb drill --local --no-production "$BACKUP"
    has "$output" '✅ every row is as it was backed up'
}

@test "programs that are found without being named do as well" {
    [ -x /usr/lib/postgresql/15/bin/postgres ] || skip "this host's PostgreSQL is nowhere that sfb looks"
    take_backup
    SFB_PG_BINDIR='' run -0 --separate-stderr sfb drill --local
    has "$output" 'Starting a throwaway PostgreSQL 1[5-9]'
}

@test "no server programs, or too old ones: exit 7, which says what to install, before anything is fetched" {
    take_backup
    SFB_PG_BINDIR=$T run -7 --separate-stderr sfb drill --local
    has "$stderr" "SFB_PG_BINDIR: there is no PostgreSQL server \\(postgres and initdb\\) in $T"
    has_not "$output" 'Chosen'
    mkdir "$T/old"
    printf '#!/bin/sh\necho "postgres (PostgreSQL) 9.6.24"\n' >"$T/old/postgres"
    cp "$T/old/postgres" "$T/old/initdb"
    chmod +x "$T/old"/*
    SFB_PG_BINDIR=$T/old run -7 --separate-stderr sfb drill --local
    has "$stderr" 'the backup is of PostgreSQL 15, and this host has only older servers: 9'
    has "$stderr" 'postgresql-15'
    no_trace
}

@test "an extension that the host does not have is named" {
    pg pg_dump -d shop >"$T/shop.sql"
    echo 'CREATE EXTENSION IF NOT EXISTS postgis_of_my_own WITH SCHEMA public;' >>"$T/shop.sql"
    run -4 --separate-stderr sfb drill --local "$T/shop.sql"
    has "$stderr" 'this server has no extension postgis_of_my_own, and the backup needs it'
    has "$stderr" 'apt install postgresql-15-NAME'
    no_trace
}

@test "a work directory that PostgreSQL's user can't enter, or whose path is too long for a socket, is told of" {
    take_backup
    long=$T/$(printf 'x%.0s' {1..60})
    mkdir -m 777 "$long"
    SFB_WORK_DIR=$long run -7 --separate-stderr sfb drill --local
    has "$stderr" 'too long to have a socket'
    is_root || skip "an ordinary user's server runs as that user"
    mkdir -m 700 "$T/closed"
    SFB_WORK_DIR=$T/closed run -7 --separate-stderr sfb drill --local
    has "$stderr" "can.t enter $T/closed/sfb-drill-"
    has "$stderr" 'user postgres must be able to enter the work directory'
    empty_dir "$T/closed"
}

@test "a lost row is found here as well: exit 5, the table's name, and no trace" {
    take_backup
    alter_manifest '$_->{rows}++ for grep { $_->{name} eq "orders" } @{$m->{tables}}'
    run -5 --separate-stderr sfb drill --local
    has "$stderr" 'table public\.orders: expected 2,001 rows, found 2,000'
    no_trace
}

@test "Ctrl-C stops the server and removes its directory" {
    take_backup
    sfb_start drill --local --smoke-cmd "touch $T/begun; sleep 9474"
    wait_for 60 test -e "$T/begun"
    [ -n "$(scratch_servers)" ]
    kill -INT "$PID"
    sfb_wait
    [ "$status" = 130 ]
    no_trace
    [ -z "$(pgrep -f 'sleep 9474')" ]
}

@test "killed, its server ends by itself, and the next drill removes what is left" {
    take_backup
    sfb_start drill --local --smoke-cmd "touch $T/begun; exec sleep 9475"
    wait_for 60 test -e "$T/begun"
    kill -9 "$PID"
    sfb_wait
    wait_for 30 no_servers
    [ -n "$(files_in "$WORK")" ]
    mkdir "$WORK/sfb-drill-others" "$WORK/sfb-drill-123456" # the name of none of ours, and one just made
    run -0 --separate-stderr sfb drill --local
    has "$stderr" "removed what a killed drill left: $WORK/sfb-drill-"
    [ "$(files_in "$WORK")" = "sfb-drill-123456 sfb-drill-others " ]
}
no_servers() { [ -z "$(scratch_servers)" ]; }
