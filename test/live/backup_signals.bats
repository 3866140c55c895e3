#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# backup_signals.bats - a backup that is interrupted at any moment, two at once, and where passwords may not be seen.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE big (x text); INSERT INTO big SELECT repeat('abc', 500000) FROM generate_series(1, 200);
              CREATE TABLE item (id int); INSERT INTO item VALUES (1)"
}
teardown_file() { file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
}
teardown() { test_end; }

# Ended by signal N, and as if it had never been.
interrupted_by() {
    [ "$status" = $((128 + $1)) ] || { printf 'exit %s\n%s\n%s\n' "$status" "$output" "$stderr" >&2; return 1; }
    has_not "$output" '^✅'
    empty_dir "$WORK"
    empty_dir "$CACHE"
    no_children
    no_sessions
}

@test "a signal while it connects ends it at once: 130, 143, 129" {
    black_hole
    PRODUCTION_DATABASE_URL=postgresql://postgres:x@127.0.0.1:$HOLE_PORT/shop
    for signal in 2 15 1; do
        sfb_start backup --local-only
        wait_for 10 grep -q 'Connecting to database' "$T/out"
        kill -$signal "$PID"
        sfb_wait 5
        interrupted_by $signal
    done
}

@test "a signal while pg_dump waits for a lock: nothing half-written, no children, no sessions" {
    hold_lock shop item
    for signal in 2 15 1 3; do
        for format in custom sql; do
            sfb_start backup --local-only --format $format
            dump_waits
            kill -$signal "$PID"
            sfb_wait 10
            interrupted_by $signal
        done
    done
    has "$(tail -n 1 "$T/log/signupflow-backup-audit.log")" 'ERROR Backup failed'
}

@test "a signal while rows are flowing: nothing half-written, no children, no sessions" {
    for format in custom sql; do
        sfb_start backup --local-only --format $format
        stop_in_the_middle
        kill -TERM "$PID"
        kill -CONT "$DUMP" 2>/dev/null || true # sfb may have ended it by now
        sfb_wait 10
        interrupted_by 15
    done
}

@test "a signal while pg_dump hangs: it is ended all the same" {
    sfb_start backup --local-only
    stop_in_the_middle
    kill -INT "$PID"
    sfb_wait 30
    interrupted_by 2
}

@test "Ctrl-C on a terminal reaches all processes at once, twice: 130, and nothing stays" {
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    kill -INT -- "-$PID"
    kill -INT -- "-$PID" 2>/dev/null || :
    sfb_wait 10
    interrupted_by 2
}

@test "kill -9 leaves no child, and the next run sweeps what it left" {
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    kill -KILL "$PID"
    sfb_wait
    [ "$status" = 137 ]
    no_children
    [ -z "$(find "$WORK" -name '*.dump' ! -name '.*')" ]
    release_locks
    run -0 sfb backup --local-only
    [ "$(find "$WORK" -name '*partial*')" = "" ]
    the_file "$WORK" '*.dump'
}

@test "a second backup of the same environment: exit 75, and the first one's pid" {
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    run -75 --separate-stderr sfb backup --local-only
    has "$stderr" "\b$PID\b"
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    run -0 sfb backup --local-only
}

@test "backups of production and staging do not wait for each other" {
    db_new stage
    STAGING_DATABASE_URL=$(db_url stage)
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    run -0 sfb backup --local-only --environment staging
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    [ "$(find "$WORK" -name '*.dump' ! -name '.*' | wc -l)" = 2 ]
}

@test "no password in a command line, in what is printed, logged or written" {
    hold_lock shop item
    sfb_start backup --local-only --verbose
    dump_waits
    seen=0
    for pid in $(pgrep -s "$PID"); do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -F "$PG_PASSWORD" && return 1
        seen=$((seen + 1))
    done
    [ $seen -ge 2 ]
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    run -1 grep -rlF "$PG_PASSWORD" "$T"
}

@test "with the password in the settings file, no process has it in its environment either" {
    printf 'PRODUCTION_DATABASE_URL=%s\n' "$PRODUCTION_DATABASE_URL" >"$T/sfb.env"
    chmod 600 "$T/sfb.env"
    unset PRODUCTION_DATABASE_URL
    hold_lock shop item
    export -n PG_PASSWORD PG_URL # the harness's own
    sfb_start backup --local-only --config "$T/sfb.env"
    dump_waits
    for pid in $(pgrep -s "$PID"); do
        ! tr '\0' '\n' <"/proc/$pid/environ" | grep -F "$PG_PASSWORD" || return 1
    done
    release_locks
    sfb_wait
    [ "$status" = 0 ]
}
