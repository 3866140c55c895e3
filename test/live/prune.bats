#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# prune.bats - what has expired goes, from the store and the local cache; what is still needed never does.
load harness
load s3-server
load s3-tools

NOW=1761220800 # 2025-10-23 12:00:00, a Thursday
DAY=86400

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 10)"
    test_begin
    PRODUCTION_DATABASE_URL=$(db_url shop) sfb backup --local-only >/dev/null
    mv "$WORK" "$ROOT/one"
    test_end
    s3_start
    tools_begin
    proxy_start
}
teardown_file() { tools_end; s3_stop; file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET=file://$T/store SFB_S3_RETRY_SECONDS=5 SFB_CACHE_KEEP=100
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url shop)
    mkdir "$T/store"
    proxy_rules '[]'
}
teardown() { test_end; }

need_bucket() {
    s3_environment
    export SFB_BUCKET=prune-$BATS_TEST_NUMBER
    tool "s3://$SFB_BUCKET" raw PUT - -
}
keys() { tool "s3://$SFB_BUCKET" list | cut -d' ' -f1 | grep -v /history/ || :; }
all_files() { (cd "$T/store" && find . -type f -not -path './history/*' -printf '%P\n' | LC_ALL=C sort); }
dumps() { (cd "$T/store" && find . -name '*.dump' -printf '%P\n' | LC_ALL=C sort); }
on() { # DAYS-AGO COMMAND...
    local days=$1
    shift
    SFB_TEST_NOW=$((NOW - days * DAY)) "$@"
}
# aged DIR FOLDER DAYS-AGO...: backups of that age there, as sfb has made them, but for their time and tier. DAYS: what was
# recorded; else what the tier has.
aged() {
    python3 - "$ROOT/one" "$NOW" "${DAYS-}" "$@" <<'END'
import glob, json, os, shutil, sys, time
one, now, recorded, root, folder, *ages = sys.argv[1:]
dump = glob.glob(one + "/*.dump")[0]
made = json.load(open(dump[:-5] + ".manifest.json"))
environment, tier = {"manual": ("production", "manual"), ".": ("production", "daily")}.get(folder) or folder.split("/")
for age in ages:
    at = int(now) - int(age) * 86400
    stem = os.path.join(root, folder, ("x-" if tier == "manual" else "backup-") + time.strftime("%Y%m%d-%H%M%S", time.gmtime(at)))
    os.makedirs(os.path.dirname(stem), exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    days = int(recorded or {"weekly": 90, "monthly": 365, "manual": 0}.get(tier) or {"production": 30, "staging": 7}[environment] * (tier == "daily"))
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at + days * 86400)) if days else None
    made.update(environment=environment, tier=tier, label="x" if tier == "manual" else "", file=os.path.basename(stem) + ".dump",
                globals_file=os.path.basename(stem) + ".globals.sql", started=stamp, finished=stamp, retention_days=days, expires=expires)
    shutil.copy(dump, stem + ".dump")
    shutil.copy(dump[:-5] + ".globals.sql", stem + ".globals.sql")
    json.dump(made, open(stem + ".manifest.json", "w"))
END
}
backups() { aged "$T/store" production/daily "$@"; }
name() { date -u -d "@$((NOW - $1 * DAY))" +backup-%Y%m%d-%H%M%S; } # of the backup of so many days ago
at_terminal() { # ANSWER ARGUMENTS...
    local answer=$1 words
    shift
    words=$(printf '%q ' "$SFB" "$@")
    printf "%s\n" "$answer" | SFB_TEST_NOW=$NOW timeout 60 script -qec "$words" /dev/null
}

# What the contract says, by code of our own: a plan's lines against the days of the tiers. There is enough that is newer.
as_agreed() {
    python3 - "$NOW" 3<<<"$1" <<'END'
import calendar, re, sys, time
now = int(sys.argv[1])
days = {"production/daily": 30, "production/weekly": 90, "production/monthly": 365, "staging/daily": 7, "manual": None}
seen = set()
for line in open(3, encoding="utf-8"):
    found = re.match(r"   (keep|delete)  +(\S+)/(\S+?)-(\d{8}-\d{6})\.dump  \((.+)\)$", line)
    if not found:
        continue
    verdict, folder, _, stamp, reason = found.groups()
    age = (now - calendar.timegm(time.strptime(stamp, "%Y%m%d-%H%M%S"))) // 86400
    limit = days[folder]
    expected = "delete" if limit is not None and age >= limit else "keep"
    assert verdict == expected, (line, age, limit)
    assert limit is None or (f"{age} days old" in reason and f"limit {limit}" in reason), line
    seen.add((folder, verdict))
assert seen == {(f, v) for f in days for v in ("keep", "delete")} - {("manual", "delete")}, seen
END
}

@test "each tier has its days: daily 30, weekly 90, monthly 365, staging 7, manual for ever; a reason for every file" {
    aged "$T/store" manual 5000
    for tier in daily weekly monthly; do aged "$T/store" production/$tier 400 366 365 364 100 91 90 89 85 35 31 30 29 3 2 1 0; done
    aged "$T/store" staging/daily 20 9 8 7 6 2 1 0
    on 0 run -0 --separate-stderr sfb prune --dry-run
    as_agreed "$output"
    [ "$(grep -cE '^   (keep  |delete)  [^ ]+\.dump  \(.+\)$' <<<"$output")" = "$(dumps | wc -l)" ]
    before=$(all_files)
    doomed=$(grep -oP '^   delete  \K(production|staging)\S+' <<<"$output" | LC_ALL=C sort)
    kept=$(comm -23 <(dumps) <(echo "$doomed"))
    on 0 run -0 --separate-stderr sfb prune
    [ "$(dumps)" = "$kept" ]
    while read -r gone; do # and nothing of them is left, nor anything else touched
        before=$(grep -v "^${gone%.dump}\." <<<"$before")
    done <<<"$doomed"
    diff <(echo "$before") <(all_files)
    on 0 run -0 --separate-stderr sfb prune # nothing is left to do
    has_not "$output" '^   delete'
}

@test "what a backup is promised is recorded with it" {
    days() { json "$(find "$T/store/$1" -name '*.manifest.json' | tail -n 1)" retention_days; }
    sfb backup >/dev/null
    sfb backup -e staging >/dev/null
    sfb backup --label important >/dev/null
    [ "$(days production/daily) $(days production/weekly) $(days production/monthly) $(days staging/daily) $(days manual)" = '30 90 365 7 0' ]
    SFB_BUCKET=file://$T/other sfb backup --retention-days 12 >/dev/null
    [ "$(days ../other/production/daily)" = 12 ]
}

@test "the days are those that were recorded when the backup was made, for the local cache as well" {
    for place in "$T/store production/daily" "$CACHE ."; do
        # shellcheck disable=SC2086 # two words
        {
            DAYS=60 aged $place 40
            DAYS=10 aged $place 12
            aged $place 39 3 2 1 0
        }
    done
    on 0 run -0 --separate-stderr sfb prune
    for place in "$T/store/production/daily" "$CACHE"; do
        [ -e "$place/$(name 40).dump" ]
        [ ! -e "$place/$(name 39).dump" ]
        [ ! -e "$place/$(name 12).dump" ]
        [ ! -e "$place/$(name 12).manifest.json" ]
        [ ! -e "$place/$(name 12).globals.sql" ]
        [ -e "$place/$(name 3).dump" ]
    done
    has "$output" '^   keep .*\(daily, 40 days old, limit 60\)$'
    has "$output" "^🗂️  file://$CACHE$"
    on 0 run -0 --separate-stderr sfb prune --local-only
    has_not "$output" "file://$T/store"
}

@test "never below SFB_KEEP_AT_LEAST good ones, and copies of one backup are one" {
    backups 65 60 50 40 0
    for tier in weekly monthly; do aged "$T/store" production/$tier 0; done # the newest is in three tiers
    on 0 run -0 --separate-stderr sfb prune --dry-run
    has "$output" "^   delete  production/daily/$(name 65).dump"
    has "$output" "^   delete  production/daily/$(name 60).dump"
    has "$output" "^   keep    production/daily/$(name 50).dump  \(.*but one of the last 3 good ones\)$"
    has "$output" "^   keep    production/daily/$(name 40).dump"
    SFB_KEEP_AT_LEAST=4 on 0 run -0 --separate-stderr sfb prune --dry-run
    has "$output" "^   keep    production/daily/$(name 60).dump"
    # one that was cut is no good one, and is not ours to delete either
    truncate -s -1 "$T/store/production/daily/$(name 50).dump"
    on 0 run -0 --separate-stderr sfb prune
    has "$output" "^   keep    production/daily/$(name 50).dump  \(not what its manifest says: not ours to judge\)$"
    [ -e "$T/store/production/daily/$(name 60).dump" ]
    [ ! -e "$T/store/production/daily/$(name 65).dump" ]
    run -7 sfb prune --dry-run -e moon
    SFB_KEEP_AT_LEAST=0 run -7 sfb prune --dry-run
}

@test "nothing goes while backups are failing, unless it is forced; the newest good one never goes" {
    backups 50 49 48 47 46
    before=$(dumps)
    on 0 run -0 --separate-stderr sfb prune
    has "$output" '^   keep .*\(daily, 50 days old, limit 30, but no good backup for 1104 hours\)$'
    [ "$(dumps)" = "$before" ]
    SFB_KEEP_AT_LEAST=1 on 0 run -0 --separate-stderr sfb prune --force
    [ "$(dumps | grep daily)" = "production/daily/$(name 46).dump" ]
    SFB_KEEP_AT_LEAST=1 SFB_TEST_NOW=$((NOW + 5000 * DAY)) run -0 --separate-stderr sfb prune --force
    has "$output" "^   keep    production/daily/$(name 46).dump  \(.*but the newest good one\)$"
    [ -e "$T/store/production/daily/$(name 46).dump" ]
    # one environment's backups do not speak for the other's
    aged "$T/store" staging/daily 30 29 28 27 26
    backups 0
    on 0 run -0 --separate-stderr sfb prune
    has "$output" '^   keep    staging/daily/.*but no good backup for'
}

@test "a rehearsal deletes nothing, and has no right to" {
    backups 60 59 58 57 2 1 0
    before=$(files_in "$T")
    on 0 run -0 --separate-stderr sfb prune --dry-run
    has "$output" '^   [0-9]+ kept, 4 to delete \('
    [ "$(files_in "$T")" = "$before" ]
}

@test "on a terminal it asks: no is 6 and deletes nothing, yes deletes, --yes and no terminal ask nobody" {
    backups 60 59 58 2 1 0
    aged "$CACHE" . 60 2 1 0
    before=$(dumps)
    run -6 at_terminal n prune
    has "$output" 'Delete 3 backups\? \[y/N\]: '
    has "$output" 'cancelled: nothing was deleted'
    [ "$(dumps)" = "$before" ]
    run -6 at_terminal '' prune
    [ "$(dumps)" = "$before" ]
    run -0 at_terminal n prune --local-only --yes
    has_not "$output" 'Delete .*\?'
    [ "$(find "$CACHE" -name 'backup-*.dump' | wc -l)" = 3 ]
    run -0 at_terminal y prune
    [ "$(dumps | grep -c daily)" = 3 ]
    backups 100
    on 0 run -0 sfb prune </dev/null
    has_not "$output" 'Delete .*\?'
    [ "$(dumps | grep -c daily)" = 3 ]
}

@test "what is not ours stays; a dump that has lost its manifest goes only with --adopt, its globals with it" {
    backups 100 60 2 1 0
    rm "$T/store/production/daily/$(name 100).manifest.json"
    mkdir "$T/store/else"
    for file in notes.txt production/daily/notes.txt production/daily/backup.dump else/backup-20200101-000000.dump manual/x-20200101-000000.dump; do
        mkdir -p "$(dirname "$T/store/$file")"
        echo "$file" >"$T/store/$file"
    done
    on 0 run -0 --separate-stderr sfb prune
    has "$output" "^   keep    production/daily/$(name 100).dump  \(without a manifest: not ours to judge, unless with --adopt\)$"
    [ ! -e "$T/store/production/daily/$(name 60).dump" ]
    on 0 run -0 --separate-stderr sfb prune --adopt
    [ ! -e "$T/store/production/daily/$(name 100).dump" ]
    [ ! -e "$T/store/production/daily/$(name 100).globals.sql" ]
    [ "$(find "$T/store" -name '*20200101*' -o -name notes.txt -o -name backup.dump | wc -l)" = 5 ]
}

@test "a copy that somebody made elsewhere in the store, manifest and all, stays; so does what lies below a tier" {
    backups 60 50 2 1 0
    mkdir -p "$T"/store/{archive/2025,production/weekly,production/daily/old}
    for copy in archive/2025 production/weekly; do cp -a "$T/store/production/daily/$(name 60)".* "$T/store/$copy"; done
    cp -a "$T/store/production/daily/$(name 50).dump" "$T/store/production/daily/old"
    SFB_KEEP_AT_LEAST=1 on 0 run -0 --separate-stderr sfb prune --adopt
    has "$output" "^   keep    archive/2025/$(name 60).dump  \(not what its manifest says: not ours to judge\)$"
    for copy in archive/2025 production/weekly; do [ "$(find "$T/store/$copy" -name "$(name 60).*" | wc -l)" = 3 ]; done
    [ -e "$T/store/production/daily/old/$(name 50).dump" ]
    [ ! -e "$T/store/production/daily/$(name 60).dump" ]
    [ ! -e "$T/store/production/daily/$(name 50).dump" ]
}

@test "a backup that finds no place in the cache is no reason to keep more old ones there" {
    local NOW
    NOW=$(date +%s) # an archive says when it was dumped
    aged "$CACHE" . 5 4 3 2 1
    : >"$CACHE/$(name 0).dump" # in its way
    SFB_CACHE_KEEP=2 on 0 run -0 --separate-stderr sfb backup
    has "$stderr" 'the local cache is not up to date: .*exists already'
    [ "$(find "$CACHE" -name '*.manifest.json' -printf '%f\n' | sort | tr '\n' ' ')" = "$(name 2).manifest.json $(name 1).manifest.json " ]
}

# ---- in a bucket ----------------------------------------------------------------------------------------------------

put_backups() { # DAYS-AGO...
    backups "$@"
    while read -r file; do
        tool "s3://$SFB_BUCKET" put "$file" "$T/store/$file" >/dev/null
    done < <(cd "$T/store" && find . -name 'backup-*' -printf '%P\n')
}
expired_in_bucket() {
    need_bucket
    put_backups 60 59 2 1 0
    export AWS_ENDPOINT_URL_S3=$PROXY
}
direct() { AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT "$@"; }

@test "the manifest goes first: one that is killed half way leaves no backup that is none" {
    expired_in_bucket
    proxy_rules '[{"method": "DELETE", "target": "dump$", "do": "stall"}, {"method": "DELETE", "target": "dump", "do": "delay", "seconds": 60}]'
    SFB_TEST_NOW=$NOW sfb_start prune
    wait_for 30 in_log 'DELETE .*dump'
    kill -KILL "$PID"
    sfb_wait
    [ "$(grep '^DELETE' "$PROXY_LOG" | head -n 2 | grep -oE '(manifest.json|dump)' | tr '\n' ' ')" = 'manifest.json dump ' ]
    cut=$(grep -oE 'backup-[0-9-]*\.dump' "$PROXY_LOG" | tail -n 1)
    proxy_rules '[]'
    direct keys >"$T/keys"
    has "$(cat "$T/keys")" "daily/$cut$"
    has_not "$(cat "$T/keys")" "daily/${cut%.dump}.manifest.json"
    on 0 run -0 --separate-stderr sfb prune --adopt --yes # what is left of it can be cleared
    has_not "$(direct keys)" "${cut%.dump}"
}
in_log() { grep -qE "$1" "$PROXY_LOG"; }

@test "a signal between manifest and dump: that one goes whole, the next one stays" {
    expired_in_bucket
    proxy_rules '[{"method": "DELETE", "target": "dump$", "do": "stall"}]'
    SFB_KEEP_AT_LEAST=1 SFB_TEST_NOW=$NOW sfb_start prune
    wait_for 30 in_log 'DELETE .*dump'
    kill -TERM "$PID"
    sfb_wait
    [ "$status" = 143 ]
    has "$stderr" 'SIGTERM'
    cut=$(grep -oE 'backup-[0-9-]*\.dump' "$PROXY_LOG" | head -n 1)
    has_not "$(direct keys)" "${cut%.dump}"
    [ "$(direct keys | grep -c 'manifest.json$')" = 4 ]
    grep -q "Backup deleted (location: s3://$SFB_BUCKET/production/daily/$cut" "$SFB_LOG_DIR"/*.jsonl
}

@test "deleted, and there all the same: that is a failure, of a dump and of its companions" {
    expired_in_bucket
    for what in dump manifest.json globals.sql; do
        proxy_rules '[{"method": "DELETE", "target": "'"$(name 60).$what"'", "do": "answer", "status": 204}]'
        on 0 run -3 --separate-stderr sfb prune
        has "$stderr" "production/daily/$(name 60).$what was deleted from s3://$SFB_BUCKET, but is still there"
        has "$stderr" 'object lock'
        has_not "$output" 'deleted$'
        direct put_backups 60 # again
    done
}

@test "one that can't be deleted does not keep the others, and the exit code says so" {
    expired_in_bucket
    proxy_rules '[{"method": "DELETE", "target": "'"$(name 59)"'", "do": "answer", "status": 403, "times": -1,
                   "body": "<Error><Code>AccessDenied</Code></Error>"}]'
    SFB_KEEP_AT_LEAST=1 on 0 run -3 --separate-stderr sfb prune
    has "$stderr" 'AccessDenied \(403, request FAULT[0-9]+\)'
    has "$stderr" 's3:DeleteObject'
    has "$(direct keys)" "daily/$(name 59).dump"
    has_not "$(direct keys)" "daily/$(name 60)"
}

@test "a bucket that keeps versions hides what is deleted, and that is told" {
    need_bucket
    tool "s3://$SFB_BUCKET" raw PUT - versioning= \
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
    put_backups 60 2 1 0
    on 0 run -0 --separate-stderr sfb prune
    has_not "$(keys)" "$(name 60)"
    has "$stderr" "s3://$SFB_BUCKET keeps old versions: .*NoncurrentVersionExpiration"
}

@test "a bucket with object lock: what is pruned is hidden, held by the lock, and that is told" {
    s3_environment
    export SFB_BUCKET=prune-$BATS_TEST_NUMBER
    s3_call PUT "$SFB_BUCKET" -H 'x-amz-bucket-object-lock-enabled: true'
    s3_call PUT "$SFB_BUCKET?object-lock=" --data-binary '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>
        </ObjectLockConfiguration>'
    run -0 --separate-stderr sfb backup # it can be written to
    run -0 --separate-stderr sfb verify latest
    put_backups 60 2 1 0
    on 0 run -0 --separate-stderr sfb prune
    has_not "$(keys)" "$(name 60)"
    has "$stderr" "s3://$SFB_BUCKET keeps old versions"
    versions=$(tool "s3://$SFB_BUCKET" raw GET - "prefix=production%2Fdaily%2F$(name 60).dump&versions=")
    has "$versions" '<DeleteMarker>'
    version=$(grep -oP '<Version>.*?<VersionId>\K[^<]*' <<<"$versions" | head -n 1)
    run ! s3_call DELETE "$SFB_BUCKET/production/daily/$(name 60).dump?versionId=$version" # a thief can't either
    s3_call GET "$SFB_BUCKET/production/daily/$(name 60).dump?versionId=$version" | cmp - "$T/store/production/daily/$(name 60).dump"
}

@test "who may not delete: exit 3, the right that is missing is named, and nothing is gone" {
    need_bucket
    put_backups 60 2 1 0
    before=$(keys)
    tool "s3://$SFB_BUCKET" raw PUT - policy= '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::'"$SFB_BUCKET"'/*"}]}'
    on 0 run -3 --separate-stderr sfb prune
    has "$stderr" 'AccessDenied \(403, request tx'
    has "$stderr" 's3:DeleteObject'
    diff <(keys | grep -v "^history/") <(echo "$before")
}

# ---- the bucket's own rules -----------------------------------------------------------------------------------------

@test "--lifecycle prints the contract's policy, letter by letter, and what its rules do when backups stop" {
    run -0 --separate-stderr sfb prune --lifecycle
    diff -u - <(echo "$output") <<'END'
{
  "Rules": [
    {
      "Id": "delete-daily-backups-after-30-days",
      "Status": "Enabled",
      "Filter": {
        "Prefix": "production/daily/"
      },
      "Expiration": {
        "Days": 30
      }
    },
    {
      "Id": "delete-weekly-backups-after-90-days",
      "Status": "Enabled",
      "Filter": {
        "Prefix": "production/weekly/"
      },
      "Expiration": {
        "Days": 90
      }
    },
    {
      "Id": "delete-monthly-backups-after-365-days",
      "Status": "Enabled",
      "Filter": {
        "Prefix": "production/monthly/"
      },
      "Expiration": {
        "Days": 365
      }
    },
    {
      "Id": "delete-staging-backups-after-7-days",
      "Status": "Enabled",
      "Filter": {
        "Prefix": "staging/daily/"
      },
      "Expiration": {
        "Days": 7
      }
    }
  ]
}
END
    has "$stderr" 'go by age alone: when backups stop, the last good daily one is deleted 30 days later'
    SFB_BUCKET=somewhere SFB_S3_PREFIX=team/a run -0 --separate-stderr sfb prune --lifecycle
    [ "$(grep -oP '"Prefix": "\K[^"]*' <<<"$output" | tr '\n' ' ')" = 'team/a/production/daily/ team/a/production/weekly/ team/a/production/monthly/ team/a/staging/daily/ ' ]
}

@test "--apply sets them, and one for unfinished uploads; others' rules stay" {
    need_bucket
    tool "s3://$SFB_BUCKET" set-lifecycle # others': daily, "parts & pieces"
    for _ in 1 2; do
        run -0 --separate-stderr sfb prune --lifecycle --apply
        has "$stderr" 'when backups stop'
    done
    run -0 tool "s3://$SFB_BUCKET" lifecycle
    [ "${#lines[@]}" = 7 ]
    has "$output" '^delete-daily-backups-after-30-days prefix=production/daily/ enabled=1 days=30 abort=0'
    has "$output" '^delete-weekly-backups-after-90-days prefix=production/weekly/ enabled=1 days=90 '
    has "$output" '^delete-monthly-backups-after-365-days prefix=production/monthly/ enabled=1 days=365 '
    has "$output" '^delete-staging-backups-after-7-days prefix=staging/daily/ enabled=1 days=7 '
    has "$output" '^abort-unfinished-uploads-after-2-days prefix= enabled=1 days=0 abort=2'
    has "$output" '^parts & pieces '
    # what would be lost when it is put back: then nothing is
    for more in '<NewerNoncurrentVersions>5</NewerNoncurrentVersions>' '<SomethingNew>1</SomethingNew>'; do
        theirs="<Rule><ID>theirs</ID><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><NoncurrentVersionExpiration>$more"
        proxy_rules '[{"method": "GET", "target": "lifecycle", "do": "answer", "status": 200, "body": "<LifecycleConfiguration>'"$theirs"'<NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"}]'
        AWS_ENDPOINT_URL_S3=$PROXY run -3 --separate-stderr sfb prune --lifecycle --apply
        has "$stderr" 'a lifecycle rule "theirs" that sfb could not put back as it is'
        has_not "$(cat "$PROXY_LOG")" '^PUT'
    done
    run -7 sfb prune --apply
    SFB_BUCKET=file://$T/store run -7 --separate-stderr sfb prune --lifecycle --apply
    has "$stderr" 'lifecycle rules are for buckets'
}
