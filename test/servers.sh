#!/usr/bin/env bash
# servers.sh - PostgreSQL servers of other majors, for make check-servers
#
#   test/servers.sh MAJOR...          build what is missing; print "MAJOR PREFIX" for each
#   test/servers.sh --print MAJOR     print the prefix if it is there; build nothing
#
# From the same sources that vendor/ fetches, with the host's compiler and libc, and only what a test needs: the server,
# initdb, pg_ctl, psql, pg_dump, pg_restore, two extensions, and the regression suite (PREFIX/regress, bin/pg_regress),
# which test/regression.sh runs. They are kept in ${XDG_CACHE_HOME:-~/.cache}/sfb/servers, one directory for each version
# in vendor/lock. Two or three minutes each on two cores.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sfb/servers

prefix_of() { # changes when the locked source does, or how it is built
    local version
    version=$(awk -v p="postgresql-$1" '$1 == p { print $3; exit }' "$TOP/vendor/lock")
    [ -n "$version" ] || { echo "servers: vendor/lock has no postgresql-$1" >&2; return 1; }
    echo "$CACHE/postgresql-$version-$(declare -f build | sha256sum | cut -c1-8)"
}

build() {
    local major=$1 prefix=$2 start=$SECONDS work failed=0
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # this directory
    trap "rm -rf '$work'" EXIT
    echo "servers: building PostgreSQL $major" >&2
    "$TOP/vendor/build.sh" source "postgresql-$major" "$work/src" >&2
    set +e # in a condition the subshell's own -e would not count
    # shellcheck disable=SC2016 # make expands it
    (
        set -e
        cd "$work/src"
        renice -n 10 $BASHPID
        unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
        # -O1 builds fast; debug assertions stay off, as on a real server.
        ./configure --quiet --prefix=/sfb-postgresql --without-readline --without-icu --with-zstd --with-lz4 CFLAGS="-O1 -pipe"
        jobs=$(nproc)
        rpath='rpathdir=$$ORIGIN/../lib' # not the libpq of a package
        make -s -j "$jobs" -C src/backend generated-headers
        make -s -j "$jobs" -C src/backend all
        for part in include interfaces/libpq timezone backend backend/snowball backend/utils/mb/conversion_procs \
            backend/replication/libpqwalreceiver backend/replication/pgoutput pl/plpgsql/src \
            bin/initdb bin/pg_ctl bin/psql bin/pg_dump; do
            make -s -j "$jobs" "$rpath" -C "src/$part" all
            make -s "$rpath" -C "src/$part" install DESTDIR="$work/out"
        done
        for part in hstore pg_trgm spi; do make -s -j "$jobs" "$rpath" -C "contrib/$part" install DESTDIR="$work/out"; done
        make -s -j "$jobs" "$rpath" -C src/test/regress all
        out=$work/out/sfb-postgresql
        lib=$(dirname "$(find "$out" -name plpgsql.so)")
        cp src/test/regress/regress.so "$lib"
        cp src/test/regress/pg_regress "$out/bin"
        mkdir "$out/regress"
        cd src/test/regress
        cp -r sql expected data parallel_schedule resultmap "$out/regress"
    ) >"$work/log" 2>&1 </dev/null
    failed=$?
    set -e
    if [ $failed != 0 ]; then
        tail -n 25 "$work/log" >&2
        echo "servers: PostgreSQL $major could not be built" >&2
        return 1
    fi
    rm -rf "$work/out/sfb-postgresql/include"
    mkdir -p "$CACHE"
    rm -rf "$prefix.new"
    mv "$work/out/sfb-postgresql" "$prefix.new"
    mv -T "$prefix.new" "$prefix"
    rm -rf "$work"
    trap - EXIT
    echo "servers: PostgreSQL $major built in $((SECONDS - start)) s" >&2
}

if [ "${1-}" = --print ]; then
    prefix=$(prefix_of "$2")
    [ -d "$prefix" ] && echo "$prefix"
    exit
fi
[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; }
for major; do
    prefix=$(prefix_of "$major")
    if [ ! -d "$prefix" ]; then
        mkdir -p "$CACHE"
        exec 8>"$CACHE/lock"
        flock 8
        [ -d "$prefix" ] || build "$major" "$prefix"
        exec 8>&-
    fi
    echo "$major $prefix"
done
