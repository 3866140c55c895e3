#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store.bats - the store layer against a real S3 server.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    s3_start
    tools_begin
    s3_user backup BACKUPKEY0 backup-secret
    s3_user restore RESTOREKEY restore-secret
    make_bucket backups
    make_bucket locked
    random_file 30000000 "$ROOT/thirty"
    random_file 100000 "$ROOT/small"
}
teardown_file() { tools_end; s3_stop; file_end; }
setup() { test_begin; s3_environment; B=s3://backups/$BATS_TEST_NUMBER; }
teardown() { test_end; }

make_bucket() { AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET tool "s3://$1" raw PUT - -; }
policy() { tool "s3://$1" raw PUT - policy= "$2"; }
as() { s3_environment "$1" "$2"; }

# The contract's policy, for our two users.
contract_policy() {
    policy "$1" '{"Version": "2012-10-17", "Statement": [
      {"Sid": "AllowBackupScriptWrite", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/backup"},
       "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "arn:aws:s3:::'"$1"'/production/*"},
      {"Sid": "AllowRestoreScriptRead", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/restore"},
       "Action": ["s3:GetObject", "s3:ListBucket"],
       "Resource": ["arn:aws:s3:::'"$1"'/production/*", "arn:aws:s3:::'"$1"'"]},
      {"Sid": "DenyUnencryptedUploads", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
       "Resource": "arn:aws:s3:::'"$1"'/*",
       "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}'
}

@test "a small object goes there and back, whatever its name" {
    for key in a.txt "production/daily/a b+c=d&e%f~'(x)*!.dump" "ü/€/𝄞" "q?u#e"; do
        run -0 tool "$B" put "$key" "$ROOT/small"
        has "$output" 'proof=etag'
        tool "$B" get "$key" | cmp - "$ROOT/small"
    done
    run -0 tool "$B" list
    [ "${#lines[@]}" = 4 ]
    has "$output" '^ü/€/𝄞 100000'
}

@test "an empty object is one, too" {
    : >"$T/empty"
    run -0 tool "$B" put e "$T/empty"
    run -0 tool "$B" upload f "$T/empty"
    run -0 tool "$B" file g "$T/empty"
    run -0 tool "$B" get f
    [ -z "$output" ]
    run -0 tool "$B" download e "$T/out"
    [ -f "$T/out" ] && [ ! -s "$T/out" ]
}

@test "a stream becomes parts of one size, the first changed at the end, and its ETag is ours" {
    run -0 env TOOL_EXPECTED=30000000 "$TOOL" "$B" upload big "$ROOT/thirty" PATCH
    has "$output" 'size=30000000 parts=4 .*proof=etag'
    has "$output" 'moved=30000000'
    { printf PATCH; tail -c +6 "$ROOT/thirty"; } >"$T/expected"
    run -0 tool "$B" download big "$T/out"
    cmp "$T/out" "$T/expected"
    run -0 tool s3://backups uploads
    [ -z "$output" ]
}

@test "a file that grows goes up while it grows, its beginning last" {
    cp "$ROOT/thirty" "$T/file"
    run -0 env TOOL_EXPECTED=30000000 "$TOOL" "$B" follow big "$T/file" PATCH
    has "$output" 'parts=4 .*proof=etag'
    run -0 tool "$B" download big "$T/out"
    cmp "$T/out" "$T/file"
    [ "$(head -c 5 "$T/out")" = PATCH ]
}

@test "what fits into one part is a single PUT, and nothing before it is whole" {
    run -0 env TOOL_VERBOSE=1 TOOL_EXPECTED=100000 "$TOOL" "$B" upload small "$ROOT/small"
    has "$output" 'parts=0'
    [ "$(grep -c 'debug: [A-Z]* https' <<<"$output")" = 1 ]
}

@test "a server that allows few parts gets larger ones; a stream that outgrows them gets still larger ones" {
    run -0 env TOOL_MAX_PARTS=2 TOOL_EXPECTED=30000000 "$TOOL" "$B" file a "$ROOT/thirty"
    has "$output" 'parts=2 .*proof=etag'
    run -0 env TOOL_MAX_PARTS=4 TOOL_EXPECTED=1 "$TOOL" "$B" upload b "$ROOT/thirty"
    has "$output" 'parts=4 .*proof=etag'
    run -17 env TOOL_MAX_PARTS=1 TOOL_EXPECTED=1 "$TOOL" "$B" upload c "$ROOT/thirty"
    has "$output" 'larger than 1 parts'
    has "$output" 'SFB_S3_MAX_PARTS'
}

@test "ranges are what they should be, at every edge" {
    tool "$B" put r "$ROOT/small"
    for range in "0 1" "0 100000" "99999 1" "50000 50000" "99999 100" "100000 5" "200000 5" "7 0"; do
        # shellcheck disable=SC2086 # two numbers
        tool "$B" read r $range | cmp - <(tail -c +$((${range% *} + 1)) "$ROOT/small" | head -c "${range#* }")
    done
}

@test "a pinned object that was replaced is not read" {
    tool "$B" put p "$ROOT/small"
    etag=$(tool "$B" head p | grep -o 'etag=[^ ]*')
    etag=${etag#etag=}
    run -0 --separate-stderr tool "$B" read p 0 10 "$etag"
    echo other >"$T/other"
    tool "$B" put p "$T/other"
    run -19 --separate-stderr tool "$B" read p 0 10 "$etag"
    has "$stderr" 'DAMAGED: .*another object now'
    run -19 tool "$B" download p "$T/out" "$etag"
}

@test "copies are made by the server" {
    TOOL_EXPECTED=30000000 tool "$B" file a "$ROOT/thirty"
    run -0 tool "$B" copy a weekly/a
    run -0 tool "$B" download weekly/a "$T/out"
    cmp "$T/out" "$ROOT/thirty"
    run -13 tool "$B" copy nothing weekly/b
}

@test "what is larger than the server copies at once is copied in parts, all of one object" {
    TOOL_EXPECTED=30000000 tool "$B" file a "$ROOT/thirty"
    run -0 env TOOL_COPY_MOST=8000000 TOOL_VERBOSE=1 "$TOOL" "$B" copy a weekly/a
    has "$output" 'size=30000000'
    [ "$(grep -c 'debug: PUT .*partNumber=' <<<"$output")" = 4 ]
    run -0 tool "$B" download weekly/a "$T/out"
    cmp "$T/out" "$ROOT/thirty"
    run -0 tool s3://backups uploads "$BATS_TEST_NUMBER/"
    [ -z "$output" ]
    run -13 env TOOL_COPY_MOST=8000000 "$TOOL" "$B" copy nothing weekly/b
    # one that may not: it says so, so that its caller uploads a second time; and leaves no parts
    make_bucket copies
    tool s3://copies/production file daily/a "$ROOT/thirty"
    policy copies '{"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/backup"},
       "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket"], "Resource": ["arn:aws:s3:::copies", "arn:aws:s3:::copies/*"]}]}'
    as BACKUPKEY0 backup-secret
    run -17 env TOOL_COPY_MOST=8000000 "$TOOL" s3://copies/production copy daily/a weekly/a
    has "$output" 'denied=1'
    as "$S3_KEY" "$S3_SECRET"
    run -0 tool s3://copies uploads
    [ -z "$output" ]
}

@test "as much of the beginning as may change is held back, of a stream and of a file" {
    { head -c 15000000 "$ROOT/thirty"; printf PATCH; tail -c +15000006 "$ROOT/thirty"; } >"$T/expected"
    export TOOL_EXPECTED=30000000 TOOL_HOLD=20000000 TOOL_PATCH_AT=15000000
    run -0 env TOOL_VERBOSE=1 "$TOOL" "$B" upload big "$ROOT/thirty" PATCH
    has "$output" 'parts=4 .*proof=etag'
    # 3 parts of 8 MiB are needed for it: they come after the fourth
    [ "$(grep -o 'debug: PUT .*partNumber=[0-9]*' <<<"$output" | grep -o '[0-9]*$' | tr '\n' ' ')" = '4 1 2 3 ' ]
    tool "$B" download big "$T/out"
    cmp "$T/out" "$T/expected"
    cp "$ROOT/thirty" "$T/file"
    run -0 tool "$B" follow big "$T/file" PATCH
    has "$output" 'parts=4 .*proof=etag'
    tool "$B" download big "$T/out"
    cmp "$T/out" "$T/expected"
    TOOL_HOLD=0 run -26 tool "$B" upload big "$ROOT/thirty" PATCH # it has not been said before
    # all of it may change: one PUT, or all parts at the end
    TOOL_HOLD=40000000 run -0 tool "$B" upload big "$ROOT/thirty" PATCH
    tool "$B" download big "$T/out"
    cmp "$T/out" "$T/expected"
}

@test "a stream keeps within its memory: what can't be carried in it is refused, before or when it is known" {
    TOOL_MEMORY=16777216 TOOL_MAX_PARTS=3 TOOL_EXPECTED=30000000 run -12 --separate-stderr tool "$B" upload m "$ROOT/thirty"
    has "$stderr" 'a stream of 3 parts in 16.0 MB of memory carries 24.0 MB'
    TOOL_MEMORY=16777216 TOOL_MAX_PARTS=3 TOOL_EXPECTED=1 run -17 --separate-stderr tool "$B" upload m "$ROOT/thirty"
    has "$stderr" 'larger than 3 parts'
    run -13 tool "$B" head m
    TOOL_MEMORY=16777216 run -0 tool "$B" upload m "$ROOT/thirty"
}

@test "deleting twice is deleting once; what is gone is not found" {
    tool "$B" put d "$ROOT/small"
    run -0 tool "$B" delete d
    run -0 tool "$B" delete d
    run -13 --separate-stderr tool "$B" get d
    has "$stderr" 'NOT_FOUND: there is no s3://backups/.*/d .*request tx'
    run -13 tool "$B" head d
    run -13 tool "$B" download d "$T/out"
}

@test "a store has only the rights it was opened for, and sends nothing beyond them" {
    run -26 env TOOL_RIGHTS=1 TOOL_VERBOSE=1 "$TOOL" "$B" put x "$ROOT/small"
    has_not "$output" 'https'
    run -26 env TOOL_RIGHTS=3 "$TOOL" "$B" delete x
    run -26 env TOOL_RIGHTS=2 "$TOOL" "$B" get x
}

@test "the contract's backup role can back up, and knows that it did" {
    make_bucket contract
    contract_policy contract
    tool s3://contract/production put daily/another.dump "$ROOT/small"
    as BACKUPKEY0 backup-secret
    run -0 tool s3://contract/production put daily/x.manifest.json "$ROOT/small"
    has "$output" 'proof=etag'
    run -0 env TOOL_EXPECTED=30000000 "$TOOL" s3://contract/production upload daily/x.dump "$ROOT/thirty"
    has "$output" 'parts=4 .*proof=(etag|md5)'
    has_not "$output" 'warn|denied'
    run -17 --separate-stderr tool s3://contract/production copy daily/another.dump weekly/x.dump # what it wrote itself it may, here
    has "$output" 'denied=1'
    run -17 --separate-stderr tool s3://contract/staging put daily/x "$ROOT/small"
    has "$stderr" 'AccessDenied \(403, request tx'
    has "$stderr" 'hint: .*s3:PutObject'
    run -17 --separate-stderr env TOOL_SSE=aws:kms "$TOOL" s3://contract/production put daily/y "$ROOT/small"
    has "$stderr" 'hint: .*SFB_SSE'
    run -18 --separate-stderr tool s3://contract/production list
    has "$stderr" 's3:ListBucket'
    as RESTOREKEY restore-secret
    run -0 tool s3://contract/production list daily/
    has "$output" 'daily/x.dump 30000000'
    run -0 tool s3://contract/production download daily/x.dump "$T/out"
    cmp "$T/out" "$ROOT/thirty"
    run -17 tool s3://contract/production put z "$ROOT/small"
}

@test "an upload that fails leaves nothing; where aborting is not allowed it says what removes the parts" {
    run -17 env TOOL_MAX_PARTS=2 TOOL_EXPECTED=1 "$TOOL" "$B" upload x - < <(cat "$ROOT/thirty" "$ROOT/thirty")
    run -0 tool s3://backups uploads
    [ -z "$output" ]
    make_bucket contract
    contract_policy contract
    as BACKUPKEY0 backup-secret
    run -17 --separate-stderr env TOOL_MAX_PARTS=2 TOOL_EXPECTED=1 "$TOOL" s3://contract/production upload x - < <(cat "$ROOT/thirty" "$ROOT/thirty")
    has "$stderr" 'may not abort it \(s3:AbortMultipartUpload\)'
    has "$stderr" 'AbortIncompleteMultipartUpload'
    run -13 env AWS_ACCESS_KEY_ID=RESTOREKEY AWS_SECRET_ACCESS_KEY=restore-secret "$TOOL" s3://contract/production get x
}

at_once() { has_not "$stderr" 'trying again'; }
@test "bad identities, buckets and clocks: one line with the request id, a remedy, at once" {
    export TOOL_VERBOSE=1
    SECONDS=0
    AWS_SECRET_ACCESS_KEY=wrong run -18 --separate-stderr tool "$B" list
    has "$stderr" 'STORE: .*SignatureDoesNotMatch \(403, request tx'
    has "$stderr" 'hint: the secret access key .*AWS_ACCESS_KEY_ID'
    at_once
    AWS_ACCESS_KEY_ID=NOBODY run -17 --separate-stderr tool "$B" put x "$ROOT/small"
    has "$stderr" 'UPLOAD: .*InvalidAccessKeyId'
    at_once
    run -18 --separate-stderr tool s3://not-there list
    has "$stderr" 'NoSuchBucket'
    has "$stderr" "hint: create the bucket, .*$AWS_ENDPOINT_URL_S3"
    at_once
    run -18 --separate-stderr env TOOL_CLOCK=-3600 "$TOOL" "$B" list
    has "$stderr" 'RequestTimeTooSkewed'
    has "$stderr" "hint: this host's clock is (1h|59m|1h 0m).* slow"
    at_once
    run -18 --separate-stderr env TOOL_CLOCK=7200 "$TOOL" "$B" list
    has "$stderr" 'fast'
    at_once
    [ $SECONDS -lt 10 ]
}

@test "virtual-host addressing works as well as path addressing" {
    run -0 env TOOL_ADDRESSING=virtual TOOL_VERBOSE=1 "$TOOL" "$B" put v "$ROOT/small"
    has "$output" "PUT https://backups.localhost:$S3_PORT/"
    run -0 env TOOL_ADDRESSING=virtual "$TOOL" s3://backups list "$BATS_TEST_NUMBER/"
    run -0 env TOOL_ADDRESSING=virtual "$TOOL" s3://backups probe
    has "$output" status=200
    run -0 env TOOL_ADDRESSING=virtual TOOL_EXPECTED=30000000 "$TOOL" "$B" file w "$ROOT/thirty"
    run -0 env TOOL_ADDRESSING=path TOOL_VERBOSE=1 "$TOOL" "$B" head v
    has "$output" "HEAD https://localhost:$S3_PORT/backups/"
    run -12 tool s3://Ba..d list
    run -12 env TOOL_ADDRESSING=sideways "$TOOL" "$B" list
}

@test "plain http: to loopback only, unless it is allowed" {
    export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$S3_PLAIN_PORT
    run -0 tool "$B" put h "$ROOT/small"
    run -0 env TOOL_EXPECTED=30000000 "$TOOL" "$B" upload i "$ROOT/thirty"
    has "$output" 'proof=etag'
    run -12 --separate-stderr env AWS_ENDPOINT_URL_S3=http://192.0.2.1:1 "$TOOL" "$B" list
    has "$stderr" 'CONFIG: .*without encryption'
    has "$stderr" 'SFB_S3_ALLOW_HTTP'
    run -18 env AWS_ENDPOINT_URL_S3=http://192.0.2.1:1 TOOL_ALLOW_HTTP=1 TOOL_NO_RETRY=1 "$TOOL" "$B" list
}

@test "the lifecycle is read and written" {
    make_bucket lifecycle
    run -0 tool s3://lifecycle lifecycle
    [ -z "$output" ]
    run -0 tool s3://lifecycle set-lifecycle
    run -0 tool s3://lifecycle lifecycle
    has "$output" '^daily prefix=production/daily/ enabled=1 days=30 abort=0'
    has "$output" '^parts & pieces prefix= enabled=1 days=0 abort=7'
}

@test "a bucket's facts: probe, location, versioning, lock" {
    run -0 tool s3://backups probe
    has "$output" '^status=200 code= '
    run -0 tool s3://nothing-here probe
    has "$output" '^status=404 code=NoSuchBucket'
    AWS_SECRET_ACCESS_KEY=wrong run -0 tool s3://backups probe
    has "$output" '^status=403 code=AccessDenied'
    run -0 env TOOL_CLOCK=-7200 "$TOOL" s3://backups probe
    has "$output" 'ahead=-7(199|200|201) '
    tool s3://locked raw PUT - versioning= \
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    run -0 tool s3://locked put v "$ROOT/small"
    has "$output" 'version=..'
}

@test "uploads that others left are listed and can be aborted" {
    tool s3://backups raw POST left/behind uploads=
    run -0 tool s3://backups uploads left/
    has "$output" '^left/behind '
    run -0 tool s3://backups abort left/behind "${output#left/behind }"
    run -0 tool s3://backups uploads left/
    [ -z "$output" ]
}

@test "a signal ends an upload within seconds and leaves nothing open" {
    mkfifo "$T/pipe"
    "$TOOL" "$B" upload sig "$T/pipe" >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    exec 8>"$T/pipe"
    cat "$ROOT/thirty" "$ROOT/thirty" >&8
    wait_for 20 open_upload
    kill -TERM $pid
    sleep 0.1 # for the signal to come before the end of the input
    exec 8>&-
    status=0
    wait $pid || status=$?
    [ "$status" = 24 ]
    run -0 tool s3://backups uploads "$BATS_TEST_NUMBER/"
    [ -z "$output" ]
    run -13 tool "$B" get sig
}
open_upload() { [ -n "$(tool s3://backups uploads "$BATS_TEST_NUMBER/")" ]; }

@test "an ordinary user without a home can do all that" {
    chmod 644 "$ROOT/thirty"
    run -0 as_user env -u HOME TOOL_EXPECTED=30000000 "$TOOL" "$B" file u "$ROOT/thirty"
    has "$output" 'proof=etag'
}
