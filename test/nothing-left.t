#!/usr/bin/env bash
# nothing-left.t - the last test of a run: no other test left a process, a file, a mount or a server behind.
set -uo pipefail
RUN=${SFB_TEST_RUN:?test/run.sh sets it}

echo "1..3"
number=0
promise() { # SENTENCE WHAT-IS-LEFT
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        while read -r line; do echo "# $line"; done <<<"$2"
    fi
}

# Not we ourselves, not our ancestors: run.sh and prove.
processes() {
    local pid ours=" " p=$BASHPID
    while [ "${p:-0}" -gt 1 ]; do
        ours+="$p "
        p=$(awk '/^PPid:/ { print $2 }' "/proc/$p/status" 2>/dev/null)
    done
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        [[ $ours != *" $pid "* ]] || continue
        if grep -qaF -- "$RUN" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null; then
            echo "$pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
        fi
    done
}
promise "no process of a test still runs" "$(processes)"
promise "no test left files in its temporary directory" \
    "$(find "$RUN" -mindepth 1 -maxdepth 1 -name 'sfb-*' && find "$RUN/tmp" -mindepth 1 -maxdepth 1)"
promise "nothing is mounted" "$(grep -F -- "$RUN" /proc/mounts)"
