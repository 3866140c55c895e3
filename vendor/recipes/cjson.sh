# cJSON - manifests, and what servers answer
# shellcheck shell=bash
# source: cjson
# needs: musl
# licence: MIT LICENSE
# shellcheck disable=SC2086
"$CC" $CFLAGS -std=c99 -c cJSON.c -o cJSON.o
ar rcsD libcjson.a cJSON.o
install_lib libcjson.a
mkdir -p "$OUT/include/cjson" # where distributions have it
cp cJSON.h "$OUT/include/cjson/"
