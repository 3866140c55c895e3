#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# creds.bats - credentials from where AWS's own tools take them, over the network: STS, IMDSv2, containers.
load harness
load s3-server
load s3-tools

setup_file() {
    file_begin
    s3_tls
    tools_begin
    stub_start here tls
    stub_start plain
    random_file 5000 "$ROOT/small"
}
teardown_file() { tools_end; file_end; }
setup() {
    test_begin
    export AWS_ENDPOINT_URL=$STUB_HERE AWS_REGION=us-east-1 AWS_CA_BUNDLE=$S3_CA HOME=$T
    mkdir "$T/.aws"
    printf 'web.identity.token\n' >"$T/token"
    stub_fresh here
    stub_fresh plain
}
teardown() { test_end; }
config() { cat >"$T/.aws/config"; }
keys() { printf '[default]\naws_access_key_id = STUBKEY\naws_secret_access_key = stubsecret\n' >"$T/.aws/credentials"; }
works() { run -0 tool s3://plain-bucket put x "$ROOT/small"; }
who() { run -0 tool s3://plain-bucket who; }

@test "web identity, as EKS sets it" {
    export AWS_WEB_IDENTITY_TOKEN_FILE=$T/token AWS_ROLE_ARN=arn:aws:iam::1:role/backup AWS_ROLE_SESSION_NAME=me
    works
    who
    has "$output" '^id=ROLEKEY token=FRESH'
    has "$output" "^from role arn:aws:iam::1:role/backup, by web identity \($T/token\)"
    echo wrong >"$T/token"
    run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" 'CONFIG: .*STS at localhost:[0-9]+ says InvalidIdentityToken'
    rm "$T/token"
    run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" "$T/token"
}

@test "a profile's role, with the keys of another profile, with an external id" {
    keys
    config <<'END'
[profile base]
role_arn = arn:aws:iam::1:role/first
source_profile = default
[profile prod]
role_arn = arn:aws:iam::1:role/external
source_profile = base
external_id = x
role_session_name = night
[profile forbidden]
role_arn = arn:aws:iam::1:role/forbidden
source_profile = default
END
    AWS_PROFILE=prod works
    AWS_PROFILE=prod who
    has "$output" "^from role arn:aws:iam::1:role/external, by STS \(profile prod in $T/.aws/config\)"
    AWS_PROFILE=prod run -0 tool s3://plain-bucket whoami
    [ "$output" = arn:aws:sts::1:assumed-role/r/s ]
    AWS_PROFILE=forbidden run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" "can't take on the role .*forbidden: STS .* says AccessDenied"
    has "$stderr" 'hint: .*trust policy'
}

@test "an endpoint of STS that names the port it would have anyway is signed as it is sent" {
    keys
    config <<<$'[profile prod]\nrole_arn = arn:aws:iam::1:role/first\nsource_profile = default'
    tools_run tunnel python3 "$HARNESS_DIR/connectproxy.py" --log "$T/connect.log" --to "${STUB_HERE##*:}"
    HTTPS_PROXY=http://localhost:$(<"$ROOT/tools/tunnel.port")
    export AWS_PROFILE=prod HTTPS_PROXY
    AWS_ENDPOINT_URL_STS=https://localhost:443 run -0 tool s3://plain-bucket whoami
    [ "$output" = arn:aws:sts::1:assumed-role/r/s ]
    has "$(<"$T/connect.log")" '^CONNECT localhost:443 200$'
}

@test "a profile's role, with keys of the environment, the container, the instance" {
    export AWS_CONTAINER_CREDENTIALS_FULL_URI=$STUB_PLAIN/container AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token
    export AWS_EC2_METADATA_SERVICE_ENDPOINT=$STUB_PLAIN
    config <<'END'
[profile c]
role_arn = arn:aws:iam::1:role/r
credential_source = EcsContainer
[profile i]
role_arn = arn:aws:iam::1:role/r
credential_source = Ec2InstanceMetadata
END
    AWS_PROFILE=c works
    AWS_PROFILE=i works
    has "$(stub_log plain)" 'GET /container 200'
    has "$(stub_log plain)" 'GET /latest/meta-data/iam/security-credentials/the-role 200'
}

@test "a role's credentials that end on the way are renewed, and nothing is lost" {
    keys
    config <<'END'
[profile ending]
role_arn = arn:aws:iam::1:role/ending
source_profile = default
END
    random_file 20000000 "$T/twenty"
    export AWS_PROFILE=ending
    stub_start own tls # the first token that a stub hands out for this role has ended already
    export AWS_ENDPOINT_URL=$STUB_OWN
    run -0 env TOOL_EXPECTED=20000000 "$TOOL" s3://plain-bucket file big "$T/twenty"
    has "$output" 'proof=etag'
    has "$(stub_log own)" ' 400 ExpiredToken'
    [ "$(grep -c '^POST / 200' "$ROOT/tools/own.log")" = 2 ]
}

# Twenty million bytes to the tool: two parts, and the last one when the second is there and credentials of two seconds
# have ended.
sent() { grep -q "^PUT /plain-bucket/$1?.*partNumber=2.* 200" "$ROOT/tools/here.log"; }
slowly() { # KEY
    random_file 20000000 "$T/twenty"
    { head -c 17000000 "$T/twenty"; wait_for 60 sent "$1"; sleep 2.5; tail -c +17000001 "$T/twenty"; } |
        TOOL_EXPECTED=20000000 tool s3://plain-bucket upload "$1" - >"$T/out" 2>"$T/err"
    has "$(cat "$T/out")" 'proof=etag'
}

@test "credentials of short life are renewed as often as they end" {
    keys
    config <<'END'
[profile short]
role_arn = arn:aws:iam::1:role/short
source_profile = default
END
    AWS_PROFILE=short slowly renewed
    [ "$(grep -c '^POST / 200' "$ROOT/tools/here.log")" -ge 2 ]
    has_not "$(cat "$T/err")" 'trying again'
}

@test "STS is not there when a role's credentials end: they are waited for, like anything that passes" {
    keys
    config <<'END'
[profile short]
role_arn = arn:aws:iam::1:role/short
source_profile = default
END
    export AWS_PROFILE=short PROXY_LOG=$T/proxy.log
    echo '[{"method": "POST", "skip": 1, "times": 4, "do": "answer", "status": 503}]' >"$T/rules"
    tools_run sts python3 "$HARNESS_DIR/faultproxy.py" --to "${STUB_PLAIN##*:}" --rules "$T/rules" --log "$PROXY_LOG"
    AWS_ENDPOINT_URL_STS=http://localhost:$(<"$ROOT/tools/sts.port")
    export AWS_ENDPOINT_URL_STS
    slowly waited
    has "$(cat "$T/err")" "can't take on the role .* \\(503\\).*trying again for up to 20s"
    [ "$(grep -c '503 answer' "$PROXY_LOG")" = 4 ]
    # where there never were any, it is not known that they can come
    echo '[{"method": "POST", "times": -1, "do": "answer", "status": 503}]' >"$T/rules.new"
    mv "$T/rules.new" "$T/rules"
    run -18 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has_not "$stderr" 'trying again'
}

@test "a container's credentials, the token in a file or in the environment" {
    export AWS_CONTAINER_CREDENTIALS_FULL_URI=$STUB_PLAIN/container
    run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" 'CONFIG: .*gives no credentials: HTTP 401'
    AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token works
    printf 'container-token\n' >"$T/auth"
    export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$T/auth
    works
    who
    has "$output" '^id=TASKKEY token=TASKTOKEN'
    has "$output" '^from the container.s endpoint'
    AWS_CONTAINER_CREDENTIALS_FULL_URI=$STUB_HERE/container works # https
    rm "$T/auth"
    run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
}

@test "the instance's role by IMDSv2: token first, v1 never" {
    export AWS_EC2_METADATA_SERVICE_ENDPOINT=$STUB_PLAIN/
    works
    who
    has "$output" '^id=IMDSKEY token=IMDSTOKEN'
    has "$output" 'instance metadata \(IMDSv2\), role the-role'
    has "$(sed -n 1p "$ROOT/tools/plain.log")" '^PUT /latest/api/token 200 $'
    has_not "$(stub_log plain)" ' 401 '
    export https_proxy=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 no_proxy=localhost
    works # metadata never goes through a proxy
    AWS_EC2_METADATA_DISABLED=true run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" 'there are no AWS credentials'
}

@test "where there is no instance metadata, no time is lost" {
    SECONDS=0
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1 run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    has "$stderr" 'there are no AWS credentials'
    has "$stderr" 'hint: set AWS_ACCESS_KEY_ID'
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://192.0.2.1 run -12 --separate-stderr tool s3://plain-bucket put x "$ROOT/small"
    [ $SECONDS -lt 8 ]
}

@test "the order is that of AWS's tools" {
    export AWS_CONTAINER_CREDENTIALS_FULL_URI=$STUB_PLAIN/container AWS_CONTAINER_AUTHORIZATION_TOKEN=container-token
    export AWS_EC2_METADATA_SERVICE_ENDPOINT=$STUB_PLAIN
    who
    has "$output" '^id=TASKKEY'
    keys
    who
    has "$output" '^id=STUBKEY'
    export AWS_WEB_IDENTITY_TOKEN_FILE=$T/token AWS_ROLE_ARN=arn:aws:iam::1:role/web
    who
    has "$output" '^from role arn:aws:iam::1:role/web'
    config <<'END'
[default]
role_arn = arn:aws:iam::1:role/profile
credential_source = EcsContainer
END
    who
    has "$output" '^from role arn:aws:iam::1:role/profile'
    AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=s who
    has "$output" '^id=ENVKEY'
}

@test "no secret appears in any message" {
    keys
    run env TOOL_VERBOSE=1 "$TOOL" s3://plain-bucket put x "$ROOT/small"
    has_not "$output" 'stubsecret|Signature='
    export AWS_WEB_IDENTITY_TOKEN_FILE=$T/token AWS_ROLE_ARN=arn:aws:iam::1:role/forbidden
    run env TOOL_VERBOSE=1 "$TOOL" s3://plain-bucket put x "$ROOT/small"
    has_not "$output" 'web.identity.token'
}
