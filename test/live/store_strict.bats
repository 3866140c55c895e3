#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store_strict.bats - what no S3 server here answers, by a stub that verifies everything it is sent (s3stub.py).
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    s3_tls
    tools_begin
    stub_start here tls
    stub_start there tls --elsewhere "$STUB_HERE"
    stub_start plain
    random_file 20000000 "$ROOT/twenty"
    random_file 5000 "$ROOT/small"
}
teardown_file() { tools_end; file_end; }
setup() {
    test_begin
    export AWS_ENDPOINT_URL_S3=$STUB_HERE AWS_REGION=us-east-1 AWS_CA_BUNDLE=$S3_CA AWS_EC2_METADATA_DISABLED=true
    export AWS_ACCESS_KEY_ID=STUBKEY AWS_SECRET_ACCESS_KEY=stubsecret TOOL_EXPECTED=20000000
    stub_fresh here
}
teardown() { test_end; }

@test "what is sent satisfies a verifier that shares no code with us" {
    for key in x "a b+c=d&e%f~'(x)*!.dump" "ü/€/𝄞" "q?u#e;:@,\$"; do
        run -0 tool s3://plain-bucket/p put "$key" "$ROOT/small"
        tool s3://plain-bucket/p get "$key" | cmp - "$ROOT/small"
        tool s3://plain-bucket/p read "$key" 10 20 | cmp - <(tail -c +11 "$ROOT/small" | head -c 20)
    done
    run -0 tool s3://plain-bucket upload big "$ROOT/twenty"
    has "$output" 'parts=3 .*proof=etag'
    run -0 tool s3://plain-bucket list p/
    [ "${#lines[@]}" = 4 ]
    run -0 tool s3://plain-bucket copy "p/ü/€/𝄞" "c/€"
    run -0 tool s3://plain-bucket delete "c/€"
}

@test "over plain http every body is signed by its SHA-256" {
    export AWS_ENDPOINT_URL_S3=$STUB_PLAIN
    run -0 tool s3://plain-bucket put x "$ROOT/small"
    run -0 tool s3://plain-bucket upload big "$ROOT/twenty"
    run -0 tool s3://plain-bucket file big "$ROOT/twenty"
    has "$output" 'proof=etag'
}

@test "the right to put is enough, and nothing else is even tried" {
    run -0 tool s3://put-only put x "$ROOT/small"
    has "$output" 'proof=etag'
    run -0 tool s3://put-only upload y "$ROOT/twenty"
    has "$output" 'proof=etag'
    has_not "$(stub_log here)" ' 403 |^GET|^HEAD|^DELETE'
}

@test "encryption is asked for on PutObject and CreateMultipartUpload, and the answer is looked at" {
    run -0 tool s3://sealed put x "$ROOT/small"
    has "$output" 'sse=AES256'
    run -0 tool s3://sealed upload y "$ROOT/twenty"
    has "$output" 'sse=AES256'
    run -0 tool s3://sealed copy x z
    run -17 --separate-stderr env TOOL_SSE=none "$TOOL" s3://sealed put x "$ROOT/small"
    has "$stderr" 'SFB_SSE'
    run -17 --separate-stderr tool s3://other-sse put x "$ROOT/small"
    has "$stderr" 'encrypted with aws:kms, not with AES256'
    run -17 --separate-stderr tool s3://other-sse upload y "$ROOT/twenty" # before any part is sent
    has "$stderr" 'encrypted with aws:kms, not with AES256'
    has_not "$(stub_log here)" 'PUT /other-sse/y'
    [ -z "$(tool s3://other-sse uploads)" ]
}

@test "with KMS an ETag is no MD5, and that is no fault" {
    export TOOL_SSE=aws:kms TOOL_KMS_KEY=k1
    run -0 tool s3://kms put x "$ROOT/small"
    has "$output" 'proof=md5 sse=aws:kms'
    run -0 tool s3://kms upload y "$ROOT/twenty"
    has "$output" 'parts=3 .*proof=md5 sse=aws:kms'
    run -17 env TOOL_KMS_KEY=k2 "$TOOL" s3://kms put x "$ROOT/small"
    run -0 tool s3://odd-etag put x "$ROOT/small"
    has "$output" proof=md5
    run -0 tool s3://no-etag upload y "$ROOT/twenty"
    has "$output" 'proof=etag' # it was looked at afterwards
}

@test "an ETag that is the MD5 of something else is a failed upload, and the object does not stay" {
    run -17 --separate-stderr tool s3://bad-etag put x "$ROOT/small"
    has "$stderr" 'stored something else .*ETag'
    run -17 --separate-stderr tool s3://bad-etag upload y "$ROOT/twenty"
    has "$stderr" 'part [0-9]+ of s3://bad-etag/y: .*stored something else'
    run -0 tool s3://bad-etag uploads
    [ -z "$output" ]
}

@test "the wrong region is followed once, and remembered" {
    run -0 tool s3://frankfurt put x "$ROOT/small"
    run -0 tool s3://frankfurt upload y "$ROOT/twenty"
    [ "$(grep -c AuthorizationHeaderMalformed "$ROOT/tools/here.log")" = 2 ] # once for each process
    run -0 tool s3://moved put x "$ROOT/small"
    has "$(stub_log here)" 'PUT /moved/x 301'
    has "$(stub_log here)" 'PUT /moved/x 200'
    run -18 --separate-stderr tool s3://nowhere list
    has "$stderr" 'hint: the bucket is in region mars-2: set AWS_REGION'
    [ "$(grep -c 'GET /nowhere.* 301 Perm' "$ROOT/tools/here.log")" = 2 ]
}

@test "a temporary redirect is followed, body and all" {
    export AWS_ENDPOINT_URL_S3=$STUB_THERE
    stub_fresh there
    random_file 3000000 "$T/three"
    run -17 tool s3://temporary put x "$T/three" # ends where it is sent: that one redirects nowhere
    has "$(stub_log there)" 'PUT /temporary/x 307'
    has "$(stub_log here)" 'PUT /temporary/x 307'
}

@test "SlowDown is obeyed: after the second it asked for, and it works" {
    from=$(date +%s%N)
    run -0 --separate-stderr tool s3://slow put x "$ROOT/small"
    [ $((($(date +%s%N) - from) / 1000000)) -ge 1000 ]
    has "$stderr" 'SlowDown .*trying again for up to 20s'
    run -0 tool s3://slow upload y "$ROOT/twenty"
    has "$output" 'proof=etag'
}

@test "an error inside a 200 is an error, and tried again" {
    run -0 --separate-stderr tool s3://error-200 upload x "$ROOT/twenty"
    has "$output" 'proof=etag'
    has "$stderr" 'InternalError \(200'
}

@test "a key of fixed kind that ended is not tried again" {
    SECONDS=0
    TOOL_VERBOSE=1 run -17 --separate-stderr tool s3://needs-token put x "$ROOT/small"
    has "$stderr" 'ExpiredToken|InvalidToken'
    [ "$(grep -c 'PUT /needs-token' "$ROOT/tools/here.log")" -le 2 ]
    has_not "$stderr" 'trying again'
    [ $SECONDS -lt 5 ]
}

@test "a listing of 100,000 keys is complete, in bounded memory" {
    TOOL_TIMEOUT=120 run -0 tool s3://many count
    [ "$output" = 100000 ]
    [ "$(grep -c 'GET /many' "$ROOT/tools/here.log")" -ge 100 ]
    run -0 env TOOL_TIMEOUT=120 bash -c '"$TOOL" s3://many/production/daily list | sed -n "1p;\$p"'
    [ "${lines[0]}" = "000000 1 $(printf '0%.0s' {1..32})" ]
    has "${lines[1]}" '^099999 '
}

@test "garbage for a listing is refused in words" {
    run -18 --separate-stderr tool s3://garbage list
    has "$stderr" 'no XML as it should be'
    run -18 --separate-stderr tool s3://html list
    has "$stderr" 'a <html>, not a <ListBucketResult>'
    has "$stderr" 'really an S3 endpoint'
    run -18 --separate-stderr tool s3://no-token list
    has "$stderr" 'there is more, but not where'
    run -18 --separate-stderr tool s3://circle list
    has "$stderr" 'there is more, but not where'
    run -18 --separate-stderr tool s3://entity list
    has "$stderr" 'document type'
    run -18 --separate-stderr tool s3://endless list
    has "$stderr" 'more than is sane'
}

@test "a server that ignores ranges gives no wrong bytes" {
    tool s3://no-ranges put x "$ROOT/small"
    run -18 --separate-stderr tool s3://no-ranges read x 10 20
    [ -z "$output" ]
    has "$stderr" 'does not keep to the range'
}

@test "a server that knows no If-Match gives no bytes of another object" {
    tool s3://no-pins put x "$ROOT/small"
    etag=$(tool s3://no-pins head x | grep -o 'etag=[^ ]*')
    tool s3://no-pins read x 0 10 "${etag#etag=}" | cmp - <(head -c 10 "$ROOT/small")
    echo other >"$T/other"
    tool s3://no-pins put x "$T/other"
    run -19 --separate-stderr tool s3://no-pins read x 0 5 "${etag#etag=}"
    [ -z "$output" ]
    has "$stderr" "DAMAGED: can't read s3://no-pins/x: it is another object now"
}

@test "a file that is far larger than was expected: its parts grow, and where they may not it is sent again in larger ones" {
    export TOOL_EXPECTED=1
    random_file 70000000 "$T/seventy"
    run -0 --separate-stderr env TOOL_MAX_PARTS=8 "$TOOL" s3://plain-bucket follow refused "$T/seventy" # 16 MiB behind six of 8
    has "$output" 'size=70000000 parts=5 .*proof=etag'
    has "$stderr" 'refused has become far larger than was expected: its 66.8 MB are sent again, in parts of one size'
    has "$(stub_log here)" 'POST /plain-bucket/refused.* 400 InvalidPart'
    run -0 env TOOL_MAX_PARTS=4 "$TOOL" s3://plain-bucket follow outgrown "$T/seventy" # more than four parts can carry
    has "$output" 'size=70000000 parts=3 .*proof=etag'
    run -0 env TOOL_MAX_PARTS=1 "$TOOL" s3://plain-bucket follow one "$T/seventy"
    has "$output" 'size=70000000 parts=0 .*proof=etag'
    for key in refused outgrown one; do tool s3://plain-bucket get $key | cmp - "$T/seventy"; done
    run -17 --separate-stderr env TOOL_MAX_PARTS=8 "$TOOL" s3://plain-bucket upload stream "$T/seventy"
    has "$stderr" 'InvalidPart'
    has "$stderr" 'hint: .*wants all alike, .*without --stream'
    [ -z "$(tool s3://plain-bucket uploads)" ]
}

@test "an object is never written over where that is asked for" {
    run -0 env TOOL_IF_ABSENT=1 "$TOOL" s3://plain-bucket file once "$ROOT/small"
    echo other >"$T/other"
    run -17 --separate-stderr env TOOL_IF_ABSENT=1 "$TOOL" s3://plain-bucket file once "$T/other"
    has "$stderr" 'PreconditionFailed'
    has "$stderr" 'hint: there is an object of that name already'
    run -0 env TOOL_IF_ABSENT=1 "$TOOL" s3://plain-bucket file once "$ROOT/small" # the same: an answer may have been lost
    tool s3://plain-bucket get once | cmp - "$ROOT/small"
}

@test "two who write one name at once: the loser is told, whether by 412 or 409, and what is there is not his to remove" {
    run -0 env TOOL_IF_ABSENT=1 "$TOOL" s3://contended file one "$ROOT/small" # refused once, then nobody else had written it
    has "$(stub_log here)" 'PUT /contended/one 409 ConditionalRequestConflict'
    run -17 --separate-stderr env TOOL_IF_ABSENT=1 "$TOOL" s3://contended upload many "$ROOT/twenty"
    has "$stderr" 'ConditionalRequestConflict \(409, request STUB'
    has "$stderr" 'hint: there is an object of that name already: if another host'
    [ "$(grep -c 'POST /contended/many.*uploadId.* 409 Cond' "$ROOT/tools/here.log")" = 1 ]
    run -0 tool s3://contended uploads
    [ -z "$output" ]
    echo theirs >"$T/theirs" # it came while the parts were on their way
    tool s3://plain-bucket put taken "$T/theirs"
    run -17 --separate-stderr env TOOL_IF_ABSENT=1 "$TOOL" s3://plain-bucket upload taken "$ROOT/twenty"
    has "$stderr" 'PreconditionFailed \(412, request STUB'
    has "$(stub_log here)" 'POST /plain-bucket/taken.*uploadId.* 412 PreconditionFailed'
    tool s3://plain-bucket get taken | cmp - "$T/theirs"
    run -0 tool s3://plain-bucket uploads
    [ -z "$output" ]
}

@test "no checksum that a server may not know is sent; one that it answers is no trouble" {
    run -0 tool s3://checksums put x "$ROOT/small"
    run -0 tool s3://checksums upload y "$ROOT/twenty"
    has "$output" 'proof=etag'
}

@test "a server that knows no encryption is not asked for it when SFB_SSE says so" {
    run -17 --separate-stderr tool s3://bare put x "$ROOT/small"
    has "$stderr" 'InvalidArgument'
    export TOOL_SSE=none
    run -0 tool s3://bare put x "$ROOT/small"
    run -0 tool s3://bare upload y "$ROOT/twenty"
    run -0 tool s3://bare copy x z
}

@test "a server that knows no conditions is asked without" {
    run -0 env TOOL_IF_ABSENT=1 "$TOOL" s3://unconditional file once "$ROOT/small"
    run -0 env TOOL_IF_ABSENT=1 "$TOOL" s3://unconditional upload many "$ROOT/twenty"
    has "$output" 'parts=3 .*proof=etag'
    [ "$(grep -c ' 501 NotImplemented' "$ROOT/tools/here.log")" = 2 ]
}

@test "versions, locks, locations, encryption and odd lifecycle rules are understood" {
    run -0 tool s3://versioned put x "$ROOT/small"
    has "$output" 'version=v1'
    run -0 tool s3://versioned facts
    [ "$output" = "location=eu-central-1 versioning=1 lock=1/COMPLIANCE/7/0 encryption=aws:kms" ]
    run -0 tool s3://versioned lifecycle
    has "${lines[0]}" '^a prefix=p/ enabled=1 days=3 .*narrowed=1'
    has "${lines[1]}" '^b prefix=q/ enabled=0 days=0 .*noncurrent=9 moves=1'
    run -18 tool s3://put-only facts
    has "$output" 'denied=1'
}

@test "what is asked of whom: endpoint, region and addressing know where they come from" {
    run -0 tool s3://plain-bucket who
    has "$output" "^endpoint $STUB_HERE from AWS_ENDPOINT_URL_S3"
    has "$output" '^region us-east-1 from AWS_REGION'
    has "$output" '^path=1'
    unset AWS_ENDPOINT_URL_S3 AWS_REGION
    run -0 tool s3://plain-bucket who
    has "$output" '^endpoint https://s3.us-east-1.amazonaws.com from AWS, by the region'
    has "$output" '^region us-east-1 from nobody has said'
    has "$output" '^path=0'
    AWS_REGION=cn-north-1 run -0 tool s3://with.dots who
    has "$output" '^endpoint https://s3.cn-north-1.amazonaws.com.cn'
    has "$output" '^path=1'
    AWS_USE_DUALSTACK_ENDPOINT=true AWS_REGION=eu-west-1 run -0 tool s3://plain-bucket who
    has "$output" '^endpoint https://s3.dualstack.eu-west-1.amazonaws.com'
    for bad in localhost:1 https:// https://u:p@h https://h/path ftp://h; do
        AWS_ENDPOINT_URL_S3=$bad run -12 tool s3://plain-bucket who
    done
}
