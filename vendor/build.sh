#!/usr/bin/env bash
# build.sh - from Debian source packages to the static libraries that sfb links
#
#   vendor/build.sh [--libc host] [--retry]    build what is missing; print the directory that holds the result
#   vendor/build.sh source PACKAGE DIR         unpack a locked source package (with Debian's patches) into DIR
#   vendor/build.sh clean                      remove everything that was downloaded and built
#   vendor/build.sh lock                       fetch the newest versions of the locked packages and rewrite vendor/lock
#
# Nothing is written into the tree. Under ${XDG_CACHE_HOME:-~/.cache}/sfb are
#   sources/        what was downloaded, checked against vendor/lock whenever it is used
#   stage/NAME-KEY  one built library; the key covers its recipe, patches, source, compiler and the libraries it needs
#   LIBC-HASH       the result for one state of vendor/: hard links to stages; it appears only when it is whole
# Each recipe says in its header what it needs; make runs them side by side. --retry asks the mirror again for a
# PostgreSQL major that could not be fetched. Progress goes to stderr.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CDPATH
export LC_ALL=C

VENDOR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sfb
MAJORS="15 17 18"
LIBC=musl

say() { printf 'vendor: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# shellcheck source=vendor/fetch.sh
. "$VENDOR/fetch.sh"

# What a recipe's header says: "# needs: musl zlib". The majors share a recipe, and libpq is built from the newest one.
recipe() { case $1 in postgresql-*) echo "$VENDOR/recipes/postgresql.sh" ;; *) echo "$VENDOR/recipes/$1.sh" ;; esac; }
header() { sed -n "s/^# $2: *//p" "$(recipe "$1")"; }
package_of() { case $1 in postgresql-*) echo "$1" ;; libpq) echo "postgresql-$newest" ;; *) header "$1" source ;; esac; }
patches_of() {
    local dirs=("$VENDOR/patches/$1") from
    case $1 in
        postgresql-*)
            dirs=("$VENDOR/patches/postgresql")
            for from in "$VENDOR"/patches/postgresql-from-*; do
                [ "${1#*-}" -lt "${from##*-}" ] || dirs+=("$from")
            done ;;
    esac
    [ ! -d "${dirs[0]}" ] || find "${dirs[@]}" -name '*.patch' | sort
}
needs_all() { # a library's needs and theirs, each once
    local need
    for need in $(header "$1" needs); do needs_all "$need"; echo "$need"; done | awk '!seen[$0]++'
}

compiler() { gcc -dumpfullversion -dumpmachine; ld --version | head -n 1; }

# The cache key of a library. Memoised in ${keys[@]}.
declare -A keys
key() {
    local need
    [ -z "${keys[$1]-}" ] || return 0
    for need in $(header "$1" needs); do key "$need"; done
    keys[$1]=$({
        echo "$LIBC $1" "$compiler_id"
        grep -hv '^ *#' "$(recipe "$1")" "$VENDOR/env.sh" # a better comment builds nothing anew
        header "$1" licence
        [ "$1" != ca-certificates ] || cat "$VENDOR/certdata.pl"
        patches_of "$1" | xargs -r cat
        locked "$(package_of "$1")"
        for need in $(header "$1" needs); do echo "${keys[$need]}"; done
    } | sha256sum | cut -c1-20)
}

# The whole of vendor/, without what only looks at the result.
tree_hash() {
    { compiler; cd "$VENDOR"; find . -type f ! -path './test/*' ! -name sbom.sh ! -name deps.sh ! -name check-binary.sh ! -name embed.S -print0 | sort -z | xargs -0 sha256sum; } |
        sha256sum | cut -c1-20
}

# Hard links where they can be had.
merge() { cp -al "$1/." "$2/" 2>/dev/null || cp -a "$1/." "$2/"; }

# Called by make, once a library: build.sh build NAME LIBC
build_one() {
    local name=$1 stage=$CACHE/stage/$1-${keys[$1]} dir=$work/$1 start=$SECONDS need patch package licence
    package=$(package_of "$name")
    mkdir -p "$dir/sysroot" "$dir/out/share/$name"
    unpack "$package" "$dir/src"
    for patch in $(patches_of "$name"); do
        patch -d "$dir/src" -p1 -s -F1 --no-backup-if-mismatch <"$patch" >"$dir/log" 2>&1 ||
            die "$name: ${patch#"$VENDOR/"} does not apply: $(tail -n 1 "$dir/log")"
    done
    for need in $(needs_all "$name"); do merge "$CACHE/stage/$need-${keys[$need]}" "$dir/sysroot"; done
    if ! (
        # shellcheck disable=SC2031
        export LIBC VENDOR NAME=$name SRC=$dir/src SYSROOT=$dir/sysroot OUT=$dir/out JOBS
        cd "$dir/src"
        exec bash -euo pipefail -c '. "$VENDOR/env.sh"; . "$0"' "$(recipe "$name")"
    ) >"$dir/log" 2>&1 </dev/null; then
        tail -n 12 "$dir/log" | cut -c1-200 >&2
        cp "$dir/log" "$CACHE/failed-$name.log"
        die "$name: the build failed; everything it said is in $CACHE/failed-$name.log"
    fi
    licence=$(header "$name" licence)
    cp "$dir/src/${licence#* }" "$dir/out/share/$name/licence"
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$(upstream_version "$(have_version "$package")")" "${licence%% *}" \
        "$package $(have_version "$package")" "$(have_sha256 "$package")" >"$dir/out/share/$name/version"
    mkdir -p "$CACHE/stage"
    mv -T "$dir/out" "$stage" 2>/dev/null || rm -rf "$dir/out"
    rm -rf "$dir"
    say "$name: built in $((SECONDS - start)) s"
}

# All stages into one prefix, with the lists that sfb embeds.
assemble() {
    local into=$1 name version licence major
    mkdir -p "$into/share"
    for name in $all; do merge "$CACHE/stage/$name-${keys[$name]}" "$into"; done
    {
        echo '/* Which PostgreSQL tools are linked in. Made by vendor/build.sh. */'
        printf '#define SFB_PG_MAJORS(X)'
        for major in $majors; do printf ' X(%s, "%s")' "$major" "$(cut -f2 "$into/share/postgresql-$major/version")"; done
        echo
    } >"$into/include/sfb_pg_majors.h"
    for name in $all; do cat "$into/share/$name/version"; done | sort >"$into/share/versions.tsv"
    while IFS=$'\t' read -r name version licence _; do
        printf '================ %s %s (%s)\n\n' "$name" "$version" "$licence"
        cat "$into/share/$name/licence"
        echo
        rm -r "$into/share/$name"
    done <"$into/share/versions.tsv" >"$into/share/licenses.txt"
    libgcc "$into"
    cat "$work"/note-* >"$into/share/notes" 2>/dev/null || :
}

# The compiler's own library is linked in as well.
libgcc() {
    local version
    version=$(gcc -dumpfullversion)
    printf 'libgcc\t%s\tGPL-3.0-or-later WITH GCC-exception-3.1\tgcc-%s %s\t-\n' "$version" "${version%%.*}" "$version" \
        >>"$1/share/versions.tsv"
    printf '================ libgcc %s (GPL-3.0-or-later WITH GCC-exception-3.1)\n\n' "$version" >>"$1/share/licenses.txt"
    cat "/usr/share/doc/gcc-${version%%.*}-base/copyright" >>"$1/share/licenses.txt" 2>/dev/null ||
        echo "The GNU General Public License 3, with the GCC Runtime Library Exception 3.1." >>"$1/share/licenses.txt"
}

build_all() {
    local name need major
    mkdir -p "$CACHE"
    exec 9>"$CACHE/lock"
    flock -n 9 || { say "another build is running; waiting for it"; flock 9; }
    [ ! -d "$result" ] || return 0
    need_tools
    find "$CACHE" -maxdepth 1 -name 'work.*' -exec rm -rf {} + # we hold the lock: what is left was interrupted
    work=$(mktemp -d "$CACHE/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT

    # A copy, so that nobody's editor changes a recipe under the running build.
    cp -a "$VENDOR" "$work/vendor"
    VENDOR=$work/vendor

    majors='' newest=''
    for major in $MAJORS; do
        if fetch "postgresql-$major"; then
            majors+=" $major" newest=$major
        else
            note "PostgreSQL $major could not be fetched and is left out; vendor/build.sh --retry asks the mirror again"
        fi
    done
    [ -n "$newest" ] || die "no PostgreSQL source could be fetched: see the lines above"
    all=" openssl" # the longest first
    for major in $majors; do all+=" postgresql-$major"; done
    for name in "$VENDOR"/recipes/*.sh; do
        name=$(basename "$name" .sh)
        case $name in postgresql | openssl) ;; *) all+=" $name" ;; esac
    done
    for name in $all; do
        case $name in
            libpq | postgresql-*) ;;
            *) fetch "$(package_of "$name")" || die "no build without $(package_of "$name")" ;;
        esac
    done

    for name in $all; do key "$name"; done
    export CACHE work newest JOBS
    {
        for name in $all; do
            echo "all: $CACHE/stage/$name-${keys[$name]}"
            printf '%s: |' "$CACHE/stage/$name-${keys[$name]}"
            for need in $(header "$name" needs); do printf ' %s' "$CACHE/stage/$need-${keys[$need]}"; done
            printf '\n\t+@"%s/build.sh" build %s %s\n' "$VENDOR" "$name" "$LIBC"
        done
    } >"$work/makefile"
    make --no-print-directory -s -r -j "$JOBS" -f "$work/makefile" all >&2 || die "stopped"
    assemble "$work/result"
    mv -T "$work/result" "$result"
}

JOBS=$(nproc)
case ${1-} in
    source) [ $# = 3 ] || die "usage: vendor/build.sh source PACKAGE DIR"
        work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
        fetch "$2" || exit 1
        unpack "$2" "$3"
        exit ;;
    clean) rm -rf "$CACHE"; exit ;;
    lock) work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; relock; exit ;;
    build) LIBC=$3 compiler_id=$(compiler); key "$2"; build_one "$2"; exit ;;
esac
retry=false
while [ $# -gt 0 ]; do
    case $1 in
        --libc) LIBC=${2-}; shift; [ "$LIBC" = host ] || [ "$LIBC" = musl ] || die "--libc is host or musl" ;;
        --retry) retry=true ;;
        *) die "unknown argument $1; the head of vendor/build.sh says what there is" ;;
    esac
    shift
done
command -v gcc >/dev/null || need_tools
compiler_id=$(compiler)
result=$CACHE/$LIBC-$(tree_hash)
if $retry && [ -s "$result/share/notes" ]; then rm -rf "$result"; fi
[ -d "$result" ] || build_all >&2
sed 's/^/vendor: note: /' "$result/share/notes" >&2
echo "$result"
