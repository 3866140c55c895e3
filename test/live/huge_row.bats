#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# huge_row.bats - a row near the largest that PostgreSQL can send: make check-faults, for the time and memory that the
# server and pg_dump take for it. What sfb itself takes does not depend on it.
load harness

setup_file() {
    file_begin
    pg_start
    db_new huge
    # as COPY text 700 MB: bytea is two letters a byte
    sql huge "CREATE TABLE big (id int PRIMARY KEY, t text, b bytea);
              ALTER TABLE big ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
              INSERT INTO big VALUES (1, 'small', 'small');
              INSERT INTO big SELECT 2, repeat(md5('huge'), 300 * 32768), convert_to(repeat(md5('row'), 200 * 32768), 'UTF8')"
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

# The most memory that a process ever had, in KiB, until it ends. A maximum only grows: the last look is the answer.
most_memory() {
    local most=0 now
    while now=$(awk '/^VmHWM:/ { print $2 }' "/proc/$1/status" 2>/dev/null) && [ -n "$now" ]; do
        most=$now
        read -rt 0.02 <> <(:) || :
    done
    echo "$most"
}

@test "a row of 700 MB is backed up in less than 64 MiB, and comes back as it was" {
    export PRODUCTION_DATABASE_URL SFB_TEST_TIMEOUT=600
    PRODUCTION_DATABASE_URL=$(db_url huge)
    sfb_start backup --local-only -c 1
    most=$(most_memory "$PID")
    sfb_wait
    [ "$status" = 0 ]
    echo "$most KiB"
    [ "$most" -gt 1024 ] && [ "$most" -lt $((64 * 1024)) ]
    STAGING_DATABASE_URL=$(db_url back) run -0 --separate-stderr sfb restore --force "$(the_file "$CACHE" '*.dump')"
    has "$output" '✅ Data integrity verification successful'
    [ "$(sql back "SELECT length(t), md5(t), length(b), md5(b) FROM big WHERE id = 2")" = \
        "$(sql huge "SELECT length(t), md5(t), length(b), md5(b) FROM big WHERE id = 2")" ]
    [ "$(sql back "SELECT length(t) FROM big WHERE id = 2")" = 314572800 ]
}
