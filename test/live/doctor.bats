#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# doctor.bats - `sfb doctor`: what is right, what is wrong and what to do, against a real server and a real bucket.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 10);
              CREATE ROLE narrow LOGIN PASSWORD '$PG_PASSWORD'"
    if command -v radosgw >/dev/null; then s3_start; else s3_tls; fi
    tools_begin
}
teardown_file() {
    tools_end
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
# Whatever is broken, and whatever will hurt, has a line below it that says what to do.
remedied() {
    awk 'topic != "" && !/^      / { print "no remedy: " topic; bad = 1 } { topic = "" } /^(❌|⚠️ ) *[a-zA-Z_ ]+: / { topic = $0 }
         END { exit bad || topic != "" }' <<<"$output"
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
    remedied
    has "$output" '^❌ privileges: narrow may not read table public.t$'
    has "$output" '^      as an administrator of that server: GRANT '
    has "$output" "^❌ cache: $T/file is a file, not a directory \\("
    has "$output" '^⚠️  backups: there is none of production yet$'
    has "$output" '^❌ 2 things are broken, 1 warning$'
    run -1 --separate-stderr sfb doctor -e staging
    remedied
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
    remedied
    has "$output" '^❌ bucket: .*SignatureDoesNotMatch'
    has "$output" '^      the secret access key does not belong to the access key'
    SFB_BUCKET=s3://nowhere-at-all run -1 sfb doctor
    remedied
    has "$output" '^❌ bucket: there is no bucket nowhere-at-all$'
    AWS_ENDPOINT_URL_S3=https://localhost:1 run -1 sfb doctor
    remedied
    has "$output" '^❌ reachable: '
    AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' run -1 sfb doctor
    remedied
    has "$output" '^❌ credentials: '
    AWS_CA_BUNDLE='' run -1 sfb doctor
    remedied
    has "$output" '^❌ reachable: .*TLS: the certificate of .* is not from an authority known here'
}

@test "what the bucket keeps: versions, object lock and its encryption, as a real server says, and as one does that has it all" {
    need_bucket
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^⚠️  versioning: off: what is deleted or overwritten is gone$'
    has "$output" '^      turn it on'
    s3_put "$BUCKET?versioning=" '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^✅ versioning: on$'
    has "$output" '^➖ object lock: off$'
    has "$output" '^⚠️  old versions: the bucket keeps what is deleted, and no rule ever clears it$'
    has "$output" '^      add NoncurrentVersionExpiration'
    s3_put "$BUCKET?versioning=" '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>'
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^⚠️  versioning: suspended: '
    s3_call PUT "locked-$BUCKET" -H 'x-amz-bucket-object-lock-enabled: true'
    export SFB_BUCKET=s3://locked-$BUCKET
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^✅ versioning: on$'
    has "$output" '^➖ object lock: on, but nothing is locked by default$'
    for rule in 'GOVERNANCE Days 7' 'COMPLIANCE Years 2'; do
        # shellcheck disable=SC2086 # three words
        set -- $rule
        s3_put "locked-$BUCKET?object-lock=" "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>$1</Mode><$2>$3</$2></DefaultRetention></Rule></ObjectLockConfiguration>"
        run -0 --separate-stderr sfb doctor
    remedied
        has "$output" "^✅ object lock: $1, $3 ${2,,}$"
    done
    stub
    SFB_BUCKET=s3://versioned run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^✅ encryption: .*aws:kms'
    has "$output" '^✅ object lock: COMPLIANCE, 7 days$'
}

# The strict stub instead of radosgw, for all that follows in the test: stub [OPTIONS...]
stub() {
    stub_start "doctor$BATS_TEST_NUMBER" tls "$@"
    url=STUB_DOCTOR$BATS_TEST_NUMBER
    export AWS_ENDPOINT_URL=${!url} AWS_REGION=us-east-1 AWS_CA_BUNDLE=$S3_CA AWS_EC2_METADATA_DISABLED=true
    export AWS_ACCESS_KEY_ID=STUBKEY AWS_SECRET_ACCESS_KEY=stubsecret SFB_BUCKET=s3://plain-bucket
    unset AWS_ENDPOINT_URL_S3
}

@test "who it is: the identity that STS names, and what it came from, of a key and of a role" {
    stub
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" "^✅ endpoint: https://localhost:[0-9]+ \(from AWS_ENDPOINT_URL\), region us-east-1 \(from AWS_REGION\)"
    has "$output" '^✅ identity: arn:aws:sts::1:assumed-role/r/s$'
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION
    mkdir "$T/.aws"
    printf '[default]\naws_access_key_id = STUBKEY\naws_secret_access_key = stubsecret\n' >"$T/.aws/credentials"
    printf '[profile night]\nrole_arn = arn:aws:iam::1:role/backup\nsource_profile = default\nregion = eu-west-3\n' >"$T/.aws/config"
    AWS_PROFILE=night run -0 --separate-stderr sfb doctor
    remedied
    has "$output" "^✅ credentials: ROLEKEY? from role arn:aws:iam::1:role/backup, by STS \(profile night in $T/.aws/config\)$|^✅ credentials: ROLE… from role arn:aws:iam::1:role/backup, by STS \(profile night in $T/.aws/config\)$"
    has "$output" '^✅ identity: arn:aws:sts::1:assumed-role/r/s$'
    has "$output" "region eu-west-3 \(from profile night in $T/.aws/config\)"
}

@test "this host's clock, against the server's: a minute is a warning, a quarter of an hour broken" {
    stub --clock 300
    run -0 --separate-stderr sfb doctor
    remedied
    has "$output" '^⚠️  clock: (5m|4m 59s|5m 1s|5m 0s) behind the server.s$'
    has "$output" "^      set this host's clock \(NTP\)"
    for clock in 3600 -3600; do
        BATS_TEST_NUMBER=$BATS_TEST_NUMBER${clock/-/0} stub --clock $clock
        run -1 --separate-stderr sfb doctor
    remedied
        if [ $clock = 3600 ]; then has "$output" '^❌ clock: (1h|59m).* behind'; else has "$output" '^❌ clock: (1h|59m|60m).* ahead of'; fi
        has "$output" "^      set this host's clock \(NTP\)"
    done
}

@test "the database: a dead server, a wrong password, an unknown one; each with its remedy" {
    for url in "postgresql://postgres:x@127.0.0.1:1/shop" "$(db_url shop postgres wrong-4711)" "$(db_url nowhere)"; do
        PRODUCTION_DATABASE_URL=$url run -1 --separate-stderr sfb doctor
    remedied
        has "$output" '^❌ database: '
        [ "$(grep -A 1 '^❌ database: ' <<<"$output" | tail -n 1 | cut -c1-6)" = '      ' ]
        has_not "$output" 'wrong-4711'
    done
}

@test "the tool: a server that is newer than sfb's own programs needs the host's, and that is said" {
    tools_run newer python3 "$HARNESS_DIR/versionproxy.py" --to "$PG_PORT" --say 19
    PRODUCTION_DATABASE_URL=${PRODUCTION_DATABASE_URL/:$PG_PORT/:$(<"$ROOT/tools/newer.port")}
    run -1 --separate-stderr sfb doctor
    remedied
    has "$output" '^✅ database: .*: PostgreSQL 19\.'
    has "$output" '^❌ pg_dump: .*19'
    has "$output" '^      .*SFB_PG_BINDIR'
}

@test "directories: each that was named and can't be used is broken, with what to do" {
    : >"$T/file"
    for which in WORK:'work directory' CACHE:cache LOG:'audit log' STATE:state; do
        name=SFB_${which%%:*}_DIR
        run -1 --separate-stderr env "$name=$T/file/x" "$SFB" doctor
        remedied
        has "$output" "^❌ ${which#*:}: $T/file is a file, not a directory \($name, from the environment\)$"
        has "$output" "^      set $name to a directory$"
        run -1 --separate-stderr env "$name=~/x" "$SFB" doctor
        remedied
        has "$output" "^❌ ${which#*:}: user .* can't write to ~/x \($name, from the environment\)$"
        has "$output" "^      as root: install -d -m 750 -o [^ ]+ ~/x; or set $name to another directory$"
    done
    SFB_BUCKET=file://$T/away run -1 --separate-stderr sfb doctor
    remedied
    has "$output" "^❌ store: $T/away is no directory that can be used"
    has "$output" '^      .*mount'
}

@test "space: too little for the dump is broken, and says what to do" {
    need_small_fs
    db_new large
    sql large "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes FROM generate_series(1, 5000) n"
    mkdir "$T/small"
    PRODUCTION_DATABASE_URL=$(db_url large) SFB_WORK_DIR=$T/small run -1 --separate-stderr small_fs 1m "$T/small" "$SFB" doctor
    has "$output" "^❌ space: .* free in $T/small; a dump is expected to need "
    has "$output" '^      make room there, set SFB_WORK_DIR to a larger disk, or back up with --stream$'
    db_drop large
}
