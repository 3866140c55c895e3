# shellcheck shell=bash disable=SC2034 # variables are for the tests
# s3-tools.bash - the store layer by hand (tool_store.c), the fault proxy and the strict stub, for the live tests.
#
#     load harness; load s3-server; load s3-tools
#     setup_file()    { file_begin; s3_start; tools_begin; }
#     teardown_file() { tools_end; s3_stop; file_end; }

tools_begin() {
    local built=${SFB_TEST_BUILD:-$TOP/build}/unit/tool_store
    [ -x "$built" ] || { echo "there is no $built: make tools" >&2; return 1; }
    cp "$built" "$ROOT/bin/tool_store" # no make can change it meanwhile
    export TOOL=$ROOT/bin/tool_store ASAN_OPTIONS=detect_leaks=1
    mkdir "$ROOT/tools"
}
tools_end() {
    local file
    for file in "$ROOT"/tools/*.pid; do
        [ -f "$file" ] || continue
        kill -9 "$(<"$file")" 2>/dev/null || :
        wait_for 10 gone "$(<"$file")" || :
    done
}

tool() { timeout -k 5 "${TOOL_TIMEOUT:-60}" "$TOOL" "$@"; }

# A file of so many bytes, the same ones every time: random_file BYTES FILE.
random_file() { openssl enc -aes-128-ctr -K 0 -iv 0 -in /dev/zero 2>/dev/null | head -c "$1" >"$2"; }

# background NAME COMMAND... --port-file is added; the port is then in $ROOT/tools/NAME.port.
tools_run() {
    local name=$1
    shift
    "$@" --port-file "$ROOT/tools/$name.port" >"$ROOT/tools/$name.out" 2>&1 </dev/null 3>&- &
    echo $! >"$ROOT/tools/$name.pid"
    disown
    wait_for 20 test -s "$ROOT/tools/$name.port" || { cat "$ROOT/tools/$name.out" >&2; return 1; }
}

# proxy_start: between us and radosgw, over TLS. Exports PROXY, its URL. Rules: proxy_rules 'JSON'.
proxy_start() {
    export PROXY_RULES=$ROOT/tools/rules PROXY_LOG=$ROOT/tools/proxy.log
    echo '[]' >"$PROXY_RULES"
    tools_run proxy python3 "$HARNESS_DIR/faultproxy.py" --to "$S3_PLAIN_PORT" --rules "$PROXY_RULES" --log "$PROXY_LOG" \
        --cert "$S3_DIR/server.pem" --key "$S3_DIR/server.key"
    PROXY=https://localhost:$(<"$ROOT/tools/proxy.port")
    export PROXY
}
proxy_rules() {
    : >"$PROXY_LOG"
    echo "$1" >"$PROXY_RULES.new"
    mv "$PROXY_RULES.new" "$PROXY_RULES" # a new file has a new time
}
proxy_log() { cat "$PROXY_LOG"; }

# stub_start NAME [MORE...]: plain http, or TLS with "tls". Its URL is in STUB_NAME (upper case).
stub_start() {
    local name=$1 url=http://localhost
    shift
    if [ "${1-}" = tls ]; then
        shift
        set -- --cert "$S3_DIR/server.pem" --key "$S3_DIR/server.key" "$@"
        url=https://localhost
    fi
    tools_run "$name" python3 "$HARNESS_DIR/s3stub.py" --log "$ROOT/tools/$name.log" "$@"
    export "STUB_${name^^}=$url:$(<"$ROOT/tools/$name.port")"
}
# stub_fresh NAME: its log starts anew; stub_log NAME
stub_fresh() { : >"$ROOT/tools/$1.log"; }
stub_log() { cat "$ROOT/tools/$1.log"; }

# An HTTPS server of openssl's own on $PORT: tls_server NAME OPTIONS...
tls_server() {
    local name=$1
    shift
    PORT=$(s3_free_port)
    openssl s_server -accept "127.0.0.1:$PORT" -cert "$S3_DIR/$name.pem" -key "$S3_DIR/$name.key" -www "$@" \
        >"$T/tls.out" 2>&1 </dev/null 3>&- &
    echo $! >"$ROOT/tools/tls-$PORT.pid"
    disown
    wait_for 10 listens "$PORT"
    export AWS_ENDPOINT_URL_S3=https://localhost:$PORT
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
