#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# tls.bats - whom sfb believes to be the database server.
load harness

# The server's certificate is for db.test, by an authority of its own; there is a second one that it has nothing to do with.
setup_file() {
    file_begin
    export TLS=$ROOT/tls
    mkdir "$TLS"
    new_authority ours
    new_authority other
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TLS/server.key" -out "$TLS/server.csr" \
        -subj /CN=db.test 2>"$TLS/log"
    openssl x509 -req -in "$TLS/server.csr" -CA "$TLS/ours.crt" -CAkey "$TLS/ours.key" -CAcreateserial -days 2 \
        -extfile <(echo subjectAltName=DNS:db.test) -out "$TLS/server.crt" 2>"$TLS/log"
    chmod 600 "$TLS/server.key"
    ! is_root || chown postgres "$TLS/server.key"
    pg_start 15 "-c ssl=on -c ssl_cert_file='$TLS/server.crt' -c ssl_key_file='$TLS/server.key'"
    db_new shop
    sql shop "CREATE TABLE item (id int); INSERT INTO item VALUES (1)"
}
new_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$TLS/$1.key" \
        -out "$TLS/$1.crt" 2>"$TLS/log"
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

# backup NAME PARAMETERS: of the server by that name, whatever a resolver would say
backup() {
    PRODUCTION_DATABASE_URL="postgresql://postgres:$PG_PASSWORD@$1:$PG_PORT/shop?hostaddr=$PG_HOST&$2" sfb backup --local-only
}
refused() { # NAME PARAMETERS WORDS: before anything is written
    run -1 --separate-stderr backup "$1" "$2"
    has "$stderr" "$3"
    has "$(sed -n 2p <<<"$stderr")" '^   [a-z]' # and a remedy
    empty_dir "$SFB_WORK_DIR"
}

@test "verify-full with the right authority and name backs up, and pg_dump's own connection is verified too" {
    sql postgres "ALTER SYSTEM SET log_connections = on"
    sql postgres "SELECT pg_reload_conf()"
    run -0 backup db.test "sslmode=verify-full&sslrootcert=$TLS/ours.crt"
    sql postgres "ALTER SYSTEM RESET log_connections"
    sql postgres "SELECT pg_reload_conf()"
    run grep -c 'connection authorized: .* database=shop .*SSL enabled' "$PG_DIR/log"
    [ "$output" -ge 2 ]
    run grep 'connection authorized: user=postgres database=shop' "$PG_DIR/log"
    has_not "$(grep -v application_name=harness <<<"$output" | grep -v 'SSL enabled')" .
}

@test "channel_binding=require works over TLS" {
    run -0 backup db.test "sslmode=verify-full&sslrootcert=$TLS/ours.crt&channel_binding=require"
}

@test "channel_binding=require is refused without TLS" {
    refused db.test "sslmode=disable&channel_binding=require" 'channel binding required'
}

@test "an authority that did not sign the certificate is refused" {
    refused db.test "sslmode=verify-full&sslrootcert=$TLS/other.crt" 'certificate verify failed'
    refused db.test "sslmode=verify-ca&sslrootcert=$TLS/other.crt" 'certificate verify failed'
}

@test "another host's certificate is refused by verify-full, and believed by verify-ca" {
    refused shop.test "sslmode=verify-full&sslrootcert=$TLS/ours.crt" 'does not match host name'
    run -0 backup shop.test "sslmode=verify-ca&sslrootcert=$TLS/ours.crt"
}

@test "an authority's file that is not there is refused" {
    refused db.test "sslmode=verify-full&sslrootcert=$TLS/none.crt" 'does not exist'
}

@test "the public authorities do not vouch for a private one's server" {
    refused db.test "sslrootcert=system" 'certificate verify failed'
    refused db.test "sslmode=verify-full" 'certificate verify failed'
    refused db.test "sslmode=verify-ca" 'certificate verify failed'
}

@test "an authority in the home directory or in SSL_CERT_FILE is believed" {
    SSL_CERT_FILE=$TLS/ours.crt run -0 backup db.test "sslmode=verify-full"
    mkdir "$HOME/.postgresql"
    cp "$TLS/ours.crt" "$HOME/.postgresql/root.crt"
    run -0 backup db.test "sslmode=verify-full"
    SSL_CERT_FILE=$TLS/other.crt run -0 backup db.test "sslmode=verify-full"
}

@test "with SSL_CERT_FILE nobody else is believed" {
    SSL_CERT_FILE=$TLS/other.crt refused db.test "sslmode=verify-full" 'certificate verify failed'
}

@test "a server without TLS is refused when TLS is required" {
    pg_start
    refused db.test "sslmode=require" 'does not support SSL'
}
