#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# verify_damage.bats - `sfb verify` of what is broken, by accident or on purpose: exit code 2, the offset, in time and within
# 200 MiB. Each archive is read by a process of its own, whose memory is measured (badarchives.py).
load harness

setup_file() {
    file_begin
    pg_start
    db_new small
    sql small "CREATE TABLE t (n int, t text); INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 9) n;
               CREATE TABLE u (n int PRIMARY KEY); INSERT INTO u SELECT n FROM generate_series(1, 9) n;
               CREATE VIEW v AS SELECT * FROM t"
    mkdir "$ROOT/state"
    export SFB_STATE_DIR=$ROOT/state SFB_WORK_DIR=$ROOT SFB_CACHE_DIR='' SFB_LOG_DIR=$ROOT PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url small)
    sfb backup --local-only >"$ROOT/said"
    BACKUP=$(sed -n 's/^   File: //p' "$ROOT/said")
    pg pg_dump -Fc -f "$ROOT/stock.dump" small
    export BACKUP
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

bad() { python3 "$HARNESS_DIR/badarchives.py" "$@"; }
alone() { cp "$BACKUP" "$T/alone.dump" && echo "$T/alone.dump"; } # without its manifest

# refused KIND WORDS: an archive of badarchives.py, told by an extended regular expression
refused() {
    bad build "$1" "$T/bad.dump"
    run -0 bad run "$SFB" "$T/bad.dump"
    has "$output" "$2"
    has "$output" '^exit 2; at most [0-9]+ MiB; 0 went wrong$'
}

@test "a backup that was cut, anywhere in its first kilobyte or behind, is damaged, and the offset is told" {
    run -0 bad cuts "$SFB" "$(alone)" 1024
    has "$output" '^1224 cuts .* 0 went wrong$'
}

@test "so is pg_dump's own archive" {
    run -0 bad cuts "$SFB" "$ROOT/stock.dump" 20
    has "$output" '^220 cuts .* 0 went wrong$'
}

@test "any byte that was changed in a backup with its manifest is found" {
    cp "$BACKUP" "$T/sealed.dump"
    cp "${BACKUP%.dump}.manifest.json" "$T/sealed.manifest.json"
    run -0 bad sealed "$SFB" "$T/sealed.dump"
    has "$output" '^200 bytes .* 0 went wrong$'
}

@test "a changed byte in one that has none does no harm, and in its data is found" {
    run -0 bad flips "$SFB" "$(alone)"
    has "$output" ' 0 went wrong$'
}

@test "blocks in another order than the contents are damage, though each is whole" {
    for file in "$BACKUP" "$ROOT/stock.dump"; do
        bad swap "$file" "$T/swapped.dump"
        run -0 bad run "$SFB" "$T/swapped.dump"
        has "$output" 'offset [0-9]+: .*(order|should)'
        has "$output" '^exit 2;'
    done
}

@test "a table of contents that claims 2^31 entries is not believed" {
    refused entries_claimed 'offset 83: no number where one should be'
    refused most_entries_claimed 'ends at offset [0-9]+, in the middle of entry 2 of 2147483647'
}

@test "nor is a name or a chunk of 2 GiB, though the file is as large" {
    refused string_claimed 'offset [0-9]+: a string with a NUL in it, in entry 1 of 1'
    refused chunk_claimed 'offset [0-9]+: the data of TABLE DATA public\.t1'
}

@test "dependencies in a circle are damage, and the entries are named" {
    refused circle 'offset [0-9]+: the dependencies of 2 entries go in a circle: entry 8 \(VIEW public\.tails\) depends on entry 7 \(VIEW public\.heads\)'
    refused self 'entry 7 of the table of contents \(VIEW public\.ouroboros\) depends on itself'
    has "$output" 'use another backup'
    refused long_circle 'the dependencies of 300000 entries go in a circle'
}

@test "what stock pg_restore makes of a circle, sfb pg_restore still does, as the hint says" {
    bad build circle "$T/bad.dump"
    run -0 sfb pg_restore --list "$T/bad.dump"
    has "$output" 'VIEW public heads'
}

@test "bombs take time, not memory: gzip, zstd, lz4, and windows as large as zstd knows" {
    for kind in gzip_bomb gzip_bomb_in_one_chunk zstd_bomb lz4_bomb zstd_windows; do
        refused $kind 'offset [0-9]+: the data of TABLE DATA public\.t1 ends without the mark'
    done
    refused zstd_window_beyond 'requires too much memory'
}

# pg_dump breaks every circle that it finds among objects; what it writes then has none.
@test "no database of circles makes an archive that is refused" {
    db_new circles
    sql circles <<'SQL'
CREATE TABLE a (id int PRIMARY KEY, b int, up int REFERENCES a);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
INSERT INTO a VALUES (1, NULL, 1); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1;
CREATE VIEW head AS SELECT 1 AS n;
CREATE VIEW tail AS SELECT n FROM head;
CREATE OR REPLACE VIEW head AS SELECT n FROM tail;
CREATE TABLE row_type (n int GENERATED ALWAYS AS IDENTITY, s serial, t text);
CREATE FUNCTION of_row(row_type) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1.t';
ALTER TABLE row_type ADD CHECK (of_row(row_type) <> '');
CREATE FUNCTION some_row() RETURNS row_type LANGUAGE sql AS 'SELECT * FROM row_type LIMIT 1';
ALTER TABLE row_type ALTER t SET DEFAULT of_row(some_row());
CREATE DOMAIN even AS int;
CREATE FUNCTION is_even(even) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 2 = 0';
ALTER DOMAIN even ADD CHECK (is_even(VALUE));
CREATE TABLE grouped (id int PRIMARY KEY, t text);
CREATE VIEW by_key AS SELECT id, t FROM grouped GROUP BY id;
CREATE FUNCTION of_view() RETURNS SETOF by_key LANGUAGE sql BEGIN ATOMIC SELECT * FROM by_key; END;
CREATE OR REPLACE VIEW by_key AS SELECT id, (SELECT t FROM of_view() LIMIT 1) AS t FROM grouped GROUP BY id;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM head WHERE false WITH NO DATA;
CREATE RULE note AS ON INSERT TO b DO ALSO UPDATE a SET b = NEW.id;
CREATE TABLE parted (n int, PRIMARY KEY (n)) PARTITION BY LIST (n);
CREATE TABLE part PARTITION OF parted FOR VALUES IN (1);
ALTER TABLE parted ADD parent int REFERENCES parted;
SQL
    for options in "" "--data-only" "--schema-only" "-t a -t b" "-t by_key -t row_type"; do
        # shellcheck disable=SC2086 # words
        pg pg_dump -Fc $options -f "$T/circles.dump" circles 2>>"$T/complaints"
        run -0 --separate-stderr sfb verify "$T/circles.dump"
        while read -r major; do
            # shellcheck disable=SC2086
            sfb pg_dump --pg "$major" -Fc $options -f "$T/circles.dump" "$(db_url circles)" 2>>"$T/complaints"
            run -0 --separate-stderr sfb verify "$T/circles.dump"
        done < <(sfb version --verbose | sed -nE 's/^ *postgresql-([0-9]+) .*/\1/p')
    done
    grep -q 'circular' "$T/complaints" # pg_dump itself has seen some
    PRODUCTION_DATABASE_URL=$(db_url circles) SFB_WORK_DIR=$T/work run -0 sfb backup --local-only
}
