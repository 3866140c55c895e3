#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# runbooks.bats - the commands of docs/runbook-*.md, taken from the pages and run as they stand, against real servers. The
# surroundings are the test's: databases, bucket, credentials, and stand-ins for docker and curl that write down their words.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    s3_start
    export SFB_BUCKET=signupflow-backups SFB_S3_RETRY_SECONDS=5
    curl -sS --fail-with-body --cacert "$S3_CA" --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" -X PUT \
        -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" "https://localhost:$S3_PORT/$SFB_BUCKET" >/dev/null
    sql postgres "CREATE ROLE clerk LOGIN PASSWORD 'of-the-clerk'"
    db_new signupflow
    sql signupflow "CREATE TABLE orgs (id text PRIMARY KEY, name text);
        CREATE TABLE events (id serial PRIMARY KEY, org_id text REFERENCES orgs, title text);
        ALTER TABLE events OWNER TO clerk;
        INSERT INTO orgs SELECT 'org_' || n, 'Organisation ' || n FROM generate_series(100, 150) n;
        INSERT INTO events (org_id, title) SELECT 'org_' || 100 + n % 51, 'Event ' || n FROM generate_series(1, 3000) n"
    mkdir "$ROOT/night"
    PRODUCTION_DATABASE_URL=$(db_url signupflow) SFB_WORK_DIR=$ROOT/night SFB_CACHE_DIR=$ROOT/night/cache \
        SFB_LOG_DIR=$ROOT/night/log SFB_STATE_DIR=$ROOT/night/state sfb backup >"$ROOT/night/out"
    BACKUP=$(grep -o 's3://.*' "$ROOT/night/out" | tail -n 1)
    export BACKUP # the pages say: set it to the URL that you have found
    content_text signupflow >"$ROOT/content"
}
teardown_file() {
    s3_stop
    file_end
}
setup() {
    test_begin
    mkdir "$T/shims" "$T/here"
    for name in docker curl; do
        printf '#!/bin/sh\necho "%s $*" >>"%s/called"\n' "$name" "$T" >"$T/shims/$name"
    done
    chmod +x "$T/shims"/*
    LINKS=$(link_dir)
}
teardown() { test_end; }

# commands PAGE [KIND]: its fenced blocks of sh without a kind, and those of this kind
commands() { awk -v kind="${2-}" '/^```/ { run = $0 == "```sh" || (kind != "" && $0 == "```sh " kind); next } run' "$TOP/docs/$1.md"; }

# follow PAGE [KIND]: as somebody would who copies each line, and stops at the first that fails
follow() {
    commands "$@" >"$T/commands"
    [ "$(wc -l <"$T/commands")" -ge 5 ]
    cd "$T/here" || return
    PATH=$T/shims:$LINKS:$ROOT/bin:$PATH timeout -k 5 300 bash -euo pipefail "$T/commands"
}

@test "every command on the pages is in a block that a test runs" {
    [ "$(find "$TOP/docs" -name 'runbook-*.md' | wc -l)" = 3 ]
    [ "$(grep -h '^```.' "$TOP"/docs/runbook-*.md | sort -u | tr '\n' ' ')" = '```sh ```sh rows ```sh table ' ]
}

# A production that is changed, and comes back as it was.
damaged() { # SQL
    db_new production "TEMPLATE signupflow"
    content_text production >"$T/before"
    sql production "$1"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url production) STAGING_DATABASE_URL=$(db_url staging)
}

@test "deleted data: the rows of one organisation are brought back, and nothing else changes" {
    damaged "DELETE FROM events WHERE org_id = 'org_123'; UPDATE events SET title = 'changed since' WHERE org_id = 'org_124'"
    sql production "SELECT * FROM events WHERE org_id <> 'org_123' ORDER BY id" >"$T/others"
    run -0 follow runbook-1-deleted-data rows
    sql production "SELECT * FROM events WHERE org_id <> 'org_123' ORDER BY id" | diff "$T/others" -
    [ "$(sql production "SELECT md5(string_agg(e::text, ',' ORDER BY id)) FROM events e WHERE org_id = 'org_123'")" = \
        "$(sql signupflow "SELECT md5(string_agg(e::text, ',' ORDER BY id)) FROM events e WHERE org_id = 'org_123'")" ]
    has "$output" 'manual/before-repair-' # the state before the repair is in the bucket
    db_drop production
    db_drop staging
}

@test "deleted data: an emptied table is brought back out of the archive" {
    damaged "DELETE FROM events"
    run -0 follow runbook-1-deleted-data table
    same_content production "$T/before"
    db_drop production
    db_drop staging
}

# A second server, that knows neither the database nor its roles.
new_server() {
    local old=$PG_DIR/data/postmaster.pid
    old=$(head -n 1 "$old")
    kill -QUIT "$old" # the old one is lost
    wait_for 30 gone "$old"
    pg_start
    NEW_DATABASE_URL=$(db_url signupflow)
    export NEW_DATABASE_URL
}

@test "the database server is lost: all of it is on a new one, with its roles, and backed up from there" {
    new_server
    run -0 follow runbook-2-database-lost
    same_content signupflow "$ROOT/content"
    [ "$(sql postgres "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'clerk'")" = t ]
    has "$output" '✅ Database restore completed successfully'
    has "$output" '✅ Backup completed successfully'
    [ "$(cat "$T/called")" = 'docker compose -f docker-compose.prod.yml restart api
curl --fail https://api.signupflow.io/health' ]
}

@test "the region is lost: a host that has never seen a backup restores the newest one" {
    unset PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_CACHE_DIR SFB_STATE_DIR SFB_LOG_DIR SFB_BUCKET
    pg_start
    NEW_DATABASE_URL=$(db_url signupflow)
    export NEW_DATABASE_URL
    cp "$SFB" "$T/here/sfb"
    LINKS=$T/nothing
    run -0 follow runbook-3-region-lost
    same_content signupflow "$ROOT/content"
    has "$output" 'of another log' # the lost host's entries, named by its manifests
    has "$(cat "$T/called")" '^docker compose -f docker-compose.prod.yml up -d$'
}
