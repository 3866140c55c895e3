#!/bin/sh
# image.sh - writes sfb as a container image: nothing in it but the binary, its links, a user and /tmp
#
#   packaging/image.sh SFB VERSION OUTPUT.tar
#
# The result is an OCI image layout in a tar file, with the manifest.json that `docker load` wants too: `podman load`,
# `docker load` and `skopeo copy oci-archive:OUTPUT.tar ...` take it. Made with tar, gzip and sha256sum alone; neither root
# nor a container tool is needed. Equal binaries give equal bytes (SOURCE_DATE_EPOCH: the date inside; default 1970).
set -eu
[ $# = 3 ] || { sed -n '2,$ { /^#/!q; s/^# \{0,1\}//p }' "$0" >&2; exit 2; }
sfb=$1 version=$2 output=$3
epoch=${SOURCE_DATE_EPOCH:-0}
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
case $(uname -m) in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64 ;;
    *) architecture=$(uname -m) ;;
esac
umask 022
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what is in it -------------------------------------------------------------------------------------------------

root=$dir/root
mkdir -p "$root/bin" "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
install -m 755 "$sfb" "$root/bin/sfb"
"$root/bin/sfb" --install "$root/bin" >/dev/null
echo 'sfb:x:65532:65532:sfb:/tmp:/bin/sfb' >"$root/etc/passwd"
echo 'sfb:x:65532:' >"$root/etc/group"

# ---- as an image ---------------------------------------------------------------------------------------------------

# pack DIR OUTPUT NAME...: the same bytes for the same files, whoever packs them and when
pack() {
    from=$1 to=$2
    shift 2
    LC_ALL=C tar --create --file "$to" --directory "$from" --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 \
        --numeric-owner -- "$@"
}
sum() { sha256sum "$1" | cut -d ' ' -f 1; }
bytes() { wc -c <"$1" | tr -d ' '; }

layout=$dir/layout
mkdir -p "$layout/blobs/sha256"
# blob FILE: moves it to where its sum says, and prints "DIGEST BYTES"
blob() {
    digest=$(sum "$1") size=$(bytes "$1")
    mv "$1" "$layout/blobs/sha256/$digest"
    echo "$digest $size"
}

pack "$root" "$dir/layer.tar" bin etc tmp
layer_id=$(sum "$dir/layer.tar")
gzip -9 -n "$dir/layer.tar"
layer=$(blob "$dir/layer.tar.gz")

cat >"$dir/config.json" <<END
{
  "created": "$created",
  "architecture": "$architecture",
  "os": "linux",
  "config": {
    "User": "65532:65532",
    "Env": ["PATH=/bin", "HOME=/tmp"],
    "Entrypoint": ["/bin/sfb"],
    "Cmd": ["--help"],
    "WorkingDir": "/tmp",
    "Labels": {
      "org.opencontainers.image.title": "sfb",
      "org.opencontainers.image.description": "Backs up PostgreSQL and brings it back",
      "org.opencontainers.image.version": "$version",
      "org.opencontainers.image.licenses": "PostgreSQL"
    }
  },
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$layer_id"] },
  "history": [{ "created": "$created", "created_by": "packaging/image.sh" }]
}
END
config=$(blob "$dir/config.json")

cat >"$dir/manifest.json" <<END
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:${config% *}", "size": ${config#* } },
  "layers": [
    { "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:${layer% *}", "size": ${layer#* } }
  ]
}
END
manifest=$(blob "$dir/manifest.json")

echo '{ "imageLayoutVersion": "1.0.0" }' >"$layout/oci-layout"
cat >"$layout/index.json" <<END
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:${manifest% *}", "size": ${manifest#* },
      "platform": { "architecture": "$architecture", "os": "linux" },
      "annotations": { "org.opencontainers.image.ref.name": "$version", "io.containerd.image.name": "localhost/sfb:$version" }
    }
  ]
}
END
cat >"$layout/manifest.json" <<END
[
  {
    "Config": "blobs/sha256/${config% *}",
    "RepoTags": ["localhost/sfb:$version"],
    "Layers": ["blobs/sha256/${layer% *}"]
  }
]
END
pack "$layout" "$dir/image.tar" oci-layout index.json manifest.json blobs
mv "$dir/image.tar" "$output.new"
mv "$output.new" "$output"
