# shellcheck shell=bash disable=SC2034 # variables are for the tests
# alert-tools.bash - receivers of alerts for the live tests: webhooks (receiver.py) and mail servers (mailserver.py).
#
#     load harness; load alert-tools
#     setup_file()    { file_begin; alert_begin; }
#     teardown_file() { alert_end; file_end; }
#     setup()         { test_begin; alert_fresh; }
#
# alert_begin starts a webhook over TLS; exports HOOK (https://localhost:PORT), HOOK_CA and SSL_CERT_FILE.

alert_begin() {
    export ALERTS=$ROOT/alerts
    mkdir "$ALERTS"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=sfb test CA" \
        -keyout "$ALERTS/ca.key" -out "$ALERTS/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" -keyout "$ALERTS/server.key" \
        -out "$ALERTS/server.csr" 2>/dev/null
    openssl x509 -req -in "$ALERTS/server.csr" -CA "$ALERTS/ca.pem" -CAkey "$ALERTS/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$ALERTS/server.pem" 2>/dev/null
    alert_run hook '[]' python3 "$HARNESS_DIR/receiver.py" --cert "$ALERTS/server.pem" --key "$ALERTS/server.key"
    HOOK=https://localhost:$(<"$ALERTS/hook.port")
    export HOOK HOOK_CA=$ALERTS/ca.pem SSL_CERT_FILE=$ALERTS/ca.pem
}

# alert_run NAME RULES COMMAND...: in the background; its port is in $ALERTS/NAME.port.
alert_run() {
    local name=$1
    echo "$2" >"$ALERTS/$name.rules"
    : >"$ALERTS/$name.log"
    shift 2
    "$@" --port-file "$ALERTS/$name.port" --log "$ALERTS/$name.log" --rules "$ALERTS/$name.rules" \
        >"$ALERTS/$name.out" 2>&1 </dev/null 3>&- &
    echo $! >"$ALERTS/$name.pid"
    disown
    wait_for 20 test -s "$ALERTS/$name.port" || { cat "$ALERTS/$name.out" >&2; return 1; }
}

# mail_start NAME [OPTIONS...]: a mail server. MAIL_PORT is its port. Debian's own Python, which has Debian's aiosmtpd.
mail_start() {
    local name=$1
    shift
    alert_run "$name" '{}' /usr/bin/python3 "$HARNESS_DIR/mailserver.py" --cert "$ALERTS/server.pem" --key "$ALERTS/server.key" "$@"
    MAIL_PORT=$(<"$ALERTS/$name.port")
}

alert_stop() { # NAME
    [ -f "$ALERTS/$1.pid" ] || return 0
    kill -9 "$(<"$ALERTS/$1.pid")" 2>/dev/null || :
    wait_for 10 gone "$(<"$ALERTS/$1.pid")" || :
    rm -f "$ALERTS/$1".*
}

alert_end() {
    local file
    for file in "$ALERTS"/*.pid; do
        [ ! -f "$file" ] || alert_stop "$(basename "$file" .pid)"
    done
}

# Before each test: nothing has been received, every request is taken.
alert_fresh() { hook_rules '[]'; : >"$ALERTS/hook.log"; }

hook_rules() {
    echo "$1" >"$ALERTS/hook.rules.new"
    mv "$ALERTS/hook.rules.new" "$ALERTS/hook.rules"
}

# hook_log [PATH]: the requests, "METHOD PATH" lines. hook_count PATH. hook_body PATH [N]: the Nth body, from 1; the last without.
hook_log() { python3 -c 'import json, sys
for line in open(sys.argv[1]): r = json.loads(line); print(r["method"], r["path"])' "$ALERTS/hook.log"; }
hook_count() { hook_log | grep -cE " $1\$" || :; }
hook_read() { python3 -c 'import json, sys
found = [r for r in map(json.loads, open(sys.argv[1])) if r["path"] == sys.argv[2]]
r = found[int(sys.argv[4]) - 1 if len(sys.argv) > 4 else -1]
print(r["body"] if sys.argv[3] == "body" else r["headers"].get(sys.argv[3], ""), end="")' "$ALERTS/hook.log" "$@"; }
hook_body() { hook_read "$1" body ${2+"$2"}; }

# json EXPRESSION: of the JSON on standard input, as Python sees it in x.
json() { python3 -c 'import json, sys
x = json.load(sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$1"; }

# slack_text [N]: the text of the Nth message's section.
slack_text() { hook_body /slack ${1+"$1"} | json 'x["blocks"][0]["text"]["text"]'; }

mail_count() { wc -l <"$ALERTS/$1.log"; } # NAME
# mail_check NAME PYTHON: statements about m, the last mail as Python's email package reads it, and e, its envelope.
mail_check() { python3 - "$ALERTS/$1.log" "$2" <<'PYTHON'
import email, email.policy, json, sys
e = json.loads(open(sys.argv[1]).readlines()[-1])
m = email.message_from_string(e["data"], policy=email.policy.default)
exec(sys.argv[2])
PYTHON
}

# What happens, and when.
NOWHERE=postgresql://bob:hunter22@127.0.0.1:1/shop # nobody listens at port 1
good_backup() { run -0 sfb backup --local-only; }
with_slack() { export SFB_SLACK_WEBHOOK_URL=$HOOK/slack; }
at() { SFB_TEST_NOW=$(date -ud "$1" +%s); export SFB_TEST_NOW; } # "2025-10-23 02:00:15"

# same EXPECTED GOT; mentions TEXT PIECE...: each stands in it as it is; silent TEXT PIECE...: none does.
same() {
    [ "$1" = "$2" ] || { printf 'expected:\n%s\ngot:\n%s\n' "$1" "$2" >&2; return 1; }
}
mentions() {
    local text=$1 piece
    shift
    for piece; do [[ $text == *"$piece"* ]] || { printf 'missing: %s\nin:\n%s\n' "$piece" "$text" >&2; return 1; }; done
}
silent() {
    local text=$1 piece
    shift
    for piece; do [[ $text != *"$piece"* ]] || { printf 'found: %s\nin:\n%s\n' "$piece" "$text" >&2; return 1; }; done
}
