#!/usr/bin/env bats
# alert_settings.bats - runs that never began are told, too: settings that can't be used, and what a service manager has seen.

bats_require_minimum_version 1.5.0
load harness
load alert-tools

setup_file() { file_begin; alert_begin; pg_start; db_new shop; sql shop "CREATE TABLE t AS SELECT generate_series(1, 10) AS n"; }
teardown_file() { alert_end; file_end; }
setup() { test_begin; alert_fresh; PRODUCTION_DATABASE_URL=$(db_url shop); export PRODUCTION_DATABASE_URL; }
teardown() { test_end; }

# ---- settings that can't be used ------------------------------------------------------------------------------------

# settings_file LINE...: in a file that names Slack's webhook first
settings_file() {
    printf '%s\n' "SFB_SLACK_WEBHOOK_URL=$HOOK/slack" "$@" >"$T/sfb.env"
    chmod 600 "$T/sfb.env"
}

@test "a run that its settings file stops is told by what the file says all the same, on either side of what is wrong" {
    settings_file 'SFB_JBOS=2' "SFB_WEBHOOK_URL=$HOOK/mine"
    run -6 sfb backup --local-only --config "$T/sfb.env"
    mentions "$(slack_text)" '*Database Backup Failed*' 'Environment: production' "Error: $T/sfb.env, line 2: there is no setting SFB_JBOS" \
        '*Action Required*: Did you mean SFB_JOBS?'
    same '[6, "production"]' "$(hook_body /mine | json '[x["run"]["exit_code"], x["run"]["environment"]]')"
    same 6 "$(tail -n 1 "$SFB_STATE_DIR/history.jsonl" | json 'x["exit_code"]')"
    settings_file 'this is no setting'
    STAGING_DATABASE_URL=$NOWHERE run -7 sfb restore --force --config "$T/sfb.env" "$T/none.dump"
    mentions "$(slack_text)" '*Database Restore Failed*' 'Environment: staging' 'line 2 is no NAME=VALUE'
    sed -i '$d' "$T/sfb.env"
    run -0 sfb backup --local-only --config "$T/sfb.env"
    mentions "$(slack_text)" '*Database Backup Recovered*'
}

@test "a run that a setting's value stops is told: a number that is none, a name that can't be, a directory that can't be used" {
    with_slack
    SFB_JOBS=many run -6 sfb backup --local-only
    mentions "$(slack_text)" 'Error: SFB_JOBS is "many"' 'Environment: production'
    SFB_APP=../etc run -6 sfb backup --local-only
    mentions "$(slack_text)" 'Error: SFB_APP is "../etc"'
    : >"$T/file"
    SFB_WORK_DIR=$T/file/work run -6 sfb backup --local-only
    mentions "$(slack_text)" 'Error: SFB_WORK_DIR: '
    SFB_STATE_DIR=$T/file/state run -6 sfb backup --local-only
    mentions "$(slack_text)" 'Error: SFB_STATE_DIR: ' "*Action Required*: Create $T/file/state"
    SFB_JOBS=many run -7 sfb drill
    mentions "$(slack_text)" '*Restore Test Failed*' 'SFB_JOBS'
    [ "$(hook_count /slack)" = 5 ]
}

@test "a settings file that is not there, or that others may write, is told by the environment alone" {
    export SFB_SLACK_WEBHOOK_URL=$HOOK/mine SFB_HEARTBEAT_URL=$HOOK/ping
    run -6 sfb backup --local-only --config "$T/none.env"
    same 'GET /ping/fail
POST /mine' "$(hook_log | sort)"
    mentions "$(hook_body /mine)" "$T/none.env"
    unset SFB_SLACK_WEBHOOK_URL SFB_HEARTBEAT_URL
    settings_file
    chmod 666 "$T/sfb.env"
    run -6 sfb backup --local-only --config "$T/sfb.env"
    mentions "$output" 'everybody may write to it'
    [ "$(hook_count /slack)" = 0 ]
}

@test "whoever sits there and reads that the settings are wrong is not told again" {
    with_slack
    SFB_JOBS=many run -6 script -qec "$SFB backup --local-only" /dev/null
    mentions "$output" 'SFB_JOBS is "many"'
    [ -z "$(hook_log)" ]
}

# ---- for a service manager ------------------------------------------------------------------------------------------

@test "sfb alert --failed tells of a unit by each channel and ends with 0, whatever directories can't be used" {
    export SFB_WEBHOOK_URL=$HOOK/mine
    with_slack
    at '2025-10-23 02:00:15'
    : >"$T/file"
    SFB_CACHE_DIR=$T/file/x SFB_WORK_DIR=$T/file/x SFB_STATE_DIR=$T/file/x run -0 sfb alert --failed shop-backup.service --reason 'result oom-kill, killed KILL'
    same "*Scheduled Run Failed*

Unit: shop-backup.service
Error: result oom-kill, killed KILL
Time: 2025-10-23 02:00:15 UTC
Host: $(uname -n)

*Action Required*: Look why: journalctl -u shop-backup.service" "$(slack_text)"
    same '["failed", "❌ shop-backup.service failed"]' "$(hook_body /mine | json '[x["event"], x["headline"]]' | python3 -c 'import sys; print(sys.stdin.read().encode().decode("unicode-escape"), end="")')"
}

@test "sfb alert --failed ends with 1 when not every channel took it, which the next run makes up for, and with 7 when there is none" {
    run -7 sfb alert --failed shop-backup.service
    mentions "$output" 'no channel is configured'
    with_slack
    export SFB_WEBHOOK_URL=$HOOK/mine
    hook_rules '[{"path": "/slack", "status": 403}]'
    run -1 sfb alert --failed shop-backup.service
    mentions "$output" 'answers 403' 'not every channel took it'
    hook_rules '[]'
    good_backup
    same 'POST /slack
POST /mine
POST /slack' "$(hook_log)"
    mentions "$(slack_text)" 'Unit: shop-backup.service' 'ended before it could tell why'
    run -7 sfb alert --failed shop-backup.service --test
    run -7 sfb alert --reason why
}
