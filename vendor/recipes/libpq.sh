# libpq - the newest one there is; it serves sfb itself and the tools of every major
# shellcheck shell=bash
# source: postgresql-18
# needs: musl openssl
# licence: PostgreSQL COPYRIGHT
#
# Made one object with only the exported names visible, so that its inner libpgcommon and libpgport clash with nobody's.
configure --sysconfdir=/etc/postgresql-common --disable-rpath --with-openssl --without-readline --without-icu --without-zlib \
    CPPFLAGS="-I$SYSROOT/include" LDFLAGS="-L$SYSROOT/lib"
make -C src/backend -j "$JOBS" generated-headers
make -C src/port -j "$JOBS" libpgport_shlib.a
make -C src/common -j "$JOBS" libpgcommon_shlib.a
make -C src/interfaces/libpq -j "$JOBS" libpq.a
{ awk '!/^#/ && NF { print $1 }' src/interfaces/libpq/exports.txt && echo PQgetCopyPart; } >exports # the last is ours
ld -r -o libpq.o --whole-archive src/interfaces/libpq/libpq.a --no-whole-archive \
    --start-group src/common/libpgcommon_shlib.a src/port/libpgport_shlib.a --end-group
objcopy --keep-global-symbols=exports libpq.o
ar rcsD libpq.a libpq.o
install_lib libpq.a
install_headers src/interfaces/libpq/libpq-fe.h src/interfaces/libpq/libpq-events.h \
    src/interfaces/libpq/pqexpbuffer.h src/include/postgres_ext.h
[ ! -f src/include/pg_config_ext.h ] || install_headers src/include/pg_config_ext.h # up to 17
mkdir -p "$OUT/include/libpq"
cp src/include/libpq/libpq-fs.h "$OUT/include/libpq/"
