#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store_bad.bats - what is wrong with a store, as whoever runs sfb's commands meets it: one clear line with the request id and
# a remedy, the exit code that was promised, and no second try of what can't succeed.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE events (id int); INSERT INTO events SELECT generate_series(1, 1000)"
    s3_tls
    tools_begin
    stub_start here tls
}
teardown_file() { tools_end; file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL SFB_BUCKET=plain-bucket SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url shop)
    export AWS_ENDPOINT_URL_S3=$STUB_HERE AWS_REGION=us-east-1 AWS_CA_BUNDLE=$S3_CA AWS_EC2_METADATA_DISABLED=true
    export AWS_ACCESS_KEY_ID=STUBKEY AWS_SECRET_ACCESS_KEY=stubsecret
    stub_fresh here
}
teardown() { test_end; }

# Every command that meets it says the same, with its own exit code.
all_say() { # WORDS HINT: on standard error
    local url=s3://$SFB_BUCKET/production/daily/backup-20251023-020000.dump
    refused 3 "$@" backup
    refused 3 "$@" backup --stream
    refused 3 "$@" list "s3://$SFB_BUCKET"
    refused 3 "$@" verify "$url"
    refused 4 "$@" restore --force -e production "$url"
    refused 4 "$@" restore --table events --output "$T/events.sql" "$url"
    refused 3 "$@" prune --dry-run
}
refused() { # CODE WORDS HINT COMMAND...
    local code=$1 words=$2 hint=$3
    shift 3
    SFB_TEST_TIMEOUT=30 run -"$code" --separate-stderr sfb "$@"
    has "$stderr" "❌ .*($words)"
    has "$stderr" "$hint"
    has_not "$stderr" 'trying again|gave up'
    [ "$(grep -c '❌' <<<"$output$stderr")" = 1 ]
}

@test "a clock that is off by an hour, before or behind" {
    stub_start early tls --clock -3600
    stub_start late tls --clock 3600
    AWS_ENDPOINT_URL_S3=$STUB_EARLY all_say 'RequestTimeTooSkewed \(403, request STUB[0-9]+\)' "this host's clock is (1h|59m|1h 0m).* fast: set it \(NTP\)"
    AWS_ENDPOINT_URL_S3=$STUB_LATE all_say 'RequestTimeTooSkewed \(403, request STUB[0-9]+\)' "this host's clock is (1h|59m|1h 0m).* slow: set it \(NTP\)"
}

@test "a wrong secret, an unknown key, a token that ended" {
    AWS_SECRET_ACCESS_KEY=wrong all_say 'SignatureDoesNotMatch \(403, request STUB' 'the secret access key does not belong to the access key'
    AWS_ACCESS_KEY_ID=NOBODY all_say 'InvalidAccessKeyId \(403, request STUB' 'the server does not know this access key'
    AWS_SESSION_TOKEN=OLD AWS_ACCESS_KEY_ID=ROLEKEY AWS_SECRET_ACCESS_KEY=rolesecret \
        all_say '(ExpiredToken|InvalidToken) \(40[03], request STUB' 'the credentials have ended|the session token is not good any more'
}

@test "a bucket that is not there" {
    SFB_BUCKET=missing all_say 'NoSuchBucket \(404, request STUB' 'create the bucket, or check its name and the endpoint https://localhost'
}

@test "what is denied names the right that is missing" {
    export SFB_BUCKET=put-only
    refused 3 'AccessDenied \(403, request STUB' 's3:ListBucket' list "s3://$SFB_BUCKET"
    refused 3 'AccessDenied \(403, request STUB' 's3:GetObject' verify s3://put-only/production/daily/backup-20251023-020000.dump
    refused 3 'AccessDenied \(403, request STUB' 's3:ListBucket' prune --dry-run
    refused 4 'AccessDenied \(403, request STUB' 's3:ListBucket' restore --force -e production latest
}

@test "the wrong region is followed, there and back" {
    export SFB_BUCKET=frankfurt
    run -0 --separate-stderr sfb backup
    rm -r "${CACHE:?}"/*
    run -0 --separate-stderr sfb list s3://frankfurt
    run -0 --separate-stderr sfb verify "s3:/$(stub_log here | grep -o '/frankfurt/production/daily/.*dump 200' | head -n 1 | cut -d' ' -f1)"
    has "$(stub_log here)" 'AuthorizationHeaderMalformed'
}

@test "credentials that end in every phase of a backup, a restore and a prune are renewed" {
    mkdir "$T/.aws"
    printf '[default]\naws_access_key_id = STUBKEY\naws_secret_access_key = stubsecret\n' >"$T/.aws/credentials"
    printf '[profile turns]\nrole_arn = arn:aws:iam::1:role/turns\nsource_profile = default\n' >"$T/.aws/config"
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export AWS_PROFILE=turns AWS_ENDPOINT_URL=$STUB_HERE SFB_BUCKET=ending SFB_KEEP_AT_LEAST=1
    db_new wide
    sql wide "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
              FROM generate_series(1, 12000) n"
    PRODUCTION_DATABASE_URL=$(db_url wide) run -0 --separate-stderr sfb backup --retention-days 1
    has_not "$stderr" 'no weekly copy'
    for kind in 'POST .*daily.*uploads' 'PUT .*daily.*partNumber=2' 'POST .*daily.*uploadId=' 'PUT .*daily.*globals' 'PUT .*daily.*manifest' \
        'GET .*list-type=2' 'PUT .*weekly.*dump' 'PUT .*weekly.*manifest'; do
        has "$(stub_log here)" "^$kind.* 400 ExpiredToken"
        has "$(stub_log here)" "^$kind.* 200"
    done
    rm -r "${CACHE:?}"/*
    PRODUCTION_DATABASE_URL=$(db_url gone) run -0 --separate-stderr sfb restore --force -e production latest@daily
    has "$(stub_log here)" '^GET .*daily.*dump 400 ExpiredToken'
    [ "$(sql gone "SELECT count(*) FROM noise")" = 12000 ]
    PRODUCTION_DATABASE_URL=$(db_url wide) run -0 --separate-stderr sfb backup
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune --yes
    has "$(stub_log here)" '^DELETE .*daily.*manifest.json 400 ExpiredToken'
    has "$(stub_log here)" '^DELETE .*daily.*dump 204'
    db_drop wide
    db_drop gone
}

@test "SFB_SSE: AES256 unless it is said otherwise, aws:kms with its key, none; of every object, multipart and copies" {
    db_new wide
    sql wide "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
              FROM generate_series(1, 12000) n"
    PRODUCTION_DATABASE_URL=$(db_url wide)
    for case in 'sealed ' 'sealed AES256' 'kms aws:kms:k1' 'bare none'; do
        export SFB_BUCKET=${case% *}
        if [ -n "${case#* }" ]; then export SFB_SSE=${case#* }; else unset SFB_SSE; fi
        rm -rf "${CACHE:?}"/* "${SFB_STATE_DIR:?}"/*
        stub_fresh here
        run -0 --separate-stderr sfb backup
        has_not "$stderr" 'no weekly copy'
        has "$(stub_log here)" "^POST /$SFB_BUCKET/production/daily/.*uploadId=.* 200"
        run -0 --separate-stderr sfb verify latest
    done
    unset SFB_SSE
    SFB_BUCKET=kms refused 3 'AccessDenied' 'another encryption than SFB_SSE says' backup
    SFB_SSE=aws:kms SFB_BUCKET=kms refused 3 'AccessDenied' 'another encryption than SFB_SSE says' backup # not its default key
    SFB_SSE=none SFB_BUCKET=sealed refused 3 'AccessDenied' 'another encryption than SFB_SSE says' backup
    SFB_SSE=des run -6 --separate-stderr sfb backup
    has "$stderr" 'SFB_SSE is des: it can be AES256, aws:kms, aws:kms:KEY-ID or none'
    db_drop wide
}

@test "plain http beyond this host: refused; with SFB_S3_ALLOW_HTTP=1 it goes, with one warning" {
    export AWS_ENDPOINT_URL_S3=http://192.0.2.1 http_proxy='' HTTP_PROXY=''
    run -6 --separate-stderr sfb backup
    has "$stderr" 'without encryption'
    connect=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$') || skip "this host has no address but loopback's"
    tools_run beyond python3 "$HARNESS_DIR/s3stub.py" --bind "$connect" --log "$ROOT/tools/beyond.log"
    AWS_ENDPOINT_URL_S3=http://$connect:$(<"$ROOT/tools/beyond.port")
    run -6 --separate-stderr sfb backup
    SFB_S3_ALLOW_HTTP=1 run -0 --separate-stderr sfb backup
    [ "$(grep -c "http://$connect:.* is spoken to without encryption (SFB_S3_ALLOW_HTTP)" <<<"$stderr")" = 1 ]
    SFB_S3_ALLOW_HTTP=1 run sfb doctor
    has "$output" '^⚠️  encryption: plain http: everybody on the way can read and change backups$'
}

@test "what is no S3, and garbage for an answer" {
    for bucket in garbage html no-token entity endless; do
        for command in "3 list s3://$bucket" "3 prune --dry-run" "4 restore --force -e production latest"; do
            # shellcheck disable=SC2086 # words
            SFB_BUCKET=$bucket SFB_TEST_TIMEOUT=30 run -${command%% *} --separate-stderr sfb ${command#* }
            [ "$(grep -c '❌' <<<"$output$stderr")" = 1 ]
            has "$output$stderr" "s3://$bucket"
        done
    done
}

@test "a listing of 100,000 keys: list, prune and latest see all of it" {
    export SFB_BUCKET=many
    run -0 --separate-stderr sfb list s3://many
    run -0 --separate-stderr sfb prune --dry-run
    has "$output" '0 kept, 0 to delete'
    run -1 --separate-stderr sfb restore --force -e production latest
    [ "$(grep -c 'GET /many' "$ROOT/tools/here.log")" -ge 300 ]
}

# ---- TLS ------------------------------------------------------------------------------------------------------------

@test "certificates: expired, for another host, signed by themselves; TLS 1.1 only" {
    s3_certificate expired
    openssl x509 -req -in "$S3_DIR/expired.csr" -CA "$S3_DIR/ca.pem" -CAkey "$S3_DIR/ca.key" -days -1 \
        -extfile <(echo subjectAltName=DNS:localhost) -out "$S3_DIR/expired.pem" 2>/dev/null
    tls_server expired
    all_say 'TLS: .*expired on 20' 'renew it'
    s3_certificate other DNS:example.org
    tls_server other
    all_say 'TLS: .*for another host' 'as endpoint'
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$S3_DIR/self.key" -subj "/CN=localhost" \
        -addext subjectAltName=DNS:localhost -days 3 -out "$S3_DIR/self.pem" 2>/dev/null
    tls_server self
    all_say 'TLS: .*not from an authority known here' 'AWS_CA_BUNDLE'
    s3_certificate old
    tls_server old -tls1_1 -cipher ALL:@SECLEVEL=0
    all_say 'TLS: .*no protocol in common' 'TLS 1.2 or newer'
}

@test "URLs that are none" {
    for url in s3:// s3:///x s3://bucket s3://Bad..name/x.dump s3://b//x.dump s3:/b/x.dump; do
        for command in "restore --force -e production" "verify" "list"; do
            [ "$command $url" != 'list s3://bucket' ] || continue # that one is
            # shellcheck disable=SC2086 # words
            run --separate-stderr sfb $command "$url"
            [ "$status" = 7 ] || [ "$status" = 1 ] || { echo "$command $url: $status" >&2; false; }
            [ "$(grep -c '❌' <<<"$output$stderr")" = 1 ]
        done
    done
    has_not "$(stub_log here)" '^(GET|HEAD)' # nobody was asked
    for bucket in s3:// Bad..name http://x ftp://x/y; do
        SFB_BUCKET=$bucket run -6 --separate-stderr sfb backup
        [ "$(grep -c '❌' <<<"$stderr")" = 1 ]
    done
}
