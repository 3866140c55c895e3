#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# bucket.bats - what a bucket holds: how it is laid out, what is listed, which backup is chosen and why, and where it is
# read from.
load harness
load s3-server
load s3-tools

MONDAY=1761523200 # 2025-10-27 00:00:00
DAY=86400

setup_file() {
    file_begin
    pg_start
    s3_start
    tools_begin
    proxy_start
    s3_user backup BACKUPKEY00000000000 backup-secret-0123456789
    s3_user restore RESTOREKEY0000000000 restore-secret-0123456789
    db_new shop
    sql shop "CREATE TABLE events (id int, title text); INSERT INTO events SELECT n, 'Event ' || n FROM generate_series(1, 1234) n;
              CREATE TABLE other AS SELECT generate_series(1, 2) n"
    content_text shop >"$ROOT/content"
}
teardown_file() { tools_end; s3_stop; file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET=bucket-$BATS_TEST_NUMBER SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url copy)
    s3_environment
    tool "s3://$SFB_BUCKET" raw PUT - -
    proxy_rules '[]'
}
teardown() {
    db_drop copy
    test_end
}

keys() { tool "s3://$SFB_BUCKET" list | cut -d' ' -f1 | grep -v /history/ || :; }
dumps() { keys | grep -E '\.(dump|sql|sql\.gz)$' | grep -v globals || :; }
at() { # TIME COMMAND...
    local now=$1
    shift
    SFB_TEST_NOW=$now "$@"
}

# ---- its layout -----------------------------------------------------------------------------------------------------

@test "keys are those of the design: tiers of production, daily alone of staging, labels, three formats" {
    STAGING_DATABASE_URL=$PRODUCTION_DATABASE_URL
    for options in '' '-e staging' '--label pre-migration' '--format sql' '--format sql -c 0'; do
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup $options
    done
    diff <(keys | sed -E 's/-2[0-9]{7}-[0-9]{6}\./-TIME./' | LC_ALL=C sort) - <<'KEYS'
manual/pre-migration-TIME.dump
manual/pre-migration-TIME.globals.sql
manual/pre-migration-TIME.manifest.json
production/daily/backup-TIME.dump
production/daily/backup-TIME.globals.sql
production/daily/backup-TIME.globals.sql
production/daily/backup-TIME.globals.sql
production/daily/backup-TIME.manifest.json
production/daily/backup-TIME.manifest.json
production/daily/backup-TIME.manifest.json
production/daily/backup-TIME.sql
production/daily/backup-TIME.sql.gz
production/monthly/backup-TIME.dump
production/monthly/backup-TIME.globals.sql
production/monthly/backup-TIME.manifest.json
production/weekly/backup-TIME.dump
production/weekly/backup-TIME.globals.sql
production/weekly/backup-TIME.manifest.json
staging/daily/backup-TIME.dump
staging/daily/backup-TIME.globals.sql
staging/daily/backup-TIME.manifest.json
KEYS
}

@test "the first backup of an ISO week and of a month is promoted: Monday and the first, 00:00:00 UTC; listed or remembered" {
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary '{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Action": ["s3:PutObject"],
        "Principal": { "AWS": ["arn:aws:iam:::user/backup"] }, "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/production/*" } ] }'
    for who in "$S3_KEY $S3_SECRET" 'BACKUPKEY00000000000 backup-secret-0123456789'; do
        # shellcheck disable=SC2086 # two words
        s3_environment $who
        for moment in $((MONDAY - 2)) $((MONDAY)) $((MONDAY + 2)) $((MONDAY + 5 * DAY - 2)) $((MONDAY + 5 * DAY)) $((MONDAY + 7 * DAY - 2)) \
            $((MONDAY + 7 * DAY)); do
            TZ=Pacific/Kiritimati at "$moment" run -0 --separate-stderr sfb backup -f sql # as its text tells no time
            grep 'Promoted' <<<"$output" >>"$T/promoted" || echo none >>"$T/promoted"
        done
        s3_environment
        [ "$(tr -d ' ' <"$T/promoted" | tr '\n' ' ')" = 'Promoted:weekly,monthly Promoted:weekly none none Promoted:monthly none Promoted:weekly ' ]
        [ "$(dumps | grep weekly | grep -o '2025....-' | tr '\n' ' ')" = '20251026- 20251027- 20251103- ' ]
        [ "$(dumps | grep monthly | grep -o '2025....-' | tr '\n' ' ')" = '20251026- 20251101- ' ]
        for key in $(keys); do tool "s3://$SFB_BUCKET" delete "$key"; done
        rm "$T/promoted"
        rm -rf "${SFB_STATE_DIR:?}"/* "${CACHE:?}"/* "${WORK:?}"/*
    done
}

# ---- what is listed -------------------------------------------------------------------------------------------------

@test "a bucket's backups are listed with age, tier, size, rows, whether they are good, expiry, and how their drill ended" {
    now=$(date +%s)
    at $((now - 5 * 3600)) sfb backup -f sql >/dev/null
    at $((now - 30 * 3600)) sfb backup -f sql --label old >/dev/null
    rm -r "${CACHE:?}"/*
    sfb drill latest@daily >/dev/null
    half=production/daily/backup-$(date -u -d "@$((now - 3600))" +%Y%m%d-%H%M%S).dump
    : >"$T/half"
    tool "s3://$SFB_BUCKET" put "$half" "$T/half" >/dev/null
    run -0 --separate-stderr sfb list "s3://$SFB_BUCKET"
    has "${lines[0]}" '^TAKEN \(UTC\) +AGE +ENV +TIER +SIZE +ROWS +GOOD EXPIRES$'
    taken=$(date -u -d "@$((now - 5 * 3600))" '+%Y-%m-%d %H:%M')
    until=$(date -u -d "@$((now - 5 * 3600 + 30 * DAY))" +%Y-%m-%d)
    has "$output" "^$taken    5h  production daily +[0-9.]+ KB +1,236  yes  $until$"
    has "$output" "^    s3://$SFB_BUCKET/production/daily/backup-[0-9-]+.sql.gz  \(proven .* ago\)$"
    has "$output" '    5h  production weekly +[0-9.]+ KB +1,236  yes  20'
    has "$output" '   30h  production manual +[0-9.]+ KB +1,236  yes  never$'
    has "$output" '   60m  - +- +0 B +-  no   -$'
    has "$output" "^    s3://$SFB_BUCKET/$half  \(no manifest: not finished, or not made by sfb\)$"
    [ "$(sfb list "s3://$SFB_BUCKET" --json | python3 -c 'import json, sys; print(sorted((b.get("tier", ""), b["complete"], b.get("rows"), b.get("drill")) for b in json.load(sys.stdin)))')" = \
        "[('', False, None, None), ('daily', True, 1236, 'passed'), ('manual', True, 1236, None), ('monthly', True, 1236, 'passed'), ('weekly', True, 1236, 'passed')]" ]
}

# ---- which one, and why ---------------------------------------------------------------------------------------------

chosen() { # TIME WHY ARGUMENTS...: of a restore that only says what it would do
    local when=$1 why=$2
    shift 2
    PRODUCTION_DATABASE_URL=$(db_url copy) run -0 --separate-stderr sfb restore --dry-run -e production "$@"
    has "$output" "^   Chosen: s3://$SFB_BUCKET/[a-z/]+/backup-$when.sql.gz \($why\)$"
}

@test "latest, latest@weekly and a point in time say which backup they took and why, and what is lost" {
    for moment in $((MONDAY + 7200)) $((MONDAY + DAY + 7200)) $((MONDAY + 2 * DAY + 7200)); do at $moment sfb backup -f sql >/dev/null; done
    tool "s3://$SFB_BUCKET" get production/daily/backup-20251027-020000.sql.gz >"$T/half"
    tool "s3://$SFB_BUCKET" put production/daily/backup-20251031-020000.sql.gz "$T/half" >/dev/null # newer, but not finished
    rm -r "${CACHE:?}"/*
    db_new copy
    chosen 20251029-020000 'the newest of 5 good backups of production' latest
    chosen 20251027-020000 'the newest of 1 good backup of production, weekly' latest@weekly
    chosen 20251027-020000 'the newest of 1 good backup of production, monthly' latest@monthly
    run -7 --separate-stderr sfb restore --dry-run latest@yearly
    tool "s3://$SFB_BUCKET" get production/daily/backup-20251028-020000.manifest.json >"$T/manifest"
    moment=$(json "$T/manifest" snapshot_at)
    chosen 20251028-020000 'the newest of 3 backups of production, daily that is not from after .* UTC' -p "$moment" latest@daily
    has "$output" '^🕒 Point in time: '
    has "$output" 'What happened in the .* from then to the point in time'
    has "$output" "can't be rolled forward"
    chosen 20251028-020000 'the newest of 3 backups of s3://.*/production/daily that is not from after .* UTC' -p "$moment" \
        "s3://$SFB_BUCKET/production/daily/backup-20251029-020000.sql.gz"
    run -1 --separate-stderr sfb restore --dry-run -e production --point-in-time 2001-01-01T00:00:00Z latest
    has "$stderr" 'none of the 5 backups of production is from 2001-01-01 00:00:00 UTC or before'
}

# ---- where it is read from ------------------------------------------------------------------------------------------

@test "the cache's copy is taken when it has the checksum; when its disk lost a bit, or it is another one, the bucket's is" {
    sfb backup >/dev/null
    cached=$(the_file "$CACHE" '*.dump')
    manifest=$(the_file "$CACHE" '*.manifest.json')
    cp "$cached" "$T/whole"
    export AWS_ENDPOINT_URL_S3=$PROXY
    run -0 --separate-stderr sfb restore --force latest@daily
    has "$output" "Not needed: the local cache has the same, $cached"
    has_not "$(proxy_log)" '^GET [^ ]*dump'
    printf '\252' | dd of="$cached" bs=1 seek=3000 conv=notrunc status=none
    run -0 --separate-stderr sfb restore --force latest@daily
    has "$stderr" "$cached is damaged: it has not the checksum of its manifest"
    has "$output" 'Download completed'
    same_content copy "$ROOT/content"
    cp "$T/whole" "$cached"
    python3 - "$manifest" <<'PYTHON' # of the same name, from another host
import json, sys
m = json.load(open(sys.argv[1]))
m["sha256"] = "0" * 64
json.dump(m, open(sys.argv[1], "w"))
PYTHON
    run -0 --separate-stderr sfb restore --force latest@daily
    has "$output" 'Download completed'
    same_content copy "$ROOT/content"
}

@test "verify reads a bucket's backup, every byte, without a copy on this host" {
    sfb backup >/dev/null
    rm -r "${CACHE:?}"/*
    proxy_rules '[{"method": "GET", "target": "daily/.*dump", "do": "delay", "seconds": 0.5, "times": -1}]'
    AWS_ENDPOINT_URL_S3=$PROXY sfb_start verify "s3://$SFB_BUCKET/$(dumps | grep daily)"
    while ! gone "$PID"; do
        empty_dir "$WORK"
        empty_dir "$CACHE"
    done
    sfb_wait
    [ "$status" = 0 ]
    has "$output" '✅ data +every block is whole'
    has "$output" '✅ rows +2 tables, 1,236 rows'
}

@test "an object that is replaced between its manifest and its download is not restored: exit 2, and which it is" {
    sfb backup >/dev/null
    rm -r "${CACHE:?}"/*
    key=$(dumps | grep daily)
    tool "s3://$SFB_BUCKET" get "$key" >"$T/other"
    printf 'X' | dd of="$T/other" bs=1 seek=3000 conv=notrunc status=none
    db_new copy
    sql copy "CREATE TABLE mine AS SELECT 1 n"
    proxy_rules '[{"method": "GET", "target": "daily/.*dump", "do": "delay", "seconds": 3}]'
    AWS_ENDPOINT_URL_S3=$PROXY sfb_start restore --force "s3://$SFB_BUCKET/$key"
    wait_for 20 grep -q 'Downloading backup from S3' "$T/out"
    tool "s3://$SFB_BUCKET" put "$key" "$T/other" >/dev/null # the manifest has been read, the object not yet
    sfb_wait
    [ "$status" = 2 ]
    has "$stderr" "❌ .*s3://$SFB_BUCKET/$key is another object now than the one that was looked at \(S3: PreconditionFailed, request tx"
    [ "$(sql copy "SELECT n FROM mine")" = 1 ]
    run -2 --separate-stderr sfb restore --force "s3://$SFB_BUCKET/$key" # and later
    [ "$(sql copy "SELECT n FROM mine")" = 1 ]
}

@test "with nothing but the contract's restore policy: list, latest, a table, and its contents" {
    sfb backup >/dev/null
    rm -r "${CACHE:?}"/*
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary '{ "Version": "2012-10-17", "Statement": [
      { "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/restore"] }, "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::'"$SFB_BUCKET"'/production/*", "arn:aws:s3:::'"$SFB_BUCKET"'"] } ] }'
    url=s3://$SFB_BUCKET/$(dumps | grep daily)
    s3_environment RESTOREKEY0000000000 restore-secret-0123456789
    run -0 --separate-stderr sfb list "s3://$SFB_BUCKET"
    has "$output" "^    $url"
    run -0 --separate-stderr sfb list "$url"
    has "$output" '1,234 .*public.events'
    run -0 --separate-stderr sfb verify latest
    db_new copy
    run -0 --separate-stderr sfb restore --force --table events "$url"
    [ "$(sql copy "SELECT count(*) FROM events")" = 1234 ]
    sql copy "TRUNCATE events"
    run -0 --separate-stderr sfb restore --force --table events --data-only "$url"
    [ "$(sql copy "SELECT count(*) FROM events")" = 1234 ]
    run -0 --separate-stderr sfb restore --force latest
    same_content copy "$ROOT/content"
}
