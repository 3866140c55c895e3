#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# promtool.bats - what Prometheus's own checker says about our metrics (make check-servers)
load harness
load metrics

setup_file() {
    PROMTOOL=$("$BATS_TEST_DIRNAME/../promtool.sh") || return 1
    export PROMTOOL
    file_begin
    pg_start
    db_new shop
}
teardown_file() { file_end; }
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET=file://$T/store SFB_METRICS_FILE=$T/after.prom
    PRODUCTION_DATABASE_URL=$(db_url shop)
    STAGING_DATABASE_URL=$(db_url shop)
}
teardown() { test_end; }

@test "promtool finds nothing to complain about, whatever is known" {
    sfb status --prometheus "$T/nothing.prom" || :
    sfb backup
    sfb backup --environment staging
    sfb status --prometheus "$T/all.prom" || :
    for file in "$T/nothing.prom" "$T/after.prom" "$T/all.prom"; do
        metrics_good "$file"
        run -0 --separate-stderr "$PROMTOOL" check metrics <"$file"
        [ -z "$output$stderr" ]
    done
}
