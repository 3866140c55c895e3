# shellcheck shell=bash disable=SC2154
# frame.bash - what the tests of the command line and of the tree share. SFB: the binary, default ./sfb.

find_sfb() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    SFB=$(realpath "${SFB:-./sfb}")
    export SFB
    export -n SFB_TEST_NOW
    [ -x "$SFB" ] || { echo "$SFB is not there: run make first" >&2; return 1; }
}

applets() { # as applets.h lists them
    sed -n 's/^ *X(\([a-z_]*\)).*/\1/p' applets/applets.h
}

raw_applets() { grep -lE '\.raw = true' applets/*.c | sed 's|.*/||; s|\.c$||'; }

own_applets() { # those with our manners
    comm -23 <(applets | sort) <(raw_applets | sort)
}

links_of() { # the further names of an applet
    "$SFB" help "$1" | sed -n 's/^Also called: //p' | tr -d ',' | tr ' ' '\n' | grep -v '\.sh$' || :
}

says() { # TEXT... each is somewhere in $output
    local text
    for text in "$@"; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\nbut:\n%s\n' "$text" "$output" >&2; return 1; }
    done
}

same() { # EXPECTED GOT
    [ "$1" = "$2" ] || { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") >&2; return 1; }
}

none() { # standard input is empty. (A line that starts with ! can't fail a test of bats, unless it is the last.)
    local got
    got=$(cat)
    [ -z "$got" ] || { printf 'there should be none of these:\n%s\n' "$got" >&2; return 1; }
}
