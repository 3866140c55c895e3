#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# restore_fails.bats - a restore that fails, is stopped or is killed: before the drop nothing has changed, after it the old
# database comes back, and whatever happens, the message says what is where.
load harness

# The CHECK of one row of the backup sleeps in a database that is being restored: so a test can meet the restore there.
setup_file() {
    file_begin
    pg_start 15 "-c wal_level=logical -c max_replication_slots=4 -c max_wal_senders=4 -c max_prepared_transactions=2"
    db_new source
    sql source "CREATE FUNCTION public.slow(n int) RETURNS bool LANGUAGE plpgsql AS \$\$
                  BEGIN IF n = 0 AND current_database() LIKE '%sfb_restore%' THEN PERFORM pg_sleep(900); END IF; RETURN true; END \$\$;
                CREATE TABLE big (id int, name text);
                INSERT INTO big SELECT n, md5(n::text) FROM generate_series(1, 2000) n;
                CREATE INDEX big_id ON big USING btree (id);
                CREATE TABLE stall (n int CHECK (public.slow(n)));
                CREATE FUNCTION public.slow_index(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$\$
                  BEGIN PERFORM public.slow(n); RETURN n; END \$\$;
                CREATE TABLE late (n int);
                CREATE INDEX late_index ON late USING btree (public.slow_index(n))"
    pg pg_dump -Fc -f "$ROOT/good.dump" source
    sed 's/USING btree (id)/USING btree (xx)/' "$ROOT/good.dump" >"$ROOT/late.dump"   # fails after the data
    sed 's/name text/name tixt/' "$ROOT/good.dump" >"$ROOT/early.dump"                # fails in the schema
    sql source "INSERT INTO stall VALUES (0)"
    pg pg_dump -Fc -f "$ROOT/stalls.dump" source
    pg pg_dump -Fp -f "$ROOT/stalls.sql" source
    sql source "DELETE FROM stall; INSERT INTO late VALUES (0)"
    pg pg_dump -Fc -f "$ROOT/stalls-late.dump" source
    sql source "DELETE FROM late"
    content_text source >"$ROOT/content"
    chmod 644 "$ROOT"/*.dump "$ROOT"/*.sql
}
teardown_file() { file_end; }
setup() {
    test_begin
    db_new target
    sql target "CREATE TABLE precious (n int); INSERT INTO precious VALUES (42); COMMENT ON DATABASE target IS 'mine'"
    content_text target >"$T/before"
    export STAGING_DATABASE_URL
    STAGING_DATABASE_URL=$(db_url target)
}
teardown() {
    db_drop target
    test_end
}

no_working_database() { answers postgres "SELECT count(*) = 0 FROM pg_database WHERE datname LIKE '%sfb_restore%'"; }
back() {
    same_content target "$T/before"
    [ "$(sql postgres "SELECT datallowconn, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'target'")" = 't|mine' ]
    no_working_database
}
untouched() {
    back
    empty_dir "$WORK"
}
# The restore has dropped the old database and is loading.
stalls() {
    wait_for 60 answers postgres \
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname LIKE '%sfb_restore%' AND wait_event = 'PgSleep'"
}

@test "a schema that does not fit fails while the old database still stands: 4, nothing touched" {
    run -4 --separate-stderr sfb restore --force "$ROOT/early.dump"
    has "$stderr" 'type "tixt" does not exist'
    has "$stderr" 'nothing was changed: database target is as it was'
    has_not "$output" 'pre-restore|Dropping'
    untouched
}

@test "pg_restore failing after the drop: 4, its words, and the old database comes back" {
    run -4 --separate-stderr sfb restore --force "$ROOT/late.dump"
    has "$stderr" 'column "xx" does not exist'
    has "$stderr" 'database target is back as it was at .* \(from .*/pre-restore-.*dump, which stays\)'
    has "$output" 'Putting the previous database back'
    back
    has "$(cat "$SFB_LOG_DIR/signupflow-restore-audit.log")" 'ERROR Restore failed .*put back'
}

@test "failing when there was no database: nothing is left" {
    STAGING_DATABASE_URL=$(db_url elsewhere)
    run -4 --separate-stderr sfb restore --force "$ROOT/late.dump"
    answers postgres "SELECT count(*) = 0 FROM pg_database WHERE datname = 'elsewhere'"
    has "$stderr" 'there is no database elsewhere, as before'
    untouched
}

@test "a script that fails: 4, psql's words and line, and the old database comes back" {
    sed 's/USING btree (id)/USING btree (xx)/' "$ROOT/stalls.sql" | sed '/^COPY public.stall/,/^\\\.$/d' >"$T/late.sql"
    run -4 --separate-stderr sfb restore --force "$T/late.sql"
    has "$stderr" 'column "xx" does not exist'
    back
}

@test "Ctrl-C while the old database is being saved: 130, nothing touched, no children" {
    hold_lock target precious
    sfb_start restore --force "$ROOT/good.dump"
    dump_waits
    kill -INT -- "-$PID"
    sfb_wait
    release_locks
    [ "$status" = 130 ]
    no_children
    no_sessions
    untouched
}

@test "Ctrl-C while pg_restore builds indexes: 130, and the old database comes back" {
    sfb_start restore --force "$ROOT/stalls-late.dump"
    stalls
    kill -INT -- "-$PID"
    sfb_wait
    [ "$status" = 130 ]
    no_children
    no_sessions
    back
}

@test "Ctrl-C while rows are loaded: 130, and the old database comes back, whatever else is typed" {
    # one row that takes a while in every restore, so that the second signal meets the putting back
    sql target "CREATE FUNCTION public.wait(n int) RETURNS bool LANGUAGE plpgsql AS \$\$
                  BEGIN IF current_database() LIKE '%sfb_restore%' THEN PERFORM pg_sleep(1.5); END IF; RETURN true; END \$\$;
                CREATE TABLE waits (n int CHECK (public.wait(n))); INSERT INTO waits VALUES (1)"
    content_text target >"$T/before"
    sfb_start restore --force "$ROOT/stalls.dump"
    stalls
    kill -INT -- "-$PID"
    wait_for 30 grep -q 'Putting the previous database back' "$T/out"
    kill -INT -- "-$PID"
    stalls
    kill -INT -- "-$PID"
    sfb_wait
    [ "$status" = 130 ]
    has "$stderr" 'is back as it was'
    no_children
    no_sessions
    back
}

@test "SIGTERM while psql works: 143, and the old database comes back" {
    sfb_start restore --force "$ROOT/stalls.sql"
    stalls
    kill -TERM "$PID"
    sfb_wait
    [ "$status" = 143 ]
    no_children
    back
}

@test "pg_restore killed: 4, and the old database comes back" {
    sfb_start restore --force "$ROOT/stalls-late.dump"
    stalls
    pgrep -s "$PID" | grep -vx "$PID" | xargs kill -9
    sfb_wait
    [ "$status" = 4 ]
    no_children
    back
}

@test "the server crashing under it and coming back: the old database comes back, too" {
    sfb_start restore --force "$ROOT/stalls.dump"
    stalls
    pg_stop immediate
    pg_boot "-c wal_level=logical -c max_replication_slots=4 -c max_wal_senders=4 -c max_prepared_transactions=2"
    sfb_wait 120
    [ "$status" = 4 ] || [ "$status" = 3 ]
    has "$stderr" 'is back as it was'
    back
}

@test "killed after the drop: the next restore says where the old content is, and clears up" {
    sfb_start restore --force "$ROOT/stalls.dump"
    stalls
    kill -9 "$PID"
    sfb_wait
    no_children
    saved=$(the_file "$WORK" 'pre-restore-*.dump')
    answers postgres "SELECT count(*) = 0 FROM pg_database WHERE datname = 'target'"
    run -0 --separate-stderr sfb restore --dry-run "$saved"
    has "$stderr" "an earlier restore of target was killed: it left database target_sfb_restore_"
    run -0 --separate-stderr sfb restore --force "$saved"
    has "$stderr" "an earlier restore of target was killed: removing target_sfb_restore_"
    has "$stderr" "what target held before that restore is in $saved"
    back
}

@test "what a drop that the server never finished has left is no obstacle" {
    sql postgres "UPDATE pg_database SET datconnlimit = -2, datallowconn = false WHERE datname = 'target'" # as the server marks it
    run -0 --separate-stderr sfb restore --force "$ROOT/good.dump"
    [ "$(sql target "SELECT count(*) FROM big")" = 2000 ]
    no_working_database
}

@test "killed while connections are ended: the next restore opens the database again" {
    sql postgres "CREATE ROLE lord LOGIN CREATEDB PASSWORD 'x'; ALTER DATABASE target OWNER TO lord; GRANT pg_read_all_data TO lord"
    (sql target "SELECT pg_sleep(300)" || :) >/dev/null 2>&1 3>&- & # a superuser's: lord may not end it
    wait_for 10 answers postgres "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'target'"
    STAGING_DATABASE_URL=$(db_url target lord x)
    sfb_start restore --force --no-pre-restore "$ROOT/good.dump"
    wait_for 30 grep -q Terminating "$T/out"
    wait_for 10 answers postgres "SELECT NOT datallowconn FROM pg_database WHERE datname = 'target'"
    kill -9 "$PID"
    sfb_wait
    no_sessions_of lord
    STAGING_DATABASE_URL=$(db_url target)
    run -4 --separate-stderr sfb restore --force "$ROOT/early.dump"
    has "$stderr" 'that restore had closed target; it accepts connections again'
    sql postgres "ALTER DATABASE target OWNER TO postgres; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'" >/dev/null
    untouched
    sql postgres "DROP ROLE lord"
}
no_sessions_of() { wait_for 20 answers postgres "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = '$1'"; }

@test "a session that can't be ended: 4 in half a minute, named, and the database is open again" {
    sql postgres "CREATE ROLE lord LOGIN CREATEDB PASSWORD 'x'; ALTER DATABASE target OWNER TO lord"
    (sql target "SELECT pg_sleep(300)" || :) >/dev/null 2>&1 3>&- &
    wait_for 10 answers postgres "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'target'"
    STAGING_DATABASE_URL=$(db_url target lord x)
    run -4 --separate-stderr sfb restore --force --no-pre-restore "$ROOT/good.dump"
    has "$stderr" '1 connections? to target do(es)? not end, e.g. pid [0-9]+, user postgres, harness'
    sql postgres "ALTER DATABASE target OWNER TO postgres; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'" >/dev/null
    untouched
    sql postgres "DROP ROLE lord"
}

@test "a disk too small for the pre-restore backup: 4 before anything is touched" {
    need_small_fs
    sql target "CREATE TABLE large AS SELECT n, md5(n::text) AS x FROM generate_series(1, 60000) n"
    content_text target >"$T/before"
    run -4 --separate-stderr small_fs 1m "$WORK" timeout 60 "$SFB" restore --force "$ROOT/good.dump"
    has "$stderr" "can't be saved first: .* free"
    untouched
}

@test "a database that can't be dumped: 4, nothing touched, and the way out is named" {
    sql postgres "CREATE ROLE lord LOGIN CREATEDB CREATEROLE PASSWORD 'x'; ALTER DATABASE target OWNER TO lord"
    STAGING_DATABASE_URL=$(db_url target lord x)
    run -4 --separate-stderr sfb restore --force "$ROOT/good.dump"
    has "$stderr" "the present database can't be saved first"
    sql postgres "ALTER DATABASE target OWNER TO postgres; DROP ROLE lord"
    untouched
}

@test "slots, prepared transactions, subscriptions, templates: named before anything is touched" {
    sql target "SELECT pg_create_logical_replication_slot('feed', 'test_decoding')" >/dev/null
    run -4 --separate-stderr sfb restore --force "$ROOT/good.dump"
    has "$stderr" 'replication slots.*feed'
    sql target "SELECT pg_drop_replication_slot('feed')" >/dev/null

    echo "BEGIN; INSERT INTO precious VALUES (1); PREPARE TRANSACTION 'half';" | sql target
    run -4 --separate-stderr sfb restore --force "$ROOT/good.dump"
    has "$stderr" 'prepared transactions.*half'
    sql target "ROLLBACK PREPARED 'half'"

    echo "CREATE SUBSCRIPTION sub CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = NONE);" | sql target 2>/dev/null
    run -4 --separate-stderr sfb restore --force "$ROOT/good.dump"
    has "$stderr" 'subscriptions.*sub'
    sql target "DROP SUBSCRIPTION sub"
    untouched
}

@test "somebody takes the name meanwhile: what was restored is whole, stays, and one command finishes it" {
    sed 's/pg_sleep(900)/pg_sleep(3)  /' "$ROOT/stalls.dump" >"$T/pauses.dump"
    sfb_start restore --force "$T/pauses.dump"
    stalls
    db_new target
    sfb_wait
    [ "$status" = 4 ]
    command=$(sed -n 's/.*drop the new one, then \(ALTER DATABASE .*\)$/\1/p' <<<"$stderr")
    sql postgres "DROP DATABASE target"
    sql postgres "$command"
    sql target "DELETE FROM stall"
    [ "$(sql target "SELECT count(*) FROM big")" = 2000 ]
}

@test "the backup replaced by another file while it is restored: 2, and the old database comes back" {
    sed 's/pg_sleep(900)/pg_sleep(3)  /' "$ROOT/stalls.dump" >"$T/pauses.dump"
    sfb_start restore --force "$T/pauses.dump"
    stalls
    cp "$T/pauses.dump" "$T/other.dump"
    mv "$T/other.dump" "$T/pauses.dump"
    sfb_wait
    [ "$status" = 2 ]
    back
}

@test "what killed restores left of their pre-restore backups is swept, what is being written is not" {
    pid=$(bash -c 'echo $$')
    touch "$WORK/.pre-restore-20250101-000000.dump.partial-$pid" "$WORK/.pre-restore-20250101-000000.globals.sql.partial-$pid" \
        "$WORK/.pre-restore-20250101-000001.dump.partial-$$"
    run -0 sfb restore --force "$ROOT/good.dump"
    [ -z "$(find "$WORK" -name ".*.partial-$pid")" ]
    [ -f "$WORK/.pre-restore-20250101-000001.dump.partial-$$" ]
}
