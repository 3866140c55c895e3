#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# drill_fails.bats - what a drill is for: a backup that would not bring the database back is found out, and named.
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
    on_server >"$T/before"
    content_text staging >"$T/staging"
}
teardown() {
    for db in $(sql postgres "SELECT datname FROM pg_database WHERE datname ~ '^shop_'"); do db_drop "$db"; done
    test_end
}
# A drill that fails leaves the server as it was.
nothing_stays() { on_server | diff "$T/before" - && same_content staging "$T/staging"; }

@test "a row that the manifest counted and the dump lost: exit 5, and the table's name" {
    take_backup
    alter_manifest '$_->{rows}++ for grep { $_->{name} eq "orders" } @{$m->{tables}}'
    run -5 --separate-stderr sfb drill
    has "$stderr" 'table public\.orders: expected 2,001 rows, found 2,000'
    has "$output" '✅ it can be restored'
    has "$output" '❌ every row is as it was backed up.*public\.orders'
    has "$output" '➖ every index is valid.*not reached'
    nothing_stays
}

@test "a dump that lost a row, with checksums that fit: exit 5, and the table's name" {
    take_backup
    json "${BACKUP%.dump}.manifest.json" tables >"$T/tables"
    rm "$CACHE"/*
    new_shop shop_less
    sql shop_less "DELETE FROM customers WHERE name = 'bob'"
    take_backup shop_less
    TABLES=$(cat "$T/tables") alter_manifest '$m->{tables} = JSON::PP->new->decode($ENV{TABLES})'
    run -5 --separate-stderr sfb drill
    has "$stderr" 'table public\.customers: expected 3 rows, found 2'
    nothing_stays
}

@test "a value that is not what was backed up: exit 5, though the rows are as many" {
    take_backup
    alter_manifest '$_->{fingerprint} =~ tr/0-9a-f/1-9a-f0/ for grep { $_->{name} eq "customers" } @{$m->{tables}}'
    run -5 --separate-stderr sfb drill
    has "$stderr" 'table public\.customers: its 3 rows are not those of the backup'
    nothing_stays
}

@test "a damaged backup: exit 2, before the server is touched" {
    take_backup
    printf x | dd of="$BACKUP" bs=1 seek=5000 conv=notrunc status=none
    run -2 --separate-stderr sfb drill
    has "$output" '❌ the backup is whole.*SHA-256'
    has "$output" '➖ it can be restored.*not reached'
    nothing_stays
}

@test "no backup, no server, a wrong password: exit 1 and 3, and nothing is downloaded first" {
    run -1 --separate-stderr sfb drill
    has "$stderr" 'there is no production backup in'
    take_backup
    STAGING_DATABASE_URL=postgresql://postgres:x@127.0.0.1:1/staging run -3 --separate-stderr sfb drill
    has_not "$output" 'Chosen'
    STAGING_DATABASE_URL=$(db_url staging postgres wrong) run -3 --separate-stderr sfb drill
    has "$stderr" 'password'
    STAGING_DATABASE_URL='' run -7 --separate-stderr sfb drill
    has "$stderr" 'no database is set for the environment staging'
}

@test "an index whose order is not what its operators say: exit 5, and the index's name" {
    # Built under check_function_bodies = off, which is how pg_restore works, and read under on
    new_shop shop_index
    sql shop_index "
        CREATE FUNCTION fickle(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
            \$\$BEGIN RETURN CASE current_setting('check_function_bodies') WHEN 'off' THEN -1 ELSE 1 END * pg_catalog.btint4cmp(\$1, \$2); END\$\$;
        CREATE OPERATOR CLASS fickle_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
            FUNCTION 1 fickle(int, int);
        CREATE INDEX fickle_index ON orders (id fickle_ops)"
    take_backup shop_index
    run -5 --separate-stderr sfb drill
    has "$stderr" 'not so: every index is sound \(public\.fickle_index: item order invariant violated'
    has "$output" '❌ every index is sound'
    has "$output" '✅ every constraint is validated'
    nothing_stays
}

@test "a sequence that the restore left behind where the backup has it: exit 5, and the sequence's name" {
    # The index's expression is evaluated when the index is built, after the sequences were set
    new_shop shop_rewind
    sql shop_rewind "
        CREATE FUNCTION rewind(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN PERFORM setval('public.orders_id_seq', 7); RETURN \$1; END\$\$;
        CREATE INDEX rewinding ON customers (rewind(id)); SELECT setval('orders_id_seq', 2000)"
    take_backup shop_rewind
    run -5 --separate-stderr sfb drill
    has "$stderr" 'no sequence is behind \(public\.orders_id_seq would give 8 next; in the backup it was 2001'
    nothing_stays
}

# ---- smoke tests ------------------------------------------------------------------------------------------------------

@test "each statement is a test: it must succeed, and a boolean must be true; one that fails does not stop the others" {
    take_backup
    cat >"$T/smoke.sql" <<'END'
-- the shop's own
SELECT count(*) = 2000 FROM orders;
SELECT paid FROM orders WHERE id = 2;
SELECT 1 / 0;
SELECT name = 'bob' FROM customers ORDER BY id;
SELECT NULL::bool;
SELECT true WHERE false;
INSERT INTO customers (name) VALUES (''); -- the constraint
INSERT INTO customers (name) VALUES ('new'); SELECT count(*) = 4 FROM customers;
SELECT false AS a, false AS b
END
    run -5 --separate-stderr sfb drill --smoke-sql "$T/smoke.sql"
    has "$output" '✅ smoke test: SELECT count\(\*\) = 2000 FROM orders'
    has "$output" '✅ smoke test: SELECT paid'
    has "$output" '❌ smoke test: SELECT 1 / 0.*division by zero'
    has "$output" "❌ smoke test: SELECT name = 'bob' FROM customers ORDER BY id.*it is false"
    has "$output" '❌ smoke test: SELECT NULL::bool.*it is null, not true'
    has "$output" '❌ smoke test: SELECT true WHERE false.*it returned no row'
    has "$output" "❌ smoke test: INSERT INTO customers \\(name\\) VALUES \\(''\\).*.*named"
    has "$output" "✅ smoke test: INSERT INTO customers \\(name\\) VALUES.*'new'"
    has "$output" '✅ smoke test: SELECT count\(\*\) = 4 FROM customers'
    has "$output" '✅ smoke test: SELECT false AS a, false AS b'
    has "$stderr" 'not so: smoke test: SELECT 1 / 0 \(division by zero\)'
    has "$stderr" 'and 4 more checks failed'
    nothing_stays
}

@test "a smoke test can neither end the transaction, nor copy, nor take forever" {
    take_backup
    echo "INSERT INTO customers (name) VALUES ('x'); COMMIT; SELECT true" >"$T/smoke.sql"
    run -5 --separate-stderr sfb drill --smoke-sql "$T/smoke.sql"
    has "$output" '❌ smoke test: COMMIT.*a smoke test ended the transaction'
    echo "COPY customers TO STDOUT" >"$T/smoke.sql"
    run -5 --separate-stderr sfb drill --smoke-sql "$T/smoke.sql"
    has "$output" '❌ smoke test: COPY customers TO STDOUT.*a smoke test can.t copy'
    echo "SELECT pg_sleep(600)" >"$T/smoke.sql"
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-sql "$T/smoke.sql"
    has "$output" '❌ smoke test: SELECT pg_sleep\(600\).*canceling statement due to statement timeout'
    nothing_stays
}

@test "what is wrong with the wishes is said before anything is done" {
    take_backup
    run -7 --separate-stderr sfb drill --smoke-sql "$T/none.sql"
    has "$stderr" 'none\.sql'
    has_not "$output" 'Chosen'
    echo '-- nothing' >"$T/empty.sql"
    run -7 --separate-stderr sfb drill --smoke-sql "$T/empty.sql"
    has "$stderr" 'there is no statement in'
    run -7 --separate-stderr sfb drill --smoke-url 'ftp://user:hidden@example.com/x'
    has "$stderr" 'no URL of http or https: ftp://example\.com/x'
    run -7 --separate-stderr sfb drill --replace --local
    run -7 --separate-stderr sfb drill --keep --local
    run -7 --separate-stderr sfb drill --smoke-text hello
    run -7 --separate-stderr sfb drill --max-drift 101
    run -7 --separate-stderr sfb drill --max-drift 5x
    run -7 --separate-stderr sfb drill --force
    run -7 --separate-stderr sfb drill one two
    nothing_stays
}

@test "a smoke command finds the restored database in its environment, and no other" {
    take_backup
    cat >"$T/app" <<END
#!/bin/sh
"$PG_BIN/psql" -XAtqc "SELECT 'url ' || current_database() || ' ' || count(*) FROM orders" "\$DATABASE_URL" &&
"$PG_BIN/psql" -XAtqc "SELECT 'variables ' || current_database()" && env | grep -E '^(PG[A-Z]|DATABASE|PROD|STAG)' && tr '\\0' ' ' </proc/\$PPID/cmdline
exit 3
END
    chmod +x "$T/app"
    run -5 --separate-stderr sfb drill --smoke-cmd "$T/app | tail -n 60; false"
    has "$output" '❌ the smoke command succeeds.*exit code 1'
    has "$stderr" 'PGDATABASE=signupflow_drill_'
    has "$stderr" 'DATABASE_URL=postgresql://postgres:\*\*\*@127'
    has_not "$output" 'PGDATABASE'
    has_not "$output$stderr" "$PG_PASSWORD"
    has_not "$output$stderr" 'PRODUCTION_DATABASE_URL=|STAGING_DATABASE_URL='
    run -0 --separate-stderr sfb drill --smoke-cmd "$T/app | grep -q '^url signupflow_drill_[0-9-]* 2000' && $T/app | grep -q '^variables signupflow_drill_'"
    has "$output" '✅ the smoke command succeeds.*exit code 0'
    nothing_stays
}

@test "a smoke command that does not end is ended, with all that it started" {
    take_backup
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-cmd "echo begun; sleep 9471 & sleep 9471"
    has "$stderr" 'the smoke command said: begun'
    has "$stderr" 'the smoke command succeeds \(not done after 1 seconds\)'
    [ -z "$(pgrep -f 'sleep 9471')" ]
    nothing_stays
}

# serve STATUS...: an HTTP server on loopback that answers with these in turn, then with the last. URL, SERVER_PID.
serve() {
    python3 - "$T/port" "$@" >/dev/null 2>&1 3>&- <<'END' &
import http.server, sys
answers = sys.argv[2:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        body = b"all is well" if status == "200" else b"not yet"
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", "http://elsewhere.example/login?token=hidden")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_port))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
END
    SERVER_PID=$!
    wait_for 20 test -s "$T/port"
    URL=http://127.0.0.1:$(<"$T/port")/health
}
end_server() { kill "$SERVER_PID"; rm "$T/port"; }

@test "a URL is asked until it answers as it should" {
    take_backup
    serve 503 503 200
    run -0 --separate-stderr sfb drill --smoke-url "$URL" --smoke-text 'all is well'
    end_server
    has "$output" "✅ smoke test: $URL answers.*status 200, with the text, after some tries"
}

@test "a URL with another status, without the text, or that answers elsewhere fails, and says what it answered" {
    take_backup
    serve 404
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-url "${URL/127/user:hidden@127}?key=hidden"
    has "$stderr" 'health\?\.\.\.: it answered 404'
    has_not "$output$stderr" hidden
    run -0 --separate-stderr sfb drill --smoke-url "$URL" --smoke-status 404
    end_server
    serve 302
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-url "$URL"
    has "$stderr" 'it answered 302, go to http://elsewhere\.example/login\?\.\.\.'
    end_server
    serve 200
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-url "$URL" --smoke-text 'signed in'
    has "$stderr" 'its answer \(status 200, 11 bytes\) does not hold the text "signed in"'
    end_server
    run -5 --separate-stderr sfb drill --smoke-deadline 1 --smoke-url "$URL"
    nothing_stays
}

# ---- in place of the staging database ---------------------------------------------------------------------------------

@test "--replace asks, and without a terminal or a yes changes nothing" {
    take_backup
    run -6 --separate-stderr sfb drill --replace </dev/null
    has "$stderr" "nobody is at the terminal"
    has_not "$output" 'Downloading|Verifying'
    nothing_stays
    run -6 script -qefc "$SFB drill --replace" /dev/null <<<"n"
    has "$output" 'REPLACE the staging database staging by backup-'
    nothing_stays
    empty_dir "$WORK"
}

@test "--replace puts the backup in place of the staging database, saved before, and says so in the audit log" {
    take_backup
    db_new stage_copy "TEMPLATE staging"
    STAGING_DATABASE_URL=$(db_url stage_copy) run -0 --separate-stderr sfb drill --replace --force --smoke-cmd 'test "$PGDATABASE" = stage_copy'
    has "$output" "Staging as it was: $WORK/pre-restore-"
    has "$output" '➖ every index is sound.*the database does not have the extension amcheck, and nothing is added to it'
    [ "$(sql stage_copy "SELECT count(*) FROM orders")" = 2000 ]
    [ -z "$(sql stage_copy "SELECT to_regclass('staging_only')")" ]
    db_drop stage_copy
    has "$(cat "$SFB_LOG_DIR/signupflow-restore-audit.log")" 'INFO Drill started \(user: .*, replace\)'
    has "$(cat "$SFB_LOG_DIR/signupflow-restore-audit.log")" 'WARNING Restore initiated \(user: .*, backup: backup-.*\.dump, target: staging\)'
    has "$(cat "$SFB_LOG_DIR/signupflow-restore-audit.log")" 'INFO Drill completed \(duration: .*, backup: backup-.*\.dump, proven\)'
}

@test "--replace with a backup that lost a row puts the staging database back" {
    take_backup
    alter_manifest '$_->{rows}++ for grep { $_->{name} eq "orders" } @{$m->{tables}}'
    run -5 --separate-stderr sfb drill --replace --force
    has "$stderr" 'table public\.orders: expected 2,001 rows, found 2,000'
    has "$stderr" 'database staging is back as it was'
    same_content staging "$T/staging"
}

# ---- at the worst moment ----------------------------------------------------------------------------------------------

@test "Ctrl-C in the middle leaves nothing on the server, and ends the smoke command" {
    take_backup
    sfb_start drill --smoke-cmd "touch $T/begun; sleep 9472"
    wait_for 60 test -e "$T/begun"
    kill -INT "$PID"
    sfb_wait
    [ "$status" = 130 ]
    has "$stderr" 'stopped by Ctrl-C'
    [ -z "$(pgrep -f 'sleep 9472')" ]
    nothing_stays
    no_children
}

@test "one drill at a time" {
    take_backup
    sfb_start drill --smoke-cmd "touch $T/begun; sleep 9473"
    wait_for 60 test -e "$T/begun"
    run -75 --separate-stderr sfb drill
    kill -INT "$PID"
    sfb_wait
    nothing_stays
}
