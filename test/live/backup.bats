#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# backup.bats - what `sfb backup` is asked for, what it says, and what it leaves: the contract's backup command.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE item (id int PRIMARY KEY, name text);
              INSERT INTO item SELECT n, 'item ' || md5(n::text) FROM generate_series(1, 20000) n;
              CREATE TABLE empty (id int);
              SELECT lo_from_bytea(0, 'an object')"
    db_new stage
    sql stage "CREATE TABLE only_here (id int); INSERT INTO only_here VALUES (1)"
}
teardown_file() { file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url stage)
}
teardown() { test_end; }

# What changes from run to run, replaced by words. Times, sizes, durations, dates, the stamp in names.
masked() {
    sed -E "s#$T#DIR#g"'
        s/^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\]/[TIME]/
        s/\b[0-9]+(\.[0-9])? [KMG]?B\b/SIZE/
        s/(\(|: )([0-9]+h )?([0-9]+m )?[0-9]+s(\)|$)/\1TOOK\4/
        s/[0-9]{8}-[0-9]{6}/STAMP/g
        s/\(expires [0-9]{4}-[0-9]{2}-[0-9]{2}\)/(expires DATE)/'
}
# The run's output is exactly this.
says() { diff -u <(cat) <(masked <<<"$output"); }

@test "a backup says what the contract shows, line by line" {
    run -0 --separate-stderr sfb backup --local-only
    says <<'END'
🔄 Starting database backup...
📋 Environment: production
📦 Format: custom (PostgreSQL binary)
🗜️ Compression: level 6

[TIME] Connecting to database...
[TIME] Connection established
[TIME] Starting pg_dump...
[TIME] Backup completed (TOOK)
[TIME] Backup size: SIZE (compressed)
[TIME] Verifying backup integrity...
[TIME] ✅ Backup verification successful

📊 Backup Summary:
   File: DIR/work/signupflow-backup-STAMP.dump
   Size: SIZE
   Duration: TOOK
   S3 Location: none (--local-only)
   Retention: 30 days (expires DATE)

✅ Backup completed successfully
END
    [ -z "$stderr" ]
}

@test "the file that the summary names is there, readable by its owner alone, and the server's pg_restore lists it" {
    run -0 --separate-stderr sfb backup --local-only
    file=$(sed -n 's/^   File: //p' <<<"$output")
    [ "$(stat -c %a "$file")" = 600 ]
    [ "$file" = "$(the_file "$WORK" '*.dump')" ]
    run -0 pg pg_restore --list "$file"
    has "$output" 'TABLE DATA public item'
    run -0 pg pg_restore -f - -t item "$file"
    [ "$(grep -c '^[0-9]*.item ' <<<"$output")" = 20000 ]
}

@test "names and times are UTC, whatever the zone of the host" {
    before=$(date -u +%Y%m%d%H%M%S)
    run -0 --separate-stderr sfb backup --local-only
    after=$(date -u +%Y%m%d%H%M%S)
    stamp=$(basename "$(the_file "$WORK" '*.dump')" .dump)
    stamp=${stamp#signupflow-backup-}
    [ "${stamp/-/}" -ge "$before" ]
    [ "${stamp/-/}" -le "$after" ]
    has "$output" "^\[${stamp:0:4}-${stamp:4:2}-${stamp:6:2} ${stamp:9:2}:"
    has "$(cat "$T/log/signupflow-backup-audit.log")" "^\[${stamp:0:4}-${stamp:4:2}-${stamp:6:2} ${stamp:9:2}:"
}

@test "--environment staging, in every spelling, takes staging's database and keeps it 7 days" {
    for words in "--environment staging" "--environment=staging" "-e staging" "-estaging" "--env staging"; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        has "$output" '^📋 Environment: staging$'
        has "$output" '^   Retention: 7 days \(expires '
        [ "$(json "$(the_file "$WORK" '*.manifest.json')" database name)" = stage ]
        run -0 pg pg_restore --list "$(the_file "$WORK" '*.dump')"
        has "$output" only_here
    done
}

@test "production falls back to DATABASE_URL" {
    DATABASE_URL=$PRODUCTION_DATABASE_URL
    export DATABASE_URL
    unset PRODUCTION_DATABASE_URL
    run -0 sfb backup --local-only
    [ "$(json "$(the_file "$WORK" '*.manifest.json')" database name)" = shop ]
}

@test "libpq's own variables and password file name the database when no URL does" {
    unset PRODUCTION_DATABASE_URL
    echo "$PG_HOST:$PG_PORT:shop:postgres:$PG_PASSWORD" >"$T/.pgpass"
    chmod 600 "$T/.pgpass"
    run -0 env PGHOST="$PG_HOST" PGPORT="$PG_PORT" PGUSER=postgres PGDATABASE=shop "$SFB" backup --local-only
    [ "$(json "$(the_file "$WORK" '*.manifest.json')" database name)" = shop ]
}

@test "a server on a unix socket is backed up" {
    PRODUCTION_DATABASE_URL="postgresql://postgres:$PG_PASSWORD@/shop?host=$(url_encode "$PG_SOCKET")&port=$PG_PORT"
    run -0 sfb backup --local-only
    the_file "$WORK" '*.dump'
}

@test "--config FILE gives the settings; the environment beats the file" {
    unset PRODUCTION_DATABASE_URL SFB_WORK_DIR
    mkdir "$T/other" "$T/unused"
    printf '%s\n' "# settings" "PRODUCTION_DATABASE_URL='$(db_url shop)'" "SFB_WORK_DIR=$T/other" "SFB_LOG_DIR=$T/unused" >"$T/sfb.env"
    chmod 600 "$T/sfb.env"
    run -0 sfb backup --local-only --config "$T/sfb.env"
    the_file "$T/other" '*.dump'
    empty_dir "$T/unused"
}

@test "--format sql writes gzipped SQL that stock psql restores" {
    for words in "--format sql" "-f sql"; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        has "$output" '^📦 Format: sql'
        file=$(the_file "$WORK" '*.sql.gz')
        [ "$(stat -c %a "$file")" = 600 ]
        gzip -t "$file"
    done
    content_text shop >"$T/content"
    db_new from_sql
    gunzip -c "$file" | sql from_sql >/dev/null
    same_content from_sql "$T/content"
    db_drop from_sql
}

@test "--format sql --compression 0 writes plain SQL" {
    run -0 --separate-stderr sfb backup --local-only --format sql --compression 0
    has "$output" '^🗜️ Compression: none$'
    has_not "$output" '\(compressed\)'
    file=$(the_file "$WORK" '*[0-9].sql')
    content_text shop >"$T/content"
    db_new from_sql
    sql from_sql <"$file" >/dev/null
    same_content from_sql "$T/content"
    db_drop from_sql
}

@test "every compression level gives a dump that stock pg_restore reads; 9 is smaller than 1, 1 than 0" {
    for level in 0 1 2 3 4 5 6 7 8 9; do
        rm -f "$WORK"/*
        run -0 --separate-stderr sfb backup --local-only -c "$level"
        has "$output" "^🗜️ Compression: $([ $level = 0 ] && echo none || echo "level $level")\$"
        file=$(the_file "$WORK" '*.dump')
        size[level]=$(stat -c %s "$file")
        [ "$(pg pg_restore -f - -t item "$file" | grep -c '^[0-9]*.item ')" = 20000 ]
    done
    [ "${size[9]}" -lt "${size[1]}" ]
    [ "${size[1]}" -lt "${size[0]}" ]
}

@test "--retention-days is what the summary and the manifest say" {
    for words in "--retention-days 90" "-r 90"; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        day=$(date -u -d '+90 days' +%F)
        has "$output" "^   Retention: 90 days \(expires $day\)\$"
        has "$(json "$(the_file "$WORK" '*.manifest.json')")" '"retention_days":90'
    done
}

@test "--verbose tells more on stderr, stdout stays the contract's; neither has the password" {
    run -0 --separate-stderr sfb backup --local-only
    quiet=$(masked <<<"$output")
    run -0 --separate-stderr sfb backup --local-only --verbose
    diff -u <(echo "$quiet") <(masked <<<"$output")
    [ -n "$stderr" ]
    has "$stderr" 'public\.item|"item"|item'
    has_not "$output$stderr" "$PG_PASSWORD"
}

@test "--help, in both spellings, shows every option with its default, and every exit code" {
    for words in --help -h; do
        run -0 --separate-stderr sfb backup $words
        for option in --environment --format --compression --local-only --retention-days --verbose --help \
            "-e," "-f," "-c," "-r," "-v," "-h,"; do has "$output" " $option"; done
        for default in production custom 6 30; do has "$output" "default $default|$default \(default\)"; done
        for code in 0 1 2 3 4 5 6; do has "$output" "^ +$code +[A-Za-z]"; done
        [ -z "$stderr" ]
        empty_dir "$WORK"
    done
}

@test "the manifest tells where the dump comes from, how long it is, its checksums, and each table's rows" {
    run -0 sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    manifest=$(the_file "$WORK" '*.manifest.json')
    [ "$manifest" = "${file%.dump}.manifest.json" ]
    text=$(json "$manifest")
    has "$text" "\"md5\":\"$(md5sum <"$file" | cut -d' ' -f1)\""
    has "$text" "\"sha256\":\"$(sha256sum <"$file" | cut -d' ' -f1)\""
    has "$text" "\"size\":$(stat -c %s "$file")\b"
    has "$text" '"environment":"production"'
    [ "$(json "$manifest" database name)" = shop ]
    [ "$(json "$manifest" database encoding)" = UTF8 ]
    has "$(json "$manifest" database)" "$(sql shop "SHOW server_version" | grep -o '^[0-9.]*')"
    tables=$(json "$manifest" tables)
    has "$tables" '"name":"item"[^}]*"rows":20000\b'
    has "$tables" '"name":"empty"[^}]*"rows":0\b'
    has_not "$text" "$PG_PASSWORD"
}

@test "the globals beside the dump hold the roles, and nobody's password" {
    sql postgres "CREATE ROLE \"shop \"\"owner\" LOGIN PASSWORD 'secret-of-role'"
    run -0 sfb backup --local-only
    globals=$(the_file "$WORK" '*.globals.sql')
    has "$(cat "$globals")" '^CREATE ROLE "shop ""owner";'
    has_not "$(cat "$globals")" "SCRAM-SHA-256|md5[0-9a-f]{32}|secret-of-role|$PG_PASSWORD"
    [ "$(stat -c %a "$globals")" = 600 ]
    sql postgres 'DROP ROLE "shop ""owner"'
}

@test "the cache gets the dump, its manifest and its globals, under the contract's name" {
    run -0 sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    cached=$(find "$CACHE" -name 'backup-*.dump')
    [ "$(basename "$cached")" = "$(basename "$file" | sed s/signupflow-//)" ]
    cmp "$file" "$cached"
    [ -f "${cached%.dump}.manifest.json" ]
    [ -f "${cached%.dump}.globals.sql" ]
    [ "$(json "${cached%.dump}.manifest.json" file)" = "$(basename "$cached")" ]
}

@test "the cache keeps the newest 7 of each environment, with their companions" {
    run -0 sfb backup --local-only -e staging
    for _ in 1 2 3 4 5 6 7 8 9; do
        run -0 sfb backup --local-only
        last=$(sed -n 's/^   File: //p' <<<"$output")
    done
    count() { find "$CACHE" -name "$1" | wc -l; }
    [ "$(count 'backup-*.dump')" = 8 ]
    [ "$(count 'backup-*.manifest.json')" = 8 ]
    [ "$(count 'backup-*.globals.sql')" = 8 ]
    [ "$(grep -l '"staging"' "$CACHE"/*.manifest.json | wc -l)" = 1 ]
    find "$CACHE" -name "$(basename "$last" | sed s/signupflow-//)" | grep .
    oldest=$(find "$CACHE" -name 'backup-*.dump' | sort | sed -n 2p)
    [ "$(find "$WORK" -name '*.dump' | wc -l)" = 10 ] # --local-only: these are the user's
    [[ "$(find "$WORK" -name '*.dump' | sort | sed -n 2p)" != *"$(basename "$oldest")" ]]
}

@test "SFB_CACHE_KEEP says how many the cache keeps, and an empty SFB_CACHE_DIR that there is none" {
    for _ in 1 2 3; do run -0 env SFB_CACHE_KEEP=2 "$SFB" backup --local-only; done
    [ "$(find "$CACHE" -name '*.dump' | wc -l)" = 2 ]
    rm -rf "${CACHE:?}"/*
    run -0 env SFB_CACHE_DIR= "$SFB" backup --local-only
    empty_dir "$CACHE"
}

@test "what else is in the cache's directory is never removed" {
    touch "$CACHE/backup-20000101-000000.dump" "$CACHE/notes.txt" "$CACHE/backup-19990101-000000.sql.gz"
    for _ in 1 2; do run -0 env SFB_CACHE_KEEP=1 "$SFB" backup --local-only; done
    [ -f "$CACHE/backup-20000101-000000.dump" ]
    [ -f "$CACHE/backup-19990101-000000.sql.gz" ]
    [ -f "$CACHE/notes.txt" ]
}

@test "the audit log has the contract's lines" {
    run -0 sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    diff -u - <(sed -E '
        s/^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\]/[TIME]/
        s/pid: [0-9]+\)/pid: N)/
        s/duration: ([0-9]+h )?([0-9]+m )?[0-9]+s, size: [0-9]+(\.[0-9])?[KMG]?B\)/duration: TOOK, size: SIZE)/' \
        "$T/log/signupflow-backup-audit.log") <<END
[TIME] INFO Backup started (user: $(id -un), pid: N)
[TIME] INFO Backup completed (duration: TOOK, size: SIZE)
[TIME] INFO Backup verification successful (checksum: $(md5sum <"$file" | cut -d' ' -f1))
END
    run -0 sfb backup --local-only
    [ "$(wc -l <"$T/log/signupflow-backup-audit.log")" = 6 ]
}

@test "SFB_APP names the files, and nothing is called signupflow any more" {
    SFB_APP=bakery run -0 sfb backup --local-only
    the_file "$WORK" 'bakery-backup-*.dump'
    the_file "$T/log" 'bakery-backup-audit.log'
    has_not "$(find "$T")$output" signupflow
}

@test "into a file or a pipe goes no control character, and no progress" {
    run -0 sfb backup --local-only --verbose
    has_not "$output" $'[\x01-\x08\x0b-\x1f\x7f]'
}

@test "on a terminal there is a progress bar, and it is gone at the end" {
    db_new large
    sql large "CREATE TABLE t (x text); INSERT INTO t SELECT repeat('abc', 700000) FROM generate_series(1, 150)"
    PRODUCTION_DATABASE_URL=$(db_url large)
    TERM=xterm run -0 script -qec "$SFB backup --local-only" "$T/typescript" </dev/null
    screen=$(tr '\r' '\n' <"$T/typescript")
    has "$screen" '[0-9](\.[0-9])? [KMG]B/s'
    has "$screen" $'\x1b\\[' # the bar is wiped by an escape sequence
    has "$screen" '^✅ Backup completed successfully'
    db_drop large
}

@test "output that nobody reads does not stop a backup" {
    "$SFB" backup --local-only >/dev/full 2>&1
    the_file "$WORK" '*.dump'
    rm -f "$WORK"/*
    "$SFB" backup --local-only | true
    [ "${PIPESTATUS[0]}" = 0 ]
    the_file "$WORK" '*.dump'
}

@test "a symbolic link that waits under the file's name is not followed" {
    now=$(date +%s)
    for ((s = now; s < now + 40; s++)); do
        ln -s "$T/victim" "$WORK/signupflow-backup-$(date -u -d "@$s" +%Y%m%d-%H%M%S).dump"
    done
    run sfb backup --local-only
    [ ! -e "$T/victim" ]
    rm -f "$WORK"/*
    echo mine >"$T/victim"
    now=$(date +%s)
    for ((s = now; s < now + 4; s++)); do
        ln -s "$T/victim" "$WORK/signupflow-backup-$(date -u -d "@$s" +%Y%m%d-%H%M%S).dump"
    done
    run -0 sfb backup --local-only
    [ "$(cat "$T/victim")" = mine ]
    [ -f "$(sed -n 's/^   File: //p' <<<"$output")" ]
}

@test "an ordinary user backs up; directories that are only defaults are done without, with one warning each" {
    unset SFB_CACHE_DIR SFB_LOG_DIR SFB_STATE_DIR
    export SFB_APP=sfb-test-nobody
    run -0 --separate-stderr as_user "$SFB" backup --local-only
    [ -f "$(sed -n 's/^   File: //p' <<<"$output")" ]
    [ "$(grep -c '^⚠️' <<<"$stderr")" -ge 1 ]
    [ "$(grep -c '^⚠️' <<<"$stderr")" -le 3 ]
    [ ! -e /var/backups/sfb-test-nobody ]
}

@test "a role that may read everything, but is no superuser, can take a backup" {
    sql postgres "CREATE ROLE reader LOGIN PASSWORD 'r' IN ROLE pg_read_all_data"
    sql shop "GRANT SELECT ON LARGE OBJECT $(sql shop 'SELECT oid FROM pg_largeobject_metadata') TO reader"
    PRODUCTION_DATABASE_URL=$(db_url shop reader r)
    run -0 sfb backup --local-only
    the_file "$WORK" '*.dump'
    sql shop "DROP OWNED BY reader; DROP ROLE reader"
}

@test "rows that change while the dump runs are not in it: one snapshot" {
    db_new moving
    sql moving "CREATE TABLE a (n int); CREATE TABLE z (n int); INSERT INTO a VALUES (1); INSERT INTO z VALUES (1)"
    PRODUCTION_DATABASE_URL=$(db_url moving)
    hold_lock moving z
    sfb_start backup --local-only
    dump_waits
    sql moving "INSERT INTO a VALUES (2)"
    release_locks
    sql moving "INSERT INTO z VALUES (2)"
    sfb_wait
    [ "$status" = 0 ]
    run -0 pg pg_restore -f - --data-only "$(the_file "$WORK" '*.dump')"
    [ "$(grep -cx '[12]' <<<"$output")" = 2 ]
    has "$(json "$(the_file "$WORK" '*.manifest.json')" tables)" '"name":"a"[^}]*"rows":1\b'
    db_drop moving
}
