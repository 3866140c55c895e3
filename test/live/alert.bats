#!/usr/bin/env bats
# alert.bats - who is told what when a run fails, or works again; and that telling changes nothing.

bats_require_minimum_version 1.5.0
load harness
load alert-tools

setup_file() { file_begin; alert_begin; pg_start; db_new shop; sql shop "CREATE TABLE t AS SELECT generate_series(1, 10) AS n"; }
teardown_file() { alert_end; file_end; }
setup() { test_begin; alert_fresh; PRODUCTION_DATABASE_URL=$(db_url shop); export PRODUCTION_DATABASE_URL; }
teardown() { test_end; }

broken_backup() { PRODUCTION_DATABASE_URL=$NOWHERE run -1 sfb backup --local-only; }

# ---- what is told ---------------------------------------------------------------------------------------------------

@test "a failed backup is told in Slack with the contract's blocks and words" {
    with_slack
    at '2025-10-23 02:00:15'
    broken_backup
    [ "$(hook_log)" = "POST /slack" ]
    [ "$(hook_read /slack Content-Type)" = application/json ]
    hook_body /slack >"$T/body"
    same '["text", "blocks"]' "$(json 'list(x)' <"$T/body")"
    same '❌ Database backup failed' "$(json 'x["text"]' <"$T/body")"
    same '[["type", "text"], "section", ["type", "text"], "mrkdwn", 1]' "$(json '[list(x["blocks"][0]),
        x["blocks"][0]["type"], list(x["blocks"][0]["text"]), x["blocks"][0]["text"]["type"], len(x["blocks"])]' <"$T/body")"
    error=$(sed -n 's/^❌ //p' <<<"$output")
    hint=$(sed -n '/^❌ /{n;s/^   //p}' <<<"$output")
    same "*Database Backup Failed*

Environment: production
Error: $error
Time: 2025-10-23 02:00:15 UTC

*Action Required*: ${hint^}" "$(slack_text)"
}

@test "where blocks are not shown, all of it is in the text" {
    with_slack
    SFB_SLACK_FORMAT=text broken_backup
    hook_body /slack >"$T/body"
    same '["text"]' "$(json 'list(x)' <"$T/body")"
    mentions "$(json 'x["text"]' <"$T/body")" '❌ Database backup failed' 'Environment: production' 'Error: ' '*Action Required*: '
}

@test "a restore, verification, pruning or drill that fails is told in the same manner" {
    with_slack
    good_backup
    file=$(ls "$CACHE"/backup-*.dump)
    export STAGING_DATABASE_URL=$NOWHERE
    run -3 sfb restore --force "$file"
    mentions "$(slack_text)" '*Database Restore Failed*' 'Environment: staging' 'Error: can'
    cp "$file" "$T/damaged.dump"
    printf x | dd of="$T/damaged.dump" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
    run -2 sfb verify "$T/damaged.dump"
    mentions "$(slack_text)" '*Backup Verification Failed*' 'damaged.dump'
    SFB_BUCKET=file://$T/none run ! sfb prune
    mentions "$(slack_text)" '*Backup Pruning Failed*' '*Action Required*: '
    run -3 sfb drill
    mentions "$(slack_text)" '*Restore Test Failed*' '*Action Required*: '
    [ "$(hook_log)" = "$(printf 'POST /slack\n%.0s' 1 2 3 4)" ]
}

@test "a drill that fails names its report: in Slack, in JSON, and in a mail's text and HTML" {
    with_slack
    mail_start report
    export SFB_WEBHOOK_URL=$HOOK/mine SFB_SMTP_URL=smtp://localhost:$MAIL_PORT SFB_ALERT_TO=ops@example.com
    export STAGING_DATABASE_URL=$PRODUCTION_DATABASE_URL SFB_BUCKET=file://$T/store
    mkdir "$T/store"
    good_backup
    cp "$CACHE"/backup-*.dump "$T/damaged.dump"
    printf x | dd of="$T/damaged.dump" bs=1 seek=$(($(stat -c %s "$T/damaged.dump") / 2)) conv=notrunc status=none
    run -2 sfb drill "$T/damaged.dump"
    page=$(the_file "$T/store/production/reports" 'drill-*-failed-*.html')
    here=$SFB_STATE_DIR/reports/production/$(basename "$page")
    [ -f "$here" ]
    mentions "$(slack_text)" "
Report: file://$page
" '*Action Required*'
    silent "$(slack_text)" "$here" # a second address belongs into the details
    same "[\"file://$page\", \"$here\"]" "$(hook_body /mine | json '[x["run"]["report"], x["run"]["report_path"]]')"
    same "{\"Report\": \"file://$page\", \"Report File\": \"$here\"}" \
        "$(hook_body /mine | json '{f["name"]: f["value"] for f in x["fields"] if "Report" in f["name"]}')"
    mail_check report "
for part in m.iter_parts():
    assert 'file://$page' in part.get_content() and '$here' in part.get_content(), part.get_content()"
    alert_stop report
}

@test "what did nothing is not told: usage, a refusal, another run at work" {
    with_slack
    good_backup
    run -6 sfb backup --compression 10
    run -6 sfb backup --environment nowhere
    run -6 sfb restore -e production "$(ls "$CACHE"/backup-*.dump)" </dev/null
    run -0 sfb prune --dry-run --local-only
    [ -z "$(hook_log)" ]
}

@test "a webhook of one's own gets the run as JSON, signed" {
    export SFB_WEBHOOK_URL=$HOOK/mine SFB_WEBHOOK_SECRET=key-for-signing
    at '2025-10-23 02:00:15'
    broken_backup
    hook_body /mine >"$T/body"
    same '[1, "failed", "2025-10-23T02:00:15Z", "❌ Database backup failed", "Database Backup Failed"]' \
        "$(json '[x["version"], x["event"], x["time"], x["headline"], x["title"]]' <"$T/body" | python3 -c 'import sys; print(sys.stdin.read().encode().decode("unicode-escape"), end="")')"
    same '["backup", "production", 1]' "$(json '[x["run"]["kind"], x["run"]["environment"], x["run"]["exit_code"]]' <"$T/body")"
    same "$(sed -n 's/^❌ //p' <<<"$output")" "$(json 'x["run"]["error"]' <"$T/body")"
    [[ $(json 'x["id"]' <"$T/body") =~ ^[0-9a-f]{32}$ ]]
    same "sha256=$(openssl dgst -sha256 -hmac "$SFB_WEBHOOK_SECRET" -r <"$T/body" | cut -d' ' -f1)" "$(hook_read /mine X-Sfb-Signature-256)"
}

@test "without a secret nothing is signed" {
    SFB_WEBHOOK_URL=$HOOK/mine broken_backup
    [ "$(hook_count /mine)" = 1 ]
    [ -z "$(hook_read /mine X-Sfb-Signature-256)" ]
}

@test "a backup that a signal ends is told" {
    with_slack
    hold_lock shop t
    sfb_start backup --local-only
    dump_waits
    kill -TERM "$PID"
    sfb_wait
    release_locks
    [ "$status" = 143 ]
    mentions "$(slack_text)" '*Database Backup Failed*' 'SIGTERM'
}

@test "a run that was killed is told by whoever looks next, be it status, and once" {
    with_slack
    hold_lock shop t
    sfb_start backup --local-only
    dump_waits
    kill -KILL "$PID"
    sfb_wait
    no_children
    release_locks
    run -2 sfb status --local-only
    run -2 sfb status --local-only
    [ "$(hook_count /slack)" = 1 ]
    mentions "$(slack_text)" '*Database Backup Failed*' 'Error: it ended without a word: it was killed'
    good_backup
    [ "$(hook_count /slack)" = 2 ]
    mentions "$(slack_text)" '*Database Backup Recovered*'
}

# ---- once, again, and no more ---------------------------------------------------------------------------------------

@test "the same failure is told once a day, another one at once" {
    with_slack
    at '2025-10-23 02:00:15'
    broken_backup
    at '2025-10-24 02:00:14'
    broken_backup
    [ "$(hook_count /slack)" = 1 ]
    PRODUCTION_DATABASE_URL=$(db_url none) run -1 sfb backup --local-only
    [ "$(hook_count /slack)" = 2 ]
    at '2025-10-24 02:00:16'
    broken_backup
    [ "$(hook_count /slack)" = 3 ]
    mentions "$(slack_text)" 'Failing Since: 2025-10-23 02:00:15 UTC (3 runs)'
}

@test "SFB_ALERT_REPEAT_HOURS=0 tells every failure" {
    with_slack
    for _ in 1 2 3; do SFB_ALERT_REPEAT_HOURS=0 broken_backup; done
    [ "$(hook_count /slack)" = 3 ]
}

@test "that it works again is told once" {
    with_slack
    good_backup
    [ "$(hook_count /slack)" = 0 ]
    broken_backup
    good_backup
    [ "$(hook_count /slack)" = 2 ]
    same '✅ Database backup works again' "$(hook_body /slack | json 'x["text"]')"
    mentions "$(slack_text)" '*Database Backup Recovered*' 'Environment: production' 'Had Failed Since: '
    good_backup
    [ "$(hook_count /slack)" = 2 ]
    broken_backup
    [ "$(hook_count /slack)" = 3 ]
}

@test "staging's success is no recovery of production" {
    with_slack
    broken_backup
    STAGING_DATABASE_URL=$(db_url shop) run -0 sfb backup --local-only -e staging
    [ "$(hook_count /slack)" = 1 ]
}

@test "without a state directory every failure is told" {
    with_slack
    export SFB_STATE_DIR=
    broken_backup
    broken_backup
    [ "$(hook_count /slack)" = 2 ]
}

@test "a state file that is garbage is begun anew, with a warning" {
    with_slack
    echo 'this is no JSON' >"$SFB_STATE_DIR/alerts.json"
    broken_backup
    mentions "$output" 'alerts.json can'
    broken_backup
    [ "$(hook_count /slack)" = 1 ]
}

@test "two runs that fail at once are both told, and both remembered" {
    with_slack
    PRODUCTION_DATABASE_URL=$NOWHERE sfb backup --local-only >/dev/null 2>&1 3>&- &
    STAGING_DATABASE_URL=$NOWHERE sfb backup --local-only -e staging >/dev/null 2>&1 3>&- &
    wait
    [ "$(hook_count /slack)" = 2 ]
    same '["backup production", "backup staging"]' "$(json 'sorted(t["condition"] for t in x["told"])' <"$SFB_STATE_DIR/alerts.json")"
}

# ---- what is not delivered ------------------------------------------------------------------------------------------

@test "an alert that nobody takes changes no exit code, and is kept for the next run" {
    with_slack
    export SFB_WEBHOOK_URL=$HOOK/mine
    hook_rules '[{"path": "/slack", "status": 404, "body": "no_service"}]'
    broken_backup
    mentions "$output" 'could not be sent by Slack: localhost' 'answers 404: no_service' 'tried again when the next run ends'
    [ "$(hook_count /slack)" = 1 ] # what is refused is not asked for again at once
    [ "$(hook_count /mine)" = 1 ]
    hook_rules '[]'
    broken_backup # the same failure is not told again, but what waited is
    [ "$(hook_count /slack)" = 2 ]
    [ "$(hook_count /mine)" = 1 ]
    same "$(hook_body /slack 1)" "$(hook_body /slack 2)"
    broken_backup
    [ "$(hook_count /slack)" = 2 ]
}

@test "what waits is sent in its order when a run goes well, before the recovery" {
    with_slack
    hook_rules '[{"path": "/slack", "status": 403}]'
    broken_backup
    hook_rules '[]'
    good_backup
    [ "$(hook_count /slack)" = 3 ]
    mentions "$(slack_text 2)" 'Database Backup Failed'
    mentions "$(slack_text 3)" 'Database Backup Recovered'
}

@test "a backup is a success whatever becomes of its alerts" {
    export SFB_SLACK_WEBHOOK_URL=https://localhost:1/services/T/B/X SFB_HEARTBEAT_URL=https://localhost:1/uuid
    export SFB_SMTP_URL=smtp://nowhere.invalid SFB_ALERT_TO=no-address
    good_backup
    mentions "$output" 'Backup completed successfully' "the heartbeat's monitor was not reached"
}

@test "a server in trouble is asked again, one that says when is asked then" {
    with_slack
    hook_rules '[{"path": "/slack", "status": 503, "times": 2}]'
    broken_backup
    [ "$(hook_count /slack)" = 3 ]
    silent "$output" 'could not be sent'
    alert_fresh
    hook_rules '[{"path": "/slack", "status": 429, "times": 1, "headers": {"Retry-After": "1"}}]'
    PRODUCTION_DATABASE_URL=$(db_url none) run -1 sfb backup --local-only
    [ "$(hook_count /slack)" = 2 ]
    silent "$output" 'could not be sent'
}

@test "a success whose body says otherwise is none: an error's name, a proxy's page" {
    with_slack
    hook_rules '[{"path": "/slack", "status": 200, "body": "invalid_payload\n"}]'
    broken_backup
    mentions "$output" 'could not be sent by Slack' 'answers 200: invalid_payload'
    hook_rules '[{"path": "/slack", "status": 200, "body": "\n<!DOCTYPE html><title>Log in</title>"}]'
    broken_backup
    mentions "$output" 'could not be sent by Slack' 'answers 200'
    for body in ok '' 1 '{"success":true}'; do
        alert_fresh
        hook_rules "[{\"path\": \"/slack\", \"status\": 200, \"body\": $(printf '%s' "$body" | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read()))')}]"
        SFB_ALERT_REPEAT_HOURS=0 broken_backup
        silent "$output" 'could not be sent'
        [ "$(hook_count /slack)" -ge 1 ]
    done
}

@test "one that says to come back tomorrow is not waited for" {
    with_slack
    hook_rules '[{"path": "/slack", "status": 429, "headers": {"Retry-After": "86400"}}]'
    broken_backup
    [ "$(hook_count /slack)" = 1 ]
    mentions "$output" 'answers 429'
}

@test "an alert that was being sent when sfb was killed is sent again under its id" {
    export SFB_WEBHOOK_URL=$HOOK/mine
    hook_rules '[{"path": "/mine", "hang": true}]'
    PRODUCTION_DATABASE_URL=$NOWHERE sfb_start backup --local-only
    wait_for 20 grep -q mine "$ALERTS/hook.log"
    kill -9 "$PID"
    sfb_wait
    hook_rules '[]'
    broken_backup
    [ "$(hook_count /mine)" = 2 ]
    same "$(hook_body /mine 1 | json 'x["id"]')" "$(hook_body /mine 2 | json 'x["id"]')"
}

@test "a signal is obeyed soon, whoever hangs" {
    with_slack
    hook_rules '[{"path": "/slack", "hang": true}]'
    hold_lock shop t
    sfb_start backup --local-only
    dump_waits
    kill -TERM "$PID"
    sfb_wait 25
    release_locks
    [ "$status" = 143 ]
    # shellcheck disable=SC2154 # sfb_wait sets it
    mentions "$stderr" 'could not be sent by Slack'
}

# ---- the heartbeat --------------------------------------------------------------------------------------------------

@test "the heartbeat is heard when a backup begins, and when it is verified" {
    export SFB_HEARTBEAT_URL=$HOOK/ping/0c1f
    good_backup
    same 'GET /ping/0c1f/start
GET /ping/0c1f' "$(hook_log)"
}

@test "a monitor that hangs, is closed or refuses keeps no backup from being made, and is warned about" {
    export SFB_HEARTBEAT_URL=$HOOK/ping
    hook_rules '[{"path": "/ping", "hang": true}]'
    SFB_TEST_TIMEOUT=100 run -0 sfb backup --local-only
    mentions "$output" 'Backup completed successfully' "the heartbeat's monitor was not reached"
    [ "$(grep -c "the heartbeat's monitor was not reached" <<<"$output")" = 2 ] # at the beginning, and at the end
    hook_rules '[{"path": "/ping", "status": 410}]'
    run -0 sfb backup --local-only
    mentions "$output" 'Backup completed successfully' 'answers 410'
}

@test "a failed backup's heartbeat says so" {
    export SFB_HEARTBEAT_URL=$HOOK/ping/0c1f
    broken_backup
    same 'GET /ping/0c1f/start
GET /ping/0c1f/fail' "$(hook_log)"
}

@test "a backup that did not get into the store is no success for the heartbeat" {
    export SFB_HEARTBEAT_URL=$HOOK/ping/0c1f
    export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_REGION=us-east-1 AWS_ENDPOINT_URL=https://localhost:1
    SFB_S3_RETRY_SECONDS=0 run -3 sfb backup
    same 'GET /ping/0c1f/start
GET /ping/0c1f/fail' "$(hook_log)"
}

@test "a URL with a query is asked for on success alone; other URLs are as they are named" {
    export SFB_HEARTBEAT_URL="$HOOK/push/x?status=up"
    broken_backup
    [ -z "$(hook_log)" ]
    SFB_HEARTBEAT_FAIL_URL="$HOOK/push/x?status=down" broken_backup
    good_backup
    same 'GET /push/x?status=down
GET /push/x?status=up' "$(hook_log)"
    alert_fresh
    SFB_HEARTBEAT_URL=$HOOK/ping SFB_HEARTBEAT_START_URL=none SFB_HEARTBEAT_FAIL_URL=none broken_backup
    [ -z "$(hook_log)" ]
}

@test "the heartbeat is of production's backups, or of what SFB_HEARTBEAT_RUNS names" {
    export SFB_HEARTBEAT_URL=$HOOK/ping STAGING_DATABASE_URL
    STAGING_DATABASE_URL=$(db_url shop)
    run -0 sfb backup --local-only -e staging
    [ -z "$(hook_log)" ]
    SFB_HEARTBEAT_RUNS=backup:staging,verify run -0 sfb backup --local-only -e staging
    SFB_HEARTBEAT_RUNS=backup:staging,verify run -0 sfb verify "$(ls "$CACHE"/backup-*.dump | head -n 1)"
    same 'GET /ping/start
GET /ping
GET /ping/start
GET /ping' "$(hook_log)"
}

# ---- trust and secrets ----------------------------------------------------------------------------------------------

@test "a webhook whose certificate nobody vouches for is told nothing" {
    with_slack
    unset SSL_CERT_FILE
    broken_backup
    mentions "$output" 'not from an authority known here' 'SSL_CERT_FILE'
    [ -z "$(hook_log)" ]
    run -1 sfb alert --test
    mentions "$output" '❌ Slack (localhost:' 'name a bundle with the authority'
}

@test "plain http is for this host alone" {
    SFB_SLACK_WEBHOOK_URL=http://hooks.example.com/services/secret-way broken_backup
    mentions "$output" 'SFB_SLACK_WEBHOOK_URL: hooks.example.com would be spoken to without encryption'
    silent "$output" secret-way
}

@test "a name from a database forges no link, calls nobody and breaks out of no markup" {
    with_slack
    mail_start names
    export SFB_SMTP_URL=smtp://localhost:$MAIL_PORT SFB_ALERT_TO=ops@example.com SFB_WEBHOOK_URL=$HOOK/mine
    name=$'<!channel>\r\nBcc: e@x.yz\r\n\xff <https://x.yz|x> & <script>' # a name has 63 bytes
    PRODUCTION_DATABASE_URL="$(db_url shop | sed 's|/shop.*||')/$(python3 -c 'import os, sys, urllib.parse; print(urllib.parse.quote(os.fsencode(sys.argv[1]), safe=""))' "$name")"
    run -1 sfb backup --local-only
    mentions "$(slack_text)" '&lt;!channel&gt;' 'Bcc: e@x.yz' '&lt;https://x.yz|x&gt; &amp; &lt;script&gt;'
    same 7 "$(slack_text | wc -l)" # as many lines as ever
    silent "$(slack_text)" '<'
    same '["Application", "Duration", "Environment", "Error", "Exit Code", "Host", "Time", "User"]' \
        "$(hook_body /mine | json 'sorted(f["name"] for f in x["fields"])')"
    mail_check names '
assert m["To"] == "ops@example.com" and m["Bcc"] is None and e["to"] == ["ops@example.com"], e
text, html = m.iter_parts()
assert "<script" not in html.get_content() and "&amp; &lt;script&gt;" in html.get_content()
assert "<!channel>" in text.get_content()'
    alert_stop names
}

@test "no secret is in anything that sfb says, keeps or sends" {
    local secrets=(hunter22 swordfish-4711 T0SECRET-0001 T0SECRET-0002 T0SECRET-0003 mail-secret sign-secret)
    export SFB_SLACK_WEBHOOK_URL=$HOOK/T0SECRET-0001 SFB_WEBHOOK_URL=$HOOK/T0SECRET-0002 SFB_HEARTBEAT_URL=$HOOK/T0SECRET-0003
    mail_start refusing --login me:another
    export SFB_SMTP_URL=smtp://localhost:$MAIL_PORT SFB_SMTP_USER=me SFB_SMTP_PASSWORD=mail-secret SFB_ALERT_TO=ops@example.com
    export SFB_WEBHOOK_SECRET=sign-secret
    hook_rules '[{"path": "T0SECRET-0001", "status": 404, "body": "Cannot POST T0SECRET-0001 mail-secret"}]'
    run sfb backup --local-only -v
    PRODUCTION_DATABASE_URL=$NOWHERE run -1 sfb backup --local-only -v
    said=$output
    PRODUCTION_DATABASE_URL="host=127.0.0.1 port=1 dbname=shop password=hunter22" run -1 sfb backup --local-only -v
    said+=$output
    run -1 sfb alert --test -v
    said+=$output
    run sfb config
    said+=$output
    unset SFB_SLACK_WEBHOOK_URL
    PRODUCTION_DATABASE_URL=$(db_url none) run -1 sfb backup --local-only
    said+=$output
    [ "$(hook_count /T0SECRET-0002)" -ge 3 ]
    alert_stop refusing
    for secret in "${secrets[@]}"; do
        silent "$said" "$secret"
        grep -rF -- "$secret" "$SFB_STATE_DIR" "$SFB_LOG_DIR" && return 1
        python3 -c 'import json, sys
for line in open(sys.argv[1]): print(json.loads(line)["body"])' "$ALERTS/hook.log" | grep -F -- "$secret" && return 1
    done
    true
}

# ---- trying it out --------------------------------------------------------------------------------------------------

@test "sfb alert --test sends one by each channel and says so" {
    export SFB_SLACK_WEBHOOK_URL=$HOOK/slack SFB_WEBHOOK_URL=$HOOK/mine SFB_HEARTBEAT_URL=$HOOK/ping
    run -0 sfb alert --test
    same "🔔 Sending a test alert by each channel...
✅ Slack (${HOOK#https://}): delivered
➖ mail: not configured
✅ webhook (${HOOK#https://}): delivered
✅ heartbeat (${HOOK#https://}): it has answered; the test counts as a success there" "$output"
    same 'GET /ping
POST /mine
POST /slack' "$(hook_log | sort)"
    mentions "$(slack_text)" '*Test Alert*' 'Host: ' 'Time: '
    same test "$(hook_body /mine | json 'x["event"]')"
    [ -z "$(ls "$SFB_STATE_DIR")" ]
}

@test "sfb alert --test ends with 1 when a channel does not deliver, with 7 when there is none" {
    run -7 sfb alert --test
    mentions "$output" 'no channel is configured'
    run -7 sfb alert
    export SFB_SLACK_WEBHOOK_URL=$HOOK/slack SFB_WEBHOOK_URL=$HOOK/mine
    hook_rules '[{"path": "/slack", "status": 410, "body": "channel_is_archived"}]'
    run -1 sfb alert --test
    mentions "$output" 'answers 410: channel_is_archived' 'is SFB_SLACK_WEBHOOK_URL still the URL' '✅ webhook' '1 of 2 channels'
}

@test "Ctrl-C ends a test, whoever hangs" {
    with_slack
    hook_rules '[{"path": "/slack", "hang": true}]'
    sfb_start alert --test
    wait_for 20 grep -q slack "$ALERTS/hook.log"
    kill -INT "$PID"
    sfb_wait 10
    [ "$status" = 130 ]
}

@test "settings of alerts that can't be used are found by sfb config --check" {
    run -0 sfb config --check
    SFB_SLACK_WEBHOOK_URL=hooks.slack.com/x run -6 sfb config --check
    mentions "$output" 'SFB_SLACK_WEBHOOK_URL is no URL of a webhook'
    SFB_SLACK_FORMAT=html SFB_SLACK_WEBHOOK_URL=$HOOK/slack run -6 sfb config --check
    SFB_SMTP_URL=smtp://mail.example.com run -6 sfb config --check
    mentions "$output" 'SFB_ALERT_TO is not'
    SFB_SMTP_URL=smtp://mail.example.com SFB_ALERT_TO='a b' run -6 sfb config --check
    SFB_SMTP_URL=mail.example.com SFB_ALERT_TO=a@b.c run -6 sfb config --check
    SFB_SMTP_URL=smtp://mail.example.com SFB_SMTP_TLS=yes SFB_ALERT_TO=a@b.c run -6 sfb config --check
    SFB_ALERT_REPEAT_HOURS=soon run -6 sfb config --check
    SFB_HEARTBEAT_RUNS=backups run -6 sfb config --check
}

# ---- digests --------------------------------------------------------------------------------------------------------

@test "the daily digest is sent when something needs attention, and only then" {
    with_slack
    export SFB_DRILL_DAYS=0
    good_backup
    run -0 sfb status --digest daily --local-only
    mentions "$output" 'there is nothing to tell'
    [ -z "$(hook_log)" ]
    SFB_DRILL_DAYS=36 run -0 sfb status --digest daily --local-only
    mentions "$output" 'Sent: Daily Backup Digest'
    mentions "$(slack_text)" '*Daily Backup Digest*' 'Environment: production' 'Newest proven backup: warning: there is none' '*Action Required*: '
    same '⚠️ Database backups need attention' "$(hook_body /slack | json 'x["text"]')"
}

@test "the weekly summary is sent in any case" {
    export SFB_WEBHOOK_URL=$HOOK/mine SFB_DRILL_DAYS=0
    good_backup
    run -0 sfb status --digest weekly --local-only
    same summary "$(hook_body /mine | json 'x["event"]')"
    same '✅ Database backups of the week: 1 of 1 successful' "$(hook_body /mine | json 'x["headline"]')"
    same '["Backups", "1 of 1 successful"]' "$(hook_body /mine | json '[[f["name"], f["value"]] for f in x["fields"] if f["name"] == "Backups"][0]')"
}

@test "a digest that is not delivered is a failure, and goes with the next run" {
    with_slack
    hook_rules '[{"path": "/slack", "status": 404}]'
    run -3 sfb status --digest weekly --local-only
    mentions "$output" 'answers 404' 'not every channel took it'
    hook_rules '[]'
    good_backup
    [ "$(hook_count /slack)" = 2 ]
    mentions "$(slack_text)" '*Weekly Backup Summary*'
}

@test "a digest without a channel, or of another word, is refused" {
    run -3 sfb status --digest daily --local-only
    mentions "$output" 'there is no channel'
    run -3 sfb status --digest monthly --local-only
    mentions "$output" 'daily or weekly'
    run -3 sfb status --digest daily --json
}
