#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# table.bats - restore --table: one table out of a backup, and of one in S3 just its bytes.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    pg_start
    s3_start
    tools_begin
    proxy_start
    tool s3://tables raw PUT - -
    make_shop shop
    export DUMP
    test_begin
    PRODUCTION_DATABASE_URL=$(db_url shop) sfb backup --local-only >/dev/null
    mkdir "$ROOT/kept"
    cp "$WORK"/* "$ROOT/kept/"
    DUMP=$(the_file "$ROOT/kept" '*.dump')
    test_end
}
teardown_file() { tools_end; s3_stop; file_end; }

setup() {
    test_begin
    export STAGING_DATABASE_URL SFB_BUCKET=tables SFB_S3_RETRY_SECONDS=5
    STAGING_DATABASE_URL=$(db_url copy)
    s3_environment
    proxy_rules '[]'
    db_new copy
}
teardown() {
    db_drop copy
    test_end
}

make_shop() {
    db_new "$1"
    sql "$1" <<'SQL'
CREATE TABLE orgs (id int PRIMARY KEY, name text);
INSERT INTO orgs SELECT n, 'Org ' || n FROM generate_series(1, 20) n;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := NEW.title; RETURN NEW; END $$;
CREATE TABLE events (id serial PRIMARY KEY, org_id int NOT NULL REFERENCES orgs, title text NOT NULL DEFAULT 'none',
                     tag int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (org_id * 2) STORED, CHECK (org_id > 0));
INSERT INTO events (org_id, title) SELECT 1 + n % 20, 'Event ' || n FROM generate_series(1, 5000) n;
CREATE INDEX events_title ON events (lower(title)) WHERE org_id <> 3;
CREATE STATISTICS events_stats ON org_id, title FROM events;
ALTER TABLE events ADD CONSTRAINT later CHECK (title <> '') NOT VALID;
CREATE TRIGGER touched BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE no_delete AS ON DELETE TO events WHERE OLD.id = 1 DO INSTEAD NOTHING;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON events USING (org_id < 100);
COMMENT ON TABLE events IS 'What happens'; COMMENT ON COLUMN events.title IS 'Its name';
COMMENT ON INDEX events_title IS 'An index'; COMMENT ON TRIGGER touched ON events IS 'A trigger';
GRANT SELECT ON events TO PUBLIC; GRANT UPDATE (title) ON events TO PUBLIC;
CREATE TABLE visits (event_id int REFERENCES events, at timestamptz);
INSERT INTO visits SELECT n, '2025-01-01' FROM generate_series(1, 100) n;
CREATE VIEW titles AS SELECT title FROM events;
CREATE TABLE measurements (day date NOT NULL, value numeric, PRIMARY KEY (day)) PARTITION BY RANGE (day);
CREATE TABLE m2024 PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE m2025 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY RANGE (day);
CREATE TABLE m2025a PARTITION OF m2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE INDEX ON measurements (value);
INSERT INTO measurements SELECT '2024-06-01'::date + n, n FROM generate_series(1, 300) n;
CREATE SCHEMA "Sales";
CREATE TABLE "Sales"."Order ""Items.x" ("Id" int, "päth\to" text); INSERT INTO "Sales"."Order ""Items.x" VALUES (1, E'a\tb\\n\n'), (2, NULL);
CREATE TABLE "Sales".orgs (n int); CREATE TABLE "Sales"."UPPER" (n int); INSERT INTO "Sales"."UPPER" VALUES (7);
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('bad');
CREATE TABLE empty (n int); CREATE TABLE nothing ();
CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes FROM generate_series(1, 20000) n;
SQL
}
# The definition and the rows of a table, as the server's own pg_dump has them.
as_dumped() { pg pg_dump -d "$1" -t "$2" | sed '/^-- Dumped /d; /^\\\(un\)\?restrict /d'; }
at_terminal() { # ANSWER ARGUMENTS...
    local answer=$1 words
    shift
    words=$(printf '%q ' "$SFB" "$@")
    printf "%s\n" "$answer" | timeout 60 script -qec "$words" /dev/null
}
upload() { # FILE KEY: with its manifest, as a backup has it
    tool s3://tables file "$2" "$1" >/dev/null
    [ ! -f "${1%.dump}.manifest.json" ] || tool s3://tables put "${2%.dump}.manifest.json" "${1%.dump}.manifest.json" >/dev/null
}

@test "a table that was dropped comes back as it was: rows, keys, indexes, sequences, policies, comments, privileges" {
    make_shop lost
    PRODUCTION_DATABASE_URL=$(db_url lost) sfb backup --local-only >/dev/null
    as_dumped lost events >"$T/before"
    sql lost "DROP TABLE events CASCADE"
    PRODUCTION_DATABASE_URL=$(db_url lost) run -0 --separate-stderr sfb restore --force -e production --table events "$WORK"/*.dump
    has "$output" '^   Tables: public.events \(5,000 rows\)$'
    has "$output" '✅ Data integrity verification successful'
    has "$output" '^✅ Restored: 5,000 rows$'
    [ -z "$stderr" ]
    as_dumped lost events >"$T/after"
    diff -u "$T/before" "$T/after"
    [ "$(sql lost "INSERT INTO events (org_id) VALUES (1) RETURNING id")" = 5001 ]
    [ "$(sql lost "SELECT count(*) FROM visits")" = 100 ] # nothing else was touched
    has "$(cat "$SFB_LOG_DIR"/*-restore-audit.log)" 'WARNING Table restore initiated .*tables: events, target: production'
    has "$(cat "$SFB_LOG_DIR"/*-restore-audit.log)" 'INFO Table restore completed .*rows: 5,000'
    db_drop lost
}

@test "into a database without what it refers to: the table comes, what was not made is told" {
    run -0 --separate-stderr sfb restore --force --table events "$DUMP"
    has "$stderr" 'FK CONSTRAINT events events_org_id_fkey was not made: .*relation "public.orgs" does not exist'
    has "$stderr" 'TRIGGER events touched was not made'
    [ "$(sql copy "SELECT count(*) FROM events")" = 5000 ]
    [ "$(sql copy "SELECT count(*) FROM pg_indexes WHERE tablename = 'events'")" = 2 ]
    run -4 --separate-stderr sfb restore --force --table moods "$DUMP" # a type is not a thing to be done without
    has "$stderr" 'type "public.mood" does not exist'
    has "$stderr" 'nothing was changed.*TYPE public.mood'
    [ "$(sql copy "SELECT to_regclass('moods') IS NULL")" = t ]
}

@test "a partitioned table comes with its partitions, a partition without its parent" {
    run -0 --separate-stderr sfb restore --force --table measurements "$DUMP"
    [ -z "$stderr" ]
    [ "$(sql copy "SELECT count(*), count(DISTINCT tableoid) FROM measurements")" = '300|2' ]
    diff -u <(as_dumped shop measurements) <(as_dumped copy measurements)
    [ "$(sql copy "SELECT count(*) FROM pg_inherits WHERE inhparent = 'm2025'::regclass")" = 1 ]
    sql copy "DROP TABLE measurements"
    run -0 --separate-stderr sfb restore --force --table m2024 "$DUMP"
    [ "$(sql copy "SELECT count(*), bool_or(relispartition) FROM m2024, pg_class WHERE relname = 'm2024'")" = '213|f' ]
}

@test "names: with a schema, in quotes, in capitals, with everything in them; several at once" {
    sql copy 'CREATE SCHEMA "Sales"'
    run -0 --separate-stderr sfb restore --force --table '"Sales"."Order ""Items.x"' --table Sales.UPPER --table public.orgs --table EMPTY --table nothing "$DUMP"
    [ "$(sql copy 'TABLE "Sales"."Order ""Items.x"')" = "$(sql shop 'TABLE "Sales"."Order ""Items.x"')" ]
    [ "$(sql copy 'TABLE "Sales"."UPPER"')" = 7 ]
    [ "$(sql copy 'SELECT count(*) FROM orgs')" = 20 ]
    [ "$(sql copy "SELECT to_regclass('empty') IS NOT NULL AND to_regclass('nothing') IS NOT NULL")" = t ]
    run -7 --separate-stderr sfb restore --force --table orgs "$DUMP"
    has "$stderr" 'several tables orgs in it: (Sales.orgs, public.orgs|public.orgs, Sales.orgs)$'
    has "$stderr" '--table SCHEMA.orgs'
    run -1 --separate-stderr sfb restore --force --table evens "$DUMP"
    has "$stderr" 'there is no table evens in the backup'
    has "$stderr" 'did you mean public.events\?'
    run -7 --separate-stderr sfb restore --force --table titles "$DUMP"
    has "$stderr" 'public.titles is no table, but a VIEW'
    run -1 sfb restore --force --table '"EVENTS"' "$DUMP"
    run -1 sfb restore --force --table 'events; DROP TABLE orgs' "$DUMP"
    db_drop copy; db_new copy
    run -4 --separate-stderr sfb restore --force --table Sales.UPPER "$DUMP"
    has "$stderr" 'there is no schema Sales .*nothing was changed'
    has "$stderr" 'CREATE SCHEMA "Sales"'
}

@test "a table that is there is left alone, or gets the rows" {
    sql copy "CREATE TABLE orgs (id int PRIMARY KEY, name text); INSERT INTO orgs VALUES (100, 'kept')"
    run -4 --separate-stderr sfb restore --force --table public.orgs "$DUMP"
    has "$stderr" 'public.orgs is in database copy already; nothing was changed'
    has "$stderr" '--data-only adds'
    run -0 --separate-stderr sfb restore --force --data-only --table public.orgs "$DUMP"
    has "$output" '^✅ Restored: 20 rows$'
    [ "$(sql copy "SELECT count(*) FROM orgs")" = 21 ]
    # in one transaction: a row that is there already lets none in
    sql copy "DELETE FROM orgs WHERE id < 20"
    run -4 --separate-stderr sfb restore --force --data-only --table public.orgs "$DUMP"
    has "$stderr" 'duplicate key'
    [ "$(sql copy "SELECT count(*) FROM orgs")" = 2 ]
    run -4 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    has "$stderr" 'there is no table public.events in database copy'
    has "$stderr" 'leave out --data-only'
}

@test "with rows alone the sequences that the table owns move on, never back, and who may not move them is no trouble" {
    make_table() {
        sql copy "DROP TABLE IF EXISTS events; CREATE TABLE events (id serial PRIMARY KEY, org_id int, title text, tag int GENERATED ALWAYS AS IDENTITY)"
    }
    next() { sql copy "INSERT INTO events (org_id, title) VALUES (1, 'new') RETURNING id, tag"; }
    make_table
    run -0 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    has "$output" 'the sequences they own move on with them'
    [ "$(next)" = '5001|5001' ]
    make_table # one stands further on already, as where rows were deleted
    sql copy "SELECT setval('events_id_seq', 9000)"
    run -0 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    [ "$(next)" = '9001|5001' ]
    make_table # as SQL, too
    run -0 --separate-stderr sfb restore --data-only --table events --output "$T/rows.sql" "$DUMP"
    sql copy <"$T/rows.sql" >/dev/null
    [ "$(next)" = '5001|5001' ]
    make_table # the sequence has another name: then it is not ours to guess
    sql copy "ALTER SEQUENCE events_id_seq RENAME TO other"
    run -0 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    [ "$(sql copy "SELECT last_value, is_called FROM other")" = '1|f' ]
    make_table
    sql copy "ALTER TABLE events ALTER tag DROP IDENTITY; CREATE ROLE inserter LOGIN PASSWORD 'inserter'; GRANT ALL ON events TO inserter"
    STAGING_DATABASE_URL=$(db_url copy inserter inserter) run -0 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    [ "$(sql copy "SELECT count(*) FROM events")" = 5000 ]
    sql copy "DROP TABLE events; DROP ROLE inserter"
}

@test "rows come in the order of the names, so that foreign keys hold" {
    sql copy "CREATE TABLE orgs (id int PRIMARY KEY, name text);
              CREATE TABLE events (id serial PRIMARY KEY, org_id int REFERENCES orgs, title text, tag int)"
    run -4 --separate-stderr sfb restore --force --data-only --table events --table public.orgs "$DUMP"
    has "$stderr" 'violates foreign key'
    run -0 --separate-stderr sfb restore --force --data-only --table public.orgs --table events "$DUMP"
    [ "$(sql copy "SELECT count(*) FROM events JOIN orgs ON orgs.id = org_id")" = 5000 ]
}

@test "a trigger that finds no table without a search_path stops it, and what helps is told" {
    sql copy "CREATE TABLE events (id serial PRIMARY KEY, org_id int, title text, tag int GENERATED ALWAYS AS IDENTITY);
        CREATE TABLE orgs (id int); CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM FROM orgs; RETURN NEW; END';
        CREATE TRIGGER look BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION look()"
    run -4 --separate-stderr sfb restore --force --data-only --table events "$DUMP"
    has "$stderr" 'relation "orgs" does not exist'
    has "$stderr" 'nothing was changed; .*--output.* search_path'
}

@test "as SQL: into a file that is whole or not there, or to standard output" {
    run -0 --separate-stderr sfb restore --data-only --table events --output "$T/events.sql" "$DUMP"
    has "$output" "^   Output: $T/events.sql$"
    [ "$(stat -c %a "$T/events.sql")" = 600 ]
    [ "$(head -n 30 "$T/events.sql" | grep -c '^BEGIN;$')" = 1 ]
    [ "$(grep -c '^COMMIT;$' "$T/events.sql")" = 1 ]
    run -7 --separate-stderr sfb restore --data-only --table events --output "$T/events.sql" "$DUMP"
    has "$stderr" "$T/events.sql is there already"
    sfb restore --table events -o - "$DUMP" >"$T/all.sql" 2>"$T/err"
    [ ! -s "$T/err" ]
    has "$(head -n 3 "$T/all.sql")" 'PostgreSQL database dump'
    grep -q 'ADD CONSTRAINT events_org_id_fkey' "$T/all.sql"
    sql copy "CREATE TABLE orgs (id int PRIMARY KEY, name text); INSERT INTO orgs SELECT generate_series(1, 20);
              CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    sql copy <"$T/all.sql" >/dev/null
    diff -u <(as_dumped shop events) <(as_dumped copy events)
    # no database is needed for it, and nobody asked
    unset STAGING_DATABASE_URL
    run -0 sfb restore --data-only --table public.orgs --output "$T/orgs.sql" "$DUMP" </dev/null
    run -7 --separate-stderr sfb restore --output "$T/x.sql" "$DUMP"
    has "$stderr" 'go with --table'
}

@test "nobody at the terminal: 6; no: 6; yes restores; a rehearsal changes nothing" {
    run -6 --separate-stderr sfb restore --table events "$DUMP" </dev/null
    has "$stderr" 'nobody is at the terminal'
    run -6 at_terminal n restore --table public.orgs "$DUMP"
    [ "$(sql copy "SELECT to_regclass('orgs') IS NULL")" = t ]
    run -0 --separate-stderr sfb restore --dry-run --table public.orgs "$DUMP" </dev/null
    has "$output" '^   To Read: [0-9.]+ KB of [0-9.]+ MB$'
    has "$output" 'Dry run'
    [ "$(sql copy "SELECT to_regclass('orgs') IS NULL")" = t ]
    run -0 at_terminal y restore --table public.orgs "$DUMP"
    [ "$(sql copy "SELECT count(*) FROM orgs")" = 20 ]
}

@test "rows that are not the manifest's change nothing; neither does a table of contents that is not" {
    mkdir "$T/bad"
    cp "$ROOT"/kept/* "$T/bad/"
    bad=$(the_file "$T/bad" '*.dump') json=$(the_file "$T/bad" '*.manifest.json')
    python3 - "$json" <<'END'
import json, sys
m = json.load(open(sys.argv[1]))
for t in m["tables"]:
    if t["name"] == "events":
        t["fingerprint"] = "0" * 32
json.dump(m, open(sys.argv[1], "w"))
END
    run -2 --separate-stderr sfb restore --force --table events "$bad"
    has "$stderr" 'the rows of public.events are not those of the manifest'
    [ "$(sql copy "SELECT to_regclass('events') IS NULL")" = t ]
    run -2 --separate-stderr sfb restore --table events -o "$T/events.sql" "$bad"
    [ ! -e "$T/events.sql" ]
    [ -z "$(find "$T" -name '.*partial*')" ]
    run -2 sfb restore --table events -o - "$bad"
    has_not "$output" '^COMMIT;$' # what came out of it can't be committed
    printf 'X' | dd of="$bad" bs=1 seek=200 conv=notrunc status=none
    run -2 --separate-stderr sfb restore --force --table public.orgs "$bad"
    has "$stderr" 'table of contents is not the one'
    cp "$DUMP" "$bad"
    truncate -s -1 "$bad"
    run -2 --separate-stderr sfb restore --force --table public.orgs "$bad"
    has "$stderr" 'it was cut or changed'
}

@test "a flipped bit in the table's own bytes is found, one elsewhere is no matter" {
    at=$(python3 - "$DUMP" <<'END'
import sys
body = open(sys.argv[1], "rb").read()
print(len(body) // 2) # noise, which is most of it
END
    )
    cp "$DUMP" "$T/alone.dump"
    python3 - "$T/alone.dump" "$at" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(int(sys.argv[2]))
    f.write(bytes([b[0] ^ 16]))
END
    run -2 --separate-stderr sfb restore --force --table noise "$T/alone.dump"
    [ "$(sql copy "SELECT to_regclass('noise') IS NULL")" = t ]
    run -0 --separate-stderr sfb restore --force --table public.orgs "$T/alone.dump"
}

@test "archives of pg_dump: by pipe, with INSERTs, of other versions, zstd and lz4" {
    pg pg_dump -Fc -d shop | cat >"$T/pipe.dump"
    run -0 --separate-stderr sfb restore --force --table public.orgs "$T/pipe.dump"
    has "$output" 'To Read: at most'
    pg pg_dump -Fc --inserts -d shop -f "$T/inserts.dump"
    sql copy "DROP TABLE orgs"
    run -0 --separate-stderr sfb restore --force --table public.orgs "$T/inserts.dump"
    [ "$(sql copy "SELECT count(*) FROM orgs")" = 20 ]
    for pg in 17 18; do
        for method in zstd lz4 none; do
            PGPASSWORD=$PG_PASSWORD sfb pg_dump --pg $pg -Fc --compress=$method -h "$PG_HOST" -p "$PG_PORT" -U postgres -d shop -f "$T/$pg.dump"
            sql copy "DROP TABLE IF EXISTS orgs, measurements"
            run -0 --separate-stderr sfb restore --force --table public.orgs --table measurements "$T/$pg.dump"
            [ "$(sql copy "SELECT count(*) FROM orgs")" = 20 ]
            [ "$(sql copy "SELECT count(*) FROM measurements")" = 300 ]
        done
    done
    pg pg_dump -d shop -f "$T/plain.sql"
    run -7 --separate-stderr sfb restore --force --table orgs "$T/plain.sql"
    has "$stderr" 'no custom archive'
}

@test "roles that are missing: without them, and that is told" {
    sql postgres "CREATE ROLE gone"
    db_new owned
    sql owned "CREATE TABLE t (n int); ALTER TABLE t OWNER TO gone; CREATE TABLE u (n int); GRANT SELECT ON u TO gone, PUBLIC"
    PRODUCTION_DATABASE_URL=$(db_url owned) sfb backup --local-only >/dev/null
    db_drop owned
    sql postgres "DROP ROLE gone"
    run -0 --separate-stderr sfb restore --force --table t --table u "$WORK"/*.dump
    has "$stderr" 'will own what belonged to roles that do not exist here: gone'
    [ "$(sql copy "SELECT tableowner FROM pg_tables WHERE tablename = 't'")" = postgres ]
}

@test "an ordinary user who may not create databases restores a table" {
    sql postgres "CREATE ROLE clerk LOGIN PASSWORD 'clerk'"
    sql copy "GRANT ALL ON SCHEMA public TO clerk"
    STAGING_DATABASE_URL=$(db_url copy clerk clerk) run -0 --separate-stderr sfb restore --force --table public.orgs "$DUMP"
    [ "$(sql copy "SELECT tableowner FROM pg_tables WHERE tablename = 'orgs'")" = clerk ]
    db_drop copy
    sql postgres "DROP ROLE clerk"
}

# What came over the wire for the backup and its companions, all in all; the proxy is between us and the server.
fetched() { awk '$1 == "GET" { n += $5 } END { print n + 0 }' "$PROXY_LOG"; }
# Of a table in an archive: contents, its block. By code of our own.
extent() { python3 "$HARNESS_DIR/contents.py" extent "$1" "$2"; }
# It fetches just that: its extent and the manifest, at most 5 % more.
just_that() { # FILE KEY TABLE ROWS
    local most
    upload "$1" "$2"
    most=$(($(extent "$1" "$3") * 105 / 100))
    proxy_rules '[]'
    AWS_ENDPOINT_URL_S3=$PROXY run -0 --separate-stderr sfb restore --force --table "$3" "s3://tables/$2"
    [ "$(sql copy "SELECT count(*) FROM $3")" = "$4" ]
    echo "fetched $(fetched) of $(stat -c %s "$1"), at most $most"
    [ "$(fetched)" -le "$most" ]
    [ "$most" -lt $(($(stat -c %s "$1") / 20)) ]
    sql copy "DROP TABLE $3"
}

@test "of a large archive in S3 just the table's bytes and the contents are fetched, gzip and zstd" {
    db_new large
    sql large "CREATE TABLE small AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 8) m) AS bytes FROM generate_series(1, 2400) n;
               CREATE TABLE large AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes FROM generate_series(1, 60000) n"
    PRODUCTION_DATABASE_URL=$(db_url large) sfb backup --local-only >/dev/null
    just_that "$(the_file "$WORK" '*.dump')" ours.dump small 2400
    PGPASSWORD=$PG_PASSWORD sfb pg_dump --pg 17 -Fc --compress=zstd:1 -h "$PG_HOST" -p "$PG_PORT" -U postgres -d large -f "$T/zstd.dump"
    just_that "$T/zstd.dump" zstd.dump small 2400
    pg pg_dump -Fc -Z1 -d large -f "$T/gzip.dump"
    just_that "$T/gzip.dump" gzip.dump small 2400
    # and what lists an archive in S3 fetches its contents, no more
    proxy_rules '[]'
    AWS_ENDPOINT_URL_S3=$PROXY run -0 --separate-stderr sfb list --toc s3://tables/gzip.dump
    has "$output" 'TABLE DATA public small'
    [ "$(fetched)" -lt 50000 ]
    AWS_ENDPOINT_URL_S3=$PROXY run -0 --separate-stderr sfb list s3://tables/ours.dump
    has "$output" '2,400 .*public.small'
    [ "$(fetched)" -lt 100000 ]
    db_drop large
}

@test "zstd of our own, from a server that knows it" {
    pg_bin 17 >/dev/null 2>&1 || skip "there is no PostgreSQL 17 here"
    ( # its server is not that of the other tests
        pg_start 17
        db_new shop17
        db_new copy
        sql shop17 "CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 300000) n; CREATE TABLE small AS SELECT generate_series(1, 30) n"
        PRODUCTION_DATABASE_URL=$(db_url shop17) sfb backup --local-only --compress-method zstd >/dev/null
        upload "$(the_file "$WORK" '*.dump')" z17.dump
        STAGING_DATABASE_URL=$(db_url copy) AWS_ENDPOINT_URL_S3=$PROXY run -0 --separate-stderr sfb restore --force --table small s3://tables/z17.dump
        [ "$(sql copy "SELECT sum(n) FROM small")" = 465 ]
        [ "$(fetched)" -lt 100000 ]
        STAGING_DATABASE_URL=$(db_url copy) run -0 --separate-stderr sfb restore --force --table t s3://tables/z17.dump
        [ "$(sql copy "SELECT count(*) FROM t")" = 300000 ]
        pg_stop
    )
}

@test "an object that was replaced since its manifest is not read; nor is one that is replaced meanwhile" {
    cp "$DUMP" "$T/x.dump"
    upload "$T/x.dump" production/daily/x.dump
    etag=$(tool s3://tables head production/daily/x.dump | grep -o 'etag=[^ ]*')
    python3 - "$(the_file "$ROOT/kept" '*.manifest.json')" "$T/x.manifest.json" "${etag#etag=}" <<'END'
import json, sys
m = json.load(open(sys.argv[1]))
m["etag"], m["file"] = sys.argv[3], "x.dump"
json.dump(m, open(sys.argv[2], "w"))
END
    upload "$T/x.dump" production/daily/x.dump
    run -0 --separate-stderr sfb restore --force --table public.orgs s3://tables/production/daily/x.dump
    sql copy "DROP TABLE orgs"
    cp "$T/x.dump" "$T/y.dump"
    printf 'Y' | dd of="$T/y.dump" bs=1 seek=5000 conv=notrunc status=none
    tool s3://tables file production/daily/x.dump "$T/y.dump" >/dev/null
    run -2 --separate-stderr sfb restore --force --table public.orgs s3://tables/production/daily/x.dump
    has "$stderr" 'it was replaced'
}

@test "a connection that breaks is taken up again where it broke" {
    upload "$DUMP" broken.dump
    proxy_rules '[{"method": "GET", "target": "broken.dump", "skip": 1, "do": "truncate", "after": 1000000, "times": 2}]'
    AWS_ENDPOINT_URL_S3=$PROXY run -0 --separate-stderr sfb restore --force --table noise s3://tables/broken.dump
    [ "$(sql copy "SELECT count(*) FROM noise")" = 20000 ]
    has "$(proxy_log)" 'truncate'
}

@test "killed in the middle: no table, no transaction, nothing left" {
    upload "$DUMP" killed.dump
    for signal in TERM KILL; do
        proxy_rules '[{"method": "GET", "target": "killed.dump", "skip": 1, "do": "silent", "after": 2000000}]'
        AWS_ENDPOINT_URL_S3=$PROXY sfb_start restore --force --table noise s3://tables/killed.dump
        wait_for 30 in_log 'silent'
        kill -$signal "$PID"
        sfb_wait
        [ "$status" != 0 ]
        no_children
        no_sessions
        [ "$(sql copy "SELECT to_regclass('noise') IS NULL")" = t ]
        empty_dir "$WORK"
    done
}
@test "what a killed restore had fetched is removed by the next run, and nothing else" {
    upload "$DUMP" fetched.dump
    proxy_rules '[{"method": "GET", "target": "fetched.dump", "do": "silent", "after": 2000000, "times": -1}]'
    AWS_ENDPOINT_URL_S3=$PROXY sfb_start restore --force s3://tables/fetched.dump
    wait_for 30 in_log 'silent'
    kill -KILL "$PID"
    sfb_wait
    [ -d "$WORK/signupflow-fetched-$PID" ]
    sleep 600 3>&- &
    alive=$!
    mkdir "$WORK/signupflow-fetched-$alive" "$WORK/signupflow-fetched-x" "$WORK/other-fetched-$PID" "$T/elsewhere"
    : >"$WORK/signupflow-fetched-$alive/file"
    : >"$T/elsewhere/file"
    gone_pid=$PID
    ln -s "$T/elsewhere" "$WORK/signupflow-fetched-$((gone_pid + 1000000))"
    if is_root; then
        mkdir "$WORK/signupflow-fetched-$((gone_pid + 1000001))"
        chown nobody "$WORK/signupflow-fetched-$((gone_pid + 1000001))" # somebody else's
    fi
    PRODUCTION_DATABASE_URL=$(db_url shop) run -0 sfb backup --local-only
    [ ! -e "$WORK/signupflow-fetched-$gone_pid" ]
    [ -e "$WORK/signupflow-fetched-$alive/file" ]
    [ -e "$WORK/signupflow-fetched-x" ]
    [ -e "$WORK/other-fetched-$gone_pid" ]
    [ -e "$T/elsewhere/file" ]
    ! is_root || [ -d "$WORK/signupflow-fetched-$((gone_pid + 1000001))" ]
    kill "$alive"
}

in_log() { grep -qE "$1" "$PROXY_LOG"; }
