# libarchive - reads foreign dumps: .gz .bz2 .xz .zst .lz4, tar, zip
# shellcheck shell=bash
# source: libarchive
# needs: musl zlib zstd lz4 bzip2 xz
# licence: BSD-2-Clause COPYING
#
# Without a crypto library (3.7 does not know mbedTLS 3): nothing that we read is encrypted or signed by it.
# Debian's patches touch Makefile.am, for its tests only; what automake made of it before is good, so no autotools.
configure --disable-shared --disable-bsdtar --disable-bsdcat --disable-bsdcpio --disable-bsdunzip --disable-acl \
    --disable-xattr --disable-dependency-tracking --without-openssl --without-mbedtls --without-nettle \
    --without-xml2 --without-expat --without-libb2 --without-cng --without-iconv
make -j "$JOBS" libarchive.la ACLOCAL=: AUTOMAKE=: AUTOCONF=: AUTOHEADER=:
install_lib .libs/libarchive.a
install_headers libarchive/archive.h libarchive/archive_entry.h
