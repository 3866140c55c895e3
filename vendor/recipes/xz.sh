# xz - liblzma for foreign dumps, .sql.xz
# shellcheck shell=bash
# source: xz-utils
# needs: musl
# licence: 0BSD COPYING.0BSD
configure --disable-shared --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-lzma-links \
    --disable-scripts --disable-doc --disable-nls --disable-dependency-tracking
make -C src/liblzma -j "$JOBS" liblzma.la
install_lib src/liblzma/.libs/liblzma.a
cp -r src/liblzma/api "$OUT/include"
rm -f "$OUT"/include/Makefile*
