#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# objects.bats - everything that a database can hold survives: objects.sql has one of each.
load harness

setup_file() {
    file_begin
    pg_start
    sql postgres "CREATE ROLE obj_owner; CREATE ROLE obj_reader"
    db_new objects
    sql objects <"$HARNESS_DIR/objects.sql" >/dev/null
    content_text objects >"$ROOT/content"
}
teardown_file() { file_end; }
setup() {
    test_begin
    db_new copy
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url objects)
    STAGING_DATABASE_URL=$(db_url copy)
}
teardown() {
    db_drop copy
    test_end
}

@test "one of everything, as an archive: back up, list, restore with sfb, the same" {
    run -0 --separate-stderr sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    run -0 pg pg_restore --list "$file"
    for entry in 'TABLE DATA app kinds' 'MATERIALIZED VIEW DATA app total' 'EVENT TRIGGER - watch' 'EXTENSION - hstore' \
        'POLICY app secret own' 'BLOB' 'PUBLICATION - pub' 'COMMENT app TABLE parent' 'DEFAULT ACL'; do has "$output" "$entry"; done
    run -0 --separate-stderr sfb restore --force "$file"
    same_content copy "$ROOT/content"
}

@test "one of everything, as SQL: back up, restore with sfb, the same" {
    run -0 --separate-stderr sfb backup --local-only --format sql
    run -0 --separate-stderr sfb restore --force "$(the_file "$WORK" '*.sql.gz')"
    same_content copy "$ROOT/content"
}

@test "one of everything: the server's own pg_restore brings it back from sfb's archive, alone and in parallel" {
    run -0 sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    for jobs in 1 2; do
        db_drop copy
        db_new copy
        run -0 pg pg_restore --exit-on-error -j $jobs -d copy "$file"
        same_content copy "$ROOT/content"
    done
}

@test "the archive holds what stock pg_dump's holds: the same SQL comes out of both" {
    run -0 sfb backup --local-only
    PGTZ=UTC pg pg_dump -Fc -f "$T/stock.dump" objects # sfb writes times as UTC
    plain() { pg pg_restore -f - "$1" | sed '/^-- Dumped /d; /^\\\(un\)\?restrict /d'; }
    cmp <(plain "$T/stock.dump") <(plain "$(the_file "$WORK" '*.dump')")
}

@test "over itself: the restored database is proven, and a trigger that always fires added no rows" {
    run -0 sfb backup --local-only
    sql objects "DELETE FROM app.child; DELETE FROM app.kinds; SELECT lo_unlink(4713)" >/dev/null
    run -0 --separate-stderr sfb restore --force --environment production "$(the_file "$WORK" '*.dump')"
    has "$output" '✅ Data integrity verification successful'
    same_content objects "$ROOT/content"
}
