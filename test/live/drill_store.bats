#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# drill_store.bats - a drill with the bucket's latest backup, by a role that may only read, and what it leaves in the history.
load harness
load s3-server
load drill-tools

setup_file() {
    file_begin
    pg_start
    drill_shop
    s3_start
    s3_user restore RESTOREKEY0000000000 restore-secret-0123456789
}
teardown_file() { s3_stop; file_end; }
setup() {
    test_begin
    drill_environment
    s3_environment
    export SFB_BUCKET=drills-$BATS_TEST_NUMBER SFB_S3_RETRY_SECONDS=5
    s3_call PUT "$SFB_BUCKET" >/dev/null
    sfb backup >/dev/null
}
teardown() { test_end; }

@test "without a name the bucket's latest production backup is rehearsed" {
    rm -r "$CACHE"
    run -0 --separate-stderr sfb drill
    has "$output" "Chosen: s3://$SFB_BUCKET/production/[a-z]*/backup-[0-9-]*\\.dump \\(the newest"
    has "$output" 'Downloading backup from S3'
    has "$output" '✅ every row is as it was backed up'
    empty_dir "$WORK"
    mkdir -p "$CACHE"
    run -0 --separate-stderr sfb drill --local latest@weekly
    has "$output" "Chosen: s3://$SFB_BUCKET/production/weekly/.* \\(the newest of 1 good backup of production, weekly\\)"
}

@test "a role that may read the backups and nothing else can drill" {
    cat >"$T/policy.json" <<END
{ "Version": "2012-10-17", "Statement": [
  { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/restore"] }, "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["arn:aws:s3:::$SFB_BUCKET/production/*", "arn:aws:s3:::$SFB_BUCKET"] } ] }
END
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary "@$T/policy.json" >/dev/null
    s3_environment RESTOREKEY0000000000 restore-secret-0123456789
    run -0 sfb drill
    has "$output" '✅ Drill completed successfully'
}

@test "a wrong key, a wrong secret, a missing bucket, an unreachable store: exit 1, and each says which it is" {
    AWS_ACCESS_KEY_ID=WRONGKEY000000000000 run -1 --separate-stderr sfb drill
    has "$stderr" 'WRONGKEY000000000000|InvalidAccessKeyId|access key'
    AWS_SECRET_ACCESS_KEY=wrong run -1 --separate-stderr sfb drill
    has "$stderr" 'SignatureDoesNotMatch|secret'
    SFB_BUCKET=no-such-bucket run -1 --separate-stderr sfb drill
    has "$stderr" 'no-such-bucket'
    AWS_ENDPOINT_URL_S3=https://localhost:1 SFB_S3_RETRY_SECONDS=1 run -1 --separate-stderr sfb drill
    run -1 --separate-stderr sfb drill "s3://$SFB_BUCKET/production/daily/backup-20000101-000000.dump"
    has "$output" '❌ the backup is there.*backup-20000101-000000\.dump'
}

@test "history tells what a drill proved, how long it took, and why one failed" {
    sfb drill >/dev/null
    run -5 sfb drill --smoke-cmd false
    has "$output" 'Lost would be what happened in the last'
    line=$(grep '"drill"' "$SFB_STATE_DIR/history.jsonl" | head -n 1)
    echo "$line" >"$T/line.json"
    [ "$(json "$T/line.json" proven)" = 1 ]
    [ "$(json "$T/line.json" stored)" = 1 ]
    [[ "$(json "$T/line.json" backup)" = backup-*.dump ]]
    [ "$(json "$T/line.json" rows)" = 2003 ]
    awk -v s="$(json "$T/line.json" recovery_seconds)" 'BEGIN { exit !(s > 0) }'
    grep '"drill"' "$SFB_STATE_DIR/history.jsonl" | tail -n 1 >"$T/line.json"
    [ "$(json "$T/line.json" exit_code)" = 5 ]
    has "$(json "$T/line.json" error)" 'the smoke command succeeds'
}
