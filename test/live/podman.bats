#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a process; run sets stderr
# podman.bats - the scratch image where containers are run: podman with runc, read-only, no capability, as its user. Part of
# make check-servers and make check-image.
load harness
load s3-server
load image

setup_file() {
    file_begin
    image_begin
    mkdir "$ROOT/podman"
    pod load -i "$IMAGE" >/dev/null
}
teardown_file() {
    pod rmi --all --force >/dev/null 2>&1 || :
    s3_stop
    file_end
}
setup() {
    pod run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 localhost/sfb:1.2.3 --version >"$ROOT/pod.log" 2>&1 || skip "podman runs no containers here: $(tail -n 1 "$ROOT/pod.log")"
    test_begin
    image_setup
}
teardown() { [ ! -d "${T-}" ] || test_end; }

# Nothing of it outside the file's directory.
pod() {
    podman --root "$ROOT/podman/root" --runroot "$ROOT/podman/run" --storage-driver vfs --runtime runc \
        --cgroup-manager cgroupfs --tmpdir "$ROOT/podman/tmp" "$@"
}

in_pod() {
    local words=() word
    for word in "${VARIABLES[@]}"; do words+=(--env "$word"); done
    pod run --rm --network host --read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --volume "$V:/tmp" "${words[@]}" localhost/sfb:1.2.3 "$@"
}

@test "podman takes the image, and it knows itself" {
    run -0 in_pod --version
    has "$output" '^sfb '
    [ "$(pod image inspect --format '{{ .User }} {{ .Architecture }} {{ len .RootFS.Layers }}' localhost/sfb:1.2.3)" = \
        "65532:65532 $(dpkg --print-architecture) 1" ]
}

@test "backup, verification and drill in podman, read-only and without capabilities" {
    image_there_and_back in_pod
    has "$(head -n 1 "$V/log/signupflow-audit.jsonl")" '"user":"sfb"'
}
