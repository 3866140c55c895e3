#!/usr/bin/env bash
# deps.sh - install what the tests and make lint need, on Debian, as root or with sudo. Quick when all is there.
#
# A PostgreSQL server is needed for the live tests, which start their own. Installing Debian's package would create and
# start a cluster "main"; where none was installed before we leave a word for it not to. What is there stays as it is.
set -euo pipefail

packages=(
    build-essential file git python3 zstd openssl           # used by the tests themselves
    bats perl libcmocka-dev                                 # runners; perl brings prove
    libpq-dev libssl-dev                                    # the unit tests' libpq
    postgresql-15                                           # the server that make check backs up
    clang-format clang-tidy cppcheck shellcheck             # make lint
)

have() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

missing=()
for package in "${packages[@]}"; do
    have "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: root or sudo is needed, to run: apt-get install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
command -v apt-get >/dev/null || {
    echo "deps: this is no Debian; the tests need: ${missing[*]}" >&2
    exit 1
}

# A file of our own that is gone afterwards, so that nobody who installs PostgreSQL later wonders.
quiet_cluster=''
cleanup() { [ -z "$quiet_cluster" ] || "${as_root[@]}" rm -f "$quiet_cluster"; }
trap cleanup EXIT
if ! have postgresql-15 && ! have postgresql-common; then
    quiet_cluster=/etc/postgresql-common/createcluster.d/zz-sfb-tests.conf
    "${as_root[@]}" mkdir -p "${quiet_cluster%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$quiet_cluster" >/dev/null
fi

echo "deps: installing ${missing[*]}"
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" \
    >/dev/null
