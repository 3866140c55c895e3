#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# history.bats - every run leaves one line on its host and one object in the store, however it ended.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    s3_start
    s3_user backup BACKUPKEY00000000000 backup-secret-0123456789
    s3_user restore RESTOREKEY0000000000 restore-secret-0123456789
}
teardown_file() { s3_stop; file_end; }

setup() {
    test_begin
    db_new signupflow
    db_new signupflow_staging
    sql signupflow "CREATE TABLE events (id int, title text);
                    INSERT INTO events SELECT n, 'Event ' || n FROM generate_series(1, 1000) n"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    STAGING_DATABASE_URL=$(db_url signupflow_staging)
    s3_environment
    SFB_BUCKET=records-$BATS_TEST_NUMBER
    s3_call PUT "$SFB_BUCKET" >/dev/null
}
teardown() {
    db_drop signupflow
    db_drop signupflow_staging
    test_end
}

HISTORY() { cat "$SFB_STATE_DIR/history.jsonl" 2>/dev/null || :; }
lines() { HISTORY | wc -l; }
# last MEMBER...: of the newest line
last() { HISTORY | tail -n 1 >"$T/last.json" && json "$T/last.json" "$@"; }
# the one object that the store has of runs of a kind
stored() { s3_call GET "$SFB_BUCKET/$(s3_keys "history/.*-$1-")"; }

# The contract's policy, for users of this server.
contract_policy() {
    cat >"$T/policy.json" <<END
{ "Version": "2012-10-17", "Statement": [
  { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/backup"] },
    "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "arn:aws:s3:::$SFB_BUCKET/production/*" },
  { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/restore"] }, "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["arn:aws:s3:::$SFB_BUCKET/production/*", "arn:aws:s3:::$SFB_BUCKET"] },
  { "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::$SFB_BUCKET/*",
    "Condition": { "StringNotEquals": { "s3:x-amz-server-side-encryption": "AES256" } } } ] }
END
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary "@$T/policy.json" >/dev/null
}

@test "a backup that succeeded is one line and one object, with its figures" {
    run -0 --separate-stderr sfb backup
    [ "$(lines)" = 1 ]
    dump=$(the_file "$CACHE" 'backup-*.dump')
    manifest=${dump%.dump}.manifest.json
    [ "$(last kind) $(last environment) $(last exit_code) $(last database)" = "backup production 0 signupflow" ]
    [ "$(last backup)" = "$(basename "$dump")" ]
    [ "$(last location)" = "s3://$SFB_BUCKET/production/daily/$(basename "$dump")" ]
    [ "$(last size)" = "$(stat -c %s "$dump")" ]
    [ "$(last md5)" = "$(json "$manifest" md5)" ]
    [ "$(last tables) $(last rows) $(last format)" = "1 1000 custom gzip 6" ]
    [ "$(last stored) $(last verified)" = "1 1" ]
    [ "$(last phases 0 name) $(last phases 1 name) $(last phases 2 name)" = "dump verify upload" ]
    [ "$(stored backup)" = "$(HISTORY)" ]
    [ "$(stat -c %a "$SFB_STATE_DIR/history.jsonl")" = 600 ]
}

@test "a backup that failed says with which words, here and in the store" {
    PRODUCTION_DATABASE_URL=postgresql://postgres:$PG_PASSWORD@127.0.0.1:1/signupflow
    run -1 --separate-stderr sfb backup
    [ "$(last exit_code)" = 1 ]
    has "$stderr" "$(last error)"
    has "$(last error)" 'Connection refused'
    [ "$(stored backup)" = "$(HISTORY)" ]
    run -1 grep -rF "$PG_PASSWORD" "$SFB_STATE_DIR"
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    run -0 --separate-stderr sfb backup
    [ "$(lines)" = 2 ]
}

@test "a backup that could not be uploaded says so" {
    s3_environment "$S3_KEY" wrong-secret
    run -3 --separate-stderr sfb backup
    [ "$(last exit_code) $(last upload_failed) $(last verified)" = "3 1 1" ]
    [ "$(last location)" = "$(the_file "$CACHE" 'backup-*.dump')" ]
    has_not "$(HISTORY)" '"stored"'
}

@test "a run that a signal ended is remembered, in the store too" {
    sql signupflow "CREATE TABLE held (id int)"
    hold_lock signupflow held
    sfb_start backup
    dump_waits
    kill -TERM "$PID"
    sfb_wait 20
    [ "$status" = 143 ]
    [ "$(last exit_code) $(last signal)" = "143 15" ]
    [ "$(stored backup)" = "$(HISTORY)" ]
}

@test "a run that was killed is found by whoever comes next, once" {
    sql signupflow "CREATE TABLE held (id int)"
    hold_lock signupflow held
    sfb_start backup
    dump_waits
    run -2 --separate-stderr sfb status # there is none yet; and one that is at work is not dead
    [ "$(lines)" = 0 ]
    kill -KILL "$PID"
    sfb_wait
    no_children
    run -2 --separate-stderr sfb status
    has "$output" '^❌ Backup success rate: failed at .* \(exit code 137\): it ended without a word'
    [ "$(last exit_code) $(last signal) $(last pid) $(last environment)" = "137 9 $PID production" ]
    sfb_start backup
    dump_waits
    kill -KILL "$PID"
    sfb_wait
    no_children
    release_locks
    run -0 --separate-stderr sfb backup
    has "$stderr" "the backup of .* \(pid $PID\): it ended without a word"
    [ "$(HISTORY | grep -c '"exit_code":137')" = 2 ]
    [ "$(s3_keys production/history/.*backup | wc -l)" = 3 ] # the first one's, too, whose finder only looked
    [ -z "$(ls "$SFB_STATE_DIR/outbox")" ]
    [ "$(find "$SFB_STATE_DIR" -name 'running-*' | wc -l)" = 0 ]
}

@test "what a store that was away did not get is sent by the next run that reaches it, once and as it was" {
    there=$AWS_ENDPOINT_URL_S3
    export AWS_ENDPOINT_URL_S3=https://localhost:1
    SFB_S3_RETRY_SECONDS=0 run -3 --separate-stderr sfb backup
    SFB_S3_RETRY_SECONDS=0 run -3 --separate-stderr sfb backup
    [ "$(find "$SFB_STATE_DIR/outbox" -type f | wc -l)" = 2 ]
    AWS_ENDPOINT_URL_S3=$there
    run -0 --separate-stderr sfb backup --local-only # it does not ask the store
    [ "$(find "$SFB_STATE_DIR/outbox" -type f | wc -l)" = 2 ]
    run -0 --separate-stderr sfb backup
    [ "$(s3_keys production/history/ | wc -l)" = 3 ]
    for key in $(s3_keys production/history/); do s3_call GET "$SFB_BUCKET/$key"; done | sort | diff - <(HISTORY | grep -v '"local":true' | sort)
    [ -z "$(ls "$SFB_STATE_DIR/outbox")" ]
}

@test "a run that is killed while its record is on its way leaves it to the next" {
    run -0 --separate-stderr sfb backup
    mv "$SFB_STATE_DIR/history.jsonl" "$T/kept"
    key=$(s3_keys production/history/)
    mkdir -p "$SFB_STATE_DIR/outbox"
    s3_call DELETE "$SFB_BUCKET/$key"
    cp "$T/kept" "$SFB_STATE_DIR/outbox/${key//\//%}" # as it stands before it is sent
    printf 'half' >"$SFB_STATE_DIR/outbox/.${key//\//%}.partial-999999"
    run -0 --separate-stderr sfb backup
    [ "$(s3_call GET "$SFB_BUCKET/$key")" = "$(<"$T/kept")" ]
    [ -z "$(ls -A "$SFB_STATE_DIR/outbox")" ]
}

@test "a backup that finds another one at work is remembered as such" {
    sql signupflow "CREATE TABLE held (id int)"
    hold_lock signupflow held
    sfb_start backup --local-only
    dump_waits
    run -75 --separate-stderr sfb backup
    [ "$(last exit_code)" = 75 ]
    has "$(last error)" "process $PID"
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    [ "$(lines)" = 2 ]
}

@test "help, a wrong command line, a rehearsal and a refusal leave nothing" {
    run -0 --separate-stderr sfb backup --local-only
    rm "$SFB_STATE_DIR/history.jsonl"
    dump=$(the_file "$CACHE" 'backup-*.dump')
    run -0 sfb backup --help
    run -6 sfb backup --compression eleven
    run -6 sfb backup --environment nowhere
    run -7 sfb restore
    run -0 sfb restore --dry-run "$dump"
    run -6 sfb restore "$dump" </dev/null
    run -0 sfb prune --dry-run
    run -7 sfb verify
    [ "$(lines)" = 0 ]
    [ "$(find "$SFB_STATE_DIR" -name 'running-*' | wc -l)" = 0 ]
    [ -z "$(s3_keys history/)" ]
}

@test "what stays on this host by wish leaves its record there alone" {
    run -0 --separate-stderr sfb backup --local-only
    [ "$(lines)" = 1 ]
    has "$(last location)" "^$WORK/"
    [ -z "$(s3_keys)" ]
}

@test "a restore, a verification and a pruning are remembered with what they were about" {
    run -0 --separate-stderr sfb backup
    url=s3://$SFB_BUCKET/$(s3_keys 'daily.*dump$')
    run -0 --separate-stderr sfb restore --force "$url"
    [ "$(last kind) $(last environment) $(last source) $(last database)" = "restore staging production signupflow_staging" ]
    [ "$(last proven) $(last rows) $(last location)" = "1 1000 $url" ]
    [ "$(stored restore)" = "$(HISTORY | tail -n 1)" ] # among those of the backup's environment
    has "$(s3_keys restore)" '^production/history/'
    run -0 --separate-stderr sfb verify "$url"
    [ "$(last kind) $(last environment) $(last verified)" = "verify production 1" ]
    cp "$(the_file "$CACHE" 'backup-*.dump')" "$T/bad.dump"
    printf X | dd of="$T/bad.dump" bs=1 seek=9000 conv=notrunc status=none
    run -2 --separate-stderr sfb verify "$url" "$T/bad.dump"
    [ "$(last exit_code) $(last location)" = "2 $T/bad.dump" ]
    for _ in 1 2 3 4; do run -0 --separate-stderr sfb backup --retention-days 1; done
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune
    [ "$(last kind) $(last exit_code)" = "prune 0" ]
    [ "$(last removed)" -ge 1 ]
    has "$(s3_keys prune)" '^history/'
}

@test "records are no backups: nothing lists, prunes or restores them" {
    for _ in 1 2 3 4 5; do run -0 --separate-stderr sfb backup --retention-days 1; done
    before=$(s3_keys history/)
    [ "$(wc -l <<<"$before")" = 5 ]
    run -0 --separate-stderr sfb list "s3://$SFB_BUCKET"
    has_not "$output$stderr" history
    SFB_TEST_NOW=$(($(date +%s) + 800 * 86400)) run -0 --separate-stderr sfb prune --force --adopt
    has_not "$output$stderr" history
    [ "$(s3_keys 'daily.*dump$' | wc -l)" = 3 ]
    [ "$(s3_keys production/history/)" = "$before" ]
    run -0 --separate-stderr sfb restore --dry-run latest
}

@test "the contract's backup role leaves its records; its restore role, which may not, is not bothered" {
    contract_policy
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789
    run -0 --separate-stderr sfb backup
    has_not "$stderr" record
    [ "$(s3_keys production/history/ | wc -l)" = 1 ]
    s3_environment RESTOREKEY0000000000 restore-secret-0123456789
    run -0 --separate-stderr sfb restore --force latest
    has_not "$stderr" record
    [ "$(s3_keys production/history/ | wc -l)" = 1 ]
    [ "$(last kind)" = restore ]
}

@test "a role that may put backups and nothing else goes on, and it is said once" {
    cat >"$T/policy.json" <<END
{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/backup"] },
    "Action": "s3:PutObject", "Resource": ["arn:aws:s3:::$SFB_BUCKET/production/daily/*", "arn:aws:s3:::$SFB_BUCKET/production/weekly/*",
        "arn:aws:s3:::$SFB_BUCKET/production/monthly/*"] } ] }
END
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary "@$T/policy.json" >/dev/null
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789
    run -0 --separate-stderr sfb backup
    [ "$(grep -c 'but no records of runs.*s3:PutObject is needed on production/history/' <<<"$stderr")" = 1 ]
    run -0 --separate-stderr sfb backup
    [ -z "$stderr" ]
    [ -z "$(s3_keys history/)$(ls "$SFB_STATE_DIR/outbox")" ]
    [ "$(lines)" = 2 ]
    s3_call DELETE "$SFB_BUCKET?policy="
    contract_policy
    run -0 --separate-stderr sfb backup
    [ -z "$stderr" ]
    [ "$(s3_keys production/history/ | wc -l)" = 1 ]
}

@test "a state directory that can't be used is done without, with one warning; the store remembers" {
    : >"$T/file"
    run -0 --separate-stderr sfb backup
    url=s3://$SFB_BUCKET/$(s3_keys 'daily.*dump$')
    SFB_STATE_DIR=$T/file/state run -0 --separate-stderr sfb verify "$url"
    [ "$(grep -c 'going on without' <<<"$stderr")" = 1 ]
    has "$stderr" "state \($T/file/state\)"
    has "$(stored verify)" '"kind":"verify"'
    SFB_STATE_DIR=$T/file/state run -6 --separate-stderr sfb backup # it was named, and locks belong there
    [ "$(s3_keys production/history/.*backup | wc -l)" = 2 ]
}

@test "a full disk under the state directory costs the line, not the backup; the store remembers" {
    need_small_fs
    mkdir "$T/small"
    export SFB_STATE_DIR=$T/small
    # shellcheck disable=SC2016 # for the inner shell
    run -0 --separate-stderr small_fs 64k "$T/small" bash -c 'head -c 65536 /dev/zero >"$T/small/full" 2>/dev/null
        "$SFB" backup || exit
        [ ! -s "$T/small/history.jsonl" ]'
    has "$output" 'Backup completed successfully'
    has "$stderr" 'this run is not in the history: .*No space left'
    [ "$(s3_keys production/history/ | wc -l)" = 1 ]
}

@test "a history that somebody else owns costs the line, not the backup; the store remembers" {
    is_root || skip "we are nobody else"
    chmod 755 "$SFB_STATE_DIR"
    chmod 777 "$SFB_CACHE_DIR" "$SFB_WORK_DIR" "$SFB_LOG_DIR" "$SFB_STATE_DIR"
    run -0 --separate-stderr sfb backup --local-only
    chmod 666 "$SFB_STATE_DIR"/*.lock "$SFB_LOG_DIR"/*
    run -0 --separate-stderr as_user "$SFB" backup
    has "$stderr" 'this run is not in the history: .*Permission denied'
    [ "$(lines)" = 1 ]
    [ "$(s3_keys production/history/ | wc -l)" = 1 ]
}

@test "a line of ten megabytes, NULs and half a line harm no other, and status counts them" {
    for _ in 1 2; do run -0 --separate-stderr sfb backup --local-only; done
    sed -n 1p "$SFB_STATE_DIR/history.jsonl" >"$T/first"
    {
        head -c 4000000 /dev/zero
        echo
        head -c 10000000 /dev/zero | tr '\0' x
        echo
        tail -n 1 "$SFB_STATE_DIR/history.jsonl"
        head -c 100 "$T/first"
    } >"$T/bent"
    cp "$T/bent" "$SFB_STATE_DIR/history.jsonl"
    run -1 --separate-stderr sfb status --local-only
    has "$output" '^⚠️  History: 3 records can.t be read'
    has "$output" 'Backup success rate: 1 of 1'
    run -0 --separate-stderr sfb backup --local-only
    [ "$(stat -c %s "$SFB_STATE_DIR/history.jsonl")" -lt 9000000 ] # cut to its newest half, from a line's beginning on
    run -1 --separate-stderr sfb status --local-only
    has "$output" 'Backup success rate: 2 of 2'
}

@test "ten thousand runs are known to status in less than 64 MiB" {
    run -0 --separate-stderr sfb backup --local-only
    python3 - "$SFB_STATE_DIR/history.jsonl" <<'END'
import datetime, json, sys
line = json.loads(open(sys.argv[1]).read())
start = datetime.datetime.fromisoformat(line["started"].rstrip("Z"))
with open(sys.argv[1], "w") as f:
    for n in range(10000, 0, -1):
        when = start - datetime.timedelta(hours=n)
        f.write(json.dumps(line | {"started": when.isoformat() + "Z", "backup": when.strftime("backup-%Y%m%d-%H%M%S.dump")}) + "\n")
END
    python3 -c '
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("memory", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)' env SFB_DRILL_DAYS=0 "$SFB" status --local-only >"$T/out"
    has "$(<"$T/out")" 'Backup success rate: 16[78] of 16[78]'
    is_sanitized || [ "$(sed -n 's/^memory //p' "$T/out")" -lt 65536 ]
}

@test "a fresh host learns the past from the store, and remembers it" {
    PRODUCTION_DATABASE_URL=postgresql://127.0.0.1:1/x run -1 sfb backup
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb restore --force latest
    here=$(HISTORY | sort)
    export SFB_STATE_DIR=$T/fresh SFB_CACHE_DIR=$T/fresh-cache
    mkdir "$SFB_STATE_DIR"
    run -1 --separate-stderr sfb status # a backup failed not long ago
    has "$output" 'Backup success rate: 1 of 2'
    has "$output" 'Newest proven backup: every row of it came back'
    [ "$(HISTORY | sort)" = "$here" ]
    run -1 --separate-stderr sfb status
    [ "$(lines)" = 3 ]
}
