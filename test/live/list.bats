#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# list.bats - `sfb list` and `sfb config`: what there is, what is in it, who said so.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE small (id int); INSERT INTO small VALUES (1), (2);
              CREATE TABLE large (id int, filler text);
              INSERT INTO large SELECT n, repeat('x', 50) FROM generate_series(1, 1234) n;
              CREATE TABLE \"bad
name\" (id int);
              CREATE SCHEMA other; CREATE TABLE other.empty (); SELECT lo_from_bytea(0, 'an object')"
}
teardown_file() { file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
}
teardown() { test_end; }

dump() { echo "$CACHE"/backup-*.dump; }

@test "a backup is listed once, though work directory and cache hold it" {
    sfb backup --local-only
    run -0 --separate-stderr sfb list
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[1]} == *" now  production daily "*" 1,236  "* ]]
    [ "${lines[2]}" = "    $(dump)" ]
    [ -z "$stderr" ]
}

@test "where there is no backup, standard output is empty and the places are named" {
    run -0 --separate-stderr sfb list
    [ -z "$output" ]
    [[ $stderr == *"there is no backup in $CACHE and $WORK"* ]]
    run -0 --separate-stderr sfb list --json
    [ "$output" = "[]" ]
}

@test "that there is none of an environment names the store, too, when that was asked" {
    mkdir "$T/store"
    SFB_BUCKET=file://$T/store run -0 --separate-stderr sfb list -e staging
    [[ $stderr == *"there is no backup of staging in $CACHE and $WORK, and none in the store file://$T/store"* ]]
    SFB_BUCKET=file://$T/away run -0 --separate-stderr sfb list -e staging
    [[ $stderr != *"none in the store"* ]]
}

@test "a manifest that is there and may not be read is not said to be missing" {
    is_root || skip "only root can be another user"
    mkdir "$T/shelf"
    sfb backup --local-only
    cp "$CACHE"/* "$T/shelf/"
    chmod 0755 "$T" "$T/shelf"
    chmod 0600 "$T/shelf"/*.manifest.json
    run -0 as_user "$SFB" list "$T/shelf"
    has "$output" "its manifest can't be read: permission denied"
    has_not "$output" 'no manifest'
    rm "$T/shelf"/*.manifest.json
    run -0 as_user "$SFB" list "$T/shelf"
    has "$output" 'no manifest: not finished, or not made by sfb'
}

@test "only the environment that is asked for is listed" {
    export STAGING_DATABASE_URL=$PRODUCTION_DATABASE_URL
    sfb backup --local-only -e staging
    run -0 --separate-stderr sfb list -e production
    [ -z "$output" ]
    run -0 --separate-stderr sfb list --environment=staging --json
    [ "$(python3 -c 'import json, sys; print([b["environment"] for b in json.load(sys.stdin)])' <<<"$output")" = "['staging']" ]
    run -7 sfb list -e moon
}

@test "the tables of a backup stand largest first, and no name breaks a line" {
    sfb backup --local-only
    run -0 --separate-stderr sfb list "$(dump)"
    tables=$(sed -n '/ROWS/,/^$/p' <<<"$output" | tr -s ' ')
    diff -u - <(echo "$tables") <<'END'
 ROWS SIZE TABLE
 1,234 66.4 KB public.large
 2 4 B public.small
 0 0 B other.empty
 0 0 B public.bad\nname
 1 9 B (large objects)
END
}

@test "without a manifest the archive itself tells the same, stock pg_dump's too" {
    sfb backup --local-only
    with=$(sfb list "$(dump)" | sed -n '/ROWS/,$p')
    mv "$(dump)" "$T/alone.dump"
    run -0 --separate-stderr sfb list "$T/alone.dump"
    diff -u <(echo "$with") <(sed -n '/ROWS/,$p' <<<"$output")
    pg pg_dump -Fc shop >"$T/stock.dump"
    run -0 --separate-stderr sfb list "$T/stock.dump"
    diff -u <(echo "$with") <(sed -n '/ROWS/,$p' <<<"$output")
}

@test "--toc is what pg_restore --list prints, and pg_restore -L takes it" {
    sfb backup --local-only
    run -0 --separate-stderr sfb list --toc "$(dump)"
    diff -u <(pg pg_restore -l <"$(dump)") <(echo "$output")
    grep -v ' large ' <<<"$output" >"$T/toc"
    pg pg_restore -L "$T/toc" -f - "$(dump)" >"$T/out.sql"
    [ "$(grep -c 'COPY public.large' "$T/out.sql")" = 0 ]
    grep -q 'COPY public.small' "$T/out.sql"
}

@test "--toc of plain SQL says what shows more" {
    sfb backup --local-only --format sql
    run ! --separate-stderr sfb list --toc "$CACHE"/backup-*.sql.gz
    has "$stderr" 'plain SQL has no table of contents; .sfb list. without --toc'
}

@test "what is no backup is told apart from what is not there" {
    echo "SELECT 1;" >"$T/some.sql"
    : >"$T/empty.dump"
    run -1 --separate-stderr sfb list "$T/missing.dump"
    [[ $stderr == *"$T/missing.dump"* ]]
    run -2 --separate-stderr sfb list "$T/some.sql"
    [[ $stderr == *"$T/some.sql"* ]]
    run -2 sfb list "$T/empty.dump"
    run -2 sfb list --toc "$T/some.sql"
    run -1 sfb list --toc "$T/missing.dump"
    run -7 sfb list --toc
    run -7 sfb list "$T" "$T"
    run -7 sfb list --json --toc "$T/some.sql"
}

@test "a manifest is as its schema says" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    db_new bites
    sed 's/:"role"/postgres/g' "$TOP/test/live/names.sql" | sql bites
    PRODUCTION_DATABASE_URL=$(db_url bites)
    local args manifest n=0
    for args in "" "-f sql" "-c 0" "-f sql -c 0"; do # each in a cache of its own: a second is enough for all
        n=$((n + 1))
        # shellcheck disable=SC2086 # words
        SFB_WORK_DIR=$T/work$n SFB_CACHE_DIR=$T/cache$n sfb backup --local-only $args
    done
    for manifest in "$T"/cache?/*.manifest.json "$T"/work?/*.manifest.json; do
        python3 -W ignore -c 'import json, jsonschema, sys
schema, manifest = (json.load(open(name)) for name in sys.argv[1:])
jsonschema.Draft202012Validator(schema).validate(manifest)' "$TOP/packaging/manifest.schema.json" "$manifest"
        n=$((n - 1))
    done
    [ $n = -4 ]
    db_drop bites
}

@test "sfb config shows each setting with its origin, and no password" {
    printf 'SFB_CACHE_KEEP=3\nDATABASE_URL=postgresql://u:%s@h/d\n' "$PG_PASSWORD" >"$T/env"
    chmod 600 "$T/env"
    run -0 --separate-stderr sfb config --config "$T/env"
    [[ $output != *"$PG_PASSWORD"* ]]
    [[ $output == *"postgresql://u:***@h/d"* ]]
    grep -A2 '^SFB_CACHE_KEEP  *3$' <<<"$output" | grep -qF "from: $T/env"
    grep -A2 "^SFB_CACHE_DIR  *$CACHE\$" <<<"$output" | grep -qF "from: environment"
    run -0 --separate-stderr sfb config --config "$T/env" --json
    [[ $output != *"$PG_PASSWORD"* ]]
    [ "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["SFB_CACHE_KEEP"]["from"])' <<<"$output")" = "$T/env" ]
}

@test "sfb config --check finds what is wrong before a backup does" {
    run -0 sfb config --check
    has "$output" '✅ The settings can be used'
    has_not "$output" 'No database is set'
    PRODUCTION_DATABASE_URL='' run -0 sfb config --check
    has "$output" 'No database is set: PRODUCTION_DATABASE_URL'
    SFB_BUCKET=http://x run -6 sfb config --check
    has "$output" 'SFB_BUCKET is not the URL of a store: http://x'
    SFB_BUCKET=s3://bucket/a//b run -6 sfb config --check
    SFB_BUCKET=file://$T/not-there run -6 sfb config --check
    mkdir "$T/store"
    SFB_BUCKET=file://$T/store run -0 sfb config --check
    SFB_BUCKET=s3://bucket/prefix run -0 sfb config --check
    SFB_JOBS=many run -6 sfb config --check
    SFB_CACHE_DIR=/proc/nowhere run -6 sfb config --check
    STAGING_DATABASE_URL=postgresql://u:$PG_PASSWORD@h:port/d run -6 sfb config --check
    [[ $output == *STAGING_DATABASE_URL* ]]
    [[ $output != *"$PG_PASSWORD"* ]]
    echo "SFB_CAHCE_DIR=/x" >"$T/env"
    run -6 sfb config --check --config "$T/env"
    [[ $output == *"did you mean SFB_CACHE_DIR"* ]]
}
