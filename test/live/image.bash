# shellcheck shell=bash disable=SC2034 # variables are for the tests
# image.bash - the scratch image for the live tests: built from the binary that is tested, with servers to use it on.
#
#     load harness; load s3-server; load image
#     setup_file()    { file_begin; image_begin; }
#     teardown_file() { s3_stop; file_end; }
#     setup()         { test_begin; image_setup; }

image_begin() {
    pg_start
    s3_start
    IMAGE=$ROOT/image.tar
    export IMAGE
    "$TOP/packaging/image.sh" "$SFB" 1.2.3 "$IMAGE"
}

# An empty volume V for /tmp, which holds the CA's certificate; what the container gets to know is in VARIABLES.
image_setup() {
    V=$T/volume
    mkdir -m 1777 "$V"
    cp "$S3_CA" "$V/ca.pem"
    chmod 644 "$V/ca.pem"
    db_new shop$BATS_TEST_NUMBER
    sql shop$BATS_TEST_NUMBER "CREATE TABLE item (id int PRIMARY KEY, name text);
        INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 5000) n"
    VARIABLES=("PRODUCTION_DATABASE_URL=$(db_url shop$BATS_TEST_NUMBER)" "STAGING_DATABASE_URL=$(db_url postgres)"
        "SFB_BUCKET=image-$BATS_TEST_NUMBER" SFB_S3_RETRY_SECONDS=5 SFB_CACHE_DIR=/tmp/cache SFB_LOG_DIR=/tmp/log
        SFB_STATE_DIR=/tmp/state "AWS_ENDPOINT_URL_S3=$AWS_ENDPOINT_URL_S3" AWS_REGION=us-east-1 AWS_CA_BUNDLE=/tmp/ca.pem
        "AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY" AWS_EC2_METADATA_DISABLED=true)
    curl -sS --fail-with-body --cacert "$S3_CA" --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" -X PUT \
        -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" "https://localhost:$S3_PORT/image-$BATS_TEST_NUMBER" >/dev/null
}

# there_and_back COMMAND...: what runs sfb in the container, its arguments to follow. A backup, a verification of it in the
# bucket, a drill out of the bucket.
image_there_and_back() {
    local url
    run -0 --separate-stderr "$@" backup
    has "$output" 'Backup completed successfully'
    [ -z "$stderr" ]
    url=$(grep -o 's3://.*' <<<"$output" | tail -n 1)
    run -0 --separate-stderr "$@" verify "$url"
    has "$output" 'Backup verification successful'
    rm -r "$V/cache" # nothing of this host is left
    run -0 --separate-stderr "$@" drill
    has "$output" 'Chosen: s3://.*backup-'
    has "$output" 'Drill completed successfully'
    [ "$(sql postgres "SELECT count(*) FROM pg_database WHERE datname LIKE '%drill%'")" = 0 ]
}
