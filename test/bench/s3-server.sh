#!/usr/bin/env bash
# s3-server.sh - the live tests' S3 server for as long as somebody holds our standard input: prints the environment of
# a client, one NAME=value a line and an empty one at the end, once it answers. Usage: s3-server.sh DIRECTORY BYTES
set -euo pipefail
cd "$(dirname "$0")/../live"
export ROOT=$1 S3_BYTES=$2

wait_for() { # harness.bash has it too, but wants bats
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
# shellcheck source=test/live/s3-server.bash
. ./s3-server.bash

trap s3_stop EXIT INT TERM
s3_start
for name in AWS_ENDPOINT_URL_S3 AWS_REGION AWS_CA_BUNDLE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED; do
    echo "$name=${!name}"
done
echo
cat >/dev/null
