#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# tools.bats - PostgreSQL's own programs inside sfb, called by hand: they are what they are elsewhere.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 500) n"
}
teardown_file() { file_end; }
setup() {
    test_begin
    URL=$(db_url shop)
}
teardown() { test_end; }

# The majors inside, as `sfb version` has them: "15 15.18" lines.
majors() { sfb version --verbose | sed -nE 's/^ *postgresql-([0-9]+) +([0-9.]+).*/\1 \2/p'; }

@test "every program of every major inside says the version that sfb says" {
    [ "$(majors | wc -l)" -ge 1 ]
    while read -r major version; do
        for program in pg_dump pg_restore psql; do
            run -0 sfb "$program" --pg "$major" --version
            [ "$output" = "$program (PostgreSQL) $version" ]
        done
    done < <(majors)
}

@test "without --pg the newest major runs" {
    newest=$(majors | sort -n | tail -n 1 | cut -d' ' -f2)
    run -0 sfb pg_dump --version
    [ "$output" = "pg_dump (PostgreSQL) $newest" ]
}

@test "pg_restore is the smallest that reads the archive, so that the server which made it can be fed" {
    run -0 sfb pg_dump --pg 15 -Fc -f "$T/15.dump" "$URL"
    run -0 sfb pg_restore -f - "$T/15.dump"
    has_not "$output" 'transaction_timeout' # 17 and newer set it, older servers don't know it
    db_new fed
    sfb pg_restore -f - "$T/15.dump" | sql fed
    [ "$(sql fed "SELECT count(*) FROM item")" = 500 ]
    db_drop fed
    newest=$(majors | sort -n | tail -n 1 | cut -d' ' -f1)
    run -0 sfb pg_dump --pg "$newest" -Fc -f "$T/newest.dump" "$URL"
    run -0 sfb pg_restore -f - "$T/newest.dump"
    run -0 sfb pg_restore --pg "$newest" -f - "$T/15.dump"
    [ "$newest" -lt 17 ] || has "$output" 'transaction_timeout'
}

@test "a major that is not inside is told, with those that are" {
    run -2 --separate-stderr sfb pg_dump --pg 9 --version
    has "$stderr" 'no PostgreSQL 9 inside; there is .*15'
    run -2 sfb pg_dump --pg
    run -2 sfb pg_dump --pg=new
}

@test "a link by a program's name is that program" {
    PATH=$(link_dir):$PATH
    run -0 psql -XAt "$URL" -c "SELECT count(*) FROM item"
    [ "$output" = 500 ]
    run -0 pg_dump --pg 15 -Fc -f "$T/shop.dump" "$URL"
    run -0 pg_restore --list "$T/shop.dump"
    has "$output" 'TABLE DATA public item'
    run -0 pg pg_restore --list "$T/shop.dump"
}

@test "exit codes are the programs' own" {
    run -1 sfb pg_dump "$(db_url nosuch)"
    run -1 sfb pg_restore "$T/nosuch"
    run -3 sfb psql -X -v ON_ERROR_STOP=1 "$URL" -f - <<<"SELECT 1/0"
    run -2 sfb psql -X "$(db_url nosuch)"
}

to_full_disk() { sfb "$@" >/dev/full; }

@test "a dump that could not be written to the end fails, however small it is" {
    for major in $(majors | cut -d' ' -f1); do
        for format in plain custom; do
            run -1 to_full_disk pg_dump --pg "$major" -F "$format" "$URL"
            has "$output" 'could not write'
        done
    done
}

@test "Ctrl-C ends a program at once, and its session on the server" {
    hold_lock shop item
    sfb_start pg_dump "$URL"
    dump_waits
    kill -INT "$PID"
    sfb_wait
    [ "$status" != 0 ]
    no_sessions
    release_locks
}
