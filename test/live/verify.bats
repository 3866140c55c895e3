#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# verify.bats - `sfb verify FILE...`: what it says of good backups and of bad ones, for people and as JSON, and its exit codes.
# Backups in a store are in s3.bats and stream.bats, broken archives of every kind in verify_damage.bats.
load harness

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 1234) n;
              CREATE TABLE empty (); SELECT lo_from_bytea(0, 'an object')"
    mkdir "$ROOT/state" "$ROOT/work"
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
    SFB_STATE_DIR=$ROOT/state SFB_WORK_DIR=$ROOT/work SFB_CACHE_DIR='' SFB_LOG_DIR=$ROOT sfb backup --local-only >"$ROOT/said"
    pg pg_dump -Fc -f "$ROOT/stock.dump" shop
    MADE=$(sed -n 's/^   File: //p' "$ROOT/said")
    export MADE
}
teardown_file() { file_end; }
setup() {
    test_begin
    GOOD=$T/good.dump STOCK=$ROOT/stock.dump
    cp "$MADE" "$GOOD"
    cp "${MADE%.dump}.manifest.json" "$T/good.manifest.json"
}
teardown() { test_end; }

# change FILE OFFSET: that byte becomes another
change() { perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, $ARGV[1], 0; read $f, my $c, 1; seek $f, $ARGV[1], 0; print $f chr(ord($c) ^ 1)' "$1" "$2"; }
# says MEMBER VALUE: what good.dump's manifest says from now on. MEMBER: a path of names.
says() { python3 -c '
import json, sys
path, members, value = sys.argv[1:]
manifest = object = json.load(open(path))
*first, last = members.split(".")
for member in first:
    object = object[int(member)] if isinstance(object, list) else object[member]
assert last in object
object[last] = type(object[last])(value)
json.dump(manifest, open(path, "w"))' "$T/good.manifest.json" "$1" "$2"; }
# of JSON: what a Python expression makes of the document d
of() { python3 -c 'import json, sys; d = json.loads(sys.stdin.buffer.read().decode("utf-8")); print(eval(sys.argv[1]))' "$1"; }

@test "a good backup: a line for each check, a verdict, exit code 0" {
    run -0 --separate-stderr sfb verify "$GOOD"
    [ -z "$stderr" ]
    diff -u - <(sed -E 's/[0-9]+ entries/N entries/; s/15\.[0-9]+[^,]*/15/; s/ +/ /g' <<<"$output") <<END
$GOOD
 ✅ checksum SHA-256 and size as in the manifest
 ✅ table of contents N entries
 ✅ pg_restore --list pg_restore 15
 ✅ metadata database shop, server 15
 ✅ data every block is whole
 ✅ rows 2 tables, 1,234 rows, every fingerprint as in the manifest
✅ Backup verification successful
END
}

@test "pg_dump's own archive, which has no manifest, is verified too, and that there is none is said" {
    run -0 --separate-stderr sfb verify "$STOCK"
    [ -z "$stderr" ]
    has "$output" '✅ metadata .* there is no manifest to compare with$'
    has "$output" '✅ data  *every block is whole$'
    has "$output" '✅ rows  *2 tables, 1,234 rows$'
    has_not "$output" 'checksum'
}

@test "--quick looks at the table of contents and the checksum, not at the blocks" {
    run -0 --separate-stderr sfb verify --quick "$GOOD"
    has "$output" '✅ checksum'
    has "$output" '✅ table of contents'
    has_not "$output" ' (data|rows) '
    last=$(($(stat -c %s "$STOCK") - 20))
    cp "$STOCK" "$T/stock.dump"
    change "$T/stock.dump" $last # within the last block
    run -0 sfb verify -q "$T/stock.dump"
    run -2 sfb verify "$T/stock.dump"
    change "$GOOD" $(($(stat -c %s "$GOOD") - 20))
    run -2 sfb verify -q "$GOOD" # the checksum sees it
    has "$output" '❌ checksum .*it was changed'
}

@test "what is not there is 1, and what else is no file" {
    run -1 --separate-stderr sfb verify "$T/none.dump"
    has "$stderr" "can't open backup $T/none.dump: No such file"
    has "$stderr" 'sfb list'
    run -1 sfb verify "$T"
    mkfifo "$T/fifo.dump"
    run -1 sfb verify "$T/fifo.dump"
}

@test "trailing bytes, missing bytes, a flipped byte: 2, and which check found it" {
    printf x >>"$GOOD"
    run -2 --separate-stderr sfb verify "$GOOD"
    has "$output" '❌ size .*it was cut or changed'
    has "$output" '^❌ Backup verification failed$'
    [ -n "$stderr" ]
    cp "$STOCK" "$T/long.dump"
    printf x >>"$T/long.dump"
    run -2 sfb verify "$T/long.dump"
    has "$output" "❌ data  *offset $(stat -c %s "$STOCK"): 1 byte follows the end of the archive"
    head -c -1 "$STOCK" >"$T/short.dump"
    run -2 sfb verify "$T/short.dump"
    has "$output" '❌ data .*ends at offset'
    cp "$STOCK" "$T/flipped.dump"
    change "$T/flipped.dump" $(($(stat -c %s "$STOCK") - 20))
    run -2 sfb verify "$T/flipped.dump"
    has "$output" '❌ data  *offset [0-9]+'
}

@test "what is no backup at all, or empty, is 2" {
    : >"$T/empty.dump"
    run -2 sfb verify "$T/empty.dump"
    has "$output" 'it is empty'
    head -c 5000 /dev/urandom >"$T/noise.dump"
    run -2 sfb verify "$T/noise.dump"
    has "$output" 'neither an archive nor an SQL script'
}

@test "a manifest that was named instead of its backup is told so; what no psql reads is not sent there" {
    echo '{}' >"$T/backup-20251023-020000.manifest.json"
    run -2 --separate-stderr sfb verify "$T/backup-20251023-020000.manifest.json"
    has "$stderr" 'this is a manifest; the backup itself is not beside it'
    : >"$T/backup-20251023-020000.dump"
    run -2 --separate-stderr sfb verify "$T/backup-20251023-020000.manifest.json"
    has "$stderr" "this is the manifest; the backup is $T/backup-20251023-020000\.dump"
    tar -C "$T" -cf "$T/x.tar" backup-20251023-020000.dump
    run -2 --separate-stderr sfb verify "$T/x.tar"
    has_not "$stderr" 'sfb psql'
    echo 'SELECT 1' >"$T/x.sql"
    run -2 --separate-stderr sfb verify "$T/x.sql"
    has "$stderr" 'can be fed to .sfb psql'
}

@test "another database, server, time or count than the manifest says is 2, with both" {
    says database.name bank
    run -2 sfb verify --quick "$GOOD"
    has "$output" '❌ metadata .*it holds database shop, its manifest says bank'
    says database.name shop
    says database.server_version 14.2
    run -2 sfb verify --quick "$GOOD"
    has "$output" '❌ metadata .*it is of a server 15\..*, its manifest says 14\.2'
    says database.server_version "$(sql postgres "SHOW server_version")"
    run -0 sfb verify --quick "$GOOD" # all is as it was
    for member in started snapshot_at finished; do says $member 2020-01-01T00:00:00Z; done
    run -2 sfb verify --quick "$GOOD"
    has "$output" '❌ metadata .*it was dumped at another time than its manifest says'
}

@test "other rows than the manifest says are 2, and the table is named" {
    says tables.1.rows 1235
    run -2 sfb verify "$GOOD"
    has "$output" '❌ rows .*table public\.(item|empty) has [0-9]+ rows, its manifest says 1235'
}

@test "a manifest that can't be read is 2: it is not passed over" {
    echo '{ "manifest_version": 1' >"$T/good.manifest.json"
    run -2 sfb verify "$GOOD"
    has "$output" '❌ manifest'
}

@test "of several each is told, and the worst decides: damaged before not found" {
    cp "$STOCK" "$T/bad.dump"
    printf x >>"$T/bad.dump"
    run -2 --separate-stderr sfb verify "$GOOD" "$T/none.dump" "$T/bad.dump" "$STOCK"
    [ "$(grep -c '^✅ Backup verification successful$' <<<"$output")" = 2 ]
    [ "$(grep -c '^❌ Backup verification failed$' <<<"$output")" = 2 ]
    has "$output" "❌ not verified  *can't open backup $T/none.dump"
    has "$stderr" 'follows the end of the archive'
    run -1 sfb verify "$GOOD" "$T/none.dump" "$STOCK"
}

@test "--json is one document for all of them, that says the same" {
    cp "$STOCK" "$T/bad.dump"
    printf x >>"$T/bad.dump"
    run -2 --separate-stderr sfb verify --json "$GOOD" "$T/none.dump" "$T/bad.dump"
    [ "$(of '[(b["backup"].split("/")[-1], b["good"]) for b in d]' <<<"$output")" = \
        "[('good.dump', True), ('none.dump', False), ('bad.dump', False)]" ]
    [ "$(of '[c["check"] for c in d[0]["checks"]]' <<<"$output")" = \
        "['checksum', 'table of contents', 'pg_restore --list', 'metadata', 'data', 'rows']" ]
    [ "$(of '[c["check"] for c in d[2]["checks"] if not c["good"]]' <<<"$output")" = "['data']" ]
    has "$(of 'd[1]["error"]' <<<"$output")" "can't open backup"
    run -0 --separate-stderr sfb verify --json "$GOOD"
    [ "$(of 'len(d), all(c["good"] for c in d[0]["checks"])' <<<"$output")" = "(1, True)" ]
}

@test "no name in an archive breaks the JSON, or moves the cursor" {
    for name in $'sh\xffp' $'s\033[2' $'s"\\p' $'s\np.'; do
        perl -0pe 'BEGIN { $n = shift } s/shop/$n/' "$name" "$STOCK" >"$T/odd.dump"
        run -0 --separate-stderr sfb verify --json "$T/odd.dump"
        [ "$(of 'd[0]["good"]' <<<"$output")" = True ]
        run -0 --separate-stderr sfb verify "$T/odd.dump"
        has_not "$output" $'\033'
        [ "${#lines[@]}" = 7 ]
    done
}

@test "a store that can't be read is 3" {
    export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret SFB_S3_ALLOW_HTTP=1 SFB_S3_RETRY_SECONDS=0
    AWS_ENDPOINT_URL=http://127.0.0.1:1 run -3 --separate-stderr sfb verify s3://shop-backups/production/daily/backup-20200101-000000.dump
    has "$stderr" "can't connect to 127.0.0.1:1"
}

@test "wrong usage and wrong settings are 7, and nothing is read" {
    run -7 --separate-stderr sfb verify
    has "$stderr" 'which backup'
    run -7 sfb verify --nonsense "$GOOD"
    run -7 sfb verify --head 1 "$GOOD"
    run -7 sfb verify s3://B/x.dump
    SFB_JOBS=many run -7 sfb verify "$GOOD"
    run -7 --separate-stderr sfb verify --json
    [ -z "$output" ]
}
