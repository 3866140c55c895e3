#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# iam.bats - packaging/iam on a real S3: each role does its work, and can't do the others'.
load harness
load s3-server

IAM=$TOP/packaging/iam

setup_file() {
    file_begin
    pg_start
    s3_start
    for role in backup restore prune; do s3_user $role "${role^^}KEY0000000000000" $role-secret-0123456789; done
    db_new signupflow
    sql signupflow "CREATE TABLE events (id serial PRIMARY KEY, title text); INSERT INTO events (title) SELECT 'Event ' || n FROM generate_series(1, 500) n"
}
teardown_file() {
    s3_stop
    file_end
}
setup() {
    test_begin
    export PRODUCTION_DATABASE_URL STAGING_DATABASE_URL SFB_BUCKET=signupflow-backups-$BATS_TEST_NUMBER SFB_S3_RETRY_SECONDS=5
    PRODUCTION_DATABASE_URL=$(db_url signupflow) STAGING_DATABASE_URL=$(db_url staging)
    s3_call PUT "$SFB_BUCKET"
}
teardown() {
    db_drop staging
    test_end
}
as() { s3_environment "${1^^}KEY0000000000000" "$1-secret-0123456789"; }

# The policy as it is, but for this server's names of users and the test's bucket.
policy() {
    sed "s|arn:aws:iam::123456789012:role/signupflow-\([a-z]*\)-role|arn:aws:iam:::user/\1|
         s|arn:aws:s3:::signupflow-backups|arn:aws:s3:::$SFB_BUCKET|" "$IAM/bucket-policy.json" >"$T/policy.json"
    s3_call PUT "$SFB_BUCKET?policy=" --data-binary "@$T/policy.json"
}

@test "the backup role backs up; it can neither list, read nor delete" {
    run -0 --separate-stderr sfb backup
    key=$(s3_keys | grep 'daily.*dump$') # the owner's: of its own objects radosgw lets a user read what it wrote
    policy
    rm -r "${CACHE:?}"/*
    as backup
    run -0 --separate-stderr sfb backup
    run -3 sfb list "s3://$SFB_BUCKET"
    run ! sfb verify "s3://$SFB_BUCKET/$key"
    run ! sfb prune
    s3_keys | grep -qx "$key"
}

@test "the restore role lists, verifies and restores; it can neither write nor delete" {
    export SFB_KEEP_AT_LEAST=1
    for _ in 1 2; do run -0 --separate-stderr sfb backup --retention-days 1; done
    policy
    rm -r "${CACHE:?}"/*
    as restore
    run -0 --separate-stderr sfb list "s3://$SFB_BUCKET"
    run -0 --separate-stderr sfb restore --force latest
    [ "$(sql staging "SELECT count(*) FROM events")" = 500 ]
    before=$(s3_keys)
    run -3 sfb backup
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -3 sfb prune
    [ "$(s3_keys | grep -v /history/)" = "$(grep -v /history/ <<<"$before")" ]
}

@test "the prune role deletes what has expired; it can't write" {
    export SFB_KEEP_AT_LEAST=1
    for _ in 1 2 3; do run -0 --separate-stderr sfb backup --retention-days 1; done
    policy
    as prune
    SFB_TEST_NOW=$(($(date +%s) + 45 * 3600)) run -0 sfb prune
    [ "$(s3_keys | grep -c 'daily.*dump$')" = 1 ]
    run -3 sfb backup
}

# radosgw takes a condition on a header that was not sent for not met, where AWS takes StringNotEquals for met; so another
# encryption is asked for here.
@test "what is encrypted otherwise is refused, whoever sends it" {
    policy
    put() {
        curl -sS -o /dev/null -w '%{http_code}' --cacert "$S3_CA" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
            -H "x-amz-server-side-encryption: $1" --aws-sigv4 aws:amz:us-east-1:s3 -u "BACKUPKEY0000000000000:backup-secret-0123456789" \
            -X PUT --data-binary x "https://localhost:$S3_PORT/$SFB_BUCKET/production/daily/x"
    }
    [ "$(put aws:kms)" = 403 ]
    [ "$(put AES256)" = 200 ]
}

@test "the roles' own policies say what the bucket's says of them, and the lifecycle is sfb's" {
    python3 - "$IAM" <<'END'
import json, sys
load = lambda name: json.load(open(f"{sys.argv[1]}/{name}.json"))
bucket = load("bucket-policy")
statements = {s["Sid"]: s for s in bucket["Statement"]}
assert set(statements) == {"AllowBackupScriptWrite", "AllowRestoreScriptRead", "AllowPruneScriptDelete", "DenyUnencryptedUploads"}
for role in ("backup", "restore", "prune"):
    (own,) = load(f"{role}-role")["Statement"]
    of_bucket = statements[own["Sid"]]
    assert of_bucket.pop("Principal") == {"AWS": f"arn:aws:iam::123456789012:role/signupflow-{role}-role"}
    assert own == of_bucket, role
assert statements["AllowBackupScriptWrite"]["Action"] == ["s3:PutObject", "s3:PutObjectAcl"]
assert statements["DenyUnencryptedUploads"]["Principal"] == "*"
END
    # as a file it is for the AWS CLI, which wants "ID", and has the rule that --apply adds
    run -0 --separate-stderr sfb prune --lifecycle
    python3 - "$IAM/lifecycle.json" 3<<<"$output" <<'END'
import json, sys
printed = [{("ID" if k == "Id" else k): v for k, v in rule.items()} for rule in json.load(open(3))["Rules"]]
*rules, sweep = json.load(open(sys.argv[1]))["Rules"]
assert rules == printed
assert set(sweep) == {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload"}
END
    run -0 --separate-stderr sfb prune --lifecycle --apply
}
