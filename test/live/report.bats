#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# report.bats - what a drill leaves behind: reports on this host and in the store, marks in the list, and what prune does.
load harness
load drill-tools

setup_file() {
    file_begin
    pg_start
    drill_shop
}
teardown_file() { file_end; }
setup() {
    test_begin
    drill_environment
    mkdir "$T/store"
    REPORTS=$SFB_STATE_DIR/reports/production
}
teardown() {
    for db in $(sql postgres "SELECT datname FROM pg_database WHERE datname ~ '^(shop_|signupflow_drill_)'"); do db_drop "$db"; done
    test_end
}

use_store() { export SFB_BUCKET=file://$T/store; }
# The report of the one drill: its name without ending.
the_report() { local page; page=$(the_file "$REPORTS" 'drill-*.html') && basename "$page" .html; }
as_schema() {
    python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
    python3 -W ignore -c 'import json, jsonschema, sys
schema, report = (json.load(open(name)) for name in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(report)' "$TOP/packaging/report.schema.json" "$1"
}
# What a page says, without its markup, in one line.
page_text() { python3 -c 'import html.parser, sys
class Text(html.parser.HTMLParser):
    skip = 0
    def handle_starttag(self, tag, attrs): self.skip += tag in ("style", "title", "desc")
    def handle_endtag(self, tag): self.skip -= tag in ("style", "title", "desc")
    def handle_data(self, data): self.skip or print(data.replace("\u00a0", " "), end=" ")
Text().feed(open(sys.argv[1]).read())' "$1" | tr -s ' \n' ' '; }

@test "a drill leaves its report as page, JSON and text, on this host and in the store" {
    use_store
    sfb backup >/dev/null
    run -0 --separate-stderr sfb drill
    [ -z "$stderr" ]
    name=$(the_report)
    stamp=$(basename "$T"/store/production/daily/*.dump .dump)
    [[ $name == drill-*-passed-$stamp ]]
    has "$output" "Report: file://$T/store/production/reports/$name.html"
    for ending in html json txt; do
        cmp "$REPORTS/$name.$ending" "$T/store/production/reports/$name.$ending"
    done
    has "$(page_text "$REPORTS/$name.html")" 'brings the database back\. All 2,003 rows of its 2 tables'
    grep -q '^✅ The backup of .* brings the database back\.$' "$REPORTS/$name.txt"
    [ "$(json "$REPORTS/$name.json" verdict)" = passed ]
    [ "$(json "$REPORTS/$name.json" tables 1 name)" = orders ]
    as_schema "$REPORTS/$name.json"
    run -0 sfb list "file://$T/store" # no report is taken for a backup
    [ "$(grep -c '    file://' <<<"$output")" = "$(find "$T/store" -name '*.dump' | wc -l)" ]
}

@test "list says which backup is proven, here and in the store, and for how long that is known" {
    use_store
    sfb backup --label before-release >/dev/null
    sfb backup >/dev/null
    stamp=$(basename "$T"/store/production/daily/*.dump .dump)
    now=$(date +%s)
    SFB_TEST_NOW=$((now + 3600)) run -0 sfb drill
    export SFB_TEST_NOW=$((now + 3600 + 3 * 86400))
    run -0 --separate-stderr sfb list
    grep -q "^    $CACHE/$stamp.dump  (proven 3 days ago)$" <<<"$output"
    grep -q "^    file://$T/store/production/weekly/$stamp.dump  (proven 3 days ago)$" <<<"$output" # every copy of it
    has_not "$(grep before-release <<<"$output")" proven
    rm -r "$SFB_STATE_DIR/reports" # another host, which has the store alone
    run -0 sfb list --json
    [ "$(python3 -c 'import json, sys; print({(b["drill"], b["drilled"]) for b in json.load(sys.stdin) if sys.argv[1] in b["path"]})' "$stamp" <<<"$output")" = "{('passed', '$(date -u -d "@$((now + 3600))" +%Y-%m-%dT%H:%M:%SZ)')}" ]
    mkdir "$T/other"
    SFB_BUCKET=file://$T/other run -0 sfb list "file://$T/store"
    has "$output" "/$stamp\\.dump  \\(proven "
}

@test "a backup that does not bring the database back is named so: in the report, in its JSON, and in the list" {
    take_backup
    alter_manifest '$_->{rows}++ for grep { $_->{name} eq "orders" } @{$m->{tables}}; $m->{totals}{rows}++'
    run -5 --separate-stderr sfb drill
    name=$(the_report)
    [[ $name == *-failed-$(basename "$BACKUP" .dump) ]]
    has "$output" '❌ The backup of .* does not bring the database back'
    has "$output" '❌ public\.orders: 2,001 rows backed up, 2,000 restored'
    has "$(page_text "$REPORTS/$name.html")" 'Failed .* does not bring the database back.*orders'
    [ "$(json "$REPORTS/$name.json" verdict)" = failed ]
    as_schema "$REPORTS/$name.json"
    run -0 sfb list
    has "$output" '  \(drill failed less than a minute ago\)$'
}

@test "a false smoke test fails the drill, and the report says that the rows were all there" {
    take_backup
    echo "SELECT count(*) = 7 FROM orders" >"$T/smoke.sql"
    run -5 --separate-stderr sfb drill --smoke-sql "$T/smoke.sql"
    name=$(the_report)
    has "$(page_text "$REPORTS/$name.html")" 'was restored whole, but the drill failed\.'
    [ "$(json "$REPORTS/$name.json" verdict)" = failed ]
    [ "$(json "$REPORTS/$name.json" restored proven)" = 1 ]
    as_schema "$REPORTS/$name.json"
}

@test "a drill with no server to restore to says nothing against the backup" {
    take_backup
    STAGING_DATABASE_URL=postgresql://nobody@127.0.0.1:1/x run -3 --separate-stderr sfb drill
    name=$(the_report)
    [[ $name == *-unfinished* ]]
    has "$(page_text "$REPORTS/$name.html")" 'This says nothing about the backup itself'
    as_schema "$REPORTS/$name.json"
    run -0 sfb list
    has_not "$output" 'proven|failed'
    run -7 sfb drill --keep --local # not begun
    [ "$(find "$REPORTS" -name '*.html' | wc -l)" = 1 ]
}

@test "the trend grows from drill to drill, and the recovery time is their median" {
    use_store
    sfb backup >/dev/null
    taken=$(json "$(find "$T/store/production/daily" -name '*.manifest.json')" snapshot_at)
    now=$(date -d "$taken" +%s)
    for day in 1 2 3; do
        SFB_TEST_NOW=$((now + day * 86400)) sfb drill >/dev/null
    done
    last=$(find "$REPORTS" -name "drill-$(date -u -d "@$((now + 3 * 86400))" +%Y%m%d)-*.json")
    [ "$(json "$last" figures drills_measured)" = 3 ]
    [ "$(python3 -c 'import json, statistics, sys; r = json.load(open(sys.argv[1])); print(abs(statistics.median(
        d["recovery_seconds"] for d in r["drills"]) - r["figures"]["recovery_seconds"]) < 0.002)' "$last")" = True ]
    [ "$(json "$last" figures loss_seconds)" = 259200 ]
    rm -r "$SFB_STATE_DIR"
    mkdir "$SFB_STATE_DIR"
    SFB_TEST_NOW=$((now + 4 * 86400)) sfb drill >/dev/null # a fresh host knows the past from the store
    [ "$(json "$(find "$REPORTS" -name '*.json')" figures drills_measured)" = 4 ]
}

@test "--json prints the report and nothing else; --report writes it where it is wanted" {
    take_backup
    run -0 --separate-stderr sfb drill --json --report "$T/page.html"
    [ -z "$stderr" ]
    echo "$output" >"$T/printed.json"
    as_schema "$T/printed.json"
    [ "$(json "$T/printed.json" verdict)" = passed ]
    grep -q '^<!doctype html>' "$T/page.html"
    run -0 sfb drill --report "$T/page.txt"
    grep -q 'Drill Report' "$T/page.txt"
    run -7 --separate-stderr sfb drill --report "$T/no/such/place.html"
    has "$stderr" "$T/no/such/place.html"
    run -7 sfb drill --json --replace
}

@test "names from the database reach the report as text" {
    db_new shop_evil
    sql shop_evil "CREATE TABLE \"<script>alert(1)</script>\" (n int); CREATE TABLE $(quote_name $'turn\u202eed\nline') (n int)"
    take_backup shop_evil
    run -0 sfb drill
    name=$(the_report)
    [ "$(grep -c '<script' "$REPORTS/$name.html")" = 0 ]
    grep -q '&lt;script&gt;alert(1)&lt;/script&gt;' "$REPORTS/$name.html"
    grep -qF 'turn\xE2\x80\xAEed\nline' "$REPORTS/$name.html"
    as_schema "$REPORTS/$name.json"
}

@test "a report that can't be kept is a warning, and the drill passes" {
    take_backup
    mkdir -p "$SFB_STATE_DIR/reports"
    : >"$SFB_STATE_DIR/reports/production"
    : >"$T/store/production"
    SFB_BUCKET=file://$T/store run -0 --separate-stderr sfb drill "$BACKUP"
    has "$output" 'Drill completed successfully'
    has "$stderr" 'the report is not kept on this host'
    has "$stderr" 'the report is not in the store'
}

@test "a report that the store did not get is sent by the next run that reaches it" {
    take_backup
    export SFB_BUCKET=file://$T/away
    : >"$T/away" # no directory
    run -0 --separate-stderr sfb drill "$BACKUP"
    has "$stderr" 'the report is not in the store yet, the next run sends it'
    name=$(the_report)
    rm "$T/away"
    run -0 sfb verify "$BACKUP"
    for ending in html json txt; do
        cmp "$REPORTS/$name.$ending" "$T/away/production/reports/$name.$ending"
    done
    [ -z "$(ls "$SFB_STATE_DIR/outbox")" ]
    [ "$(find "$T/away/production/history" -name '*-drill-*.json' | wc -l)" = 1 ]
}

@test "prune keeps the newest sixty reports, and older ones that prove a backup which is still there" {
    use_store
    sfb backup >/dev/null
    stamp=$(basename "$T"/store/production/daily/*.dump .dump)
    mkdir -p "$T/store/production/reports"
    for day in {10..75}; do
        for ending in html json txt; do
            : >"$T/store/production/reports/drill-$(date -u -d "2025-01-01 +$day days" +%Y%m%d)-040000-passed-gone-20250101-020000.$ending"
        done
    done
    : >"$T/store/production/reports/drill-20241231-040000-passed-$stamp.html"
    : >"$T/store/production/reports/note.txt"
    run -0 sfb prune --dry-run
    has "$output" '61 reports of drills kept, 6 to delete'
    [ "$(find "$T/store/production/reports" -name '*.html' | wc -l)" = 67 ]
    run -0 sfb prune
    has "$output" '✅ 6 reports of drills deleted'
    [ "$(find "$T/store/production/reports" -name '*.html' | wc -l)" = 61 ]
    [ "$(find "$T/store/production/reports" -name '*.json' | wc -l)" = 60 ]
    [ -e "$T/store/production/reports/drill-20241231-040000-passed-$stamp.html" ]
    [ -e "$T/store/production/reports/note.txt" ]
    [ "$(find "$T/store" -name "$stamp.dump" | wc -l)" -ge 1 ]
}

@test "status --html writes a page with the trends, and its exit code stays the status's" {
    use_store
    sfb backup >/dev/null
    sfb drill >/dev/null
    run -0 sfb status --html "$T/status.html"
    has "$output" '^OK - '
    [ "$(stat -c %a "$T/status.html")" = 644 ]
    has "$(page_text "$T/status.html")" 'The backups are fine\..*Size of backups 1 backup from .*Recovery time, as drills prove it 1 drill from '
    SFB_TEST_NOW=$(($(date +%s) + 30 * 86400)) run -2 sfb status --html "$T/status.html"
    has "$(page_text "$T/status.html")" 'The backups are in trouble\.'
    run -3 sfb status --html "$T/no/such/place.html"
    run -3 sfb status --html "$T/status.html" --prometheus -
}
