#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# list_store.bats - `sfb list` of a store and of a backup in one: a directory, and a bucket on a real S3 server.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE small (id int); INSERT INTO small VALUES (1), (2);
              CREATE TABLE large (id int, filler text);
              INSERT INTO large SELECT n, md5(n::text) FROM generate_series(1, 1234) n"
    if command -v radosgw >/dev/null; then
        s3_start
        s3_curl -X PUT "https://localhost:$S3_PORT/shelf"
    fi
}
teardown_file() {
    s3_stop
    file_end
}
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL SFB_BUCKET=file://$T/store
    PRODUCTION_DATABASE_URL=$(db_url shop)
    mkdir "$T/store"
}
teardown() { test_end; }

s3_curl() {
    curl -sSf --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_KEY:$S3_SECRET" --cacert "$S3_CA" \
        -H "x-amz-content-sha256: $(sha256sum </dev/null | cut -d' ' -f1)" "$@"
}
need_s3() {
    if ! command -v radosgw >/dev/null; then
        [ "${SFB_TEST_S3-}" != 1 ] || return 1
        skip "no radosgw"
    fi
    SFB_BUCKET=s3://shelf/$BATS_TEST_NUMBER
}
# the daily dump's key
daily() { (cd "$T/store" && echo production/daily/*.dump); }

@test "a store is listed with age, tier, size, rows and expiry; the paths are URLs that can be restored" {
    sfb backup --label before-trouble
    run -0 --separate-stderr sfb list "file://$T/store"
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[1]} == *" now  production manual "*" 1,236  yes  never" ]]
    [[ ${lines[2]} == "    file://$T/store/manual/before-trouble-"*.dump ]]
    run -0 sfb list "${lines[2]#    }"
}

@test "without an operand the store is listed too, when it was named; when it is away, what is here still is" {
    sfb backup
    run -0 --separate-stderr sfb list
    [ "$(grep -c "file://$T/store/production/daily/" <<<"$output")" = 1 ]
    [ "$(grep -c "    $CACHE/" <<<"$output")" = 1 ]
    mv "$T/store" "$T/away"
    : >"$T/store"
    run -0 --separate-stderr sfb list
    [ "$(grep -c "    $CACHE/" <<<"$output")" = 1 ]
    [[ $stderr == *"the store's backups are not listed"* ]]
    run -7 sfb list "$SFB_BUCKET"
    SFB_BUCKET='' run -0 --separate-stderr sfb list # not named: not asked
}

@test "a backup in a store tells what is in it: by its manifest, and without one by its own bytes" {
    sfb backup
    url=file://$T/store/$(daily)
    with=$(sfb list "$url" | sed -n '/ROWS/,$p')
    run -0 sfb list latest
    [[ ${lines[0]} == "$url" ]]
    run -0 sfb verify latest latest@daily
    [ "$(grep -c "^Chosen: $url (the newest" <<<"$output")" = 2 ]
    [ "$(grep -c '✅ rows ' <<<"$output")" = 2 ]
    run -7 sfb verify latest@yearly
    run -0 sfb verify --json latest
    mv "$T/store/$(daily)" "$T/store/alone.dump"
    run -0 --separate-stderr sfb list "file://$T/store/alone.dump"
    diff -u <(echo "$with") <(sed -n '/ROWS/,$p' <<<"$output")
    run -0 --separate-stderr sfb list --toc "file://$T/store/alone.dump"
    diff -u <(pg pg_restore -l <"$T/store/alone.dump") <(echo "$output")
    run -1 sfb list "file://$T/store/gone.dump"
    run -7 sfb list -e staging "file://$T/store/alone.dump"
}

@test "a bucket is listed the same way, by prefix too, and as JSON" {
    need_s3
    SFB_TEST_NOW=$(($(date +%s) - 7200)) sfb backup -f sql -c 1
    sfb backup
    run -0 --separate-stderr sfb list "$SFB_BUCKET"
    [ "$(grep -c "^    $SFB_BUCKET/production/" <<<"$output")" -ge 2 ]
    run -0 --separate-stderr sfb list "$SFB_BUCKET/production/daily/" --json
    [ "$(python3 -c 'import json, sys; print({(b["environment"], b["rows"], b["complete"]) for b in json.load(sys.stdin)})' <<<"$output")" = "{('production', 1236, True)}" ]
    run -0 sfb list latest
    [[ $output == *"1,234 "*"public.large"* ]]
    url=${lines[0]}
    run -0 sfb verify latest
    [[ ${lines[1]} == "$url" && ${lines[-1]} == '✅ Backup verification successful' ]]
    run -0 --separate-stderr sfb list --toc "$url"
    [[ $output == *"TABLE DATA public large"* ]]
}

@test "a bucket that can't be reached does not hide what is on this host, and keeps nobody waiting" {
    sfb backup
    SFB_BUCKET=s3://nowhere AWS_ENDPOINT_URL_S3=http://127.0.0.1:1 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b \
        SFB_TEST_TIMEOUT=30 run -0 --separate-stderr sfb list
    [ "$(grep -c "    $CACHE/" <<<"$output")" = 1 ]
    [[ $stderr == *"the store's backups are not listed"* ]]
}
