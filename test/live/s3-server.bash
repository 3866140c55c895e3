# shellcheck shell=bash
# s3-server.bash - a real S3 server for the live tests: Ceph's radosgw over a throwaway monitor and OSD in memory.
#
#     load harness; load s3-server
#     setup_file()    { file_begin; s3_start; }
#     teardown_file() { s3_stop; file_end; }
#
# s3_start exports S3_PORT (https://localhost:S3_PORT), S3_PLAIN_PORT (http://127.0.0.1:S3_PLAIN_PORT), S3_CA (a PEM file),
# and AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_CA_BUNDLE for its user "root".
# Everything lives below a directory of its own in $ROOT; runs as root or as anybody else; ended by pid.
S3_KEY=ROOTKEY0000000000000 S3_SECRET=root-secret/with+signs==0123456789012345

# A port below those that clients get, on which nobody listens.
s3_free_port() {
    local port
    while :; do
        port=$((10240 + (RANDOM * 32768 + RANDOM) % 22000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# s3_certificate NAME [SUBJECT_ALT_NAME] [FROM_DAYS UNTIL_DAYS]: key and certificate $S3_DIR/NAME.{key,pem} of the CA.
s3_certificate() {
    local name=$1 alt=${2:-DNS:localhost,DNS:backups.localhost,IP:127.0.0.1}
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$S3_DIR/$name.key" -subj "/CN=$name" \
        -out "$S3_DIR/$name.csr" 2>/dev/null
    openssl x509 -req -in "$S3_DIR/$name.csr" -CA "$S3_DIR/ca.pem" -CAkey "$S3_DIR/ca.key" -CAcreateserial -days "${3:-30}" \
        -extfile <(echo "subjectAltName=$alt") -out "$S3_DIR/$name.pem" 2>/dev/null
}

s3_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$S3_DIR/ca.key" -subj "/CN=sfb test CA" \
        -days 30 -out "$S3_DIR/ca.pem" 2>/dev/null
    S3_CA=$S3_DIR/ca.pem
}

# s3_tls: a directory $S3_DIR with a CA and a certificate for localhost. s3_start makes it itself.
s3_tls() {
    S3_DIR=$(mktemp -d "$ROOT/s3.XXXXXX")
    chmod 755 "$S3_DIR"
    s3_ca
    s3_certificate server
    export S3_DIR S3_CA
}

s3_conf() {
    cat >"$S3_DIR/ceph.conf" <<CONF
[global]
fsid = $S3_FSID
mon_initial_members = a
mon_host = v2:127.0.0.1:$1
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
mon_warn_on_insecure_global_id_reclaim_allowed = false
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_cluster_mode = crc
ms_client_mode = crc
ms_service_mode = crc
ms_bind_ipv6 = false
ms_bind_port_min = $2
ms_bind_port_max = $(($2 + 40))
run_dir = $S3_DIR/run
admin_socket = $S3_DIR/run/\$name.\$pid.asok
log_file = $S3_DIR/log/\$name.log
pid_file =
keyring = $S3_DIR/keyring
osd_objectstore = memstore
memstore_device_bytes = ${S3_BYTES:-4294967296}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 2000
osd_crush_chooseleaf_type = 0
mon_osd_full_ratio = .98
paxos_propose_interval = 0.02
debug_ms = 0
[mon.a]
mon_data = $S3_DIR/mon
[osd.0]
osd_data = $S3_DIR/osd
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$S3_PLAIN_PORT ssl_endpoint=127.0.0.1:$S3_PORT ssl_certificate=$S3_DIR/server.pem ssl_private_key=$S3_DIR/server.key
rgw_dns_name = localhost
rgw_crypt_require_ssl = false
rgw_lc_debug_interval = ${S3_LC_SECONDS:-10}
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
rgw_enable_usage_log = false
rgw_max_chunk_size = 4194304
CONF
}

# In the background, its pid remembered. The file descriptors of bats stay behind.
s3_run() {
    local name=$1
    shift
    "$@" >"$S3_DIR/log/$name.out" 2>&1 </dev/null 3>&- &
    echo $! >"$S3_DIR/$name.pid"
    disown
}
s3_admin() { radosgw-admin -c "$S3_DIR/ceph.conf" -n client.rgw --log-to-stderr=false "$@"; }
s3_ceph() { timeout 60 ceph -c "$S3_DIR/ceph.conf" --connect-timeout 20 "$@"; }
s3_up() { s3_ceph osd stat 2>/dev/null | grep -q ' 1 up'; }
s3_answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$S3_CA" "https://localhost:$S3_PORT/")" != 000 ]; }

# s3_user NAME KEY SECRET: one more identity.
s3_user() { s3_admin user create --uid="$1" --display-name="$1" --access-key="$2" --secret="$3" >/dev/null; }

s3_boot() {
    local mon osd
    mon=$(s3_free_port) osd=$(s3_free_port)
    S3_PORT=$(s3_free_port) S3_PLAIN_PORT=$(s3_free_port)
    S3_FSID=$(cat /proc/sys/kernel/random/uuid)
    rm -rf "$S3_DIR/mon" "$S3_DIR/osd" "$S3_DIR/monmap"
    mkdir -p "$S3_DIR"/{mon,osd,run,log}
    s3_conf "$mon" "$osd"
    : >"$S3_DIR/keyring"
    export CEPH_ARGS=
    monmaptool --create --fsid "$S3_FSID" --addv a "[v2:127.0.0.1:$mon]" "$S3_DIR/monmap" >"$S3_DIR/log/monmap" 2>&1 &&
        ceph-mon -c "$S3_DIR/ceph.conf" -i a --mkfs --monmap "$S3_DIR/monmap" >"$S3_DIR/log/mkfs" 2>&1 || return 1
    s3_run mon ceph-mon -c "$S3_DIR/ceph.conf" -i a -f
    local uuid
    uuid=$(cat /proc/sys/kernel/random/uuid)
    s3_ceph osd new "$uuid" >/dev/null 2>&1 || return 1
    ceph-osd -c "$S3_DIR/ceph.conf" -i 0 --mkfs --osd-uuid "$uuid" >"$S3_DIR/log/osd-mkfs" 2>&1 || return 1
    s3_run osd ceph-osd -c "$S3_DIR/ceph.conf" -i 0 -f
    wait_for 60 s3_up || return 1
    s3_user root "$S3_KEY" "$S3_SECRET" || return 1
    s3_run rgw radosgw -c "$S3_DIR/ceph.conf" -n client.rgw -f
    wait_for 60 s3_answers
}

s3_start() {
    local try
    s3_tls
    for try in 1 2 3; do # a port may be taken between being looked for and being used
        if s3_boot; then
            export S3_PORT S3_PLAIN_PORT S3_KEY S3_SECRET
            s3_environment
            return 0
        fi
        s3_stop
    done
    echo "radosgw does not start (attempt $try):" >&2
    tail -n 20 "$S3_DIR"/log/*.out >&2
    return 1
}

# The environment of a user who talks to it: s3_environment [KEY SECRET]
# shellcheck disable=SC2120
s3_environment() {
    export AWS_ENDPOINT_URL_S3=https://localhost:$S3_PORT AWS_REGION=us-east-1 AWS_CA_BUNDLE=$S3_CA
    export AWS_ACCESS_KEY_ID=${1:-$S3_KEY} AWS_SECRET_ACCESS_KEY=${2:-$S3_SECRET} AWS_EC2_METADATA_DISABLED=true
}

# s3_call METHOD PATH [CURL-OPTIONS]: as the owner of everything; the answer's body.
s3_call() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --cacert "$S3_CA" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" -X "$method" "$@" "https://localhost:$S3_PORT/$path"
}
# s3_keys [REGEX]: what is in $SFB_BUCKET, one key a line.
s3_keys() { s3_call GET "$SFB_BUCKET?list-type=2" | grep -o '<Key>[^<]*' | cut -c6- | { grep -E "${1-}" || :; }; }

# It holds nothing that anybody needs: no reason to ask politely.
s3_stop() {
    local file
    for file in "${S3_DIR:-/nonexistent}"/{rgw,osd,mon}.pid; do
        [ -f "$file" ] || continue
        kill -9 "$(<"$file")" 2>/dev/null || :
        wait_for 10 gone "$(<"$file")" || :
        rm -f "$file"
    done
}
