#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# roundtrip.bats - what was there comes back: the contract's integration test, through every name sfb is called by.
load harness

setup_file() { file_begin; pg_start; }
teardown_file() { file_end; }
setup() {
    test_begin
    db_new signupflow
    db_new signupflow_staging
    sql signupflow "CREATE TABLE events (id serial PRIMARY KEY, title text NOT NULL, at timestamptz DEFAULT now());
                    INSERT INTO events (title) SELECT 'Event ' || n FROM generate_series(1, 5000) n"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    STAGING_DATABASE_URL=$(db_url signupflow_staging)
}
teardown() {
    db_drop signupflow
    db_drop signupflow_staging
    test_end
}

# The contract's own: insert, back up, delete, restore, count.
round_trip() { # BACKUP-COMMAND RESTORE-COMMAND
    local count file
    sql signupflow "INSERT INTO events (title) VALUES ('Test Event')"
    count=$(sql signupflow "SELECT count(*) FROM events")
    content_text signupflow >"$T/content"
    run -0 --separate-stderr "$1" --local-only
    file=$(the_file "$WORK" 'signupflow-backup-*.dump')
    sql signupflow "DELETE FROM events WHERE title = 'Test Event'; DROP TABLE events; CREATE TABLE later (n int)"
    run -0 --separate-stderr "$2" --force --environment production "$file"
    has "$output" '^✅ Database restore completed successfully$'
    [ "$(sql signupflow "SELECT count(*) FROM events")" = "$count" ]
    [ "$count" = 5001 ]
    same_content signupflow "$T/content"
}

@test "the contract's round trip, through the links backup-database and restore-database" {
    links=$(link_dir)
    round_trip "$links/backup-database" "$links/restore-database"
}

@test "the contract's round trip, through links with the ending .sh" {
    ln -s "$SFB" "$T/backup-database.sh"
    ln -s "$SFB" "$T/restore-database.sh"
    round_trip "$T/backup-database.sh" "$T/restore-database.sh"
}

@test "the contract's round trip, through its scripts, with sfb's links beside them" {
    mkdir "$T/scripts"
    cp "$TOP"/packaging/scripts/*.sh "$T/scripts/"
    ln -s "$SFB" "$T/scripts/backup-database"
    ln -s "$SFB" "$T/scripts/restore-database"
    cd "$T" || return
    round_trip scripts/backup-database.sh scripts/restore-database.sh
}

@test "the contract's round trip, through its scripts, with sfb's links on PATH" {
    PATH=$(link_dir):$PATH
    export PATH
    mkdir "$T/scripts"
    cp "$TOP"/packaging/scripts/*.sh "$T/scripts/"
    round_trip "$T/scripts/backup-database.sh" "$T/scripts/restore-database.sh"
}

@test "the scripts say plainly when sfb is not there" {
    for name in backup-database restore-database test-restore; do
        [ "$(wc -l <"$TOP/packaging/scripts/$name.sh")" = 2 ]
        cp "$TOP/packaging/scripts/$name.sh" "$T/"
        run -127 --separate-stderr env PATH=/usr/bin:/bin "$T/$name.sh" --help
        has "$stderr" "$name"
    done
}

@test "both commands as applets" {
    round_trip backup restore
}
backup() { sfb backup "$@"; }
restore() { sfb restore "$@"; }

@test "production goes to staging, and production is as it was" {
    content_text signupflow >"$T/content"
    run -0 sfb backup --local-only
    run -0 sfb restore --force "$(the_file "$WORK" 'signupflow-backup-*.dump')"
    same_content signupflow_staging "$T/content"
    same_content signupflow "$T/content"
}

@test "every format and level comes back the same" {
    content_text signupflow >"$T/content"
    for words in "-c 0" "-c 1" "-c 9" "-f sql" "-f sql -c 0"; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        file=$(sed -n 's/^   File: //p' <<<"$output")
        run -0 sfb restore --force "$file"
        same_content signupflow_staging "$T/content"
    done
}

@test "the cached copy restores like the first" {
    content_text signupflow >"$T/content"
    run -0 sfb backup --local-only
    rm -f "$WORK"/*
    run -0 --separate-stderr sfb restore --force "$(find "$CACHE" -name 'backup-*.dump')"
    has "$output" 'Rows Restored: 5,000$'
    same_content signupflow_staging "$T/content"
}

@test "stock pg_restore restores sfb's archive, in parallel too" {
    content_text signupflow >"$T/content"
    for level in 0 6; do
        rm -f "$WORK"/*
        run -0 sfb backup --local-only -c $level
        file=$(the_file "$WORK" '*.dump')
        for jobs in 1 2; do
            run -0 pg pg_restore --clean --if-exists -j $jobs --exit-on-error -d signupflow_staging "$file"
            same_content signupflow_staging "$T/content"
        done
    done
}

@test "one table is taken out of a backup with stock pg_restore, as in the contract's scenario 1" {
    run -0 sfb backup --local-only
    file=$(the_file "$WORK" '*.dump')
    sql signupflow "DELETE FROM events WHERE id > 10"
    pg pg_restore --data-only --table=events -f "$T/events.sql" "$file"
    sql signupflow "TRUNCATE events"
    sql signupflow <"$T/events.sql" >/dev/null
    [ "$(sql signupflow "SELECT count(*) FROM events")" = 5000 ]
}

@test "sfb restores the archive that the server's own pg_dump wrote" {
    content_text signupflow >"$T/content"
    pg pg_dump -Fc -f "$T/stock.dump" signupflow
    chmod 644 "$T/stock.dump"
    run -0 sfb restore --force "$T/stock.dump"
    same_content signupflow_staging "$T/content"
}

@test "an empty database goes there and back" {
    db_new nothing
    content_text nothing >"$T/content"
    PRODUCTION_DATABASE_URL=$(db_url nothing)
    for words in "" "-f sql"; do
        rm -f "$WORK"/*
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr sfb backup --local-only $words
        file=$(sed -n 's/^   File: //p' <<<"$output")
        run -0 sfb restore --force "$file"
        same_content signupflow_staging "$T/content"
    done
    db_drop nothing
}

@test "a restored database has the encoding, the locale and the owner of the old one" {
    sql postgres "CREATE ROLE landlord"
    db_new western "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 OWNER landlord"
    sql western "CREATE TABLE t (x text); INSERT INTO t VALUES (U&'\\00e9\\00ff')"
    content_text western >"$T/content"
    PRODUCTION_DATABASE_URL=$(db_url western)
    run -0 sfb backup --local-only
    sql western "DROP TABLE t"
    run -0 sfb restore --force -e production "$(the_file "$WORK" 'signupflow-backup-*.dump')"
    same_content western "$T/content"
    has "$(cat "$T/content")" '^database\|LATIN1\|C\|C\|landlord$'
    db_drop western
    sql postgres "DROP ROLE landlord"
}

@test "5,000 tables go there and back" {
    db_new many
    sql many "DO \$\$ BEGIN FOR i IN 1..5000 LOOP
                  EXECUTE format('CREATE TABLE t%s (id int); INSERT INTO t%s VALUES (%s)', i, i, i);
                  IF i % 1000 = 0 THEN COMMIT; END IF;
              END LOOP; END \$\$"
    content_text many >"$T/content"
    PRODUCTION_DATABASE_URL=$(db_url many)
    run -0 sfb backup --local-only
    run -0 --separate-stderr sfb restore --force "$(the_file "$WORK" 'signupflow-backup-*.dump')"
    has "$output" 'Tables Restored: 5,?000$'
    has "$output" 'Rows Restored: 5,000$'
    same_content signupflow_staging "$T/content"
    db_drop many
}
