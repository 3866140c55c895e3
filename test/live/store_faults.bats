#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store_faults.bats - a real S3 server behind a network that has a bad day (faultproxy.py): in every phase of an upload
# and of a download it is cut, delayed, corrupted, answered wrongly; and the TLS that must be refused.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    s3_start
    tools_begin
    proxy_start
    tool s3://backups raw PUT - -
    random_file 30000000 "$ROOT/thirty"
    random_file 100000 "$ROOT/small"
    md5sum <"$ROOT/thirty" >"$ROOT/thirty.md5"
}
teardown_file() { tools_end; s3_stop; file_end; }
setup() {
    test_begin
    s3_environment
    tool s3://backups list >/dev/null # past the proxy
    export AWS_ENDPOINT_URL_S3=$PROXY TOOL_EXPECTED=30000000
    B=s3://backups/$BATS_TEST_NUMBER
    proxy_rules '[]'
}
teardown() { test_end; }

# An upload of four parts goes through all the same, is proven, and left nothing behind. Prints what was said.
survives() { # RULES [COMMAND [WORDS]]: WORDS are in the proxy's log
    proxy_rules "$1"
    run -0 --separate-stderr tool "$B" "${2:-upload}" big "$ROOT/thirty"
    has "$output" 'parts=4 .*proof=etag'
    has "$(proxy_log)" "${3:-.}"
    proxy_rules '[]'
    tool "$B" download big "$T/back" >/dev/null
    cmp "$T/back" "$ROOT/thirty"
    nothing_open
}
nothing_open() { [ -z "$(tool s3://backups uploads "$BATS_TEST_NUMBER/")" ]; }
# It fails with that exit code, soon, and there is no object.
fails() { # CODE RULES WORDS
    proxy_rules "$2"
    run -"$1" --separate-stderr tool "$B" upload bad "$ROOT/thirty"
    has "$stderr" "$3"
    proxy_rules '[]'
    run -13 tool "$B" head bad
    nothing_open
}

@test "a part's connection is reset in the middle" {
    survives '[{"method": "PUT", "target": "partNumber=2", "do": "reset", "after": 3000000}]' upload 'partNumber=2.* 0 reset'
    survives '[{"method": "PUT", "target": "partNumber=", "do": "reset", "after": 100000, "times": 5}]' follow
}

@test "part 1, which comes last, is reset; and every phase once" {
    survives '[{"method": "PUT", "target": "partNumber=1&", "do": "reset", "after": 10}]' upload 'partNumber=1&.* 0 reset'
    survives '[{"method": "POST", "target": "uploads=", "do": "reset"},
               {"method": "PUT", "target": "partNumber=1&", "do": "answer", "status": 500},
               {"method": "PUT", "target": "partNumber=3", "do": "answer", "status": 503, "early": true},
               {"method": "POST", "target": "uploadId=", "do": "reset"}]'
}

@test "the answer is lost: to the beginning, to a part, to the end" {
    survives '[{"method": "POST", "target": "uploads=", "do": "lose"}]'
    survives '[{"method": "PUT", "target": "partNumber=2", "do": "lose"}]'
    survives '[{"method": "POST", "target": "uploadId=", "do": "lose"}]' upload 'POST.*uploadId.* 0 lose'
}

@test "the answer to a PUT is lost, that was to replace nothing: what is there is its own, whether it may look or not" {
    local blind='{"method": "HEAD", "do": "answer", "status": 403, "times": -1}, {"method": "GET", "do": "answer", "status": 403, "times": -1}'
    for look in '' ", $blind"; do
        proxy_rules '[{"method": "PUT", "do": "lose"}'"$look"']'
        TOOL_IF_ABSENT=1 run -0 tool "$B" file "own${#look}" "$ROOT/small"
        has "$(proxy_log)" 'PUT .* 412 '
    done
    proxy_rules "[$blind]" # nothing was lost: then it is another's
    head -c 5000 "$ROOT/thirty" >"$T/other"
    TOOL_IF_ABSENT=1 run -17 --separate-stderr tool "$B" file own0 "$T/other"
    has "$stderr" 'PreconditionFailed'
    has "$stderr" 'hint: there is an object of that name already: if another host'
}

@test "the answer to the beginning of a copy in parts is lost: none stays open, whether it can be made or not" {
    tool "$B" file big "$ROOT/thirty" >/dev/null
    export TOOL_COPY_MOST=8000000
    proxy_rules '[{"method": "POST", "target": "weekly.*uploads=", "do": "lose"}]'
    run -0 tool "$B" copy big weekly/big
    has "$(proxy_log)" 'POST .* 0 lose'
    nothing_open
    proxy_rules '[{"method": "POST", "target": "weekly.*uploads=", "do": "lose"},
                  {"method": "PUT", "target": "weekly.*partNumber=2", "do": "answer", "status": 403,
                   "body": "<Error><Code>AccessDenied</Code></Error>"}]'
    run -17 tool "$B" copy big weekly/other
    nothing_open
}

@test "the answer to the end is lost, and the server does not know that upload any more" {
    survives '[{"method": "POST", "target": "uploadId=", "do": "lose"},
               {"method": "POST", "target": "uploadId=", "do": "answer", "status": 404,
                "body": "<Error><Code>NoSuchUpload</Code></Error>"}]'
}

@test "500, 503 SlowDown, 400 RequestTimeout, 200 with an error in it: all pass" {
    survives '[{"method": "PUT", "target": "partNumber=2", "do": "answer", "status": 500, "times": 2,
                "body": "<Error><Code>InternalError</Code></Error>"},
               {"method": "PUT", "target": "partNumber=3", "do": "answer", "status": 400,
                "body": "<Error><Code>RequestTimeout</Code></Error>"},
               {"method": "PUT", "target": "partNumber=4", "do": "answer", "status": 503, "headers": {"Retry-After": "1"},
                "body": "<Error><Code>SlowDown</Code></Error>"},
               {"method": "POST", "target": "uploadId=", "do": "answer", "status": 200,
                "body": "<Error><Code>InternalError</Code></Error>"}]' upload 'partNumber=2.* 500'
    has "$stderr" 'trying again for up to 20s'
    [ "$(grep -c 'trying again' <<<"$stderr")" -le 3 ] # said once for each bad time, not for each try
}

@test "a body that was corrupted on the way is not taken; sent again it is" {
    survives '[{"method": "PUT", "target": "partNumber=2", "do": "corrupt", "after": 1234567}]' upload 'partNumber=2.* 400 corrupt'
    has "$stderr" 'BadDigest'
    proxy_rules '[{"method": "PUT", "do": "corrupt", "after": 5}]'
    run -0 tool "$B" put small "$ROOT/small"
    fails 17 '[{"method": "PUT", "target": "partNumber=2", "do": "corrupt", "after": 5, "times": -1}]' 'BadDigest'
}

@test "an ETag that is not that of what was sent is believed in no phase" {
    fails 17 '[{"method": "PUT", "target": "partNumber=2", "do": "headers",
                "headers": {"ETag": "\"d41d8cd98f00b204e9800998ecf8427e\""}}]' 'stored something else'
    proxy_rules '[{"method": "PUT", "do": "headers", "headers": {"ETag": "\"d41d8cd98f00b204e9800998ecf8427e\""}}]'
    run -17 --separate-stderr tool "$B" put small "$ROOT/small"
    has "$stderr" 'stored something else .*d41d8cd98f00b204e9800998ecf8427e'
}

@test "a stalled part is given up and sent again" {
    TOOL_STALL=2 survives '[{"method": "PUT", "target": "partNumber=2", "do": "stall", "after": 2000000}]'
    has "$stderr" 'nothing moved for 2 s'
    TOOL_STALL=2 survives '[{"method": "PUT", "target": "partNumber=3", "do": "silent"}]'
}

@test "what can't succeed is not tried again" {
    for code in AccessDenied SignatureDoesNotMatch InvalidAccessKeyId NoSuchBucket; do
        fails 17 '[{"method": "PUT", "target": "partNumber=", "do": "answer", "status": 403,
                    "body": "<Error><Code>'$code'</Code></Error>"}]' "$code"
    done
    fails 17 '[{"method": "PUT", "target": "partNumber=", "do": "answer", "status": 403, "times": -1,
                "body": "<Error><Code>ExpiredToken</Code></Error>"}]' 'InvalidToken|ExpiredToken'
    fails 17 '[{"method": "POST", "target": "uploads=", "do": "answer", "status": 200, "body": "<html>hello</html>"}]' \
        'names no upload'
    fails 17 '[{"method": "POST", "target": "uploads=", "do": "raw", "body": "SSH-2.0-OpenSSH_9.2\r\n"}]' \
        'does not answer as HTTP should'
}

@test "trouble that does not end is given up when the time is over, and says for how long it was tried" {
    export TOOL_RETRY=3
    fails 17 '[{"method": "PUT", "target": "partNumber=2", "do": "answer", "status": 503, "times": -1,
                "body": "<Error><Code>SlowDown</Code></Error>"}]' 'gave up after [0-9]+ tries in [23]s: .*SlowDown'
}

@test "a cut of everything for seconds is survived" {
    proxy_rules '[{"method": "PUT", "target": "partNumber=4", "do": "delay", "seconds": 1},
                  {"do": "refuse", "skip": 4, "times": 20}]'
    run -0 --separate-stderr tool "$B" upload big "$ROOT/thirty"
    has "$output" 'proof=etag'
}

@test "the server is gone for a while, and comes back" {
    random_file 30000000 "$T/thirty"
    proxy_rules '[{"method": "PUT", "target": "partNumber=2", "do": "delay", "seconds": 2}]'
    "$TOOL" "$B" file big "$T/thirty" >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    wait_for 10 in_log 'POST .*uploads='
    kill -STOP "$(<"$S3_DIR/rgw.pid")"
    sleep 3 # an outage is a time
    kill -CONT "$(<"$S3_DIR/rgw.pid")"
    wait $pid
    has "$(cat "$T/out")" 'proof=etag'
}
in_log() { grep -qE "$1" "$PROXY_LOG"; }

@test "a download is resumed where it was cut, not begun again" {
    tool "$B" upload big "$ROOT/thirty" >/dev/null
    proxy_rules '[{"method": "GET", "do": "truncate", "after": 5000000}, {"method": "GET", "skip": 1, "do": "reset"}]'
    run -0 tool "$B" download big "$T/out"
    has "$output" 'moved=30000000'
    cmp "$T/out" "$ROOT/thirty"
    proxy_rules '[{"method": "GET", "do": "truncate", "after": 100000, "times": 3},
                  {"method": "GET", "do": "answer", "status": 503, "times": 2}]'
    tool "$B" read big 1000000 2000000 | cmp - <(tail -c +1000001 "$ROOT/thirty" | head -c 2000000)
    tool "$B" get big | cmp - "$ROOT/thirty"
    TOOL_STALL=1
    export TOOL_STALL
    proxy_rules '[{"method": "GET", "do": "silent", "after": 70000}]'
    tool "$B" read big 0 2000000 2>/dev/null | cmp - <(head -c 2000000 "$ROOT/thirty")
}

@test "an object that is replaced while it is read is not mixed with the new one" {
    tool "$B" upload big "$ROOT/thirty" >/dev/null
    proxy_rules '[{"method": "GET", "do": "truncate", "after": 5000000},
                  {"method": "GET", "do": "delay", "seconds": 2}]'
    tool "$B" get big >"$T/got" 2>"$T/err" 3>&- &
    pid=$!
    wait_for 10 in_log 'truncate'
    head -c 30000000 /dev/zero >"$T/zeros"
    AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT tool "$B" upload big "$T/zeros" >/dev/null
    status=0
    wait $pid || status=$?
    [ "$status" = 19 ] # ERR_DAMAGED
    cmp -n "$(stat -c %s "$T/got")" "$T/got" "$ROOT/thirty"
}

@test "an answer that lies about itself" {
    tool "$B" put x "$ROOT/small"
    proxy_rules '[{"method": "GET", "do": "answer", "status": 200, "body": "<ListBucketResult><Contents><Key>a"}]'
    run -18 --separate-stderr tool "$B" list
    has "$stderr" 'no XML'
    proxy_rules '[{"method": "GET", "do": "answer", "status": 206, "body": "hello", "headers": {"Content-Range": "bytes 7-11/100"}}]'
    run -18 --separate-stderr tool "$B" read x 0 5
    has "$stderr" 'does not keep to the range'
    proxy_rules '[{"method": "GET", "do": "answer", "status": 206, "body": "hello", "headers": {"Content-Range": "bytes 0-4/100"}}]'
    run -18 --separate-stderr tool "$B" read x 0 3
    has "$stderr" 'more than it was asked for'
    proxy_rules '[{"method": "PUT", "do": "answer", "status": 200}]'
    run -0 tool "$B" put x "$ROOT/small"
    has "$output" 'proof=md5' # no ETag at all: not said to be more
}

@test "a first range that is shorter than it says is no whole download" {
    proxy_rules '[{"method": "GET", "do": "answer", "status": 206, "body": "hello", "headers": {"Content-Range": "bytes 0-16777215/30000000"}},
                  {"method": "GET", "do": "answer", "status": 206, "body": "hello", "headers": {"Content-Range": "bytes 0-16777215/*"}}]'
    for _ in 1 2; do
        run -19 --separate-stderr tool "$B" download big "$T/out"
        has "$stderr" 'fewer bytes than its size says'
    done
}

@test "an upload is given up: nobody waits for a server that does not even let it begin" {
    random_file 30000000 "$T/thirty"
    proxy_rules '[{"method": "POST", "target": "uploads=", "do": "answer", "status": 503, "times": -1}]'
    mkfifo "$T/until"
    TOOL_UNTIL=$T/until TOOL_RETRY=300 TOOL_PATCH_AT=-1 "$TOOL" "$B" follow never "$T/thirty" x >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    wait_for 20 in_log 'POST .*uploads=.* 503'
    : >"$T/until" # what made it fails now
    wait_for 30 gone $pid
    status=0
    wait $pid || status=$?
    [ "$status" = 25 ] # ERR_IO
}

@test "a signal: the upload is aborted, also when that does not succeed at once" {
    mkfifo "$T/pipe"
    proxy_rules '[{"method": "DELETE", "target": "uploadId=", "do": "answer", "status": 503, "times": 2}]'
    "$TOOL" "$B" upload sig "$T/pipe" >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    exec 8>"$T/pipe"
    cat "$ROOT/thirty" >&8
    wait_for 20 in_log 'PUT .*partNumber=2.* 200'
    kill -TERM $pid
    sleep 0.1 # for the signal to come before the end of the input
    exec 8>&-
    status=0
    wait $pid || status=$?
    [ "$status" = 24 ]
    [ "$(grep -c '^DELETE' "$PROXY_LOG")" = 3 ]
    nothing_open
}

@test "the answer to the end is lost, and what is there may not be looked at: it is said that it may be whole" {
    proxy_rules '[{"method": "POST", "target": "uploadId=", "do": "lose"},
                  {"method": "POST", "target": "uploadId=", "do": "answer", "status": 412, "body": "<Error><Code>PreconditionFailed</Code></Error>"},
                  {"method": "HEAD", "do": "answer", "status": 403, "times": -1}, {"method": "GET", "do": "answer", "status": 403, "times": -1}]'
    TOOL_IF_ABSENT=1 run -17 --separate-stderr tool "$B" upload lost "$ROOT/thirty"
    has "$stderr" 'hint: the connection broke at the end: the object may be whole'
}

@test "a redirect to a place without encryption is not followed" {
    proxy_rules '[{"method": "PUT", "do": "answer", "status": 307, "headers": {"Location": "http://127.0.0.1:'"$S3_PLAIN_PORT"'/"}}]'
    run -17 --separate-stderr tool "$B" put x "$ROOT/small"
    has "$stderr" 'HTTP 307|307'
    proxy_rules '[{"method": "PUT", "do": "answer", "status": 307, "headers": {"Location": "https://localhost:'"$S3_PORT"'/"}}]'
    run -0 tool "$B" put x "$ROOT/small"
    proxy_rules '[{"method": "PUT", "times": -1, "do": "answer", "status": 307, "headers": {"Location": "'"$PROXY"'/x"}}]'
    run -17 tool "$B" put x "$ROOT/small" # a circle
    [ "$(grep -c ' 307 ' "$PROXY_LOG")" -le 2 ]
}

# ---- through a proxy ------------------------------------------------------------------------------------------------

# connect_proxy [USER:PASSWORD [MORE]]: its address is in CONNECT.
connect_proxy() {
    local name=connect-$BATS_TEST_NUMBER
    : >"$T/connect.log"
    tools_run "$name" python3 "$HARNESS_DIR/connectproxy.py" --log "$T/connect.log" ${1:+--user "$1"} "${@:2}"
    CONNECT=localhost:$(<"$ROOT/tools/$name.port")
    export AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT
}

@test "HTTPS_PROXY: everything goes through its tunnel, and is verified end to end" {
    connect_proxy
    for variable in HTTPS_PROXY https_proxy ALL_PROXY; do
        : >"$T/connect.log"
        env "$variable=http://$CONNECT" "$TOOL" "$B" upload "$variable" "$ROOT/thirty" >/dev/null
        env "$variable=http://$CONNECT" "$TOOL" "$B" download "$variable" "$T/back" >/dev/null
        cmp "$T/back" "$ROOT/thirty"
        has "$(cat "$T/connect.log")" "^CONNECT localhost:$S3_PORT 200$"
        has_not "$(cat "$T/connect.log")" '^[A-Z]+ .* [^2]..$'
    done
    s3_certificate proxied
    HTTPS_PROXY=http://$CONNECT AWS_CA_BUNDLE=$S3_DIR/proxied.pem run -18 --separate-stderr tool "$B" list
    has "$stderr" 'TLS: .*not from an authority known here'
}

@test "NO_PROXY: what it names is spoken to directly" {
    connect_proxy
    for hosts in localhost 'example.org,localhost' '*'; do
        HTTPS_PROXY=http://$CONNECT NO_PROXY=$hosts run -0 tool "$B" list
        [ ! -s "$T/connect.log" ]
    done
    HTTPS_PROXY=http://$CONNECT NO_PROXY=example.org run -0 tool "$B" list
    [ -s "$T/connect.log" ]
}

@test "a proxy that wants a password gets it, and nobody else; one that refuses is named, at once" {
    connect_proxy clerk:sesame-815
    HTTPS_PROXY=http://clerk:sesame-815@$CONNECT TOOL_VERBOSE=1 run -0 tool "$B" put x "$ROOT/small"
    has_not "$output" 'sesame-815'
    for who in '' 'clerk:wrong-4711@'; do
        SECONDS=0
        HTTPS_PROXY=http://$who$CONNECT TOOL_VERBOSE=1 run -18 --separate-stderr tool "$B" list
        has "$stderr" 'proxy'
        has "$stderr" '407'
        has_not "$stderr" 'wrong-4711'
        has_not "$stderr" 'trying again'
        [ $SECONDS -lt 5 ]
    done
}

@test "a proxy that can't reach the server just now is asked again" {
    connect_proxy '' --busy 3
    HTTPS_PROXY=http://$CONNECT run -0 --separate-stderr tool "$B" list
    has "$stderr" "the proxy can't reach localhost.*503.*trying again"
    [ "$(grep -c ' 503$' "$T/connect.log")" = 3 ]
}

# ---- TLS ------------------------------------------------------------------------------------------------------------

refused() { # WORDS HINT: at once
    SECONDS=0
    TOOL_VERBOSE=1 run -18 --separate-stderr tool "$B" list
    has "$stderr" "STORE: can't list s3://backups: TLS: .*($1)"
    has "$stderr" "hint: .*($2)"
    has_not "$stderr" 'trying again'
    [ $SECONDS -lt 5 ]
}

@test "a certificate that expired, or is not valid yet" {
    s3_certificate expired
    openssl x509 -req -in "$S3_DIR/expired.csr" -CA "$S3_DIR/ca.pem" -CAkey "$S3_DIR/ca.key" -days -1 \
        -extfile <(echo subjectAltName=DNS:localhost) -out "$S3_DIR/expired.pem" 2>/dev/null
    tls_server expired
    refused 'expired on 20[0-9-]+ .*CN=expired' 'renew it'
}

@test "a certificate for another host" {
    s3_certificate other DNS:example.org
    tls_server other
    refused 'for another host .*CN=other' 'as endpoint'
}

@test "a certificate that signed itself, or of an authority nobody knows" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$S3_DIR/self.key" -subj "/CN=localhost" \
        -addext subjectAltName=DNS:localhost -days 3 -out "$S3_DIR/self.pem" 2>/dev/null
    tls_server self
    refused 'not from an authority known here .*CN=localhost' "AWS_CA_BUNDLE; verified against $S3_CA"
    AWS_CA_BUNDLE=$S3_DIR/self.pem run -18 --separate-stderr tool "$B" list
    has_not "$stderr" TLS # trusted now, though no S3
    s3_certificate good
    tls_server good
    unset AWS_CA_BUNDLE
    refused 'not from an authority known here' 'AWS_CA_BUNDLE'
    AWS_CA_BUNDLE=/nonexistent run -12 --separate-stderr tool "$B" list
    has "$stderr" 'CONFIG: .*CA bundle /nonexistent'
}

@test "a server that speaks old TLS only" {
    s3_certificate old
    tls_server old -tls1_1 -cipher ALL:@SECLEVEL=0
    refused 'no protocol in common' 'TLS 1.2 or newer'
}

@test "TLS 1.2 alone and 1.3 alone are spoken" {
    s3_certificate new
    for version in 1_2 1_3; do
        tls_server new -tls$version
        run -18 --separate-stderr tool "$B" list
        has_not "$stderr" TLS
        has "$stderr" "a <HTML>, not a <ListBucketResult>|no XML"
    done
}

@test "plain HTTP where TLS is expected, and nobody at all" {
    AWS_ENDPOINT_URL_S3=https://localhost:$S3_PLAIN_PORT run -18 --separate-stderr tool "$B" list
    has "$stderr" 'does not speak TLS'
    AWS_ENDPOINT_URL_S3=https://no-such-host.invalid run -18 --separate-stderr tool "$B" list
    has "$stderr" 'there is no host no-such-host.invalid|can.t be looked up'
    export TOOL_RETRY=1
    AWS_ENDPOINT_URL_S3=https://127.0.0.1:1 run -18 --separate-stderr tool "$B" list
    has "$stderr" 'connection refused'
    https_proxy=http://127.0.0.1:1 run -18 --separate-stderr tool "$B" list
    has "$stderr" 'STORE: '
}
