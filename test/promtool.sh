#!/usr/bin/env bash
# promtool.sh - prints where promtool is; fetches it out of Debian's package prometheus when it is nowhere
#
# That one program only, into the cache: to install the package would start a server. Needs apt's lists (apt-get update).
set -euo pipefail

tool=$(command -v promtool || :)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sfb
[ -n "$tool" ] || tool=$cache/promtool
if [ ! -x "$tool" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/promtool.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    apt-get download -q prometheus >&2
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
    mv usr/bin/promtool "$tool"
fi
echo "$tool"
