#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# chroot.bats - a root directory with nothing in it but sfb and a place to write: no /etc, no /dev, no /proc, no C library.
# This is what the scratch image and a rescue system are to sfb. It runs as a user that has no name.
load harness

setup_file() {
    file_begin
    pg_start
    sql postgres "CREATE ROLE clerk"
    db_new shop
    sql shop "CREATE TABLE item (id int PRIMARY KEY, name text); ALTER TABLE item OWNER TO clerk;
              INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 5000) n; SELECT lo_from_bytea(0, 'an object')"
}
teardown_file() { file_end; }
setup() {
    test_begin
    JAIL=$T/jail
    mkdir -p "$JAIL/w"
    chmod 777 "$JAIL/w"
    cp "$SFB" "$JAIL/sfb"
    can_chroot || skip "chroot is not allowed here"
}
teardown() {
    [ ! -f "$T/dns.pid" ] || kill "$(<"$T/dns.pid")"
    test_end
}

can_chroot() { # 125: chroot itself failed
    is_root || unshare --user --map-root-user true 2>/dev/null || return 1
    jail --version >/dev/null 2>&1 || [ $? != 125 ]
}

# jail ARGUMENTS...: sfb in the empty root, with nothing in the environment but NAME=VALUE words from the array VARIABLES
VARIABLES=()
jail() {
    local in
    in=("$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)")
    if is_root; then in+=(--userspec=4242:4242)
    else in=("$(command -v unshare)" --user --map-root-user "${in[@]}"); fi
    timeout -k 5 120 env -i "${VARIABLES[@]}" "${in[@]}" "$JAIL" /sfb "$@"
}

# there_and_back HOST: back up, verify, damage, restore, and everything is there again
there_and_back() {
    local db=shop$BATS_TEST_NUMBER backup url
    url=postgresql://postgres:$PG_PASSWORD@$1:$PG_PORT/$db
    db_new "$db" "TEMPLATE shop"
    VARIABLES=(SFB_WORK_DIR=/w SFB_CACHE_DIR=/w/cache SFB_LOG_DIR=/w/log SFB_STATE_DIR=/w/state "PRODUCTION_DATABASE_URL=$url"
        "STAGING_DATABASE_URL=$url")
    content_text "$db" >"$T/before"
    run -0 --separate-stderr jail backup --local-only
    has "$output" 'Backup completed successfully'
    [ -z "$stderr" ]
    backup=$(the_file "$JAIL/w" '*.dump')
    run -0 --separate-stderr jail verify "/w/${backup##*/}"
    sql "$db" "DELETE FROM item WHERE id > 10"
    run -0 --separate-stderr jail restore --force --environment staging "/w/${backup##*/}"
    same_content "$db" "$T/before"
    [ "$(cd "$JAIL" && echo *)" = "${2-}sfb w" ] # nothing was made anywhere else
}

@test "sfb starts, and knows itself" {
    run -0 jail --version
    run -0 jail --list
    run -0 jail pg_dump --pg 15 --version
    has "$output" '^pg_dump \(PostgreSQL\) 15\.'
    run -0 jail psql --version
    run -0 jail pg_restore --version
}

@test "backup, verify and restore of a remote server by its address" {
    there_and_back "$PG_HOST"
}

@test "backup, verify and restore of a remote server by a name from /etc/hosts" {
    mkdir "$JAIL/etc"
    echo "$PG_HOST db.test" >"$JAIL/etc/hosts"
    there_and_back db.test "etc "
}

@test "backup, verify and restore of a remote server by a name from DNS" {
    perl "$TOP/test/live/name-server.pl" 127.35.47.53 db.test "$PG_HOST" >"$T/dns" 2>"$T/dns.log" 3>&- &
    echo $! >"$T/dns.pid"
    wait_for 10 test -s "$T/dns" || { rm "$T/dns.pid"; skip "port 53 can't be had here"; }
    mkdir "$JAIL/etc"
    echo "nameserver 127.35.47.53" >"$JAIL/etc/resolv.conf"
    there_and_back db.test "etc "
    VARIABLES=("PRODUCTION_DATABASE_URL=postgresql://postgres@other.test:$PG_PORT/shop" SFB_WORK_DIR=/w SFB_CACHE_DIR=/w/cache
        SFB_LOG_DIR=/w/log SFB_STATE_DIR=/w/state)
    run -1 --separate-stderr jail backup --local-only
    has "$stderr" 'could not translate host name "other.test"'
}

@test "a URL without a user is told what to do, as there is nobody to ask who we are" {
    VARIABLES=("PRODUCTION_DATABASE_URL=postgresql://$PG_HOST:$PG_PORT/shop" SFB_WORK_DIR=/w)
    run -6 --separate-stderr jail backup --local-only
    has "$stderr" 'no database user'
    has "$stderr" 'postgresql://USER@HOST/DATABASE'
}

@test "the directories that nobody named are done without" {
    VARIABLES=("PRODUCTION_DATABASE_URL=$(db_url shop)" SFB_WORK_DIR=/w)
    run -0 --separate-stderr jail backup --local-only
    the_file "$JAIL/w" '*.dump'
}

@test "psql, pg_dump and pg_restore work by hand" {
    url=$(db_url shop)
    run -0 jail psql "$url" -Atc "SELECT count(*) FROM item"
    has "$output" '^5000$'
    run -0 jail pg_dump --pg 15 -Fc -f /w/hand.dump "$url"
    run -0 jail pg_restore --list /w/hand.dump
    has "$output" 'TABLE DATA public item clerk'
}
