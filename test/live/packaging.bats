#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# packaging.bats - what make install puts beside the binary: units, timers, cron's files, policies. Each is read by the tool that
# will read it, and run where that can be done.
load harness

setup_file() {
    file_begin
    export D=$ROOT/dest
    installed "$D" /usr/local signupflow
}
teardown_file() { file_end; }
setup() { test_begin; }
teardown() { test_end; }

# installed DESTDIR PREFIX APP: as make install does, with the binary that is tested
installed() {
    DESTDIR=$1 PREFIX=$2 SYSCONFDIR=/etc APP=$3 "$TOP/packaging/install.sh"
    mkdir -p "$1$2/bin"
    cp "$SFB" "$1$2/bin/sfb"
    "$1$2/bin/sfb" --install "$1$2/bin" >/dev/null
}
need() { command -v "$1" >/dev/null || skip "$1 is not installed: test/deps.sh"; }
units() { echo "$D"/usr/local/lib/systemd/system/*."$1"; }
# The settings of a unit file, one a line, comments gone: NAME=VALUE
unit_lines() { grep -E '^[A-Za-z]+=' "$1"; }

# ---- installing -------------------------------------------------------------------------------------------------------

@test "make install calls what this file tests" {
    run -0 make -C "$TOP" -n install DESTDIR=/d PREFIX=/p APP=shop V=/nonexistent
    has "$output" "DESTDIR='/d' PREFIX='/p' SYSCONFDIR='/etc' APP='shop' packaging/install.sh"
}

@test "installing schedules nothing: nothing goes where cron looks, and no timer is enabled" {
    [ ! -e "$D/etc/cron.d" ]
    [ -z "$(find "$D" -name '*.wants')" ]
    [ "$(cd "$D/etc" && find . -type f)" = ./logrotate.d/signupflow ]
}

@test "one variable changes every name" {
    installed "$T/other" /opt/sfb shop.v2
    [ -z "$(grep -rIl --exclude-dir=bin -i signupflow "$T/other")" ]
    [ -z "$(find "$T/other" -name '*signupflow*')" ]
    [ -f "$T/other/opt/sfb/lib/systemd/system/shop.v2-backup.timer" ]
    has "$(cat "$T/other/opt/sfb/lib/systemd/system/shop.v2-backup.service")" '^ExecStart=/opt/sfb/bin/sfb backup '
    has "$(cat "$T/other/opt/sfb/lib/systemd/system/shop.v2-backup.service")" '^Environment=SFB_APP=shop\.v2 '
    [ -z "$(grep -rIl --exclude-dir=bin /usr/local "$T/other")" ]
}

@test "a name that could do harm is refused" {
    for name in 'a b' 'a/b' 'a|b' "a'b" ''; do
        DESTDIR=$T/none APP=$name run -1 "$TOP/packaging/install.sh"
    done
    [ ! -e "$T/none" ]
}

# ---- systemd ----------------------------------------------------------------------------------------------------------

@test "systemd finds nothing wrong with the units" {
    need systemd-analyze
    installed "" "$T/prefix" signupflow 2>/dev/null || skip "not as this user" # ExecStart must exist where the unit says
    mkdir "$T/etc"
    export SYSTEMD_UNIT_PATH=$T/prefix/lib/systemd/system:
    for unit in "$T"/prefix/lib/systemd/system/*.service "$T"/prefix/lib/systemd/system/*.timer; do
        unit=${unit/@./@daily.}
        run -0 --separate-stderr systemd-analyze verify --man=no --recursive-errors=no "$unit"
        [ -z "$output$stderr" ] || { echo "$unit: $output$stderr"; false; }
    done
}

@test "what a service could do to the host counts less than 2.5 of 10" {
    need systemd-analyze
    for unit in $(units service); do
        run -0 systemd-analyze security --offline=true --threshold=25 "$unit"
    done
}

@test "every service has the same sandbox" {
    for unit in $(units service); do
        sed -n '/^# What it may do/,$p' "$unit" | sha256sum
    done | sort -u >"$T/sums"
    [ "$(wc -l <"$T/sums")" = 1 ]
    [ "$(sed -n '/^# What it may do/,$p' "$(units service | cut -d ' ' -f 1)" | wc -l)" -gt 20 ]
}

# starts CALENDAR COUNT: when it elapses, from 2025-01-01 on
starts() {
    TZ=UTC systemd-analyze calendar --iterations="$2" --base-time='2024-12-31 23:59:59 UTC' "$1" |
        sed -n 's/.*\(Next elapse\|Iter\. #[0-9]*\): [A-Z][a-z]* \(.*\)/\2/p'
}

@test "the timers elapse when the contract says" {
    need systemd-analyze
    calendar() { unit_lines "$D/usr/local/lib/systemd/system/signupflow-$1.timer" | sed -n 's/^OnCalendar=//p'; }
    [ "$(starts "$(calendar backup)" 3)" = '2025-01-01 02:00:00 UTC
2025-01-02 02:00:00 UTC
2025-01-03 02:00:00 UTC' ]
    starts "$(calendar restore-test)" 36 >"$T/drills"
    python3 - >"$T/expected" <<'END'
import datetime
for month in range(36):
    day = datetime.date(2025 + month // 12, month % 12 + 1, 1)
    while day.isoweekday() != 7:
        day += datetime.timedelta(1)
    print(f"{day} 04:00:00 UTC")
END
    diff "$T/expected" "$T/drills"
}

@test "a timer makes up for a night that the host was off, and hosts do not all begin in the same second" {
    for unit in $(units timer); do
        has "$(cat "$unit")" '^Persistent=yes$'
        has "$(cat "$unit")" '^RandomizedDelaySec=[1-9]'
        has "$(cat "$unit")" '^WantedBy=timers.target$'
    done
}

@test "the failure of every service is told" {
    for unit in $(units service); do
        [ "${unit%-failed@.service}" = "$unit" ] || continue
        has "$(cat "$unit")" '^OnFailure=signupflow-failed@%n\.service$'
    done
}

# What the schedules run, without the settings file: "backup --environment production"
commands() {
    sed -n 's/^ExecStart=[^ ]*sfb \(.*\) --config .*/\1/p' "$D"/usr/local/lib/systemd/system/*.service
    sed -n 's/.* sfb sfb \(.*\) >> .*/\1/p; s/.*|| sfb \(.*\) >> .*/\1/p' "$D"/usr/local/share/sfb/cron.d/*
}

@test "sfb knows every command and option that the schedules use" {
    [ "$(commands | wc -l)" -ge 8 ]
    while read -r applet words; do
        run -0 "$SFB" "$applet" --help
        for word in $words; do
            case $word in --*) has "$output" "(^|[ ,])$word( |\$)" ;; esac
        done
    done < <(commands | sort -u)
}

@test "the user and the directories are made" {
    need systemd-sysusers
    need systemd-tmpfiles
    is_root || skip "needs root"
    mkdir -p "$T/root/etc" "$T/root/var/log"
    cp -r "$D/usr" "$T/root/"
    echo 'adm:x:4:' >"$T/root/etc/group"
    systemd-sysusers --root="$T/root" "$T/root/usr/local/lib/sysusers.d/sfb.conf"
    grep '^sfb:' "$T/root/etc/passwd" | grep -q ':/var/lib/signupflow:.*nologin$'
    systemd-tmpfiles --root="$T/root" --create "$T/root/usr/local/lib/tmpfiles.d/signupflow.conf"
    uid=$(grep '^sfb:' "$T/root/etc/passwd" | cut -d: -f3)
    [ "$(cd "$T/root/var" && find lib/signupflow backups/signupflow log -mindepth 0 -name 'signupflow*' -printf '%p %m %U\n' | sort)" = \
        "$(printf '%s\n' "backups/signupflow 750 $uid" "lib/signupflow 700 $uid" "log/signupflow-audit.head 640 $uid" \
            "log/signupflow-audit.jsonl 640 $uid" "log/signupflow-backup-audit.log 640 $uid" "log/signupflow-backup.log 640 $uid" \
            "log/signupflow-restore-audit.log 640 $uid" "log/signupflow-restore-test.log 640 $uid")" ]
}

@test "every path that the sandbox opens is one that tmpfiles makes" {
    made=$(awk '/^[df] / { print $2 }' "$D/usr/local/lib/tmpfiles.d/signupflow.conf")
    for path in $(sed -n 's/^ReadWritePaths=//p' "$D"/usr/local/lib/systemd/system/*.service); do
        grep -qx -- "${path#-}" <<<"$made"
    done
}

# ---- a unit that failed -----------------------------------------------------------------------------------------------

# A webhook that writes down what it is sent, in $T/hook; its URL is HOOK.
hook_start() {
    python3 -c '
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open(sys.argv[1], "ab").write(body + b"\n")
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' "$T/hook" >"$T/hook.port" 2>"$T/hook.log" 3>&- &
    echo $! >"$T/hole.pid" # test_end ends it
    disown
    wait_for 10 test -s "$T/hook.port"
    HOOK=http://127.0.0.1:$(<"$T/hook.port")/services/T0/B0/secret-part
}

# unit_failed RESULT CODE STATUS: as systemd would call it, with settings of the test's; what goes to the journal is in $T/journal
unit_failed() {
    mkdir -p "$T/shims" "$T/credentials"
    printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>"%s"\n' "$T/journal" >"$T/shims/logger"
    chmod +x "$T/shims/logger"
    env PATH="$T/shims:$PATH" CREDENTIALS_DIRECTORY="$T/credentials" MONITOR_SERVICE_RESULT="$1" MONITOR_EXIT_CODE="$2" \
        MONITOR_EXIT_STATUS="$3" "$D/usr/local/libexec/sfb/unit-failed" signupflow-backup.service
}

@test "a run that was killed is told by sfb, as its own failures are" {
    hook_start
    mkdir "$T/credentials"
    printf 'SFB_APP=signupflow\nSFB_SLACK_WEBHOOK_URL="%s"\n' "$HOOK" >"$T/credentials/sfb.env"
    run -0 unit_failed oom-kill killed KILL
    has "$(json "$T/hook" text)" '^❌ signupflow-backup\.service failed$'
    has "$(json "$T/hook" blocks 0 text text)" 'Error: result oom-kill, killed KILL'
    has "$(json "$T/hook" blocks 0 text text)" 'Action Required.*journalctl -u signupflow-backup\.service'
    [ "$(wc -l <"$T/hook")" = 1 ]
}

@test "a run that was killed is told, by curl where sfb is not there" {
    need curl
    hook_start
    mkdir "$T/credentials"
    printf 'SFB_APP=signupflow\nSFB_SLACK_WEBHOOK_URL="%s"\n' "$HOOK" >"$T/credentials/sfb.env"
    SFB=$T/none run -0 unit_failed oom-kill killed KILL
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["text"])' "$T/hook" >"$T/text"
    has "$(cat "$T/text")" '^:x: signupflow-backup\.service on .* failed before sfb could tell why \(result oom-kill, killed KILL\)'
    has "$(cat "$T/journal")" 'oom-kill'
    has_not "$output$(cat "$T/journal")" 'secret-part'
}

@test "a run that failed by itself has told already, and is not told again" {
    hook_start
    mkdir "$T/credentials"
    echo "SFB_SLACK_WEBHOOK_URL=$HOOK" >"$T/credentials/sfb.env"
    SFB=$T/none run -0 unit_failed exit-code exited 3
    [ ! -e "$T/hook" ]
    has "$(cat "$T/journal")" 'exit code 3'
}

@test "a program that systemd could not start, and settings that can't be used, are told" {
    need curl
    hook_start
    mkdir "$T/credentials"
    echo "SFB_SLACK_WEBHOOK_URL=$HOOK" >"$T/credentials/sfb.env"
    SFB=$T/none run -0 unit_failed exit-code exited 203
    SFB=$T/none run -0 unit_failed exit-code exited 6
    [ "$(wc -l <"$T/hook")" = 2 ]
}

@test "settings that sfb can't read do not keep it from being told, once, nor does one that is not there" {
    need curl
    hook_start
    mkdir "$T/credentials"
    printf 'SFB_SLACK_WEBHOOK_URL=%s\nthis is no setting\n' "$HOOK" >"$T/credentials/sfb.env"
    run -0 unit_failed exit-code exited 6
    [ "$(wc -l <"$T/hook")" = 1 ]
    has "$(json "$T/hook" text)" '^:x: signupflow-backup\.service '
    printf 'SFB_SLACK_WEBHOOK_URL="%s"\nSFB_CACHE_DIR=/proc/none\nSFB_WORK_DIR=/proc/none\n' "$HOOK" >"$T/credentials/sfb.env"
    run -0 unit_failed exit-code exited 6
    [ "$(tail -n 1 "$T/hook" >"$T/last"; json "$T/last" text)" = '❌ signupflow-backup.service failed' ]
    [ "$(wc -l <"$T/hook")" = 2 ]
}

@test "what could not be told when the unit failed is told by the next run" {
    mkdir "$T/credentials"
    echo "SFB_SLACK_WEBHOOK_URL=http://127.0.0.1:1/services/T0/B0/secret-part" >"$T/credentials/sfb.env"
    run -1 unit_failed oom-kill killed KILL
    has "$(cat "$T/journal")" 'nobody was told'
    has_not "$output$(cat "$T/journal")" secret-part
    hook_start
    echo x >"$T/no.dump"
    SFB_SLACK_WEBHOOK_URL=$HOOK run ! sfb verify "$T/no.dump"
    has "$(head -n 1 "$T/hook" >"$T/first"; json "$T/first" text)" '^❌ signupflow-backup\.service failed$'
}

@test "when nobody can be told, the journal says that too" {
    SFB=$T/none run -1 unit_failed timeout killed TERM
    has "$(cat "$T/journal")" 'nobody was told'
}

# ---- cron -------------------------------------------------------------------------------------------------------------

@test "cron takes the files" {
    need crontab
    for file in "$D"/usr/local/share/sfb/cron.d/*; do
        sed 's/^\([0-9][^a-z]*\) sfb /\1 /' "$file" | crontab -n -
        [ "$(tail -c 1 "$file" | od -An -c | tr -d ' ')" = '\n' ] # without it cron passes the last line over
    done
}

@test "cron's files have only what cron understands, and names that it does not pass over" {
    for file in "$D"/usr/local/share/sfb/cron.d/*; do
        [[ ${file##*/} =~ ^[A-Za-z0-9_-]+$ ]]
        run -0 grep -vE '^(#.*|[A-Z_]+=[^ ]*|([0-9*][0-9,/*-]* ){5}sfb [^%]*(\\%[^%]*)*)$' "$file" || [ -z "$output" ]
        has "$(cat "$file")" '^SFB_APP=signupflow$'
    done
}

# cron_line FILE: minute, hour, days, months, weekdays, and the command as the shell gets it, in CRON_*
cron_line() {
    read -r CRON_MINUTE CRON_HOUR CRON_DAY CRON_MONTH CRON_WEEKDAY _ CRON_COMMAND < <(grep -E '^[0-9*]' "$1" | head -n 1)
    CRON_COMMAND=${CRON_COMMAND//\\%/%}
}

@test "cron backs up at 02:00 each day" {
    cron_line "$D/usr/local/share/sfb/cron.d/signupflow-backup"
    [ "$CRON_MINUTE $CRON_HOUR $CRON_DAY $CRON_MONTH $CRON_WEEKDAY" = '0 2 * * *' ]
    [ "$CRON_COMMAND" = 'sfb backup --environment production >> /var/log/signupflow-backup.log 2>&1' ]
}

@test "cron's drill runs on each month's first Sunday, and on no other day" {
    cron_line "$D/usr/local/share/sfb/cron.d/signupflow-restore-test"
    [ "$CRON_MINUTE $CRON_HOUR $CRON_DAY $CRON_MONTH $CRON_WEEKDAY" = '0 4 1-7 * *' ]
    mkdir "$T/shims"
    real_date=$(command -v date)
    printf '#!/bin/sh\nexec %s -d "$NOW" "$@"\n' "$real_date" >"$T/shims/date"
    printf '#!/bin/sh\necho "$NOW $*" >>"%s/runs"\n' "$T" >"$T/shims/sfb"
    chmod +x "$T/shims/date" "$T/shims/sfb"
    for month in 2025-{01..12} 2026-{01..12}; do
        for day in 01 02 03 04 05 06 07; do
            NOW="$month-$day 04:00 UTC" PATH=$T/shims:$PATH sh -c "${CRON_COMMAND//\/var\/log/$T}"
        done
    done
    [ "$(wc -l <"$T/runs")" = 24 ]
    while read -r date _ _ words; do
        [ "$("$real_date" -u -d "$date" +%u)" = 7 ]
        [ "$words" = drill ]
    done <"$T/runs"
}

# ---- logrotate --------------------------------------------------------------------------------------------------------

@test "the chain of the audit log goes through logrotate" {
    need logrotate
    pg_start
    db_new shop
    export PRODUCTION_DATABASE_URL
    PRODUCTION_DATABASE_URL=$(db_url shop)
    chmod 755 "$SFB_LOG_DIR"
    sed "s|/var/log|$SFB_LOG_DIR|; s| /var/log| $SFB_LOG_DIR|g; s/sfb adm/$(id -un) $(id -gn)/" "$D/etc/logrotate.d/signupflow" >"$T/rotate.conf"
    chmod 644 "$T/rotate.conf"
    for _ in 1 2 3; do
        run -0 sfb backup --local-only
        logrotate --force --state "$T/rotate.state" "$T/rotate.conf"
    done
    run -0 sfb backup --local-only
    [ -e "$SFB_LOG_DIR/signupflow-audit.jsonl.2.gz" ]
    [ -e "$SFB_LOG_DIR/signupflow-audit.head" ]
    run -0 sfb verify --audit
    has "$output" ' 12 entries, 1 to 12'
    rm "$SFB_LOG_DIR/signupflow-audit.jsonl.1" # one in the middle
    run -2 sfb verify --audit
    has "$output" 'entries 7 to 9 are missing'
    [ "$(stat -c %a "$SFB_LOG_DIR/signupflow-audit.jsonl")" = 640 ]
}

# ---- Kubernetes and compose -------------------------------------------------------------------------------------------

yaml() { "$(command -v /usr/bin/python3 || command -v python3)" "$@"; }
need_yaml() { yaml -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed: test/deps.sh"; }

@test "the CronJobs are what a restricted namespace takes, and run when the timers do" {
    need_yaml
    yaml - "$D/usr/local/share/sfb/kubernetes/signupflow-backup.yaml" >"$T/args" <<'END'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
jobs = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "CronJob"}
assert {name: job["schedule"] for name, job in jobs.items()} == {
    "signupflow-backup": "0 2 * * *", "signupflow-restore-test": "0 4 * * 0", "signupflow-prune": "0 5 * * *"}
claims = {d["metadata"]["name"] for d in documents if d["kind"] == "PersistentVolumeClaim"}
accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
for job in jobs.values():
    assert job["timeZone"] == "Etc/UTC" and job["concurrencyPolicy"] == "Forbid"
    assert job["jobTemplate"]["spec"]["backoffLimit"] == 0 and job["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never" and pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] in accounts
    security = pod["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] == 65532 and security["seccompProfile"]["type"] == "RuntimeDefault"
    (container,) = pod["containers"]
    inner = container["securityContext"]
    assert inner["readOnlyRootFilesystem"] and inner["capabilities"]["drop"] == ["ALL"]
    assert inner["allowPrivilegeEscalation"] is False and inner["privileged"] is False
    volumes = {v["name"]: v for v in pod["volumes"]}
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    assert "sizeLimit" in volumes["work"]["emptyDir"]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] in claims
    environment = {e["name"]: e["value"] for e in container["env"]}
    assert environment["SFB_WORK_DIR"] == mounts["work"] and environment["SFB_STATE_DIR"] == mounts["state"]
    assert environment["SFB_LOG_DIR"].startswith(mounts["state"] + "/")
    assert container["args"][-2:] == ["--config", mounts["settings"] + "/sfb.env"]
    print(*container["args"][:-2])
END
    sort "$T/args" | diff - <(printf '%s\n' 'backup --environment production' drill prune)
}

# An API server refuses, or worse passes over, a field that it does not know: each is in Kubernetes's reference.
@test "every field of the CronJobs is one that Kubernetes has, where it has it, and secrets come from a Secret" {
    need_yaml
    yaml - "$D/usr/local/share/sfb/kubernetes/signupflow-backup.yaml" <<'END'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
meta = {"name": str, "labels": dict}
security = {"runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int, "fsGroupChangePolicy": str,
            "seccompProfile": {"type": str}}
container = {"name": str, "image": str, "args": [str], "env": [{"name": str, "value": str}],
             "resources": {"requests": dict, "limits": dict},
             "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "privileged": bool,
                                 "capabilities": {"drop": [str]}},
             "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}]}
pod = {"serviceAccountName": str, "automountServiceAccountToken": bool, "restartPolicy": str, "terminationGracePeriodSeconds": int,
       "securityContext": security, "containers": [container],
       "volumes": [{"name": str, "emptyDir": {"sizeLimit": str}, "persistentVolumeClaim": {"claimName": str},
                    "secret": {"secretName": str, "defaultMode": int}}]}
kinds = {
    ("v1", "ServiceAccount"): {"automountServiceAccountToken": bool},
    ("v1", "PersistentVolumeClaim"): {"spec": {"accessModes": [str], "resources": {"requests": dict}}},
    ("batch/v1", "CronJob"): {"spec": {
        "schedule": str, "timeZone": str, "concurrencyPolicy": str, "startingDeadlineSeconds": int, "successfulJobsHistoryLimit": int,
        "failedJobsHistoryLimit": int, "jobTemplate": {"spec": {
            "backoffLimit": int, "activeDeadlineSeconds": int, "template": {"metadata": {"labels": dict}, "spec": pod}}}}},
}
def fits(what, shape, where):
    if isinstance(shape, dict):
        assert isinstance(what, dict), where
        for key in what:
            assert key in shape, f"{where}.{key} is no field of Kubernetes"
            fits(what[key], shape[key], f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(what, list) and what, where
        for n, one in enumerate(what):
            fits(one, shape[0], f"{where}[{n}]")
    else:
        assert type(what) is shape, (where, what)
for d in documents:
    fits(d, {"apiVersion": str, "kind": str, "metadata": meta} | kinds[d["apiVersion"], d["kind"]], d["kind"])
jobs = [d["spec"]["jobTemplate"]["spec"]["template"]["spec"] for d in documents if d["kind"] == "CronJob"]
assert len(jobs) == 3
for job in jobs:
    (settings,) = [v for v in job["volumes"] if v["name"] == "settings"]
    assert settings["secret"]["defaultMode"] == 0o440
    (mount,) = [m for m in job["containers"][0]["volumeMounts"] if m["name"] == "settings"]
    assert mount["readOnly"]
    assert not [e for e in job["containers"][0]["env"] if "URL" in e["name"] or "KEY" in e["name"] or "PASSWORD" in e["name"]]
    for kind in ("requests", "limits"):
        assert "memory" in job["containers"][0]["resources"][kind]
END
}

@test "compose's services may write to their volumes and nowhere else" {
    need_yaml
    yaml - "$D/usr/local/share/sfb/compose.yaml" <<'END'
import sys, yaml
compose = yaml.safe_load(open(sys.argv[1]))
for name in ("backup", "restore-test", "prune", "doctor"):
    s = compose["services"][name]
    assert s["read_only"] and s["cap_drop"] == ["ALL"] and s["security_opt"] == ["no-new-privileges:true"], name
    assert s["user"] == "65532:65532" and s["restart"] == "no"
    targets = {v.split(":")[1]: v.split(":")[2:] for v in s["volumes"]}
    assert targets["/etc/sfb.env"] == ["ro"]
    for setting in ("SFB_WORK_DIR", "SFB_CACHE_DIR", "SFB_STATE_DIR", "SFB_LOG_DIR"):
        assert any((s["environment"][setting] + "/").startswith(t + "/") for t in targets), setting
    assert s["tmpfs"] == ["/tmp:mode=1777,size=64m"], name
    assert not s.keys() - {"image", "user", "read_only", "cap_drop", "security_opt", "restart", "stop_grace_period", "environment",
                           "volumes", "tmpfs", "profiles", "command"}, name
    assert not [key for key in s["environment"] if not key.startswith("SFB_")], name # secrets are in sfb.env
assert set(compose["volumes"]) == {"backups", "state"}
END
}

@test "the images that are named are the version that make image makes" {
    version=$("$SFB" --version | cut -d ' ' -f 2)
    has "$(cat "$D/usr/local/share/sfb/compose.yaml")" "localhost/sfb:$version\}"
    [ "$(grep -c "image: localhost/sfb:$version\$" "$D/usr/local/share/sfb/kubernetes/signupflow-backup.yaml")" = 3 ]
}

@test "every setting that is named somewhere exists" {
    grep -rohE '\b(SFB_[A-Z0-9_]+|[A-Z]+_DATABASE_URL)\b' "$D/usr/local/share/sfb" "$D/usr/local/lib/systemd" | sort -u >"$T/names"
    run -0 "$SFB" config
    while read -r name; do
        case $name in SFB_IMAGE | SFB_PREPARE_IMAGE) continue ;; esac # compose's own
        has "$output" "^ *$name\b"
    done <"$T/names"
    sed 's/^#\([A-Z]\)/\1/' "$D/usr/local/share/sfb/sfb.env.example" >"$T/all.env"
    run -0 "$SFB" config --config "$T/all.env"
}
