#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# restore_killed.bats - kill -9 at any moment of a restore. SFB_TEST_KILLS: how many moments; make check-faults takes sixty.
load harness

setup_file() {
    file_begin
    pg_start 15
    db_new before
    sql before "CREATE TABLE precious (n int PRIMARY KEY, name text);
                INSERT INTO precious SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
                CREATE INDEX precious_name ON precious (name)"
    db_new after
    sql after "CREATE TABLE big (n int PRIMARY KEY, name text);
               INSERT INTO big SELECT n, md5((-n)::text) FROM generate_series(1, 30000) n;
               CREATE INDEX big_name ON big (name);
               CREATE TABLE small (n int REFERENCES big); INSERT INTO small SELECT generate_series(1, 500)"
    content_text before >"$ROOT/before"
    content_text after >"$ROOT/after"
    pg pg_dump -Fc -f "$ROOT/after.dump" after
    chmod 644 "$ROOT/after.dump"
}
teardown_file() { file_end; }
setup() {
    test_begin
    export STAGING_DATABASE_URL
    STAGING_DATABASE_URL=$(db_url target)
}
teardown() {
    clear_server
    test_end
}

clear_server() {
    local name
    sql postgres "SELECT datname FROM pg_database WHERE datname = 'target' OR datname LIKE 'target%sfb_restore%'" >"$T/names"
    while read -r name; do db_drop "$name"; done <"$T/names"
}
# Every round begins with the old database, and with nothing that an earlier one left.
begin_round() {
    clear_server
    rm -rf "${WORK:?}"/* "${SFB_LOG_DIR:?}"/*
    db_new target "TEMPLATE before"
}
# The restore takes so long when nobody kills it, in milliseconds.
measure() {
    local from
    begin_round
    from=$(date +%s%3N)
    run -0 sfb restore --force "$ROOT/after.dump"
    WHOLE=$(($(date +%s%3N) - from))
}
# killed_within MILLISECONDS: a restore, killed at a moment that chance picks. What it said is in $output.
killed_within() {
    MOMENT=$((RANDOM * $1 / 32768 + 1))
    run timeout -s KILL "$((MOMENT / 1000)).$(printf %03d $((MOMENT % 1000)))" "$SFB" restore --force "$ROOT/after.dump"
    no_sessions 60 # a DROP DATABASE that was begun goes on
}

exists() { answers postgres "SELECT count(*) > 0 FROM pg_database WHERE datname = 'target' AND datconnlimit <> -2"; }
# What is there under the name is the one or the other, and nothing in between.
is_whole() {
    sql postgres "ALTER DATABASE target ALLOW_CONNECTIONS true" # the next restore does it, too: restore_fails.bats
    same_content target "$ROOT/before" >"$T/unlike-before" || same_content target "$ROOT/after"
}
saved_as() { sed -n 's/.*Pre-restore backup saved: //p' <<<"$output"; }
next_restore_tells() {
    run -0 --separate-stderr sfb restore --dry-run "$ROOT/after.dump"
    has "$stderr" "target .* is in $1"
}
comes_back() {
    run -0 sfb verify "$1"
    run -0 sfb restore --force "$1"
    same_content target "$ROOT/before"
}

@test "killed at any moment: the old database is there, or the new one, or the old one's backup, of which the next restore tells" {
    measure
    local kills=0 saved lost=0
    while ((kills < ${SFB_TEST_KILLS:-10})); do
        begin_round
        killed_within "$WHOLE"
        [ "$status" = 137 ] || continue # it was faster
        kills=$((kills + 1))
        echo "kill $kills at $MOMENT of $WHOLE ms: $(tail -n 1 <<<"$output")"
        if exists; then
            is_whole
            continue
        fi
        saved=$(saved_as)
        [ -n "$saved" ]
        grep -F "$saved" "$SFB_LOG_DIR/signupflow-restore-audit.log"
        next_restore_tells "$saved"
        comes_back "$saved"
        lost=$((lost + 1))
    done
    echo "$lost of $kills came back from their pre-restore backups"
}

@test "killed again and again: the old database's backup is not forgotten" {
    measure
    local round saved=
    begin_round
    while exists; do # until one is killed between the drop and the end
        begin_round
        killed_within "$WHOLE"
    done
    saved=$(saved_as)
    for ((round = 1; round <= 4; round++)); do
        killed_within $((WHOLE * 2 / 3))
        echo "killed again at $MOMENT of $WHOLE ms: $(tail -n 1 <<<"$output")"
        if exists; then return 0; fi # it was faster
        next_restore_tells "$saved"
    done
    comes_back "$saved"
}

@test "failing after one that was killed: the old database's backup is named still" {
    sed 's/name text/name tixt/' "$ROOT/after.dump" >"$T/unfit.dump"
    measure
    begin_round
    while exists; do
        begin_round
        killed_within "$WHOLE"
    done
    saved=$(saved_as)
    for _ in 1 2; do
        run -4 --separate-stderr sfb restore --force "$T/unfit.dump"
        has "$stderr" "target .* is in $saved"
    done
    comes_back "$saved"
}
