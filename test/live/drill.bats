#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# drill.bats - a recovery is rehearsed: restored beside everything, proven, examined, compared, and gone again.
load harness
load drill-tools

setup_file() {
    file_begin
    pg_start
    drill_shop
}
teardown_file() { file_end; }
setup() {
    test_begin
    drill_environment
    on_server >"$T/before"
}
teardown() {
    for db in $(sql postgres "SELECT datname FROM pg_database WHERE datname ~ '^(shop_|signupflow_drill_)'"); do db_drop "$db"; done
    test_end
}
nothing_stays() { on_server | diff "$T/before" -; }
drill_databases() { sql postgres "SELECT datname FROM pg_database WHERE datname LIKE '%drill%' ORDER BY 1"; }

@test "the latest backup is restored beside staging, proven, examined, and dropped again" {
    take_backup
    content_text staging >"$T/staging"
    run -0 --separate-stderr sfb drill
    has "$output" '✅ the server answers.*PostgreSQL 15\.'
    has "$output" '✅ the backup is whole.*backup-[0-9-]*\.dump, '
    has "$output" '✅ every row is as it was backed up.*2 tables, 2,003 rows, rows and fingerprints equal'
    has "$output" '✅ every index is valid.*3 indexes'
    has "$output" '✅ every index is sound.*[0-9]+ B-tree indexes, every page of them'
    has "$output" '✅ every constraint is validated.*3 constraints'
    has "$output" '✅ no sequence is behind.*2 sequences'
    has "$output" '✅ production has not drifted away.*0\.0 % of the rows differ'
    has "$output" 'Recovery takes'
    [ -z "$stderr" ]
    nothing_stays
    same_content staging "$T/staging"
    empty_dir "$WORK"
}

@test "roles that the backup needs are made for the drill, and gone afterwards" {
    new_shop shop_roles
    sql shop_roles "CREATE ROLE drill_clerk; ALTER TABLE orders OWNER TO drill_clerk"
    take_backup shop_roles
    sql shop_roles "DROP OWNED BY drill_clerk; DROP ROLE drill_clerk"
    run -0 sfb drill
    has "$output" 'roles created because the backup needs them: drill_clerk'
    [ "$(sql postgres "SELECT count(*) FROM pg_roles WHERE rolname = 'drill_clerk'")" = 0 ]
}

@test "with --keep the database stays, is whole, and says what it is" {
    take_backup
    content_text shop | grep -v '^database|' >"$T/shop"
    run -0 sfb drill --keep
    db=$(drill_databases)
    has "$output" "Kept as database: $db"
    content_text "$db" | grep -v '^database|' | diff "$T/shop" -
    [[ "$(sql postgres "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '$db'")" = "kept by sfb drill --keep"* ]]
}

@test "what killed drills left is removed after a day; what is kept, young, in use or somebody else's stays" {
    take_backup
    for db in 20200101-000000 20200102-000000 20200103-000000 20200104-000000_sfb_restore_4711 20200105-000000 2020; do
        sql postgres "CREATE DATABASE \"signupflow_drill_$db\""
    done
    young=signupflow_drill_$(date -u -d '-2 hours' +%Y%m%d-%H%M%S)
    sql postgres "CREATE DATABASE \"$young\""
    for db in signupflow_drill_20200101-000000 signupflow_drill_20200103-000000 "$young" signupflow_drill_2020; do
        sql postgres "COMMENT ON DATABASE \"$db\" IS 'made by sfb drill; pid 1 on elsewhere'"
    done
    sql postgres "COMMENT ON DATABASE \"signupflow_drill_20200102-000000\" IS 'kept by sfb drill --keep; pid 1 on elsewhere'"
    sql postgres "CREATE TABLE IF NOT EXISTS held ()"
    sql signupflow_drill_20200103-000000 "CREATE TABLE held ()"
    hold_lock signupflow_drill_20200103-000000 held
    run -0 --separate-stderr sfb drill
    release_locks
    has "$stderr" 'removed database signupflow_drill_20200101-000000, which a killed drill left'
    has "$stderr" 'removed database signupflow_drill_20200104-000000_sfb_restore_4711'
    has "$stderr" 'left database signupflow_drill_20200103-000000: .*being accessed'
    [ "$(drill_databases | sort)" = "$(printf '%s\n' signupflow_drill_2020 signupflow_drill_20200102-000000 signupflow_drill_20200103-000000 \
        signupflow_drill_20200105-000000 "$young" | sort)" ]
    sql postgres "DROP TABLE held"
}

@test "a constraint that is NOT VALID in production is a warning, and no more" {
    new_shop shop_constraint
    sql shop_constraint "ALTER TABLE orders ADD CONSTRAINT cheap CHECK (id < 10) NOT VALID"
    take_backup shop_constraint
    run -0 --separate-stderr sfb drill
    has "$output" '⚠️  every constraint is validated.*public\.orders cheap is NOT VALID, as in the backup'
}

@test "a sequence behind its column in production is a warning, and says by how much" {
    new_shop shop_sequence
    sql shop_sequence "SELECT setval('orders_id_seq', 1990)"
    take_backup shop_sequence
    run -0 --separate-stderr sfb drill
    has "$output" '⚠️  no sequence is behind.*public\.orders_id_seq would give 1991 next, but orders\.id is at 2000 already, as in the backup'
}

@test "sequences that count down, start over or were never used are no finding" {
    new_shop shop_sequences
    sql shop_sequences "
        CREATE TABLE down (id int PRIMARY KEY); CREATE SEQUENCE down_seq INCREMENT -1 MINVALUE -100 MAXVALUE -1 OWNED BY down.id;
        INSERT INTO down SELECT nextval('down_seq') FROM generate_series(1, 5);
        CREATE TABLE round (id int PRIMARY KEY); CREATE SEQUENCE round_seq MAXVALUE 10 CYCLE OWNED BY round.id;
        INSERT INTO round VALUES (10); SELECT setval('round_seq', 3);
        CREATE TABLE fresh (id serial PRIMARY KEY, \"Odd name\" bigserial)"
    take_backup shop_sequences
    run -0 --separate-stderr sfb drill
    has "$output" '✅ no sequence is behind.*6 sequences'
}

@test "without the right to add amcheck the drill passes, and says what was not looked at" {
    take_backup
    sql postgres "CREATE ROLE drill_plain LOGIN CREATEDB CREATEROLE PASSWORD 'x'; GRANT postgres TO drill_plain"
    sql postgres "REVOKE postgres FROM drill_plain"
    STAGING_DATABASE_URL=$(db_url staging drill_plain x) run -0 --separate-stderr sfb drill
    sql postgres "DROP ROLE drill_plain"
    has "$output" '➖ every index is sound.*the extension amcheck can.t be had: permission denied'
    has "$output" '✅ every row is as it was backed up'
    nothing_stays
}

# ---- production as it is now ------------------------------------------------------------------------------------------

@test "how far production has drifted is shown, with the table that did most" {
    new_shop shop_drift
    take_backup shop_drift
    sql shop_drift "DELETE FROM orders WHERE id > 1500; INSERT INTO customers (name) VALUES ('new'); CREATE TABLE added AS SELECT 1 AS n"
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop_drift)
    run -0 --separate-stderr sfb drill --max-drift 30
    has "$output" '✅ production has not drifted away.*25\.1 % of the rows differ; the most: public\.orders 2,000 rows then, 1,500 now \(25\.0 %\)'
    run -0 --separate-stderr sfb drill --report "$T/drill.json"
    has "$output" '➖ production has not drifted away.*25\.1 % of the rows differ, no limit is set \(--max-drift\); the most: public\.orders '
    has_not "$output" '✅ production has not drifted away'
    perl -MJSON::PP -0777 -ne 'for (@{ decode_json($_)->{checks} }) { print "$_->{outcome}\n" if $_->{name} =~ /drifted/ }' \
        "$T/drill.json" | grep -qx skipped
}

@test "drift over the limit fails, by the whole or by one table of some size" {
    new_shop shop_drift
    sql shop_drift "CREATE TABLE many AS SELECT generate_series(1, 50000) AS n"
    take_backup shop_drift
    sql shop_drift "DELETE FROM orders; DELETE FROM customers"
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop_drift)
    run -5 --separate-stderr sfb drill --max-drift 50
    has "$stderr" 'production has not drifted away .*50\.0 % are allowed: public\.orders 2,000 rows then, 0 now \(100\.0 %\)'
    run -5 --separate-stderr sfb drill --max-drift 3
    run -0 --separate-stderr sfb drill --max-drift 100
    run -0 --separate-stderr sfb drill
}

@test "a table of production that is too large to be read there is estimated, one that is locked is left alone" {
    new_shop shop_large
    sql shop_large "CREATE TABLE large (pad text); ALTER TABLE large ALTER pad SET STORAGE PLAIN; CREATE TABLE busy AS SELECT 1 AS n"
    take_backup shop_large
    sql shop_large "INSERT INTO large SELECT repeat('x', 7000) FROM generate_series(1, 35000); ANALYZE large"
    hold_lock shop_large busy
    PRODUCTION_DATABASE_URL=$(db_url shop_large) run -0 --separate-stderr sfb drill
    release_locks
    has "$output" '⚠️  production has not drifted away.*no limit is set.*the most: public\.large 0 rows then, about 3[45],[0-9]{3} now \(100\.0 %'
    has "$output" '1 table could not be counted there, e\.g\. public\.busy: .*lock timeout'
}

@test "production out of reach is a warning, not a failure, whatever limit there is" {
    take_backup
    PRODUCTION_DATABASE_URL=postgresql://postgres:x@127.0.0.1:1/shop run -0 --separate-stderr sfb drill --max-drift 1
    has "$output" '⚠️  production has not drifted away.*127\.0\.0\.1'
    has "$output" '✅ Drill completed successfully'
    PRODUCTION_DATABASE_URL='' run -0 --separate-stderr sfb drill
    has "$output" '➖ production has not drifted away.*no database is set'
    run -0 --separate-stderr sfb drill --no-production
    has "$output" '➖ production has not drifted away.*not asked for'
}

@test "partitions are compared with partitions, however production's are cut" {
    new_shop shop_parts
    sql shop_parts "
        CREATE TABLE part (n int, k text) PARTITION BY RANGE (n);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000); CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (1000) TO (3000);
        INSERT INTO part SELECT n, 'x' FROM generate_series(0, 2999) n"
    take_backup shop_parts
    PRODUCTION_DATABASE_URL=$(db_url shop_parts) run -0 --separate-stderr sfb drill --max-drift 0
    has "$output" '\(0\.0 % of the rows differ\)'
}

# ---- which backup -----------------------------------------------------------------------------------------------------

@test "a point in time is served by the newest backup from before it" {
    mkdir "$T/old"
    for stamp in 20200101-000000 20210101-000000; do pg pg_dump -Fc -d shop -f "$T/old/backup-$stamp.dump"; done
    run -0 --separate-stderr sfb drill --point-in-time 2020-06-01T12:00:00Z "$T/old/backup-20210101-000000.dump"
    has "$output" 'Chosen: .*/backup-20200101-000000\.dump \(the newest backup that is not from after it\)'
    has "$output" 'Backup Date: 2020-01-01 00:00:00 UTC'
    run -1 --separate-stderr sfb drill --point-in-time 2001-01-01 "$T/old/backup-20210101-000000.dump"
    has "$stderr" 'no backup of this database is from 2001-01-01'
}

drill_at_terminal() { run -1 script -qefc "$SFB drill $*" /dev/null </dev/null; }
drills_known() { grep -c '"drill"' "$SFB_STATE_DIR/history.jsonl"; }

@test "a slip of the hand is no failed drill; what nobody sees, and no backup at all, is one" {
    run -1 --separate-stderr sfb drill -p 2020-01-01
    has "$stderr" 'no production backup'
    drill_at_terminal -p 2020-01-01
    [ "$(drills_known)" = 2 ]
    take_backup
    drill_at_terminal "$T/backup-20200101-000000.dump"
    has "$output" 'can.t open backup'
    drill_at_terminal "$T"
    drill_at_terminal -p 2020-01-01 "$BACKUP"
    drill_at_terminal -p 2020-01-01
    has "$output" 'is from 2020-01-01'
    has_not "$output" 'Drill Report'
    [ "$(drills_known)" = 2 ]
    run -1 --separate-stderr sfb drill "$T/backup-20200101-000000.dump" # as a timer calls it
    has "$output" '❌ the backup is there'
    [ "$(drills_known)" = 3 ]
}

@test "plain SQL without a manifest is restored and counted, and that nothing proves it is a warning" {
    pg pg_dump -d shop >"$T/shop.sql"
    run -0 --separate-stderr sfb drill "$T/shop.sql"
    has "$output" '⚠️  every row is as it was backed up.*2 tables, 2,003 rows; there is no manifest to compare them with'
    has "$output" '✅ production has not drifted away.*0\.0 % of the rows differ'
    nothing_stays
}
