#!/usr/bin/env bash
# run.sh - fuzzes every test/fuzz/fuzz_NAME.c with libFuzzer, ASan and UBSan.
#
#   test/fuzz/run.sh [NAME...]     FUZZ_SECONDS for each (default 60), FUZZ_JOBS at once (default: processors)
#
# A corpus grows in build/fuzz/NAME/corpus, so that the next run goes on where this one ended. What breaks something is
# left as build/fuzz/NAME/crash-* (run the program with that file as its argument), and the exit code is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-$(nproc)}
clang=
for name in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    if [ -z "$clang" ]; then clang=$(command -v "$name" || :); fi
done
if [ -z "$clang" ]; then
    echo "fuzz: clang is missing; test/deps.sh installs it" >&2
    exit 2
fi
libraries=$(vendor/build.sh)
dir=build/fuzz
mkdir -p "$dir/include" "$dir/objects"

# The product's own libraries (libdeflate is patched), but the host's C library, which the sanitizers need.
for header in libdeflate.h xxhash.h xxh3.h zstd.h zstd_errors.h lz4.h lz4frame.h zlib.h zconf.h; do
    ln -sf "$libraries/include/$header" "$dir/include/"
done
libs=()
for library in deflate zstd lz4 z; do libs+=("$libraries/lib/lib$library.a"); done
# Segments of 4 KiB instead of 1 MiB: small inputs reach what only large ones would, and cost little memory.
flags=(-std=gnu11 -g -O1 -D_GNU_SOURCE -DDEFLATE_SEGMENT=4096 -I. "-I$dir/include" -fno-omit-frame-pointer
    "-fsanitize=address,undefined" -fno-sanitize-recover=undefined)

# What the fuzzed code needs of core/: the archive engine stands on core/base and core/io.
sources=(core/base/*.c core/io/pool.c core/io/deflate.c core/pg/archive*.c core/pg/sqltext.c core/pg/tally*.c core/pg/transcode*.c
    core/pg/walk*.c core/store/xml.c)
objects=()
for source in "${sources[@]}"; do
    object=$dir/objects/${source//\//_}.o
    objects+=("$object")
    if [ ! "$object" -nt "$source" ] || [ -n "$(find core -name '*.h' -newer "$object")" ]; then
        "$clang" "${flags[@]}" -fsanitize=fuzzer-no-link -c -o "$object" "$source"
    fi
done

if [ $# = 0 ]; then
    for file in test/fuzz/fuzz_*.c; do
        name=${file##*/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi
failed=0
for name in "$@"; do
    "$clang" "${flags[@]}" -fsanitize=fuzzer -o "$dir/fuzz_$name" "test/fuzz/fuzz_$name.c" "${objects[@]}" "${libs[@]}" \
        -no-pie -lpthread -lm
    mkdir -p "$dir/$name/corpus"
    seeds=test/fuzz/seeds
    if [ -d "$seeds/$name" ]; then seeds=$seeds/$name; fi
    echo "fuzz: $name for $seconds s, $jobs at once"
    (cd "$dir/$name" && "../fuzz_$name" -fork="$jobs" -max_total_time="$seconds" -timeout=20 -max_len=262144 \
        -malloc_limit_mb=160 -rss_limit_mb=1024 -print_final_stats=1 corpus "../../../$seeds") >"$dir/$name/log" 2>&1 ||
        { failed=1; grep -aE 'ERROR|SUMMARY|Test unit' "$dir/$name/log" | head -n 20 || :; }
    # libFuzzer's own line: runs, coverage, size of the corpus
    grep -aE '^#[0-9]+: cov' "$dir/$name/log" | tail -n 1 || tail -n 3 "$dir/$name/log"
done
[ $failed = 0 ] && echo "fuzz: nothing found"
exit $failed
