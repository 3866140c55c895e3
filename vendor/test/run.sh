#!/usr/bin/env bash
# run.sh - do the libraries and the PostgreSQL programs work, linked together, in an empty chroot?
#
# usage: vendor/test/run.sh (as root; needs Debian's postgresql-15 or newer). Links link.c, starts a throwaway server
# on a free port of loopback and lets every major dump and restore there with nothing but the binary in its root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
V=$("$here/../build.sh")
tmp=$(mktemp -d)
chmod 755 "$tmp"
bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 | sort -V | tail -n 1)
port=$((20000 + $$ % 20000))
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
trap 'as "$bin/pg_ctl" -D "$tmp/data" -m immediate stop >/dev/null 2>&1; rm -rf "$tmp"' EXIT

libs="-lpq -lssl -lcrypto -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -larchive -lz -lzstd -llz4 -lbz2 -llzma -ldeflate -lxxhash -lcjson"
mkdir -p "$tmp/root/tmp"
chmod 777 "$tmp/root/tmp"
# shellcheck disable=SC2086
"$V/bin/sfb-cc" -O2 -Wall -Wextra -Werror "$here/link.c" "$V"/pg/*.o -Wl,--start-group $libs -Wl,--end-group \
    -Wl,--gc-sections -Wl,-z,stack-size=1048576 -s -o "$tmp/root/link"
"$here/../check-binary.sh" "$tmp/root/link" 12
jail() { env -i PGUSER=postgres PGHOST=127.0.0.1 PGPORT="$port" PGPASSWORD=secret \
    "$(command -v chroot)" --userspec=12345:12345 "$tmp/root" /link "$@"; }

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$tmp/key" -out "$tmp/cert" 2>/dev/null
chown postgres "$tmp/key"
echo secret >"$tmp/pw"
install -d -o postgres "$tmp/data"
as "$bin/initdb" -D "$tmp/data" -A scram-sha-256 -U postgres --pwfile="$tmp/pw" -N >/dev/null
as "$bin/pg_ctl" -D "$tmp/data" -l "$tmp/data/log" -w start >/dev/null \
    -o "-p $port -k '' -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on -c ssl_cert_file=$tmp/cert -c ssl_key_file=$tmp/key"

jail
jail psql15 -c "create table t as select i, md5(i::text) from generate_series(1, 50000) i; alter table t add primary key (i)" postgres
jail psql18 -c "create view v as select count(*) from t; select lo_from_bytea(0, 'abc')" postgres
want=$(jail psql18 -AtXc "select count(*), sum(hashtext(md5)) from t" postgres)
for object in "$V"/pg/pg*.o; do
    major=${object##*/pg}
    major=${major%.o}
    for how in -Fc "-Fd -j2" "-Fc -Z0"; do
        rm -rf "$tmp/root/tmp/dump"
        # shellcheck disable=SC2086
        jail "pg_dump$major" $how -f /tmp/dump postgres
        jail "psql$major" -qXc 'drop database if exists copy' -c 'create database copy' postgres
        jail "pg_restore$major" -j2 -d copy --exit-on-error /tmp/dump
        got=$(jail "psql$major" -AtXc "select count(*), sum(hashtext(md5)) from t" copy)
        [ "$got" = "$want" ] || { echo "pg_dump$major $how: $got, not $want"; exit 1; }
        echo "ok: $major dumps and restores with $how"
    done
    jail "pg_dumpall$major" --globals-only --no-role-passwords | grep -q '^CREATE ROLE postgres'
    echo "ok: pg_dumpall$major --globals-only"
done
cp "$tmp/cert" "$tmp/root/ca"
jail query "host=127.0.0.1 port=$port dbname=postgres sslmode=verify-full sslrootcert=/ca channel_binding=require"
if jail query "host=127.0.0.1 port=$port dbname=postgres sslmode=verify-full sslrootcert=system" 2>"$tmp/err"; then exit 1; fi
grep -q 'hook called' "$tmp/err"
echo "ok: verify-full with channel binding; sslrootcert=system asks the hook and refuses a stranger"
mkdir "$tmp/www"
(cd "$tmp/www" && exec openssl s_server -accept "127.0.0.1:$((port + 1))" -cert "$tmp/cert" -key "$tmp/key" -quiet -WWW) >/dev/null 2>&1 &
server=$!
echo hello >"$tmp/www/file"
until (: >"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; do kill -0 $server; done
[ "$(jail https "https://127.0.0.1:$((port + 1))/file" /ca)" = hello ]
if jail https "https://127.0.0.1:$((port + 1))/file"; then exit 1; fi
kill $server
echo "ok: HTTPS without /dev, and a stranger's certificate is refused"
