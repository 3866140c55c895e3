#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# memcheck.bats - sfb and PostgreSQL's programs inside it under valgrind: make check-valgrind. Its sfb is build/valgrind/sfb.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    s3_start
    db_new shop
    sql shop "CREATE TABLE item (id int PRIMARY KEY, name text, data bytea);
              INSERT INTO item SELECT n, 'item ' || n, decode(md5(n::text), 'hex') FROM generate_series(1, 3000) n;
              CREATE TABLE note (id int REFERENCES item, at timestamptz DEFAULT now());
              INSERT INTO note SELECT generate_series(1, 100);
              SELECT lo_from_bytea(4711, 'a large object')" >/dev/null
}
teardown_file() { s3_stop; file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_TEST_TIMEOUT=600
    PRODUCTION_DATABASE_URL=$(db_url shop) STAGING_DATABASE_URL=$(db_url copy)
}
teardown() {
    db_drop copy
    unset SFB_BUCKET
    test_end
}

# Each process that an sfb forks is looked at, too; a finding makes it end with 99.
sfb() {
    timeout -k 5 "$SFB_TEST_TIMEOUT" valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite --suppressions="$TOP/test/valgrind.supp" "$SFB" "$@"
}
clean() { # EXIT-STATUS ARGUMENTS...
    run "-$1" --separate-stderr sfb "${@:2}"
    has_not "$stderr" '^==[0-9]+== (Invalid|Conditional|Use of|Syscall|Source|.* lost )'
}

@test "backup, list, verify, restore, restore --table: no invalid read, nothing uninitialised, no leak" {
    clean 0 backup --local-only
    clean 0 list
    backup=$(the_file "$CACHE" 'backup-*.dump')
    clean 0 verify "$backup"
    clean 0 restore --force "$backup"
    clean 0 restore --force "$backup" # with one there to be saved
    same_rows
    sql copy "DROP TABLE note"
    clean 0 restore --force --table note "$backup"
}
same_rows() { [ "$(sql shop "TABLE item" | sort | md5sum)" = "$(sql copy "TABLE item" | sort | md5sum)" ]; }

@test "plain SQL there and back" {
    clean 0 backup --local-only --format sql
    backup=$(the_file "$CACHE" 'backup-*.sql.gz')
    clean 0 verify "$backup"
    clean 0 restore --force "$backup"
    same_rows
}

@test "a restore that fails and puts the old database back" {
    db_new copy
    pg pg_dump -Fc -f "$T/good.dump" shop
    sed 's/REFERENCES public.item(id)/REFERENCES public.item(ix)/' "$T/good.dump" >"$T/bad.dump"
    clean 4 restore --force "$T/bad.dump"
    has "$stderr" 'is back as it was'
}

@test "into a real S3, streamed, and back" {
    s3_environment
    export SFB_BUCKET=memcheck
    curl -sS --fail-with-body --cacert "$S3_CA" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" -X PUT "https://localhost:$S3_PORT/$SFB_BUCKET" >/dev/null
    clean 0 backup
    clean 0 list
    clean 0 prune --dry-run
    clean 0 backup --stream
    rm -rf "${CACHE:?}"/*
    clean 0 restore --force latest
    same_rows
    sql copy "DROP TABLE note"
    clean 0 restore --force --table note latest
}
