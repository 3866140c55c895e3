#!/bin/sh
# check-binary.sh FILE MAX_MB - is this program static, and small enough to be carried anywhere?
set -eu
if readelf -dl "$1" | grep -Eq 'INTERP|\(NEEDED\)'; then
    echo "$1 is not static: it asks for a loader or shared libraries" >&2
    exit 1
fi
size=$(wc -c <"$1")
if [ "$size" -gt $(($2 * 1000000)) ]; then
    echo "$1 has $size bytes, more than $2 MB" >&2
    exit 1
fi
