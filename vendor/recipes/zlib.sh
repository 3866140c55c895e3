# zlib - inflate for archives, and what pg_dump and libarchive ask for
# shellcheck shell=bash
# source: zlib
# needs: musl
# licence: Zlib LICENSE
./configure --static --prefix=/usr
make -j "$JOBS" libz.a
install_lib libz.a
install_headers zlib.h zconf.h
