#!/usr/bin/env bats
# vendor.bats - what the build says when something can't be had: one clear line, and nothing half there. No network: mirrors are
# directories, and the cache is the test's own.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache SFB_DEBIAN_MIRROR=file://$BATS_TEST_TMPDIR/mirror
    cp -r vendor "$BATS_TEST_TMPDIR/vendor"
    mkdir "$BATS_TEST_TMPDIR/mirror"
    build=$BATS_TEST_TMPDIR/vendor/build.sh
}

said() { grep -qE -- "$1" <<<"$output" || { printf 'no line matches: %s\nin:\n%s\n' "$1" "$output" >&2; return 1; }; }

# A program is not found: PATH is links to all others.
without() {
    local dir
    mkdir "$BATS_TEST_TMPDIR/bin"
    for dir in /usr/local/bin /usr/bin /bin /usr/sbin /sbin; do
        [ ! -d "$dir" ] || find "$dir" -maxdepth 1 -mindepth 1 ! -name "$1" -exec ln -s -t "$BATS_TEST_TMPDIR/bin" {} + 2>/dev/null || :
    done
    [ ! -e "$BATS_TEST_TMPDIR/bin/$1" ]
}

@test "a mirror that has nothing is named, and so is what could not be fetched" {
    run "$build" source zlib "$BATS_TEST_TMPDIR/zlib"
    [ "$status" = 1 ]
    said "^vendor: asking $SFB_DEBIAN_MIRROR for its package lists$"
    said "^vendor: no package lists from $SFB_DEBIAN_MIRROR: [EW]:"
    said '^vendor: zlib [0-9].* could not be fetched, nor a newer one: '
    [ ! -e "$BATS_TEST_TMPDIR/zlib" ]
}

@test "a build without them ends with that, and prints no directory" {
    run --separate-stderr "$build"
    [ "$status" != 0 ]
    [ -z "$output" ]
    # shellcheck disable=SC2154 # run sets it
    output=$stderr
    said '^vendor: .* could not be fetched, nor a newer one'
    [ "$(find "$XDG_CACHE_HOME" -name 'musl-*' -o -name 'zlib-*' | wc -l)" = 0 ]
}

@test "a package that is not in the lock is told" {
    run "$build" source nosuch "$BATS_TEST_TMPDIR/nosuch"
    [ "$status" = 1 ]
    said '^vendor: nosuch is not in vendor/lock$'
}

@test "a file in the cache that is not the locked one is not used, and fetched anew" {
    mkdir -p "$XDG_CACHE_HOME/sfb/sources"
    for file in $(awk '$1 == "zlib" { print $5 }' vendor/lock); do echo forged >"$XDG_CACHE_HOME/sfb/sources/$file"; done
    run "$build" source zlib "$BATS_TEST_TMPDIR/zlib"
    [ "$status" = 1 ]
    said '^vendor: zlib [0-9].* could not be fetched'
    [ ! -e "$BATS_TEST_TMPDIR/zlib" ]
}

@test "a tool that is missing is named by its package" {
    without bison
    PATH=$BATS_TEST_TMPDIR/bin run "$build"
    [ "$status" = 1 ]
    said '^vendor: tools are missing; install them with "make deps" or: apt-get install bison *$'
}
