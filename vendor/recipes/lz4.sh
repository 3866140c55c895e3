# lz4 - archives that others made with pg_dump --compress=lz4
# shellcheck shell=bash
# source: lz4
# needs: musl
# licence: BSD-2-Clause lib/LICENSE
make -C lib -j "$JOBS" liblz4.a
install_lib lib/liblz4.a
install_headers lib/lz4.h lib/lz4hc.h lib/lz4frame.h
