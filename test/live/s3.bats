#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# s3.bats - backups in a real S3: there whole or not at all, under least privilege, and back again.
load harness
load s3-server

setup_file() {
    file_begin
    pg_start
    s3_start
    s3_user backup BACKUPKEY00000000000 backup-secret-0123456789
    s3_user restore RESTOREKEY0000000000 restore-secret-0123456789
}
teardown_file() { s3_stop; file_end; }

setup() {
    test_begin
    db_new signupflow
    db_new signupflow_staging
    sql signupflow "CREATE TABLE events (id serial PRIMARY KEY, title text NOT NULL);
                    INSERT INTO events (title) SELECT 'Event ' || n FROM generate_series(1, 5000) n"
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url signupflow)
    STAGING_DATABASE_URL=$(db_url signupflow_staging)
    s3_environment
    SFB_BUCKET=backups-$BATS_TEST_NUMBER
    s3_call PUT "$SFB_BUCKET" >/dev/null
}
teardown() {
    db_drop signupflow
    db_drop signupflow_staging
    test_end
}

open_uploads() { s3_call GET "$SFB_BUCKET?uploads=" | grep -c '<UploadId>' || :; }

# The contract's policy, for users of this server.
contract_policy() {
    cat >"$T/policy.json" <<END
{ "Version": "2012-10-17", "Statement": [
  { "Sid": "AllowBackupScriptWrite", "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/backup"] },
    "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "arn:aws:s3:::$SFB_BUCKET/production/*" },
  { "Sid": "AllowRestoreScriptRead", "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/restore"] },
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["arn:aws:s3:::$SFB_BUCKET/production/*", "arn:aws:s3:::$SFB_BUCKET"] },
  { "Sid": "DenyUnencryptedUploads", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::$SFB_BUCKET/*",
    "Condition": { "StringNotEquals": { "s3:x-amz-server-side-encryption": "AES256" } } } ] }
END
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary "@$T/policy.json" >/dev/null
}

@test "a backup is in the bucket with its manifest and globals, promoted, and in the cache" {
    run -0 --separate-stderr sfb backup
    has "$output" "^\[.*\] Uploading to S3: s3://$SFB_BUCKET/production/daily/backup-[0-9]{8}-[0-9]{6}\.dump$"
    has "$output" '^\[.*\] Upload completed \([0-9]+s\)$'
    has "$output" "^   S3 Location: s3://$SFB_BUCKET/production/daily/backup-"
    for tier in daily weekly monthly; do
        for ending in dump manifest.json globals.sql; do
            s3_keys | grep -qE "^production/$tier/backup-[0-9]{8}-[0-9]{6}\.$ending$"
        done
    done
    [ "$(s3_keys | grep -vc history/)" = 9 ]
    [ -z "$(ls "$WORK")" ]
    [ "$(find "$CACHE" -name 'backup-*.dump' | wc -l)" = 1 ]
    s3_call GET "$SFB_BUCKET/$(s3_keys | grep 'daily.*dump$')" >"$T/stock.dump"
    "$PG_BIN/pg_restore" --list "$T/stock.dump" | grep -q 'TABLE DATA public events'
}

@test "the second backup of a week is not promoted again" {
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb backup
    [ "$(s3_keys | grep -c 'daily.*dump$')" = 2 ]
    [ "$(s3_keys | grep -c 'weekly.*dump$')" = 1 ]
    [ "$(s3_keys | grep -c 'monthly.*dump$')" = 1 ]
}

@test "latest comes back from the bucket, by download and from the cache" {
    content_text signupflow >"$T/content"
    run -0 --separate-stderr sfb backup
    run -0 --separate-stderr sfb restore --force latest
    has "$output" 'Not needed: the local cache has the same'
    rm -r "${CACHE:?}"/*
    run -0 --separate-stderr sfb restore --force latest@weekly
    has "$output" '^\[.*\] Download completed'
    same_content signupflow_staging "$T/content"
    [ -z "$(find "$WORK" -name '*fetched*')" ]
}

@test "with nothing but the contract's backup policy a backup succeeds, promoted by a second upload" {
    contract_policy
    s3_environment BACKUPKEY00000000000 backup-secret-0123456789
    run -0 --separate-stderr sfb backup
    [ "$(s3_keys | grep -c 'dump$')" = 3 ]
    run -0 --separate-stderr sfb backup # what was promoted is remembered, as listing is denied
    [ "$(s3_keys | grep -c 'dump$')" = 4 ]
    run -3 --separate-stderr sfb backup --environment staging
}

@test "with nothing but the contract's restore policy a backup is verified and restored" {
    content_text signupflow >"$T/content"
    run -0 --separate-stderr sfb backup
    contract_policy
    rm -r "${CACHE:?}"/*
    s3_environment RESTOREKEY0000000000 restore-secret-0123456789
    url=s3://$SFB_BUCKET/$(s3_keys | grep 'daily.*dump$')
    run -0 --separate-stderr sfb verify "$url"
    has "$output" 'checksum +ETag and size as in the manifest'
    run -0 --separate-stderr sfb restore --force "$url"
    same_content signupflow_staging "$T/content"
    run -3 --separate-stderr sfb backup
    has "$stderr" 'AccessDenied|denied'
}

@test "a backup that can't be uploaded is kept on this host, and the exit code says so" {
    s3_environment "$S3_KEY" wrong-secret
    run -3 --separate-stderr sfb backup
    has "$stderr" 'kept as'
    [ "$(find "$CACHE" -name 'backup-*.manifest.json' | wc -l)" = 1 ]
    s3_environment
    [ -z "$(s3_keys)" ]
    [ "$(open_uploads)" = 0 ]
}

@test "an object that was replaced is noticed" {
    run -0 --separate-stderr sfb backup
    key=$(s3_keys | grep 'daily.*dump$')
    s3_call GET "$SFB_BUCKET/$key" >"$T/dump"
    printf X | dd of="$T/dump" bs=1 seek=9000 conv=notrunc status=none
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/dump" >/dev/null
    rm -r "${CACHE:?}"/*
    run -2 --separate-stderr sfb verify "s3://$SFB_BUCKET/$key"
    run ! sfb restore --force "s3://$SFB_BUCKET/$key"
}

@test "an object that was cut is noticed by its size, and by its end where there is no manifest" {
    run -0 --separate-stderr sfb backup
    key=$(s3_keys | grep 'daily.*dump$')
    s3_call GET "$SFB_BUCKET/$key" | head -c -100 >"$T/dump"
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/dump" >/dev/null
    rm -r "${CACHE:?}"/*
    for command in verify "restore --force" "restore --force --table events"; do
        # shellcheck disable=SC2086 # words
        run -2 --separate-stderr sfb $command "s3://$SFB_BUCKET/$key"
        has "$output$stderr" 'cut or|replaced|another object'
    done
    s3_call DELETE "$SFB_BUCKET/${key%.dump}.manifest.json" >/dev/null
    run -2 --separate-stderr sfb verify "s3://$SFB_BUCKET/$key"
    has "$output$stderr" 'the archive ends at offset'
    [ "$(sql signupflow_staging "SELECT count(*) FROM pg_tables WHERE tablename = 'events'")" = 0 ]
}

@test "what is wrong with a store: the contract's exit code, S3's word with the request id, a remedy, and no second try" {
    wrong() { # CODE WORDS HINT COMMAND...
        local code=$1 words=$2 hint=$3
        shift 3
        run -"$code" --separate-stderr "$@"
        has "$stderr" "$words"
        has "$stderr" "$hint"
        has_not "$stderr" 'trying again|gave up'
    }
    AWS_SECRET_ACCESS_KEY=wrong wrong 3 'SignatureDoesNotMatch \(403, request tx' 'the secret access key' sfb backup
    AWS_ACCESS_KEY_ID=NOBODY wrong 3 'InvalidAccessKeyId \(403, request tx' 'AWS_ACCESS_KEY_ID' sfb backup --stream
    SFB_BUCKET=there-is-none wrong 3 'NoSuchBucket \(404, request tx' 'create the bucket' sfb backup
    SFB_BUCKET=No.Bucket..Name wrong 6 'not the name of a bucket' 'lower-case' sfb backup
    AWS_ENDPOINT_URL_S3=http://192.0.2.1 wrong 6 'without encryption' 'SFB_S3_ALLOW_HTTP' sfb backup
    AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt wrong 3 'TLS: .*not from an authority' 'AWS_CA_BUNDLE' sfb backup
    wrong 1 'there is no s3://.*/x.dump .*request tx' '' sfb restore --force "s3://$SFB_BUCKET/production/daily/x.dump"
    wrong 7 's3://' '' sfb restore --force "s3://$SFB_BUCKET"
    [ -z "$(s3_keys | grep -v history/)" ]
    [ "$(open_uploads)" = 0 ]
}

@test "a large dump goes up in parts while it is made, and comes back" {
    sql signupflow "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha256((n::text || m)::bytea), '') FROM generate_series(1, 32) m) AS bytes
                    FROM generate_series(1, 40000) n"
    content_text signupflow >"$T/content"
    run -0 --separate-stderr sfb backup
    s3_call GET "$SFB_BUCKET/$(s3_keys | grep 'daily.*manifest.json$')" | grep -qE '"etag":\s*"[0-9a-f]{32}-[0-9]+"'
    rm -r "${CACHE:?}"/*
    run -0 --separate-stderr sfb restore --force latest
    same_content signupflow_staging "$T/content"
    # other tools copy a bucket in parts of other sizes: its ETags change, what is in it does not
    key=$(s3_keys | grep 'daily.*dump$')
    s3_call GET "$SFB_BUCKET/$key" >"$T/dump"
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/dump" >/dev/null
    rm -rf "${CACHE:?}"/*
    run -0 --separate-stderr sfb restore --force "s3://$SFB_BUCKET/$key"
    has "$stderr" "$key has the ETag [0-9a-f]{32}, its manifest says [0-9a-f]{32}-[0-9]+: other tools have copied the bucket"
    same_content signupflow_staging "$T/content"
    run -0 --separate-stderr sfb verify "s3://$SFB_BUCKET/$key"
    has "$output" 'SHA-256 as in the manifest; the ETag is another: other tools have copied it'
    run -2 --separate-stderr sfb verify --quick "s3://$SFB_BUCKET/$key"
    has "$stderr" 'or copied by other tools; all of it has to be read to know'
    run -0 --separate-stderr sfb restore --table events --output "$T/events.sql" "s3://$SFB_BUCKET/$key"
    has "$stderr" 'other tools have copied the bucket, or it was replaced; its table of contents and its rows will tell'
    [ "$(sed -n '/^COPY/,/^\\\./p' "$T/events.sql" | wc -l)" = 5002 ]
    # as whole an archive, but another one: it says that it was made a second later or earlier
    python3 - "$T/dump" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    at = 17 if f.read(7)[6] < 15 else 13
    f.seek(at)
    second = f.read(1)[0]
    f.seek(at)
    f.write(bytes([second ^ 1]))
END
    s3_call PUT "$SFB_BUCKET/$key" --data-binary "@$T/dump" >/dev/null
    run -2 --separate-stderr sfb verify "s3://$SFB_BUCKET/$key"
    has "$stderr" 'its SHA-256 is .*, its manifest says .*: it was changed or replaced'
    run -2 --separate-stderr sfb restore --table events --output "$T/other.sql" "s3://$SFB_BUCKET/$key"
    has "$stderr" 'its table of contents is not the one that its manifest knows'
    [ ! -e "$T/other.sql" ]
}

@test "a run that was killed in a container, where the next one has its process's number, is not in its way" {
    run -0 --separate-stderr sfb backup
    key=$(s3_keys | grep 'daily.*dump$')
    rm -r "${CACHE:?}"/*
    # shellcheck disable=SC2016 # that shell's own number
    run -0 --separate-stderr bash -c 'room=$SFB_WORK_DIR/signupflow-fetched-$$ && mkdir -m 700 "$room" && echo old >"$room/$2" && exec "$1" restore --force latest' \
        - "$SFB" "$(basename "$key")"
    [ "$(sql signupflow_staging "SELECT count(*) FROM events")" = 5000 ]
    [ -z "$(find "$WORK" -name '*-fetched-*')" ]
}

@test "a database that is far larger as text than on disk: parts grow to carry it, or it is sent again in larger ones" {
    db_new wide
    sql wide "CREATE TABLE t AS SELECT n, repeat(md5(n::text), 32000) AS text FROM generate_series(1, 60) n" # 1 MB each, as text
    export SFB_S3_MAX_PARTS=8
    PRODUCTION_DATABASE_URL=$(db_url wide) run -0 --separate-stderr sfb backup -c 0
    has "$output" 'Backup size: 5[0-9]\.[0-9] MB'
    run -0 --separate-stderr sfb verify "s3://$SFB_BUCKET/$(s3_keys | grep 'daily.*dump$')"
    sql wide "INSERT INTO t SELECT n, repeat(md5(n::text), 32000) FROM generate_series(61, 130) n"
    PRODUCTION_DATABASE_URL=$(db_url wide) run -0 --separate-stderr sfb backup -c 0
    has "$stderr" 'has become far larger than was expected: its 1[0-9][0-9]\.[0-9] MB are sent again'
    run -0 --separate-stderr sfb verify "s3://$SFB_BUCKET/$(s3_keys | grep 'daily.*dump$' | tail -n 1)"
    PRODUCTION_DATABASE_URL=$(db_url wide) run -3 --separate-stderr sfb backup -c 0 --stream
    has "$stderr" 'larger than 8 parts'
    has "$stderr" 'SFB_S3_MAX_PARTS'
    [ "$(s3_keys | grep -c 'daily.*dump$')" = 2 ]
    [ "$(open_uploads)" = 0 ]
    db_drop wide
}

@test "prune deletes what has expired, from the bucket and from the cache, and nothing else" {
    for _ in 1 2 3 4 5; do run -0 --separate-stderr sfb backup --retention-days 1; done
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune --dry-run
    [ "$(grep -c '^   delete  production/daily/' <<<"$output")" = 2 ]
    [ "$(s3_keys | grep -c 'daily.*dump$')" = 5 ]
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 --separate-stderr sfb prune
    [ "$(s3_keys | grep -c 'daily.*dump$')" = 3 ]
    [ "$(s3_keys | grep -c 'daily.*manifest.json$')" = 3 ]
    [ "$(s3_keys | grep -c 'weekly.*dump$')" = 1 ]
}

@test "two hosts that begin in the same second do not replace each other's backup" {
    now=$(date +%s)
    SFB_TEST_NOW=$now run -0 --separate-stderr sfb backup
    key=$(s3_keys | grep 'daily.*dump$')
    s3_call GET "$SFB_BUCKET/$key" | md5sum >"$T/first"
    sql signupflow "INSERT INTO events (title) VALUES ('one more')"
    for name in work cache log state; do mkdir "$T/other-$name"; done
    SFB_WORK_DIR=$T/other-work SFB_CACHE_DIR=$T/other-cache SFB_LOG_DIR=$T/other-log SFB_STATE_DIR=$T/other-state SFB_TEST_NOW=$now \
        run -3 --separate-stderr sfb backup
    has "$stderr" 'PreconditionFailed \(412'
    has "$stderr" 'if another host backs up the same environment, let it start at another time'
    s3_call GET "$SFB_BUCKET/$key" | md5sum | diff - "$T/first"
    [ "$(find "$T/other-cache" -name 'backup-*.dump' | wc -l)" = 1 ] # it is kept
    run -0 --separate-stderr sfb verify "s3://$SFB_BUCKET/$key"
}

@test "a prefix of words, blanks and letters of any script" {
    export SFB_S3_PREFIX='team a+b/ü=€&%41'
    run -0 --separate-stderr sfb backup
    [ "$(tool_keys | grep -c 'daily/.*dump$')" = 1 ]
    run -0 --separate-stderr sfb list
    has "$output" "s3://$SFB_BUCKET/team a\+b/ü=€&%41/production/daily/backup-"
    rm -r "${CACHE:?}"/*
    run -0 --separate-stderr sfb restore --force latest
    run -0 --separate-stderr sfb restore --force --table events --output "$T/events.sql" "$(sfb list | grep -o 's3://.*daily/.*dump$' | head -n 1)"
    SFB_TEST_NOW=$(($(date +%s) + 100 * 86400)) SFB_KEEP_AT_LEAST=1 run -0 --separate-stderr sfb prune --force --dry-run
    for bad in '..' 'a//b' 'a?b' '../x'; do SFB_S3_PREFIX=$bad run -6 --separate-stderr sfb backup; done
}
tool_keys() { s3_keys | python3 -c 'import sys, html, urllib.parse; print(html.unescape(sys.stdin.read()))'; }

@test "no bucket, no credentials: one clear line each, before anything is dumped" {
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    run -6 --separate-stderr sfb backup
    has "$stderr" 'credentials'
    s3_environment
    SFB_BUCKET=there-is-none run -3 --separate-stderr sfb backup
    has "$stderr" 'NoSuchBucket|bucket'
}
