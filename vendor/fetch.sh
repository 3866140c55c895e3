# fetch.sh - get Debian source packages, exactly those of vendor/lock where that is possible
#
# Sourced by build.sh. apt does the fetching and the authenticating, in a directory of its own: the machine's package
# lists, sources and installed packages are neither used nor changed. The mirror is the machine's own.
# A lock line: PACKAGE SUITE VERSION SHA256 FILE
# shellcheck shell=bash disable=SC2154 # build.sh sets $work
SUITES="trixie bookworm sid"
SOURCES=$CACHE/sources
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

locked() { awk -v p="$1" '$1 == p' "$VENDOR/lock"; }
upstream_version() { # 1:1.3.dfsg+really1.3.1-1 -> 1.3.1
    echo "$1" | sed -E 's/^[0-9]+://; s/-[^-]*$//; s/.*\+really//; s/[+.]dfsg.*//'
}

# What is really there for a package: the locked files, or the newer ones that were taken instead of them.
instead() { echo "$SOURCES/$1.instead"; }
have() { if [ -f "$(instead "$1")" ]; then cat "$(instead "$1")"; else locked "$1"; fi; }
have_version() { have "$1" | awk '{ print $3; exit }'; }
have_sha256() { have "$1" | awk '$5 ~ /\.orig\.tar\.|^ca-certificates.*\.tar\./ && $5 !~ /\.asc$/ { print $4; exit }'; }

need_tools() {
    local tool package missing=()
    while read -r tool package; do
        command -v "$tool" >/dev/null || missing+=("$package")
    done <<'END'
gcc build-essential
make build-essential
ld build-essential
patch build-essential
dpkg-source build-essential
bison bison
flex flex
perl perl
xz xz-utils
bzip2 bzip2
flock util-linux
END
    perl -MFindBin -MIPC::Cmd -MMIME::Base64 -e 1 2>/dev/null || missing+=(perl)
    [ -d /usr/include/linux ] || missing+=(build-essential)
    [ -f "$KEYRING" ] || missing+=(debian-archive-keyring)
    [ ${#missing[@]} = 0 ] ||
        die "tools are missing; install them with \"make deps\" or: apt-get install $(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')"
}

note() { say "$*"; echo "$*" >>"$work/note-fetch"; }

mirror() {
    local codename
    if [ -n "${SFB_DEBIAN_MIRROR-}" ]; then echo "$SFB_DEBIAN_MIRROR"; return; fi
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 2>/dev/null |
        awk -v c="$codename" '$1 == c && $2 == "main" { print $3; exit }'
}

# The private apt: made ready once in a run; 1, and one line why, when the mirror gives nothing.
apt_ready() {
    local apt=$work/apt suite uri
    [ ! -d "$apt" ] || [ -f "$apt/ready" ] || return 1
    [ ! -f "$apt/ready" ] || return 0
    uri=$(mirror)
    [ -n "$uri" ] || die "this machine's apt names no Debian mirror; set SFB_DEBIAN_MIRROR to one (a URL that ends in /debian)"
    say "asking $uri for its package lists"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    for suite in $SUITES; do echo "deb-src [signed-by=$KEYRING] $uri $suite main"; done >"$apt/sources.list"
    cat >"$apt/conf" <<END
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
END
    private_apt apt-get update >"$apt/log" 2>&1 || :
    if ! ls "$apt"/lists/*_Sources* >/dev/null 2>&1; then
        say "no package lists from $uri: $(grep -m 1 '^[EW]:' "$apt/log" || echo 'apt gave no reason')"
        return 1
    fi
    touch "$apt/ready"
}
private_apt() { APT_CONFIG=$work/apt/conf "$@"; }

intact() { # are all files of a list (stdin, lock lines) here, with the right sums?
    local list
    list=$(awk '{ print $4 "  " $5 }')
    [ -n "$list" ] && (cd "$SOURCES" && sha256sum --status -c) <<<"$list" 2>/dev/null
}

# Download one version into $work/new and list it as lock lines.
download() { # PACKAGE VERSION
    local new=$work/new
    rm -rf "$new"
    mkdir -p "$new"
    (cd "$new" && private_apt apt-get -qq --download-only source "$1=$2") >"$work/apt.log" 2>&1 || return 1
    rm -f "$new"/*.lock
    local suite
    suite=$(private_apt apt-cache madison "$1" | awk -v v="$2" '$3 == v { split($6, s, "/"); print s[1]; exit }')
    (cd "$new" && sha256sum -- *) | awk -v p="$1" -v s="$suite" -v v="$2" '{ print p, s, v, $1, $2 }' >"$work/new.lock"
}

keep() { mkdir -p "$SOURCES"; mv -f "$work"/new/* "$SOURCES/"; }

newer_versions() { # of the same release series in any suite, newest first: PACKAGE VERSION
    local series version
    series=$(upstream_version "$2" | cut -d. -f1,2)
    case $1 in postgresql-*) series=${1#*-} ;; esac
    private_apt apt-cache madison "$1" | awk '{ print $3 }' | sort -u | while read -r version; do
        case $(upstream_version "$version") in
            "$series" | "$series".* | 20[0-9]*) if dpkg --compare-versions "$version" gt "$2"; then echo "$version"; fi ;;
        esac
    done | sort -rV
}

# Have a package's source files in the cache. 1 when that cannot be done; why is said in one line.
fetch() {
    local package=$1 version candidate bad
    mkdir -p "$SOURCES"
    version=$(locked "$package" | awk '{ print $3; exit }')
    [ -n "$version" ] || { say "$package is not in vendor/lock"; return 1; }
    if locked "$package" | intact; then rm -f "$(instead "$package")"; return 0; fi
    : >"$work/apt.log"
    if apt_ready && download "$package" "$version"; then
        bad=$(awk 'NR == FNR { sum[$5] = $4; next } sum[$5] != $4 { print $5; exit }' <(locked "$package") "$work/new.lock")
        [ -z "$bad" ] || die "$bad: wrong checksum: the mirror's file is not the one that vendor/lock names"
        keep
        rm -f "$(instead "$package")"
        say "$package $version: fetched"
        return 0
    fi
    bad=$(grep -m 1 '^E:' "$work/apt.log" || echo "the mirror has no package lists")
    if [ -f "$(instead "$package")" ] && intact <"$(instead "$package")"; then
        note_drift "$package" "$version"
        return 0
    fi
    for candidate in $(apt_ready && newer_versions "$package" "$version"); do
        download "$package" "$candidate" || continue
        keep
        cp "$work/new.lock" "$(instead "$package")"
        note_drift "$package" "$version"
        return 0
    done
    say "$package $version could not be fetched, nor a newer one: $bad"
    return 1
}
note_drift() { note "$1 $(have_version "$1") taken: $2, which vendor/lock names, is gone; \"vendor/build.sh lock\" pins it anew"; }

# The source with Debian's patches in it.
unpack() { # PACKAGE DIR
    local dsc
    have "$1" | intact || die "$1: a downloaded file has a wrong checksum; remove $SOURCES and build again"
    [ ! -e "$2" ] || die "$2 is already there"
    dsc=$(have "$1" | awk '$5 ~ /\.dsc$/ { print $5 }')
    dpkg-source --no-copy --no-check -x "$SOURCES/$dsc" "$2" >/dev/null 2>"$work/unpack.$$" ||
        die "$1: dpkg-source could not unpack it: $(tail -n 1 "$work/unpack.$$")"
    rm -f "$work/unpack.$$"
}

# Pin anew: for each locked package the newest version that can be fetched of its series and suite.
relock() {
    local package suite version candidate done=''
    apt_ready || exit 1
    while read -r package suite version _; do
        case " $done " in *" $package "*) continue ;; esac
        done+=" $package"
        for candidate in $(private_apt apt-cache madison "$package" |
            awk -v s="$suite/main" '$6 == s { print $3 }' | sort -rV) "$version"; do
            if download "$package" "$candidate"; then break; fi
            : >"$work/new.lock"
        done
        if [ -s "$work/new.lock" ]; then
            sed "s/^$package [^ ]*/$package $suite/" "$work/new.lock" >>"$work/lock"
            keep
        else
            say "$package: no version can be fetched; its old lines stay"
            locked "$package" >>"$work/lock"
        fi
    done < <(grep -v '^#' "$VENDOR/lock")
    { grep '^#' "$VENDOR/lock"; sort "$work/lock"; } >"$work/lock.new"
    cat "$work/lock.new" >"$VENDOR/lock"
}
