#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# servers.bats - each major there and back: make check-servers. 15 is Debian's, 17 and 18 are built by test/servers.sh.
load harness

setup_file() { file_begin; }
teardown_file() { file_end; }
setup() { test_begin; }
teardown() {
    pg_stop_all
    test_end
}

# A server of that major with one of everything and the names that bite.
filled() {
    pg_start "$1"
    sql postgres "CREATE ROLE obj_owner; CREATE ROLE obj_reader; CREATE ROLE biting"
    db_new objects
    db_new copy
    sql objects <"$HARNESS_DIR/objects.sql" >/dev/null
    pg psql -XAtq -v ON_ERROR_STOP=1 -v role=biting objects <"$HARNESS_DIR/names.sql" >/dev/null
    content_text objects >"$T/content"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url objects)
    STAGING_DATABASE_URL=$(db_url copy)
}

# Back up with sfb, list and restore with the server's own pg_restore, restore with sfb, compare.
there_and_back() {
    local file words
    filled "$1"
    for words in "" "-c 0" "-f sql" ${2+"$2"}; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        file=$(sed -n 's/^   File: //p' <<<"$output")
        if [[ $file = *.dump ]]; then
            run -0 pg pg_restore --list "$file"
            db_drop copy
            db_new copy
            run -0 pg pg_restore --exit-on-error -j 2 -d copy "$file"
            same_content copy "$T/content"
            run -0 sfb verify "$file"
        fi
        run -0 --separate-stderr sfb restore --force "$file"
        same_content copy "$T/content"
    done
}

@test "PostgreSQL 15 there and back" { there_and_back 15; }
@test "PostgreSQL 17 there and back" { there_and_back 17 "--compress-method zstd"; }
@test "PostgreSQL 18 there and back" { there_and_back 18 "--compress-method zstd"; }

@test "the dump tool's major matches the server's" {
    for major in 15 17 18; do
        filled $major
        rm -f "$WORK"/*
        run -0 sfb backup --local-only
        has "$(json "$(the_file "$WORK" '*.manifest.json')")" "\"tool_version\":\"pg_dump $major\."
        pg_stop
    done
}

@test "a backup of each major goes into a newer server, rows and large objects the same" {
    rows() { content_text "$1" | sed -n '/^app\./,$p' | grep -v '^database'; }
    for pair in "15 17" "15 18" "17 18"; do
        rm -f "$WORK"/*
        filled "${pair% *}"
        sql objects "DELETE FROM app.kinds WHERE x IS NOT NULL" # the servers that are built here have no XML
        run -0 sfb backup --local-only
        rows objects >"$T/rows"
        pg_stop
        pg_start "${pair#* }"
        sql postgres "CREATE ROLE obj_owner; CREATE ROLE obj_reader; CREATE ROLE biting"
        db_new copy
        STAGING_DATABASE_URL=$(db_url copy)
        run -0 --separate-stderr sfb restore --force "$(the_file "$WORK" 'signupflow-backup-*.dump')"
        rows copy | diff -u "$T/rows" - | head -n 40
        cmp "$T/rows" <(rows copy)
        pg_stop
    done
}
