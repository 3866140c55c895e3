#!/usr/bin/env bats
# frame.bats - the manners that every command has from sfb.c: names, help, options, exit codes, links.

bats_require_minimum_version 1.5.0
load frame

setup_file() { find_sfb; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return 1; }

# ---- names --------------------------------------------------------------------------------------------------------

@test "an unknown command ends with 127, says what there is and what may have been meant" {
    run -127 "$SFB" bakcup
    says 'there is no command "bakcup"' 'did you mean "backup"?'
    for applet in $(applets); do says "  $applet "; done
    run -127 "$SFB" something-else-entirely
    [[ $output != *"did you mean"* ]]
    run -127 "$SFB" help bakcup
}

@test "a name that is made of control characters can't write on the terminal" {
    run -127 "$SFB" $'x\033[2J\n'
    says '\x1B[2J'
    printf '%s' "$output" | grep -P '[\x00-\x09\x0B-\x1F]' | none
}

@test "without a command there is help, on standard error, and it is a failure" {
    run --separate-stderr "$SFB"
    [ "$status" = 2 ]
    [ -z "$output" ]
    [[ $stderr == "Usage: sfb COMMAND"* ]]
}

@test "sfb --help, -h and help print every command on standard output" {
    for option in --help -h help; do
        run --separate-stderr "$SFB" "$option"
        [ "$status" = 0 ]
        [ -z "$stderr" ]
        for applet in $(applets); do says "  $applet "; done
    done
}

@test "sfb --list names what applets/ holds, each with a summary" {
    same "$(ls applets/*.c | sed 's|.*/||; s|\.c$||' | sort)" "$("$SFB" --list | awk '{ print $1 }' | sort)"
    same "$(applets)" "$("$SFB" --list | awk '{ print $1 }')"
    "$SFB" --list | grep -vE '^[a-z_]+ +[A-Za-z].{5}' | none
}

@test "sfb's own unknown option is a usage error with a hint" {
    run "$SFB" --frobnicate
    [ "$status" = 2 ]
    says 'unknown option --frobnicate' 'run "sfb --help"'
    for option in --install --completion --man; do
        run "$SFB" $option
        [ "$status" = 2 ]
        says "$option needs a word after it"
    done
}

@test "a link answers to the command's name, with and without .sh, wherever it is" {
    mkdir "$BATS_TEST_TMPDIR/a dir"
    for applet in $(applets); do
        for link in $(links_of "$applet"); do
            for name in "$link" "$link.sh"; do
                ln -s "$SFB" "$BATS_TEST_TMPDIR/a dir/$name"
                run "$BATS_TEST_TMPDIR/a dir/$name" --help
                [ "$status" = 0 ]
                says "Usage: $name"
                run "$SFB" "$link" --help
                [ "$status" = 0 ]
                says "Usage: sfb $link"
            done
        done
    done
}

@test "the contract's names are links of the right commands" {
    same backup-database "$(links_of backup)"
    same restore-database "$(links_of restore)"
    same verify-backup "$(links_of verify)"
}

@test "PostgreSQL's programs answer to their own names, and to sfb NAME" {
    for program in pg_dump pg_restore psql; do
        ln -s "$SFB" "$BATS_TEST_TMPDIR/$program"
        run "$BATS_TEST_TMPDIR/$program" --version
        [ "$status" = 0 ]
        says "$program (PostgreSQL) "
        direct=$output
        run "$SFB" $program --version
        [ "$output" = "$direct" ]
    done
}

# ---- help ---------------------------------------------------------------------------------------------------------

@test "each command's --help says usage, options and exit codes, in 120 columns and without a blank at a line's end" {
    for applet in $(own_applets); do
        run --separate-stderr "$SFB" "$applet" --help
        [ "$status" = 0 ]
        [ -z "$stderr" ]
        says "Usage: sfb $applet" "Options:" "  -h, --help" "Exit codes:" "      0  success" "  128+N  "
        same "$output" "$("$SFB" help "$applet")"
        grep -E '.{121}| $' <<<"$output" | none
    done
    for applet in $(raw_applets); do
        run "$SFB" help "$applet"
        [ "$status" = 0 ]
        says "Usage: sfb $applet"
    done
}

@test "help, man page and completion name the same options, and all of the table" {
    "$SFB" --completion bash >"$BATS_TEST_TMPDIR/bash"
    for applet in $(own_applets); do
        in_help=$("$SFB" "$applet" --help | sed -n '/^Options:/,/^\(Examples\|Exit codes\):/s/^ \{2,6\}\(-[a-zA-Z], \)\?\(--[a-z-]*\).*/\2/p' | sort)
        in_man=$("$SFB" --man "$applet" | sed -n 's/\\-/-/g; s/^\\fB\(-[a-zA-Z]\\fR, \\fB\)\?\(--[a-z-]*\)\\fR.*/\2/p' | sort)
        in_bash=$(sed -n "s/^    ${applet}[^ ]*) options='\(.*\)' ;;/\1/p" "$BATS_TEST_TMPDIR/bash" | tr ' ' '\n' | sed '/^$/d' | sort)
        in_table=$({
            sed -n 's/^ *OPT_[A-Z]*([^"]*"\([a-z-]*\)".*/--\1/p' "applets/$applet.c"
            ! grep -q '\.wants_settings = true' "applets/$applet.c" || echo --config
            echo --help
        } | grep -v -- '--$' | sort)
        same "$in_help" "$in_man"
        same "$in_help" "$in_bash"
        same "$in_table" "$in_help"
    done
}

@test "the contract's options are there, under the contract's letters" {
    output=$("$SFB" backup --help)
    says '-e, --environment' '-f, --format' '-c, --compression' ' --local-only' '-r, --retention-days' '-v, --verbose' '-h, --help'
    output=$("$SFB" restore --help)
    says '-e, --environment' ' --force' ' --verify' ' --dry-run' '-p, --point-in-time' '-v, --verbose' '-h, --help'
}

@test "the contract's exit codes are explained" {
    for code in 0 1 2 3 4 5 6 75; do "$SFB" backup --help | grep -qE "^ +$code  [A-Za-z]"; done
    for code in 0 1 2 3 4 5 6 7 75; do "$SFB" restore --help | grep -qE "^ +$code  [A-Za-z]"; done
}

@test "75, another run is at work, is explained by those that wait for none, and by nobody else" {
    for applet in $(own_applets); do
        named=$("$SFB" "$applet" --help | grep -cE '^ +75  ' || :)
        case $applet in
            backup | restore | drill) [ "$named" = 1 ] ;;
            *) [ "$named" = 0 ] || { echo "$applet locks nothing" >&2; return 1; } ;;
        esac
    done
}

@test "every example is a command that exists, with options that exist" {
    for applet in $(own_applets); do
        options=$("$SFB" "$applet" --help)
        while read -r program name rest; do
            [ "$program" = sfb ]
            "$SFB" --list | grep -q "^$name "
            for word in ${rest%%|*}; do
                case $word in
                    '&&' | '>'*) break ;;
                    --*) [ "$name" != "$applet" ] || grep -q -- "${word%%=*}" <<<"$options" ;;
                esac
            done
        done < <("$SFB" "$applet" --help | sed -n '/^Examples:/,/^Exit codes:/s/^      \(sfb .*\)/\1/p')
    done
}

@test "man pages are roff that groff has nothing against" {
    for applet in sfb $(applets); do
        "$SFB" --man "$applet" >"$BATS_TEST_TMPDIR/page"
        grep -q '^\.TH "SFB' "$BATS_TEST_TMPDIR/page"
        if command -v groff >/dev/null; then groff -man -Tutf8 -ww -z "$BATS_TEST_TMPDIR/page" 2>&1 | none; fi
    done
}

@test "sfb(1) names every command and every option of sfb's own" {
    page=$("$SFB" --man sfb | sed 's/\\-/-/g')
    for applet in $(applets); do
        [ "$(grep -m 1 -A 1 -x "\.BR sfb-$applet (1)" <<<"$page" | tail -n 1)" = "$("$SFB" --list | sed -n "s/^$applet  *//p")" ]
    done
    for option in $("$SFB" --help | grep -oE '^  sfb --[a-z]+' | cut -d ' ' -f 4); do
        grep -q "^  sfb $option " <<<"$page"
    done
}

@test "completion scripts are sound, and other shells are told apart" {
    "$SFB" --completion bash | bash -n
    if command -v zsh >/dev/null; then "$SFB" --completion zsh | zsh -n; fi
    if command -v fish >/dev/null; then "$SFB" --completion fish | fish -n; fi
    [ "$("$SFB" --completion fish | grep -c -- '-l role-login')" = 2 ] # sfb restore, restore-database
    run "$SFB" --completion tcsh
    [ "$status" = 2 ]
    says 'bash, zsh and fish'
}

@test "bash completes commands, options and files" {
    "$SFB" --completion bash >"$BATS_TEST_TMPDIR/completion"
    cd "$BATS_TEST_TMPDIR"
    touch 'some backup.dump'
    complete_words() {
        bash -c '. ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sfb; printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
    }
    same backup "$(complete_words sfb back)"
    same --local-only "$(complete_words sfb backup --lo)"
    same --local-only "$(complete_words ./backup-database.sh --verbose --lo)"
    same --dry-run "$(complete_words restore-database --dry)"
    same version "$(complete_words sfb help vers)"
}

# ---- options ------------------------------------------------------------------------------------------------------

@test "a wrong command line is told by the word, with a hint, and ends with the command's code for it" {
    run "$SFB" backup --compression 10
    [ "$status" = 6 ]
    says '--compression is a number from 0 to 9, not "10"' 'run "sfb backup --help"'
    run "$SFB" backup --enviroment staging
    [ "$status" = 6 ]
    says 'unknown option --enviroment (did you mean --environment?)'
    ln -s "$SFB" "$BATS_TEST_TMPDIR/restore-database.sh"
    run "$BATS_TEST_TMPDIR/restore-database.sh" --nonsense
    [ "$status" = 7 ]
    says 'unknown option --nonsense' 'run "restore-database.sh --help"'
    run "$SFB" version --verbose extra
    [ "$status" = 2 ]
    says '"extra"'
}

@test "a settings file that was asked for must be there" {
    for applet in $(grep -lE '\.wants_settings = true' applets/*.c | sed 's|.*/||; s|\.c$||'); do
        run "$SFB" "$applet" --config "$BATS_TEST_TMPDIR/no-such-file" operand
        [ "$status" -ge 1 ] && [ "$status" -lt 75 ]
        says no-such-file
    done
}

# ---- output -------------------------------------------------------------------------------------------------------

@test "sfb --version is the version of CHANGELOG.md and of sfb version" {
    run "$SFB" --version
    [[ $output =~ ^sfb\ [0-9]+\.[0-9]+\.[0-9]+ ]]
    same "$output" "$("$SFB" version)"
    grep -q "^## .*${output#sfb }" CHANGELOG.md
}

@test "sfb --version takes less than 10 ms" {
    best=$(perl -MTime::HiRes=time -e '
        my $best = 1;
        for (1 .. 30) { my $t = time; system($ARGV[0], "--version") == 0 or die; my $d = time - $t; $best = $d if $d < $best }
        printf "%.1f\n", $best * 1000;' "$SFB" | tail -n 1)
    echo "best of 30: $best ms" >&2
    awk -v ms="$best" 'BEGIN { exit !(ms < 10) }'
}

@test "sfb version --verbose lists every library and PostgreSQL major that is inside" {
    run "$SFB" version --verbose
    [ "$status" = 0 ]
    says openssl musl zlib zstd libdeflate xxhash libpq mbedtls curl libarchive cjson
    for major in 15 17 18; do grep -qE "^  $major +$major\.[0-9]+" <<<"$output" || skip "PostgreSQL $major was not built in"; done
}

@test "sfb licenses has a text for every library" {
    "$SFB" licenses >"$BATS_TEST_TMPDIR/licenses"
    for library in $("$SFB" version --verbose | sed -n '/^Libraries:/,$s/^  \([^ ]*\) .*/\1/p'); do
        grep -qF "================ $library " "$BATS_TEST_TMPDIR/licenses" || { echo "no licence of $library" >&2; return 1; }
    done
    [ "$(sed 1,2d "$BATS_TEST_TMPDIR/licenses" | head -n "$(wc -l <LICENSE)")" = "$(<LICENSE)" ] # and our own, first
}

@test "a result that can't be printed is a failure, and says so" {
    run bash -c '"$SFB" version >/dev/full'
    [ "$status" != 0 ]
    says "can't write to standard output: No space left on device"
    run bash -c '"$SFB" licenses | head -n 1 >/dev/null; exit "${PIPESTATUS[0]}"'
    [ "$status" -lt 126 ]
}

@test "closed standard descriptors are no place for a file to be opened" {
    run bash -c '"$SFB" version <&- >&- 2>&-'
    [ "$status" -lt 126 ]
    run -127 bash -c '"$SFB" bakcup <&- 2>&-'
    [ -z "$output" ]
}

# ---- links --------------------------------------------------------------------------------------------------------

@test "sfb --install makes every link, relative, and a second time finds them right" {
    mkdir -p "$BATS_TEST_TMPDIR/opt/sfb" "$BATS_TEST_TMPDIR/usr/local/bin"
    cp "$SFB" "$BATS_TEST_TMPDIR/opt/sfb/sfb"
    cd "$BATS_TEST_TMPDIR"
    run opt/sfb/sfb --install usr/local/bin
    [ "$status" = 0 ]
    for name in backup-database restore-database verify-backup; do
        same ../../../opt/sfb/sfb "$(readlink "usr/local/bin/$name")"
        same ../../../opt/sfb/sfb "$(readlink "usr/local/bin/$name.sh")"
    done
    for name in pg_dump pg_restore psql; do same ../../../opt/sfb/sfb "$(readlink "usr/local/bin/$name")"; done
    mv usr usr-moved
    mv opt opt-moved
    mkdir away
    mv usr-moved away/usr
    mv opt-moved away/opt
    away/usr/local/bin/psql --version | grep -q PostgreSQL
    run away/usr/local/bin/../../../opt/sfb/sfb --install away/usr/local/bin
    [ "$status" = 0 ]
    says ' 0 links made, '
}

@test "sfb --install beside the binary, and through a link to it" {
    cp "$SFB" "$BATS_TEST_TMPDIR/sfb"
    ln -s sfb "$BATS_TEST_TMPDIR/other-name"
    (cd "$BATS_TEST_TMPDIR" && ./other-name --install .)
    same sfb "$(readlink "$BATS_TEST_TMPDIR/backup-database")"
    "$BATS_TEST_TMPDIR/backup-database" --help | grep -q '^Usage: backup-database'
}

@test "sfb --install overwrites nothing: it names what is in the way and makes no link" {
    echo mine >"$BATS_TEST_TMPDIR/psql"
    ln -s nowhere "$BATS_TEST_TMPDIR/restore-database"
    run "$SFB" --install "$BATS_TEST_TMPDIR"
    [ "$status" = 1 ]
    says "$BATS_TEST_TMPDIR/psql exists" "$BATS_TEST_TMPDIR/restore-database exists" "2 names"
    same mine "$(cat "$BATS_TEST_TMPDIR/psql")"
    same nowhere "$(readlink "$BATS_TEST_TMPDIR/restore-database")"
    [ "$(ls "$BATS_TEST_TMPDIR" | wc -l)" = 2 ]
    run "$SFB" --install "$BATS_TEST_TMPDIR/missing"
    [ "$status" = 1 ]
    says "can't make links in $BATS_TEST_TMPDIR/missing: No such file or directory"
}
