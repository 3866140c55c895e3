#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# restore.bats - what `sfb restore` is asked for, what it says, and what it leaves: the contract's restore command.
load harness

setup_file() {
    file_begin
    pg_start
    db_new source
    sql source "CREATE TABLE item (id int PRIMARY KEY, name text);
                INSERT INTO item SELECT n, 'item ' || md5(n::text) FROM generate_series(1, 1500) n;
                CREATE TABLE empty (id int);
                SELECT lo_from_bytea(0, 'an object')"
    content_text source >"$ROOT/content"
    mkdir "$ROOT/backups" "$ROOT/cache" "$ROOT/log" "$ROOT/state"
    PRODUCTION_DATABASE_URL=$(db_url source) SFB_WORK_DIR=$ROOT/backups SFB_CACHE_DIR='' SFB_LOG_DIR=$ROOT/log \
        SFB_STATE_DIR=$ROOT/state sfb backup --local-only >/dev/null
    BACKUP=$(the_file "$ROOT/backups" '*.dump')
    export BACKUP
}
teardown_file() { file_end; }
setup() {
    test_begin
    db_new target
    sql target "CREATE TABLE precious (n int); INSERT INTO precious VALUES (42)"
    content_text target >"$T/before"
    export STAGING_DATABASE_URL PRODUCTION_DATABASE_URL
    STAGING_DATABASE_URL=$(db_url target)
    PRODUCTION_DATABASE_URL=$(db_url source)
}
teardown() {
    db_drop target
    test_end
}

# What changes from run to run, replaced by words.
masked() {
    sed -E "s#$T#DIR#g; s#$ROOT#ROOT#g; s#$PG_PORT#PORT#g"'
        s/^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\]/[TIME]/
        s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC/MOMENT UTC/
        s/\b[0-9]+(\.[0-9])? [KMG]?B\b/SIZE/
        s/(\(|: )([0-9]+h )?([0-9]+m )?[0-9]+s(\)|$)/\1TOOK\4/
        s/[0-9]{8}-[0-9]{6}/STAMP/g
        s/\r$//'
}
says() { diff -u <(cat) <(masked <<<"$output"); }

nothing_touched() {
    same_content target "$T/before"
    [ -z "$(files_in "$WORK")" ] || { echo "left: $(files_in "$WORK")" >&2; return 1; }
    no_working_database
    answers postgres "SELECT datallowconn FROM pg_database WHERE datname = 'target'"
}
no_working_database() { answers postgres "SELECT count(*) = 0 FROM pg_database WHERE datname LIKE '%sfb_restore%'"; }

# Runs sfb on a terminal, typing ANSWER.
at_terminal() { # ANSWER ARGUMENTS...
    local answer=$1 words
    shift
    words=$(printf '%q ' "$SFB" "$@")
    printf "$answer" | timeout 60 script -qec "$words" /dev/null
}

@test "a restore says what the contract shows, line by line" {
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    says <<'END'
⚠️  DATABASE RESTORE OPERATION ⚠️

You are about to OVERWRITE the database with data from backup.
This operation is IRREVERSIBLE and will DELETE all current data.

📋 Restore Details:
   Backup File: ROOT/backups/signupflow-backup-STAMP.dump
   Backup Date: MOMENT UTC
   Backup Size: SIZE
   Target Environment: staging
   Target Database: postgresql://127.0.0.1:PORT/target

🔄 Starting database restore...

[TIME] Verifying backup integrity...
[TIME] ✅ Backup verification successful
[TIME] Creating pre-restore backup...
[TIME] Pre-restore backup saved: DIR/work/pre-restore-STAMP.dump
[TIME] Terminating active database connections...
[TIME] Dropping existing database...
[TIME] Creating new database...
[TIME] Starting pg_restore...
[TIME] Restore completed (TOOK)
[TIME] Analyzing database statistics...
[TIME] Rebuilding indexes...
[TIME] Vacuuming database...
[TIME] Verifying data integrity...
[TIME] ✅ Data integrity verification successful

📊 Restore Summary:
   Backup File: signupflow-backup-STAMP.dump
   Backup Date: MOMENT UTC
   Restore Duration: TOOK
   Database Size: SIZE (uncompressed)
   Tables Restored: 2
   Rows Restored: 1,500

✅ Database restore completed successfully
END
    [ -z "$stderr" ]
    same_content target "$ROOT/content"
    no_working_database
}

@test "what was replaced is in the pre-restore backup, and comes back from it" {
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    saved=$(the_file "$WORK" 'pre-restore-*.dump')
    run -0 sfb verify "$saved"
    rm "$WORK"/pre-restore-*.json # a stock tool has none either
    run -0 --separate-stderr sfb restore --force "$saved"
    same_content target "$T/before"
}

@test "without a terminal and without --force: verified, nothing touched, 6" {
    run -6 --separate-stderr sfb restore --verify "$BACKUP" </dev/null
    has "$output" '✅ Backup verification successful$'
    has "$stderr" 'nobody is at the terminal.*nothing was touched'
    nothing_touched
}

@test "the question's default is No: anything but y or yes is 6 and touches nothing" {
    for answer in '\n' 'n\n' 'no\n' 'yep\n' 'maybe y\n'; do
        run -6 at_terminal "$answer" restore "$BACKUP"
        has "$output" 'Are you sure you want to continue\? \[y/N\]: '
        has "$output" 'cancelled: nothing was touched'
        has_not "$output" 'Verifying'
    done
    nothing_touched
}

@test "y and yes at the terminal restore" {
    for answer in 'y\n' 'YES\n'; do
        run -0 at_terminal "$answer" restore "$BACKUP"
        has "$output" '✅ Database restore completed successfully'
    done
    same_content target "$ROOT/content"
}

@test "a dry run says what would be done, and changes nothing" {
    run -0 --separate-stderr sfb restore --dry-run "$BACKUP" </dev/null
    has "$output" 'DRY RUN'
    has "$output" '✅ Backup verification successful'
    has "$output" 'Save database target'
    has "$output" 'pg_restore 15.* jobs'
    has_not "$output" 'Dropping|Creating'
    nothing_touched
    [ ! -s "$SFB_LOG_DIR/signupflow-restore-audit.log" ]
}

@test "a dry run finds what a restore would trip over" {
    sql target "CREATE PUBLICATION p" # harmless
    STAGING_DATABASE_URL=$(db_url target nobody_there)
    run -3 --separate-stderr sfb restore --dry-run "$BACKUP"
    sql postgres "ALTER DATABASE target IS_TEMPLATE true"
    STAGING_DATABASE_URL=$(db_url target)
    run -4 --separate-stderr sfb restore --dry-run "$BACKUP"
    sql postgres "ALTER DATABASE target IS_TEMPLATE false"
    has "$stderr" 'is a template'
}

@test "exit codes for files: not there, a directory, unreadable 1; empty, no dump, cut, flipped 2" {
    run -1 --separate-stderr sfb restore --force "$T/not-there.dump"
    has "$stderr" "can't open backup .*not-there.dump: No such file"
    run -1 --separate-stderr sfb restore --force "$T"
    has "$stderr" 'is a directory'
    if is_root; then
        cp "$BACKUP" "$T/secret.dump"
        chmod 600 "$T/secret.dump"
        mkdir -m 777 "$T/others"
        SFB_STATE_DIR=$T/others run -1 --separate-stderr as_user "$SFB" restore --force "$T/secret.dump"
        has "$stderr" 'Permission denied'
    fi
    : >"$T/empty.dump"
    run -2 --separate-stderr sfb restore --force "$T/empty.dump"
    echo 'no dump at all' >"$T/text.dump"
    run -2 --separate-stderr sfb restore --force "$T/text.dump"
    head -c 2000 "$BACKUP" >"$T/cut.dump"
    run -2 --separate-stderr sfb restore --force "$T/cut.dump"
    cp "$BACKUP" "$T/flipped.dump"
    printf '\377' | dd of="$T/flipped.dump" bs=1 seek=$(($(stat -c %s "$BACKUP") - 300)) conv=notrunc status=none
    run -2 --separate-stderr sfb restore --force "$T/flipped.dump"
    nothing_touched
}

@test "exit 7: unknown options, environments, times, no file or two, a malformed URL, an s3 URL" {
    for words in "--no-such-option $BACKUP" "-e moon $BACKUP" "-p yesterday $BACKUP" "" "$BACKUP $BACKUP" "--jobs 0 $BACKUP" \
        "s3://bucket/production/backup-20251023-143215.dump"; do
        # shellcheck disable=SC2086 # words
        run -7 --separate-stderr sfb restore --force $words
    done
    STAGING_DATABASE_URL=nonsense://x run -7 --separate-stderr sfb restore --force "$BACKUP"
    unset STAGING_DATABASE_URL
    run -7 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" STAGING_DATABASE_URL
    nothing_touched
}

@test "exit 3: a wrong password and a dead server, each with a remedy" {
    STAGING_DATABASE_URL=$(db_url target postgres wrong) run -3 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'password'
    STAGING_DATABASE_URL=postgresql://postgres@127.0.0.1:1/target run -3 --separate-stderr sfb restore --force "$BACKUP"
    nothing_touched
}

@test "a second restore of the same environment exits 75 and names the first's pid" {
    hold_lock target precious
    sfb_start restore --force "$BACKUP"
    dump_waits
    run -75 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" "$PID"
    release_locks
    sfb_wait
    [ "$status" = 0 ]
}

@test "two hosts can't restore one database at once: 75, and the first goes on" {
    hold_lock target precious
    sfb_start restore --force "$BACKUP"
    dump_waits
    SFB_STATE_DIR=$(mktemp -d "$T/other.XXXXXX") run -75 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'another sfb is restoring database target'
    release_locks
    sfb_wait
    [ "$status" = 0 ]
    same_content target "$ROOT/content"
}

@test "the audit log has the contract's lines, and where the old content is" {
    run -0 sfb restore --force "$BACKUP"
    log=$SFB_LOG_DIR/signupflow-restore-audit.log
    sed -i -E 's/^\[[-0-9]+ [:0-9]+\]/[TIME]/; s/duration: [^)]*/duration: TOOK/; s/backup-[0-9]+-[0-9]+/backup-STAMP/' "$log"
    diff -u - "$log" <<END
[TIME] WARNING Restore initiated (user: $(id -un), backup: signupflow-backup-STAMP.dump, target: staging)
[TIME] INFO Pre-restore backup saved (file: $(the_file "$WORK" 'pre-restore-*.dump'))
[TIME] INFO Restore completed (duration: TOOK)
[TIME] INFO Data integrity verification successful
END
}

@test "clients that are connected are ended, and can't come back before it is done" {
    # a client that reconnects whenever it loses its connection
    (while :; do sql target "SELECT pg_sleep(60)" || :; done) >/dev/null 2>&1 3>&- &
    client=$!
    wait_for 10 answers postgres "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'target'"
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    kill "$client" || :
    sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'" >/dev/null
    same_content target "$ROOT/content"
}

@test "owner, privileges, settings, comment, connection limit of the replaced database are on the new one" {
    sql postgres "CREATE ROLE \"land lord\"; CREATE ROLE reader;
        ALTER DATABASE target OWNER TO \"land lord\";
        REVOKE ALL ON DATABASE target FROM PUBLIC;
        GRANT CONNECT ON DATABASE target TO reader WITH GRANT OPTION;
        GRANT TEMPORARY ON DATABASE target TO reader;
        ALTER DATABASE target SET search_path TO \"\$user\", 'we\"ird', public;
        ALTER DATABASE target SET work_mem TO '5MB';
        ALTER DATABASE target SET my.thing TO E'it''s\\\\ so';
        ALTER DATABASE target SET default_transaction_read_only TO on;
        ALTER ROLE reader IN DATABASE target SET statement_timeout TO '7s';
        ALTER DATABASE target CONNECTION LIMIT 7;
        COMMENT ON DATABASE target IS E'it''s \\\\ ours'"
    properties >"$T/properties"
    run -0 --separate-stderr sfb restore --force "$BACKUP"
    [ -z "$stderr" ]
    diff -u "$T/properties" <(properties)
    sql postgres "ALTER DATABASE target OWNER TO postgres; DROP OWNED BY reader; DROP ROLE \"land lord\""
    db_drop target
    sql postgres "DROP ROLE reader"
}
properties() {
    sql postgres "SELECT pg_get_userbyid(datdba), datallowconn, datconnlimit, datistemplate,
                         (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a),
                         shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'target';
                  SELECT setrole::regrole, unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
                  WHERE datname = 'target' ORDER BY 1, 2"
}

@test "a database that was not there gets the dump's own owner, settings and comment" {
    sql postgres "CREATE ROLE tenant"
    db_new origin "OWNER tenant TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    sql postgres "ALTER DATABASE origin SET work_mem TO '6MB'; COMMENT ON DATABASE origin IS 'from afar';
                  REVOKE CONNECT ON DATABASE origin FROM PUBLIC; ALTER DATABASE origin CONNECTION LIMIT 9"
    pg pg_dump -Fc -f "$T/origin.dump" origin
    STAGING_DATABASE_URL=$(db_url 'new; "one"')
    run -0 --separate-stderr sfb restore --force "$T/origin.dump"
    has_not "$output" 'pre-restore|Terminating|Dropping'
    [ "$(sql postgres "SELECT pg_get_userbyid(datdba), datcollate, datconnlimit,
            (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a), shobj_description(oid, 'pg_database'),
            (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid)
            FROM pg_database d WHERE datname = 'new; \"one\"'")" = \
        "tenant|C|9|=T/tenant tenant=CTc/tenant|from afar|{work_mem=6MB}" ]
    db_drop 'new; "one"'
    db_drop origin
    sql postgres "DROP ROLE tenant"
}

@test "the database postgres, from which databases are usually managed, can be replaced" {
    PRODUCTION_DATABASE_URL=$(db_url postgres)
    run -0 --separate-stderr sfb restore --force -e production "$BACKUP"
    same_content postgres "$ROOT/content"
    sql postgres "DROP TABLE item, empty; SELECT lo_unlink(oid) FROM pg_largeobject_metadata" >/dev/null
}

@test "templates, prepared transactions and template1 are refused before anything is touched" {
    STAGING_DATABASE_URL=$(db_url template1) run -4 --separate-stderr sfb restore --force "$BACKUP"
    has "$stderr" 'template'
    nothing_touched
}

@test "a point in time picks the newest backup that is not from after it, and says what is lost" {
    mkdir "$T/all"
    for when in 20010909-014640 20010909-024640 20010909-034640; do # dumps of another tool: the names tell
        sql source "DELETE FROM empty; INSERT INTO empty VALUES (${when#*-})"
        pg pg_dump -Fc -f "$T/all/backup-$when.dump" source
        chmod 644 "$T/all/backup-$when.dump"
    done
    sql source "DELETE FROM empty"
    cp "$T/all/backup-20010909-024640.dump" "$T/all/other-20010909-025640.dump"
    named=$T/all/backup-20010909-034640.dump
    run -0 --separate-stderr sfb restore --force -p 2001-09-09T03:30:00Z "$named"
    has "$output" 'Chosen: .*/backup-20010909-024640.dump \(the newest backup that is not from after it\)'
    has "$output" 'it was at 2001-09-09 02:46:40 UTC. What happened in the 43m 20s'
    has "$output" "can't be rolled forward"
    [ "$(sql target "SELECT id FROM empty")" = 24640 ]
    run -0 --separate-stderr sfb restore --force -p '2001-09-09 05:46:40+02:00' "$named"
    has "$output" 'Chosen: .*034640.dump \(the one you named'
    [ "$(sql target "SELECT id FROM empty")" = 34640 ]
    run -1 --separate-stderr sfb restore --force -p 2001-09-09T01:00:00Z "$named"
    has "$stderr" 'the oldest is from 2001-09-09 01:46:40 UTC'
}

@test "a point in time is that of the snapshot, and takes no backup of another environment" {
    mkdir "$T/all"
    for environment in production staging production; do
        before=$(date +%s)
        SFB_WORK_DIR=$T/all SFB_CACHE_DIR='' run -0 --separate-stderr sfb backup --local-only -e $environment
        files+=("$(sed -n 's/^   File: //p' <<<"$output")")
        wait_for 5 later_than "$before"
    done
    moment=$(json "${files[1]%.dump}.manifest.json" snapshot_at)
    run -0 --separate-stderr sfb restore --force -p "$moment" "${files[2]}"
    has "$output" "Chosen: ${files[0]} "
}
later_than() { [ "$(date +%s)" -gt "$1" ]; }

@test "latest, when the store can't be asked, points at what this host has" {
    cp "$BACKUP" "${BACKUP%.dump}.manifest.json" "$CACHE"
    local nothing=(AWS_EC2_METADATA_DISABLED=true SFB_BUCKET=shop-backups)
    run -7 --separate-stderr env "${nothing[@]}" "$SFB" restore --force -e production latest
    has "$stderr" 'there are no AWS credentials'
    has "$stderr" "AWS_ACCESS_KEY_ID.*; the newest backup of production on this host is $CACHE/${BACKUP##*/}: name it instead of latest"
    rm "$CACHE"/*
    run -7 --separate-stderr env "${nothing[@]}" "$SFB" restore --force -e production latest
    has "$stderr" 'there are no AWS credentials'
    has_not "$stderr" 'on this host is'
}

@test "a table with other rows than its manifest says is 5, names the table, and the old database comes back" {
    cp "$BACKUP" "$T/lie.dump"
    cp "${BACKUP%.dump}.manifest.json" "$T/lie.manifest.json"
    perl -0pi -e 's/("fingerprint":\s*")[0-9a-f]{32}/${1}00000000000000000000000000000001/g' "$T/lie.manifest.json"
    run -2 sfb verify "$T/lie.dump"
    run -5 --separate-stderr sfb restore --force "$T/lie.dump" # where the sum of the whole file is as the manifest says
    has "$stderr" 'table public\.(item|empty): its .* rows are not those of the backup'
    has "$stderr" 'database target is back as it was'
    same_content target "$T/before"
    no_working_database
    run -0 --separate-stderr sfb restore --force --no-proof "$T/lie.dump" # the counts are right
}

@test "a dump of another tool is compared, too: in whose time zone it was written does not matter" {
    db_new zones
    sql zones "CREATE TABLE plain (n int, x text); INSERT INTO plain SELECT n, md5(n::text) FROM generate_series(1, 100) n;
               CREATE TABLE times (at timestamptz, during tstzrange[]);
               INSERT INTO times VALUES ('2020-01-01 00:00+00', ARRAY[tstzrange('2020-01-01 00:00+00', NULL)])"
    for zone in UTC "$(sql zones 'SHOW TimeZone')"; do
        PGTZ=$zone pg pg_dump -Fc -f "$T/stock.dump" zones
        run -0 --separate-stderr sfb restore --force "$T/stock.dump"
        has "$output" '✅ Data integrity verification successful'
        [ -z "$stderr" ]
    done
    PGTZ=Asia/Tokyo pg pg_dump -Fc -f "$T/stock.dump" zones
    run -0 --separate-stderr sfb restore --force "$T/stock.dump"
    has "$stderr" 'compared by the number of rows only: times '
    db_drop zones
}

@test "rows without their tables are refused before anything is touched" {
    pg pg_dump -Fc --data-only -f "$T/rows.dump" source
    run -4 --separate-stderr sfb restore --force "$T/rows.dump"
    has "$stderr" 'not the tables they belong to: "public"."empty" and "public"."item"; nothing was touched'
    nothing_touched
}

@test "one table of 20 MB is loaded and compared in parts, and whole" {
    db_new large
    sql large "CREATE TABLE t (n int PRIMARY KEY, x text); ALTER TABLE t ALTER x SET STORAGE EXTERNAL;
               INSERT INTO t SELECT n, repeat(md5(n::text), 1 + n % 40) || E'\n\\.\n' FROM generate_series(1, 60000) n;
               INSERT INTO t VALUES (0, repeat(md5('x'), 200000)); CREATE TABLE s (n int); INSERT INTO s VALUES (1)"
    content_text large >"$T/content"
    PRODUCTION_DATABASE_URL=$(db_url large)
    for level in 0 6; do
        rm -f "$WORK"/*
        run -0 sfb backup --local-only -c $level
        for jobs in 1 4; do
            run -0 --separate-stderr sfb restore --force -j $jobs "$(the_file "$WORK" 'signupflow-*.dump')"
            [ -z "$stderr" ]
            same_content target "$T/content"
        done
    done
    db_drop large
}

@test "--no-pre-restore leaves no file" {
    run -0 --separate-stderr sfb restore --force --no-pre-restore "$BACKUP"
    empty_dir "$WORK"
    same_content target "$ROOT/content"
}

# In one run of several jobs pg_restore makes the trigger before it loads the partition, and says nothing: the trigger
# belongs to a table without rows of its own.
@test "a trigger of a partitioned table changes no row of its partitions, wherever the archive comes from" {
    db_new parts
    sql parts "CREATE TABLE t (n int, note text) PARTITION BY RANGE (n);
               CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100000);
               INSERT INTO t SELECT n, 'as it was' FROM generate_series(1, 9999) n;
               CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''changed''; RETURN NEW; END';
               CREATE TRIGGER touch BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch();
               CREATE TABLE a AS SELECT generate_series(1, 5000) n; CREATE TABLE b AS TABLE a; CREATE TABLE c AS TABLE a"
    content_text parts >"$T/content"
    pg pg_dump -Fc -d parts >"$T/stock.dump"
    pg pg_dump -Fc -d parts | cat >"$T/piped.dump"
    PRODUCTION_DATABASE_URL=$(db_url parts)
    run -0 sfb backup --local-only
    for file in "$T/stock.dump" "$T/piped.dump" "$(the_file "$WORK" 'signupflow-*.dump')"; do
        run -0 --separate-stderr sfb restore --force -j 4 "$file"
        same_content target "$T/content"
    done
    db_drop parts
}
