#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# doctor.bats - `sfb doctor`: what is right, what is wrong and what to do, against a real server and a real bucket.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 10);
              CREATE ROLE narrow LOGIN PASSWORD '$PG_PASSWORD'"
    if command -v radosgw >/dev/null; then s3_start; fi
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

s3_put() { # PATH [BODY]
    curl -sSf --cacert "$S3_CA" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" --aws-sigv4 aws:amz:us-east-1:s3 \
        -u "$S3_KEY:$S3_SECRET" -X PUT --data-binary "${2-}" "https://localhost:$S3_PORT/$1"
}
# a bucket of the test's own
need_bucket() {
    if ! command -v radosgw >/dev/null; then
        [ "${SFB_TEST_S3-}" != 1 ] || return 1
        skip "no radosgw"
    fi
    BUCKET=ward-$BATS_TEST_NUMBER
    SFB_BUCKET=s3://$BUCKET
    s3_put "$BUCKET"
}

@test "where all is well it says so, line by line, and changes nothing" {
    sfb backup
    before=$(files_in "$T")
    run -0 --separate-stderr sfb doctor
    has "$output" '^✅ database: postgresql://127.0.0.1:[0-9]+/shop as postgres \(PRODUCTION_DATABASE_URL, from the environment\): PostgreSQL 1[0-9]'
    has "$output" '^✅ pg_dump: 1[0-9]\.[0-9]+, inside sfb, fits this server$'
    has "$output" '^✅ privileges: '
    has "$output" "^✅ work directory: $WORK \(SFB_WORK_DIR, from the environment\)$"
    has "$output" '^✅ space: .* free in .*; a dump is expected to need '
    has "$output" '^✅ backups: 3 of production, the newest just made$'
    has "$output" '^✅ reading: '
    has "$output" '^✅ All is well$'
    has_not "$output" "$PG_PASSWORD"
    [ -z "$stderr" ]
    [ "$(files_in "$T")" = "$before" ]
}

@test "what is broken is named with its remedy, and the exit code is 1" {
    PRODUCTION_DATABASE_URL=$(db_url shop narrow)
    : >"$T/file"
    export SFB_CACHE_DIR=$T/file/cache
    run -1 --separate-stderr sfb doctor
    has "$output" '^❌ privileges: narrow may not read table public.t$'
    has "$output" '^      as an administrator of that server: GRANT '
    has "$output" "^❌ cache: user .* can't write to $T/file/cache \\("
    has "$output" '^⚠️  backups: there is none of production yet$'
    has "$output" '^❌ 2 things are broken, 1 warning$'
    run -1 --separate-stderr sfb doctor -e staging
    has "$output" '^❌ database: no database is set for the environment staging$'
    run -7 sfb doctor -e moon
    run -7 sfb doctor now
}

@test "JSON says the same" {
    sfb backup
    SFB_JOBS=many run -1 --separate-stderr sfb doctor --json
    python3 - 3<<<"$output" <<'END'
import json
r = json.load(open(3))
states = {f["topic"]: f["state"] for f in r["findings"]}
assert r["environment"] == "production" and r["broken"] == 1, r
assert states["settings"] == "broken" and states["database"] == "fine", states
assert all(f["remedy"] for f in r["findings"] if f["state"] in ("warning", "broken") and f["topic"] != "settings"), r
END
}

@test "a bucket: who, where and who said so, what may be done, and what is missing" {
    need_bucket
    sfb backup
    run -0 --separate-stderr sfb doctor --write
    has "$output" "^✅ store: s3://$BUCKET \(SFB_BUCKET, from the environment\)$"
    has "$output" "^✅ endpoint: https://localhost:$S3_PORT \(from AWS_ENDPOINT_URL_S3\), region us-east-1 \(from AWS_REGION\), bucket in the path$"
    has "$output" '^✅ credentials: ROOT…0000 from the environment \(AWS_ACCESS_KEY_ID\)$'
    has "$output" '^✅ TLS: TLSv1\.[23], its certificate is good until 20'
    has "$output" '^✅ clock: '
    has "$output" '^✅ backups: 3 of production'
    has "$output" '^✅ writing: '
    has "$output" '^✅ deleting: '
    has "$output" '^⚠️  versioning: off'
    has "$output" '^⚠️  cut uploads: no rule clears'
    has_not "$output" "$S3_SECRET"
    run -0 sfb list "$SFB_BUCKET"
    has_not "$output" sfb-doctor
}

@test "lifecycle rules that would take the last backup are read out of the bucket" {
    need_bucket
    sfb backup
    sfb prune --lifecycle --apply
    run -0 --separate-stderr sfb doctor
    has "$output" '^⚠️  lifecycle: rule "delete-daily-backups-after-30-days" goes by age alone'
    SFB_TEST_NOW=$(($(date +%s) + 28 * 86400)) run -1 --separate-stderr sfb doctor
    has "$output" '^❌ lifecycle: rule "delete-daily-backups-after-30-days" deletes the newest daily backup of production on '
    has "$output" '^✅ cut uploads: their parts are cleared after 2 days$'
    has "$output" '^⚠️  backups: 3 of production, the newest 28d old$'
}

@test "the contract's backup role may ask nothing: that is no trouble" {
    need_bucket
    s3_user "backup-$BUCKET" BACKUPKEY00000000000 backup-secret-0123456789
    s3_put "$BUCKET?policy=" '{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": ["s3:PutObject"],
        "Principal": { "AWS": ["arn:aws:iam:::user/backup-'"$BUCKET"'"] }, "Resource": "arn:aws:s3:::'"$BUCKET"'/production/*" } ] }'
    AWS_ACCESS_KEY_ID=BACKUPKEY00000000000 AWS_SECRET_ACCESS_KEY=backup-secret-0123456789 \
        run -0 --separate-stderr sfb doctor --write
    has "$output" '^➖ bucket: not known \(not permitted\)'
    has "$output" '^➖ backups: not known \(not permitted\)$'
    has "$output" '^➖ lifecycle: not known \(not permitted\)$'
    has "$output" '^✅ writing: '
    has "$output" '^➖ deleting: not permitted'
}

@test "a wrong secret, a missing bucket, a dead endpoint and no credentials are told apart" {
    need_bucket
    AWS_SECRET_ACCESS_KEY=wrong run -1 sfb doctor
    has "$output" '^❌ bucket: .*SignatureDoesNotMatch'
    has "$output" '^      the secret access key does not belong to the access key'
    SFB_BUCKET=s3://nowhere-at-all run -1 sfb doctor
    has "$output" '^❌ bucket: there is no bucket nowhere-at-all$'
    AWS_ENDPOINT_URL_S3=https://localhost:1 run -1 sfb doctor
    has "$output" '^❌ reachable: '
    AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' run -1 sfb doctor
    has "$output" '^❌ credentials: '
    AWS_CA_BUNDLE='' run -1 sfb doctor
    has "$output" '^❌ reachable: .*TLS: the certificate of .* is not from an authority known here'
}
