#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# backup_fails.bats - every exit code of the backup command, told apart, with words that help; and nothing half done stays.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    # 4 MB on disk, 300 MB as text: long enough to be met in the middle, larger than the space check can know.
    sql shop "CREATE TABLE big (x text); INSERT INTO big SELECT repeat('abc', 500000) FROM generate_series(1, 200);
              CREATE TABLE item (id int); INSERT INTO item VALUES (1)"
}
teardown_file() { file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
}
teardown() { test_end; }

# The run failed with this code, said so once on stderr, and left nothing: no file, no session, no claim of success.
failed_with() {
    [ "$status" = "$1" ] || { printf 'exit %s instead of %s\n%s\n%s\n' "$status" "$1" "$output" "$stderr" >&2; return 1; }
    [ "$(grep -c '^❌ ' <<<"$stderr")" = 1 ] || { printf 'not one error on stderr:\n%s\n' "$stderr" >&2; return 1; }
    has_not "$output" '^✅|completed successfully'
    has_not "$output$stderr" "$PG_PASSWORD"
    empty_dir "$WORK"
    empty_dir "$CACHE"
}
# ... and the audit log tells of it.
audited() { has "$(tail -n 1 "$T/log/signupflow-backup-audit.log")" "^\[[-0-9 :]{19}\] ERROR Backup failed"; }

# ---- 1: no connection -----------------------------------------------------------------------------------------------

@test "a wrong password is told apart from a dead host, both exit 1" {
    PRODUCTION_DATABASE_URL=$(db_url shop postgres wrong-password)
    run --separate-stderr sfb backup --local-only
    failed_with 1
    audited
    has "$stderr" 'password authentication failed'
    has "$stderr" '^   .*password' # a remedy
    has_not "$stderr" wrong-password
    words=$stderr
    PRODUCTION_DATABASE_URL=postgresql://postgres:x@127.0.0.1:1/shop
    run --separate-stderr sfb backup --local-only
    failed_with 1
    audited
    has "$stderr" '127\.0\.0\.1'
    has_not "$stderr" password
    [ "$(sed -n 2p <<<"$stderr")" != "$(sed -n 2p <<<"$words")" ]
}

@test "no password where one is needed: exit 1, and no prompt" {
    PRODUCTION_DATABASE_URL=postgresql://postgres@$PG_HOST:$PG_PORT/shop
    run --separate-stderr sfb backup --local-only
    failed_with 1
    has "$stderr" 'no password supplied'
}

@test "an unknown host: exit 1, and the name is in the message" {
    PRODUCTION_DATABASE_URL=postgresql://postgres:x@no-such-host.invalid/shop
    run --separate-stderr sfb backup --local-only
    failed_with 1
    has "$stderr" 'no-such-host\.invalid'
}

@test "an unknown database: exit 1, and its name is in the message" {
    PRODUCTION_DATABASE_URL=$(db_url no_such_shop)
    run --separate-stderr sfb backup --local-only
    failed_with 1
    has "$stderr" 'no_such_shop'
}

@test "a role that may not log in: exit 1" {
    sql postgres "CREATE ROLE locked_out NOLOGIN PASSWORD 'x'"
    PRODUCTION_DATABASE_URL=$(db_url shop locked_out x)
    run --separate-stderr sfb backup --local-only
    failed_with 1
    has "$stderr" 'not permitted to log in'
    sql postgres "DROP ROLE locked_out"
}

@test "a server that takes the connection and says nothing: exit 1 when connect_timeout is over" {
    black_hole
    PRODUCTION_DATABASE_URL="postgresql://postgres:x@127.0.0.1:$HOLE_PORT/shop?connect_timeout=2"
    run --separate-stderr sfb backup --local-only
    failed_with 1
    has "$stderr" 'time'
}

# ---- 2: pg_dump fails -----------------------------------------------------------------------------------------------

@test "a table that may not be read: exit 2, before anything is written, with the GRANT that helps" {
    sql postgres "CREATE ROLE \"half reader\" LOGIN PASSWORD 'r'"
    sql shop "GRANT SELECT ON item TO \"half reader\""
    PRODUCTION_DATABASE_URL=$(db_url shop "half reader" r)
    run --separate-stderr sfb backup --local-only
    failed_with 2
    audited
    has "$stderr" 'public\.big'
    has "$stderr" 'GRANT .* TO "half reader"'
    has_not "$output" 'Starting pg_dump'
    # and it does help
    sql shop "$(grep -oE 'GRANT [^;]*;' <<<"$stderr" | tr '\n' ' ')"
    run -0 sfb backup --local-only
    sql shop 'DROP OWNED BY "half reader"; DROP ROLE "half reader"'
}

@test "rows that row security would hide: exit 2, not a backup with a silent gap" {
    db_new guarded
    sql guarded "CREATE TABLE t (o text); INSERT INTO t VALUES ('a'); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY p ON t USING (o = current_user); CREATE ROLE seer LOGIN PASSWORD 's' IN ROLE pg_read_all_data"
    PRODUCTION_DATABASE_URL=$(db_url guarded seer s)
    run --separate-stderr sfb backup --local-only
    failed_with 2
    has "$stderr" 'row security'
    has "$stderr" 'BYPASSRLS'
    db_drop guarded
    sql postgres "DROP ROLE seer"
}

@test "a table that stays locked: exit 2 when SFB_LOCK_TIMEOUT is over" {
    hold_lock shop item
    SFB_LOCK_TIMEOUT=1 run --separate-stderr sfb backup --local-only
    failed_with 2
    audited
    has "$stderr" 'lock'
    has "$stderr" 'item'
    no_sessions
}

@test "the server dies while pg_dump waits for a table: exit 2" {
    pg_start
    db_new shop
    sql shop "CREATE TABLE item (id int)"
    hold_lock shop item
    PRODUCTION_DATABASE_URL=$(db_url shop)
    sfb_start backup --local-only
    dump_waits
    pg_stop immediate
    sfb_wait
    failed_with 2
    audited
    no_children
}

@test "the server dies while rows are flowing: exit 2" {
    pg_start
    db_new shop
    sql shop "CREATE TABLE big (x text); INSERT INTO big SELECT repeat('abc', 500000) FROM generate_series(1, 200)"
    PRODUCTION_DATABASE_URL=$(db_url shop)
    sfb_start backup --local-only
    stop_in_the_middle
    pg_stop immediate
    kill -CONT "$DUMP"
    sfb_wait
    failed_with 2
    no_children
}

@test "the connection of pg_dump alone is ended by an administrator: exit 2, with the server's words" {
    hold_lock shop item
    sfb_start backup --local-only
    dump_waits
    sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'" >/dev/null
    sfb_wait
    failed_with 2
    has "$stderr" 'administrator'
    no_children
}

@test "pg_dump is killed while rows are flowing: exit 2, in both formats" {
    for format in custom sql; do
        sfb_start backup --local-only --format "$format"
        stop_in_the_middle
        kill -KILL "$DUMP"
        sfb_wait
        failed_with 2
        no_children
        no_sessions
    done
}

# ---- 4: what was written is not what was dumped ---------------------------------------------------------------------

@test "a bit that flips on the disk while the dump is written is found by the verification: exit 4, no backup" {
    for format in custom sql; do
        sfb_start backup --local-only --format "$format"
        stop_in_the_middle
        partial=$(find "$WORK" -name '.*.partial-*' -size +64k) # the globals' is small
        offset=$(($(stat -c %s "$partial") * 3 / 4))
        byte=$(od -An -tu1 -j "$offset" -N 1 "$partial")
        # shellcheck disable=SC2059 # an octal escape
        printf "\\$(printf %o $((byte ^ 16)))" | dd of="$partial" bs=1 seek="$offset" conv=notrunc status=none
        kill -CONT "$DUMP"
        sfb_wait
        failed_with 4
        audited
        case $format in # a custom archive is read back while it grows
            custom) has "$stderr" 'read twice|offset' ;;
            sql) has "$output" 'Verifying backup integrity' ;;
        esac
        has_not "$output" 'verification successful'
    done
}

# ---- 5: no space ----------------------------------------------------------------------------------------------------

@test "too little space for the dump: exit 5 before anything is written" {
    need_small_fs
    db_new fat
    sql fat "CREATE TABLE t (x bytea); ALTER TABLE t ALTER x SET STORAGE external; INSERT INTO t
             SELECT decode(repeat(md5(n::text), 65536), 'hex') FROM generate_series(1, 20) n"
    PRODUCTION_DATABASE_URL=$(db_url fat)
    # shellcheck disable=SC2016 # for the inner shell
    run --separate-stderr small_fs 4M "$WORK" bash -c '"$SFB" backup --local-only; rc=$?; ls -A "$SFB_WORK_DIR"; exit $rc'
    failed_with 5
    audited
    has "$stderr" 'free'
    has "$stderr" 'MB'
    has "$stderr" '^   .*SFB_WORK_DIR'
    has_not "$output" 'Starting pg_dump|backup-|partial'
    db_drop fat
}

@test "the disk fills on the way: exit 5, in every format, and the partial file is gone" {
    need_small_fs
    db_new noise # half the size that a table has on disk is what sfb expects of a compressed dump; this takes twice that
    sql noise "CREATE TABLE t (x bytea); ALTER TABLE t ALTER x SET STORAGE external; INSERT INTO t
               SELECT decode(string_agg(md5(n::text || m), ''), 'hex') FROM generate_series(1, 16) n, generate_series(1, 32768) m GROUP BY n"
    while read -r db size words; do
        PRODUCTION_DATABASE_URL=$(db_url "$db")
        # shellcheck disable=SC2016,SC2086 # for the inner shell; words
        run --separate-stderr small_fs "$size" "$WORK" bash -c '"$SFB" backup --local-only "$@"; rc=$?; ls -A "$SFB_WORK_DIR"; exit $rc' - $words
        failed_with 5
        has "$output" 'Starting pg_dump'
        has "$stderr" 'No space|full|space'
        has_not "$output" 'signupflow-backup-|partial'
        no_sessions
    done <<'END'
shop 24M -c 0
shop 24M -f sql -c 0
noise 7M -c 6
noise 7M -f sql -c 6
END
    db_drop noise
}

@test "a full disk under the cache alone does not spoil the backup" {
    need_small_fs
    db_new small
    sql small "CREATE TABLE t (x text); INSERT INTO t SELECT md5(n::text) FROM generate_series(1, 20000) n"
    PRODUCTION_DATABASE_URL=$(db_url small)
    # shellcheck disable=SC2016 # for the inner shell
    run --separate-stderr small_fs 64k "$CACHE" bash -c '"$SFB" backup --local-only; rc=$?; echo "cache: $(ls -A "$SFB_CACHE_DIR")"; exit $rc'
    [ "$status" = 0 ]
    has "$stderr" '^⚠️ .*cache'
    has_not "$output" 'cache: .*(dump|partial)'
    the_file "$WORK" '*.dump'
    db_drop small
}

# ---- 6: configuration -----------------------------------------------------------------------------------------------

@test "a directory store that can't be written: exit 3, and the backup is verified, kept and named, with a remedy" {
    mkdir "$T/store"
    : >"$T/store/production" # not even root can make a directory of it
    SFB_BUCKET=file://$T/store run -3 --separate-stderr sfb backup
    kept=$(the_file "$CACHE" 'backup-*.dump')
    has "$stderr" "the backup is good and kept as $kept, but was not uploaded"
    has "$stderr" 'run the backup again'
    sfb verify "$kept" >/dev/null
    empty_dir "$WORK"
    rm "$T/store/production"
    SFB_BUCKET=file://$T/store sfb backup --label mine --retention-days 5 >/dev/null 2>"$T/stderr"
    has "$(cat "$T/stderr")" '--retention-days is not used'
}

@test "without --local-only, no store: exit 6 in plain words" {
    run --separate-stderr sfb backup
    failed_with 6
    has "$stderr" 'store'
    has "$stderr" '--local-only'
}

@test "options that do not exist or have no sense: exit 6, and the word is named" {
    while IFS='|' read -r words named; do
        # shellcheck disable=SC2086 # words
        run --separate-stderr sfb backup --local-only $words
        failed_with 6 || { echo "with: $words"; return 1; }
        has "$stderr" "$named"
    done <<'END'
--no-such-option|--no-such-option
--compresion 3|--compresion
-x|-x
--compression 10|10
--compression -1|-1
--compression six|six
--compression=6x|6x
-c 99999999999999999999|9999
--environment development|development
--environment Production|Production
-e prod|prod
--format tar|tar
--format CUSTOM|CUSTOM
--retention-days 0|0
--retention-days many|many
an-operand|an-operand
END
}

@test "an option without its value, or an empty one: exit 6" {
    for words in --compression --environment -f; do
        run --separate-stderr sfb backup --local-only $words
        failed_with 6
    done
    for option in --compression= --environment= --format= --retention-days=; do
        run --separate-stderr sfb backup --local-only "$option"
        failed_with 6
    done
}

@test "a misspelt option is answered with the one that may have been meant" {
    run --separate-stderr sfb backup --local-only --compresion 3
    has "$stderr" '--compression'
}

@test "a malformed URL: exit 6, without the password that stands in it" {
    for url in "postgresql://u:$PG_PASSWORD@host:port/db" "postgresql://u:$PG_PASSWORD@[::1/db" \
        "mysql://u:$PG_PASSWORD@host/db" "host=x password=$PG_PASSWORD no_such_word=1" \
        "postgresql://u:$PG_PASSWORD@host/db?no_such=1" "postgresql://u:$PG_PASSWORD%zz@host/db"; do
        PRODUCTION_DATABASE_URL=$url
        run --separate-stderr sfb backup --local-only
        failed_with 6
        has "$stderr" 'PRODUCTION_DATABASE_URL'
    done
}

@test "no database is named: exit 6, and staging never falls back to production's" {
    unset PRODUCTION_DATABASE_URL
    run --separate-stderr sfb backup --local-only
    failed_with 6
    has "$stderr" 'PRODUCTION_DATABASE_URL'
    DATABASE_URL=$(db_url shop)
    PRODUCTION_DATABASE_URL=$DATABASE_URL
    export DATABASE_URL PRODUCTION_DATABASE_URL
    run --separate-stderr sfb backup --local-only -e staging
    failed_with 6
    has "$stderr" 'STAGING_DATABASE_URL'
}

@test "a directory that was named and can't be used: exit 6, and it is named" {
    touch "$T/file"
    for name in SFB_WORK_DIR SFB_CACHE_DIR SFB_LOG_DIR SFB_STATE_DIR; do
        run --separate-stderr env "$name=$T/file/below" "$SFB" backup --local-only
        failed_with 6
        has "$stderr" "$T/file"
    done
}

@test "settings that make no sense: exit 6, and they are named" {
    for setting in SFB_JOBS=many SFB_JOBS=-1 SFB_LOCK_TIMEOUT=soon; do
        run --separate-stderr env "$setting" "$SFB" backup --local-only
        failed_with 6
        has "$stderr" "${setting%=*}"
    done
    echo 'SFB_WORKDIR=/x' >"$T/sfb.env"
    run --separate-stderr sfb backup --local-only --config "$T/sfb.env"
    failed_with 6
    has "$stderr" SFB_WORKDIR
    has "$stderr" SFB_WORK_DIR
    run --separate-stderr sfb backup --local-only --config "$T/no-such.env"
    failed_with 6
    has "$stderr" "$T/no-such.env"
}

# ---- and after any of them ------------------------------------------------------------------------------------------

@test "after a failure the next backup works: no lock stays" {
    SFB_LOCK_TIMEOUT=1
    export SFB_LOCK_TIMEOUT
    hold_lock shop item
    run -2 sfb backup --local-only
    release_locks
    run -0 sfb backup --local-only
}
