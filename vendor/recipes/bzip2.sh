# bzip2 - foreign dumps, .sql.bz2
# shellcheck shell=bash
# source: bzip2
# needs: musl
# licence: bzip2-1.0.6 LICENSE
make -j "$JOBS" libbz2.a CC="$CC" CFLAGS="$CFLAGS -D_FILE_OFFSET_BITS=64"
install_lib libbz2.a
install_headers bzlib.h
