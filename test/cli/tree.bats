#!/usr/bin/env bats
# tree.bats - the shape of the source: layers, headers, sizes, names. Needs no binary; what needs a compiler takes the
# one of the last build.

bats_require_minimum_version 1.5.0
load frame

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    CC="$(cat build/vendor-path)/bin/sfb-cc"
    export CC
}
setup() { cd "$BATS_TEST_DIRNAME/../.." || return 1; }

@test "includes only go down: sfb.c, applets, watch, backup, pg, store, io, base" {
    layer() {
        case $1 in
            sfb.c) echo 8 ;;
            applets/*) echo 7 ;;
            core/watch/*) echo 6 ;;
            core/backup/*) echo 5 ;;
            core/pg/*) echo 4 ;;
            core/store/*) echo 3 ;;
            core/io/*) echo 2 ;;
            core/base/*) echo 1 ;;
            *) echo 0 ;; # libraries and generated headers
        esac
    }
    wrong=0
    while IFS=: read -r file included; do
        if [ "$(layer "$included")" -gt "$(layer "$file")" ]; then
            echo "$file includes $included" >&2
            wrong=1
        fi
    done < <(grep -oE '^#include "(core|applets|sfb)[^"]*"' -r sfb.c applets core | sed 's/#include "//; s/"$//')
    [ $wrong = 0 ]
}

@test "every include of ours is written from the root of the tree" {
    grep -nE '^#include "' -r sfb.c applets core |
        grep -vE '"(core/[a-z]+/|applets/)[a-z0-9_]+\.h"|"(version|libraries|sfb_pg_majors)\.h"' | none
}

@test "every header compiles alone, and may be included twice" {
    for header in core/*/*.h applets/*.h; do
        case $header in *_table.h | core/base/banned.h) continue ;; esac # an X-macro's list; included in front of all
        printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
            "$CC" -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -I. -Ibuild/gen -fsyntax-only -x c - || {
            echo "$header does not compile alone" >&2
            return 1
        }
    done
}

@test "unsafe functions are banned: the compiler refuses them" {
    grep -q -- '-include core/base/banned.h' GNUmakefile
    for call in 'strcpy(a, b)' 'strcat(a, b)' 'strncpy(a, b, 3)' 'sprintf(a, "x")' 'system("x")' 'popen("x", "r")' \
        'mktemp(a)' 'tmpnam(a)' 'strtok(a, b)' 'atoi(a)' 'localtime(0)'; do
        if printf '#include <stdlib.h>\nvoid f(char *a, char *b);\nvoid f(char *a, char *b) { (void)b; (void)!%s; }\n' "$call" |
            "$CC" -std=gnu11 -I. -include core/base/banned.h -fsyntax-only -x c - 2>/dev/null; then
            echo "$call compiles" >&2
            return 1
        fi
    done
}

@test "applets.h lists what applets/ holds" {
    [ "$(ls applets/*.c | sed 's|.*/||; s|\.c$||' | sort)" = "$(sed -n 's/^ *X(\([a-z_]*\)).*/\1/p' applets/applets.h | sort)" ]
}

@test "an applet stays under 300 lines, any file under 600" {
    wc -l applets/*.c | awk '$2 != "total" && $1 > 300' | none
    find sfb.c core test vendor packaging \( -name '*.[ch]' -o -name '*.sh' -o -name '*.ba[ts]*' \) -exec wc -l {} + |
        awk '$2 != "total" && $1 > 600' | none
}

@test "foo.c exports foo_ names only, and those of the structs that its header declares" {
    [ -e build/core/base/err.o ]
    for object in build/core/*/*.o; do
        source=${object#build/}
        source=${source%.o}.c
        [ -e "$source" ] || continue # left by an older tree
        module=${source##*/}
        module=${module%.c}
        structs=$(sed -n 's/^struct \([a-z_]*\).*/\1/p' "${source%.c}.h" 2>/dev/null | tr '\n' ' ')
        # sfb_ names are called by the patched libraries; sqltext.c may say sql_.
        nm --defined-only --extern-only "$object" | awk -v module="${module%%_*}" -v source="$source" -v structs="$structs" '
            BEGIN { n = split(structs, s, " ") }
            $2 ~ /[TDBRC]/ {
                split($3, words, "_")
                ok = index(module, words[1]) == 1 || words[1] == "sfb"
                for (i = 1; i <= n; i++) ok = ok || index($3, s[i] "_") == 1
                if (!ok) print source ": " $3
            }'
    done | none
}

@test "core prints nothing on its own and ends nothing: log.h, struct err" {
    grep -nE '\b(printf|puts|putchar|perror|fprintf *\( *(stdout|stderr)|exit) *\(' core/*/*.c |
        grep -vE ':\s*(/?\*|//)|buf_|_exit|core/base/log\.c|core/pg/tool[a-z_]*\.c' | none
}

@test "every C file has a licence in its first line and says what it is for" {
    for file in sfb.c applets/*.[ch] core/*/*.[ch]; do
        head -n 1 "$file" | grep -q '^/\* SPDX-License-Identifier: PostgreSQL \*/$' || { echo "$file: licence" >&2; return 1; }
        case $file in *.c) [ ! -e "${file%.c}.h" ] || continue ;; esac # its header says it
        sed -n 2p "$file" | grep -qE "^/\* $(basename "$file") - " || { echo "$file: purpose" >&2; return 1; }
    done
}
