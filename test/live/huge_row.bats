#!/usr/bin/env bats
# huge_row.bats - a row near the largest that PostgreSQL can send: make check-faults, for the time and memory that the
# server takes for it. What sfb and the pg_dump within take does not depend on it.
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

# COMMAND...: its output, and MOST: the most memory that it or one of its children had, in MiB.
with_memory() {
    python3 -c 'import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
sys.exit(code)' "$T/most" "$@"
    MOST=$(cat "$T/most")
    echo "$MOST MiB"
    [ "$MOST" -gt 1 ] && [ "$MOST" -lt 64 ]
}

@test "a row of 700 MB is backed up and restored by processes of less than 64 MiB, and comes back as it was" {
    export PRODUCTION_DATABASE_URL SFB_TEST_TIMEOUT=600
    PRODUCTION_DATABASE_URL=$(db_url huge)
    with_memory "$SFB" backup --local-only -c 1
    STAGING_DATABASE_URL=$(db_url back) with_memory "$SFB" restore --force "$(the_file "$CACHE" '*.dump')" >"$T/restored"
    has "$(cat "$T/restored")" '✅ Data integrity verification successful'
    [ "$(sql back "SELECT length(t), md5(t), length(b), md5(b) FROM big WHERE id = 2")" = \
        "$(sql huge "SELECT length(t), md5(t), length(b), md5(b) FROM big WHERE id = 2")" ]
    [ "$(sql back "SELECT length(t) FROM big WHERE id = 2")" = 314572800 ]
}
