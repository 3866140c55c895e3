#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store_killed.bats - a backup to a real S3 that ends in the middle: pg_dump's failure, SIGTERM and SIGKILL in every phase.
load harness
load s3-server
load s3-tools
load phases

setup_file() { phases_begin; }
teardown_file() { phases_end; }
setup() { phases_setup; }
teardown() { phases_teardown; }

# ---- the order of things --------------------------------------------------------------------------------------------

larger_than() { [ -n "$(find "$WORK" -name '.*.partial-*' -size "+$1")" ]; }
# sfb backup is running, its pg_dump stopped, and 20 MB and more are in the file: DUMP is its pid.
stopped_half_way() {
    sfb_start backup
    wait_for 60 larger_than 20M
    DUMP=$(pgrep -n -P "$PID")
    kill -STOP "$DUMP"
    ! gone "$DUMP"
}

@test "parts go up while the dump is made, the first one and the end only after it; pg_dump that fails leaves nothing" {
    db_new large
    sql large "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
               FROM generate_series(1, 100000) n"
    PRODUCTION_DATABASE_URL=$(db_url large)
    stopped_half_way
    wait_for 30 in_log 'PUT .*daily/.*partNumber=2&.* 200 '
    run ! gone "$DUMP"
    has_not "$(proxy_log)" 'partNumber=1&|POST .*uploadId='
    kill -CONT "$DUMP"
    sfb_wait
    [ "$status" = 0 ]
    sed -n 's/.*daily.*\(partNumber=[0-9]*\).*/\1/p; s/^POST .*daily.*\(uploadId\).*/\1/p; s/^PUT .*daily.*\(manifest\).*/\1/p' "$PROXY_LOG" |
        tail -n 3 | tr '\n' ' ' | grep -qx 'partNumber=1 uploadId manifest '
    new_bucket killed
    stopped_half_way
    wait_for 30 in_log 'PUT .*daily/.*partNumber=2&.* 200 '
    kill -KILL "$DUMP"
    sfb_wait
    [ "$status" = 2 ]
    nothing_there
    nothing_open
    new_bucket flipped # a bit, on the disk
    stopped_half_way
    wait_for 30 in_log 'PUT .*daily/.*partNumber=2&.* 200 '
    partial=$(find "$WORK" -name '.*.partial-*' -size +20M)
    printf '\252\125' | dd of="$partial" bs=1 seek=15000000 conv=notrunc status=none
    kill -CONT "$DUMP"
    sfb_wait
    [ "$status" = 4 ]
    nothing_there
    nothing_open
    db_drop large
}

@test "parts go up side by side, and ranges come down so: one that is slow keeps no other waiting" {
    random_file 60000000 "$T/sixty"
    proxy_rules '[{"method": "PUT", "target": "partNumber=2&", "do": "delay", "seconds": 3}]'
    TOOL_EXPECTED=60000000 run -0 tool "s3://$SFB_BUCKET" file big "$T/sixty"
    [ "$(grep -oE 'partNumber=[23]&' "$PROXY_LOG" | tr '\n' ' ')" = 'partNumber=3& partNumber=2& ' ]
    proxy_rules '[{"method": "GET", "target": "/big", "skip": 1, "do": "delay", "seconds": 3}]'
    run -0 tool "s3://$SFB_BUCKET" download big "$T/back"
    cmp "$T/sixty" "$T/back"
    has "$(tail -n 1 "$PROXY_LOG")" ' delay ' # of four, the second to be asked for came last
    [ "$(grep -c '^GET' "$PROXY_LOG")" = 4 ]
}

# ---- signals --------------------------------------------------------------------------------------------------------

# A backup whose request of that phase the server has carried out, and whose answer it does not get: held PHASE OPTIONS...
held() {
    local phase=$1
    shift
    each '"do": "silent"' "$phase"
    sfb_start backup "$@"
    wait_for 60 happened held "$phase"
}
# The same, but that its body is never all sent.
stalled() {
    local phase=$1
    shift
    each '"do": "stall", "after": 100' "$phase"
    sfb_start backup "$@"
    wait_for 60 happened stall "$phase"
}

# The backup is complete then.
is_after() { # PHASE
    local phase
    for phase in "$look 1" "${copy_phases[@]}"; do [ "$phase" != "$1" ] || return 0; done
    return 1
}

# After the backup was complete there is one; before, nothing.
terminated() { # PHASE
    kill -TERM "$PID"
    sfb_wait 40
    no_children
    proxy_rules '[]'
    nothing_open
    if is_after "$1"; then
        [ "$status" = 0 ] # it is made, and verified
        has "$stderr" 'no weekly copy was made: .*stopped by SIGTERM'
        whole daily 1
        whole weekly 0
    else
        [ "$status" = 143 ]
        nothing_there
        [ -z "$(find "$WORK" "$CACHE" -type f)" ]
    fi
    for key in $(keys); do direct tool "s3://$SFB_BUCKET" delete "$key"; done
    rm -rf "${CACHE:?}"/* "${SFB_STATE_DIR:?}"/*
}

@test "SIGTERM in any phase, whether the server has done what it was asked or not: no half object, no open upload" {
    for phase in "${backup_phases[@]}" "$look" "$look 1" "${copy_phases[@]}"; do
        held "$phase"
        terminated "$phase"
    done
    for phase in "${backup_phases[1]}" "${backup_phases[2]}" "${backup_phases[5]}"; do
        stalled "$phase"
        terminated "$phase"
    done
}

@test "SIGTERM in any phase of a stream" {
    phases=("${backup_phases[0]}" "${backup_phases[3]}" "${backup_phases[5]}") # make check-faults has the others, too
    [ -z "${SFB_TEST_KILLS-}" ] || phases=("${backup_phases[@]}")
    for phase in "${phases[@]}"; do
        held "$phase" --stream
        terminated "$phase"
    done
}

@test "SIGTERM while a small dump goes up in one piece" {
    db_new small
    sql small "CREATE TABLE t AS SELECT generate_series(1, 100) n"
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url small)
    for how in held stalled; do
        $how 'PUT production/daily/.*dump'
        terminated none
    done
    db_drop small
}

@test "kill -9 in any phase: what is there is whole or shown as unfinished, the next backup is well, and who clears up is said" {
    phases=("${backup_phases[0]}" "${backup_phases[3]}" "${backup_phases[5]}" "${copy_phases[2]}")
    [ -z "${SFB_TEST_KILLS-}" ] || phases=("${backup_phases[@]}" "$look 1" "${copy_phases[@]}")
    n=0
    for phase in "${phases[@]}"; do
        new_bucket $((n += 1))
        held "$phase"
        kill -KILL "$PID"
        sfb_wait
        [ "$status" = 137 ]
        no_children
        proxy_rules '[]'
        keys >"$T/keys"
        manifests=$(grep -c 'daily/.*manifest.json' "$T/keys" || :)
        dumps=$(grep -c 'daily/.*dump' "$T/keys" || :)
        # a manifest is there only when the dump is, and it is good
        [ "$manifests" -le "$dumps" ]
        if [ "$phase" = "${backup_phases[5]}" ] || is_after "$phase"; then [ "$manifests" = 1 ]; else [ "$manifests" = 0 ]; fi
        run -0 --separate-stderr sfb list "s3://$SFB_BUCKET/production/daily"
        [ "$(grep -c ' no manifest: not finished' <<<"${output//(/ }")" = $((dumps - manifests)) ]
        [ "$(grep -cE ' yes +20' <<<"$output")" = "$manifests" ]
        if [ "$manifests" = 1 ]; then run -0 sfb verify latest; else run -1 sfb verify latest; fi
        # doctor counts backups, and says what of uploads nobody clears
        run -0 --separate-stderr sfb doctor
        if [ "$manifests" = 1 ]; then has "$output" '^✅ backups: [12] of production' # the weekly copy, too
        else has "$output" '^⚠️  backups: there is none of production yet$'; fi
        has "$output" '^⚠️  cut uploads: no rule clears the parts'
        has "$output" '^      .*sfb prune --lifecycle --apply'
        SFB_TEST_NOW=$(($(date +%s) + 25 * 3600)) run sfb doctor
        if [ -n "$(open_uploads)" ]; then has "$output" '^⚠️  open uploads: 1 older than a day'
        else has "$output" '^✅ open uploads: none'; fi
        run -0 --separate-stderr sfb backup
        run -0 sfb verify latest
        run -0 sfb verify latest@weekly
        [ -z "$(find "$WORK" -name '*partial*')" ]
    done
}
