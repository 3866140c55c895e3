#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# regression.bats - PostgreSQL's own regression database, by sfb and by PostgreSQL's own programs: make check-servers.
#
# test/regression.sh has filled a cluster of each major; here its copies run. Nobody writes into the database called
# regression, so that one dump and the next see the same; what is restored goes into others.
# SFB_TEST_MAJORS="15 18": only these.
load harness

MAJORS=${SFB_TEST_MAJORS:-15 17 18}
export SFB_TEST_TIMEOUT=900

# Where servers and clusters are is asked first: file_begin changes HOME.
setup_file() {
    local major prefix
    local -A clusters
    for major in $MAJORS; do
        prefix=$("$TOP/test/servers.sh" --print "$major") && clusters[$major]=$("$TOP/test/regression.sh" --print "$major") ||
            { echo "run test/regression.sh $MAJORS first" >&2; return 1; }
        export "SFB_TEST_PG$major=$prefix"
    done
    file_begin
    for major in $MAJORS; do start "$major" "${clusters[$major]}"; done
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

# start MAJOR CLUSTER: a server on a copy of the filled cluster. Its variables go into $ROOT/MAJOR/env.
start() {
    local filled=$2 try
    PG_MAJOR=$1 PG_HOST=127.0.0.1 PG_PASSWORD=$(<"$filled/password")
    PG_BIN=$(pg_bin "$1")
    PG_DIR=$(mktemp -d "$ROOT/servers/XXXXXX") PG_SOCKET=$PG_DIR
    chmod 755 "$PG_DIR"
    ! is_root || chown postgres "$PG_DIR"
    cp -a "$filled/data" "$PG_DIR/data"
    for try in {1..30}; do
        PG_PORT=$((10240 + (RANDOM * 32768 + RANDOM) % 22000))
        ! pg_boot "-c shared_buffers=64MB" || break
        grep -q 'Address already in use' "$PG_DIR/log" && [ "$try" -lt 30 ] || { cat "$PG_DIR/log" >&2; return 1; }
    done
    PG_URL=postgresql://postgres:$PG_PASSWORD@$PG_HOST:$PG_PORT
    mkdir "$ROOT/$1"
    declare -p PG_MAJOR PG_BIN PG_DIR PG_HOST PG_PORT PG_SOCKET PG_PASSWORD PG_URL | sed 's/^declare -[-x]*/export/' >"$ROOT/$1/env"
}

# on MAJOR: its server is the present one, regression is what is backed up, the database copy what is restored.
on() {
    [[ " $MAJORS " = *" $1 "* ]] || skip "not one of $MAJORS"
    # shellcheck source=/dev/null
    . "$ROOT/$1/env"
    SHARED=$ROOT/$1
    METHODS="-c0 -c1 -c6 -c9"
    [ "$1" = 15 ] || METHODS+=" --compress-method=zstd"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url regression)
    STAGING_DATABASE_URL=$(db_url copy)
}

# pg_dump of the server's own, as sfb runs its own.
stock_dump() { PGOPTIONS='-c TimeZone=UTC -c bytea_output=hex' pg pg_dump -d "$(conninfo_of regression)" "$@"; }
text_of() { pg pg_restore --restrict-key=key -f - "$@"; }

# What several tests need is made once for each major, when it is first asked for.
stock() { # the archive that pg_dump makes
    [ -s "$SHARED/stock.dump" ] || stock_dump -Fc -f "$SHARED/stock.dump"
    echo "$SHARED/stock.dump"
}
stock_text() { # as SQL
    [ -s "$SHARED/text" ] || text_of "$(stock)" >"$SHARED/text"
    echo "$SHARED/text"
}
backup() { # OPTIONS...: the path of sfb's backup
    rm -f "$WORK"/* "$CACHE"/*
    sfb backup --local-only "$@" >"$T/said" 2>"$T/complained" || { cat "$T/said" "$T/complained" >&2; return 1; }
    [ ! -s "$T/complained" ] || { cat "$T/complained" >&2; return 1; }
    sed -n 's/^   File: //p' "$T/said"
}
# What the server's pg_restore makes of an archive in a new database: its complaints, and then the content.
stock_restored() { # FILE DATABASE
    db_drop "$2"
    db_new "$2" "TEMPLATE template0"
    pg pg_restore -j 2 -d "$(conninfo_of "$2")" "$1" 2>"$SHARED/$2.complaints" || echo "exit $?" >>"$SHARED/$2.complaints"
    content_text "$2" >"$SHARED/$2.content"
}
expected_content() { # of stock's archive restored by stock
    [ -s "$SHARED/stock.content" ] || stock_restored "$(stock)" stock || return 1
    echo "$SHARED/stock.content"
}
# sfb restores FILE into a database that was not there; all is as pg_restore would have made it.
restored_by_sfb() {
    db_drop copy
    run -0 --separate-stderr sfb restore --force "$1"
    has "$output" '^\[.*\] ✅ Data integrity verification successful$'
    has "$output" '^✅ Database restore completed successfully$'
    same_content copy "$(expected_content)"
}

# ---- the same text -------------------------------------------------------------------------------------------------

same_text() {
    on "$1"
    for method in $METHODS; do
        file=$(backup "$method")
        cmp <(text_of "$file") "$(stock_text)"
    done
}
@test "15: pg_restore makes the same text of sfb's backup as of pg_dump's, at every level" { same_text 15; }
@test "17: pg_restore makes the same text of sfb's backup as of pg_dump's, at every level and with zstd" { same_text 17; }
@test "18: pg_restore makes the same text of sfb's backup as of pg_dump's, at every level and with zstd" { same_text 18; }

same_text_of_parts() {
    on "$1"
    file=$(backup)
    for part in "--section=pre-data" "--section=data" "--section=post-data" "-t tenk1 --data-only" "-n sfb" "--clean --if-exists --create"; do
        # shellcheck disable=SC2086 # words
        text_of $part "$(stock)" >"$T/part"
        # shellcheck disable=SC2086
        cmp <(text_of $part "$file") "$T/part"
        [ "$(wc -l <"$T/part")" -gt 50 ]
    done
}
@test "15: so it does of sections, a table, a schema, and with --clean" { same_text_of_parts 15; }
@test "17: so it does of sections, a table, a schema, and with --clean" { same_text_of_parts 17; }
@test "18: so it does of sections, a table, a schema, and with --clean" { same_text_of_parts 18; }

same_list() {
    on "$1"
    list() { pg pg_restore -l "$1" | sed '/^; Archive created at/d; /^;  *Compression:/d'; }
    file=$(backup)
    list "$(stock)" >"$T/list"
    [ "$(wc -l <"$T/list")" -gt 2000 ]
    diff <(list "$file") "$T/list" | head -n 40
    cmp <(list "$file") "$T/list"
    for file in "$file" "$(stock)"; do
        cmp <(sfb list --toc "$file") <(pg pg_restore -l "$file")
    done
}
@test "15: pg_restore lists the same, and sfb list --toc lists what pg_restore does" { same_list 15; }
@test "17: pg_restore lists the same, and sfb list --toc lists what pg_restore does" { same_list 17; }
@test "18: pg_restore lists the same, and sfb list --toc lists what pg_restore does" { same_list 18; }

same_sql() {
    on "$1"
    plain() { sed -E 's/^(\\(un)?restrict ).*/\1KEY/'; }
    stock_dump -Fp | plain >"$T/plain"
    file=$(backup -f sql -c 0)
    cmp <(plain <"$file") "$T/plain"
    file=$(backup -f sql)
    [[ $file = *.sql.gz ]]
    cmp <(gzip -dc "$file" | plain) "$T/plain"
}
@test "15: a backup as SQL is what pg_dump writes" { same_sql 15; }
@test "17: a backup as SQL is what pg_dump writes" { same_sql 17; }
@test "18: a backup as SQL is what pg_dump writes" { same_sql 18; }

# ---- the same database ---------------------------------------------------------------------------------------------

same_restore() {
    on "$1"
    expected=$(expected_content)
    file=$(backup)
    stock_restored "$file" theirs
    diff -u "$SHARED/stock.complaints" "$SHARED/theirs.complaints"
    cmp "$expected" "$SHARED/theirs.content"
    cat "$SHARED/stock.complaints"
    [ ! -s "$SHARED/stock.complaints" ]
}
@test "15: pg_restore -j 2 restores sfb's backup as it does pg_dump's, without a complaint" { same_restore 15; }
@test "17: pg_restore -j 2 restores sfb's backup as it does pg_dump's, without a complaint" { same_restore 17; }
@test "18: pg_restore -j 2 restores sfb's backup as it does pg_dump's, without a complaint" { same_restore 18; }

proven() {
    on "$1"
    for words in "" ${2-}; do
        # shellcheck disable=SC2086 # words
        file=$(backup $words)
        run -0 sfb verify "$file"
        restored_by_sfb "$file"
        [ -z "$stderr" ]
    done
}
@test "15: sfb restores its backup, and proves it" { proven 15; }
@test "17: sfb restores its backup, and proves it; with zstd, too" { proven 17 --compress-method=zstd; }
@test "18: sfb restores its backup, and proves it; with zstd, too" { proven 18 --compress-method=zstd; }

from_sql() {
    on "$1"
    restored_by_sfb "$(backup -f sql)"
}
@test "15: sfb restores its backup as SQL, and proves it" { from_sql 15; }
@test "17: sfb restores its backup as SQL, and proves it" { from_sql 17; }
@test "18: sfb restores its backup as SQL, and proves it" { from_sql 18; }

# ---- pg_dump's own archives ----------------------------------------------------------------------------------------

theirs() {
    on "$1"
    shift
    for method in "$@"; do
        stock_dump -Fc -Z "$method" -f "$T/theirs.dump"
        run -0 --separate-stderr sfb verify "$T/theirs.dump"
        restored_by_sfb "$T/theirs.dump"
    done
}
@test "15: sfb verifies, restores and proves pg_dump's own archives, gzip or not compressed" { theirs 15 6 0; }
@test "17: sfb verifies, restores and proves pg_dump's own archives: gzip, zstd, lz4, none" { theirs 17 gzip zstd lz4 none; }
@test "18: sfb verifies, restores and proves pg_dump's own archives: gzip, zstd, lz4, none" { theirs 18 gzip zstd lz4 none; }

# Through a pipe pg_dump can't go back and write where the blocks are; into standard output it writes that at the end.
piped() {
    on "$1"
    stock_dump -Fc | cat >"$T/theirs.dump"
    run -0 sfb verify "$T/theirs.dump"
    restored_by_sfb "$T/theirs.dump"
    PGOPTIONS='-c TimeZone=Asia/Kolkata -c bytea_output=escape' pg pg_dump -Fc -d regression >"$T/theirs.dump"
    run -0 sfb verify "$T/theirs.dump"
    restored_by_sfb "$T/theirs.dump"
}
@test "15: also what went through a pipe, or into standard output in another time zone" { piped 15; }
@test "17: also what went through a pipe, or into standard output in another time zone" { piped 17; }
@test "18: also what went through a pipe, or into standard output in another time zone" { piped 18; }

directory() {
    on "$1"
    db_drop copy
    stock_dump -Fd -f "$T/theirs"
    run -1 sfb verify "$T/theirs"
    has "$output" 'directory'
    run -1 sfb restore --force "$T/theirs"
    has "$output" 'directory'
    stock_dump -Ft -f "$T/theirs.tar"
    run -2 sfb verify "$T/theirs.tar"
    has "$output" 'tar'
    [ "$(sql postgres "SELECT count(*) FROM pg_database WHERE datname LIKE 'copy%'")" = 0 ]
}
@test "15: pg_dump's directories and tar files are refused, and by name" { directory 15; }
@test "17: pg_dump's directories and tar files are refused, and by name" { directory 17; }
@test "18: pg_dump's directories and tar files are refused, and by name" { directory 18; }
