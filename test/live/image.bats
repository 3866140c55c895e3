#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# image.bats - the scratch image: what is in it, and that it is enough, read-only and as its user, against real servers.
load harness
load s3-server
load image

setup_file() {
    file_begin
    image_begin
}
teardown_file() {
    s3_stop
    file_end
}
setup() { test_begin; }
teardown() { test_end; }

# The blob of a descriptor: blob_of FILE MEMBER...
blob_of() {
    local digest
    digest=$(json "$@" digest)
    echo "$T/layout/blobs/sha256/${digest#sha256:}"
}

# layout: the image in $T/layout, its config, manifest and layer in CONFIG, MANIFEST and LAYER
layout() {
    mkdir "$T/layout"
    tar xf "$IMAGE" -C "$T/layout"
    MANIFEST=$(blob_of "$T/layout/index.json" manifests 0)
    CONFIG=$(blob_of "$MANIFEST" config)
    LAYER=$(blob_of "$MANIFEST" layers 0)
}

# unpack: its root directory in $T/root
unpack() {
    layout
    mkdir "$T/root"
    tar xzf "$LAYER" -C "$T/root"
}

# in_jail ARGUMENTS...: the image's program in its own root, read-only but for /tmp, as the user and with the environment
# that the image names. The network is the host's.
in_jail() {
    local as=()
    is_root && as=("--userspec=$(json "$CONFIG" config User)")
    # shellcheck disable=SC2016 # for the inner shell
    in_mount_namespace bash -c '
        root=$1 volume=$2
        shift 2
        mount --bind "$root" "$root"
        mount --bind "$volume" "$root/tmp"
        mount -o remount,ro,bind "$root"
        exec "$@"' - "$T/root" "$V" timeout -k 5 120 env -i "$(json "$CONFIG" config Env 0)" "$(json "$CONFIG" config Env 1)" \
        "${VARIABLES[@]}" "$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)" "${as[@]}" "$T/root" \
        "$(json "$CONFIG" config Entrypoint 0)" "$@"
}

@test "the image holds the binary, its links, a user and /tmp, and nothing else" {
    layout
    tar tvzf "$LAYER" --numeric-owner >"$T/list"
    [ "$(awk '{ print $1, $2, $6 }' "$T/list" | grep -v '^l')" = 'drwxr-xr-x 0/0 bin/
-rwxr-xr-x 0/0 bin/sfb
drwxr-xr-x 0/0 etc/
-rw-r--r-- 0/0 etc/group
-rw-r--r-- 0/0 etc/passwd
drwxrwxrwt 0/0 tmp/' ]
    [ -z "$(grep '^l' "$T/list" | grep -v ' bin/[a-z_.-]* -> sfb$')" ]
    for name in backup-database restore-database test-restore pg_dump pg_restore psql; do
        grep -q " bin/$name -> sfb$" "$T/list"
    done
    tar xzf "$LAYER" -C "$T" bin/sfb
    cmp "$T/bin/sfb" "$SFB"
}

@test "each part has the digest and the size by which it is named" {
    layout
    python3 - "$T/layout" <<'END'
import gzip, hashlib, json, os, sys
root = sys.argv[1]
seen = set()
def blob(descriptor):
    digest = descriptor["digest"].removeprefix("sha256:")
    data = open(f"{root}/blobs/sha256/{digest}", "rb").read()
    assert hashlib.sha256(data).hexdigest() == digest and len(data) == descriptor["size"], descriptor
    seen.add(digest)
    return data
assert json.load(open(f"{root}/oci-layout")) == {"imageLayoutVersion": "1.0.0"}
index = json.load(open(f"{root}/index.json"))
assert len(index["manifests"]) == 1
manifest = json.loads(blob(index["manifests"][0]))
config = json.loads(blob(manifest["config"]))
layers = [blob(layer) for layer in manifest["layers"]]
assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(gzip.decompress(data)).hexdigest() for data in layers]
assert config["config"]["User"] == "65532:65532" and config["config"]["Entrypoint"] == ["/bin/sfb"]
assert config["config"]["Labels"]["org.opencontainers.image.version"] == "1.2.3"
assert seen == set(os.listdir(f"{root}/blobs/sha256"))
docker = json.load(open(f"{root}/manifest.json"))[0]
assert docker["Config"] == "blobs/" + manifest["config"]["digest"].replace(":", "/")
assert docker["Layers"] == ["blobs/" + layer["digest"].replace(":", "/") for layer in manifest["layers"]]
END
}

@test "it is smaller than 16 MB" {
    [ "$(stat -c %s "$IMAGE")" -lt $((16 * 1000 * 1000)) ]
    [ "$(stat -c %s "$SFB")" -lt $((16 * 1000 * 1000)) ] # unpacked, too
}

@test "the same binary gives the same bytes, wherever, whenever and by whomever the image is made" {
    mkdir -m 1777 "$T/elsewhere"
    cp "$SFB" "$T/elsewhere/another-name"
    chmod 700 "$T/elsewhere/another-name"
    touch -d 2001-01-01 "$T/elsewhere/another-name"
    ! is_root || chown 65534 "$T/elsewhere/another-name"
    (umask 077 && cd / && TZ=America/New_York LC_ALL=C as_user "$TOP/packaging/image.sh" "$T/elsewhere/another-name" 1.2.3 \
        "$T/elsewhere/image.tar") || skip "the source tree is closed to other users"
    cmp "$T/elsewhere/image.tar" "$IMAGE"
}

@test "nothing is left when there is no such binary" {
    run -1 "$TOP/packaging/image.sh" "$T/none" 1.2.3 "$T/image.tar"
    [ ! -e "$T/image.tar" ]
}

@test "unpacked into an empty root, read-only and as its user, it backs up, verifies and drills" {
    image_setup
    unpack
    in_jail --version >/dev/null 2>&1 || skip "mounting and chroot are not allowed here"
    VARIABLES+=(SFB_WORK_DIR=/bin)
    run -6 --separate-stderr in_jail backup
    has "$stderr" 'SFB_WORK_DIR'
    unset 'VARIABLES[-1]'
    find "$T/root" | sort >"$T/before"
    image_there_and_back in_jail
    find "$T/root" | sort | diff "$T/before" -
    ! is_root || has "$(head -n 1 "$V/log/signupflow-audit.jsonl")" '"user":"sfb"'
}
