#!/usr/bin/env bash
# deps.sh - install what building and testing need, on Debian. Quick when everything is there already.
#
#   vendor/deps.sh [PACKAGE...]      these too
#
# PostgreSQL's package would make a cluster and start it; here it does not: the tests start servers of their own.
set -euo pipefail
packages=(build-essential dpkg-dev bison flex perl xz-utils bzip2 util-linux debian-archive-keyring file procps
    libcmocka-dev libpq-dev postgresql bats openssl python3 "$@")
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "this needs root or sudo, to run: apt-get install ${missing[*]}" >&2; exit 1; }
    root=(sudo)
fi
no_cluster=/etc/postgresql-common/createcluster.d/sfb-deps.conf
trap '"${root[@]}" rm -f "$no_cluster"' EXIT
"${root[@]}" mkdir -p "${no_cluster%/*}"
echo 'create_main_cluster = false' | "${root[@]}" tee "$no_cluster" >/dev/null
echo "installing: ${missing[*]}"
"${root[@]}" apt-get -qq update
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
