#!/usr/bin/env bash
# lint.sh - how the code looks: clang-format, clang-tidy, cppcheck, shellcheck, and two rules of our own.
#
#   test/lint.sh [FILE...]     the whole tree, or these files
#
# Installs nothing; says what is missing (test/deps.sh installs it). Ends with 1 when there is something to do.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export LC_ALL=C.UTF-8

# What the compiler gets. Where the product was built, its own libraries and generated headers; else the host's, and
# stand-ins; a file that can't be compiled so is passed over, and we say so.
generated=build/gen
libraries=$(cat build/vendor-path 2>/dev/null || :)
flags=(-std=gnu11 -D_GNU_SOURCE -I. -include core/base/banned.h)
if [ -d "$libraries/include" ]; then
    resources=$(printf '%s\n' /usr/lib/llvm-*/lib/clang/*/include | sort -V | tail -n 1)
    flags+=(-nostdinc -isystem "$libraries/include" -isystem "$resources")
else
    flags+=(-I/usr/include/postgresql)
fi

# test/lint.sh --tidy FILE DIR: one file, for xargs. DIR has the generated headers.
if [ "${1-}" = --tidy ]; then
    file=$2
    flags+=("-I$3")
    [ "$file" = core/base/err.c ] || flags+=(-include test/lint_analyzer.h)
    if [ ! -d "$libraries/include" ] && ! gcc "${flags[@]}" -fsyntax-only "$file" 2>/dev/null; then
        echo "lint: $file: not seen by clang-tidy before the libraries are built" >&2
        exit 0
    fi
    # What was fine and has not changed, its headers included, is fine: build/lint remembers.
    seen=build/lint/$({ cat .clang-tidy; gcc "${flags[@]}" -E "$file" 2>/dev/null || date +%N; } | sha256sum | cut -c1-32)
    [ ! -e "$seen" ] || exit 0
    if said=$(clang-tidy --quiet "$file" -- "${flags[@]}" 2>/dev/null); then
        mkdir -p build/lint && : >"$seen"
        exit 0
    fi
    printf '%s\n' "${said//"$PWD/"/}"
    exit 1
fi

failed=0
fail() {
    printf 'lint: %s\n' "$*"
    failed=1
}

missing=()
for tool in clang-format clang-tidy cppcheck shellcheck; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "lint: missing: ${missing[*]}; test/deps.sh installs what is missing" >&2
    exit 2
fi

# ---- which files --------------------------------------------------------------------------------------------------

if [ $# -gt 0 ]; then
    files=("$@")
elif git rev-parse --git-dir >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files --cached --others --exclude-standard)
else # a release without its history
    mapfile -t files < <(find . -path ./build -prune -o -type f -print | sed 's|^\./||')
fi

is_script() {
    case $1 in
        *.sh | *.bash | *.bats) return 0 ;;
        *.*) return 1 ;;
    esac
    head -n 1 "$1" | grep -qaE '^#!.*(sh|bats)$'
}

texts=() c_files=() product=() scripts=() sourced=()
for file in "${files[@]}"; do
    [ -f "$file" ] && [ ! -L "$file" ] || continue # deleted and not committed yet; a link
    case $file in *.patch | *.png | *.gz | *.dump) continue ;; esac
    texts+=("$file")
    case $file in *.c | *.h) c_files+=("$file") ;; esac
    case $file in sfb.c | applets/*.c | core/*.c) product+=("$file") ;; esac
    if is_script "$file"; then
        if head -c 2 "$file" | grep -q '#!'; then scripts+=("$file"); else sourced+=("$file"); fi
    fi
done

# ---- our own rules ------------------------------------------------------------------------------------------------

for file in ${c_files[@]+"${c_files[@]}"}; do
    head -n 1 "$file" | grep -q 'SPDX-License-Identifier:' || fail "$file: its first line is no SPDX-License-Identifier"
done
for file in ${texts[@]+"${texts[@]}"}; do
    case $file in *.md | *.golden) continue ;; esac
    grep -IHnE '[[:blank:]]+$' "$file" && fail "$file: blanks at the end of a line"
done

# ---- the tools ----------------------------------------------------------------------------------------------------

if [ ${#c_files[@]} -gt 0 ]; then
    while read -r file; do
        fail "$file: laid out differently: make format"
    done < <(clang-format --dry-run "${c_files[@]}" 2>&1 | sed -n 's/^\([^: ][^:]*\):[0-9]*:[0-9]*: warning:.*/\1/p' | sort -u)
fi

if [ ${#product[@]} -gt 0 ]; then
    mkdir -p build/lint
    standins=$(mktemp -d)
    trap 'rm -rf "$standins"' EXIT
    echo '#define SFB_VERSION "0"' >"$standins/version.h"
    echo '#define LIBRARIES(X) X("name", "0", "licence")' >"$standins/libraries.h"
    echo '#define SFB_PG_MAJORS(X) X(18, "18.0")' >"$standins/sfb_pg_majors.h"
    [ -e "$generated/libraries.h" ] || generated=$standins
    printf '%s\n' "${product[@]}" | xargs -P "$(nproc)" -I '{}' test/lint.sh --tidy '{}' "$generated" ||
        fail "clang-tidy has something to say"
    cppcheck --quiet --std=c11 -j "$(nproc)" --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --error-exitcode=1 --template=gcc \
        --cppcheck-build-dir=build/lint -D_GNU_SOURCE -I. -I"$standins" "${product[@]}" 2>&1 || fail "cppcheck has something to say"
fi

shell_check() { xargs -0 -r -n 4 -P "$(nproc)" shellcheck -x -S warning -f gcc "$@"; } # fail would be lost in a pipeline
if [ ${#scripts[@]} -gt 0 ]; then printf '%s\0' "${scripts[@]}" | shell_check || fail "shellcheck has something to say"; fi
# What others source: its variables come from them, or are for them.
if [ ${#sourced[@]} -gt 0 ]; then printf '%s\0' "${sourced[@]}" | shell_check -s bash -e SC2154,SC2034 || fail "shellcheck has something to say"; fi

[ $failed = 1 ] || echo "lint: nothing to say about ${#texts[@]} files"
exit $failed
