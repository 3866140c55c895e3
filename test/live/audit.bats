#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# audit.bats - the audit logs of real runs: the contract's lines, the chain that can't be bent unseen, the copies elsewhere.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    s3_start
}
teardown_file() {
    s3_stop
    file_end
}
setup() {
    test_begin
    db_new signupflow
    sql signupflow "CREATE TABLE events (id serial PRIMARY KEY, title text); INSERT INTO events (title) SELECT 'Event ' || n FROM generate_series(1, 500) n"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    STAGING_DATABASE_URL=$(db_url signupflow_staging)
    LOG=$SFB_LOG_DIR/signupflow-audit.jsonl HEAD=$SFB_LOG_DIR/signupflow-audit.head
}
teardown() {
    [ ! -f "$T/logger.pid" ] || kill "$(<"$T/logger.pid")"
    db_drop signupflow
    db_drop signupflow_staging
    test_end
}

bucket() {
    export SFB_BUCKET=audit-$BATS_TEST_NUMBER SFB_S3_RETRY_SECONDS=5
    s3_environment
    curl -sS --fail-with-body --cacert "$S3_CA" --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" -X PUT \
        -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" "https://localhost:$S3_PORT/$SFB_BUCKET" >/dev/null
}
# A member of each entry: entries NAME
entries() { python3 -c 'import json, sys
for line in open(sys.argv[1]): print(json.loads(line)[sys.argv[2]])' "$LOG" "$1"; }

@test "a backup to S3 and a restore leave the contract's lines" {
    bucket
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb restore --force latest
    now='\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\]'
    python3 - "$SFB_LOG_DIR/signupflow-backup-audit.log" "^$now INFO Backup started \(user: [^ ,]+, pid: [0-9]+\)\$" \
        "^$now INFO Backup completed \(duration: ([0-9]+h )?([0-9]+m )?[0-9]+s, size: [0-9.]+[KMG]?B\)\$" \
        "^$now INFO S3 upload completed \(location: s3://$SFB_BUCKET/production/daily/backup-[0-9]{8}-[0-9]{6}\.dump\)\$" \
        "^$now INFO Backup verification successful \(checksum: [0-9a-f]{32}\)\$" <<'END'
import re, sys
lines = open(sys.argv[1]).read().splitlines()
assert len(lines) == len(sys.argv) - 2, lines
for line, pattern in zip(lines, sys.argv[2:]): assert re.match(pattern, line), (pattern, line)
END
    has "$(head -n 1 "$SFB_LOG_DIR/signupflow-restore-audit.log")" \
        "^$now WARNING Restore initiated \(user: [^ ,]+, backup: backup-[0-9]{8}-[0-9]{6}\.dump, target: staging\)\$"
    has "$(tail -n 2 "$SFB_LOG_DIR/signupflow-restore-audit.log" | head -n 1)" "^$now INFO Restore completed \(duration: .*s\)\$"
    has "$(tail -n 1 "$SFB_LOG_DIR/signupflow-restore-audit.log")" "^$now INFO Data integrity verification successful\$"
}

@test "each event is in the chain too: of backup, restore, drill and prune, of success and failure" {
    db_new signupflow_staging
    export SFB_KEEP_AT_LEAST=1
    run -0 sfb backup --local-only
    run -0 sfb restore --force "$(the_file "$CACHE" '*.dump')"
    run -0 sfb drill "$(the_file "$CACHE" '*.dump')"
    run -0 sfb backup --local-only --retention-days 1
    run -0 sfb backup --local-only --retention-days 1
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 sfb prune --local-only
    PRODUCTION_DATABASE_URL=$(db_url none) run -1 sfb backup --local-only
    cat "$SFB_LOG_DIR"/signupflow-{backup,restore}-audit.log | sed 's/^[^]]*\] [A-Z]* //' | sort >"$T/text"
    entries event | sort | diff "$T/text" -
    for kind in backup restore drill prune; do entries kind | grep -qx "$kind"; done
    entries event | grep -qE '^Backup deleted \(location: file://.*backup-[0-9-]*\.dump, reason: .*limit 1'
    entries event | grep -qE '^Prune completed \(deleted: 1\)$'
    entries level | grep -qx ERROR
    run -0 sfb verify --audit
    has "$output" "✅ Audit log verification successful"
}

@test "sha256sum finds the hash that stands in each entry, and each names the one before" {
    run -0 sfb backup --local-only
    previous=$(printf '%064d' 0)
    while read -r line; do
        hash=$(sed 's/.*,"hash":"\([0-9a-f]*\)"}$/\1/' <<<"$line")
        [ "$(sed 's/,"hash":"[0-9a-f]*"}$//' <<<"$line" | tr -d '\n' | sha256sum)" = "$hash  -" ]
        has "$line" ",\"previous\":\"$previous\",\"hash\""
        previous=$hash
    done <"$LOG"
    has "$(cat "$HEAD")" ":$previous *\$"
}

@test "verify --audit finds a changed, a missing and a moved line, and says which" {
    for _ in 1 2; do run -0 sfb backup --local-only; done
    cp "$LOG" "$T/kept"
    sed -i '2s/INFO/WARN/' "$LOG"
    run -2 --separate-stderr sfb verify --audit
    has "$output" "❌ $LOG, line 2: entry 2 was changed"
    has "$stderr" 'the audit log is not what was written'
    sed 3d "$T/kept" >"$LOG"
    run -2 --separate-stderr sfb verify --audit
    has "$output" "❌ $LOG, line 3: entry 3 is missing before it"
    awk 'NR == 4 { kept = $0; next } { print } NR == 5 { print kept }' "$T/kept" >"$LOG"
    run -2 --separate-stderr sfb verify --audit
    has "$output" "❌ $LOG, line 5: entry 4 stands behind entry 5"
    head -n 4 "$T/kept" >"$LOG"
    run -2 --separate-stderr sfb verify --audit
    has "$output" "the end is missing"
    run -2 sfb verify --audit --json
    echo "$output" | sed -n '/^{/,/^}/p' >"$T/json"
    [ "$(json "$T/json" good)" = 0 ]
    [ "$(json "$T/json" findings 0 damage)" = 1 ]
    cp "$T/kept" "$LOG"
    run -0 --separate-stderr sfb verify --audit "$LOG"
    [ -z "$stderr" ]
    run -1 sfb verify --audit "$T/none.jsonl"
    rm "$LOG"
    run -1 sfb verify --audit
    run -7 sfb verify --against "file://$CACHE" x.dump
}

@test "two runs at once keep one chain" {
    export STAGING_DATABASE_URL=$PRODUCTION_DATABASE_URL
    for _ in 1 2 3; do
        sfb backup --local-only >/dev/null 2>&1 &
        sfb backup --local-only --environment staging >/dev/null 2>&1 &
        wait
    done
    run -0 sfb verify --audit
    has "$output" ' 18 entries, 1 to 18'
}

@test "a run that is killed leaves its beginning, and the chain goes on" {
    sql signupflow "CREATE TABLE big (x text); INSERT INTO big SELECT repeat('abc', 500000) FROM generate_series(1, 200)"
    sfb_start backup --local-only
    stop_in_the_middle
    kill -9 -- "-$PID"
    sfb_wait
    run -0 sfb backup --local-only
    [ "$(entries event | grep -c '^Backup started')" = 2 ]
    [ "$(entries event | grep -c '^Backup completed')" = 1 ]
    printf '{"chain":"%s","seq":5,"ti' "$(entries chain | head -n 1)" >>"$LOG" # the next is killed while it writes
    run -0 sfb verify --audit
    has "$output" 'line 5: incomplete'
    run -0 sfb backup --local-only
    grep -q '"kind":"audit","level":"WARNING","event":"Audit log was cut short' "$LOG"
    run -0 sfb verify --audit
    has "$output" 'line 5: incomplete, as entry 5 tells'
}

@test "a log that was made anew, head and all, is found by the manifests in the bucket" {
    bucket
    run -0 sfb backup
    run -0 sfb verify --audit --against "s3://$SFB_BUCKET"
    has "$output" 'manifests name one of them, and it is the same'
    head -n 1 "$LOG" >"$T/first" # the backup's traces vanish from this host
    rm -r "$LOG" "$HEAD" "${CACHE:?}"/*
    run -1 sfb restore --force /nonexistent.dump
    run -0 sfb backup --local-only
    rm -r "${CACHE:?}"/*
    run -0 sfb verify --audit # alone it is a good log
    run -0 sfb verify --audit --against "s3://$SFB_BUCKET"
    has "$output" "production/daily/backup-.*\.dump names entry 1 of another log"
    cp "$T/first" "$LOG" # or only its end is cut off
    rm "$HEAD"
    run -0 sfb verify --audit
    run -0 sfb backup
    sed -n 1,2p "$LOG" >"$T/cut"
    cp "$T/cut" "$LOG"
    rm -r "$HEAD" "${CACHE:?}"/*
    run -0 sfb verify --audit
    sed -i '$d' "$LOG"
    run -2 sfb verify --audit --against "s3://$SFB_BUCKET"
    has "$output" 'the end is missing: production/daily/backup-.* names entry 2, and it ends with 1'
    run -3 sfb verify --audit --against "s3://$SFB_BUCKET-none"
}

# ---- syslog -----------------------------------------------------------------------------------------------------------

# A logger's socket, whose datagrams are lines in $T/messages.
logger_start() {
    python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
while True:
    with open(sys.argv[2], "ab") as f: f.write(s.recv(65536) + b"\n")' "$T/socket" "$T/messages" >"$T/ready" 3>&- &
    echo $! >"$T/logger.pid"
    disown
    wait_for 10 test -s "$T/ready"
}

@test "with SFB_SYSLOG each event is a message that names its entry, and verify finds it by that" {
    logger_start
    SFB_SYSLOG=$T/socket run -0 sfb backup --local-only
    wait_for 10 grep -q 'verification successful' "$T/messages"
    [ "$(wc -l <"$T/messages")" = 3 ]
    [ "$(grep -cE '^<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} sfb\[[0-9]+\]: signupflow backup INFO .* \[[0-9a-f]{16}:[0-9]+:[0-9a-f]{64}\]$' "$T/messages")" = 3 ]
    head=$(tail -n 1 "$T/messages" | sed 's/.*\[\(.*\)\]$/\1/')
    run -0 sfb verify --audit --head "$head"
    run -2 sfb verify --audit --head "${head%?????}00000"
    run -7 sfb verify --audit --head nonsense
    has_not "$(cat "$T/messages")" "$PG_PASSWORD"
}

@test "without a logger there is one warning, and the backup is as good" {
    SFB_SYSLOG=$T/none run -0 --separate-stderr sfb backup --local-only
    [ "$(grep -c 'not told to syslog' <<<"$stderr")" = 1 ]
    [ "$(wc -l <"$LOG")" = 3 ]
    SFB_SYSLOG=perhaps run -0 --separate-stderr sfb backup --local-only
    has "$stderr" 'SFB_SYSLOG is "perhaps"'
}

@test "journald takes the messages apart" {
    [ -x /lib/systemd/systemd-journald ] && command -v journalctl >/dev/null || skip "systemd is not installed"
    is_root || skip "journald needs root"
    need_small_fs
    # shellcheck disable=SC2016 # for the inner shell
    in_mount_namespace bash -c '
        mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&
            echo 0123456789abcdef0123456789abcdef >/run/id && { [ -e /etc/machine-id ] || exit 9; } &&
            mount --bind /run/id /etc/machine-id && mkdir -p /run/log/journal/0123456789abcdef0123456789abcdef || exit 9
        /lib/systemd/systemd-journald & journald=$!
        trap "kill $journald" EXIT
        for try in $(seq 200); do [ -S /run/systemd/journal/dev-log ] && break; sleep 0.05; done
        SFB_SYSLOG=/run/systemd/journal/dev-log "$SFB" backup --local-only >/dev/null || exit 1
        for try in $(seq 200); do
            journalctl --directory=/run/log/journal --identifier=sfb --output=json --no-pager >"$T/journal"
            [ "$(wc -l <"$T/journal")" -ge 3 ] && break
            sleep 0.05
        done' 2>"$T/journald.err" || { [ $? != 9 ] || skip "no journald in a namespace here"; false; }
    [ "$(head -n 1 "$T/journal" >"$T/one" && json "$T/one" SYSLOG_IDENTIFIER)" = sfb ]
    [ "$(json "$T/one" PRIORITY) $(json "$T/one" SYSLOG_FACILITY)" = '6 3' ]
    has "$(json "$T/one" MESSAGE)" '^signupflow backup INFO Backup started '
    [ "$(json "$T/one" SYSLOG_PID)" = "$(json "$T/one" _PID)" ]
}
