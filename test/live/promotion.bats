#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# promotion.bats - the copies of a week and of a month: each is made, whole, whatever an earlier run left.
load harness

# Now; but not within ten minutes before a week or a month ends. (A backup must not pretend to be of another day: its
# archive says when it was dumped.)
NOW=$(date +%s)
ends() { [ "$(date -u -d "@$1" "$2")" != "$(date -u -d "@$(($1 + 600))" "$2")" ]; }
if ends "$NOW" +%V || ends "$NOW" +%m; then NOW=$((NOW - 1200)); fi
DAY=86400

setup_file() {
    file_begin
    pg_start
    db_new shop
    sql shop "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 10)"
}
teardown_file() { file_end; }
setup() {
    test_begin
    mkdir "$T/store"
    export PRODUCTION_DATABASE_URL SFB_BUCKET=file://$T/store SFB_CACHE_KEEP=100
    PRODUCTION_DATABASE_URL=$(db_url shop)
}
teardown() { test_end; }

backup_at() { SFB_TEST_NOW=$1 run -0 --separate-stderr sfb backup; }
stem() { date -u -d "@$1" +backup-%Y%m%d-%H%M%S; }
# What there is in a tier.
in_tier() { find "$T/store/production/$1" -type f -printf '%f\n' | LC_ALL=C sort | tr '\n' ' '; }
whole() { echo "$(stem "$1").dump $(stem "$1").globals.sql $(stem "$1").manifest.json "; }

@test "a copy that has no manifest, as of a run that was killed, is none: the next backup of the week makes it" {
    backup_at $NOW
    [ "$(in_tier weekly)" = "$(whole $NOW)" ]
    rm "$T/store/production/weekly/$(stem $NOW).manifest.json"
    backup_at $((NOW + 60))
    [ "$(in_tier weekly)" = "$(stem $NOW).dump $(stem $NOW).globals.sql $(whole $((NOW + 60)))" ]
    [ "$(in_tier monthly)" = "$(whole $NOW)" ]
    rm "$T/store/production/monthly/$(stem $NOW).dump" # nor is a manifest without its dump
    backup_at $((NOW + 120))
    [ -e "$T/store/production/monthly/$(stem $((NOW + 120))).dump" ]
    [ ! -e "$T/store/production/weekly/$(stem $((NOW + 120))).dump" ]
}

@test "a copy whose manifest can't be written does not stay, and that is said" {
    mkdir -p "$T/store/production/weekly/$(stem $NOW).manifest.json" # in its way
    backup_at $NOW
    has "$stderr" 'no weekly copy was made: '
    has "$stderr" "file://$T/store/production/weekly/$(stem $NOW)\.dump has no manifest, .*could not be deleted" # all of it
    [ "$(in_tier weekly)" = '' ]
    [ "$(in_tier monthly)" = "$(whole $NOW)" ]
    backup_at $((NOW + 60))
    [ "$(in_tier weekly)" = "$(whole $((NOW + 60)))" ]
}

@test "a copy from a day on which the clock was wrong does not keep later weeks from theirs" {
    backup_at $NOW
    for file in "$T"/store/production/{weekly,monthly}/*; do mv "$file" "${file/$(stem $NOW)/$(stem $((NOW + 3650 * DAY)))}"; done
    backup_at $((NOW + 60))
    for tier in weekly monthly; do has "$(in_tier $tier)" "$(stem $((NOW + 60))).manifest.json"; done
    backup_at $((NOW + 120))
    has_not "$(in_tier weekly)" "$(stem $((NOW + 120)))"
}
