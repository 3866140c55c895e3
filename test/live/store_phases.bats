#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# store_phases.bats - all that can happen to a request, happening to every request of a backup, a restore and a prune to a
# real S3: cut, lost, late, corrupted, 500, 503 SlowDown, 400 RequestTimeout, 403 ExpiredToken, 307.
load harness
load s3-server
load s3-tools
load phases

setup_file() { phases_begin; }
teardown_file() { phases_end; }
setup() { phases_setup; }
teardown() { phases_teardown; }

# ---- faults ---------------------------------------------------------------------------------------------------------

# What passes, by the name it has in the proxy's log. A corrupted body is the server's to refuse.
faults=(reset lose delay corrupt 500 503 400 307)
rule_of() {
    case $1 in
        500) error 500 InternalError ;;
        503) error 503 SlowDown ', "headers": {"Retry-After": "1"}' ;;
        400) error 400 RequestTimeout ;;
        307) echo '"do": "answer", "status": 307, "headers": {"Location": "https://localhost:'"$S3_PORT"'/"}' ;;
        delay) echo '"do": "delay", "seconds": 0.3' ;;
        corrupt) echo '"do": "corrupt", "after": 3' ;;
        *) echo '"do": "'"$1"'"' ;;
    esac
}
# The table is walked along its diagonals: in turn N each phase has another fault, and in eight turns each has had each. make
# check takes two turns, make check-faults all: turns COUNT
turns() { if [ -n "${SFB_TEST_KILLS-}" ]; then seq 0 7; else seq 0 3 "$((3 * $1 - 3))"; fi; }
# begin_turn N PHASE...; then end_turn N PHASE...: each has really happened, and what it happened to was done in the end
begin_turn() {
    local n=$1 rules=
    shift
    for phase; do
        rules+="${rules:+, }$(rule "$phase" "$(rule_of "${faults[n % 8]}")")"
        n=$((n + 1))
    done
    proxy_rules "[$rules]"
}
end_turn() {
    local n=$1 fault
    shift
    for phase; do
        fault=${faults[n % 8]}
        n=$((n + 1))
        if [[ $fault == [345]* ]]; then
            in_log "^${phase% *} [^ ]*${phase#* }[^ ]* $fault answer( |$)"
        else
            happened "$fault" "$phase"
        fi || { echo "$fault did not happen to: $phase" >&2; return 1; }
    done
    proxy_rules '[]'
}

@test "what passes by itself, in every phase of a backup: it is in the bucket, whole, and promoted" {
    phases=("${backup_phases[@]}" "$look" "${copy_phases[@]}")
    for n in $(turns 2); do
        new_bucket "$n"
        begin_turn "$n" "${phases[@]}"
        run -0 --separate-stderr sfb backup
        end_turn "$n" "${phases[@]}"
        has_not "$output$stderr" 'no weekly copy'
        for tier in daily weekly monthly; do whole $tier 1; done
        nothing_open
        rm -rf "${CACHE:?}"/* "${SFB_STATE_DIR:?}"/*
    done
}

@test "what passes by itself, in every phase of a stream" {
    phases=("${backup_phases[@]}" "$look" "${copy_phases[@]}")
    for n in $(turns 1); do
        new_bucket "$n"
        begin_turn "$n" "${phases[@]}"
        run -0 --separate-stderr sfb backup --stream --no-read-back
        end_turn "$n" "${phases[@]}"
        for tier in daily weekly; do whole $tier 1; done
        nothing_open
        rm -rf "${SFB_STATE_DIR:?}"/*
    done
}

@test "what passes by itself, in every phase of a restore: the database is the same" {
    direct sfb backup >/dev/null
    rm -r "${CACHE:?}"/*
    for n in $(turns 2); do
        db_drop copy
        begin_turn "$n" "${restore_phases[@]}"
        run -0 --separate-stderr sfb restore --force latest@daily
        end_turn "$n" "${restore_phases[@]}"
        same_content copy "$ROOT/content"
    done
    [ -z "$(find "$WORK" -name '*fetched*')" ]
    # and what is not sent as it was stored is not taken, if it can't be had otherwise
    proxy_rules '[{"method": "GET", "target": "daily/.*dump", "do": "spoil", "after": 3000000, "times": -1}]'
    run -2 --separate-stderr sfb restore --force latest@daily
    same_content copy "$ROOT/content"
}

@test "what passes by itself, in every phase of a prune: what has expired is gone, nothing else" {
    export SFB_KEEP_AT_LEAST=1
    direct sfb backup --retention-days 1 >/dev/null
    for n in $(turns 2); do
        direct sfb backup --retention-days 1 >/dev/null
        begin_turn "$n" "${prune_phases[@]}"
        SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune --yes
        end_turn "$n" "${prune_phases[@]}"
        whole daily 1
    done
}

@test "a fixed key's ExpiredToken is not tried again, in any phase: exit 3, and nothing is left" {
    for phase in "${backup_phases[@]}"; do
        each "$(error 403 ExpiredToken), \"times\": -1" "$phase"
        run -3 --separate-stderr sfb backup
        has "$stderr" '(InvalidToken|ExpiredToken) \(403, request FAULT0001\)'
        has "$stderr" 'the session token is not good any more|the credentials have ended'
        [ "$(grep -cE "^${phase%% *} [^ ]*${phase#* }" "$PROXY_LOG")" = 1 ]
        proxy_rules '[]'
        nothing_there
        nothing_open
    done
    for phase in "${copy_phases[@]}"; do # the backup is there; a copy that can't be is not half there
        each "$(error 403 ExpiredToken), \"times\": -1" "$phase"
        run -0 --separate-stderr sfb backup
        proxy_rules '[]'
        [[ $phase == GET* ]] || has "$stderr" 'no weekly copy was made: .*Token'
        [ "$(keys | grep -c /daily/)" = 3 ]
        [[ $phase == GET* ]] || whole weekly 0
        for key in $(keys); do direct tool "s3://$SFB_BUCKET" delete "$key"; done
    done
}

@test "a copy that was cut short is made by the next backup of that week" {
    each "$(error 403 AccessDenied), \"times\": -1" 'PUT production/weekly/.*manifest.json' 'DELETE weekly'
    run -0 --separate-stderr sfb backup
    has "$stderr" 'no weekly copy was made'
    has "$stderr" 'production/weekly/backup-.*dump has no manifest, so it is no backup, but it could not be deleted'
    proxy_rules '[]'
    [ "$(keys | grep -c '/weekly/')" = 2 ] # as after a kill -9
    rm -rf "${SFB_STATE_DIR:?}"/*
    run -0 --separate-stderr sfb backup
    [ "$(keys | grep -c '/weekly/.*manifest.json')" = 1 ]
    [ "$(keys | grep -c '/daily/.*manifest.json')" = 2 ]
    [ "$(keys | grep -c '/monthly/.*manifest.json')" = 1 ]
}
