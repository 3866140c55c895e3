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

# What passes, NAME and rule. A corrupted body is the server's to refuse.
faults() {
    cat <<FAULTS
reset "do": "reset"
lose "do": "lose"
delay "do": "delay", "seconds": 0.3
corrupt "do": "corrupt", "after": 3
answer $(error 500 InternalError)
answer $(error 503 SlowDown ', "headers": {"Retry-After": "1"}')
answer $(error 400 RequestTimeout)
answer "do": "answer", "status": 307, "headers": {"Location": "https://localhost:$S3_PORT/"}
FAULTS
}

@test "what passes by itself, in every phase of a backup: it is in the bucket, whole, and promoted" {
    n=0
    while read -r name what; do
        new_bucket $((n += 1))
        each "$what" "${backup_phases[@]}" "$look" "${copy_phases[@]}"
        run -0 --separate-stderr sfb backup
        happened "$name" "${backup_phases[@]}" "$look" "${copy_phases[@]}"
        has_not "$output$stderr" 'no weekly copy'
        proxy_rules '[]'
        for tier in daily weekly monthly; do whole $tier 1; done
        nothing_open
        rm -rf "${CACHE:?}"/* "${SFB_STATE_DIR:?}"/*
    done < <(faults)
    [ $n = 8 ]
}

@test "what passes by itself, in every phase of a stream" {
    n=0
    while read -r name what; do
        new_bucket $((n += 1))
        each "$what" "${backup_phases[@]}" "${copy_phases[@]}"
        run -0 --separate-stderr sfb backup --stream --no-read-back
        happened "$name" "${backup_phases[@]}" "${copy_phases[@]}"
        proxy_rules '[]'
        for tier in daily weekly; do whole $tier 1; done
        nothing_open
        rm -rf "${SFB_STATE_DIR:?}"/*
    done < <(faults | if [ -n "${SFB_TEST_KILLS-}" ]; then cat; else sed -n '2p;5p'; fi)
}

@test "what passes by itself, in every phase of a restore: the database is the same" {
    direct sfb backup >/dev/null
    rm -r "${CACHE:?}"/*
    while read -r name what; do
        db_drop copy
        db_new copy
        each "$what" "${restore_phases[@]}"
        run -0 --separate-stderr sfb restore --force latest@daily
        happened "$name" "${restore_phases[@]}"
        same_content copy "$ROOT/content"
    done < <(faults)
    [ -z "$(find "$WORK" -name '*fetched*')" ]
    # and what is not sent as it was stored is not taken, if it can't be had otherwise
    proxy_rules '[{"method": "GET", "target": "daily/.*dump", "do": "spoil", "after": 3000000, "times": -1}]'
    run -2 --separate-stderr sfb restore --force latest@daily
    same_content copy "$ROOT/content"
}

@test "what passes by itself, in every phase of a prune: what has expired is gone, nothing else" {
    export SFB_KEEP_AT_LEAST=1
    direct sfb backup --retention-days 1 >/dev/null
    direct sfb backup --retention-days 1 >/dev/null
    keys | grep daily | sort >"$T/both"
    while read -r name what; do
        each "$what" "${prune_phases[@]}"
        SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune --yes
        happened "$name" "${prune_phases[@]}"
        proxy_rules '[]'
        whole daily 1
        direct sfb backup --retention-days 1 >/dev/null
    done < <(faults)
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
