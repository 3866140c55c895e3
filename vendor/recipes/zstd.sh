# zstd - with threads, without the formats of before 1.0
# shellcheck shell=bash
# source: libzstd
# needs: musl
# licence: BSD-3-Clause LICENSE
make -C lib -j "$JOBS" libzstd.a-mt ZSTD_LEGACY_SUPPORT=0 V=1
install_lib lib/libzstd.a
install_headers lib/zstd.h lib/zstd_errors.h
