#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# stream.bats - backup --stream: from pg_dump into the store, without a file on this host.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    pg_start
    s3_start
    tools_begin
    proxy_start
    s3_user backup BACKUPKEY00000000000 backup-secret-0123456789
    db_new shop
    sql shop "CREATE TABLE events (id serial PRIMARY KEY, title text NOT NULL);
              INSERT INTO events (title) SELECT 'Event ' || n FROM generate_series(1, 5000) n;
              CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
              FROM generate_series(1, 40000) n; SELECT lo_from_bytea(4711, '\\x0102');"
    content_text shop >"$ROOT/content"
}
teardown_file() { tools_end; s3_stop; file_end; }

setup() {
    test_begin
    db_new copy
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url copy)
    s3_environment
    SFB_BUCKET=stream-$BATS_TEST_NUMBER
    tool "s3://$SFB_BUCKET" raw PUT - -
    proxy_rules '[]'
}
teardown() {
    db_drop copy
    test_end
}

keys() { tool "s3://$SFB_BUCKET" list | cut -d' ' -f1 | grep -v /history/ || :; } # runs are remembered, failed ones too
uploads() { tool "s3://$SFB_BUCKET" uploads; }
nothing_there() {
    AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT
    [ -z "$(keys)" ]
    [ -z "$(uploads)" ]
    nothing_here
}
nothing_here() { [ -z "$(find "$WORK" "$CACHE" -type f)" ]; }
newest() { keys | grep 'daily/.*dump$' | tail -n 1; }
dump_url() { echo "s3://$SFB_BUCKET/$(newest)"; }

@test "a stream leaves nothing on this host, is the same archive as a file, and says what was verified" {
    run -0 --separate-stderr sfb backup --stream
    has "$output" "^\[.*\] Uploading to S3: s3://$SFB_BUCKET/production/daily/backup-[0-9]{8}-[0-9]{6}\.dump$"
    has "$output" '^\[.*\] Verified while it passed: every block, 45,000 rows, 2 tables$'
    has "$output" '^\[.*\] Verified by the store.s answers: the MD5 of each part, and of all$'
    has "$output" '^\[.*\] Verified by reading it back: '
    has "$output" '^\[.*\] ✅ Backup verification successful$'
    has "$output" '^   File: none on this host$'
    [ "$(keys | grep -c 'dump$')" = 3 ]
    nothing_here
    has "$(cat "$SFB_LOG_DIR"/*-backup-audit.log)" 'Backup verification successful \(checksum: [0-9a-f]{32}-[0-9]+\)'

    tool "s3://$SFB_BUCKET" download "$(newest)" "$T/stream.dump" >/dev/null
    "$PG_BIN/pg_restore" -l "$T/stream.dump" | grep -q 'TABLE DATA public events'
    python3 - "$T/stream.dump" <<'END'
import sys
body = open(sys.argv[1], "rb").read()
assert body.startswith(b"PGDMP")
END
    run -0 --separate-stderr sfb backup --local-only
    [ "$(stat -c %s "$WORK"/*.dump)" = "$(stat -c %s "$T/stream.dump")" ]
    # but for the time in the header and the entry of the snapshot they are equal: so are the offsets in the contents
    [ "$(cmp -l "$WORK"/*.dump "$T/stream.dump" | wc -l)" -lt 20 ]
}

@test "it is restored, verified and listed like any other" {
    run -0 --separate-stderr sfb backup --stream
    run -0 --separate-stderr sfb verify "$(dump_url)"
    run -0 --separate-stderr sfb restore --force latest
    same_content copy "$ROOT/content"
    run -0 --separate-stderr sfb list "$(dump_url)"
    has "$output" '40,000 .*public.noise'
    # copied by other tools it has another ETag; what its manifest says of contents and data is compared
    key=$(newest)
    tool "s3://$SFB_BUCKET" download "$key" "$T/copied" >/dev/null
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/copied" >/dev/null
    run -0 --separate-stderr sfb verify "$(dump_url)"
    has "$output" 'SHA-256 as in the manifest; the ETag is another: other tools have copied it'
    # brought here, its two checksums are those of the manifest; and a changed byte is noticed by each
    key=$(newest)
    tool "s3://$SFB_BUCKET" download "$key" "$T/backup-20200101-000000.dump" >/dev/null
    tool "s3://$SFB_BUCKET" get "${key%.dump}.manifest.json" >"$T/backup-20200101-000000.manifest.json"
    run -0 --separate-stderr sfb verify --quick "$T/backup-20200101-000000.dump"
    has "$output" 'SHA-256 and size as in the manifest'
    for at in 60 20000000; do
        cp "$T/backup-20200101-000000.dump" "$T/kept"
        printf '\377' | dd of="$T/backup-20200101-000000.dump" bs=1 seek=$at conv=notrunc status=none
        run -2 --separate-stderr sfb verify --quick "$T/backup-20200101-000000.dump"
        has "$output$stderr" 'SHA-256 is'
        mv "$T/kept" "$T/backup-20200101-000000.dump"
    done
}

# The contract's backup policy; MORE is what may be done besides.
put_only() { # [MORE]
    tool "s3://$SFB_BUCKET" raw PUT - policy= '{"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/backup"]}, "Action": ["s3:PutObject", "s3:PutObjectAcl"],
       "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/production/*"},'"${1-}"'
      {"Effect": "Deny", "Principal": {"AWS": ["arn:aws:iam:::user/backup"]}, "Action": "s3:GetObject",
       "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/*"},
      {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/*",
       "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}'
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789
}

@test "with nothing but the contract's backup policy it succeeds, says that it was not read back, and is promoted" {
    put_only
    run -0 --separate-stderr sfb backup --stream
    has "$output" 'Verified by the store'
    has "$output" 'Not read back: .*s3:GetObject'
    [ -z "$stderr" ]
    s3_environment
    keys >"$T/keys"
    [ "$(grep -c 'manifest.json$' "$T/keys")" = 3 ]
    tool "s3://$SFB_BUCKET" raw DELETE - policy=
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789 # whose they are, and now it may read them
    for tier in daily weekly monthly; do # each is whole, and says where it is
        run -0 --separate-stderr sfb verify "s3://$SFB_BUCKET/$(grep "$tier/.*dump$" "$T/keys")"
        tool "s3://$SFB_BUCKET" get "$(grep "$tier/.*manifest.json$" "$T/keys")" >"$T/manifest"
        [ "$(json "$T/manifest" tier)" = $tier ]
    done
    [ "$(json "$T/manifest" retention_days)" = 365 ]
    s3_environment
    put_only
    # the second of the week is known from what this host remembers
    run -0 --separate-stderr sfb backup --stream
    s3_environment
    [ "$(keys | grep -c 'daily/.*dump$')" = 2 ]
    [ "$(keys | grep -c 'weekly/.*dump$')" = 1 ]
}

@test "a copy that fails costs a warning; the backup and the other copy are there" {
    put_only
    export AWS_ENDPOINT_URL_S3=$PROXY
    for phase in 'POST .uploads=' 'PUT .partNumber=2' 'POST .uploadId='; do
        proxy_rules '[{"method": "'"${phase% *}"'", "target": "weekly/.*dump'"${phase#* }"'", "do": "answer", "status": 403, "times": -1,
                       "body": "<Error><Code>AccessDenied</Code></Error>"}]'
        rm -f "$SFB_STATE_DIR"/*.promoted
        run -0 --separate-stderr sfb backup --stream
        has "$stderr" 'no weekly copy was made: .*AccessDenied'
        (
            s3_environment
            [ "$(keys | grep -c 'daily/.*manifest.json$')" = 1 ]
            [ "$(keys | grep -c 'monthly/.*manifest.json$')" = 1 ]
            has_not "$(keys)" weekly/
            for key in $(keys); do tool "s3://$SFB_BUCKET" delete "$key"; done
        )
    done
}

@test "where memory is too little for two streams at once there is one, and a warning that says what helps" {
    put_only
    SFB_S3_MEMORY=16 run -0 --separate-stderr sfb backup --stream
    has "$stderr" 'no weekly copy was made: [0-9.]+ MB of memory are too little'
    has "$stderr" 'SFB_S3_MEMORY'
    s3_environment
    [ "$(keys | grep -c 'daily/.*manifest.json$')" = 1 ]
}

@test "a role that may list but not read: copies can't be made, and what to allow is said" {
    put_only '{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/backup"]}, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'"},'
    run -0 --separate-stderr sfb backup --stream
    has "$stderr" 'no weekly copy was made'
    has "$stderr" 's3:GetObject'
    s3_environment
    [ "$(keys | grep -c 'daily/.*manifest.json$')" = 1 ]
}

@test "it fails while it is sent three times: no object" {
    put_only
    export AWS_ENDPOINT_URL_S3=$PROXY
    proxy_rules '[{"method": "PUT", "target": "daily/.*partNumber=3", "do": "answer", "status": 403, "times": -1,
                   "body": "<Error><Code>AccessDenied</Code></Error>"}]'
    run -3 --separate-stderr sfb backup --stream
    has "$stderr" 'may not abort it \(s3:AbortMultipartUpload\)'
    has "$stderr" 'sfb prune --lifecycle --apply'
    s3_environment
    [ -z "$(keys)" ]
}

@test "memory stays below 200 MiB however much passes" {
    sql shop "CREATE TABLE more AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(33, 64) m) AS bytes
              FROM generate_series(1, 130000) n"
    proxy_rules '[{"method": "PUT", "do": "delay", "seconds": 3, "times": -1}]' # all buffers fill
    AWS_ENDPOINT_URL_S3=$PROXY PEAK=$T/peak python3 - "$SFB" backup --stream --no-read-back <<'END' >"$T/out"
import os, resource, subprocess, sys
rc = subprocess.run(sys.argv[1:]).returncode
with open(os.environ["PEAK"], "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(rc)
END
    sql shop "DROP TABLE more"
    has "$(cat "$T/out")" 'Backup size: 1[5-9][0-9]\.[0-9] MB' # much more than the buffers hold
    has_not "$(cat "$T/out")" 'reading it back'
    echo "peak: $(($(cat "$T/peak") / 1024)) MiB"
    is_sanitized || [ "$(cat "$T/peak")" -lt $((200 * 1024)) ]
    [ "$(cat "$T/peak")" -gt $((80 * 1024)) ] # they were full
}

@test "a directory is a store for it, too" {
    SFB_BUCKET=file://$T/store run -0 --separate-stderr sfb backup --stream
    nothing_here
    has "$output" 'Verified by reading it back'
    [ "$(find "$T/store" -name '*.dump' | wc -l)" = 3 ]
    SFB_BUCKET=file://$T/store run -0 --separate-stderr sfb restore --force latest
    same_content copy "$ROOT/content"
}

@test "contents larger than a part keep their offsets, of a stream and of a file" {
    db_new wide
    sql wide "CREATE TABLE events (id int); INSERT INTO events SELECT generate_series(1, 1000);
              DO \$\$ BEGIN FOR i IN 1..12 LOOP EXECUTE format('CREATE TABLE t%s (); COMMENT ON TABLE t%s IS %L', i, i, repeat(md5(i::text), 40000)); END LOOP; END \$\$;
              CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
              FROM generate_series(1, 20000) n"
    PRODUCTION_DATABASE_URL=$(db_url wide)
    for how in --stream --verbose; do
        run -0 --separate-stderr sfb backup $how
        rm -rf "${CACHE:?}"/*
        run -0 --separate-stderr sfb verify "$(dump_url)"
        tool "s3://$SFB_BUCKET" download "$(newest)" "$T/wide.dump" >/dev/null
        python3 "$HARNESS_DIR/contents.py" offsets "$T/wide.dump" # none of them is unknown
        run -0 --separate-stderr sfb restore --force latest
    done
    db_drop wide
}

@test "pg_dump fails in the middle: no object, no open upload" {
    # with two parts in memory, and each a while on its way, it can't be finished yet
    proxy_rules '[{"method": "PUT", "target": "partNumber=[2-9]", "do": "delay", "seconds": 2, "times": -1}]'
    export AWS_ENDPOINT_URL_S3=$PROXY
    SFB_S3_MEMORY=16 sfb_start backup --stream
    wait_for 60 in_log 'partNumber=2'
    kill -KILL "$(pgrep -n -P "$PID")"
    sfb_wait
    [ "$status" = 2 ]
    nothing_there
}
in_log() { grep -qE "$1" "$PROXY_LOG"; }

@test "an outage of the store, of minutes in make check-faults, is survived" {
    proxy_rules '[{"method": "PUT", "target": "partNumber=2", "do": "delay", "seconds": 2}]'
    export AWS_ENDPOINT_URL_S3=$PROXY
    unset SFB_S3_RETRY_SECONDS
    sfb_start backup --stream
    wait_for 60 in_log 'partNumber=1[^0-9]|uploads='
    proxy_rules '[{"do": "refuse", "times": -1}, {"do": "reset", "times": -1}]'
    sleep "${SFB_TEST_OUTAGE:-3}" # an outage is a time
    proxy_rules '[]'
    sfb_wait
    [ "$status" = 0 ]
    has "$stderr" 'trying again for up to'
    run -0 sfb verify "$(dump_url)"
}

@test "the upload fails in the middle, or at its end: exit 3, no object, no open upload" {
    export AWS_ENDPOINT_URL_S3=$PROXY
    for target in partNumber=2 'partNumber=1&' uploadId=.*; do
        proxy_rules '[{"method": "P", "target": "x", "do": "reset"},
                      {"target": "'"$target"'", "method": "'"$([ "$target" = 'uploadId=.*' ] && echo POST || echo PUT)"'", "do": "answer", "status": 403, "times": -1,
                       "body": "<Error><Code>AccessDenied</Code></Error>"}]'
        run -3 --separate-stderr sfb backup --stream
        has "$stderr" 'AccessDenied'
        (nothing_there)
    done
    # the dump is there, its manifest can't be
    proxy_rules '[{"method": "PUT", "target": "manifest.json", "do": "answer", "status": 403, "times": -1,
                   "body": "<Error><Code>AccessDenied</Code></Error>"}]'
    run -3 --separate-stderr sfb backup --stream
    (nothing_there)
    # it was written, but that was not heard
    proxy_rules '[{"method": "PUT", "target": "manifest.json", "do": "lose"},
                  {"method": "PUT", "target": "manifest.json", "do": "answer", "status": 403, "times": -1,
                   "body": "<Error><Code>AccessDenied</Code></Error>"}]'
    run -3 --separate-stderr sfb backup --stream
    (nothing_there)
}

@test "what the store has is another thing than what was sent: exit 4, and it is gone" {
    export AWS_ENDPOINT_URL_S3=$PROXY
    proxy_rules '[{"method": "GET", "target": "\\.dump", "skip": 1, "do": "spoil", "after": 200000, "times": -1}]'
    run -4 --separate-stderr sfb backup --stream
        has "$stderr" 'what the store has is not what was sent'
    proxy_rules '[]'
    nothing_there
}

@test "a store that can't be read just now costs a warning, not the backup" {
    export AWS_ENDPOINT_URL_S3=$PROXY SFB_S3_RETRY_SECONDS=1
    proxy_rules '[{"method": "GET", "target": "\\.dump", "do": "answer", "status": 503, "times": -1}]'
    run -0 --separate-stderr sfb backup --stream
    has "$stderr" 'could not be read back'
    has_not "$output" 'Verified by reading'
}

@test "SIGTERM, and SIGKILL: nothing is half there" {
    export AWS_ENDPOINT_URL_S3=$PROXY
    proxy_rules '[{"method": "PUT", "target": "partNumber=3", "do": "stall"}]'
    sfb_start backup --stream
    wait_for 60 in_log 'partNumber=3.* stall'
    kill -TERM "$PID"
    sfb_wait
    [ "$status" = 143 ]
    no_children
    (nothing_there)
    # all is there but the manifest
    proxy_rules '[{"method": "PUT", "target": "daily/.*manifest.json", "do": "stall"}]'
    sfb_start backup --stream
    wait_for 60 in_log 'manifest.json.* stall'
    kill -TERM "$PID"
    sfb_wait
    [ "$status" = 143 ]
    has_not "$stderr" 'could not be deleted'
    (nothing_there)
    proxy_rules '[{"method": "PUT", "target": "partNumber=3", "do": "stall"}]'
    sfb_start backup --stream
    wait_for 60 in_log 'partNumber=3.* stall'
    kill -KILL "$PID"
    sfb_wait
    no_children
    AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT
    [ -z "$(keys)" ] # parts stay, for the lifecycle; there is no object
    nothing_here
}

@test "a database that no stream in that memory carries is refused before anything is sent" {
    export AWS_ENDPOINT_URL_S3=$PROXY
    SFB_S3_MEMORY=16 SFB_S3_MAX_PARTS=2 run -6 --separate-stderr sfb backup --stream
    has "$stderr" 'a stream of 2 parts in 16.0 MB of memory carries 16.0 MB'
    has "$stderr" 'SFB_S3_MEMORY'
    has_not "$(proxy_log)" '\.dump|uploads='
    # what may be too much is said before, and when it is
    SFB_S3_MEMORY=16 SFB_S3_MAX_PARTS=4 run -3 --separate-stderr sfb backup --stream
    has "$stderr" 'a stream in this memory carries 32.0 MB, and about .* are expected'
    has "$stderr" 'has become larger than 4 parts can carry'
    nothing_there
}

@test "what --stream can't go with is an error of usage" {
    run -6 --separate-stderr sfb backup --stream --local-only
    has "$stderr" 'local-only'
    run -6 --separate-stderr sfb backup --stream --format sql
    has "$stderr" 'plain SQL'
    [ -z "$(keys)" ]
}

@test "zstd, no compression, and an empty database" {
    run -0 --separate-stderr sfb backup --stream -c 0
    run -0 --separate-stderr sfb verify "$(dump_url)"
    db_new empty
    PRODUCTION_DATABASE_URL=$(db_url empty) run -0 --separate-stderr sfb backup --stream
    has "$output" 'the MD5 of it'
    db_drop empty
}
