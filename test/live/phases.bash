# shellcheck shell=bash disable=SC2034 # variables are for the tests
# phases.bash - every request of a backup, a restore and a prune to a real S3, behind a fault proxy.
#
#     load harness; load s3-server; load s3-tools; load phases

# phases_begin, phases_end: for setup_file and teardown_file. phases_setup, phases_teardown: for each test.
phases_begin() {
    file_begin
    pg_start
    s3_start
    tools_begin
    proxy_start
    db_new shop
    sql shop "CREATE TABLE events (id int, title text); INSERT INTO events SELECT n, 'Event ' || n FROM generate_series(1, 1000) n;
              CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
              FROM generate_series(1, 12000) n" # two parts
    content_text shop >"$ROOT/content"
}
phases_end() { tools_end; s3_stop; file_end; }
phases_setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_S3_RETRY_SECONDS=20
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url copy)
    new_bucket 0
}
phases_teardown() {
    db_drop copy
    test_end
}

# The requests of a backup in their order: the method, what is in the target, and how many such come before it. The last
# ones are the weekly copy's. look: before it copies, sfb looks how large the object is; and radosgw names no ETag in its
# answer to a completion, so that sfb looks at the end of an upload, too.
backup_phases=('POST production/daily/.*dump[?]uploads=' 'PUT production/daily/.*partNumber=2' 'PUT production/daily/.*partNumber=1&'
    'POST production/daily/.*dump[?]uploadId=' 'PUT production/daily/.*globals.sql' 'PUT production/daily/.*manifest.json')
copy_phases=('GET list-type=2.*weekly' 'PUT production/weekly/.*dump' 'PUT production/weekly/.*globals.sql'
    'PUT production/weekly/.*manifest.json')
look='HEAD production/daily/.*dump'
restore_phases=('GET list-type=2' 'GET manifest.json' 'HEAD production/daily/.*dump' 'GET production/daily/.*dump' 'GET globals.sql')
prune_phases=('GET list-type=2' 'GET manifest.json' 'DELETE manifest.json' 'DELETE production/daily/.*dump' 'DELETE globals.sql')

new_bucket() {
    s3_environment
    export SFB_BUCKET=phases-$BATS_TEST_NUMBER-$1
    tool "s3://$SFB_BUCKET" raw PUT - -
    proxy_rules '[]'
    AWS_ENDPOINT_URL_S3=$PROXY
}
rule() { # PHASE '"do": ...'
    local method target skip
    read -r method target skip <<<"$1"
    echo "{\"method\": \"$method\", \"target\": \"$target\", \"skip\": ${skip:-0}, $2}"
}
# What happens, to the first request of each phase: each '"do": ...' PHASE...
each() {
    local what=$1 rules=
    shift
    for phase; do rules+="${rules:+, }$(rule "$phase" "$what")"; done
    proxy_rules "[$rules]"
}
error() { # STATUS CODE [MORE]
    echo "\"do\": \"answer\", \"status\": $1, \"body\": \"<Error><Code>$2</Code></Error>\"${3-}"
}
# It did happen, in each of them: happened WHAT PHASE...
happened() {
    local what=$1 method target
    shift
    for phase; do
        read -r method target _ <<<"$phase"
        in_log "^$method [^ ]*${target}[^ ]* [0-9]+ $what( |$)" || { echo "$what did not happen to: $phase" >&2; return 1; }
    done
}
in_log() { grep -qE -- "$1" "$PROXY_LOG"; }
direct() { AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT "$@"; }
keys() { direct tool "s3://$SFB_BUCKET" list | cut -d' ' -f1 | grep -v /history/ || :; }
open_uploads() { direct tool "s3://$SFB_BUCKET" uploads; }
nothing_open() { [ -z "$(open_uploads)" ] || { echo "open: $(open_uploads)" >&2; return 1; }; }
nothing_there() { [ -z "$(keys)" ] || { echo "there is: $(keys)" >&2; return 1; }; }
# Whatever is in a tier is a whole backup; so many of them: whole TIER N
whole() {
    local key
    [ "$(keys | grep -c "/$1/.*dump$")" = "$2" ] || { echo "in $1, not $2: $(keys)" >&2; return 1; }
    [ "$(keys | grep -c "/$1/")" = $((3 * $2)) ] || { echo "half in $1: $(keys)" >&2; return 1; }
    for key in $(keys | grep "/$1/.*dump$"); do direct sfb verify --quick "s3://$SFB_BUCKET/$key" >/dev/null; done
}
