#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# names.bats - names that bite, of databases, roles, schemas, tables, columns: none is taken for anything else.
load harness

ROLE='ro"le; '"'n %s \\ x"
BITING=$'we"ird \'db\'; -- %s\\ $(touch names-was-here) ?&=/#@:ünï'

setup_file() {
    file_begin
    pg_start
    sql postgres "CREATE ROLE $(quote_name "$ROLE")"
    db_new names
    pg psql -XAtq -v ON_ERROR_STOP=1 -v role="$ROLE" names <"$HARNESS_DIR/names.sql" >/dev/null
    content_text names >"$ROOT/content"
}
teardown_file() { file_end; }
setup() {
    test_begin
    cd "$T" || return
    db_new copy
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url names)
    STAGING_DATABASE_URL=$(db_url copy)
}
teardown() {
    db_drop copy
    test_end
}
nothing_was_run() { [ ! -e "$T/names-was-here" ] && [ ! -e /tmp/sfb-names-was-here ]; }

@test "schemas, tables, columns that bite, as an archive: there and back, proven" {
    run -0 --separate-stderr sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    run -0 pg pg_restore --list "$file"
    run -0 --separate-stderr sfb restore --force "$file"
    has "$output" '✅ Data integrity verification successful'
    same_content copy "$ROOT/content"
    nothing_was_run
}

@test "schemas, tables, columns that bite, as SQL: there and back" {
    run -0 --separate-stderr sfb backup --local-only --format sql
    run -0 --separate-stderr sfb restore --force "$(the_file "$WORK" '*.sql.gz')"
    same_content copy "$ROOT/content"
    nothing_was_run
}

@test "the manifest has every name as it is" {
    run -0 sfb backup --local-only
    tables=$(json "$(the_file "$WORK" '*.manifest.json')" tables)
    has "$tables" '"name":"a;b"'
    has "$tables" '"col;umn","%d%s%n","with space"'
    has "$tables" '"Tàble \\"x\\" '"'y'\""
    has "$tables" '\\n-- DROP TABLE x;\\n'
    has "$tables" '漢字'
}

# Bytes that are no UTF-8, or are other characters in it; in SQL_ASCII they are nothing but bytes.
@test "names and text of other encodings come back byte for byte, as an archive and as SQL" {
    # shellcheck disable=SC2016 # the dollars are SQL's
    like='CREATE SCHEMA "%"; CREATE TABLE "%"."%" ("%" text, n int); INSERT INTO "%"."%" VALUES ('\''%'\'', 1);
          CREATE INDEX "i%" ON "%"."%" (n); COMMENT ON TABLE "%"."%" IS '\''%'\'';
          CREATE FUNCTION "%"() RETURNS text LANGUAGE sql AS $$ SELECT '\''%'\''::text $$'
    for words in 'LATIN1 t\xe0ble' 'EUC_JP \xc9\xbd' 'SQL_ASCII \xff\xe9'; do
        db_new elsewhere "ENCODING '${words% *}' LOCALE 'C' TEMPLATE template0"
        sql elsewhere <<<"${like//%/$(printf %b "${words#* }")}"
        content_text elsewhere >"$T/content"
        PRODUCTION_DATABASE_URL=$(db_url elsewhere)
        for format in custom sql; do
            rm -f "$WORK"/*
            run -0 --separate-stderr sfb backup --local-only --format $format
            db_drop copy
            run -0 --separate-stderr sfb restore --force "$(sed -n 's/^   File: //p' <<<"$output")"
            has "$output" '✅ Data integrity verification successful'
            same_content copy "$T/content"
        done
        db_drop elsewhere
    done
}

# A database, a role and a password whose names bite, in the URL.
@test "a database and a role whose names bite are backed up and restored through their URL" {
    for name in "$BITING" "dbname=postgres host=nowhere" "postgresql://nowhere/x" "UPPER lower" "-d" \
        "sixty_three_bytes_long_names_are_the_longest_that_there_can_be_" $'new\nline' "ünïcödé 漢字 🗜️" ".hidden/../up"; do
        rm -f "$WORK"/*
        printf 'CREATE ROLE %s SUPERUSER LOGIN PASSWORD %s' "$(quote_name "u$name")" "'${name//\'/\'\'}'" |
            { echo "SET standard_conforming_strings = on;"; cat; } | sql postgres 2>/dev/null || skip_role=yes
        db_new "$name"
        sql "$name" "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 77)"
        content_text "$name" >"$T/content"
        if [ -z "${skip_role-}" ]; then PRODUCTION_DATABASE_URL=$(db_url "$name" "u$name" "$name")
        else PRODUCTION_DATABASE_URL=$(db_url "$name"); fi
        run --separate-stderr sfb backup --local-only
        [ "$status" = 0 ] || { printf 'backup of %q: %s %s %s\n' "$name" "$status" "$output" "$stderr"; return 1; }
        [ "$(json "$(the_file "$WORK" '*.manifest.json')" database name)" = "$name" ]
        sql "$name" "DELETE FROM t"
        run --separate-stderr sfb restore --force -e production "$(the_file "$WORK" 'signupflow-backup-*.dump')"
        [ "$status" = 0 ] || { printf 'restore of %q: %s %s %s\n' "$name" "$status" "$output" "$stderr"; return 1; }
        same_content "$name" "$T/content"
        nothing_was_run
        db_drop "$name"
        [ -n "${skip_role-}" ] || sql postgres "DROP ROLE $(quote_name "u$name")"
        unset skip_role
    done
}

@test "a name cannot forge a line of output or of the audit log" {
    db_new $'x\n✅ Backup completed successfully\n[2025-01-01 00:00:00] INFO forged'
    PRODUCTION_DATABASE_URL=$(db_url $'x\n✅ Backup completed successfully\n[2025-01-01 00:00:00] INFO forged' postgres wrong)
    run -1 sfb backup --local-only --verbose
    has_not "$output" '^✅ Backup completed|^\[2025-01-01'
    has_not "$(cat "$T/log/signupflow-backup-audit.log")" '^\[2025-01-01|^✅'
    db_drop $'x\n✅ Backup completed successfully\n[2025-01-01 00:00:00] INFO forged'
}
