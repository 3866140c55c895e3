#!/usr/bin/env bash
# run.sh - make bench: sfb against what a user would type instead, on the same database, side by side in one run.
#
# BENCH_MB (default 1000) is the size of the database, BENCH_SHAPE what is in it (mixed, or documents: the .sql files
# here), BENCH_RUNS (5) how often each pair is timed, BENCH_ONLY some of the rows (--only in bench.py). The S3 server is
# the live tests' own. Rows that need a server 16 or newer use PostgreSQL 17 of test/servers.sh, built when it is not
# there. Prints a table; the figures as JSON go to build/bench.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
read -r _ prefix17 < <(test/servers.sh 17)
mkdir -p build
exec python3 -B test/bench/bench.py --sfb ./sfb --pg15 /usr/lib/postgresql/15/bin --pg17 "$prefix17/bin" \
    --aws /usr/bin/aws --store-tool build/bench/tool_store --megabytes "${BENCH_MB:-1000}" \
    --shape "${BENCH_SHAPE:-mixed}" --runs "${BENCH_RUNS:-5}" \
    ${BENCH_ONLY:+--only "$BENCH_ONLY"} --json build/bench.json "$@"
