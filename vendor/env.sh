# env.sh - what every recipe sees. Part of every library's cache key: a change here rebuilds all of them.
#
# $LIBC is musl (the product) or host (glibc and debug symbols, for the sanitizers). Given by build.sh: $SRC, the
# patched source and the working directory; $SYSROOT, the libraries it needs; $OUT, where the result goes, as
# $OUT/include, $OUT/lib, …; $JOBS.
# shellcheck shell=bash disable=SC2153
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1767225600          # nothing of today, or of here, may get into a library
export SFB_PREFIX_MAP="$SRC=/sfb/src"                        # sfb-cc reads it

CFLAGS="-O2 -pipe -ffunction-sections -fdata-sections -fstack-protector-strong"
if [ "$LIBC" = musl ]; then
    CFLAGS+=" -fno-asynchronous-unwind-tables -fno-unwind-tables"
else
    CFLAGS+=" -g -fno-omit-frame-pointer"
fi
CC=$SYSROOT/bin/sfb-cc
CPPFLAGS='' LDFLAGS='' LIBS=''
export CC CFLAGS CPPFLAGS LDFLAGS LIBS
export PKG_CONFIG=false                                      # else configure finds the host's libraries
HOST_TRIPLET=$(gcc -dumpmachine)
MUSL_TRIPLET=$(uname -m)-linux-$([ "$LIBC" = musl ] && echo musl || echo gnu)

# The configure scripts: quiet, for the machine we are on, with our compiler and nothing shared.
configure() { ./configure --build="$HOST_TRIPLET" --host="$MUSL_TRIPLET" --prefix=/usr "$@"; }
# install_lib FILE.a… / install_headers FILE.h…
install_lib() { mkdir -p "$OUT/lib"; cp -- "$@" "$OUT/lib/"; }
install_headers() { mkdir -p "$OUT/include"; cp -- "$@" "$OUT/include/"; }
