#!/usr/bin/env bash
# run.sh - runs tests with prove, whose summary is the last thing printed
#
#   test/run.sh [FILE...]     unit, cli and live tests: all, or these files. They must have been built (make check does)
#   test/run.sh --servers     each PostgreSQL major there and back, and its own regression database as its own programs
#                             dump and restore it; builds the servers that are missing. Prometheus's promtool, and the
#                             container image in podman
#   test/run.sh --image       the image only, in podman too
#   test/run.sh --pages       the HTML pages in headless Chromium
#   test/run.sh --faults      those that kill, fill the disk, cut connections, which make check has too, and huge rows
#   test/run.sh --sanitize [FILE...]    unit and live tests of an sfb that has ASan and UBSan in it
#   test/run.sh --valgrind [FILE...]    unit tests, and test/live/memcheck.bats, under valgrind
#
# Everything that tests write goes below one directory, which is removed at the end; test/nothing-left.t, which runs last,
# fails when a test left something in it, or a process. SFB_TEST_JOBS: how many files at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

built=build apart='servers|regression|promtool|podman|pages|huge_row|memcheck'
unit_tests() { basename -as .c test/unit/test_*.c | sed "s,^,$built/unit/,"; }
case ${1-} in
    --one) # what prove calls for each file
        [ "${2%.bats}" = "$2" ] || exec bats "$2"
        [ "${2##*/unit/}" != "$2" ] || exec "$2"
        # shellcheck disable=SC2086 # words
        exec ${SFB_TEST_UNDER-} "$2" ;;
    --servers)
        test/regression.sh 15 17 18
        set -- test/live/regression.bats test/live/servers.bats test/live/promtool.bats test/live/podman.bats ;;
    --image)
        set -- test/live/image.bats test/live/podman.bats ;;
    --pages)
        set -- test/live/pages.bats ;;
    --faults)
        export SFB_TEST_KILLS=${SFB_TEST_KILLS:-60} SFB_TEST_OUTAGE=${SFB_TEST_OUTAGE:-150}
        set -- test/live/{backup_fails,backup_signals,restore_fails,restore_killed,store_faults,store_killed,store_phases,store_strict,stream,drill_fails,drill_local,verify_damage,huge_row}.bats ;;
    --sanitize) # this sfb has another C library: it can't live alone, and PostgreSQL's programs are not what is shipped
        shift
        built=build/sanitize apart+='|chroot|image|demo|tools'
        export SFB_BINARY=$PWD/$built/sfb SFB_TEST_BUILD=$PWD/$built SFB_TEST_SANITIZED=1 ;;
    --valgrind)
        shift
        built=build/valgrind
        export SFB_BINARY=$PWD/$built/sfb SFB_TEST_BUILD=$PWD/$built
        export SFB_TEST_UNDER="valgrind -q --error-exitcode=99" # leaks in unit tests are LSan's: their children just _exit()
        # shellcheck disable=SC2046 # words
        [ $# != 0 ] || set -- test/live/memcheck.bats $(unit_tests) ;;
    --*)
        echo "test/run.sh: there is no $1" >&2
        exit 2 ;;
esac
if [ $# = 0 ]; then
    shopt -s nullglob
    for file in test/live/*.bats; do
        [[ $file =~ /($apart).bats$ ]] || set -- "$@" "$file"
    done
    [ $built != build ] || set -- "$@" test/cli/*.bats test/cli/*.t
    # shellcheck disable=SC2046 # words
    set -- "$@" $(unit_tests)
fi

for file; do # prove would stop in the middle
    [ -f "$file" ] || { echo "test/run.sh: there is no $file" >&2; exit 2; }
done

SFB_TEST_RUN=$(mktemp -d "${TMPDIR:-/tmp}/sfb-check.XXXXXX")
trap 'rm -rf "$SFB_TEST_RUN"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$SFB_TEST_RUN"
mkdir -m 1777 "$SFB_TEST_RUN/tmp"
cat >"$SFB_TEST_RUN/rules" <<'END'
---
seq:
  - par:
      - test/live/*
      - test/cli/*
      - build/**
  - seq: test/nothing-left.t
END
export SFB_TEST_RUN TMPDIR=$SFB_TEST_RUN/tmp HARNESS_RULESFILE=$SFB_TEST_RUN/rules CMOCKA_MESSAGE_OUTPUT=TAP
unset MAKEFLAGS MFLAGS MAKELEVEL
prove --failures --comments -j "${SFB_TEST_JOBS:-$(($(nproc) + 1))}" --exec "test/run.sh --one" "$@" test/nothing-left.t
