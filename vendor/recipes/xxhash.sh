# xxhash - XXH3, the fingerprint of rows; on x86 also the variant that picks AVX2 at run time (xxh_x86dispatch.h)
# shellcheck shell=bash
# source: xxhash
# needs: musl
# licence: BSD-2-Clause LICENSE
objects=xxhash.o
[ "$(uname -m)" != x86_64 ] || objects+=" xxh_x86dispatch.o"
# shellcheck disable=SC2086
make -j "$JOBS" $objects
# shellcheck disable=SC2086
ar rcsD libxxhash.a $objects
install_lib libxxhash.a
install_headers xxhash.h xxh3.h xxh_x86dispatch.h
