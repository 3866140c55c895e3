# shellcheck shell=bash disable=SC2034 # status, output and stderr are for the tests
# harness.bash - what the live tests share: throwaway PostgreSQL servers, sfb's surroundings, and comparisons.
#
#     load harness
#     setup_file()    { file_begin; pg_start; }            # pg_start 17: another major
#     teardown_file() { file_end; }
#     setup()         { test_begin; }                      # fresh directories, SFB_* and PG_* variables
#     teardown()      { test_end; }
#
#     @test "a backup can be taken" {
#         db_new shop; sql shop "CREATE TABLE t (n int)"
#         export PRODUCTION_DATABASE_URL; PRODUCTION_DATABASE_URL=$(db_url shop)
#         run -0 sfb backup --local-only
#     }
#
# Everything lives below one directory per file, $ROOT, which file_end removes; file_end fails when a process of the
# file is still there. Nothing here sleeps to wait for something: wait_for asks again until it is so, or a bound is over.
# Works as root, where servers run as user postgres, and as anybody else.
bats_require_minimum_version 1.5.0

HARNESS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HARNESS_DIR/../.." && pwd)

# Nothing of the caller's may leak in, and times must be UTC whatever the caller's zone.
if [ "${HARNESS_CLEAN-}" != "${BATS_RUN_TMPDIR-}" ]; then # the first time only: setup_file's exports must stay
    for harness_name in $(compgen -e); do
        case $harness_name in
            SFB_TEST_* | SFB_BINARY) ;;
            PG* | SFB_* | AWS_* | *DATABASE_URL) unset "$harness_name" ;;
        esac
    done
    unset harness_name
    export HARNESS_CLEAN=${BATS_RUN_TMPDIR-}
fi
export TOP LC_ALL=C.UTF-8 TZ=XST-05:30
export PG_PASSWORD=swordfish-4711 # appears nowhere else: tests look for it where it may not be

is_root() { [ "$(id -u)" = 0 ]; }

# wait_for SECONDS COMMAND...: until it succeeds. Fails, and says so, when the time is over.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "waited too long for: $*" >&2
            return 1
        fi
        sleep 0.05
    done
}

# As user postgres when we are root; PostgreSQL refuses to run as root.
as_postgres() { if is_root; then setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$ROOT" "$@"; else "$@"; fi; }

# As an ordinary user (nobody) when we are root.
as_user() { if is_root; then setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$HOME" "$@"; else "$@"; fi; }

# ---- a file of tests ------------------------------------------------------------------------------------------------

file_begin() {
    local base=${SFB_TEST_RUN:-${TMPDIR:-/tmp}} binary=${SFB_BINARY:-$TOP/sfb}
    [ -x "$binary" ] || { echo "there is no $binary: run make first" >&2; return 1; }
    ROOT=$(mktemp -d "$base/sfb-live.XXXXXX")
    chmod 755 "$ROOT"
    mkdir "$ROOT/bin" "$ROOT/servers"
    cp "$binary" "$ROOT/bin/sfb" # reachable for every user, and no make can change it meanwhile
    export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache} # test/servers.sh looks there, whatever HOME is
    export ROOT SFB=$ROOT/bin/sfb HOME=$ROOT
}

# Stops every server and removes the directory. Fails when something of ours still runs.
file_end() {
    local left
    [ -d "${ROOT-}" ] || return 0 # file_begin failed: nothing is ours
    pg_stop_all
    left=$(processes_left "$ROOT")
    awk '{ print $1 }' <<<"$left" | xargs -r kill -9 2>/dev/null || :
    rm -rf "$ROOT"
    [ -z "$left" ] || { printf 'still running at the end of the file:\n%s\n' "$left" >&2; return 1; }
}

# Processes that mention a directory in their command line or environment: "PID COMMAND" lines. Not we ourselves and
# not our ancestors, which bats and prove are.
processes_left() {
    local dir=$1 pid skip=" " p=$BASHPID
    [[ $dir = */sfb-live.?????? ]] || return 0 # never a word that others' processes could mention
    while [ "${p:-0}" -gt 1 ]; do
        skip+="$p "
        p=$(awk '/^PPid:/ { print $2 }' "/proc/$p/status" 2>/dev/null)
    done
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        [[ $skip != *" $pid "* ]] || continue
        grep -qaF -- "$dir" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null || continue
        [ "$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)" != "$BASHPID" ] || continue
        [[ "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" != *bats* ]] || continue
        echo "$pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
    done
}

# ---- a test ---------------------------------------------------------------------------------------------------------

# Fresh directories for sfb, which an ordinary user may write too. T is the test's own directory.
test_begin() {
    local name
    T=$(mktemp -d "$ROOT/t.XXXXXX")
    chmod 755 "$T"
    for name in work cache log state; do
        mkdir "$T/$name"
        chmod 777 "$T/$name"
    done
    export T HOME=$T WORK=$T/work CACHE=$T/cache SFB_WORK_DIR=$T/work SFB_CACHE_DIR=$T/cache SFB_LOG_DIR=$T/log SFB_STATE_DIR=$T/state
    unset PRODUCTION_DATABASE_URL STAGING_DATABASE_URL DATABASE_URL
}

test_end() {
    local pid
    if [ -z "${BATS_TEST_COMPLETED-}" ] && [ -n "${output-}${stderr-}" ]; then # it failed: what the last run said
        printf 'exit %s\n%s\n' "${status-}" "$output"
        [ -z "${stderr-}" ] || printf -- '-- stderr:\n%s\n' "$stderr"
    fi
    for pid in "$T"/sfb-*.pid; do
        [ ! -f "$pid" ] || kill -9 -- "-$(<"$pid")" 2>/dev/null || :
    done
    [ ! -f "$T/hole.pid" ] || kill "$(<"$T/hole.pid")" 2>/dev/null || :
    [ -z "${PG_PORT-}" ] || release_locks 2>/dev/null || :
    rm -rf "$T"
}

# sfb ARGUMENTS...: the binary, bounded in time. `backup-database ...` and the other links: link_dir first.
sfb() { timeout -k 5 "${SFB_TEST_TIMEOUT:-180}" "$SFB" "$@"; }

# With sanitizers in it, sfb's memory is mostly theirs.
is_sanitized() { [ -n "${SFB_TEST_SANITIZED-}" ]; }

# A directory with sfb's links.
link_dir() { mkdir -p "$T/links" && "$SFB" --install "$T/links" >/dev/null && echo "$T/links"; }

# sfb_start ARGUMENTS...: sfb in the background, in a session of its own, so that signals and leftovers are told apart.
# PID is its process; $T/out and $T/err what it says. Then sfb_wait: status, output (stdout) and stderr as `run` sets them.
sfb_start() {
    : >"$T/out"
    : >"$T/err"
    setsid env --default-signal "$SFB" "$@" >"$T/out" 2>"$T/err" </dev/null 3>&- &
    PID=$!
    echo "$PID" >"$T/sfb-$PID.pid"
    wait_for 10 own_session "$PID" # its exec is over: what is counted below is sfb
}
own_session() { [ "$(ps -o sid= -p "$1" | tr -d ' ')" = "$1" ] || ! kill -0 "$1" 2>/dev/null; }
sfb_wait() { # [SECONDS]
    if ! wait_for "${1:-60}" gone "$PID"; then kill -9 -- "-$PID"; fi
    status=0
    wait "$PID" || status=$?
    output=$(cat "$T/out") stderr=$(cat "$T/err")
    rm -f "$T/sfb-$PID.pid"
}
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# Nothing of that sfb's session runs any more.
no_children() { wait_for 10 no_session "${1:-$PID}"; }
no_session() { ! pgrep -s "$1" -r D,R,S,T,t,W; }

# A file system of its own size, in a mount namespace, so that nothing leaks: small_fs SIZE DIR COMMAND... runs the
# command where DIR is an empty tmpfs of SIZE. need_small_fs, not under `run`, skips the test where mounting is not allowed.
small_fs() {
    local size=$1 dir=$2
    shift 2
    # shellcheck disable=SC2016 # for the inner shell
    in_mount_namespace bash -c 'mount -t tmpfs -o mode=1777,size="$1" tmpfs "$2" && shift 2 && exec "$@"' - "$size" "$dir" "$@"
}
in_mount_namespace() {
    if is_root; then unshare --mount --propagation private "$@"
    else unshare --user --map-root-user --mount --propagation private "$@"; fi
}
need_small_fs() { small_fs 64k "$T" true 2>/dev/null || skip "mounting a tmpfs is not allowed here"; }

# The pg_dump of that sfb is stopped while rows flow: its file has begun to grow. DUMP is its pid; kill -CONT lets it go on.
stop_in_the_middle() {
    wait_for 30 grows "$SFB_WORK_DIR" || return 1
    DUMP=$(pgrep -n -P "$PID") # the newest: other programs were started before it
    kill -STOP "$DUMP"
    grows "$SFB_WORK_DIR" || { echo "too late: the dump was over" >&2; return 1; }
}
grows() { [ -n "$(find "$1" -name '.*.partial-*' -size +64k)" ]; }

# A server that accepts connections and never answers: HOLE_PORT.
black_hole() {
    perl -MIO::Socket::INET -e '
        $| = 1;
        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 20) or die;
        print $s->sockport, "\n";
        while (1) { push @held, $s->accept }' >"$T/hole" 2>/dev/null </dev/null 3>&- &
    echo $! >"$T/hole.pid"
    disown
    wait_for 10 test -s "$T/hole"
    HOLE_PORT=$(<"$T/hole")
}

# ---- PostgreSQL servers ---------------------------------------------------------------------------------------------

# Where a major's programs are: Debian's package, $SFB_TEST_PG17 and the like, or what test/servers.sh has built.
pg_bin() {
    local prefix=SFB_TEST_PG$1
    prefix=${!prefix-}
    [ -n "$prefix" ] || prefix=/usr/lib/postgresql/$1
    [ -x "$prefix/bin/initdb" ] || prefix=$("$TOP/test/servers.sh" --print "$1" 2>/dev/null)
    [ -x "$prefix/bin/initdb" ] || { echo "there is no PostgreSQL $1: make deps, or test/servers.sh $1" >&2; return 1; }
    if is_root && ! as_postgres test -x "$prefix/bin/initdb"; then # under /root, say
        [ -d "$ROOT/pg$1" ] || cp -al "$prefix" "$ROOT/pg$1" 2>/dev/null || { rm -rf "$ROOT/pg$1"; cp -a "$prefix" "$ROOT/pg$1"; }
        prefix=$ROOT/pg$1
    fi
    echo "$prefix/bin"
}

# initdb takes seconds: once a run, then copied.
pg_template() {
    local major=$1 shared=${SFB_TEST_RUN:-$ROOT}
    (
        flock 9
        [ ! -f "$shared/template-$major/done" ] || exit 0
        rm -rf "$shared/template-$major"
        mkdir "$shared/template-$major"
        ! is_root || chown postgres "$shared/template-$major"
        echo "$PG_PASSWORD" >"$shared/template-$major/password"
        as_postgres "$PG_BIN/initdb" -D "$shared/template-$major/data" -U postgres -A scram-sha-256 \
            --pwfile="$shared/template-$major/password" -E UTF8 --locale=C.UTF-8 --wal-segsize=1 --no-sync \
            >"$shared/template-$major.log" 2>&1 </dev/null || { cat "$shared/template-$major.log" >&2; exit 1; }
        as_postgres tee -a "$shared/template-$major/data/postgresql.conf" >/dev/null <<'CONF'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_connections = 40
max_locks_per_transaction = 512
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
max_wal_size = 512MB
log_min_messages = warning
logging_collector = off
unix_socket_permissions = 0777
CONF
        touch "$shared/template-$major/done"
    ) 9>"$shared/template-$major.lock"
}

# pg_start [MAJOR] ["-c name=value ..."]: a server of its own on loopback and a socket, password authentication. Sets and exports
# PG_MAJOR PG_BIN PG_DIR PG_HOST PG_PORT PG_SOCKET PG_URL. A second one in a test replaces these for that test.
pg_start() {
    local more=${2-} try
    PG_MAJOR=${1:-15}
    PG_BIN=$(pg_bin "$PG_MAJOR") || return 1
    pg_template "$PG_MAJOR" || return 1
    PG_DIR=$(mktemp -d "$ROOT/servers/XXXXXX")
    chmod 755 "$PG_DIR"
    ! is_root || chown postgres "$PG_DIR"
    cp -a "${SFB_TEST_RUN:-$ROOT}/template-$PG_MAJOR/data" "$PG_DIR/data"
    PG_HOST=127.0.0.1 PG_SOCKET=$PG_DIR
    for try in {1..30}; do
        PG_PORT=$((10240 + (RANDOM * 32768 + RANDOM) % 22000)) # below the ports that clients get
        if pg_boot "$more"; then
            PG_URL=postgresql://postgres:$PG_PASSWORD@$PG_HOST:$PG_PORT
            export PG_MAJOR PG_BIN PG_DIR PG_HOST PG_PORT PG_SOCKET PG_URL
            return 0
        fi
        grep -q 'Address already in use' "$PG_DIR/log" || break
    done
    echo "PostgreSQL $PG_MAJOR does not start (attempt $try):" >&2
    cat "$PG_DIR/log" >&2
    return 1
}

# Starts the present server (again), after pg_stop or the first time.
pg_boot() {
    as_postgres "$PG_BIN/pg_ctl" start -s -w -t 60 -D "$PG_DIR/data" -l "$PG_DIR/log" \
        -o "-p $PG_PORT -k '$PG_SOCKET' -c listen_addresses=$PG_HOST ${1-}" >"$PG_DIR/ctl.log" 2>&1 </dev/null 3>&-
}

# pg_stop [immediate|fast]: immediate is as if the machine had died.
pg_stop() { as_postgres "$PG_BIN/pg_ctl" stop -s -w -t 60 -m "${1:-immediate}" -D "$PG_DIR/data" >/dev/null 2>&1; }

pg_stop_all() {
    local dir pid
    for dir in "$ROOT"/servers/*/; do
        pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) || continue
        kill -QUIT "$pid" 2>/dev/null || continue
        wait_for 30 gone "$pid" || kill -9 "$pid"
    done
}

# ---- talking to the present server with its own programs ------------------------------------------------------------

# pg PROGRAM ARGUMENTS...: one of the server's own programs, as superuser.
pg() {
    local program=$1
    shift
    PGHOST=$PG_SOCKET PGPORT=$PG_PORT PGUSER=postgres PGPASSWORD=$PG_PASSWORD PGAPPNAME=harness \
        timeout -k 5 300 "$PG_BIN/$program" "$@"
}

# sql DATABASE [SQL]: what it prints, unaligned; SQL from standard input when there is none.
sql() {
    if [ $# -gt 1 ]; then
        pg psql -XAtq -v ON_ERROR_STOP=1 -d "$(conninfo_of "$1")" -c "$2" </dev/null
    else
        pg psql -XAtq -v ON_ERROR_STOP=1 -d "$(conninfo_of "$1")"
    fi
}
# Any name, "a=b" too, as a connection string.
conninfo_of() { local name=${1//\\/\\\\}; printf "dbname='%s'" "${name//\'/\\\'}"; }

quote_name() { printf '"%s"' "${1//\"/\"\"}"; }

db_new() { sql postgres "CREATE DATABASE $(quote_name "$1") ${2-}"; } # NAME [further words of CREATE DATABASE]
db_drop() { sql postgres "DROP DATABASE IF EXISTS $(quote_name "$1") WITH (FORCE)"; }

url_encode() { printf %s "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g'; }

# db_url NAME [USER [PASSWORD]]
db_url() {
    local user=${2-postgres} password=${3-$PG_PASSWORD}
    printf 'postgresql://%s:%s@%s:%s/%s' "$(harness_encode "$user")" "$(harness_encode "$password")" "$PG_HOST" "$PG_PORT" \
        "$(harness_encode "$1")"
}
harness_encode() { case $1 in *[!A-Za-z0-9_.-]*) url_encode "$1" ;; *) printf %s "$1" ;; esac; }

# Another session holds a table, so that whoever needs it (pg_dump) waits: hold_lock DATABASE TABLE; release_locks.
hold_lock() {
    PGHOST=$PG_SOCKET PGPORT=$PG_PORT PGUSER=postgres PGPASSWORD=$PG_PASSWORD PGAPPNAME=holder \
        "$PG_BIN/psql" -XAtq -d "$(conninfo_of "$1")" -c "BEGIN; LOCK TABLE $2; SELECT pg_sleep(900)" \
        >/dev/null 2>&1 </dev/null 3>&- &
    disown
    wait_for 20 answers postgres "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'holder' AND query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'"
}
release_locks() {
    sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
}
# answers DATABASE SQL: true when the one value is t
answers() { [ "$(sql "$1" "$2")" = t ]; }

# pg_dump has got to a table that somebody holds, and waits.
dump_waits() {
    wait_for "${1:-30}" answers postgres \
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%LOCK TABLE%' AND application_name <> 'holder'"
}
# No session but ours is left on the server.
no_sessions() {
    wait_for "${1:-20}" answers postgres \
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name NOT IN ('harness', 'holder')"
}

# ---- comparing ------------------------------------------------------------------------------------------------------

# Everything in a database as text, without sfb's help: the schema as the server's own pg_dump shows it, every row of every
# table and materialized view in a fixed order, where every sequence stands, every large object. Partitions are read through
# their root: by which of them a row is held may change (hashes of an enum differ from database to database).
content_text() {
    local db=$1
    pg pg_dump --schema-only -d "$(conninfo_of "$db")" | sed '/^-- Dumped /d; /^\\\(un\)\?restrict /d'
    sql "$db" "
        SELECT format(E'SELECT %L;\nCOPY (SELECT \"a row of it\"::text FROM %s %I.%I \"a row of it\" ORDER BY \"a row of it\"::text COLLATE \"C\") TO STDOUT;',
                      format('%I.%I', nspname, relname), CASE WHEN relkind = 'p' THEN '' ELSE 'ONLY' END, nspname, relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition AND (relkind <> 'm' OR relispopulated) AND relpersistence <> 't'
          AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        ORDER BY nspname COLLATE \"C\", relname COLLATE \"C\"" | { echo "SET extra_float_digits = 3;"; cat; } | sql "$db"
    sql "$db" "
        SELECT format('SELECT %L, last_value, is_called FROM %I.%I;', format('%I.%I', nspname, relname), nspname, relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'S' AND relpersistence <> 't' ORDER BY nspname COLLATE \"C\", relname COLLATE \"C\"" | sql "$db"
    sql "$db" "SELECT 'large object', oid, pg_get_userbyid(lomowner), lomacl, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid"
    sql "$db" "SELECT 'database', pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba)
               FROM pg_database WHERE datname = current_database()"
}
content_digest() { content_text "$1" | sha256sum | cut -d' ' -f1; }

# same_content DATABASE FILE: FILE is an earlier content_text. Shows the difference when there is one.
same_content() {
    content_text "$1" >"$T/content.now"
    diff -u "$2" "$T/content.now" | head -n 60
    cmp -s "$2" "$T/content.now"
}

# ---- small assertions that say what is wrong -------------------------------------------------------------------------

# has TEXT PATTERN: some line matches the extended regular expression
has() { grep -qE -- "$2" <<<"$1" || { printf 'no line matches: %s\nin:\n%s\n' "$2" "$1" >&2; return 1; }; }
has_not() { ! grep -qE -- "$2" <<<"$1" || { printf 'a line matches: %s\nin:\n%s\n' "$2" "$1" >&2; return 1; }; }
# files in a directory, hidden ones too, in one line
files_in() { (cd "$1" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' '); }
empty_dir() { [ -z "$(files_in "$1")" ] || { echo "left in $1: $(files_in "$1")" >&2; return 1; }; }
# the one file that matches: the_file DIR PATTERN
the_file() {
    local found
    found=$(find "$1" -mindepth 1 -maxdepth 1 -name "$2")
    if [ "$(grep -c . <<<"$found")" != 1 ]; then
        printf 'not one %s in %s: %s\n' "$2" "$1" "$(files_in "$1")" >&2
        return 1
    fi
    echo "$found"
}
# json FILE MEMBER...: the value at that path of members and indexes
json() {
    local file=$1
    shift
    perl -MJSON::PP -0777 -e '
        my $v = JSON::PP->new->utf8->decode(do { open my $f, "<", shift or die; <$f> });
        for (@ARGV) {
            $v = ref $v eq "ARRAY" ? $v->[$_] : exists $v->{$_} ? $v->{$_} : die "no member $_\n";
        }
        binmode STDOUT, ":utf8";
        print ref($v) =~ /^(HASH|ARRAY)$/ ? JSON::PP->new->canonical->encode($v) : $v, "\n"' "$file" "$@"
}
