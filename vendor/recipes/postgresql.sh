# postgresql - pg_dump, pg_restore, pg_dumpall and psql of one major, as one object: $OUT/pg/pgNN.o
# shellcheck shell=bash disable=SC2016 # what is in single quotes is for others to expand
# source: postgresql-NN
# needs: musl zlib zstd lz4
# licence: PostgreSQL COPYRIGHT
#
# main() becomes pg_dumpNN_main() and so on, and nothing but these is visible. Left for sfb to define: where PostgreSQL
# looks for its message files and for its sister programs (there are none of either). It links with any newer libpq.
major=${NAME#postgresql-}
configure --sysconfdir=/etc/postgresql-common --without-readline --without-icu --with-lz4 --with-zstd \
    CPPFLAGS="-I$SYSROOT/include" LDFLAGS="-L$SYSROOT/lib" \
    LZ4_CFLAGS=" " LZ4_LIBS=-llz4 ZSTD_CFLAGS=" " ZSTD_LIBS=-lzstd
make -C src/backend -j "$JOBS" generated-headers
make -C src/port -j "$JOBS" libpgport.a
make -C src/common -j "$JOBS" libpgcommon.a
make -C src/fe_utils -j "$JOBS" libpgfeutils.a

# The objects of a program, without linking it: its Makefile knows them, and one more target asks for them.
hooks="-Dset_pglocale_pgservice=sfb_pg_setlocale -Dfind_other_exec=sfb_pg_find_other_exec"
objects() { # DIRECTORY OBJECT=MAIN…
    local dir=$1 pair rules='objects: $(OBJS)'
    shift
    for pair; do
        rules+=" ${pair%=*}"$'\n'"${pair%=*}: CPPFLAGS += -Dmain=${pair#*=}"$'\n''objects:'
    done
    rules+=" $(test "$dir" != src/bin/pg_dump || echo common.o pg_dump_sort.o)"
    printf '%s\n' "$rules" | make -C "$dir" -j "$JOBS" -f Makefile -f - COPT="$hooks" objects
}
objects src/bin/pg_dump "pg_dump.o=pg_dump${major}_main" "pg_restore.o=pg_restore${major}_main" \
    "pg_dumpall.o=pg_dumpall${major}_main"
objects src/bin/psql "startup.o=psql${major}_main"

mkdir -p "$OUT/pg"
ld -r -o "$OUT/pg/pg$major.o" src/bin/pg_dump/*.o src/bin/psql/*.o \
    --start-group src/fe_utils/libpgfeutils.a src/common/libpgcommon.a src/port/libpgport.a --end-group
objcopy --keep-global-symbol="pg_dump${major}_main" --keep-global-symbol="pg_restore${major}_main" \
    --keep-global-symbol="pg_dumpall${major}_main" --keep-global-symbol="psql${major}_main" "$OUT/pg/pg$major.o"
