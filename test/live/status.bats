#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# status.bats - `sfb status` of real backups in a real S3: exit codes, forms, what the store and this host disagree about.
load harness
load s3-server
load metrics

setup_file() {
    file_begin
    pg_start
    db_new signupflow
    sql signupflow "CREATE TABLE events (id int, title text);
                    INSERT INTO events SELECT n, 'Event ' || n FROM generate_series(1, 1000) n"
    s3_start
    s3_user backup BACKUPKEY00000000000 backup-secret-0123456789
}
teardown_file() { s3_stop; file_end; }

setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET SFB_DRILL_DAYS=0 SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    STAGING_DATABASE_URL=$(db_url signupflow)
    s3_environment
    SFB_BUCKET=backups-$BATS_TEST_NUMBER
    s3_call PUT "$SFB_BUCKET" >/dev/null
}
teardown() { test_end; }

# level CHECK: of the status as it is now; "none" when there is no such check
level() {
    sfb status --json >"$T/status.json" 2>"$T/status.err" || :
    perl -MJSON::PP -0777 -e '
        my $s = JSON::PP->new->utf8->decode(<STDIN>);
        my ($c) = grep { $_->{name} eq $ARGV[0] } @{$s->{checks}};
        print $c ? $c->{level} : "none", "\n"' "$1" <"$T/status.json"
}

@test "all is well: exit 0, one line for a monitoring plugin, then why" {
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb status
    has "${lines[0]}" '^OK - newest backup [0-9]+ s ago \| backup_age=[0-9]+s;;90000 schedule=0;0; backup_success=100%;100:; '
    has "$output" '^✅ Last successful backup: [0-9]+ s ago: backup-[0-9]{8}-[0-9]{6}\.dump, '
    has "$output" '^✅ Store: 3 backups \(daily 1, weekly 1, monthly 1, manual 0\)'
    has "$output" "^✅ Clock: as the store's"
    has "$output" "^✅ Certificate: the store's is good until 20"
    has "$output" '^✅ Open uploads: none that is older than a day'
    [ -z "$stderr" ]
}

@test "JSON says the same" {
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb status --json
    echo "$output" >"$T/json"
    [ "$(json "$T/json" status) $(json "$T/json" environment)" = "ok production" ]
    [ "$(json "$T/json" newest_backup file)" = "$(basename "$(the_file "$CACHE" 'backup-*.dump')")" ]
    [ "$(json "$T/json" newest_backup stored)" = 1 ]
    [ "$(json "$T/json" checks 0 name) $(json "$T/json" checks 0 critical)" = "backup_age 90000" ]
}

@test "a failure is critical, in the first line with its words; a warning once a backup has succeeded" {
    run -0 --separate-stderr sfb backup
    PRODUCTION_DATABASE_URL=postgresql://127.0.0.1:1/x run -1 --separate-stderr sfb backup
    run -2 --separate-stderr sfb status
    has "${lines[0]}" '^CRITICAL - Backup success rate: failed at .* \(exit code 1\): .*Connection refused'
    run -0 --separate-stderr sfb backup
    run -1 --separate-stderr sfb status
    has "${lines[0]}" '^WARNING - Backup success rate: 2 of 3 in the last 7 days'
}

@test "no backup since yesterday is critical; SFB_SCHEDULE_HOURS says how long is too long" {
    run -0 --separate-stderr sfb backup
    SFB_TEST_NOW=$(($(date +%s) + 24 * 3600)) run -0 --separate-stderr sfb status
    SFB_TEST_NOW=$(($(date +%s) + 26 * 3600)) run -2 --separate-stderr sfb status
    has "${lines[0]}" '^CRITICAL - Last successful backup: 2[56] h ago'
    SFB_SCHEDULE_HOURS=168 SFB_TEST_NOW=$(($(date +%s) + 26 * 3600)) run -0 --separate-stderr sfb status
}

@test "nothing known is 3, and so is what can't be asked for" {
    export -n SFB_BUCKET
    run -3 --separate-stderr env -u SFB_BUCKET "$SFB" status
    has "${lines[0]}" '^UNKNOWN - '
    run -3 --separate-stderr sfb status --frobnicate
    run -3 --separate-stderr sfb status --environment nowhere
    run -3 --separate-stderr sfb status something
    SFB_SCHEDULE_HOURS=often run -3 --separate-stderr sfb status
    has "$stderr" SFB_SCHEDULE_HOURS
    export SFB_BUCKET
    run -2 --separate-stderr sfb status # the bucket is there, and empty
}

@test "a restore elsewhere is a proof, and tells how long a recovery takes" {
    export SFB_DRILL_DAYS=36
    run -0 --separate-stderr sfb backup
    run -1 --separate-stderr sfb status
    has "$output" '^⚠️  Newest proven backup: there is none'
    db_new elsewhere
    STAGING_DATABASE_URL=$(db_url elsewhere) run -0 --separate-stderr sfb restore --force latest
    db_drop elsewhere
    run -0 --separate-stderr sfb status
    has "${lines[0]}" '^OK - newest backup [0-9]+ s ago, proven [0-9]+ s ago'
    has "$output" '^✅ Recovery time: [0-9]+s; of the last 1:'
    SFB_TEST_NOW=$(($(date +%s) + 37 * 86400)) SFB_SCHEDULE_HOURS=0 run -1 --separate-stderr sfb status --local-only
    has "${lines[0]}" '^WARNING - Newest proven backup: .* taken 3[67] d ago'
}

@test "a backup that is gone from the store, or is another one, is critical" {
    run -0 --separate-stderr sfb backup
    [ "$(level copies)" = ok ]
    key=$(s3_keys 'daily.*dump$')
    s3_call GET "$SFB_BUCKET/$key" >"$T/dump"
    printf X | dd of="$T/dump" bs=1 seek=3000 conv=notrunc status=none
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/dump" >/dev/null # as large, and newer
    [ "$(level copies)" = critical ]
    has "$(<"$T/status.json")" 'dump has another content'
    head -c 3000 "$T/dump" >"$T/short"
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/short" >/dev/null
    [ "$(level copies)" = critical ]
    has "$(<"$T/status.json")" 'dump has another size'
    s3_call DELETE "$SFB_BUCKET/$key"
    s3_call DELETE "$SFB_BUCKET/${key%.dump}.manifest.json"
    [ "$(level copies)" = critical ]
    has "$(<"$T/status.json")" 'dump is gone'
    for key in $(s3_keys '(weekly|monthly)/'); do s3_call DELETE "$SFB_BUCKET/$key"; done
    SFB_CACHE_DIR=$T/none # the history knows as much
    [ "$(level copies)" = critical ]
}

@test "another bucket than yesterday's is not held against it" {
    run -0 --separate-stderr sfb backup
    s3_call PUT "$SFB_BUCKET-new" >/dev/null
    SFB_BUCKET=$SFB_BUCKET-new
    [ "$(level copies)" = ok ]
}

@test "a manifest without its dump is critical, a dump without its manifest is unfinished after a day" {
    run -0 --separate-stderr sfb backup
    key=$(s3_keys 'weekly.*dump$')
    s3_call DELETE "$SFB_BUCKET/$key"
    [ "$(level copies)" = critical ]
    has "$(<"$T/status.json")" "${key%.dump} has no dump"
    s3_call DELETE "$SFB_BUCKET/$(s3_keys 'monthly.*manifest.json$')"
    [ "$(level unfinished)" = ok ]
    export SFB_TEST_NOW=$(($(date +%s) + 25 * 3600))
    [ "$(level unfinished)" = warning ]
}

@test "uploads that nobody finishes are told after a day" {
    run -0 --separate-stderr sfb backup
    s3_call POST "$SFB_BUCKET/production/daily/cut.dump?uploads=" >/dev/null
    [ "$(level open_uploads)" = ok ]
    export SFB_TEST_NOW=$(($(date +%s) + 25 * 3600))
    [ "$(level open_uploads)" = warning ]
}

@test "an audit log that somebody has bent is critical, and says what and where; one that may not be read is not" {
    run -0 --separate-stderr sfb backup --local-only
    log=$SFB_LOG_DIR/signupflow-audit.jsonl
    [ "$(level audit)" = ok ]
    run -0 --separate-stderr sfb status --local-only
    has "$output" '^✅ Audit log: all 3 entries are as written'
    cp "$log" "$T/kept"
    sed -i '2s/INFO/WARN/' "$log"
    run -2 --separate-stderr sfb status --local-only
    has "${lines[0]}" "^CRITICAL - Audit log: .*$log, line 2: entry 2 was changed"
    has "$output" '`sfb verify --audit` tells all'
    sed 2d "$T/kept" >"$log"
    [ "$(level audit)" = critical ]
    head -n 2 "$T/kept" >"$log"
    [ "$(level audit)" = critical ]
    rm "$log"
    [ "$(level audit)" = critical ]
    has "$(<"$T/status.json")" 'signupflow-audit\.jsonl is gone, with 3 entries'
    cp "$T/kept" "$log"
    chmod 600 "$log"
    chmod 755 "$SFB_LOG_DIR" "$SFB_STATE_DIR" "$SFB_CACHE_DIR"
    chmod 644 "$SFB_STATE_DIR/history.jsonl"
    if is_root; then
        run -0 --separate-stderr as_user "$SFB" status --local-only
        has "$output" "^➖ Audit log: it can't be read: .*Permission denied"
    fi
    rm "$log" "${log%.jsonl}.head" # nobody keeps one
    [ "$(level audit)" = none ]
}

@test "an identity that may not list is told what this host knows" {
    run -0 --separate-stderr sfb backup
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary '{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow",
        "Principal": { "AWS": ["arn:aws:iam:::user/backup"] }, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/production/*" } ] }' >/dev/null
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789
    run -0 --separate-stderr sfb status
    has "$output" '^➖ Store: this identity may not list it'
}

@test "a store that is away is a warning, and --local-only does not ask it" {
    run -0 --separate-stderr sfb backup
    export AWS_ENDPOINT_URL_S3=https://localhost:1
    SFB_TEST_TIMEOUT=60 run -1 --separate-stderr sfb status
    has "${lines[0]}" '^WARNING - Store: '
    run -0 --separate-stderr sfb status --local-only
    has_not "$output" Store
}

@test "whoever may not read the history is told so" {
    chmod 700 "$T/state"
    run -0 --separate-stderr sfb backup --local-only
    is_root || chmod 0 "$T/state"
    SFB_CACHE_DIR=$T/none run -3 --separate-stderr as_user "$SFB" status --local-only
    has "$stderr" "may not read the history in $T/state"
    chmod 700 "$T/state"
}

@test "metrics are what Prometheus reads: of every environment, replaced whole, for others to read" {
    run -0 --separate-stderr sfb backup
    echo old >"$T/sfb.prom"
    run -0 --separate-stderr sfb status --prometheus "$T/sfb.prom"
    [ -z "$output$stderr" ]
    metrics_good "$T/sfb.prom"
    [ "$(stat -c %a "$T/sfb.prom")" = 644 ]
    [ "$(metric "$T/sfb.prom" 'sfb_backup_last_rows{environment="production"}')" = 1000 ]
    [ "$(metric "$T/sfb.prom" 'sfb_store_up{environment="production"}')" = 1 ]
    has_not "$(<"$T/sfb.prom")" staging
    run -0 --separate-stderr sfb backup --environment staging
    sfb status --prometheus - >"$T/both.prom"
    metrics_good "$T/both.prom"
    [ "$(metric "$T/both.prom" 'sfb_status{environment="production"}')" = 0 ]
    [ "$(metric "$T/both.prom" 'sfb_status{environment="staging"}')" = 0 ]
    run -0 --separate-stderr sfb status --environment staging --prometheus -
    has_not "$output" production
    run -3 --separate-stderr sfb status --prometheus "$T/nowhere/sfb.prom"
    has "$stderr" "$T/nowhere/sfb.prom"
}

@test "every run writes SFB_METRICS_FILE, a failed one too; one that can't be written is warned about" {
    export SFB_METRICS_FILE=$T/sfb.prom
    run -0 --separate-stderr sfb backup
    metrics_good "$T/sfb.prom"
    [ "$(metric "$T/sfb.prom" 'sfb_status{environment="production"}')" = 0 ]
    PRODUCTION_DATABASE_URL=postgresql://127.0.0.1:1/x run -1 --separate-stderr sfb backup
    metrics_good "$T/sfb.prom"
    [ "$(metric "$T/sfb.prom" 'sfb_status{environment="production"}')" = 2 ]
    [ "$(metric "$T/sfb.prom" 'sfb_run_last_exit_code{environment="production",kind="backup"}')" = 1 ]
    SFB_METRICS_FILE=$T/nowhere/sfb.prom run -0 --separate-stderr sfb backup
    has "$stderr" 'SFB_METRICS_FILE was not written'
    [ "$(find "$T" -maxdepth 1 -name '*.prom*' | wc -l)" = 1 ]
}

@test "a thousand backups fit into 64 MiB, on a fresh host too" {
    run -0 --separate-stderr sfb backup
    s3_call PUT "many-$BATS_TEST_NUMBER" -H 'x-amz-acl: public-read-write' >/dev/null
    "$HARNESS_DIR/s3fill.py" "https://localhost:$S3_PORT/many-$BATS_TEST_NUMBER" "$S3_CA" 1000 "$(($(date +%s) - 3600))" \
        "$(the_file "$CACHE" 'backup-*.manifest.json')" "$SFB_STATE_DIR/history.jsonl"
    export SFB_STATE_DIR=$T/fresh SFB_CACHE_DIR=$T/none SFB_BUCKET=many-$BATS_TEST_NUMBER
    mkdir "$SFB_STATE_DIR"
    for _ in 1 2; do
        python3 -c '
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("memory", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)' "$SFB" status >"$T/out"
        has "$(<"$T/out")" '^✅ Store: 1000 backups \(daily 1000,'
        is_sanitized || [ "$(sed -n 's/^memory //p' "$T/out")" -lt 65536 ]
    done
    [ "$(wc -l <"$SFB_STATE_DIR/history.jsonl")" -ge 300 ] # of this year and the last
}
