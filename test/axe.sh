#!/usr/bin/env bash
# axe.sh - prints the path of axe-core, which checks pages for accessibility; fetches it with npm the first time.
#
# Kept outside this tree, like the libraries: ${XDG_CACHE_HOME:-~/.cache}/sfb/axe-core-VERSION/axe.min.js.
set -euo pipefail
version=4.14.1
integrity=sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==

dir=${XDG_CACHE_HOME:-$HOME/.cache}/sfb/axe-core-$version
if [ ! -e "$dir/axe.min.js" ]; then
    command -v npm >/dev/null || { echo "axe.sh: npm is needed to fetch axe-core $version" >&2; exit 1; }
    new=$(mktemp -d)
    trap 'rm -rf "$new"' EXIT
    npm pack --silent --pack-destination "$new" "axe-core@$version" >/dev/null
    found=sha512-$(openssl dgst -sha512 -binary "$new/axe-core-$version.tgz" | base64 -w 0)
    [ "$found" = "$integrity" ] || { echo "axe.sh: axe-core $version is not what it was: $found" >&2; exit 1; }
    tar -xzf "$new/axe-core-$version.tgz" -C "$new" package/axe.min.js
    mkdir -p "$dir"
    mv "$new/package/axe.min.js" "$dir/axe.min.js"
fi
echo "$dir/axe.min.js"
